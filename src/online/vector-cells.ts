/**
 * Vectors in cells around centres, so that the largest products with a vector are found among few of them, by cell-search.ts (an inverted file; Jégou,
 * Douze and Schmid, "Product quantization for nearest neighbor search", 2011, with each number rounded by itself). Knows vectors; does not know
 * what they stand for.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Random, at, grouped, offsetsOf } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import { type RoundedRows, roundedRows } from './rounded-rows.js';
import { RowProducts, type SharedRows, sharedRows } from './row-products.js';

const MOST_CELLS = 256;
/** Vectors that the centres are found by, and how often they are moved. */
const [LEARNED_FROM, ROUNDS] = [8192, 6];
/** Vectors that are put into cells before others have their turn. */
const STRETCH = 2048;

/** Vectors in order of their cells, on memory that threads share. */
export interface VectorCells {
  readonly vectors: RoundedRows;
  readonly centres: SharedRows;
  /** (cells + 1): where cells begin. */
  readonly offsets: Int32Array;
  /** Item indices, grouped by cell; those of padding and unknown are not among them. */
  readonly items: Int32Array;
  /** (items): where an item stands. */
  readonly places: Int32Array;
}

/**
 * Puts vectors into cells, with breaks in which others have their turn.
 * @param vectors (items, width); those of padding and unknown stand in no cell
 */
export async function vectorCells(vectors: Float32Array, width: number): Promise<VectorCells> {
  const count = vectors.length / width;
  const cells = Math.max(1, Math.min(MOST_CELLS, Math.floor(Math.sqrt(count))));
  const random = new Random('centres of cells', count);
  const sample = Int32Array.from(
    { length: Math.min(count - FIRST_INDEX, LEARNED_FROM) },
    () => FIRST_INDEX + random.integer(count - FIRST_INDEX),
  );
  const centres = new Float32Array(cells * width);
  for (let cell = 0; cell < cells; cell++) {
    const item = at(sample, cell % sample.length);
    centres.set(vectors.subarray(item * width, (item + 1) * width), cell * width);
  }
  for (let round = 0; round < ROUNDS; round++) {
    const sums = new Float64Array(cells * width);
    const sizes = new Int32Array(cells);
    const nearest = nearestTo(centres, width);
    for (const [place, item] of sample.entries()) {
      if (place % STRETCH === 0) await breathe();
      const cell = nearest(vectors.subarray(item * width, (item + 1) * width));
      sizes[cell] = at(sizes, cell) + 1;
      for (let i = 0; i < width; i++)
        sums[cell * width + i] = at(sums, cell * width + i) + at(vectors, item * width + i);
    }
    for (let cell = 0; cell < cells; cell++)
      if (at(sizes, cell) > 0)
        for (let i = 0; i < width; i++) centres[cell * width + i] = at(sums, cell * width + i) / at(sizes, cell);
  }
  const cellOf = new Int32Array(count - FIRST_INDEX);
  const nearest = nearestTo(centres, width);
  for (let item = FIRST_INDEX; item < count; item++) {
    if (item % STRETCH === 0) await breathe();
    cellOf[item - FIRST_INDEX] = nearest(vectors.subarray(item * width, (item + 1) * width));
  }
  const offsets = shared(offsetsOf(cellOf, cells));
  const items = shared(grouped(cellOf, offsets).map((entry) => FIRST_INDEX + entry));
  const places = shared(new Int32Array(count));
  items.forEach((item, place) => (places[item] = place));
  return { vectors: roundedRows(vectors, width, items), centres: sharedRows(centres, width), offsets, items, places };
}

/** A copy on memory that threads share. */
function shared(values: Int32Array): Int32Array {
  const copy = new Int32Array(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}

/** Half the squares of the lengths of the rows. */
function halfSquares(rows: Float32Array, width: number): Float64Array {
  const halves = new Float64Array(rows.length / width);
  rows.forEach((value, place) => {
    const row = Math.floor(place / width);
    halves[row] = at(halves, row) + (value * value) / 2;
  });
  return halves;
}

/** Finds the centre with the smallest Euclidean distance: that with the largest x c - c c / 2. */
function nearestTo(centres: Float32Array, width: number): (vector: Float32Array) => number {
  const halves = halfSquares(centres, width);
  const rows = new RowProducts(sharedRows(centres, width));
  return (vector) => {
    const products = rows.with(vector, 0, halves.length);
    let [best, most] = [0, -Infinity];
    for (let cell = 0; cell < halves.length; cell++) {
      const own = (products[cell] as number) - (halves[cell] as number);
      if (own > most) [best, most] = [cell, own];
    }
    return best;
  };
}
