/**
 * Scores as a linear function of item vectors, by least squares with a ridge. Knows vectors of about deviation 1; does not know whose scores
 * they are.
 */
import { assert, at, getOrCreate, solvePositive } from '../base/index.js';
import { RowProducts, sharedRows } from './row-products.js';

/** Added to the diagonal, per vector, unless told otherwise. */
const RIDGE = 0.03;

/** Vectors that are met at once, column by column: a row of a block is a column of them. By the number of columns. */
const BLOCK = 256;
const blocks = new Map<number, RowProducts>();

/** Vectors and what they are scored, as far as a fit needs them. More may come later; copies go their own ways. */
export class LinearFit {
  readonly #width: number;
  /** Xᵀ X (d + 1, d + 1), of which the lower half is kept, and Xᵀ y (d + 1); the constant is the last column. */
  readonly #squares: Float64Array;
  readonly #products: Float64Array;
  #count = 0;

  constructor(width: number, from?: LinearFit) {
    this.#width = width;
    this.#squares = from ? from.#squares.slice() : new Float64Array((width + 1) ** 2);
    this.#products = from ? from.#products.slice() : new Float64Array(width + 1);
    this.#count = from ? from.#count : 0;
  }

  /** Vectors without their scores, (n, d). */
  meet(vectors: Float32Array): this {
    const width = this.#width;
    const columns = width + 1;
    const count = vectors.length / width;
    const block = getOrCreate(
      blocks,
      columns,
      () => new RowProducts(sharedRows(new Float32Array(columns * BLOCK), BLOCK)),
    );
    for (let first = 0; first < count; first += BLOCK) {
      const size = Math.min(BLOCK, count - first);
      for (let column = 0; column < columns; column++) {
        const own = block.row(column);
        for (let k = 0; k < size; k++) own[k] = column < width ? (vectors[(first + k) * width + column] as number) : 1;
        own.fill(0, size);
      }
      for (let column = 0; column < columns; column++) {
        const [products, row] = [block.with(block.row(column), 0, column + 1), column * columns];
        for (let other = 0; other <= column; other++)
          this.#squares[row + other] = at(this.#squares, row + other) + at(products, other);
      }
    }
    this.#count += count;
    return this;
  }

  /** The scores (n) of vectors (n, d) that were met. */
  hear(vectors: Float32Array, scores: Float32Array): this {
    const products = this.#products;
    const width = this.#width;
    for (let row = 0; row < scores.length; row++) {
      const score = at(scores, row);
      const from = row * width;
      for (let i = 0; i < width; i++) products[i] = (products[i] as number) + score * (vectors[from + i] as number);
      products[width] = (products[width] as number) + score;
    }
    return this;
  }

  /** The vector (d) whose products with item vectors come closest to the scores, but for a constant. */
  solve(ridge = RIDGE): Float32Array {
    const columns = this.#width + 1;
    const matrix = this.#squares.slice();
    for (let i = 0; i < columns; i++) matrix[i * columns + i] = at(matrix, i * columns + i) + ridge * this.#count;
    const solution = solvePositive(matrix, this.#products);
    assert(solution, 'the ridge keeps a fit from being lost in rounding');
    return Float32Array.from(solution.subarray(0, this.#width));
  }
}
