import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, solvePositive } from '../../src/base/index.js';

test('a positive definite system is solved: 4x + 2y = 10, 2x + 3y = 11', () => {
  const solution = solvePositive(Float64Array.of(4, 2, 2, 3), Float64Array.of(10, 11));
  assert.ok(solution);
  assert.ok(Math.abs(at(solution, 0) - 1) < 1e-14);
  assert.ok(Math.abs(at(solution, 1) - 3) < 1e-14);
});

test('one whose rows depend on each other is not', () => {
  assert.equal(solvePositive(Float64Array.of(1, 2, 2, 4), Float64Array.of(1, 2)), null);
  assert.equal(solvePositive(Float64Array.of(0), Float64Array.of(1)), null);
});
