import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, UserError } from '../../src/base/index.js';
import {
  Resamples,
  holm,
  pairedBootstrap,
  pairedTest,
  ratioBootstrap,
  signTest,
  studentInterval,
} from '../../src/evaluate/index.js';
import { answers } from '../support/analyses.js';

const close = (actual: number, expected: number, allowed = 1e-11): void =>
  assert.ok(Math.abs(actual - expected) <= allowed * Math.abs(expected), `${actual}, not ${expected}`);

/** Seven users under two rankers; what scipy 1.17.1 says of them (ttest_rel, t.interval, sem) is below. */
const ONE = [0.31, 0.42, 0.18, 0.55, 0.29, 0.61, 0.37];
const OTHER = [0.25, 0.44, 0.11, 0.41, 0.3, 0.48, 0.28];
const DIFFERENCES = ONE.map((value, user) => value - (OTHER[user] as number));

const sample = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 40 });

describe("Student's interval", () => {
  test('is that of scipy.stats.t.interval', () => {
    const { mean, error, halfWidth, degreesOfFreedom } = studentInterval(DIFFERENCES);
    close(mean, 0.06571428571428571);
    close(error, 0.023589459193334928);
    close(halfWidth, 0.057721327262272096);
    assert.equal(degreesOfFreedom, 6);
    close(studentInterval(DIFFERENCES, 0.8).halfWidth, 0.033963059448480645);
    close(studentInterval(Float32Array.of(1, 2, 3), 0.9).halfWidth, 2.9199855803537242 / Math.sqrt(3));
  });

  test('knows nothing of the width for fewer than two values', () => {
    const unknown = { error: Number.NaN, halfWidth: Number.NaN, degreesOfFreedom: 0 };
    assert.deepEqual(studentInterval([3]), { mean: 3, ...unknown });
    assert.deepEqual(studentInterval([]), { mean: Number.NaN, ...unknown });
  });

  test('has no width where all values are the same, whatever their sum is rounded to', () => {
    const { mean, halfWidth } = studentInterval(Array.from({ length: 1000 }, () => 0.1));
    assert.deepEqual([mean, halfWidth], [0.1, 0]);
  });

  test('covers the true mean as often as it says', () => {
    const random = new Random('coverage');
    let covered = 0;
    for (let trial = 0; trial < 4000; trial++) {
      const { mean, halfWidth } = studentInterval(Array.from({ length: 4 }, () => 7 + random.normal()));
      if (Math.abs(mean - 7) < halfWidth) covered++;
    }
    // A normal interval would cover .855; four standard errors are .014.
    assert.ok(Math.abs(covered / 4000 - 0.95) < 0.014, `${covered / 4000}`);
  });
});

describe('the paired t-test', () => {
  test('is that of scipy.stats.ttest_rel', () => {
    const { t, degreesOfFreedom, p } = pairedTest(DIFFERENCES);
    close(t, 2.7857478705087444);
    close(p, 0.0317551687879959);
    assert.equal(degreesOfFreedom, 6);
    const many = pairedTest([1, -1, 2, 0, 0, 0.5]);
    close(many.t, 1);
    close(many.p, 0.3632174676491226);
  });

  test('finds nothing in no difference, and is certain of one that never varies', () => {
    assert.deepEqual(pairedTest([0, 0, 0]), { t: 0, degreesOfFreedom: 2, p: 1 });
    assert.deepEqual(pairedTest([-0.1, -0.1, -0.1]), { t: -Infinity, degreesOfFreedom: 2, p: 0 });
    for (const few of [[], [0], [1]]) {
      const { t, p } = pairedTest(few);
      assert.ok(p !== p && (few[0] === 0 || t !== t), `${few}: ${t}, ${p}`);
    }
  });

  test('rejects exactly when the interval leaves 0 out, and the same either way round', () => {
    fc.assert(
      fc.property(sample, (differences) => {
        const [{ t, p }, { mean, halfWidth }] = [pairedTest(differences), studentInterval(differences)];
        if (Math.abs(p - 0.05) > 1e-9) assert.equal(p < 0.05, Math.abs(mean) > halfWidth);
        const turned = pairedTest(differences.map((difference) => -difference));
        assert.ok(turned.t === -t || (t === 0 && turned.t === 0));
        assert.equal(turned.p, p);
      }),
    );
  });
});

describe('the paired bootstrap', () => {
  /** `count` differences of 1, the rest of `of` -1: a resampled sum is 2K - of, K binomial. */
  const coins = (count: number, of: number): number[] =>
    Array.from({ length: of }, (_, user) => (user < count ? 1 : -1));

  test('has the p value that the binomial distribution gives, among few users and among many', () => {
    const resamples = 40_000;
    for (const [count, of, expected] of [
      [8, 10, 0.0327934976], // P(K ≤ 5); ties with the mean's distance count as far
      [530, 1000, 0.06155280216842478], // P(K ≤ 500) + P(K ≥ 560)
    ] as const) {
      const { p, mean } = pairedBootstrap(coins(count, of), { random: new Random('coins', of), resamples });
      close(mean, (2 * count) / of - 1, 1e-12);
      const deviation = Math.sqrt((expected * (1 - expected)) / resamples);
      assert.ok(Math.abs(p - expected) < 4 * deviation, `${p}, not ${expected}`);
    }
  });

  test('has the interval that the binomial distribution gives', () => {
    // P(K ≤ 60) = .0210, P(K ≤ 61) = .0340; P(K ≥ 79) = .0288, P(K ≥ 80) = .0165
    const { interval } = pairedBootstrap(coins(70, 100), { random: new Random('interval'), resamples: 40_000 });
    assert.deepEqual(interval, [0.22, 0.58]);
  });

  test('takes a fortieth from each end and no more: of 39 resamples the smallest and the largest', () => {
    // All ten users of a resample are the seven alike with .7^10: among 39 resamples at least one with .673, two with .302.
    let [high, low] = [0, 0];
    for (let seed = 0; seed < 400; seed++) {
      const options = { random: new Random(seed, 'ends'), resamples: 39 };
      if (pairedBootstrap(coins(7, 10), options).interval[1] === 1) high++;
      if (pairedBootstrap(coins(3, 10), options).interval[0] === -1) low++;
    }
    const deviation = Math.sqrt(400 * 0.673 * 0.327);
    for (const found of [high, low]) assert.ok(Math.abs(found - 400 * 0.673) < 4 * deviation, `${found}`);
  });

  test('is that of plain resampling where common and rare differences are mixed', () => {
    const random = new Random('mixed');
    const differences = [
      ...Array.from({ length: 300 }, () => 0),
      ...Array.from({ length: 50 }, () => 0.5),
      ...Array.from({ length: 40 }, () => -1),
      ...Array.from({ length: 33 }, () => 0.25),
      ...Array.from({ length: 200 }, () => random.normal() ** 3 / 5),
    ];
    const resamples = 20_000;
    const found = pairedBootstrap(differences, { random, resamples });
    const { mean, error } = studentInterval(differences);
    assert.ok(Math.abs(mean) > error, 'p has something to say');
    const means = Float64Array.from({ length: resamples }, () => {
      let sum = 0;
      for (let draw = 0; draw < differences.length; draw++)
        sum += differences[random.integer(differences.length)] as number;
      return sum / differences.length;
    }).sort();
    // Two intervals of as many resamples: an edge has a standard error of .019 errors, the difference of two .027.
    for (const [i, edge] of [means[499], means[resamples - 500]].entries())
      assert.ok(
        Math.abs((found.interval[i] as number) - (edge as number)) < 0.11 * error,
        `${found.interval}, ${edge}`,
      );
    const plain = means.filter((value) => Math.abs(value - mean) >= Math.abs(mean)).length / resamples;
    assert.ok(Math.abs(found.p - plain) < 4 * Math.sqrt((2 * plain * (1 - plain)) / resamples), `${found.p}, ${plain}`);
  });

  test('agrees with the t-test where differences are many', () => {
    const random = new Random('many');
    const differences = Array.from({ length: 3000 }, () => 0.05 + random.normal());
    const found = pairedBootstrap(differences, { random });
    const { mean, error, halfWidth } = studentInterval(differences);
    assert.ok(Math.abs(found.interval[0] - (mean - halfWidth)) < 0.12 * error);
    assert.ok(Math.abs(found.interval[1] - (mean + halfWidth)) < 0.12 * error);
    const { p } = pairedTest(differences);
    assert.ok(
      p > 0.002 && p < 0.3 && Math.abs(found.p - p) < 4 * Math.sqrt((p * (1 - p)) / 10_000),
      `${found.p}, ${p}`,
    );
  });

  test('is the same for the same stream, in whatever order the differences come', () => {
    fc.assert(
      fc.property(sample, fc.nat(), (some, seed) => {
        const differences = [...some, ...Array.from({ length: 40 }, () => 0)];
        const draw = (values: readonly number[]) => {
          const { interval, p } = pairedBootstrap(values, { random: new Random(seed), resamples: 99 });
          assert.ok(interval[0] <= interval[1] && p >= 0.01 && p <= 1 && Number.isInteger(Math.round(p * 1e9) / 1e7));
          return { interval, p };
        };
        assert.deepEqual(draw(differences.toReversed()), draw(differences));
      }),
    );
    const { interval } = pairedBootstrap(DIFFERENCES, { random: new Random(1) });
    assert.notDeepEqual(pairedBootstrap(DIFFERENCES, { random: new Random(2) }).interval, interval);
  });

  test('finds nothing in no difference, and has its floor where all differ alike', () => {
    for (const length of [2, 500]) {
      const random = new Random('edges');
      const zeros = Array.from({ length }, () => 0);
      assert.deepEqual(pairedBootstrap(zeros, { random }), { mean: 0, interval: [0, 0], p: 1, resamples: 10_000 });
      const halves = zeros.map(() => 0.5);
      const expected = { mean: 0.5, interval: [0.5, 0.5], p: 1 / 100, resamples: 99 };
      assert.deepEqual(pairedBootstrap(halves, { random, resamples: 99 }), expected);
    }
  });

  test('is not decided by rounding: sums as far apart count as far', () => {
    // A resampled sum of 0 is as far as 0 is from the sum; sums of tenths miss 0 by their last bits.
    const draw = (scale: number): number =>
      pairedBootstrap(
        coins(6, 10).map((value) => value * scale),
        { random: new Random('rounding') },
      ).p;
    assert.equal(draw(0.1), draw(1));
  });

  test('says nothing of fewer than two users, or of one without a number; too few resamples are refused', () => {
    const random = new Random('none');
    for (const few of [[], [1], [0, Number.NaN]]) {
      const { interval, p } = pairedBootstrap(few, { random });
      assert.ok([...interval, p].every(Number.isNaN));
    }
    for (const resamples of [38, 0, 99.5, Number.NaN])
      assert.throws(() => pairedBootstrap([1, 2], { random, resamples }), UserError);
    assert.equal(pairedBootstrap([1, 2], { random, resamples: 39 }).resamples, 39);
  });
});

describe("Holm's adjustment", () => {
  test('by hand', () => {
    // In order: .005 · 4, .01 · 3, .03 · 2, and .04 · 1, which may not be below the one before it.
    const adjusted = holm([0.01, 0.04, 0.03, 0.005]);
    for (const [i, expected] of [0.03, 0.06, 0.06, 0.02].entries()) close(adjusted[i] as number, expected, 1e-15);
    assert.deepEqual(holm([0.6, 0.5]), [1, 1]);
    assert.deepEqual(holm([]), []);
  });

  test('does not count tests that could not be made', () => {
    assert.deepEqual(holm([0.02, Number.NaN, 0.5]), [0.04, Number.NaN, 0.5]);
  });

  test('refuses what is no probability', () => {
    assert.throws(() => holm([0.5, 1.5]), /1\.5 is no probability/);
    assert.throws(() => holm([-0.1]), /no probability/);
  });

  test('rejects what the step-down procedure rejects, and keeps order and bounds', () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(probability, { minLength: 1, maxLength: 12 }), probability, (pValues, level) => {
        const adjusted = holm(pValues);
        const order = Array.from(pValues.keys()).sort((i, j) => (pValues[i] as number) - (pValues[j] as number));
        // Step down: reject while p · (hypotheses left) ≤ level.
        let rejecting = true;
        for (const [rank, i] of order.entries()) {
          rejecting &&= (pValues.length - rank) * (pValues[i] as number) <= level;
          if (level < 1) assert.equal((adjusted[i] as number) <= level, rejecting);
          assert.ok((adjusted[i] as number) >= (pValues[i] as number) && (adjusted[i] as number) <= 1);
          if (rank > 0) assert.ok((adjusted[i] as number) >= (adjusted[order[rank - 1] as number] as number));
        }
      }),
    );
  });
});

describe('the sign test', () => {
  test('adds up the binomial tail on both sides, and leaves ties out', () => {
    // eight of ten: 2 (1 + 10 + 45) / 1024
    const { positive, negative, p } = signTest([1, 2, 3, 4, 5, 6, 7, 8, -1, -2, 0, 0]);
    assert.deepEqual([positive, negative], [8, 2]);
    close(p, 112 / 1024);
    assert.equal(signTest([1, -1]).p, 1);
    assert.equal(signTest([0, 0]).p, 1);
    assert.equal(signTest([]).p, 1);
  });

  test('is that of whole numbers, however many', () => {
    for (const { positive, negative, answer } of answers.signTest) {
      const differences = Array.from({ length: positive + negative }, (_, i) => (i < positive ? 0.5 : -2));
      close(signTest(differences).p, answer, 1e-9);
    }
    assert.equal(signTest(Array.from({ length: 30_000 }, (_, i) => (i < 10_000 ? -1 : 1))).p, 0);
  });
});

describe('resampled intervals', () => {
  test('are those of the paired bootstrap for a mean, but for the draws', () => {
    const { interval } = pairedBootstrap(DIFFERENCES, { random: new Random('one') });
    const draws = new Resamples(DIFFERENCES.length, { random: new Random('other') });
    const mean = (times: ArrayLike<number>): number =>
      DIFFERENCES.reduce((sum, value, i) => sum + value * (times[i] as number), 0) / DIFFERENCES.length;
    const resampled = draws.interval(mean);
    const doubled = draws.interval((times) => 2 * mean(times));
    for (const side of [0, 1] as const) {
      assert.ok(Math.abs(resampled[side] - interval[side]) < 0.002, `${resampled[side]}, not ${interval[side]}`);
      assert.equal(doubled[side], 2 * resampled[side], 'all statistics see the same draws');
    }
  });

  test('draw as many units as there are, the same from the same stream', () => {
    const totals = new Set<number>();
    const draw = (): readonly [number, number] =>
      new Resamples(5, { random: new Random('units'), resamples: 200 }).interval((times) => {
        totals.add(Array.from(times).reduce((sum, count) => sum + count, 0));
        return times[0] as number;
      });
    assert.deepEqual(draw(), draw());
    assert.deepEqual([...totals], [5]);
  });

  test('are not told of one unit, nor of what a resample cannot tell', () => {
    const none = [Number.NaN, Number.NaN];
    const of = (units: number, resamples = 39) => new Resamples(units, { random: new Random('none'), resamples });
    assert.deepEqual(
      of(1).interval(() => 1),
      none,
    );
    assert.deepEqual(
      of(3).interval((times) => (times[0] as number) / (times[0] as number)),
      none,
    );
    assert.throws(() => of(3, 10), UserError);
  });
});

describe('the ratio of two means', () => {
  test('is that of the sums, and its interval that of the ratios of resamples, whole users at a time', () => {
    const over = OTHER.map((value) => 3 * value);
    const { ratio, interval } = ratioBootstrap(over, OTHER, { random: new Random('ratio') });
    for (const value of [ratio, ...interval]) close(value, 3);
    const { ratio: uneven, interval: ends } = ratioBootstrap(ONE, OTHER, { random: new Random('ratio') });
    close(uneven, 2.73 / 2.27);
    // of all 7 to the 7 resamples, by Python
    for (const [side, expected] of [1.0664, 1.3385].entries())
      assert.ok(Math.abs((ends[side] as number) - expected) < 0.005, `${ends[side]}, not ${expected}`);
  });

  test('is infinite where only the lower mean is not above 0, and nothing where neither is', () => {
    const options = { random: new Random('none'), resamples: 100 };
    assert.equal(ratioBootstrap([1, 2], [0, 0], options).ratio, Infinity);
    assert.deepEqual(ratioBootstrap([1, 2], [0, -1], options).interval, [Infinity, Infinity]);
    assert.equal(ratioBootstrap([-1, 0], [0, 0], options).ratio, Number.NaN);
    assert.deepEqual(ratioBootstrap([1], [2], options), { ratio: 0.5, interval: [Number.NaN, Number.NaN] });
  });
});
