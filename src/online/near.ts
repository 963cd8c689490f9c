/**
 * What lies near an item or a query: in the space where a model draws queries and items together, or by the vectors that items are scored
 * by. Knows cosines; does not know attributes or counts.
 *
 * The alignment loss trains q^T W_A i, so that a query is compared with items by its image W_A^T q, and with other queries as it is.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Largest, at } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import type { AlignedVectors } from '../model/index.js';

/** So many vectors are compared before others have their turn. */
const STRETCH = 20_000;

export interface Neighbour {
  readonly index: number;
  /** Cosine. */
  readonly value: number;
}

/** The rows of a table (…, width) nearest to a vector, the nearest first. */
export async function nearest(
  target: ArrayLike<number>,
  table: Float32Array,
  {
    width,
    count,
    end,
    allows,
  }: {
    readonly width: number;
    readonly count: number;
    /** Rows from the first real index on, below this one. */
    readonly end: number;
    readonly allows: (index: number) => boolean;
  },
  signal?: AbortSignal,
): Promise<Neighbour[]> {
  const length = Math.hypot(...Array.from(target));
  const largest = new Largest(count);
  for (let start = FIRST_INDEX; start < end; start += STRETCH) {
    if (start > FIRST_INDEX) await breathe();
    signal?.throwIfAborted();
    const stop = Math.min(end, start + STRETCH);
    const cosines = new Float32Array(stop - start);
    for (let row = start; row < stop; row++) {
      let [product, square] = [0, 0];
      for (let i = 0; i < width; i++) {
        const value = at(table, row * width + i);
        product += value * at(target, i);
        square += value * value;
      }
      cosines[row - start] = product / (length * Math.sqrt(square) || 1);
    }
    largest.offer(cosines, start, allows);
  }
  return largest.sorted();
}

/** The image of a query among items, W_A^T q; the query itself where there is no W_A. */
export function amongItems({ width, bilinear }: AlignedVectors, query: Float32Array): Float32Array {
  if (!bilinear) return query;
  return image(width, (i, j) => at(bilinear, i * width + j), query);
}

/** The image of an item among queries, W_A i. */
export function amongQueries({ width, bilinear }: AlignedVectors, item: Float32Array): Float32Array {
  if (!bilinear) return item;
  return image(width, (i, j) => at(bilinear, j * width + i), item);
}

/** y_j = Σ_i weight(i, j) x_i */
function image(width: number, weight: (i: number, j: number) => number, x: Float32Array): Float32Array {
  return Float32Array.from({ length: width }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += weight(i, j) * at(x, i);
    return sum;
  });
}
