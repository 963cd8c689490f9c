/**
 * How long ago each search was, at every place of a feed, for models that learn from a whole feed at once. Knows which
 * searches and clicks lie before a place's next item; does not know what is made of them.
 */
import { at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { BatchExtra } from './batch.js';
import { type Case, clickPositionsBefore, recentFeed, recentSearches } from './histories.js';

/** Ages that are told apart; older searches are all alike. */
export const OLDEST_AGE = 16;
/** Kinds of ages: 0 for what is not known, then by age, before or after the newest feed event. */
export const AGE_KINDS = 1 + 2 * OLDEST_AGE;

/** What a kind stands for: the age in searches, 1 for the newest, and whether it was made after the place's own feed event. */
export const ageOf = (kind: number): { readonly age: number; readonly isSince: boolean } => ({
  age: Math.max(1, Math.ceil(kind / 2)),
  isSince: kind > 0 && kind % 2 === 0,
});

/**
 * Input `searchAge` (B,P,T_s + T_s K) int32: what the next item of a place may be told from. 0: not known before it, or the search
 * that led to it, or later than that; else 1 + 2 (age - 1), 2 more for each search in between, at most `OLDEST_AGE`, plus 1 where it was
 * made after the place's own feed event. Searches first, then their clicks, which are as old as their search. P: feed positions
 * where the batch trains (every place has a next item, the last one's is the row's target); 1 where it is only scored.
 */
export function searchAges(dataset: Dataset): BatchExtra {
  return {
    forHistories: searchAges,
    add({ rows, training, inputs }) {
      const { extent, cases, count } = rows;
      const clicks = extent.search === 0 ? 0 : rows.clicks.length / rows.search.length;
      const width = extent.search * (1 + clicks);
      const places = training ? extent.feed : 1;
      const ages = new Int32Array(count * places * width);
      inputs['searchAge'] = ages;
      if (!cases) return;
      for (const [row, moment] of cases.entries()) {
        const start = row * places * width;
        const fed = recentFeed(dataset, moment, extent.feed);
        const known = knownOf(dataset, moment, extent.search, clicks);
        const ends = training ? fed.map((_, place) => fed[place + 1] ?? moment.feedPosition) : [moment.feedPosition];
        for (const [place, end] of ends.entries()) {
          const own = training ? fed[place] : fed.at(-1);
          const since = own === undefined ? -Infinity : at(dataset.feedOrdinal, own);
          fill(ages.subarray(start + place * width), known, extent.search, clicks, {
            before: hidingFrom(dataset, moment, end, training !== null),
            since,
          });
        }
      }
    },
  };
}

interface Known {
  readonly ordinal: number;
  /** Ordinals of the clicks that are known at the end of the history. */
  readonly clicks: readonly number[];
}

function knownOf(dataset: Dataset, moment: Case, limit: number, clicks: number): Known[] {
  return recentSearches(dataset, moment, limit).map((search) => ({
    ordinal: at(dataset.searchOrdinal, search),
    clicks: clickPositionsBefore(dataset, moment, search, clicks).map((click) => at(dataset.clickOrdinal, click)),
  }));
}

/** The ordinal from which nothing is known at a place: that of its next event, or of the search that led there. */
function hidingFrom(dataset: Dataset, { user, feedPosition }: Case, end: number, isTraining: boolean): number {
  if (end >= at(dataset.feedOffsets, user + 1)) return Infinity;
  const leading = at(dataset.feedSearch, end);
  const next = at(dataset.feedOrdinal, end);
  return isTraining && leading >= 0 && end !== feedPosition ? Math.min(next, at(dataset.searchOrdinal, leading)) : next;
}

function fill(
  ages: Int32Array,
  known: readonly Known[],
  searches: number,
  clicks: number,
  { before, since }: { readonly before: number; readonly since: number },
): void {
  let age = 0;
  for (let i = known.length - 1; i >= 0; i--) {
    const { ordinal, clicks: own } = known[i] as Known;
    if (ordinal >= before) continue;
    age = Math.min(OLDEST_AGE, age + 1);
    const kind = 1 + 2 * (age - 1) + (ordinal > since ? 1 : 0);
    ages[i] = kind;
    for (const [click, clicked] of own.entries()) if (clicked < before) ages[searches + i * clicks + click] = kind;
  }
}
