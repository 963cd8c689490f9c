import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, range } from '../../src/base/index.js';

const take = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.uint32());

describe('a random stream', () => {
  test('always starts at the same place for its names, and elsewhere for any others', () => {
    assert.deepEqual(take(new Random(7, 'dropout', 2, 3), 5), take(new Random(7, 'dropout', 2, 3), 5));
    const names: (string | number)[][] = [
      [7],
      ['7'],
      [7, 0],
      [0, 7],
      [77],
      [7, 7],
      ['a', 'b'],
      ['ab'],
      ['b', 'a'],
      ['dropout', 1, 23],
      ['dropout', 12, 3],
      [],
    ];
    const starts = names.map((name) => take(new Random(...name), 4).join());
    assert.equal(new Set(starts).size, names.length);
  });

  test('keeps giving the numbers that saved runs depend on', () => {
    // Golden: other numbers here would break the promise that a run repeats with a later version.
    assert.deepEqual(take(new Random(1, 'golden'), 3), [3553416399, 1368227428, 1780021528]);
  });

  test('is uniform: every number of a range about as often, bits and fractions too', () => {
    const random = new Random('uniform');
    const counts = Array.from({ length: 7 }, () => 0);
    for (let i = 0; i < 14_000; i++) {
      const value = random.integer(7);
      counts[value] = (counts[value] as number) + 1;
    }
    assert.equal(counts.length, 7, 'nothing outside the range');
    assert.ok(counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0) < 25, `${counts}`);
    const floats = Array.from({ length: 5000 }, () => random.float());
    assert.ok(floats.every((value) => value >= 0 && value < 1));
    assert.ok(Math.abs(floats.reduce((a, b) => a + b, 0) / 5000 - 0.5) < 0.02);
    for (let bit = 0; bit < 32; bit++) {
      const ones = take(random, 2000).filter((value) => (value >>> bit) & 1).length;
      assert.ok(Math.abs(ones - 1000) < 130, `bit ${bit}: ${ones} ones of 2000`);
    }
  });

  test('is normal where asked for: mean 0, deviation 1, tails of the right weight', () => {
    const random = new Random('normal');
    const values = Array.from({ length: 20_000 }, () => random.normal());
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + b * b, 0) / values.length;
    assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.05);
    assert.ok(Math.abs(values.filter((value) => Math.abs(value) > 2).length / values.length - 0.0455) < 0.008);
  });

  test('shuffles in place, every order about as often', () => {
    const random = new Random('shuffle');
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const values = range(3);
      assert.equal(random.shuffle(values), values);
      counts.set(values.join(), (counts.get(values.join()) ?? 0) + 1);
    }
    assert.equal(counts.size, 6);
    assert.ok([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0) < 22);
  });

  test('fills a mask from the same bits as it gives, 16 each, and goes on after them', () => {
    for (const length of [0, 1, 6, 7]) {
      const [random, same] = [new Random('mask', length), new Random('mask', length)];
      const mask = new Float32Array(length).fill(9);
      random.fillMask(mask, 0.25, 1.5);
      const bits = take(same, Math.ceil(length / 2)).flatMap((word) => [word & 0xffff, word >>> 16]);
      assert.deepEqual(
        [...mask],
        bits.slice(0, length).map((part) => (part < 16384 ? 0 : 1.5)),
      );
      assert.equal(random.uint32(), same.uint32());
    }
    const mask = new Float32Array(100_000);
    new Random('rate').fillMask(mask, 0.1, 2);
    const zeros = mask.filter((value) => value === 0).length;
    assert.ok(Math.abs(zeros - 10_000) < 400, `${zeros} zeros`);
  });

  test('has integers below any bound, 1 and 2^32 included', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(1, 2, 2 ** 31 + 1, 2 ** 32), fc.integer({ min: 1, max: 2 ** 32 })),
        fc.nat(),
        (bound, seed) => {
          const value = new Random(seed).integer(bound);
          assert.ok(Number.isInteger(value) && value >= 0 && value < bound);
        },
      ),
    );
  });
});
