import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_INDEX } from '../../src/data/index.js';
import { popularityRanker, randomRanker } from '../../src/model/models/popularity.js';
import { allScores } from '../support/rankers.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const dataset = tinyDataset(
  { ann: ['a', 'b', 'a', 'c', 'd'], bob: ['a', 'c', 'd'], cat: ['b', 'c'] },
  { items: ['a', 'b', 'c', 'd', 'e'] },
);
const cases = [
  { user: 2, feedPosition: 4 },
  { user: 3, feedPosition: 7 },
];
const candidates = Int32Array.of(2, 3, 4, 5, 6, 6, 5, 4, 3, 2);

test('popularity counts training feed events only; users who hold nothing out count whole', async () => {
  assert.deepEqual(
    Array.from(await popularityRanker(dataset).score(cases, candidates, 5)),
    [3, 2, 1, 0, 0, 0, 0, 1, 2, 3],
  );
});

test('popularity with held-out events counts them too, and its name says so', async () => {
  const leaky = popularityRanker(dataset, { countHeldOut: true });
  assert.deepEqual(Array.from(await leaky.score(cases.slice(1), candidates.subarray(0, 5), 5)), [3, 2, 3, 2, 0]);
  assert.match(leaky.name, /leaky/);
});

test('scores of all items agree with scores of candidates', async () => {
  for (const ranker of [popularityRanker(dataset), randomRanker(dataset, 1)]) {
    const some = await ranker.score(cases, candidates, 5);
    const all = await allScores(
      ranker,
      cases,
      dataset.items.ids.length,
      Int32Array.from(cases, () => FIRST_INDEX),
    );
    assert.equal(all.length, cases.length * dataset.items.ids.length);
    for (const [i, item] of candidates.entries())
      assert.equal(some[i], all[Math.floor(i / 5) * dataset.items.ids.length + item]);
  }
});

test('random scores depend on seed, user and item, not on batch or order', async () => {
  const ranker = randomRanker(dataset, 1);
  const scores = await ranker.score(cases, candidates, 5);
  assert.deepEqual(await ranker.score(cases.slice(1), candidates.subarray(5), 5), scores.subarray(5));
  assert.equal(new Set(scores).size, 10);
  assert.ok(scores.every((score) => score >= 0 && score < 1));
  assert.notDeepEqual(await randomRanker(dataset, 2).score(cases, candidates, 5), scores);
});
