/**
 * What somebody did, as a data set of one user: the history that a run has, behind it what the store keeps, behind that the session
 * at hand. Knows order and vocabularies; does not know stores, models or scores.
 *
 * Stored events are in order of their times, however late they came; the history of a run comes before all of them. A click names its
 * search by id: until that search is known the click waits, and then counts. A query that training never saw has no id to the model,
 * but those of its words that training did see.
 */
import { UserError, at, getOrCreate } from '../base/index.js';
import { type Dataset, FIRST_INDEX, UNKNOWN, isActionType, knownWords, normaliseQuery } from '../data/index.js';
import {
  type Case,
  type Catalogue,
  clickPositionsBefore,
  ordinalOf,
  recentActions,
  withQueries,
  without,
} from '../features/index.js';
import type { LiveCatalogue } from './live-catalogue.js';
import type { LiveEvent } from './questions.js';

/** The one user of such a data set. */
const SOMEBODY = FIRST_INDEX;

/** Somebody's history, and the moment after it. */
export interface LiveHistory {
  /** Its users are padding, unknown, and the one. */
  readonly dataset: Dataset;
  readonly catalogue: Catalogue;
  readonly moment: Case;
  /** Items met in the feed, by a click on a search result, or disliked. */
  readonly met: ReadonlySet<number>;
  readonly disliked: ReadonlySet<number>;
  /** Newest items met, each once, newest first. */
  readonly recentItems: readonly number[];
  /** Ids of the events that have any, by ordinal. */
  readonly eventIds: ReadonlyMap<number, string>;
  /** Queries by search position: as typed, or as the run normalised them; empty where the run did not keep one. */
  readonly queryTexts: readonly string[];
  readonly feedCount: number;
  readonly searchCount: number;
  /** Items, and queries, of live events that the run does not know. */
  readonly unknown: { readonly items: number; readonly queries: number };
}

/** Who it is to a model. */
export interface Person {
  /** Index in the run's data set; `UNKNOWN` for somebody new. */
  readonly user: number;
  /** The embedding row. */
  readonly row: number;
  /** Indices of attribute values by name. */
  readonly attributes: Readonly<Record<string, number>>;
}

interface Fed {
  readonly item: number;
  readonly ordinal: number;
  readonly time: number;
  /** Position among the searches, -1 when none led to it. */
  readonly search: number;
}
interface Clicked {
  readonly item: number;
  readonly ordinal: number;
  readonly time: number;
}
interface Searched {
  readonly query: number;
  readonly text: string;
  readonly source: number;
  readonly ordinal: number;
  readonly time: number;
  readonly clicks: Clicked[];
}

/** Whether an event is one of the feed: an action on an item, but no click on a result of a search. */
export const isOfFeed = ({ type, item, search }: LiveEvent): boolean =>
  item !== undefined && isActionType(type) && (type !== 'click' || search === undefined);

/**
 * @param events what happened since the run's data were taken, in order
 * @param usesRun whether the run's own history of the user counts
 */
export function liveHistory(
  dataset: Dataset,
  items: LiveCatalogue,
  person: Person,
  events: readonly LiveEvent[],
  usesRun: boolean,
): LiveHistory {
  const newQueries = new Map<string, number>();
  const firstNewQuery = dataset.queries.ids.length;
  const newIndex = (query: string): number => getOrCreate(newQueries, query, () => firstNewQuery + newQueries.size);
  const lanes =
    usesRun && person.user !== UNKNOWN ? runHistory(dataset, person.user, newIndex) : { feed: [], searches: [] };
  const feed: Fed[] = lanes.feed;
  const searches: Searched[] = lanes.searches;
  let ordinal = nextOrdinal(feed, searches);
  const eventIds = new Map<number, string>();
  const met = new Set<number>();
  const disliked = new Set<number>();
  const unknown = { items: 0, queries: 0 };
  const queryIndex = (text: string): number => {
    const query = normaliseQuery(text);
    const known = dataset.queries.index(query);
    if (known !== UNKNOWN || query === '') return known;
    unknown.queries++;
    return newIndex(query);
  };
  // a click may come before its search where clocks differ: searches are numbered first
  const searchesById = new Map<string, number>();
  let place = searches.length;
  for (const { type, id } of events) {
    if (type !== 'search') continue;
    if (id !== undefined) searchesById.set(id, place);
    place++;
  }
  const waiting: [search: number, click: Clicked][] = [];
  for (const event of events) {
    const { type, time, id, query = '', source = 'unknown', item, search } = event;
    const own = ordinal++;
    if (id !== undefined) eventIds.set(own, id);
    if (type === 'search') {
      searches.push({
        query: queryIndex(query),
        text: query,
        source: dataset.sources.index(source),
        ordinal: own,
        time,
        clicks: [],
      });
      continue;
    }
    if (item === undefined) continue;
    const index = items.index(item);
    if (type === 'dislike') disliked.add(index);
    if (!isActionType(type)) continue;
    if (index === UNKNOWN) unknown.items++;
    const led = search === undefined ? -1 : (searchesById.get(search) ?? -1);
    if (led >= 0) waiting.push([led, { item: index, ordinal: own, time }]);
    if (isOfFeed(event)) feed.push({ item: index, ordinal: own, time, search: led });
  }
  for (const [search, click] of waiting) {
    const { clicks } = searches[search] as Searched;
    if (!clicks.some(({ item }) => item === click.item)) clicks.push(click); // each item once, at its first click
  }
  for (const { item } of feed) met.add(item);
  for (const { clicks } of searches) for (const { item } of clicks) met.add(item);
  for (const item of disliked) met.add(item);
  met.delete(UNKNOWN);
  const personal = asDataset(dataset, items, feed, searches);
  return {
    dataset: personal,
    catalogue: catalogueFor(dataset, items, person, [...newQueries.keys()]),
    moment: { user: SOMEBODY, feedPosition: feed.length },
    met,
    disliked,
    recentItems: newestItems(feed, searches),
    eventIds,
    queryTexts: searches.map(({ text }) => text),
    feedCount: feed.length,
    searchCount: searches.length,
    unknown,
  };
}

/** The history as it would be had some actions, by their ordinals, not happened. An ordinal that is none of its actions' is a `UserError`. */
export function withoutOrdinals(history: LiveHistory, ordinals: readonly number[]): LiveHistory {
  if (ordinals.length === 0) return history;
  const { dataset } = history;
  const everything = { feed: Infinity, search: Infinity };
  const byOrdinal = new Map(
    recentActions(dataset, history.moment, everything).map((action) => [ordinalOf(dataset, action), action]),
  );
  const gone = [...new Set(ordinals)].map((ordinal) => {
    const action = byOrdinal.get(ordinal);
    if (!action)
      throw new UserError(`the history has no action with the ordinal ${ordinal}: take those of the timeline`);
    return action;
  });
  const moment = without(dataset, history.moment, gone);
  const left = recentActions(dataset, moment, everything);
  const meetings = left.flatMap((action) =>
    action.lane === 'feed'
      ? [{ item: at(dataset.feedItem, action.position), ordinal: ordinalOf(dataset, action) }]
      : clickPositionsBefore(dataset, moment, action.position).map((click) => ({
          item: at(dataset.clickItem, click),
          ordinal: at(dataset.clickOrdinal, click),
        })),
  );
  return {
    ...history,
    moment,
    met: new Set([...meetings.map(({ item }) => item), ...history.disliked].filter((item) => item !== UNKNOWN)),
    recentItems: newestOf(meetings),
    feedCount: left.filter(({ lane }) => lane === 'feed').length,
    searchCount: left.filter(({ lane }) => lane === 'search').length,
  };
}

function nextOrdinal(feed: readonly Fed[], searches: readonly Searched[]): number {
  let last = Math.max(feed.at(-1)?.ordinal ?? -1, searches.at(-1)?.ordinal ?? -1);
  for (const { clicks } of searches) for (const { ordinal } of clicks) last = Math.max(last, ordinal);
  return last + 1;
}

/** A user's lanes in the data set of a run. `newIndex`: the index of a query that training never saw. */
function runHistory(
  dataset: Dataset,
  user: number,
  newIndex: (query: string) => number,
): { feed: Fed[]; searches: Searched[] } {
  const [firstFeed, endFeed] = [at(dataset.feedOffsets, user), at(dataset.feedOffsets, user + 1)];
  const [firstSearch, endSearch] = [at(dataset.searchOffsets, user), at(dataset.searchOffsets, user + 1)];
  const feed: Fed[] = [];
  for (let i = firstFeed; i < endFeed; i++) {
    const led = at(dataset.feedSearch, i);
    feed.push({
      item: at(dataset.feedItem, i),
      ordinal: at(dataset.feedOrdinal, i),
      time: at(dataset.feedTime, i),
      search: led < 0 ? -1 : led - firstSearch,
    });
  }
  const searches: Searched[] = [];
  for (let i = firstSearch; i < endSearch; i++) {
    const clicks: Clicked[] = [];
    for (let click = at(dataset.clickOffsets, i); click < at(dataset.clickOffsets, i + 1); click++)
      clicks.push({
        item: at(dataset.clickItem, click),
        ordinal: at(dataset.clickOrdinal, click),
        time: at(dataset.clickTime, click),
      });
    const query = at(dataset.searchQuery, i);
    const unseen = dataset.unseenQueries?.ids[dataset.unseenQueries.ofSearch[i] ?? -1];
    searches.push({
      query: unseen === undefined ? query : newIndex(unseen),
      text: unseen ?? dataset.queries.ids[query] ?? '',
      source: at(dataset.searchSource, i),
      ordinal: at(dataset.searchOrdinal, i),
      time: at(dataset.searchTime, i),
      clicks,
    });
  }
  return { feed, searches };
}

/** Lanes as the data set of one user, who holds nothing out. */
function asDataset(
  dataset: Dataset,
  items: LiveCatalogue,
  feed: readonly Fed[],
  searches: readonly Searched[],
): Dataset {
  const clicks = searches.flatMap((search) => search.clicks);
  const clickOffsets = new Int32Array(searches.length + 1);
  searches.forEach((search, i) => (clickOffsets[i + 1] = at(clickOffsets, i) + search.clicks.length));
  const none = new Int32Array(SOMEBODY + 1).fill(-1);
  return {
    ...dataset,
    items: items.items,
    feedOffsets: Int32Array.of(0, 0, 0, feed.length),
    feedItem: Int32Array.from(feed, ({ item }) => item),
    feedOrdinal: Float64Array.from(feed, ({ ordinal }) => ordinal),
    feedTime: Float64Array.from(feed, ({ time }) => time),
    feedSearch: Int32Array.from(feed, ({ search }) => search),
    searchOffsets: Int32Array.of(0, 0, 0, searches.length),
    searchQuery: Int32Array.from(searches, ({ query }) => query),
    unseenQueries: undefined, // they have indices of their own
    searchSource: Int32Array.from(searches, ({ source }) => source),
    searchOrdinal: Float64Array.from(searches, ({ ordinal }) => ordinal),
    searchTime: Float64Array.from(searches, ({ time }) => time),
    clickOffsets,
    clickItem: Int32Array.from(clicks, ({ item }) => item),
    clickOrdinal: Float64Array.from(clicks, ({ ordinal }) => ordinal),
    clickTime: Float64Array.from(clicks, ({ time }) => time),
    heldOutStart: Int32Array.of(0, 0, feed.length),
    targets: { validation: none, test: none },
    searchIsTraining: new Uint8Array(searches.length),
    trainedUsers: SOMEBODY + 1,
  };
}

/** What a model is told of this user, and of queries that training never saw. */
function catalogueFor(
  dataset: Dataset,
  items: LiveCatalogue,
  { row, attributes }: Person,
  newQueries: readonly string[],
): Catalogue {
  const shared = items.forModel;
  const catalogue = {
    ...shared,
    userRow: Int32Array.of(0, UNKNOWN, row),
    userAttributes: Object.fromEntries(
      Object.keys(shared.userAttributes).map((name) => [name, Int32Array.of(0, 0, attributes[name] ?? 0)]),
    ),
  };
  return withQueries(
    catalogue,
    newQueries.map((query) => knownWords(query, dataset.words)),
  );
}

function newestItems(feed: readonly Fed[], searches: readonly Searched[]): number[] {
  return newestOf([...feed, ...searches.flatMap(({ clicks }) => clicks)]);
}

/** Items of some events, each once, the newest first. */
function newestOf(events: readonly { readonly item: number; readonly ordinal: number }[]): number[] {
  const newest = events.toSorted((a, b) => b.ordinal - a.ordinal);
  return [...new Set(newest.map(({ item }) => item))].filter((item) => item >= FIRST_INDEX);
}
