/**
 * Vectors in cells around centres, so that the largest products with a vector are found among few of them (an inverted file; Jégou,
 * Douze and Schmid, "Product quantization for nearest neighbor search", 2011, without the quantization). Knows vectors; does not know
 * what they stand for.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Random, at, copyRows, grouped, nthLargest, offsetsOf } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';

const MOST_CELLS = 256;
/** Vectors that the centres are found by, and how often they are moved. */
const [LEARNED_FROM, ROUNDS] = [8192, 6];
/** Vectors that are put into cells before others have their turn. */
const STRETCH = 2048;

export class VectorCells {
  /** (items, width), those of one cell behind one another. */
  readonly #vectors: Float32Array;
  readonly #width: number;
  readonly #centres: Float32Array;
  readonly #offsets: Int32Array;
  /** Item indices, grouped by cell. */
  readonly #items: Int32Array;
  /** Room for the products of one search, and for a copy that is put in disorder. */
  readonly #products: Float32Array;
  readonly #disorder: Float32Array;

  private constructor(vectors: Float32Array, width: number, centres: Float32Array, cellOf: Int32Array) {
    this.#width = width;
    this.#centres = centres;
    this.#offsets = offsetsOf(cellOf, centres.length / width);
    this.#items = grouped(cellOf, this.#offsets);
    this.#vectors = copyRows(vectors, width, this.#items);
    this.#products = new Float32Array(cellOf.length);
    this.#disorder = new Float32Array(cellOf.length);
  }

  /** @param vectors (items, width); those of padding and unknown are never found */
  static async of(vectors: Float32Array, width: number): Promise<VectorCells> {
    const items = vectors.length / width;
    const count = Math.max(1, Math.min(MOST_CELLS, Math.floor(Math.sqrt(items))));
    const random = new Random('centres of cells', items);
    const sample = Int32Array.from(
      { length: Math.min(items - FIRST_INDEX, LEARNED_FROM) },
      () => FIRST_INDEX + random.integer(items - FIRST_INDEX),
    );
    const centres = new Float32Array(count * width);
    for (let cell = 0; cell < count; cell++) {
      const item = at(sample, cell % sample.length);
      centres.set(vectors.subarray(item * width, (item + 1) * width), cell * width);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const sums = new Float64Array(count * width);
      const sizes = new Int32Array(count);
      const halves = halfSquares(centres, width);
      for (const [place, item] of sample.entries()) {
        if (place % STRETCH === 0) await breathe();
        const cell = nearest(vectors.subarray(item * width, (item + 1) * width), centres, halves, width);
        sizes[cell] = at(sizes, cell) + 1;
        for (let i = 0; i < width; i++)
          sums[cell * width + i] = at(sums, cell * width + i) + at(vectors, item * width + i);
      }
      for (let cell = 0; cell < count; cell++)
        if (at(sizes, cell) > 0)
          for (let i = 0; i < width; i++) centres[cell * width + i] = at(sums, cell * width + i) / at(sizes, cell);
    }
    const cellOf = new Int32Array(items);
    const halves = halfSquares(centres, width);
    for (let item = 0; item < items; item++) {
      if (item % STRETCH === 0) await breathe();
      cellOf[item] = nearest(vectors.subarray(item * width, (item + 1) * width), centres, halves, width);
    }
    return new VectorCells(vectors, width, centres, cellOf);
  }

  /**
   * About the `count` items whose vectors have the largest products with a vector, best first, from the cells whose centres have.
   * @param share of all items that are looked at, at least `count` of them
   */
  best(vector: Float32Array, count: number, share: number): number[] {
    const width = this.#width;
    const cells = this.#centres.length / width;
    const liking = Float32Array.from({ length: cells }, (_, cell) => product(this.#centres, cell, vector, width));
    const order = Int32Array.from(liking.keys()).sort((a, b) => at(liking, b) - at(liking, a) || a - b);
    const most = Math.max(count, share * this.#items.length);
    const looked: number[] = []; // cells
    let places = 0;
    for (const cell of order) {
      if (places >= most) break;
      for (let place = at(this.#offsets, cell); place < at(this.#offsets, cell + 1); place++) {
        const isFound = (this.#items[place] as number) >= FIRST_INDEX;
        const own = isFound ? product(this.#vectors, place, vector, width) : -Infinity;
        this.#products[places++] = Number.isNaN(own) ? -Infinity : own;
      }
      looked.push(cell);
    }
    const products = this.#products.subarray(0, places);
    const disorder = this.#disorder.subarray(0, places);
    disorder.set(products);
    const least = count < places ? nthLargest(disorder, count) : -Infinity;
    const found: { readonly item: number; readonly value: number }[] = [];
    places = 0;
    for (const cell of looked)
      for (let place = at(this.#offsets, cell); place < at(this.#offsets, cell + 1); place++) {
        const value = products[places++] as number;
        if (value >= least && value > -Infinity) found.push({ item: this.#items[place] as number, value });
      }
    found.sort((a, b) => b.value - a.value || a.item - b.item);
    return found.slice(0, count).map(({ item }) => item);
  }
}

/** Four sums side by side: a processor does not wait for one to be done. */
function product(vectors: Float32Array, row: number, vector: Float32Array, width: number): number {
  let [one, two, three, four] = [0, 0, 0, 0];
  let [i, place] = [0, row * width];
  for (; i + 4 <= width; i += 4, place += 4) {
    one += (vectors[place] as number) * (vector[i] as number);
    two += (vectors[place + 1] as number) * (vector[i + 1] as number);
    three += (vectors[place + 2] as number) * (vector[i + 2] as number);
    four += (vectors[place + 3] as number) * (vector[i + 3] as number);
  }
  for (; i < width; i++) one += (vectors[place++] as number) * (vector[i] as number);
  return one + two + three + four;
}

/** Half the squares of the lengths of the rows. */
const halfSquares = (rows: Float32Array, width: number): Float64Array =>
  Float64Array.from(
    { length: rows.length / width },
    (_, row) => product(rows, row, rows.subarray(row * width, (row + 1) * width), width) / 2,
  );

/** The centre with the smallest Euclidean distance: that with the largest x c - c c / 2. */
function nearest(vector: Float32Array, centres: Float32Array, halves: Float64Array, width: number): number {
  let [best, most] = [0, -Infinity];
  for (let cell = 0; cell < halves.length; cell++) {
    const own = product(centres, cell, vector, width) - (halves[cell] as number);
    if (own > most) [best, most] = [cell, own];
  }
  return best;
}
