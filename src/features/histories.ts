/**
 * What a user had done before a moment. Knows cases and the order of events; does not know batches or models.
 *
 * The history of a case is strictly earlier, by ordinal, never by time stamp: feed events before the target, searches
 * with a smaller ordinal, clicks with a smaller ordinal. The search that led to the target is never in it.
 */
import { at } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';

/** A moment in one user's life: the user index, and the feed position of the target (or the end of the feed for "now"). */
export interface Case {
  readonly user: number;
  readonly feedPosition: number;
}

/** Ordinal of the target; infinity for "now". */
function targetOrdinal(dataset: Dataset, { user, feedPosition }: Case): number {
  return feedPosition < at(dataset.feedOffsets, user + 1) ? at(dataset.feedOrdinal, feedPosition) : Infinity;
}

/** Feed positions [start, end) of the newest `limit` feed events before the target. */
export function recentFeed(
  dataset: Dataset,
  { user, feedPosition }: Case,
  limit = Infinity,
): readonly [number, number] {
  return [Math.max(at(dataset.feedOffsets, user), feedPosition - limit), feedPosition];
}

/** Search positions of the newest `limit` searches before the target, oldest first, without the search that led to it. */
export function recentSearches(dataset: Dataset, moment: Case, limit = Infinity): number[] {
  const ordinal = targetOrdinal(dataset, moment);
  const leading = ordinal === Infinity ? -1 : at(dataset.feedSearch, moment.feedPosition);
  const first = at(dataset.searchOffsets, moment.user);
  // Binary search for the end of what is strictly earlier.
  let [low, high] = [first, at(dataset.searchOffsets, moment.user + 1)];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(dataset.searchOrdinal, middle) < ordinal) low = middle + 1;
    else high = middle;
  }
  const positions: number[] = [];
  for (let position = low - 1; position >= first && positions.length < limit; position--) {
    if (position !== leading) positions.push(position);
  }
  return positions.toReversed();
}

/** Items clicked in a search's results before the target, the first `limit` of them. */
export function clicksBefore(dataset: Dataset, moment: Case, search: number, limit = Infinity): number[] {
  const ordinal = targetOrdinal(dataset, moment);
  const items: number[] = [];
  for (
    let click = at(dataset.clickOffsets, search);
    click < at(dataset.clickOffsets, search + 1) && items.length < limit;
    click++
  ) {
    if (at(dataset.clickOrdinal, click) < ordinal) items.push(at(dataset.clickItem, click));
  }
  return items;
}

/** The items that a user had met before a case: in the feed, or by a click on a search result. */
export function metBefore(dataset: Dataset, moment: Case): Set<number> {
  const met = new Set<number>(dataset.feedItem.subarray(...recentFeed(dataset, moment)));
  for (const search of recentSearches(dataset, moment))
    for (const item of clicksBefore(dataset, moment, search)) met.add(item);
  for (let meaningless = 0; meaningless < FIRST_INDEX; meaningless++) met.delete(meaningless);
  return met;
}

/** Whether a case has something to learn from: any history, or, with `requireBoth`, feed events and searches alike. */
export function hasHistory(dataset: Dataset, moment: Case, requireBoth: boolean): boolean {
  const hasFeed = moment.feedPosition > at(dataset.feedOffsets, moment.user);
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
