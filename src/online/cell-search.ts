/**
 * Looks for the largest products with a vector in the cells of vector-cells.ts, on whatever thread. Knows vectors and items; does not know what they
 * stand for. Imports nothing that a thread does not need.
 */
import { at, nthLargest } from '../base/index.js';
import { RowProducts } from './row-products.js';
import type { VectorCells } from './vector-cells.js';

/** Vectors that are looked at, at least: fewer save no time that anybody would notice. */
const LEAST = 4096;

/** Looks for items; each thread has one of its own. */
export class CellSearch {
  readonly #cells: VectorCells;
  readonly #vectors: RowProducts;
  readonly #centres: RowProducts;
  /** By place: 1 for what is not wanted. */
  readonly #leftOut: Uint8Array;
  /** Room for the products of one search, and for a copy that is put in disorder. */
  #products = new Float32Array(0);
  #disorder = new Float32Array(0);

  constructor(cells: VectorCells) {
    this.#cells = cells;
    const sizes = cells.offsets.subarray(1).map((end, cell) => end - at(cells.offsets, cell));
    this.#vectors = new RowProducts(
      cells.vectors,
      sizes.reduce((most, size) => Math.max(most, size), 0),
    );
    this.#centres = new RowProducts(cells.centres);
    this.#leftOut = new Uint8Array(cells.items.length);
  }

  /** Copies of the vectors of items, (items, width). */
  vectorsOf(items: Int32Array): Float32Array {
    const { places, vectors } = this.#cells;
    const rows = new Float32Array(items.length * vectors.width);
    for (let i = 0; i < items.length; i++) rows.set(this.#vectors.row(at(places, at(items, i))), i * vectors.width);
    return rows;
  }

  /** Items that are not wanted, until told otherwise; those that stand in no cell are passed over. */
  leaveOut(items: Int32Array, isLeftOut = true): void {
    const { places } = this.#cells;
    for (const item of items) if (item < places.length) this.#leftOut[at(places, item)] = isLeftOut ? 1 : 0;
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
    const most = Math.max(LEAST, 2 * count, share * items.length);
    const leftOut = this.#leftOut;
    let looked = 0; // cells
    let places = 0;
    let left = 0; // places that may be found
    while (looked < cells && left < most) {
      const [from, to] = this.#stretch(order, looked++);
      this.#makeRoom(places + to - from);
      const [found, products] = [this.#vectors.with(vector, from, to), this.#products];
      for (let place = from; place < to; place++, places++) {
        const product = found[place - from] as number;
        const isFree = leftOut[place] === 0 && !Number.isNaN(product);
        products[places] = isFree ? product : -Infinity;
        if (isFree) left++;
      }
    }
    const values = this.#products.subarray(0, places);
    const disorder = this.#disorder.subarray(0, places);
    disorder.set(values);
    const least = count < left ? nthLargest(disorder, count) : -Infinity;
    const found = new Int32Array(Math.min(count, left));
    let size = 0;
    // those above the least first: of those that are equal to it some may have no room
    for (const isEqual of [false, true]) {
      for (let i = 0, place = 0; i < looked && size < found.length; i++) {
        const [from, to] = this.#stretch(order, i);
        for (let own = from; own < to; own++, place++) {
          const value = values[place] as number;
          if ((isEqual ? value === least : value > least) && size < found.length) found[size++] = items[own] as number;
        }
      }
    }
    return found;
  }

  /** Where the cell at a place of an order begins and ends. */
  #stretch(order: Int32Array, place: number): readonly [number, number] {
    const { offsets } = this.#cells;
    const cell = at(order, place);
    return [at(offsets, cell), at(offsets, cell + 1)];
  }

  #makeRoom(needed: number): void {
    if (this.#products.length >= needed) return;
    const longer = new Float32Array(2 * needed);
    longer.set(this.#products);
    this.#products = longer;
    this.#disorder = new Float32Array(2 * needed);
  }
}
