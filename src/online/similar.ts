/** Items like an item, by the vectors that the ranker scores by. Knows cosines; does not know users. */
import { Largest } from '../base/index.js';
import { FIRST_INDEX, UNKNOWN } from '../data/index.js';
import { type Neighbour, nearest } from './near.js';
import type { Popularity } from './popularity.js';
import type { SimilarAnswer } from './questions.js';
import type { ServedModel } from './served-model.js';

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
    ? await itemsNear(model, own, k)
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

/** The items nearest to one by the vectors that they are scored by. */
export async function itemsNear(
  model: ServedModel,
  own: number,
  count: number,
  signal?: AbortSignal,
): Promise<Neighbour[]> {
  const { vectors, width } = await model.vectors();
  const end = model.seesAttributes ? vectors.length / width : model.items.firstNew;
  const target = vectors.slice(own * width, (own + 1) * width);
  return nearest(target, vectors, { width, count, end, allows: (item) => item !== own }, signal);
}
