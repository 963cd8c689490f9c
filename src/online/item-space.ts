/**
 * What a score is taken for a linear function of, item by item. Knows the vectors that the model has of items, and items as they look to a few
 * users; does not know how candidates are found.
 *
 * The score that a model gives an item is some function of the item for every user. Near the items that a user likes it is often close to a linear
 * one of the model's own vectors of items. Sometimes it is not, above all in a model that has not learnt much of ids; but these functions have
 * much in common, what makes an item good for everybody first, and that of a user is close to a sum of those of others: an item is
 * then the vector of its scores for pivot users. Which is the case depends on the model, so it is tried.
 */
import { Largest, at } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import type { ServedModel } from './served-model.js';

/** Users whose scores an item is told by. */
const PIVOTS = 32;
/** People whose best items are looked for, and how many of these. */
const [TRIED, BEST] = [12, 10];
/** Found at this share, no other space is tried. */
const ENOUGH = 0.95;

/** Vectors of the items of a run, (items, width), each column of mean 0 and deviation 1; those of padding and unknown are 0. */
export interface ItemSpace {
  readonly vectors: Float32Array;
  readonly width: number;
}

/** Finds candidates in a space, by whatever scores items. */
export type FindIn = (score: (items: Int32Array) => Promise<Float32Array>) => Promise<{ readonly items: Int32Array }>;

/**
 * Of the spaces that are tried the one in which most of the best items of some people are found, with what was made of it.
 * @param prepare makes what finds candidates in a space
 */
export async function bestSpace<Prepared extends { readonly find: FindIn }>(
  model: ServedModel,
  prepare: (space: ItemSpace) => Promise<Prepared>,
): Promise<Prepared> {
  const people = await scoresOf(model, TRIED, 0.5);
  const items = model.toldApart;
  const { vectors, width } = await model.vectors();
  const own = Array.from({ length: width }, (_, column) =>
    Float32Array.from({ length: items }, (__, item) => at(vectors, item * width + column)),
  );
  const first = await tried(people, prepare, spaceOf(own, items));
  if (first.recall >= ENOUGH) return first.prepared;
  const pivots = await scoresOf(model, PIVOTS);
  const both = await tried(people, prepare, spaceOf([...own, ...pivots], items));
  const without = await tried(people, prepare, spaceOf(pivots, items));
  return [first, both, without].reduce((best, next) => (next.recall > best.recall ? next : best)).prepared;
}

/** What some people's scores are of all items of the run, by index. */
async function scoresOf(model: ServedModel, count: number, shift = 0): Promise<Float32Array[]> {
  const columns: Float32Array[] = [];
  for (const history of model.histories(count, shift)) {
    const column = new Float32Array(model.toldApart);
    column.set((await model.scoresFor(history)).subarray(0, column.length - FIRST_INDEX), FIRST_INDEX);
    columns.push(column);
  }
  return columns;
}

/** How many of the best items of some people are found in a space. */
async function tried<Prepared extends { readonly find: FindIn }>(
  people: readonly Float32Array[],
  prepare: (space: ItemSpace) => Promise<Prepared>,
  space: ItemSpace,
): Promise<{ readonly prepared: Prepared; readonly recall: number }> {
  const prepared = await prepare(space);
  const shares: number[] = [];
  for (const scores of people) {
    const largest = new Largest(BEST);
    largest.offer(scores, 0, (item) => item >= FIRST_INDEX);
    const best = largest.sorted();
    const found = await prepared.find(async (items) => Float32Array.from(items, (item) => at(scores, item)));
    const among = new Set(found.items);
    shares.push(best.filter(({ index }) => among.has(index)).length / best.length);
  }
  return { prepared, recall: shares.reduce((sum, share) => sum + share, 0) / shares.length };
}

/** Columns as vectors, each brought to mean 0 and deviation 1. */
function spaceOf(columns: readonly Float32Array[], items: number): ItemSpace {
  const width = columns.length;
  const vectors = new Float32Array(items * width);
  for (const [column, values] of columns.entries()) {
    let [sum, squares] = [0, 0];
    for (let item = FIRST_INDEX; item < items; item++) sum += values[item] as number;
    const mean = sum / (items - FIRST_INDEX);
    for (let item = FIRST_INDEX; item < items; item++) squares += ((values[item] as number) - mean) ** 2;
    const scale = 1 / (Math.sqrt(squares / (items - FIRST_INDEX)) || 1);
    for (let item = FIRST_INDEX; item < items; item++)
      vectors[item * width + column] = ((values[item] as number) - mean) * scale;
  }
  return { vectors, width };
}
