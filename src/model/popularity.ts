/**
 * Two rankers that learn nothing about a user: by popularity and at random. Knows how often items occur; does not know
 * histories. They are the lines that every model must clear.
 */
import { at, Random } from '../base/index.js';
import { FIRST_INDEX, type Dataset } from '../data/index.js';
import type { Case, Ranker } from './recommender.js';

export interface PopularityOptions {
  /**
   * Count the held-out events too. LEAKY: every target then counts itself. Some published popularity rows do this; it
   * serves to compare a candidate protocol with theirs, never as a baseline.
   */
  readonly countHeldOut?: boolean;
}

/**
 * Scores an item by its number of feed events in training, that is, before each user's held-out events; the same for
 * every case. Ties are left as ties. An item without events scores 0.
 */
export function popularityRanker(dataset: Dataset, { countHeldOut = false }: PopularityOptions = {}): Ranker {
  const counts = new Float32Array(dataset.items.ids.length);
  for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
    const end = countHeldOut ? at(dataset.feedOffsets, user + 1) : at(dataset.heldOutStart, user);
    for (let i = at(dataset.feedOffsets, user); i < end; i++) {
      const item = at(dataset.feedItem, i);
      counts[item] = at(counts, item) + 1;
    }
  }
  return rankerOf(countHeldOut ? 'popularity, counted on held-out events too (leaky)' : 'popularity', counts.length, () => (item) => at(counts, item));
}

/** Scores an item by a hash of (seed, user, item): uniform in [0, 1), the same in whatever batch or order it is asked. */
export function randomRanker(dataset: Dataset, seed: number): Ranker {
  return rankerOf('random', dataset.items.ids.length, ({ user }) => {
    const key = new Random(seed, 'random-ranker', user).uint32();
    return (item) => {
      // One step of splitmix32 from the user's key and the item; 24 bits, so that float32 keeps them all.
      let mixed = (key + Math.imul(item, 0x9e3779b9)) | 0;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return ((mixed ^ (mixed >>> 15)) >>> 8) / 2 ** 24;
    };
  });
}

/** A ranker from a function that, for a case, scores one item at a time. */
function rankerOf(name: string, items: number, scorer: (moment: Case) => (item: number) => number): Ranker {
  const table = (cases: readonly Case[], perCase: number, itemAt: (row: number, column: number) => number): Float32Array => {
    const scores = new Float32Array(cases.length * perCase);
    for (const [row, moment] of cases.entries()) {
      const score = scorer(moment);
      for (let column = 0; column < perCase; column++) scores[row * perCase + column] = score(itemAt(row, column));
    }
    return scores;
  };
  return {
    name,
    score: async (cases, candidates, perCase) => table(cases, perCase, (row, column) => at(candidates, row * perCase + column)),
    scoreAll: async (cases) => table(cases, items, (_, item) => item),
  };
}
