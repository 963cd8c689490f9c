/**
 * Looks for the largest products with a vector in the cells of vector-cells.ts, on whatever thread. Knows vectors and items; does not know what they
 * stand for. Imports nothing that a thread does not need.
 */
import { at, nthLargest } from '../base/index.js';
import { RoundedProducts } from './rounded-rows.js';
import { RowProducts } from './row-products.js';
import type { VectorCells } from './vector-cells.js';

/** Vectors that are looked at, at least: fewer save no time that anybody would notice. */
const LEAST = 4096;

/** Room for what is found, in times what is wanted: when it is full, the largest are kept. */
const ROOM = 4;

/** Looks for items; each thread has one of its own. */
export class CellSearch {
  readonly #cells: VectorCells;
  readonly #vectors: RoundedProducts;
  readonly #centres: RowProducts;
  /** By place: 1 for what is not wanted. */
  readonly #leftOut: Uint8Array;
  #leftOutCount = 0;
  /** Room for the largest products so far and others that came since, for a copy that is put in disorder, and for their items. */
  #values = new Float32Array(0);
  #disorder = new Float32Array(0);
  #found = new Int32Array(0);

  constructor(cells: VectorCells) {
    this.#cells = cells;
    const sizes = cells.offsets.subarray(1).map((end, cell) => end - at(cells.offsets, cell));
    this.#vectors = new RoundedProducts(
      cells.vectors,
      sizes.reduce((most, size) => Math.max(most, size), 0),
    );
    this.#centres = new RowProducts(cells.centres);
    this.#leftOut = new Uint8Array(cells.items.length);
  }

  /** The vectors of items as they are rounded, (items, width). */
  vectorsOf(items: Int32Array): Float32Array {
    const { places, vectors } = this.#cells;
    const width = vectors.steps.length;
    const rows = new Float32Array(items.length * width);
    for (let i = 0; i < items.length; i++) this.#vectors.copyRow(at(places, at(items, i)), rows, i * width);
    return rows;
  }

  /** Items that are not wanted, until told otherwise; those that stand in no cell are passed over. */
  leaveOut(items: Int32Array, isLeftOut = true): void {
    const { places } = this.#cells;
    const mark = isLeftOut ? 1 : 0;
    for (const item of items) {
      const place = places[item];
      if (place === undefined || this.#leftOut[place] === mark) continue;
      this.#leftOut[place] = mark;
      this.#leftOutCount += isLeftOut ? 1 : -1;
    }
  }

  /**
   * The `count` items whose vectors have the largest products with a vector, in no order, of the cells whose centres have.
   * @param share of all items that are looked at, about; at least `LEAST` of them, and twice `count`
   */
  best(vector: Float32Array, count: number, share: number): Int32Array {
    if (count <= 0) return new Int32Array(0);
    const { offsets, items } = this.#cells;
    const cells = offsets.length - 1;
    const liking = this.#centres.with(vector, 0, cells);
    const order = Int32Array.from({ length: cells }, (_, cell) => cell).sort(
      (a, b) => at(liking, b) - at(liking, a) || a - b,
    );
    const most = Math.max(LEAST, 2 * count, share * items.length) + this.#leftOutCount;
    const leftOut = this.#leftOut;
    this.#makeRoom(ROOM * count);
    const [values, found] = [this.#values, this.#found];
    let [size, least, places] = [0, -Infinity, 0];
    const productsOf = this.#vectors.with(vector);
    for (let looked = 0; looked < cells && places < most; looked++) {
      const cell = at(order, looked);
      const [from, to] = [at(offsets, cell), at(offsets, cell + 1)];
      const products = productsOf(from, to);
      for (let place = from; place < to; place++) {
        const product = products[place - from] as number;
        if (product > least && leftOut[place] === 0) {
          values[size] = product;
          found[size++] = items[place] as number;
          if (size === ROOM * count) {
            least = this.#keepLargest(size, count);
            size = count;
          }
        }
      }
      places += to - from;
    }
    if (size > count) this.#keepLargest(size, count);
    return found.slice(0, Math.min(size, count));
  }

  /** Brings the `count` largest of what was found to the front, of equal ones the first, and tells the least of them. */
  #keepLargest(size: number, count: number): number {
    const [values, found] = [this.#values, this.#found];
    this.#disorder.set(values.subarray(0, size));
    const least = nthLargest(this.#disorder.subarray(0, size), count);
    let equal = count;
    for (let i = 0; i < size; i++) if ((values[i] as number) > least) equal--;
    let kept = 0;
    for (let i = 0; i < size; i++) {
      const value = values[i] as number;
      if (value < least || (value === least && equal-- <= 0)) continue;
      values[kept] = value;
      found[kept++] = found[i] as number;
    }
    return least;
  }

  #makeRoom(needed: number): void {
    if (this.#values.length >= needed) return;
    this.#values = new Float32Array(needed);
    this.#disorder = new Float32Array(needed);
    this.#found = new Int32Array(needed);
  }
}
