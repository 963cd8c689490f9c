/** Arithmetic of single vectors. Knows numbers; does not know what they stand for. */
import { at } from '../base/index.js';

/** A row of a table (…, width), without copying. */
export const rowOf = (table: Float32Array, row: number, width: number): Float32Array =>
  table.subarray(row * width, (row + 1) * width);

/** W^T x for W (d,d), row-major. */
export function mapped(x: ArrayLike<number>, matrix: Float32Array): Float64Array {
  const result = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++)
    for (let j = 0; j < x.length; j++) result[j] = at(result, j) + at(x, i) * at(matrix, i * x.length + j);
  return result;
}

/** x^T y. */
export function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += at(x, i) * at(y, i);
  return sum;
}

/** The cosine of two vectors, 0 where one is all zero. */
export function cosine(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const lengths = Math.sqrt(dot(x, x) * dot(y, y));
  return lengths === 0 ? 0 : dot(x, y) / lengths;
}
