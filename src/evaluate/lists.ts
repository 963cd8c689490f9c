/**
 * What recommended lists are like beyond being right: how much of the catalogue they show, how evenly, how unknown and how
 * mixed it is. Knows lists of items, training events and one attribute; needs no targets, so that it is no look at a test.
 *
 * Every metric is of the lists as they are: where items score the same, the one with the smaller index comes first
 * (`recommend`), so that a ranker with many ties is judged by the order of the catalogue too.
 */
import { InterruptedError, UserError, at } from '../base/index.js';
import { type AttributeColumn, type Dataset, FIRST_INDEX, type HeldOut } from '../data/index.js';
import { type Case, metBefore, recentFeed } from '../features/index.js';
import { type Ranker, countTrainingEvents, recommendEach } from '../model/index.js';
import { type ChosenCases, chooseCases } from './cases.js';
import { meanAndError } from './statistics.js';

export interface ListOptions {
  /** Lists as of the moment before this held-out event. */
  readonly on: HeldOut;
  /** Items per list; 10 unless told. */
  readonly length?: number;
  /** A seeded sample of this many users, the same as `evaluate` takes; 2,000 unless told. */
  readonly users?: number;
  /** Seed of the sample; 1 unless told. */
  readonly seed?: number;
  /** Cases per call of the ranker; 256 unless told. */
  readonly batchSize?: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Asks to stop before the next batch, with an `InterruptedError`. */
  readonly signal?: AbortSignal;
}

/** Recommended lists, and for whom. */
export interface Lists extends Pick<ChosenCases, 'cases' | 'sample'> {
  readonly ranker: string;
  readonly on: HeldOut;
  /** Items that were asked for; a list is shorter where the catalogue has no more. */
  readonly length: number;
  /** Item indices of each case, best first. */
  readonly items: readonly Int32Array[];
}

/** Means over lists, and the 95 % normal interval over users: mean ± 1.96 · sd / √users. */
export interface ListMean {
  readonly mean: number;
  readonly interval: readonly [low: number, high: number];
}

export interface ListMetrics {
  /** Lists. */
  readonly users: number;
  readonly length: number;
  readonly coverage: number;
  readonly gini: number;
  readonly novelty: ListMean;
  /** Null where there is no attribute. */
  readonly diversity: ListMean | null;
  readonly popularityLift: number;
}

/** The best items for evaluated users among all that they did not know before the target, as `sesrec recommend` has them. */
export async function listsOf(ranker: Ranker, dataset: Dataset, options: ListOptions): Promise<Lists> {
  const { on, length = 10, users = 2000, seed = 1, batchSize = 256, onProgress, signal } = options;
  for (const [what, value] of Object.entries({ length, users, batchSize }))
    if (!Number.isInteger(value) || value < 1) throw new UserError(`${what} is ${value}: give a whole number from 1`);
  const { cases, sample } = chooseCases(dataset, on, users, seed);
  const items: Int32Array[] = [];
  while (items.length < cases.length) {
    if (signal?.aborted)
      throw new InterruptedError(`the lists were stopped after ${items.length} of ${cases.length} users`);
    const batch = cases.slice(items.length, items.length + batchSize);
    const best = await recommendEach(ranker, batch, length, (moment) => metBefore(dataset, moment));
    for (const list of best) items.push(Int32Array.from(list, ({ item }) => item));
    onProgress?.(items.length, cases.length);
  }
  return { ranker: ranker.name, on, cases, sample, length, items };
}

/** All metrics of some lists. `category`: the item attribute of the diversity, which must be one; null for none. */
export function listMetrics({ cases, length, items }: Lists, dataset: Dataset, category: string | null): ListMetrics {
  const events = countTrainingEvents(dataset);
  const bits = selfInformation(events);
  const shown = exposure(items, dataset.items.ids.length - FIRST_INDEX);
  const histories = cases.map((moment) => knownFeed(dataset, moment));
  const column = category === null ? null : categoryOf(dataset, category);
  return {
    users: items.length,
    length,
    coverage: coverage(shown),
    gini: gini(shown),
    novelty: meanOver(items.map((list) => novelty(list, bits))),
    diversity: column && meanOver(items.map((list) => diversity(list, column))),
    popularityLift: popularityLift(items, histories, events),
  };
}

/** An item attribute by its name. One that the items do not have is a `UserError`. */
export function categoryOf({ itemAttributes }: Dataset, name: string): AttributeColumn {
  const column = itemAttributes.get(name);
  if (!column)
    throw new UserError(
      `the items have no attribute ${JSON.stringify(name)} to be their category; they have ${[...itemAttributes.keys()].join(', ') || 'none'}`,
    );
  return column;
}

/** In how many lists each item of a catalogue of so many is: (items), from the first real index on. */
export function exposure(lists: readonly Int32Array[], items: number): Float64Array {
  const shown = new Float64Array(items);
  for (const list of lists) for (const item of list) shown[item - FIRST_INDEX] = at(shown, item - FIRST_INDEX) + 1;
  return shown;
}

/** Share of the catalogue that is in any list. No lists: 0; no catalogue: NaN. */
export function coverage(shown: Float64Array): number {
  return shown.filter((times) => times > 0).length / shown.length;
}

/**
 * Gini index of exposure, with n items in ascending order of how often they are shown: Σ_i (2i - n - 1) x_i / (n Σ_i x_i),
 * i from 1. 0: all items equally often; 1 - 1 / n: one item only. Items that are never shown count. Nothing shown: NaN.
 */
export function gini(shown: Float64Array): number {
  const { length } = shown;
  let [weighted, all] = [0, 0];
  for (const [i, times] of shown.toSorted().entries()) {
    weighted += (2 * (i + 1) - length - 1) * times;
    all += times;
  }
  return weighted / (length * all);
}

/**
 * Mean over a list of -log2 of the item's share of training events, its self-information in bits (Zhou et al., "Solving the
 * apparent diversity-accuracy dilemma of recommender systems", PNAS 2010, with events for users). An item without
 * training events counts as with one. Empty list: null. `bits`: as `selfInformation` has them.
 */
export function novelty(list: Int32Array, bits: Float64Array): number | null {
  return list.length === 0 ? null : list.reduce((sum, item) => sum + at(bits, item), 0) / list.length;
}

/** -log2 of every item's share of training events, in bits: (item indices). */
export function selfInformation(events: Float32Array): Float64Array {
  const all = events.reduce((sum, count) => sum + count, 0);
  return Float64Array.from(events, (count) => -Math.log2(Math.max(1, count) / all));
}

/**
 * Share of the pairs of a list whose values of an attribute differ (intra-list diversity, Ziegler et al., WWW 2005, with the
 * distance 0 or 1). Pairs with an item that has no value are left out. No pair: null.
 */
export function diversity(list: Int32Array, { index }: AttributeColumn): number | null {
  const values = Array.from(list, (item) => at(index, item)).filter((value) => value >= FIRST_INDEX);
  const pairs = values.flatMap((one, i) => values.slice(i + 1).map((other) => one !== other));
  return pairs.length === 0 ? null : pairs.filter(Boolean).length / pairs.length;
}

/**
 * How much more popular recommendations are than what the same people met in the feed: the mean over users of the mean
 * number of training events of their list, over the same of their histories (repeats count), minus 1. 0: as popular; 1:
 * twice as popular (Abdollahpouri et al., "The unfairness of popularity bias in recommendation", RMSE workshop, RecSys
 * 2019). Empty lists and histories are left out; none left: NaN.
 */
export function popularityLift(
  lists: readonly Int32Array[],
  histories: readonly Int32Array[],
  events: Float32Array,
): number {
  const popularity = (items: readonly Int32Array[]): number =>
    meanAndError(
      items
        .filter(({ length }) => length > 0)
        .map((own) => own.reduce((sum, item) => sum + at(events, item), 0) / own.length),
    ).mean;
  return popularity(lists) / popularity(histories) - 1;
}

/** The items of the feed events before a case, without those that training does not know. */
function knownFeed(dataset: Dataset, moment: Case): Int32Array {
  const items = Int32Array.from(recentFeed(dataset, moment), (position) => at(dataset.feedItem, position));
  return items.filter((item) => item >= FIRST_INDEX);
}

/** The mean of what is known, and its interval. Nothing: NaN. */
function meanOver(values: readonly (number | null)[]): ListMean {
  const { mean, error } = meanAndError(values.filter((value) => value !== null));
  return { mean, interval: [mean - 1.96 * error, mean + 1.96 * error] };
}
