/**
 * Pairs of a query and an item clicked in its results, and what they are told apart from, as the alignment loss takes them (Eq. 6, 7). Knows slots of a
 * batch; does not know rows or the other losses.
 */
import { at } from '../base/index.js';
import type { AlignmentNegatives } from './negatives.js';
import { type Slots, padded } from './slots.js';

/** Room for pairs, for the distinct queries and items in them, and for distinct negatives. */
export interface AlignedSizes {
  readonly pairs: number;
  readonly anchorQueries: number;
  readonly anchorItems: number;
  readonly negativeItems: number;
  readonly negativeQueries: number;
}

export const NOTHING_ALIGNED: AlignedSizes = {
  pairs: 0,
  anchorQueries: 0,
  anchorItems: 0,
  negativeItems: 0,
  negativeQueries: 0,
};

/** The room that is made for so much of something. */
export type Capacity = (what: string, needed: number) => number;

/** Distinct values from 0 to `most`, in order of appearance, and how often each occurs. */
function counted(values: Int32Array, most: number): [Int32Array, Float32Array] {
  const counts = new Int32Array(most + 1);
  const distinct: number[] = [];
  for (const value of values) {
    if (counts[value] === 0) distinct.push(value);
    counts[value] = at(counts, value) + 1;
  }
  return [Int32Array.from(distinct), Float32Array.from(distinct, (value) => at(counts, value))];
}

/** Searches (B,T_s) and what was clicked for them (B,T_s,K), as slots; what they are told apart from; and what a pair weighs. */
export interface PairsToAlign {
  readonly search: Int32Array;
  readonly clicks: Int32Array;
  readonly negatives: AlignmentNegatives;
  readonly weight: number;
}

/**
 * Inputs of the alignment loss and their sizes. It needs each distinct query (item) against the negatives once, however many pairs it is in, and each distinct
 * negative once, with its multiplicity.
 * @param slots those of the batch, where negatives get theirs
 */
export function alignedPairs(
  { search, clicks, negatives, weight }: PairsToAlign,
  slots: { readonly items: Slots; readonly queries: Slots },
  capacity: Capacity,
): { sizes: AlignedSizes; inputs: Record<string, Float32Array | Int32Array> } {
  const weights = new Map<number, number>(); // key: anchor query slot * 2^26 + anchor item slot
  const anchorQueries = new Map<number, number>();
  const anchorItems = new Map<number, number>();
  const number = (numbers: Map<number, number>, slot: number): number => {
    const known = numbers.get(slot) ?? numbers.size;
    numbers.set(slot, known);
    return known;
  };
  const perQuery = clicks.length / search.length;
  for (let position = 0; position < clicks.length; position++) {
    const query = at(search, Math.floor(position / perQuery));
    if (at(clicks, position) === 0 || query === 0) continue;
    const key = number(anchorQueries, query) * 2 ** 26 + number(anchorItems, at(clicks, position));
    weights.set(key, (weights.get(key) ?? 0) + 1);
  }
  const countedSlots = (own: Slots, indices: Int32Array): [Int32Array, Float32Array] =>
    counted(own.slots(indices), own.indices.length);
  const [negativeItems, itemCounts] = countedSlots(slots.items, negatives.items);
  const [negativeQueries, queryCounts] = countedSlots(slots.queries, negatives.queries);
  const sizes = {
    pairs: capacity('pairs', Math.max(1, weights.size)),
    anchorQueries: capacity('anchorQueries', Math.max(1, anchorQueries.size)),
    anchorItems: capacity('anchorItems', Math.max(1, anchorItems.size)),
    negativeItems: capacity('negativeItems', Math.max(1, negativeItems.length)),
    negativeQueries: capacity('negativeQueries', Math.max(1, negativeQueries.length)),
  };
  const keys = [...weights.keys()];
  const floats = (values: ArrayLike<number>, size: number): Float32Array => {
    const result = new Float32Array(size);
    result.set(values);
    return result;
  };
  const inputs = {
    pairQuery: padded(
      keys.map((key) => Math.floor(key / 2 ** 26)),
      sizes.pairs,
    ),
    pairItem: padded(
      keys.map((key) => key % 2 ** 26),
      sizes.pairs,
    ),
    pairWeight: floats(
      [...weights.values()].map((times) => times * weight),
      sizes.pairs,
    ),
    anchorQueries: padded([...anchorQueries.keys()], sizes.anchorQueries),
    anchorItems: padded([...anchorItems.keys()], sizes.anchorItems),
    negativeItems: padded(negativeItems, sizes.negativeItems),
    negativeItemCount: floats(itemCounts, sizes.negativeItems),
    negativeQueries: padded(negativeQueries, sizes.negativeQueries),
    negativeQueryCount: floats(queryCounts, sizes.negativeQueries),
  };
  return { sizes, inputs };
}
