/**
 * Batches of rows whose histories are about as long, so that little of a batch is padding. Knows lengths and the order of
 * rows; does not know what is in a history, nor which models see their padding.
 *
 * How far this departs from a shuffle: the rows of an epoch are shuffled and cut into pools of a few batches; within a
 * pool rows are sorted by length, cut into batches, and the batches are shuffled. So a row comes within a pool's length of
 * where the shuffle put it, as with a shuffle buffer of that size; and a batch is no fair sample of lengths.
 */
import { type Random, at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Extent, Window } from './rows.js';
import { type Case, recentFeed, recentSearches } from './histories.js';

/** The lengths of the histories of some cases, cut to the window, case by case. */
export interface HistoryLengths {
  readonly feed: Int32Array;
  readonly search: Int32Array;
}

export function historyLengths(dataset: Dataset, cases: readonly Case[], window: Window): HistoryLengths {
  return {
    feed: Int32Array.from(cases, (moment) => recentFeed(dataset, moment, window.feed).length),
    search: Int32Array.from(cases, (moment) => recentSearches(dataset, moment, window.search).length),
  };
}

/** A window is cut into this many steps: few different extents, so that few programs are compiled. */
const CLASSES = 4;

/** The class of a length, from 1; class k has room for k quarters of the window. */
const lengthClass = (length: number, window: number): number =>
  Math.max(1, Math.ceil((CLASSES * length) / window - 1e-9));
const roomOf = (longest: number, window: number): number =>
  Math.ceil((window * lengthClass(longest, window)) / CLASSES);

/** The room that the given cases need. */
export function extentOf({ feed, search }: HistoryLengths, cases: Int32Array, window: Window): Extent {
  const longest = (lengths: Int32Array): number => cases.reduce((most, row) => Math.max(most, at(lengths, row)), 0);
  return { feed: roomOf(longest(feed), window.feed), search: roomOf(longest(search), window.search) };
}

/**
 * The batches of an epoch, each a list of cases; the last of all may be smaller.
 * @param rows the cases in the order of the epoch: shuffled, or not
 * @param options.poolBatches batches per pool; 0: the rows are cut as they come
 * @param options.random shuffles the batches of a pool; null leaves them sorted
 */
export function batchOrder(
  rows: Int32Array,
  lengths: HistoryLengths,
  window: Window,
  { batchSize, poolBatches, random }: { batchSize: number; poolBatches: number; random: Random | null },
): Int32Array[] {
  const cut = (pool: Int32Array): Int32Array[] =>
    Array.from({ length: Math.ceil(pool.length / batchSize) }, (_, batch) =>
      pool.subarray(batch * batchSize, (batch + 1) * batchSize),
    );
  if (poolBatches === 0) return cut(rows);
  const batches: Int32Array[] = [];
  for (let start = 0; start < rows.length; start += poolBatches * batchSize) {
    const pool = rows.slice(start, start + poolBatches * batchSize);
    // the feed by its class first, because attention within it costs most; then the searches; ties stay as shuffled
    const key = pool.map(
      (row) => lengthClass(at(lengths.feed, row), window.feed) * (window.search + 1) + at(lengths.search, row),
    );
    const sorted = Int32Array.from(pool.keys()).sort((a, b) => at(key, a) - at(key, b) || a - b);
    const own = cut(sorted.map((place) => at(pool, place)));
    const order = Int32Array.from(own.keys());
    for (const batch of random?.shuffle(order) ?? order) batches.push(own[batch] as Int32Array);
  }
  return batches;
}
