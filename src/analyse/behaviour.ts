/**
 * How people search, and whether their searches are about what they meet in the feed: Figure 1(b) of the SESRec paper.
 * Knows events, times and one attribute of items as their category; knows no model and nothing of how a log was made.
 *
 * A search is *passive* when its source says that the site suggested it with an item, else *spontaneous*. A search with
 * clicks is *similar* when the category of one clicked item occurs among the items that the user met in the feed during
 * the seven days before it, [t - 7 days, t), else *dissimilar*. The paper does not say what holds for several clicks:
 * `any` is the reading above, `all` demands it of every clicked item that has a category. Searches without a click, or
 * with none whose category is known, have no side. (Under global time, items and sources that training does not know are
 * among those: to look at a whole log, divide it leave-one-out.)
 */
import { UserError, at } from '../base/index.js';
import { FIRST_INDEX, UNKNOWN, type Dataset } from '../data/index.js';
import { categoryOf } from './categories.js';

const DAY = 86_400_000;
const PASSIVE: readonly string[] = ['related'];

export interface BehaviourOptions {
  /** The item attribute that is the category. Default: `category`. */
  readonly category?: string;
  /** Search sources that are passive; one must occur. Default: related, whether it occurs or not. */
  readonly passiveSources?: readonly string[];
  /** How far back the feed counts, in days. Default: 7. */
  readonly days?: number;
}

/** A share of some searches, with its 95 % interval over users. */
export interface Share {
  readonly share: number;
  readonly interval: readonly [low: number, high: number];
  readonly count: number;
  readonly of: number;
}

/** Shares of the two kinds of searches, and of the dissimilar ones among each kind. */
export interface BehaviourShares {
  readonly passive: Share;
  readonly spontaneous: Share;
  /** Among searches of each kind that have a side. */
  readonly dissimilar: Readonly<Record<'passive' | 'spontaneous', { readonly any: Share; readonly all: Share }>>;
}

export interface Behaviour extends BehaviourShares {
  readonly searches: number;
  readonly withClicks: Share;
  /** Searches whose source is unknown: they count as spontaneous, unless `passiveSources` names it. */
  readonly ofUnknownSource: number;
  /** Searches with a click whose items have no category. */
  readonly withoutCategory: number;
  readonly users: { readonly all: number; readonly neverSearch: number; readonly neverInFeed: number };
  /** The same without the searches of each user's first days, in which the feed has not had the time to show much. */
  readonly afterFirstDays: BehaviourShares;
  readonly protocol: { readonly category: string; readonly passiveSources: readonly string[]; readonly days: number };
}

/** What is counted of one user's searches of a kind. */
interface KindCounts {
  all: number;
  withSide: number;
  dissimilarByAny: number;
  dissimilarByAll: number;
}
type Counts = Readonly<Record<'passive' | 'spontaneous', KindCounts>>;

const noCounts = (): Counts => ({
  passive: { all: 0, withSide: 0, dissimilarByAny: 0, dissimilarByAll: 0 },
  spontaneous: { all: 0, withSide: 0, dissimilarByAny: 0, dissimilarByAll: 0 },
});

function count(counts: KindCounts, side: { any: boolean; all: boolean } | null): void {
  counts.all++;
  if (!side) return;
  counts.withSide++;
  if (!side.any) counts.dissimilarByAny++;
  if (!side.all) counts.dissimilarByAll++;
}

/** Looks at every search of a data set. Needs times and a category; a data set without them is a `UserError`. */
export function behaviour(dataset: Dataset, options: BehaviourOptions = {}): Behaviour {
  const { category: name = 'category', passiveSources = PASSIVE, days = 7 } = options;
  const column = categoryOf(dataset, name);
  if (dataset.searchQuery.length === 0) throw new UserError('the log has no searches to look at');
  if (dataset.searchTime.some(Number.isNaN) || dataset.feedTime.some(Number.isNaN))
    throw new UserError('some events have no time, so what is recent cannot be told: import the log with its times');
  if (options.passiveSources && passiveSources.every((source) => !dataset.sources.has(source)))
    throw new UserError(
      `no search started from ${passiveSources.map((source) => JSON.stringify(source)).join(' or ')}, so none would be passive; searches start from ${dataset.sources.ids.slice(FIRST_INDEX).join(', ')}: name some with --passive`,
    );
  const isPassive = new Set(
    passiveSources.filter((source) => dataset.sources.has(source)).map((source) => dataset.sources.index(source)),
  );
  const all: Counts[] = [];
  const later: Counts[] = [];
  const clicked: [number, number][] = [];
  let withoutCategory = 0;
  const unknown = [UNKNOWN, dataset.sources.index('unknown')];
  const ofUnknownSource = dataset.searchSource.filter(
    (source) => unknown.includes(source) && !isPassive.has(source),
  ).length;
  let neverSearch = 0;
  let neverInFeed = 0;
  for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
    const [firstSearch, endSearch] = [at(dataset.searchOffsets, user), at(dataset.searchOffsets, user + 1)];
    const [firstFeed, endFeed] = [at(dataset.feedOffsets, user), at(dataset.feedOffsets, user + 1)];
    if (firstFeed === endFeed) neverInFeed++;
    if (firstSearch === endSearch) {
      neverSearch++;
      continue;
    }
    const [counts, laterCounts] = [noCounts(), noCounts()];
    const start = Math.min(
      at(dataset.searchTime, firstSearch),
      firstFeed < endFeed ? at(dataset.feedTime, firstFeed) : Infinity,
    );
    let withClicks = 0;
    for (let search = firstSearch; search < endSearch; search++) {
      const time = at(dataset.searchTime, search);
      const clicks = dataset.clickItem.subarray(at(dataset.clickOffsets, search), at(dataset.clickOffsets, search + 1));
      const categories = Array.from(clicks, (item) => at(column, item)).filter((value) => value >= FIRST_INDEX);
      if (clicks.length > 0) withClicks++;
      if (clicks.length > 0 && categories.length === 0) withoutCategory++;
      const recent = new Set<number>();
      if (categories.length > 0) {
        for (let event = firstFeed; event < endFeed; event++) {
          const age = time - at(dataset.feedTime, event);
          if (age > 0 && age <= days * DAY) recent.add(at(column, at(dataset.feedItem, event)));
        }
      }
      const side =
        categories.length === 0
          ? null
          : {
              any: categories.some((value) => recent.has(value)),
              all: categories.every((value) => recent.has(value)),
            };
      const kind = isPassive.has(at(dataset.searchSource, search)) ? 'passive' : 'spontaneous';
      count(counts[kind], side);
      if (time - start >= days * DAY) count(laterCounts[kind], side);
    }
    clicked.push([withClicks, endSearch - firstSearch]);
    all.push(counts);
    later.push(laterCounts);
  }
  return {
    ...sharesOf(all),
    searches: dataset.searchQuery.length,
    withClicks: shareOver(clicked),
    ofUnknownSource,
    withoutCategory,
    users: { all: dataset.users.ids.length - FIRST_INDEX, neverSearch, neverInFeed },
    afterFirstDays: sharesOf(later),
    protocol: { category: name, passiveSources, days },
  };
}

function sharesOf(users: readonly Counts[]): BehaviourShares {
  const kindShare = (kind: keyof Counts): Share =>
    shareOver(users.map((counts) => [counts[kind].all, counts.passive.all + counts.spontaneous.all]));
  const dissimilar = (kind: keyof Counts) => ({
    any: shareOver(users.map((counts) => [counts[kind].dissimilarByAny, counts[kind].withSide])),
    all: shareOver(users.map((counts) => [counts[kind].dissimilarByAll, counts[kind].withSide])),
  });
  return {
    passive: kindShare('passive'),
    spontaneous: kindShare('spontaneous'),
    dissimilar: { passive: dissimilar('passive'), spontaneous: dissimilar('spontaneous') },
  };
}

/**
 * A share of counts, sum(x) / sum(n) over users, with its 95 % normal interval; users are the unit (ratio estimator,
 * linearised), since the searches of one user resemble each other. Of nothing: NaN; of one user there is no interval (NaN).
 */
function shareOver(everybody: readonly (readonly [count: number, of: number])[]): Share {
  const users = everybody.filter(([, of]) => of > 0);
  const count = users.reduce((sum, [own]) => sum + own, 0);
  const of = users.reduce((sum, [, own]) => sum + own, 0);
  const share = count / of;
  const squares = users.reduce((sum, [own, all]) => sum + (own - share * all) ** 2, 0);
  const margin = users.length < 2 ? Number.NaN : (1.96 * Math.sqrt((squares * users.length) / (users.length - 1))) / of;
  return { share, interval: [share - margin, share + margin], count, of };
}
