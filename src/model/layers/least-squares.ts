/**
 * Least squares with few instruments, many at a time and in closed form. Knows small symmetric systems; does not know what is
 * fitted to what.
 *
 * Shapes: I systems, N instruments, d width.
 */
import { type Tensor, ops } from '../../tensor/index.js';

const { add, div, matmul, mul, reshape, sub } = ops;

export interface RidgeOptions {
  /** What is added to the diagonal of Z Z^T, in units of the mean of that diagonal. */
  readonly ridge: number;
  /** Take the inverse for a constant when differentiating: instruments that are nearly alike make its gradient huge. */
  readonly detachProjector: boolean;
}

/** Instruments that are smaller than 1e-6 explain nothing: without it, zeros would be divided by zero. */
const LEAST = 1e-12;

/**
 * What a linear combination of the instruments tells of each target, by ridge regression: Z^T (Z Z^T + e I)^-1 Z t with
 * e = ridge trace(Z Z^T) / N. Absent instruments are zeros and have no share in it; a target without any gets zeros.
 * instruments Z: (I,N,d), targets t: (I,d). Result (I,d).
 */
export function ridgeFit(instruments: Tensor, targets: Tensor, { ridge, detachProjector }: RidgeOptions): Tensor {
  const [systems, count, width] = instruments.shape as [number, number, number];
  const products = matmul(instruments, instruments, { transposeB: true });
  const trace = ops.sum(mul(products, identity(count)), [1, 2]);
  const matrix = add(products, mul(add(mul(trace, ridge / count), LEAST), identity(count)));
  const right = matmul(instruments, reshape(targets, [systems, width, 1]));
  const theta = solution(matrix, right, detachProjector);
  return reshape(matmul(instruments, theta, { transposeA: true }), [systems, width]);
}

/**
 * x with A x = b, A symmetric and positive definite. The gradient by b is A^-1 g and that by A is -(A^-1 g) x^T, so that
 * nothing of the elimination is differentiated, and leaving the second out is all it takes to hold A^-1 constant.
 */
function solution(matrix: Tensor, right: Tensor, isConstant: boolean): Tensor {
  const found = eliminated(matrix, right);
  const sources = isConstant ? [right] : [right, matrix];
  return ops.withGradient(found, sources, (upstream) => {
    const byRight = eliminated(matrix, upstream);
    return isConstant ? [byRight] : [byRight, ops.neg(matmul(byRight, found, { transposeB: true }))];
  });
}

/** Gauss and Jordan's elimination; a positive definite matrix needs no exchange of rows. matrix: (I,N,N), right: (I,N,1). */
function eliminated(matrix: Tensor, right: Tensor): Tensor {
  const count = matrix.shape[1] as number;
  if (count === 1) return div(right, matrix);
  let system = ops.concat([matrix, right], 2); // (I,N,N+1)
  for (let at = 0; at < count; at++) {
    const row = ops.slice(system, 1, at, at + 1);
    const pivot = ops.slice(row, 2, at, at + 1);
    const isOther = Array.from({ length: count }, (_, other) => (other === at ? 0 : 1));
    const factors = mul(div(ops.slice(system, 2, at, at + 1), pivot), ops.constant(isOther, [1, count, 1]));
    system = sub(system, mul(factors, row));
  }
  const diagonal = ops.sum(mul(ops.slice(system, 2, 0, count), identity(count)), [2]);
  return div(ops.slice(system, 2, count, count + 1), diagonal);
}

/** (1,N,N). */
function identity(count: number): Tensor {
  const entries = Array.from({ length: count ** 2 }, (_, at) => (at % (count + 1) === 0 ? 1 : 0));
  return ops.constant(entries, [1, count, count]);
}
