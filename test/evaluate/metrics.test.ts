import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { chance, METRICS, metricsOf, place, summarise } from '../../src/evaluate/index.js';

const near = (actual: number, expected: number, tolerance = 1e-12): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);

describe('metrics of one target', () => {
  test('rank 1: every metric is 1', () => {
    for (const name of METRICS) assert.equal(metricsOf(0, 0)[name], 1);
  });

  test('rank 3: no hit at 1, gain 1 / log2(4) = .5, reciprocal 1/3', () => {
    assert.deepEqual(metricsOf(2, 0), {
      'hit@1': 0,
      'hit@5': 1,
      'hit@10': 1,
      'ndcg@5': 0.5,
      'ndcg@10': 0.5,
      mrr: 1 / 3,
    });
  });

  test('rank 5 counts at 5, rank 6 only at 10', () => {
    assert.equal(metricsOf(4, 0)['hit@5'], 1);
    near(metricsOf(4, 0)['ndcg@5'], 1 / Math.log2(6));
    assert.equal(metricsOf(5, 0)['hit@5'], 0);
    assert.equal(metricsOf(5, 0)['ndcg@5'], 0);
    near(metricsOf(5, 0)['ndcg@10'], 1 / Math.log2(7));
  });

  test('rank 10 counts at 10, rank 11 only in MRR', () => {
    assert.equal(metricsOf(9, 0)['hit@10'], 1);
    near(metricsOf(9, 0)['ndcg@10'], 1 / Math.log2(11));
    assert.deepEqual(metricsOf(10, 0), { 'hit@1': 0, 'hit@5': 0, 'hit@10': 0, 'ndcg@5': 0, 'ndcg@10': 0, mrr: 1 / 11 });
  });

  test('tied over ranks 10 and 11: half of rank 10', () => {
    assert.equal(metricsOf(9, 1)['hit@10'], 0.5);
    near(metricsOf(9, 1)['ndcg@10'], 0.5 / Math.log2(11));
    near(metricsOf(9, 1).mrr, (1 / 10 + 1 / 11) / 2);
  });

  test('tied over ranks 1 and 2: hit@1 is one half', () => {
    assert.equal(metricsOf(0, 1)['hit@1'], 0.5);
    assert.equal(metricsOf(0, 1).mrr, 0.75);
    near(metricsOf(0, 1)['ndcg@5'], (1 + 1 / Math.log2(3)) / 2);
  });

  test('ties are the mean over the ranks they may take', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(30), (better, tied) => {
        for (const name of METRICS) {
          let sum = 0;
          for (let above = better; above <= better + tied; above++) sum += metricsOf(above, 0)[name];
          near(metricsOf(better, tied)[name], sum / (tied + 1));
        }
      }),
    );
  });

  test('a worse rank is never a better metric, nor is one more tie', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), (better, tied) => {
        for (const name of METRICS) {
          assert.ok(metricsOf(better + 1, tied)[name] <= metricsOf(better, tied)[name] + 1e-12);
          assert.ok(metricsOf(better, tied + 1)[name] <= metricsOf(better, tied)[name] + 1e-12);
        }
      }),
    );
  });
});

describe('chance', () => {
  test('with 100 candidates is the published level', () => {
    const level = chance(100);
    near(level['hit@1'], 0.01);
    near(level['hit@5'], 0.05);
    near(level['hit@10'], 0.1);
    near(level['ndcg@5'], 0.0295, 5e-5);
    near(level['ndcg@10'], 0.0454, 5e-5);
    near(level.mrr, 0.0519, 5e-5);
  });

  test('with the target alone is 1, with nothing NaN', () => {
    for (const name of METRICS) {
      assert.equal(chance(1)[name], 1);
      assert.ok(Number.isNaN(chance(0)[name]));
    }
  });
});

describe('place', () => {
  test('counts strictly better and equal scores', () => {
    assert.deepEqual(place(2, [3, 2, 1, 2, 5]), { better: 2, tied: 2 });
  });

  test('no candidates: the target stands alone', () => {
    assert.deepEqual(place(2, []), { better: 0, tied: 0 });
  });

  test('infinite scores have a place, 0 and -0 are equal', () => {
    assert.deepEqual(place(-Infinity, [0, -Infinity, Infinity]), { better: 2, tied: 1 });
    assert.deepEqual(place(0, [-0]), { better: 0, tied: 1 });
  });

  test('NaN has none, in the target or a candidate', () => {
    assert.equal(place(Number.NaN, [1]), undefined);
    assert.equal(place(Number.NaN, []), undefined);
    assert.equal(place(1, [0, Number.NaN]), undefined);
  });

  test('the order of candidates does not matter', () => {
    const scores = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 });
    const pair = scores.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(fc.nat(5), pair, (target, [list, shuffled]) =>
        assert.deepEqual(place(target, list), place(target, shuffled)),
      ),
    );
  });
});

describe('summarise', () => {
  test('by hand: ranks 1 and 2', () => {
    const { metrics, intervals, users, tieRate } = summarise({ better: [0, 1], tied: [0, 0] });
    assert.equal(metrics['hit@1'], 0.5);
    assert.equal(metrics.mrr, 0.75);
    assert.equal(users, 2);
    assert.equal(tieRate, 0);
    // 1 and 1/2: sd = .3536, standard error .25
    near(intervals.mrr[0], 0.75 - 1.96 * 0.25);
    near(intervals.mrr[1], 0.75 + 1.96 * 0.25);
    assert.deepEqual(intervals['hit@5'], [1, 1]);
  });

  test('all tied: a constant scorer gets exactly chance, whatever the number of users', () => {
    const users = 1000;
    const { metrics, intervals, tieRate } = summarise({
      better: new Int32Array(users),
      tied: new Int32Array(users).fill(99),
    });
    assert.deepEqual(metrics, chance(100));
    assert.equal(tieRate, 1);
    assert.deepEqual(intervals.mrr, [metrics.mrr, metrics.mrr]);
  });

  test('no users: NaN; one user: no interval', () => {
    const none = summarise({ better: [], tied: [] });
    assert.equal(none.users, 0);
    assert.ok(Number.isNaN(none.metrics.mrr) && Number.isNaN(none.intervals.mrr[0]) && Number.isNaN(none.tieRate));
    const one = summarise({ better: [1], tied: [0] });
    assert.equal(one.metrics.mrr, 0.5);
    assert.ok(Number.isNaN(one.intervals.mrr[0]) && Number.isNaN(one.intervals.mrr[1]));
  });

  test('gains stay within the bounds that hits set', () => {
    // Ranks 6 … 10 add .2891 to .3562 of gain for each hit; ranks 2 … 5 add .3869 to .6309.
    const rank = fc.record({ better: fc.nat(99), tied: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(rank, { minLength: 1, maxLength: 60 }), (ranks) => {
        const { metrics } = summarise({
          better: ranks.map(({ better }) => better),
          tied: ranks.map(({ tied }) => tied),
        });
        const [ten, five] = [metrics['hit@10'] - metrics['hit@5'], metrics['hit@5'] - metrics['hit@1']];
        const within = (gain: number, hits: number, low: number, high: number): void => {
          assert.ok(
            gain >= low * hits - 1e-9 && gain <= high * hits + 1e-9,
            `${gain} / ${hits} is outside [${low}, ${high}]`,
          );
        };
        within(metrics['ndcg@10'] - metrics['ndcg@5'], ten, 1 / Math.log2(11), 1 / Math.log2(7));
        within(metrics['ndcg@5'] - metrics['hit@1'], five, 1 / Math.log2(6), 1 / Math.log2(3));
      }),
    );
  });
});
