/** Small systems of linear equations. Knows matrices, row-major; does not know what they are for. */
import { at } from './arrays.js';

/**
 * The x of `matrix` x = `right` for a symmetric positive definite matrix (n, n), by Cholesky's decomposition; null where a
 * pivot is lost in rounding, that is, where a row follows from those before it.
 */
export function solvePositive(matrix: Float64Array, right: Float64Array): Float64Array | null {
  const { length: size } = right;
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = at(matrix, row * size + column);
      for (let k = 0; k < column; k++) rest -= at(lower, row * size + k) * at(lower, column * size + k);
      if (column < row) lower[row * size + column] = rest / at(lower, column * size + column);
      else if (rest > size * Number.EPSILON * at(matrix, row * size + row)) lower[row * size + row] = Math.sqrt(rest);
      else return null;
    }
  }
  const solution = right.slice();
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) solution[row] = at(solution, row) - at(lower, row * size + k) * at(solution, k);
    solution[row] = at(solution, row) / at(lower, row * size + row);
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++)
      solution[row] = at(solution, row) - at(lower, k * size + row) * at(solution, k);
    solution[row] = at(solution, row) / at(lower, row * size + row);
  }
  return solution;
}
