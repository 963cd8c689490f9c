import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { at } from '../../src/base/index.js';
import { nonNegativeLeastSquares } from '../../src/evaluate/least-squares.js';

/** A (rows, columns) and b (rows) of small whole numbers: exact in products, and often with dependent columns. */
const problems = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })).chain(([rows, columns]) =>
  fc.record({
    columns: fc.constant(columns),
    matrix: fc.array(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: columns, maxLength: columns }), {
      minLength: rows,
      maxLength: rows,
    }),
    wanted: fc.array(fc.integer({ min: -5, max: 5 }), { minLength: rows, maxLength: rows }),
  }),
);
type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never;

const gramOf = ({ matrix, columns }: Problem): Float64Array =>
  Float64Array.from({ length: columns * columns }, (_, i) =>
    matrix.reduce((sum, row) => sum + at(row, Math.floor(i / columns)) * at(row, i % columns), 0),
  );
const rightOf = ({ matrix, wanted, columns }: Problem): Float64Array =>
  Float64Array.from({ length: columns }, (_, i) => matrix.reduce((sum, row, k) => sum + at(row, i) * at(wanted, k), 0));
const slopesOf = (gram: Float64Array, right: Float64Array, x: Float64Array): number[] =>
  Array.from(right, (value, row) =>
    x.reduce((sum, entry, column) => sum - at(gram, row * x.length + column) * entry, value),
  );

test('x - y = 3 and x + y = 1 without anything below 0: x = 2, y = 0', () => {
  const [gram, right] = [Float64Array.of(2, 0, 0, 2), Float64Array.of(4, -2)];
  const [x, y] = nonNegativeLeastSquares(gram, right);
  assert.ok(Math.abs((x as number) - 2) < 1e-14);
  assert.equal(y, 0);
});

test('no entry is below 0, none that is 0 would help, all others are where they help most', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const [gram, right] = [gramOf(problem), rightOf(problem)];
      const solution = nonNegativeLeastSquares(gram, right);
      for (const [i, slope] of slopesOf(gram, right, solution).entries()) {
        assert.ok(at(solution, i) >= 0);
        assert.ok(slope < 1e-8, `entry ${i} would help by ${slope}`);
        if (at(solution, i) > 0) assert.ok(slope > -1e-8, `entry ${i} is too large by ${slope}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a column that is another one but for the last digits stays out, and does not keep it from an end', () => {
  // columns (2, 0) and (1, 1e-8): the products know nothing of the second row
  assert.deepEqual([...nonNegativeLeastSquares(Float64Array.of(4, 2, 2, 1), Float64Array.of(2, 1 + 1e-8))], [0.5, 0]);
});
