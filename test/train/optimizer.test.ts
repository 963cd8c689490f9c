import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, growableMemory } from '../../src/base/index.js';
import { type RowGradient, type Slot, createOptimizer, planRows, sumByPlan } from '../../src/train/index.js';
import { OPTIMIZERS, WORKING_BYTES, placeBytes } from '../../src/train/optimizer.js';

const sumByRow = (indices: Int32Array, gradients: Float32Array, width: number, dropPadding: boolean): RowGradient =>
  sumByPlan(planRows(indices, dropPadding), [gradients], width);

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

  test('adam in WebAssembly is adam with every operation rounded to float32, and what fades becomes zero', () => {
    const f = Math.fround;
    const flushed = (value: number, tiny: number): number => (Math.abs(value) < tiny ? 0 : value);
    for (const width of [1, 2, 3, 4, 7, 16, 21, 32, 48]) {
      const optimizer = createOptimizer({ kind: 'adam', weightDecay: 1e-3 });
      const make = (): Float32Array => random(`values ${width}`, 3 * width, 0.01);
      const slot: Slot = { values: make(), first: new Float32Array(3 * width), second: new Float32Array(3 * width) };
      const mine = Array.from(make(), (value) => ({ value, first: 0, second: 0 }));
      for (let step = 1; step <= 700; step++) {
        const touched = step % 300 === 1; // the middle row, and a long time for all to fade
        const values = random(`gradient ${step}`, width, 1e-4);
        optimizer.updateRows(
          slot,
          width,
          { rows: Int32Array.of(...(touched ? [1] : [])), values: touched ? values : new Float32Array() },
          { learningRate: RATE, step },
        );
        const [rate, root] = [f(RATE / (1 - 0.9 ** step)), f(1 / Math.sqrt(1 - 0.999 ** step))];
        mine.forEach((one, i) => {
          const slope = f(
            (touched && Math.floor(i / width) === 1 ? (values[i % width] as number) : 0) + f(f(1e-3) * one.value),
          );
          one.first = flushed(f(f(f(0.9) * one.first) + f(f(1 - 0.9) * slope)), 2 ** -70);
          one.second = flushed(f(f(f(0.999) * one.second) + f(f(f(1 - 0.999) * slope) * slope)), 2 ** -80);
          const length = f(f(f(Math.sqrt(one.second)) * root) + f(1e-8));
          one.value = flushed(f(one.value - f(f(rate * one.first) / length)), 2 ** -40);
        });
      }
      const zeros = slot.values.filter((value) => value === 0).length;
      assert.deepEqual(
        [...slot.values],
        mine.map(({ value }) => value),
        `width ${width}`,
      );
      assert.deepEqual(
        [...slot.first],
        mine.map(({ first }) => first),
      );
      assert.deepEqual(
        [...slot.second],
        mine.map(({ second }) => second),
      );
      assert.ok(zeros > 0 && zeros < slot.values.length, `${zeros} of ${slot.values.length} have faded`);
    }
  });

  test('adamCatchUp gives the bits of adam over thousands of steps, wherever it is read, levelled or begun anew', () => {
    const [rows, width, steps] = [40, 6, 4000];
    const make = (): Slot => ({
      values: random('long', rows * width, 0.01),
      first: new Float32Array(rows * width),
      second: new Float32Array(rows * width),
    });
    const stream = new Random('which rows');
    /** Row r is touched with probability 2^-r / 2, so that some are seldom or never. */
    const chosen = Array.from({ length: steps }, () =>
      Int32Array.from({ length: rows }, (_, row) => row).filter((row) => stream.float() < 2 ** -(row / 3) / 2),
    );
    const rateOf = (step: number): number => (step < 1500 ? 1e-2 : 1e-3); // the schedule comes between
    const adam = createOptimizer({ kind: 'adam', weightDecay: 1e-4 });
    let catching = createOptimizer({ kind: 'adamCatchUp', weightDecay: 1e-4 });
    let [dense, lazy] = [make(), make()];
    let compared = 0;
    for (let step = 1; step <= steps; step++) {
      const touched = chosen[step - 1] as Int32Array;
      const gradient = { rows: touched, values: random(`gradient ${step}`, touched.length * width, 10 ** -(step % 7)) };
      const size = { learningRate: rateOf(step), step };
      assert.ok(adam.updateRows(dense, width, gradient, size));
      assert.ok(catching.updateRows(lazy, width, gradient, size));
      if (step % 250 === 0) {
        const read = chosen[(step + 3) % steps] as Int32Array;
        assert.ok(catching.catchUp(lazy, Int32Array.of(...read, ...read, 0)));
        for (const row of read) {
          const part = (values: Float32Array): Float32Array => values.slice(row * width, (row + 1) * width);
          assert.deepEqual(part(lazy.values), part(dense.values), `row ${row} after step ${step}`);
          assert.deepEqual(part(lazy.second), part(dense.second));
          compared++;
        }
      }
      if (step === 777) assert.ok(catching.level());
      if (step === 2222) {
        assert.ok(catching.level());
        assert.deepEqual(lazy, dense);
        catching = createOptimizer({ kind: 'adamCatchUp', weightDecay: 1e-4 }); // as when a run is resumed
        lazy = structuredClone(lazy);
      }
    }
    assert.notDeepEqual(lazy.values, dense.values, 'something is left to catch up with');
    assert.ok(catching.level());
    assert.deepEqual(lazy, dense);
    assert.ok(compared > 20);
    assert.ok(dense.values.some((value) => value === 0) && dense.values.some((value) => Math.abs(value) > 1e-3));
  });

  test('adamCatchUp fades second moments as adam does, to the last step in which they count', () => {
    const [rows, width, steps] = [50, 8, 1500];
    const slots = ['adam', 'adamCatchUp'].map((kind) => {
      const optimizer = createOptimizer({ kind: kind as 'adam', weightDecay: 0.01 });
      const length = rows * width;
      const second = Float32Array.from({ length }, (_, i) => 2 ** (-78 - (3 * i) / length + (i % width) / 9));
      const slot: Slot = { values: new Float32Array(length), first: new Float32Array(length), second };
      for (let step = 1; step <= steps; step++)
        optimizer.updateRows(
          slot,
          width,
          { rows: Int32Array.of(0), values: new Float32Array(width).fill(1) },
          { learningRate: 1e-4, step },
        );
      optimizer.level();
      return slot;
    });
    assert.deepEqual(slots[1], slots[0]);
    const zeros = slots[0]?.second.filter((value) => value === 0).length ?? 0;
    assert.ok(zeros > 100 && zeros < 380, `${zeros} are gone`);
  });

  test('adamCatchUp levels by itself when more steps were missed than it remembers', () => {
    const slots = ['adam', 'adamCatchUp'].map((kind) => {
      const optimizer = createOptimizer({ kind: kind as 'adam', weightDecay: 0.01 });
      const slot = freshSlot();
      for (let i = 0; i < slot.values.length; i++) slot.values[i] = 50 + i; // too much to fade before
      for (let step = 1; step <= 33_000; step++)
        optimizer.updateRows(
          slot,
          WIDTH,
          { rows: Int32Array.of(step === 1 ? 2 : 1), values: Float32Array.of(step % 3, 0.1, -1) },
          { learningRate: 1e-4, step },
        );
      optimizer.level();
      return slot;
    });
    assert.deepEqual(slots[1], slots[0]);
    assert.ok(slots[0]?.values.every((value) => value !== 0));
  });

  for (const kind of ['adam', 'adamCatchUp', 'lazyAdam'] as const) {
    test(`${kind}: several tables, many rows at once, values where they lie or copied: the same bits, and nothing beside them`, () => {
      // more values a step than are brought at once (8,192), in rows that divide that and in such that do not
      const shapes = [
        [900, 13],
        [1400, 8],
        [3, 5],
      ] as const;
      /** The last table is met after some steps only. */
      const isMet = (table: number, step: number): boolean => table < 2 || step > 5;
      const copied = createOptimizer({ kind, weightDecay: 0.01 });
      const inPlace = createOptimizer({ kind, weightDecay: 0.01 });
      const alone = shapes.map(() => createOptimizer({ kind, weightDecay: 0.01 }));
      const slots = shapes.map(([rows, width], table) => {
        const length = rows * width;
        const room = placeBytes(length);
        const memory = growableMemory(64 + 3 * room + WORKING_BYTES, 64 + 3 * room + WORKING_BYTES);
        const floats = (offset: number): Float32Array => new Float32Array(memory.buffer, offset, length);
        const [values, first, second] = [64, 64 + room, 64 + 2 * room] as const;
        new Uint8Array(memory.buffer, 0, 64).fill(77);
        floats(values).set(random(`table ${table}`, length));
        const make = (): Slot => ({
          values: random(`table ${table}`, length),
          first: new Float32Array(length),
          second: new Float32Array(length),
        });
        const place = { memory, values, first, second, work: 64 + 3 * room };
        return {
          memory,
          copied: make(),
          alone: make(),
          written: make(),
          inPlace: { values: floats(values), first: floats(first), second: floats(second), place },
        };
      });
      for (let step = 1; step <= 12; step++) {
        const size = { learningRate: RATE / step, step };
        shapes.forEach(([rows, width], table) => {
          if (!isMet(table, step)) return;
          const all = Array.from({ length: rows }, (_, row) => row);
          const touched = Int32Array.from(
            all.filter((row) => (step % 4 === 1 ? row < 0.8 * rows : (row + table) % (step + 1) === 0)),
          );
          const gradient = { rows: touched, values: random(`${table} at ${step}`, touched.length * width) };
          const slot = slots[table] as (typeof slots)[number];
          assert.ok(copied.updateRows(slot.copied, width, gradient, size));
          assert.ok(inPlace.updateRows(slot.inPlace, width, gradient, size));
          assert.ok(alone[table]?.updateRows(slot.alone, width, gradient, size));
          if (kind === 'lazyAdam') {
            touched.forEach((row, i) => {
              const one = { rows: Int32Array.of(row), values: gradient.values.slice(i * width, (i + 1) * width) };
              assert.ok(alone[table]?.updateRows(slot.written, width, one, size));
            });
            return;
          }
          const whole = new Float32Array(rows * width);
          touched.forEach((row, i) => whole.set(gradient.values.subarray(i * width, (i + 1) * width), row * width));
          assert.ok(copied.updateDense(slot.written, whole, size));
          const some = touched.filter((_, i) => i % 3 === 0);
          assert.ok(copied.catchUp(slot.copied, some) && inPlace.catchUp(slot.inPlace, some));
        });
      }
      assert.ok(copied.level() && inPlace.level() && alone.every((optimizer) => optimizer.level()));
      for (const { memory, ...slot } of slots) {
        for (const part of ['values', 'first', 'second'] as const) {
          assert.deepEqual(slot.inPlace[part], slot.copied[part], part);
          assert.deepEqual(slot.alone[part], slot.copied[part], `${part}, beside no other table`);
          assert.deepEqual(slot.written[part], slot.copied[part], `${part}, all at once, or row by row`);
        }
        assert.ok(new Uint8Array(memory.buffer, 0, 64).every((byte) => byte === 77));
      }
    });
  }

  test('a parameter of more values than are brought at once, and of as many, is updated to its end', () => {
    for (const length of [8191, 8192, 8193, 20_000]) {
      const optimizer = createOptimizer({ kind: 'adam', weightDecay: 0 });
      const slot = {
        values: new Float32Array(length),
        first: new Float32Array(length),
        second: new Float32Array(length),
      };
      assert.ok(optimizer.updateDense(slot, new Float32Array(length).fill(2), { learningRate: RATE, step: 1 }));
      assert.ok(slot.values.every((value) => Math.abs(value + RATE) < 1e-6)); // the first step is the rate, against the sign
    }
  });

  test('tell of more than float32 holds in rows that a batch did not touch, and in those that were caught up with', () => {
    const [width, rows] = [8, 4];
    const zeros = (): Float32Array => new Float32Array(rows * width);
    const slotWith = (row: number, value: number): Slot => {
      const slot = { values: zeros(), first: zeros(), second: zeros() };
      slot.values.fill(value, row * width, (row + 1) * width);
      return slot;
    };
    const gradientOf = (row: number, value: number): RowGradient => ({
      rows: Int32Array.of(row),
      values: new Float32Array(width).fill(value),
    });
    const LARGE = 3e38; // a number, and eight of them together none
    const sized = (step: number, learningRate = RATE) => ({ step, learningRate });

    const adam = createOptimizer({ kind: 'adam', weightDecay: 0 });
    assert.ok(!adam.updateRows(slotWith(2, LARGE), width, gradientOf(0, 1), sized(1)));
    assert.ok(adam.updateRows(slotWith(2, 1), width, gradientOf(0, 1), sized(1)));

    const catching = () => createOptimizer({ kind: 'adamCatchUp', weightDecay: 0 });
    const begun = (slot: Slot) => {
      const optimizer = catching();
      for (const step of [1, 2]) assert.ok(optimizer.updateRows(slot, width, gradientOf(0, 1), sized(step)));
      return optimizer;
    };
    for (const [value, isSound] of [
      [LARGE, false],
      [1, true],
    ] as const) {
      const slot = slotWith(2, value);
      assert.equal(begun(slot).level(), isSound, 'levelling');
      const other = slotWith(2, value);
      assert.equal(begun(other).catchUp(other, Int32Array.of(2)), isSound, 'catching up');
      assert.ok(begun(other).catchUp(other, Int32Array.of(1)), 'another row');
    }
    const fallen = slotWith(2, LARGE); // its own step makes it small, and comes after those that it missed
    assert.ok(!begun(fallen).updateRows(fallen, width, gradientOf(2, 1), sized(3, 1.9e38)));
    const risen = slotWith(2, 1); // the other way round
    assert.ok(!begun(risen).updateRows(risen, width, gradientOf(2, -1), sized(3, LARGE)));
    assert.ok(catching().catchUp(slotWith(2, LARGE), Int32Array.of(2)), 'a table that is not known misses nothing');

    const long = slotWith(2, LARGE);
    const levelling = catching();
    const unsound = [];
    for (let step = 1; step <= 33_000; step++)
      if (!levelling.updateRows(long, width, gradientOf(0, 1), sized(step, 1e-6))) unsound.push(step);
    assert.deepEqual(unsound, [2 ** 15 + 1], 'once, when all rows were levelled');
  });

  test('refuse a weight decay that is negative or no number, and rows that are too wide; a place has room for four floats at a time', () => {
    for (const weightDecay of [-1, Number.NaN])
      assert.throws(
        () => createOptimizer({ kind: 'adam', weightDecay }),
        /weight decay must not be negative, not (-1|NaN)/,
      );
    assert.deepEqual(OPTIMIZERS, ['adam', 'adamCatchUp', 'lazyAdam']);
    assert.deepEqual([0, 1, 4, 5, 8].map(placeBytes), [0, 16, 16, 32, 32]);
    const wide = { values: new Float32Array(8193), first: new Float32Array(8193), second: new Float32Array(8193) };
    const gradient = { rows: Int32Array.of(0), values: new Float32Array(8193) };
    const size = { learningRate: RATE, step: 1 };
    const optimizer = createOptimizer({ kind: 'adam', weightDecay: 0 });
    assert.throws(() => optimizer.updateRows(wide, 8193, gradient, size), /rows of 8193 values are too wide/);
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

  test('come in parts that follow one another, cut between any two occurrences', () => {
    const indices = Int32Array.of(3, 1, 3, 2, 1, 3);
    const gradients = random('parts', 12);
    const whole = sumByRow(indices, gradients, 2, false);
    for (const [first, second] of [
      [1, 2],
      [1, 1],
      [0, 3],
      [2, 6],
      [5, 6],
      [6, 6],
    ] as const)
      // prettier-ignore
      assert.deepEqual(
        sumByPlan(
          planRows(indices, false),
          [[0, first], [first, second], [second, 6]].map(([from, to]) => gradients.subarray(2 * (from as number), 2 * (to as number))), // prettier-ignore
          2,
        ),
        whole,
      );
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
