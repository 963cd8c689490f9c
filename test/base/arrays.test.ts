import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Largest, getOrCreate, isFiniteEverywhere, nthLargest, range, roundUp } from '../../src/base/index.js';

describe('arrays', () => {
  test('one value that is not finite is found wherever it stands, the largest values are not taken for one', () => {
    for (let length = 0; length < 12; length++) {
      const largest = new Float32Array(length).fill(3.4028234663852886e38);
      assert.ok(isFiniteEverywhere(largest));
      for (let position = 0; position < length; position++) {
        for (const value of [Number.NaN, Infinity, -Infinity]) {
          const values = largest.slice();
          values[position] = value;
          assert.ok(!isFiniteEverywhere(values), `${value} at ${position} of ${length}`);
        }
      }
    }
    assert.ok(!isFiniteEverywhere(Float32Array.of(0, Infinity, 0, 0, 0, -Infinity)), 'infinities do not cancel');
  });

  test('the n-th largest is that of a full sort, ties and infinities among them', () => {
    const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.float({ noNaN: true }));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), fc.nat(59), (values, place) => {
        const n = 1 + (place % values.length);
        const sorted = Float32Array.from(values).sort().toReversed();
        assert.equal(nthLargest(Float32Array.from(values), n) + 0, (sorted[n - 1] as number) + 0);
      }),
    );
  });

  test('the largest values are those of a full sort, however they come: best first, ties by index, NaN never', () => {
    const value = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.double(),
      fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, -0),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), fc.nat(45), fc.nat(40), fc.nat(6), (values, count, cut, left) => {
        const sorted = values
          .map((_, i) => i)
          .filter((i) => !Number.isNaN(values[i]) && i !== left)
          .sort((i, j) => {
            const [a, b] = [values[i] as number, values[j] as number];
            return a === b ? i - j : b > a ? 1 : -1;
          });
        const largest = new Largest(count);
        largest.offer(values.slice(cut), cut, (i) => i !== left);
        largest.offer(values.slice(0, cut), 0, (i) => i !== left);
        assert.deepEqual(
          largest.sorted(),
          sorted.slice(0, count).map((index) => ({ index, value: values[index] })),
        );
      }),
      { numRuns: 500 },
    );
  });

  test('a range counts from 0, and sizes round up to a step', () => {
    assert.deepEqual([...range(3)], [0, 1, 2]);
    assert.deepEqual(
      [0, 1, 16, 17, 32].map((size) => roundUp(size, 16)),
      [16, 16, 16, 32, 32],
    );
  });

  test('a value is made at its first use only', () => {
    const map = new Map<string, number[]>();
    const first = getOrCreate(map, 'a', () => [1]);
    assert.equal(
      getOrCreate(map, 'a', () => [2]),
      first,
    );
    assert.deepEqual(
      getOrCreate(map, 'b', () => [2]),
      [2],
    );
  });
});
