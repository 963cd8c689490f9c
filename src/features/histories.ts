/**
 * What a user had done before a moment. Knows cases and the order of events; does not know batches or models.
 *
 * The history of a case is strictly earlier, by ordinal, never by time stamp: feed events before the target, searches
 * with a smaller ordinal, clicks with a smaller ordinal. The search that led to the target is never in it.
 */
import { at, firstWhere, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';

/** A moment in one user's life: the user index, and the feed position of the target (or the end of the feed for "now"). */
export interface Case {
  readonly user: number;
  readonly feedPosition: number;
  /**
   * Ordinals of events that are imagined not to have happened: the history is what a log without them would give, older
   * events coming into a window in their place. Absent: everything happened.
   */
  readonly without?: ReadonlySet<number>;
}

/** The moment of a search in one user's life: neither it nor what is clicked in its results is known yet. */
export interface SearchMoment {
  readonly user: number;
  /** The search, an index into the columns of searches. */
  readonly search: number;
}

const isNow = (dataset: Dataset, { user, feedPosition }: Case): boolean =>
  feedPosition >= at(dataset.feedOffsets, user + 1);

/** Ordinal of the target; infinity for "now". */
function targetOrdinal(dataset: Dataset, moment: Case): number {
  return isNow(dataset, moment) ? Infinity : at(dataset.feedOrdinal, moment.feedPosition);
}

/** The time of a target or a search in milliseconds since 1970; infinity for "now" and where the log does not tell. */
export function timeOf(dataset: Dataset, moment: Case | SearchMoment): number {
  if ('feedPosition' in moment && isNow(dataset, moment)) return Infinity;
  const time = 'search' in moment ? at(dataset.searchTime, moment.search) : at(dataset.feedTime, moment.feedPosition);
  return Number.isNaN(time) ? Infinity : time;
}

/** The first position of [start, end) whose ordinal is not below the given one, `end` if there is none. Ordinals ascend there. */
const firstFrom = (ordinals: Float64Array, ordinal: number, [start, end]: readonly [number, number]): number =>
  firstWhere(start, end, (position) => at(ordinals, position) >= ordinal);

/** Feed positions of the newest `limit` feed events before the target, oldest first. */
export function recentFeed(dataset: Dataset, { user, feedPosition, without }: Case, limit = Infinity): number[] {
  const first = at(dataset.feedOffsets, user);
  const positions: number[] = [];
  for (let position = feedPosition - 1; position >= first && positions.length < limit; position--) {
    if (!without?.has(at(dataset.feedOrdinal, position))) positions.push(position);
  }
  return positions.toReversed();
}

/** Search positions of the newest `limit` searches before the target, oldest first, without the search that led to it. */
export function recentSearches(dataset: Dataset, moment: Case, limit = Infinity): number[] {
  const leading = isNow(dataset, moment) ? -1 : at(dataset.feedSearch, moment.feedPosition);
  const first = at(dataset.searchOffsets, moment.user);
  const end = firstFrom(dataset.searchOrdinal, targetOrdinal(dataset, moment), [
    first,
    at(dataset.searchOffsets, moment.user + 1),
  ]);
  const positions: number[] = [];
  for (let position = end - 1; position >= first && positions.length < limit; position--) {
    if (position !== leading && !moment.without?.has(at(dataset.searchOrdinal, position))) positions.push(position);
  }
  return positions.toReversed();
}

/** Positions (in the click columns) of the clicks on a search's results before the target, the first `limit` of them. */
export function clickPositionsBefore(dataset: Dataset, moment: Case, search: number, limit = Infinity): number[] {
  const ordinal = targetOrdinal(dataset, moment);
  const positions: number[] = [];
  for (
    let click = at(dataset.clickOffsets, search);
    click < at(dataset.clickOffsets, search + 1) && positions.length < limit;
    click++
  ) {
    const own = at(dataset.clickOrdinal, click);
    if (own < ordinal && !moment.without?.has(own)) positions.push(click);
  }
  return positions;
}

/** Items clicked in a search's results before the target, the first `limit` of them. */
export function clicksBefore(dataset: Dataset, moment: Case, search: number, limit = Infinity): number[] {
  return clickPositionsBefore(dataset, moment, search, limit).map((click) => at(dataset.clickItem, click));
}

/** An item that a user met, and the query that it was found by: 0 where the feed brought it. */
export interface Meeting {
  readonly item: number;
  readonly query: number;
}

/**
 * The newest `limit` distinct items that a user had met before a case or a search, in the feed or by a click on a search
 * result, each at its last meeting, the newest first. One event that is both an action and a click counts as the click. Items
 * that no vocabulary knows are left out.
 */
export function recentMeetings(dataset: Dataset, moment: Case | SearchMoment, limit: number): Meeting[] {
  const { feedOffsets, feedOrdinal, feedItem } = dataset;
  const start = at(feedOffsets, moment.user);
  const clicks = clicksNewestFirst(dataset, moment);
  const found = new Map<number, Meeting>();
  let click = 0;
  let feed = feedEndBefore(dataset, moment) - 1;
  while (found.size < limit && (feed >= start || click < clicks.length)) {
    const isClick = feed < start || (clicks[click]?.ordinal ?? -Infinity) >= at(feedOrdinal, feed);
    const happened = isClick || !isWithout(moment, at(feedOrdinal, feed));
    const { item, query } = isClick ? (clicks[click++] as Meeting) : { item: at(feedItem, feed--), query: 0 };
    if (happened && item >= FIRST_INDEX && !found.has(item)) found.set(item, { item, query });
  }
  return [...found.values()];
}

function feedEndBefore(dataset: Dataset, moment: Case | SearchMoment): number {
  if ('feedPosition' in moment) return moment.feedPosition;
  const { feedOffsets, feedOrdinal, searchOrdinal } = dataset;
  const own = [at(feedOffsets, moment.user), at(feedOffsets, moment.user + 1)] as const;
  return firstFrom(feedOrdinal, at(searchOrdinal, moment.search), own);
}

const isWithout = (moment: Case | SearchMoment, ordinal: number): boolean =>
  'feedPosition' in moment && (moment.without?.has(ordinal) ?? false);

/** Every click on a search result that a user had made before a moment. */
function clicksNewestFirst(dataset: Dataset, moment: Case | SearchMoment): (Meeting & { readonly ordinal: number })[] {
  const { searchOffsets, searchOrdinal, searchQuery, clickOffsets, clickItem, clickOrdinal } = dataset;
  const ordinal = 'search' in moment ? at(searchOrdinal, moment.search) : targetOrdinal(dataset, moment);
  const searches =
    'search' in moment
      ? range(moment.search - at(searchOffsets, moment.user)).map((i) => at(searchOffsets, moment.user) + i)
      : recentSearches(dataset, moment);
  const clicks: (Meeting & { readonly ordinal: number })[] = [];
  for (const search of searches) {
    for (let click = at(clickOffsets, search); click < at(clickOffsets, search + 1); click++) {
      if (at(clickOrdinal, click) >= ordinal) break;
      if (isWithout(moment, at(clickOrdinal, click))) continue;
      clicks.push({ item: at(clickItem, click), query: at(searchQuery, search), ordinal: at(clickOrdinal, click) });
    }
  }
  return clicks.sort((a, b) => b.ordinal - a.ordinal); // a late click may belong to an early search
}

/** The items that a user had met before a case: in the feed, or by a click on a search result. */
export function metBefore(dataset: Dataset, moment: Case): Set<number> {
  const met = new Set<number>(recentFeed(dataset, moment).map((position) => at(dataset.feedItem, position)));
  for (const search of recentSearches(dataset, moment))
    for (const item of clicksBefore(dataset, moment, search)) met.add(item);
  for (let meaningless = 0; meaningless < FIRST_INDEX; meaningless++) met.delete(meaningless);
  return met;
}

/** Whether a case has something to learn from: any history, or, with `requireBoth`, feed events and searches alike. */
export function hasHistory(dataset: Dataset, moment: Case, requireBoth: boolean): boolean {
  const hasFeed = recentFeed(dataset, moment, 1).length > 0;
  if (!requireBoth && hasFeed) return true;
  const hasSearches = recentSearches(dataset, moment, 1).length > 0;
  return requireBoth ? hasFeed && hasSearches : hasSearches;
}

/** Every training row, prefix-wise: one case per feed event that is not held out and has a history. In order of users, then positions. */
export function trainingCases(dataset: Dataset, requireBoth: boolean): Case[] {
  const cases: Case[] = [];
  for (let user = 0; user + 1 < dataset.feedOffsets.length; user++) {
    for (
      let feedPosition = at(dataset.feedOffsets, user);
      feedPosition < at(dataset.heldOutStart, user);
      feedPosition++
    ) {
      const moment = { user, feedPosition };
      if (hasHistory(dataset, moment, requireBoth)) cases.push(moment);
    }
  }
  return cases;
}

/** One training row per user, the last one: models that learn from a whole feed at once need no other. */
export function lastTrainingCases(dataset: Dataset, requireBoth: boolean): Case[] {
  return trainingCases(dataset, requireBoth).filter(({ user }, i, cases) => cases[i + 1]?.user !== user);
}
