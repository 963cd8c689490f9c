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

/** A shorter window than this is not worth a program of its own. */
const LEAST_ROOM = 3;

/**
 * The rooms that histories may get, ascending: the quarters of the window, and the first of them halved as often as that leaves
 * something to hold, since most histories are short. Few, because each is a program.
 */
export function roomsOf(window: number): number[] {
  const rooms = [1, 2, 3, 4].map((quarters) => Math.ceil((window * quarters) / 4));
  for (let parts = 8; window / parts >= LEAST_ROOM; parts *= 2) rooms.unshift(Math.ceil(window / parts));
  return [...new Set(rooms)];
}

/** Which of the rooms is the first that holds so much. */
const firstHolding = (rooms: readonly number[], length: number): number => rooms.findIndex((room) => room >= length);

/** The room that the given cases need. */
export function extentOf({ feed, search }: HistoryLengths, cases: Int32Array, window: Window): Extent {
  const roomIn = (most: number, lengths: Int32Array): number => {
    const rooms = roomsOf(most);
    const longest = cases.reduce((longest, row) => Math.max(longest, at(lengths, row)), 0);
    return rooms[firstHolding(rooms, longest)] as number;
  };
  return { feed: roomIn(window.feed, feed), search: roomIn(window.search, search) };
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
  const rooms = roomsOf(window.feed);
  const batches: Int32Array[] = [];
  for (let start = 0; start < rows.length; start += poolBatches * batchSize) {
    const pool = rows.slice(start, start + poolBatches * batchSize);
    // the feed by its room first, because attention within it costs most; then the searches; ties stay as shuffled
    const key = pool.map(
      (row) => firstHolding(rooms, at(lengths.feed, row)) * (window.search + 1) + at(lengths.search, row),
    );
    const sorted = Int32Array.from(pool.keys()).sort((a, b) => at(key, a) - at(key, b) || a - b);
    const own = cut(sorted.map((place) => at(pool, place)));
    const order = Int32Array.from(own.keys());
    for (const batch of random?.shuffle(order) ?? order) batches.push(own[batch] as Int32Array);
  }
  return batches;
}

/** The ends of parts are multiples of this share of a batch: every kind of part is a program. */
const FINEST_CUT = 1 / 32;
/** Where a batch of usual lengths is to be cut is told by at most so many cases. */
const SAMPLE = 50_000;

/**
 * Where to cut batches that are each in order of length (pools of one batch) into parts with little padding and about as much to do
 * in each: many rows with short histories, few with long ones. Ends of the parts, ascending, the last of them `rows`.
 * @param cut.together every end but the last is a multiple of this
 */
export function endsByLength(
  lengths: HistoryLengths,
  window: Window,
  cut: { readonly rows: number; readonly parts: number; readonly together: number },
): number[] {
  const { rows, parts, together } = cut;
  const step = together * Math.max(1, Math.round((rows * FINEST_CUT) / together));
  const ends = Array.from({ length: Math.ceil(rows / step) }, (_, i) => Math.min(rows, (i + 1) * step));
  const rooms = roomsBetween(lengths, window, rows, ends);
  /** Positions of a part from one of the ends (-1: the beginning) to another. */
  const sizeOf = (from: number, to: number): number => {
    const { feed, search } = largestOf(rooms.slice(from + 1, to + 1));
    return ((ends[to] as number) - (ends[from] ?? 0)) * (feed + search);
  };
  // The least sum of squares, which is small where the whole is small and where no part is large: by dynamic programming, the best
  // cut of the rows before each end into one part, then into two, …
  let best = ends.map((end, to) => ({ squares: sizeOf(-1, to) ** 2, parts: [end] }));
  for (let count = 2; count <= parts; count++)
    best = ends.map((end, to) =>
      best.slice(0, to).reduce(
        (least, { squares, parts: before }, from) => {
          const sum = squares + sizeOf(from, to) ** 2;
          return sum < least.squares ? { squares: sum, parts: [...before, end] } : least;
        },
        best[to] as { squares: number; parts: number[] },
      ),
    );
  return (best.at(-1) as { parts: number[] }).parts;
}

/** The rooms that the rows between two ends are likely to need. */
function roomsBetween(
  { feed, search }: HistoryLengths,
  window: Window,
  rows: number,
  ends: readonly number[],
): Extent[] {
  const [feedRooms, searchRooms] = [roomsOf(window.feed), roomsOf(window.search)];
  const roomIn = (rooms: readonly number[], length: number): number => rooms[firstHolding(rooms, length)] as number;
  const every = Math.ceil(feed.length / SAMPLE);
  const extents = Array.from({ length: Math.ceil(feed.length / every) }, (_, i): Extent => ({
    feed: roomIn(feedRooms, at(feed, i * every)),
    search: roomIn(searchRooms, at(search, i * every)),
  })).sort((one, other) => one.feed - other.feed || one.search - other.search);
  // in most batches, the longest before an end is not above a standard deviation further on in the order of all
  const placeOf = (end: number): number => {
    const later = end + Math.sqrt((end * (rows - end)) / rows);
    return Math.min(extents.length, Math.max(1, Math.ceil((later * extents.length) / rows)));
  };
  return ends.map((end, i) => largestOf(extents.slice(placeOf(ends[i - 1] ?? 0) - 1, placeOf(end))));
}

/** Room for any of some histories. */
const largestOf = (extents: readonly Extent[]): Extent =>
  extents.reduce((most, one) => ({
    feed: Math.max(most.feed, one.feed),
    search: Math.max(most.search, one.search),
  }));
