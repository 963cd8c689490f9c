import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Dataset, UNKNOWN } from '../../src/data/index.js';
import { candidatesOf, drawCandidates, evaluate } from '../../src/evaluate/index.js';
import { gatherRows } from '../../src/features/index.js';
import { type Case, type Ranker, popularityRanker } from '../../src/model/index.js';
import { importGlobalTime } from '../support/global-time.js';
import { allScores, rankerOf } from '../support/rankers.js';
import { scratchFolder } from '../data/folders.js';

/** Scores by index, and remembers what it was asked. */
function asked(dataset: Dataset): { ranker: Ranker; cases: Case[]; items: Set<number> } {
  const [cases, items] = [[] as Case[], new Set<number>()];
  const byIndex = rankerOf(dataset.items.ids.length, (item) => item);
  const ranker: Ranker = {
    name: byIndex.name,
    score: async (given, candidates, perCase) => {
      cases.push(...given);
      for (const item of candidates) items.add(item);
      return byIndex.score(given, candidates, perCase);
    },
    scoreAll: async (given, ...rest) => {
      cases.push(...given);
      return byIndex.scoreAll(given, ...rest);
    },
  };
  return { ranker, cases, items };
}

const setUp = async (t: TestContext): Promise<Dataset> => importGlobalTime(await scratchFolder(t));

test('users with a target in the window are asked, others are counted by why they are left out', async (t) => {
  const data = await setUp(t);
  const told = (cases: readonly Case[]) =>
    cases.map(({ user, feedPosition }) => [data.users.ids[user], data.feedTime[feedPosition]]);
  const validation = asked(data);
  const on = await evaluate(validation.ranker, data, { on: 'validation', protocol: 'full' });
  assert.deepEqual(told(validation.cases), [['cat', 160]]);
  assert.deepEqual([on.protocol.unknownTargets, on.protocol.leftOut], [1, 0], "ann's item is from after the cut");
  assert.equal(on.protocol.split, 'global-time');
  assert.equal(on.protocol.newItems, undefined);

  const later = asked(data);
  const result = await evaluate(later.ranker, data, { on: 'test', protocol: 'full' });
  assert.deepEqual(told(later.cases), [
    ['ann', 210],
    ['dan', 250],
    ['bob', 205],
  ]);
  assert.deepEqual([result.protocol.unknownTargets, result.protocol.leftOut], [0, 1], 'nothing came before eve');
  // ann knows a and b: d is left beside the target. dan knows nothing: b and d. bob knows d, his target: a and b.
  assert.equal(result.protocol.count, (1 + 2 + 2) / 3);
  assert.deepEqual([...result.ranks.better], [1, 2, 0], 'the unknown item is not among the ranked');
});

test('new items that the split lets in are targets and candidates, and the protocol counts them', async (t) => {
  const data = await importGlobalTime(await scratchFolder(t), { newItems: true });
  const { ranker, cases } = asked(data);
  const on = await evaluate(ranker, data, { on: 'validation', protocol: 'full' });
  assert.deepEqual(
    cases.map(({ user, feedPosition }) => [data.users.ids[user], data.feedTime[feedPosition]]),
    [
      ['ann', 110],
      ['cat', 160],
    ],
  );
  assert.deepEqual([on.protocol.unknownTargets, on.protocol.newItems], [0, { items: 2, targets: 1 }]);
  // by index z and c are best; ann knows a and b; cat knows nothing and meets a, behind b, d, z and c
  assert.deepEqual([...on.ranks.better], [0, 4]);
  const lists = drawCandidates(data, { count: 2 });
  const drawn = Array.from(candidatesOf(lists, data.users.index('ann')) ?? [], (item) => data.items.ids[item]);
  assert.deepEqual(new Set(drawn), new Set(['d', 'z']), 'ann has met the others');
});

test('a test history holds the validation window', async (t) => {
  const data = await setUp(t);
  const user = data.users.index('ann');
  const moment = { user, feedPosition: data.targets.test[user] as number };
  const rows = gatherRows(data, [moment], { feed: 5, search: 2, clicks: 1, words: 1 });
  assert.deepEqual([...rows.feed], [2, 2, UNKNOWN, 2, 0]);
  assert.deepEqual([...rows.search], [data.queries.index('tea'), 0]);
});

test('candidates are drawn for users with a target that can be predicted, from what training knows', async (t) => {
  const data = await setUp(t);
  const lists = drawCandidates(data, { count: 1 });
  const listed = Object.fromEntries(
    data.users.ids
      .slice(2)
      .map((user) => [
        user,
        Array.from(candidatesOf(lists, data.users.index(user)) ?? [], (item) => data.items.ids[item]),
      ]),
  );
  assert.deepEqual([listed['ann'], listed['bob']], [['d'], ['b']], 'the one known item that each never met');
  for (const user of ['cat', 'dan', 'eve']) assert.ok(['b', 'd'].includes(listed[user]?.[0] as string), user);
  const { ranker, items } = asked(data);
  await evaluate(ranker, data, { on: 'test', protocol: 'sampled', candidates: lists });
  assert.ok(!items.has(UNKNOWN));
});

test('popularity counts what happened before the cut', async (t) => {
  const data = await setUp(t);
  const scores = await allScores(popularityRanker(data), [{ user: 2, feedPosition: 0 }], data.items.ids.length);
  assert.deepEqual(Object.fromEntries(data.items.ids.map((item, index) => [item, scores[index]])), {
    '': 0,
    a: 2,
    b: 0,
    d: 1,
  });
});

test('where no target can be predicted, that is told', async (t) => {
  const data = await setUp(t);
  const nobody = new Int32Array(data.users.ids.length).fill(-1);
  const unknown = nobody.with(data.users.index('ann'), data.targets.validation[data.users.index('ann')] as number);
  const { ranker } = asked(data);
  const options = { on: 'validation', protocol: 'full' } as const;
  await assert.rejects(
    evaluate(ranker, { ...data, targets: { ...data.targets, validation: nobody } }, options),
    /no user has a feed event in the validation window/,
  );
  await assert.rejects(
    evaluate(ranker, { ...data, targets: { ...data.targets, validation: unknown } }, options),
    /all 1 validation targets .* that training does not know/,
  );
});
