import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, UserError, at } from '../../src/base/index.js';
import { RANK_METRICS, type RankMetric, biasVariance, leastBias, unbiasedRank } from '../../src/evaluate/correction.js';
import {
  ESTIMATORS,
  METRICS,
  type MetricName,
  SampledRanks,
  correctedValues,
  corrections,
  metricsOf,
  uncorrected,
} from '../../src/evaluate/index.js';
import { metricsFixture } from '../support/metrics-fixture.js';

function near(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-12): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(at(actual, i) - value) <= tolerance, `${at(actual, i)} at ${i} is not ${value} ± ${tolerance}`);
}

/** E[M̂(r̃) | rank]. */
const expected = (corrected: Float64Array, sampled: SampledRanks, rank: number): number =>
  sampled.chances(rank).reduce((sum, chance, k) => sum + chance * at(corrected, k), 0);

const sizes = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 40 }))
  .map(([candidates, more]) => new SampledRanks(candidates + more, candidates));

describe('sampled ranks of exact ranks', () => {
  test('of 5 items, 2 are drawn beside the target: by hand', () => {
    const sampled = new SampledRanks(5, 2);
    near(sampled.chances(1), [1, 0, 0]);
    near(sampled.chances(2), [1 / 2, 1 / 2, 0]);
    near(sampled.chances(3), [1 / 6, 4 / 6, 1 / 6]);
    near(sampled.chances(4), [0, 1 / 2, 1 / 2]);
    near(sampled.chances(5), [0, 0, 1]);
    near(
      sampled.gram,
      [46, 13, 1, 13, 34, 13, 1, 13, 46].map((value) => value / 36 / 5),
    );
  });

  test('chances sum to 1, their mean is that of the hypergeometric distribution, each sampled rank is as likely', () => {
    fc.assert(
      fc.property(sizes, (sampled) => {
        const { items, candidates } = sampled;
        const sums = new Float64Array(candidates + 1);
        for (let rank = 1; rank <= items; rank++) {
          const chances = sampled.chances(rank);
          near([chances.reduce((sum, chance) => sum + chance, 0)], [1]);
          near(
            [chances.reduce((sum, chance, k) => sum + chance * k, 0)],
            [(candidates * (rank - 1)) / (items - 1)],
            1e-11,
          );
          chances.forEach((chance, k) => (sums[k] = at(sums, k) + chance));
        }
        near(
          sums,
          Array.from(sums, () => items / (candidates + 1)),
          1e-11,
        );
      }),
    );
  });

  test('they are how often lists that are drawn without replacement bring so many better items', () => {
    const [sampled, rank, draws] = [new SampledRanks(40, 15), 12, 20_000];
    const random = new Random(1, 'sampled ranks');
    const times = new Float64Array(16);
    for (let draw = 0; draw < draws; draw++) {
      const list = random.shuffle(Int32Array.from({ length: 39 }, (_, i) => i)).subarray(0, 15);
      const better = list.filter((item) => item < rank - 1).length;
      times[better] = at(times, better) + 1;
    }
    sampled.chances(rank).forEach((chance, k) => {
      const deviation = Math.sqrt(draws * chance * (1 - chance));
      assert.ok(Math.abs(at(times, k) - draws * chance) <= 4 * deviation, `${times[k]} of ${draws * chance} at ${k}`);
    });
  });

  test('more candidates than items are refused', () => {
    assert.throws(() => new SampledRanks(5, 5), UserError);
    assert.throws(() => new SampledRanks(5, 0), UserError);
    assert.throws(() => new SampledRanks(5.5, 2), UserError);
  });
});

describe('estimators', () => {
  const five = new SampledRanks(5, 2);

  test('without ties, the metrics are those of the evaluation', () => {
    for (const name of METRICS)
      for (let rank = 1; rank <= 12; rank++) assert.equal(RANK_METRICS[name](rank), metricsOf(rank - 1, 0)[name], name);
  });

  test('of 5 items and 2 candidates: by hand', () => {
    near(unbiasedRank(RANK_METRICS.mrr, five), [1, 1 / 3, 1 / 5]);
    near(unbiasedRank(RANK_METRICS['ndcg@5'], five), [1, 1 / 2, 1 / Math.log2(6)]);
    near(unbiasedRank(RANK_METRICS['hit@1'], five), [1, 0, 0]);
    // (AᵀA) x = Aᵀb with 36 · 5 taken out: [46 13 1; 13 34 13; 1 13 46] x = [36 0 0]
    near(biasVariance(RANK_METRICS['hit@1'], five, 0), [31 / 35, -13 / 35, 3 / 35]);
    // one that may not fall below 0 nor grow is all in the first place: 46 x = 36
    near(leastBias(RANK_METRICS['hit@1'], five), [18 / 23, 0, 0]);
    // γ = .1, 360 taken out: [474 117 9; 117 366 117; 9 117 474] x = [360 0 0]
    const determinant = 474 * (366 * 474 - 117 ** 2) - 117 * (117 * 474 - 117 * 9) + 9 * (117 ** 2 - 366 * 9);
    near(
      biasVariance(RANK_METRICS['hit@1'], five, 0.1),
      [366 * 474 - 117 ** 2, -(117 * 474 - 117 * 9), 117 ** 2 - 366 * 9].map((minor) => (360 * minor) / determinant),
    );
    // γ = 1: of the ranks that r̃ = 1 may come from, 1 : 1/2 : 1/6, the first hits
    near(biasVariance(RANK_METRICS['hit@1'], five, 1), [3 / 5, 0, 0]);
    near(biasVariance(RANK_METRICS.mrr, five, 1), [
      (1 + 1 / 4 + 1 / 18) / (5 / 3),
      (1 / 4 + 2 / 9 + 1 / 8) / (5 / 3),
      (1 / 18 + 1 / 8 + 1 / 5) / (5 / 3),
    ]);
  });

  test('they are what a second version says, worked out otherwise', () => {
    for (const { items, candidates, ...told } of metricsFixture.corrections) {
      const sampled = new SampledRanks(items, candidates);
      const metric = (name: string): RankMetric => RANK_METRICS[name as MetricName];
      for (const [name, values] of Object.entries(told.unbiasedRank))
        near(unbiasedRank(metric(name), sampled), values, 1e-9);
      for (const [name, values] of Object.entries(told.leastBias)) near(leastBias(metric(name), sampled), values, 1e-9);
      for (const { gamma, values: all } of told.biasVariance)
        for (const [name, values] of Object.entries(all))
          near(biasVariance(metric(name), sampled, gamma), values, 1e-9);
    }
  });

  test('the unbiased rank is unbiased', () => {
    fc.assert(
      fc.property(sizes, (sampled) => {
        const ranks = unbiasedRank((rank) => rank, sampled);
        for (let rank = 1; rank <= sampled.items; rank++)
          near([expected(ranks, sampled, rank)], [rank], 1e-11 * sampled.items);
      }),
    );
  });

  test('with all items as candidates, every estimator is the metric itself', () => {
    const all = corrections(new SampledRanks(9, 8));
    for (const name of METRICS) {
      const exact = Array.from({ length: 9 }, (_, k) => RANK_METRICS[name](k + 1));
      for (const estimator of ESTIMATORS) near(all[estimator][name], exact, 1e-9);
    }
  });

  test('the least bias never falls below 0, never grows, and is not worse than others of that kind', () => {
    const size = fc.tuple(sizes, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })));
    const bias = (corrected: Float64Array, sampled: SampledRanks, metric: RankMetric): number => {
      let sum = 0;
      for (let rank = 1; rank <= sampled.items; rank++)
        sum += (expected(corrected, sampled, rank) - metric(rank)) ** 2 / sampled.items;
      return sum;
    };
    fc.assert(
      fc.property(size, fc.constantFrom(...METRICS), ([sampled, numbers], name) => {
        const metric = RANK_METRICS[name];
        const best = leastBias(metric, sampled);
        assert.ok(best.every((value, k) => value >= (best[k + 1] ?? 0)));
        const other = Float64Array.from(numbers.take(best.length)).sort().toReversed();
        assert.ok(bias(best, sampled, metric) <= bias(other, sampled, metric) + 1e-12);
        const between = best.map((value, k) => 0.9 * value + 0.1 * at(other, k));
        assert.ok(bias(best, sampled, metric) <= bias(between, sampled, metric) + 1e-12);
      }),
    );
  });

  test('a trade-off outside 0 to 1 is refused, and one that leaves a hundred candidates undecided', () => {
    for (const gamma of [-0.1, 1.1, Number.NaN])
      assert.throws(() => biasVariance(RANK_METRICS.mrr, five, gamma), /gamma is .*: give a number from 0 to 1/);
    assert.throws(() => biasVariance(RANK_METRICS.mrr, new SampledRanks(1000, 99), 0), /give a larger one/);
  });
});

describe('corrected metrics of users', () => {
  test('an estimate is its mean over the ranks that a target may take', () => {
    const correction = corrections(new SampledRanks(5, 2))['bias-variance'];
    const { mrr } = correctedValues(correction, { better: [0, 1, 0], tied: [0, 1, 2] });
    const [first, second, third] = correction.mrr as unknown as [number, number, number];
    near(mrr, [first, (second + third) / 2, (first + second + third) / 3], 1e-15);
    assert.throws(() => correctedValues(correction, { better: [2], tied: [1] }), /rank 4/);
  });

  test('uncorrected, they are the sampled metrics, ties and all', () => {
    const ranks = { better: [0, 3, 90, 9], tied: [0, 4, 9, 1] };
    const values = correctedValues(uncorrected(new SampledRanks(500, 99)), ranks);
    for (const name of METRICS)
      near(
        values[name],
        ranks.better.map((better, user) => metricsOf(better, at(ranks.tied, user))[name]),
      );
  });

  test('ties in a sample are the ties of the full ranking, broken at random: every sample of 4 of 8 items', () => {
    // 2 items are better, 3 tied with the target, 3 worse
    const [sampled, kinds] = [new SampledRanks(9, 4), ['b', 'b', 't', 't', 't', 'w', 'w', 'w']];
    const subsets = Array.from({ length: 256 }, (_, bits) => kinds.filter((_, i) => (bits >> i) & 1)).filter(
      ({ length }) => length === 4,
    );
    const count = (kind: string): number[] => subsets.map((drawn) => drawn.filter((one) => one === kind).length);
    for (const estimator of ESTIMATORS) {
      const correction = corrections(sampled)[estimator];
      const values = correctedValues(correction, { better: count('b'), tied: count('t') });
      for (const name of METRICS) {
        const mean = values[name].reduce((sum, value) => sum + value, 0) / subsets.length;
        const overTies = [3, 4, 5, 6].map((rank) => expected(correction[name], sampled, rank) / 4);
        near([mean], [overTies.reduce((sum, value) => sum + value, 0)]);
      }
    }
  });
});

describe('what corrections are good for', () => {
  const sampled = new SampledRanks(2000, 99);
  const all = { sampled: uncorrected(sampled), ...corrections(sampled) };
  /** Rankers by where their targets stand, from good to no better than guessing. */
  const rankers: Readonly<Record<string, (random: Random) => number>> = {
    good: (random) => Math.min(2000, 1 + Math.floor(-30 * Math.log(1 - random.float()))),
    'a heavy tail': (random) => Math.min(2000, Math.floor((1 - random.float()) ** -2)),
    mixed: (random) => (random.float() < 0.3 ? 1 + random.integer(15) : 1 + random.integer(2000)),
    guessing: (random) => 1 + random.integer(2000),
  };

  for (const [name, draw] of Object.entries(rankers))
    test(`ranks of ${name}: corrected metrics are nearer to the true ones than sampled ones, and as expected`, () => {
      const random = new Random(2, 'corrections', name);
      const users = 4000;
      const ranks = Array.from({ length: users }, () => draw(random));
      const better = ranks.map((rank) => drawnBetter(rank, random));
      for (const metric of ['hit@10', 'ndcg@10', 'mrr'] as const) {
        const truth = ranks.reduce((sum, rank) => sum + RANK_METRICS[metric](rank), 0) / users;
        const errors = (['sampled', ...ESTIMATORS] as const).map((estimate) => {
          const values = correctedValues(all[estimate], { better, tied: better.map(() => 0) })[metric];
          const mean = values.reduce((sum, value) => sum + value, 0) / users;
          const means = ranks.map((rank) => expected(all[estimate][metric], sampled, rank));
          const squares = ranks.map((rank, user) =>
            expected(
              all[estimate][metric].map((value) => (value - at(means, user)) ** 2),
              sampled,
              rank,
            ),
          );
          const deviation = Math.sqrt(squares.reduce((sum, square) => sum + square, 0)) / users;
          const wanted = means.reduce((sum, value) => sum + value, 0) / users;
          assert.ok(Math.abs(mean - wanted) <= 4 * deviation, `${metric} ${estimate}: ${mean}, expected ${wanted}`);
          return Math.abs(mean - truth);
        });
        const [raw, ...corrected] = errors as [number, ...number[]];
        for (const [i, error] of corrected.entries())
          assert.ok(error < raw, `${metric}: ${ESTIMATORS[i]} misses by ${error}, the sampled one by ${raw}`);
      }
    });

  /** Draws 99 of the 1,999 others one by one: how many of them are better. */
  function drawnBetter(rank: number, random: Random): number {
    let better = 0;
    for (let drawn = 0; drawn < 99; drawn++) if (random.integer(1999 - drawn) < rank - 1 - better) better++;
    return better;
  }
});
