import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  METRICS,
  type UserRanks,
  intervalsOverSeeds,
  metricsOf,
  metricsOver,
  ranksOf,
  userMeans,
} from '../../src/evaluate/index.js';

const ranks = (
  better: readonly number[],
  user = better.map((_, i) => i + 2),
  tied = better.map(() => 0),
): UserRanks => ({
  user,
  better,
  tied,
});

test('a user’s metrics are averaged over seeds: by hand', () => {
  const { mrr, 'hit@1': hit } = userMeans([ranks([0, 1]), ranks([3, 1]), ranks([0, 9])]);
  assert.deepEqual([...hit], [2 / 3, 0]);
  assert.ok(Math.abs((mrr[0] as number) - (1 + 1 / 4 + 1) / 3) < 1e-15);
  assert.ok(Math.abs((mrr[1] as number) - (1 / 2 + 1 / 2 + 1 / 10) / 3) < 1e-15);
});

test('one seed is itself, ties and all', () => {
  const means = userMeans([ranks([4, 0], [2, 3], [3, 1])]);
  for (const name of METRICS) assert.deepEqual([...means[name]], [metricsOf(4, 3)[name], metricsOf(0, 1)[name]], name);
});

test('the mean over users of averages over seeds is the mean over seeds of averages over users', () => {
  const seeds = [ranks([0, 5, 7, 2]), ranks([1, 1, 20, 2]), ranks([3, 0, 0, 11])];
  const means = userMeans(seeds);
  const intervals = intervalsOverSeeds(seeds.map(metricsOver));
  for (const name of METRICS) {
    const overUsers = means[name].reduce((sum, value) => sum + value, 0) / 4;
    assert.ok(Math.abs(overUsers - intervals[name].mean) < 1e-15, name);
    assert.equal(intervals[name].degreesOfFreedom, 2);
  }
});

test('trainings that are the same have the mean that each has, to the last bit, however many they are', () => {
  const one = ranks([0, 5, 7, 2, 1], undefined, [0, 1, 0, 3, 0]);
  for (const count of [1, 3, 5, 6, 7])
    assert.deepEqual(userMeans(Array.from({ length: count }, () => one)), userMeans([one]), String(count));
});

test('the interval over two seeds is Student’s, with one degree of freedom; over one there is none', () => {
  const { 'hit@1': hit } = intervalsOverSeeds([ranks([0, 9]), ranks([0, 0])].map(metricsOver)); // .5 and 1
  assert.ok(Math.abs(hit.mean - 0.75) < 1e-15);
  assert.ok(Math.abs(hit.halfWidth - 12.7062 * 0.25) < 1e-4); // t at 97.5 %, from a table
  assert.ok(Number.isNaN(intervalsOverSeeds([metricsOver(ranks([0]))])['hit@1'].halfWidth));
});

test('ranks of some users are those of the same users', () => {
  const some = ranksOf(ranks([5, 6, 7, 8], [2, 4, 6, 9], [1, 0, 3, 2]), [4, 9]);
  assert.deepEqual(
    [Array.from(some.user), Array.from(some.better), Array.from(some.tied)],
    [
      [4, 9],
      [6, 8],
      [0, 2],
    ],
  );
  assert.deepEqual(Array.from(ranksOf(ranks([5, 6]), []).better), []);
  assert.throws(() => ranksOf(ranks([5, 6], [2, 4]), [2, 3]), /not ranked for/);
  assert.throws(() => ranksOf(ranks([5, 6], [2, 4]), [5]), /not ranked for/);
});

test('trainings that ranked for other users cannot be averaged', () => {
  assert.throws(() => userMeans([ranks([1, 2], [2, 3]), ranks([1, 2], [2, 4])]), /same users/);
  assert.throws(() => userMeans([ranks([1, 2], [2, 3]), ranks([1], [2])]), /same users/);
});
