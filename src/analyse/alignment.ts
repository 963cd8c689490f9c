/**
 * Whether queries lie near the items that are clicked for them: Figure 4 of the SESRec paper. Knows vectors of queries and items
 * and which were clicked together; does not know how the vectors were learnt.
 *
 * The loss trains s(q,i) = tanh(q^T W_A i) and not the cosine: W_A may turn one space against the other, so that what it learns
 * need not show in cos(q, i). It shows in cos(W_A^T q, i) and in s.
 */
import { Random, UserError, at, range } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { type Box, auc, boxOf, resampledIntervals, weightedAuc } from '../evaluate/index.js';
import { drawOther, trainingPairs } from '../features/index.js';
import type { AlignedVectors } from '../model/index.js';
import { cosine, dot, mapped, rowOf } from './vectors.js';

/** Queries and items, one entry per pair. */
export interface QueryItemPairs {
  readonly queries: Int32Array;
  readonly items: Int32Array;
}

export interface PairSample {
  /** Distinct pairs of a query and an item clicked for it in training. */
  readonly clicked: QueryItemPairs;
  /** The same queries, each with an item that nobody clicked for it in training. */
  readonly random: QueryItemPairs;
  /** How many distinct clicked pairs there are. */
  readonly distinct: number;
  /** Random pairs whose item was clicked after all: nothing else was found. They are left out. */
  readonly withoutOther: number;
}

/**
 * Distinct clicked pairs of the training log, all or a seeded sample of at most `most`, and for each a random pair: the item
 * of another clicked pair. So clicked and random pairs have the same queries and about the same items, and how often
 * something is clicked cannot part them. A log without clicks in searches is a `UserError`.
 */
export function samplePairs(dataset: Dataset, { most, seed }: { most: number; seed: number }): PairSample {
  const log = trainingPairs(dataset);
  const items = dataset.items.ids.length;
  const known = new Set<number>();
  log.queries.forEach((query, pair) => known.add(query * items + at(log.items, pair)));
  if (known.size === 0) throw new UserError('no search of the training log has a click, so there is nothing to align');
  const keys = Float64Array.from(known).sort();
  const order = new Random(seed, 'clicked pairs').shuffle(range(keys.length)).subarray(0, most).sort();
  const clicked = pairsOf(
    Array.from(order, (place) => at(keys, place)),
    items,
  );
  const draws = new Random(seed, 'random pairs');
  const drawn = Array.from(clicked.queries, (query) => {
    const key = (item: number): number => query * items + item;
    const item = drawOther(
      () => at(keys, draws.integer(keys.length)) % items,
      (other) => known.has(key(other)),
    );
    return key(item);
  });
  const others = drawn.filter((key) => !known.has(key));
  return {
    clicked,
    random: pairsOf(others, items),
    distinct: keys.length,
    withoutOther: drawn.length - others.length,
  };
}

const pairsOf = (keys: readonly number[], items: number): QueryItemPairs => ({
  queries: Int32Array.from(keys, (key) => Math.floor(key / items)),
  items: Int32Array.from(keys, (key) => key % items),
});

export const MEASURES = ['cosine', 'mapped', 'similarity'] as const;
/** `cosine`: cos(q, i); `mapped`: cos(W_A^T q, i); `similarity`: tanh(q^T W_A i). */
export type Measure = (typeof MEASURES)[number];

/**
 * A measure of every pair. Null for what needs W_A where there is none. The cosine with a vector of zeros is 0.
 */
export function measurePairs(
  { width, queries, items, bilinear }: AlignedVectors,
  pairs: QueryItemPairs,
  measure: Measure,
): Float64Array | null {
  if (measure !== 'cosine' && !bilinear) return null;
  const measured = new Float64Array(pairs.queries.length);
  for (let pair = 0; pair < measured.length; pair++) {
    const raw = rowOf(queries, at(pairs.queries, pair), width);
    const item = rowOf(items, at(pairs.items, pair), width);
    const query = measure === 'cosine' || !bilinear ? raw : mapped(raw, bilinear);
    measured[pair] = measure === 'similarity' ? Math.tanh(dot(query, item)) : cosine(query, item);
  }
  return measured;
}

/** What a measure says of clicked and of random pairs. */
export interface Aligned {
  readonly clicked: Box;
  readonly random: Box;
  /** How likely a clicked pair measures more than a random one, ties one half. */
  readonly auc: number;
  /** 95 %, queries drawn with replacement: the pairs of a query share its vector. */
  readonly interval: readonly [low: number, high: number];
}

/** Measures the pairs with the vectors of one model, by every measure that it has. */
export function alignment(
  vectors: AlignedVectors,
  { clicked, random }: PairSample,
  seed: number,
): Readonly<Record<Measure, Aligned | null>> {
  const of = (measure: Measure): Aligned | null => {
    const near = measurePairs(vectors, clicked, measure);
    const far = measurePairs(vectors, random, measure);
    if (!near || !far) return null;
    const values = [...near, ...far];
    const isClicked = values.map((_, pair) => pair < near.length);
    const { numbers, count } = numbered([...clicked.queries, ...random.queries]);
    const resampled = weightedAuc(values, isClicked, numbers);
    const [interval] = resampledIntervals(count, (times) => [resampled(times)], {
      random: new Random(seed, 'alignment', measure),
      resamples: RESAMPLES,
    }) as [Aligned['interval']];
    return { clicked: boxOf(near), random: boxOf(far), auc: auc(values, isClicked), interval };
  };
  return { cosine: of('cosine'), mapped: of('mapped'), similarity: of('similarity') };
}

const RESAMPLES = 1000;

/** Distinct values by number, in order of appearance. */
function numbered(values: readonly number[]): { numbers: Int32Array; count: number } {
  const numbers = new Map<number, number>();
  for (const value of values) if (!numbers.has(value)) numbers.set(value, numbers.size);
  return { numbers: Int32Array.from(values, (value) => numbers.get(value) as number), count: numbers.size };
}
