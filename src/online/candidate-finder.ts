/**
 * Finds the candidates that a ranker likes best, by asking for scores of ever better ones. Runs where the ranker does (lane-search.ts), one of it on
 * every thread. Knows vectors of items and scores; does not know who is asked about, nor what else names candidates.
 *
 * A user's scores of a fixed sample are fitted by a linear function of the item vectors; the items that it likes best are scored, with those that
 * were named by others; all scores so far are fitted again, and the items that this fit likes best are the rest. A linear function is a
 * poor model of a ranker over a whole catalogue, and a good one near the top, which the second fit is about.
 */
import { at, concatenated } from '../base/index.js';
import type { ScoreItems } from '../model/index.js';
import { CellSearch } from './cell-search.js';
import { LinearFit } from './linear-fit.js';
import type { VectorCells } from './vector-cells.js';

/** The share of the catalogue whose vectors are looked at, for the first fit and for the second. */
const LOOKED_AT = [0.02, 0.04] as const;

/** Scores of the first round that the second fit is made on, with those of the sample; at most. */
const FITTED = 768;

/** What a finder is given once. */
export interface FinderParts {
  readonly cells: VectorCells;
  /** Items that everybody's first fit is made on. */
  readonly sample: Int32Array;
  /** Candidates that are scored with the first fit known, and with the second. */
  readonly rounds: readonly [number, number];
}

/** What it is asked. Items are named once, none of the sample, and at most as many as the first round has room for. */
export interface FinderQuestion {
  readonly named: Int32Array;
}

/** Candidates, each once, in ascending order, as the ranker scores them. */
export interface FoundCandidates {
  readonly items: Int32Array;
  readonly scores: Float32Array;
}

export function open({
  cells,
  sample,
  rounds: [first, second],
}: FinderParts): (question: FinderQuestion, score: ScoreItems) => Promise<FoundCandidates> {
  const search = new CellSearch(cells);
  const width = cells.vectors.steps.length;
  const known = cells.places.length;
  const sampled = search.vectorsOf(sample);
  const base = new LinearFit(width).meet(sampled);
  return async ({ named }, score) => {
    const lists: FoundCandidates[] = [];
    const take = async (items: Int32Array): Promise<Float32Array> => {
      search.leaveOut(items);
      const scores = items.length > 0 ? await score(items) : new Float32Array(0);
      lists.push({ items, scores });
      return scores;
    };
    try {
      const fit = new LinearFit(width, base).hear(sampled, await take(sample));
      search.leaveOut(named);
      const liked = search.best(fit.solve(), first - named.length, LOOKED_AT[0]);
      // those that came since the run have no vector here: they stand first, beyond what is fitted
      const items = concatenated([named.toSorted().toReversed(), liked]);
      const scores = await take(items);
      const from = named.findLastIndex((item) => item >= known) + 1;
      const to = Math.min(items.length, from + FITTED);
      const vectors = search.vectorsOf(items.subarray(from, to));
      await take(search.best(fit.meet(vectors).hear(vectors, scores.subarray(from, to)).solve(), second, LOOKED_AT[1]));
    } finally {
      for (const { items } of lists) search.leaveOut(items, false);
      search.leaveOut(named, false);
    }
    return inOrder(lists);
  };
}

/** Larger than there may be candidates: an item and a place below it make one number. */
const PLACES = 2 ** 20;

/** Lists as one, by ascending item. */
function inOrder(lists: readonly FoundCandidates[]): FoundCandidates {
  const items = concatenated(lists.map((list) => list.items));
  const scores = new Float32Array(items.length);
  let place = 0;
  for (const list of lists) {
    scores.set(list.scores, place);
    place += list.items.length;
  }
  const order = new Float64Array(items.length);
  for (let own = 0; own < items.length; own++) order[own] = at(items, own) * PLACES + own;
  order.sort();
  const sorted = new Float32Array(items.length);
  for (let own = 0; own < items.length; own++) {
    const key = at(order, own);
    items[own] = Math.floor(key / PLACES);
    sorted[own] = at(scores, key % PLACES);
  }
  return { items, scores: sorted };
}
