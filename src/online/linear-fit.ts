/** Scores as a linear function of item vectors. Knows least squares; does not know whose scores they are. */
import { at } from '../base/index.js';

/** Added to the diagonal, per item of the sample. */
const RIDGE = 1e-3;

/** Fits what is scored for one sample again and again: the solution is a matrix, worked out once. */
export class LinearFit {
  readonly #width: number;
  readonly #sample: number;
  /** (d + 1, sample): coefficients from scores, the constant last. */
  readonly #solution: Float64Array;

  /** @param vectors (items, width) */
  constructor(vectors: Float32Array, width: number, sample: Int32Array) {
    const columns = width + 1;
    this.#width = width;
    this.#sample = sample.length;
    const rows = Array.from(sample, (item) =>
      Float64Array.from({ length: columns }, (_, i) => (i < width ? at(vectors, item * width + i) : 1)),
    );
    // [XᵀX + λ | Xᵀ] is brought to [1 | solution] by Gauss and Jordan; the ridge keeps pivots away from zero
    const matrix = Array.from({ length: columns }, (_, i) => {
      const line = new Float64Array(columns + sample.length);
      for (let j = 0; j < columns; j++) line[j] = rows.reduce((sum, row) => sum + at(row, i) * at(row, j), 0);
      line[i] = at(line, i) + RIDGE * sample.length;
      rows.forEach((row, place) => (line[columns + place] = at(row, i)));
      return line;
    });
    for (let pivot = 0; pivot < columns; pivot++) {
      const own = matrix[pivot] as Float64Array;
      const scale = 1 / at(own, pivot);
      for (let i = 0; i < own.length; i++) own[i] = at(own, i) * scale;
      for (const [line, other] of matrix.entries()) {
        const factor = at(other, pivot);
        if (line === pivot || factor === 0) continue;
        for (let i = 0; i < other.length; i++) other[i] = at(other, i) - factor * at(own, i);
      }
    }
    this.#solution = new Float64Array(columns * sample.length);
    matrix.forEach((line, i) => this.#solution.set(line.subarray(columns), i * sample.length));
  }

  /** The vector (d) whose products with item vectors come closest to the scores, but for a constant. scores: (sample). */
  of(scores: Float32Array): Float32Array {
    return Float32Array.from({ length: this.#width }, (_, i) => {
      let sum = 0;
      for (let place = 0; place < this.#sample; place++)
        sum += at(this.#solution, i * this.#sample + place) * at(scores, place);
      return sum;
    });
  }
}
