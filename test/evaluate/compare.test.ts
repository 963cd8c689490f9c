import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Evaluation, compare, userDifferences } from '../../src/evaluate/index.js';

/** As much of an evaluation as a comparison looks at. */
function evaluation(better: readonly number[], { hash = 'a', users = better.map((_, i) => i + 2) } = {}): Evaluation {
  return {
    protocol: { name: 'sampled', on: 'test', hash },
    ranks: { user: Int32Array.from(users), better: Int32Array.from(better), tied: new Int32Array(better.length) },
  } as unknown as Evaluation;
}

test('differences are taken user by user: mean and error by hand', () => {
  // MRR 1, 1/2, 1/4 against 1/2, 1/2, 1/2: differences 1/2, 0, -1/4
  const { mrr } = compare(evaluation([0, 1, 3]), evaluation([1, 1, 1]));
  assert.ok(Math.abs(mrr.difference - 1 / 12) < 1e-15);
  const variance = ((1 / 2 - 1 / 12) ** 2 + (1 / 12) ** 2 + (1 / 4 + 1 / 12) ** 2) / 2;
  assert.ok(Math.abs(mrr.error - Math.sqrt(variance / 3)) < 1e-15);
  // Student's t at 97.5 % for two degrees of freedom, from a table.
  assert.ok(Math.abs(mrr.interval[0] - (mrr.difference - 4.302653 * mrr.error)) < 1e-5);
  assert.ok(Math.abs(mrr.interval[1] - (mrr.difference + 4.302653 * mrr.error)) < 1e-5);
});

test('the interval of many users is the normal one', () => {
  const ranks = Array.from({ length: 22_363 }, (_, user) => (user * 7919) % 30);
  const { mrr } = compare(evaluation(ranks), evaluation(ranks.toReversed()));
  const [low, high] = mrr.interval;
  assert.ok(mrr.error > 0 && Math.abs((high - low) / 2 / (1.96 * mrr.error) - 1) < 5e-5);
});

test('differences of single users, in every metric', () => {
  const { mrr, 'hit@5': hit } = userDifferences(evaluation([0, 1, 9]), evaluation([1, 7, 9]));
  assert.deepEqual([...mrr], [1 / 2, 1 / 2 - 1 / 8, 0]);
  assert.deepEqual([...hit], [0, 1, 0]);
});

test('a ranker compared with itself differs by exactly nothing; the other way round, by the opposite', () => {
  const [one, other] = [evaluation([0, 4, 7]), evaluation([2, 3, 9])];
  assert.deepEqual(compare(one, one)['ndcg@10'], { difference: 0, error: 0, interval: [0, 0] });
  assert.equal(compare(one, other)['ndcg@10'].difference, -compare(other, one)['ndcg@10'].difference);
});

test('a constant difference is sure, where two separate intervals would overlap', () => {
  const { 'hit@10': hit } = compare(evaluation([9, 9, 9]), evaluation([10, 10, 10]));
  assert.deepEqual([hit.difference, hit.error], [1, 0]);
});

test('one user has a difference and no interval', () => {
  const { mrr } = compare(evaluation([0]), evaluation([1]));
  assert.equal(mrr.difference, 0.5);
  assert.ok(Number.isNaN(mrr.error));
});

test('other users or other candidates cannot be compared', () => {
  assert.throws(() => compare(evaluation([0, 1]), evaluation([0, 1], { users: [2, 4] })), /same users and candidates/);
  assert.throws(() => compare(evaluation([0, 1]), evaluation([0, 1], { hash: 'b' })), /same users and candidates/);
});
