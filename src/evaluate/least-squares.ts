/**
 * Small least-squares problems, given by their normal equations. Knows matrices, row-major; does not know what is fitted.
 */
import { assert, at, solvePositive } from '../base/index.js';

/**
 * The x ≥ 0 that minimises xᵀ `gram` x - 2 `right`ᵀ x, for gram = AᵀA and right = Aᵀb that with the least |Ax - b|, by active
 * sets: an entry whose growth would help most becomes free, all free ones are solved for, and those that would fall below
 * 0 stay there. Source: Lawson and Hanson, "Solving least squares problems", 1974, chapter 23; on normal equations, Bro and
 * de Jong, "A fast non-negativity-constrained least squares algorithm", Journal of Chemometrics 11, 1997.
 */
export function nonNegativeLeastSquares(gram: Float64Array, right: Float64Array): Float64Array {
  const { length: size } = right;
  const tolerance = 1e-12 * Math.max(...right.map(Math.abs));
  const solution = new Float64Array(size);
  let free: number[] = [];
  const refused = new Set<number>(); // entries that would not grow after all, which only rounding can bring about
  for (;;) {
    const helps = slopes(gram, right, solution);
    let best = -1;
    for (let i = 0; i < size; i++)
      if (!free.includes(i) && !refused.has(i) && at(helps, i) > (best < 0 ? tolerance : at(helps, best))) best = i;
    if (best < 0) return solution;
    const goal = solveFor(gram, right, [...free, best]);
    if (goal !== null && at(goal, free.length) > 0) free = settle(gram, right, solution, [...free, best]);
    if (free.includes(best)) refused.clear();
    else refused.add(best);
  }
}

/** By how much the objective falls, halved, when an entry grows: right - gram x. */
function slopes(gram: Float64Array, right: Float64Array, solution: Float64Array): Float64Array {
  return right.map((value, row) => {
    let rest = value;
    for (let column = 0; column < right.length; column++)
      rest -= at(gram, row * right.length + column) * at(solution, column);
    return rest;
  });
}

/** Moves the free entries to their best, without any that would have to be below 0. Those that are still free. */
function settle(gram: Float64Array, right: Float64Array, solution: Float64Array, asked: readonly number[]): number[] {
  let free = [...asked];
  for (;;) {
    const goal = solveFor(gram, right, free);
    assert(goal !== null, 'entries that were free to move depend on each other');
    if (goal.every((value) => value > 0)) {
      solution.fill(0);
      free.forEach((i, k) => (solution[i] = at(goal, k)));
      return free;
    }
    // as far towards the goal as all stay at or above 0
    const shares = free.map((i, k) => (at(goal, k) > 0 ? Infinity : at(solution, i) / (at(solution, i) - at(goal, k))));
    const share = Math.min(...shares);
    free.forEach((i, k) => (solution[i] = at(solution, i) + share * (at(goal, k) - at(solution, i))));
    const stopped = free.filter((_, k) => shares[k] === share);
    for (const i of stopped) solution[i] = 0;
    free = free.filter((i) => !stopped.includes(i));
  }
}

function solveFor(gram: Float64Array, right: Float64Array, free: readonly number[]): Float64Array | null {
  const part = Float64Array.from(free.flatMap((row) => free.map((column) => at(gram, row * right.length + column))));
  return solvePositive(
    part,
    Float64Array.from(free, (i) => at(right, i)),
  );
}
