import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, UserError } from '../../src/base/index.js';
import { type RowGradient, type Slot, createOptimizer, sumByRow } from '../../src/train/index.js';

const RATE = 0.01;
const ROWS = 6;
const WIDTH = 3;
const random = (name: string, size: number, scale = 1): Float32Array => {
  const stream = new Random('optimizer test', name);
  return Float32Array.from({ length: size }, () => scale * stream.normal());
};
const freshSlot = (): Slot => ({
  values: random('values', ROWS * WIDTH),
  first: new Float32Array(ROWS * WIDTH),
  second: new Float32Array(ROWS * WIDTH),
});
/** The gradient of some rows at a step. */
const rowsAt = (step: number): RowGradient => {
  const rows = Int32Array.from([[1, 4], [0, 1, 5], [], [4], [0, 1, 2, 3, 4, 5]][step % 5] as number[]);
  return { rows, values: random(`rows ${step}`, rows.length * WIDTH, 10 ** -(step % 4)) };
};
const expanded = ({ rows, values }: RowGradient): Float32Array => {
  const whole = new Float32Array(ROWS * WIDTH);
  rows.forEach((row, position) => whole.set(values.subarray(position * WIDTH, (position + 1) * WIDTH), row * WIDTH));
  return whole;
};
const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] as number))), 0);

/** One value's life in float64, as the papers write it. */
function reference(
  kind: 'adam' | 'lazyAdam',
  start: number,
  gradients: readonly (number | null)[],
  weightDecay: number,
): number {
  let [value, m, v] = [start, 0, 0];
  gradients.forEach((given, i) => {
    const t = i + 1;
    if (given === null && kind === 'lazyAdam') return;
    const g = (given ?? 0) + (kind === 'adam' ? weightDecay * value : 0); // PyTorch's Adam: coupled L2
    if (kind === 'lazyAdam') value -= RATE * weightDecay * value; // AdamW: decoupled
    m = 0.9 * m + (1 - 0.9) * g;
    v = 0.999 * v + (1 - 0.999) * g * g;
    const mHat = m / (1 - 0.9 ** t);
    const vHat = v / (1 - 0.999 ** t);
    value -= (RATE * mHat) / (Math.sqrt(vHat) + 1e-8);
  });
  return value;
}

describe('optimisers', () => {
  test('tell when a value or moment they wrote is more than float32 holds, or is no number', () => {
    const size = { learningRate: RATE, step: 1 };
    for (const kind of ['adam', 'lazyAdam'] as const) {
      const optimizer = createOptimizer({ kind, weightDecay: 0.01 });
      const whole = expanded(rowsAt(0));
      assert.ok(optimizer.updateDense(freshSlot(), whole, size));
      assert.ok(optimizer.updateRows(freshSlot(), WIDTH, rowsAt(0), size));
      assert.ok(optimizer.updateDense(freshSlot(), whole, { learningRate: 1e36, step: 1 }), 'large, and a number');
      for (const value of [Number.NaN, Infinity, -1e30]) {
        for (const position of [0, 5]) {
          const gradient = rowsAt(0);
          gradient.values[position] = value;
          const slot = freshSlot();
          assert.ok(!optimizer.updateRows(slot, WIDTH, gradient, size), `${kind} ${value}`);
          assert.ok(!optimizer.updateDense(freshSlot(), expanded(gradient), size), `${kind} ${value}`);
          assert.ok([slot.values, slot.first, slot.second].some((values) => !values.every(Number.isFinite)));
        }
      }
      assert.ok(!optimizer.updateDense(freshSlot(), whole, { learningRate: 1e39, step: 1 }));
      const slot = freshSlot();
      slot.values[0] = Infinity; // in a row that the batch does not touch
      assert.equal(optimizer.updateRows(slot, WIDTH, rowsAt(0), size), kind === 'lazyAdam', 'only adam moves it');
    }
  });

  for (const kind of ['adam', 'lazyAdam'] as const) {
    for (const weightDecay of [0, 0.05]) {
      test(`${kind} follows its formula in float64 (weight decay ${weightDecay})`, () => {
        const optimizer = createOptimizer({ kind, weightDecay });
        const [table, dense] = [freshSlot(), freshSlot()];
        const [start, steps] = [freshSlot().values, 25];
        for (let step = 0; step < steps; step++) {
          optimizer.updateRows(table, WIDTH, rowsAt(step), { learningRate: RATE, step: step + 1 });
          optimizer.updateDense(dense, expanded(rowsAt(step)), { learningRate: RATE, step: step + 1 });
        }
        const gradientsOf = (i: number, ofRows: boolean): (number | null)[] =>
          Array.from({ length: steps }, (_, step) => {
            const touched = rowsAt(step).rows.includes(Math.floor(i / WIDTH));
            return touched || !ofRows ? (expanded(rowsAt(step))[i] as number) : null;
          });
        const wanted = (ofRows: boolean): number[] =>
          Array.from(start, (value, i) => reference(kind, value, gradientsOf(i, ofRows), weightDecay));
        assert.ok(
          farthest(table.values, wanted(true)) < 3e-6,
          `rows differ by ${farthest(table.values, wanted(true))}`,
        );
        assert.ok(
          farthest(dense.values, wanted(false)) < 3e-6,
          `dense differs by ${farthest(dense.values, wanted(false))}`,
        );
        assert.ok(farthest(table.values, start) > 0.05, 'something moved');
      });
    }
  }

  test('adam by rows is adam on the gradient written out, bit for bit', () => {
    const optimizer = createOptimizer({ kind: 'adam', weightDecay: 0.01 });
    const [byRows, dense] = [freshSlot(), freshSlot()];
    for (let step = 0; step < 12; step++) {
      optimizer.updateRows(byRows, WIDTH, rowsAt(step), { learningRate: RATE, step: step + 1 });
      optimizer.updateDense(dense, expanded(rowsAt(step)), { learningRate: RATE, step: step + 1 });
      assert.deepEqual(byRows, dense);
    }
  });

  test('adam moves rows that a batch does not touch, by momentum and decay; lazyAdam leaves every bit of them', () => {
    for (const kind of ['adam', 'lazyAdam'] as const) {
      const optimizer = createOptimizer({ kind, weightDecay: 0.01 });
      const slot = freshSlot();
      optimizer.updateRows(slot, WIDTH, rowsAt(0), { learningRate: RATE, step: 1 });
      const before = structuredClone(slot);
      optimizer.updateRows(
        slot,
        WIDTH,
        { rows: Int32Array.of(4), values: random('once', WIDTH) },
        { learningRate: RATE, step: 2 },
      );
      for (const row of [0, 1, 2, 3, 5]) {
        const part = ({ values, first, second }: Slot): Float32Array[] =>
          [values, first, second].map((list) => list.slice(row * WIDTH, (row + 1) * WIDTH));
        if (kind === 'lazyAdam') assert.deepEqual(part(slot), part(before));
        else assert.notDeepEqual(part(slot), part(before));
      }
      assert.notDeepEqual(slot.values.slice(12, 15), before.values.slice(12, 15));
    }
  });

  test('refuse a weight decay that is negative or no number', () => {
    for (const weightDecay of [-1, Number.NaN])
      assert.throws(() => createOptimizer({ kind: 'adam', weightDecay }), UserError);
  });
});

describe('gradients by row', () => {
  test('add up repeats in order of occurrence, rows ascending', () => {
    const big = Float32Array.of(1e8, 1, -1e8); // (1e8 + 1) - 1e8 is 0 in float32; another order would give 1
    const { rows, values } = sumByRow(
      Int32Array.of(7, 2, 7, 10, 7),
      Float32Array.of(big[0] as number, 5, big[1] as number, 3, big[2] as number),
      1,
      false,
    );
    assert.deepEqual(rows, Int32Array.of(2, 7, 10));
    assert.deepEqual(values, Float32Array.of(5, 0, 3));
  });

  test('drop padding when told to, and only then', () => {
    const given = [Int32Array.of(0, 3, 0), Float32Array.of(1, 2, 3, 4, 5, 6), 2] as const;
    assert.deepEqual(sumByRow(...given, true), { rows: Int32Array.of(3), values: Float32Array.of(3, 4) });
    assert.deepEqual(sumByRow(...given, false), { rows: Int32Array.of(0, 3), values: Float32Array.of(6, 8, 3, 4) });
  });

  test('equal sums written out, whatever the rows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12), { maxLength: 20 }), fc.boolean(), (list, drop) => {
        const gradients = Float32Array.from({ length: 2 * list.length }, (_, i) => i + 1);
        const { rows, values } = sumByRow(Int32Array.from(list), gradients, 2, drop);
        const wanted = [...new Set(list)].filter((row) => row !== 0 || !drop).sort((a, b) => a - b);
        assert.deepEqual([...rows], wanted);
        assert.deepEqual(
          [...values],
          wanted.flatMap((row) =>
            [0, 1].map((column) => list.reduce((sum, other, i) => sum + (other === row ? 2 * i + column + 1 : 0), 0)),
          ),
        );
      }),
    );
  });
});
