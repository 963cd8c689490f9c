/** Items like an item, by the vectors that the ranker scores by. Knows cosines; does not know users. */
import { setImmediate as breathe } from 'node:timers/promises';
import { Largest, at } from '../base/index.js';
import { FIRST_INDEX, UNKNOWN } from '../data/index.js';
import type { Popularity } from './popularity.js';
import type { SimilarAnswer } from './questions.js';
import type { ServedModel } from './served-model.js';

/** So many items are compared before others have their turn. */
const STRETCH = 20_000;

/** Null for an item that nothing is known of. Items that came since and that the model cannot tell apart are left out. */
export async function similarItems(
  model: ServedModel,
  popularity: Popularity,
  item: string,
  k: number,
): Promise<SimilarAnswer | null> {
  const { items } = model;
  const own = items.index(item);
  if (own === UNKNOWN) return null;
  const isSeen = own < items.firstNew || model.seesAttributes;
  const best = isSeen
    ? await nearest(model, own, k)
    : largestOf(popularity.counts(), k, (other) => other !== own && other >= FIRST_INDEX);
  return {
    item,
    model: model.name,
    source: isSeen ? 'vectors' : 'popular',
    items: best.map(({ index, value }, place) => ({ item: items.id(index), rank: place + 1, score: value })),
  };
}

function largestOf(
  scores: Float32Array,
  k: number,
  allows: (index: number) => boolean,
): { readonly index: number; readonly value: number }[] {
  const largest = new Largest(k);
  largest.offer(scores, 0, allows);
  return largest.sorted();
}

async function nearest(
  model: ServedModel,
  own: number,
  k: number,
): Promise<{ readonly index: number; readonly value: number }[]> {
  const { vectors, width } = await model.vectors();
  const known = model.seesAttributes ? vectors.length / width : model.items.firstNew;
  const target = vectors.slice(own * width, (own + 1) * width);
  const length = Math.hypot(...target);
  const largest = new Largest(k);
  for (let start = FIRST_INDEX; start < known; start += STRETCH) {
    if (start > FIRST_INDEX) await breathe();
    const end = Math.min(known, start + STRETCH);
    const cosines = new Float32Array(end - start);
    for (let item = start; item < end; item++) {
      let [product, square] = [0, 0];
      for (let i = 0; i < width; i++) {
        const value = at(vectors, item * width + i);
        product += value * at(target, i);
        square += value * value;
      }
      cosines[item - start] = product / (length * Math.sqrt(square) || 1);
    }
    largest.offer(cosines, start, (item) => item !== own);
  }
  return largest.sorted();
}
