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

  test('fills a mask with zeros at a rate, each entry by itself, and goes on after them', () => {
    for (const rate of [0.05, 0.1, 0.5, 0.9]) {
      const random = new Random('mask', rate);
      const size = 200_000;
      const mask = new Float32Array(size).fill(7);
      random.fillMask(mask, rate, 1.5);
      assert.ok(mask.every((entry) => entry === 0 || entry === 1.5));
      const deviations = (count: number, of: number, chance: number): number =>
        Math.abs(count - of * chance) / Math.sqrt(of * chance * (1 - chance));
      assert.ok(deviations(mask.filter((entry) => entry === 0).length, size, rate) < 4, `rate ${rate}`);
      for (const distance of [1, 2, 7]) {
        const both = mask.filter((entry, i) => entry === 0 && mask[i + distance] === 0).length;
        assert.ok(deviations(both, size, rate * rate) < 5, `rate ${rate}, ${distance} apart: ${both}`);
      }
      const next = Float32Array.from({ length: 5000 }, () => {
        const short = new Float32Array(3);
        random.fillMask(short, rate, 1);
        return short[0] === 0 ? 1 : 0;
      });
      assert.ok(
        deviations(
          next.reduce((x, y) => x + y, 0),
          next.length,
          rate,
        ) < 4,
        'the first entry too',
      );
    }
    const mask = new Float32Array(5);
    new Random('none').fillMask(mask, 0, 3);
    assert.deepEqual(mask, new Float32Array(5).fill(3));
    new Random('none').fillMask(new Float32Array(0), 0.5, 3);
    const [one, same] = [new Float32Array(99), new Float32Array(99)];
    new Random('same').fillMask(one, 0.3, 2);
    new Random('same').fillMask(same, 0.3, 2);
    assert.deepEqual(one, same);
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

test('a float is 53 bits of two draws; a bound that does not divide 2^32 favours nobody', () => {
  const [one, twin] = [new Random('bits'), new Random('bits')];
  for (let i = 0; i < 100; i++) {
    const [high, low] = [twin.uint32(), twin.uint32()];
    const wanted = Number((BigInt(high >>> 5) << 26n) | BigInt(low >>> 6)) / 2 ** 53;
    assert.equal(one.float(), wanted);
  }
  // Without drawing again, the first third would come twice as often: half of all.
  const random = new Random('bias');
  const bound = 3 * 2 ** 30;
  const draws = Array.from({ length: 3000 }, () => random.integer(bound));
  assert.ok(draws.every((value) => value >= 0 && value < bound));
  const first = draws.filter((value) => value < 2 ** 30).length;
  assert.ok(Math.abs(first - 1000) < 130, `${first} of 3,000 in the first third`); // five deviations
});

test('nothing is drawn where nothing is dropped, nor for the last place of a shuffle', () => {
  for (const rate of [0, -1]) {
    const [one, twin] = [new Random('still'), new Random('still')];
    one.fillMask(new Float32Array(5), rate, 2);
    assert.equal(one.uint32(), twin.uint32());
  }
  const [one, twin] = [new Random('last'), new Random('last')];
  one.shuffle(Int32Array.of(7, 8));
  twin.integer(2);
  assert.equal(one.uint32(), twin.uint32());
});
