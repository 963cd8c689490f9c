/**
 * Two rankers that learn nothing about a user: by popularity and at random. Knows how often items occur; does not know
 * histories. They are the lines that every model must clear.
 */
import { at, Random } from '../../base/index.js';
import { FIRST_INDEX, type Dataset } from '../../data/index.js';
import type { Case, Ranker } from '../ranking/recommender.js';

export interface PopularityOptions {
  /**
   * Count the held-out events too. LEAKY: every target then counts itself. Some published popularity rows do this; it
   * serves to compare a candidate protocol with theirs, never as a baseline.
   */
  readonly countHeldOut?: boolean;
}

/**
 * Scores an item by its number of feed events in training, that is, before each user's held-out events or before the
 * cut; the same for every case. Ties are left as ties. An item without events scores 0.
 */
export function popularityRanker(dataset: Dataset, { countHeldOut = false }: PopularityOptions = {}): Ranker {
  const counts = countEvents(dataset, countHeldOut);
  return {
    name: countHeldOut ? 'popularity, counted on held-out events too (leaky)' : 'popularity',
    score: async (_cases, candidates) => Float32Array.from(candidates, (item) => at(counts, item)),
    scoreAll: async (cases, consume, references) =>
      cases.forEach((_, position) =>
        consume({
          position,
          firstItem: 0,
          scores: counts,
          reference: references ? at(counts, at(references, position)) : null,
        }),
      ),
  };
}

/** The number of feed events in training of every item index. */
export function countTrainingEvents(dataset: Dataset): Float32Array {
  return countEvents(dataset, false);
}

function countEvents(dataset: Dataset, countHeldOut: boolean): Float32Array {
  const counts = new Float32Array(dataset.items.ids.length);
  for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
    const end = countHeldOut ? at(dataset.feedOffsets, user + 1) : at(dataset.heldOutStart, user);
    for (let i = at(dataset.feedOffsets, user); i < end; i++) {
      const item = at(dataset.feedItem, i);
      counts[item] = at(counts, item) + 1;
    }
  }
  return counts;
}

/** Scores an item by a hash of (seed, user, item): uniform in [0, 1), the same in whatever batch or order it is asked. */
export function randomRanker(dataset: Dataset, seed: number): Ranker {
  const items = dataset.items.ids.length;
  const keyOf = ({ user }: Case): number => new Random(seed, 'random-ranker', user).uint32();
  return {
    name: 'random',
    score: async (cases, candidates, perCase) => {
      const keys = cases.map(keyOf);
      return Float32Array.from(candidates, (item, i) => uniformOf(at(keys, Math.floor(i / perCase)), item));
    },
    scoreAll: async (cases, consume, references) => {
      const scores = new Float32Array(items);
      for (const [position, moment] of cases.entries()) {
        const key = keyOf(moment);
        for (let item = 0; item < items; item++) scores[item] = uniformOf(key, item);
        const reference = references ? at(scores, at(references, position)) : null;
        consume({ position, firstItem: 0, scores, reference });
      }
    },
  };
}

/** One step of splitmix32 from a user's key and an item; 24 bits, so that float32 keeps them all. */
function uniformOf(key: number, item: number): number {
  let mixed = (key + Math.imul(item, 0x9e3779b9)) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return ((mixed ^ (mixed >>> 15)) >>> 8) / 2 ** 24;
}
