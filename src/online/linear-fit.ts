/**
 * Scores as a linear function of item vectors, by least squares with a ridge. Knows vectors of about deviation 1; does not know whose scores
 * they are.
 */
import { assert, at, solvePositive } from '../base/index.js';

/** Added to the diagonal, per vector, unless told otherwise. */
const RIDGE = 0.03;

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
    const squares = this.#squares;
    const width = this.#width;
    const columns = width + 1;
    const count = vectors.length / width;
    // four at a time, so that a square is read and written once for them; rows of zeros fill the last four
    const [a, b, c, d] = [0, 1, 2, 3].map(() => new Float64Array(columns)) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    for (let first = 0; first < count; first += 4) {
      for (const [offset, own] of [a, b, c, d].entries()) {
        const [from, isThere] = [(first + offset) * width, first + offset < count];
        for (let i = 0; i < width; i++) own[i] = isThere ? (vectors[from + i] as number) : 0;
        own[width] = isThere ? 1 : 0;
      }
      for (let i = 0; i < columns; i++) {
        const row = i * columns;
        const [p, q, r, s] = [a[i] as number, b[i] as number, c[i] as number, d[i] as number];
        for (let j = 0; j <= i; j++)
          squares[row + j] =
            (squares[row + j] as number) +
            p * (a[j] as number) +
            q * (b[j] as number) +
            r * (c[j] as number) +
            s * (d[j] as number);
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
