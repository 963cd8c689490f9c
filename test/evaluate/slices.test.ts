import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import {
  METRICS,
  type Slicing,
  type SlicingName,
  evaluate,
  metricsOf,
  slicesOf,
  summariseSlices,
} from '../../src/evaluate/index.js';
import { randomRanker } from '../../src/model/index.js';
import { scratchFolder } from '../data/folders.js';
import { importGlobalTime } from '../support/global-time.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const search = { query: 'q' };

/** The last two feed events of each but `few` are held out: in training, a comes 8 times, b 5, c 2, d once, e and f never. */
const stories: Readonly<Record<string, readonly TinyEvent[]>> = {
  never: ['a', 'b', 'a', 'e'],
  once: ['a', search, 'a', 'a', 'b', 'd', 'a'],
  twice: ['a', search, search, 'b', 'c', 'f'],
  often: [search, search, search, 'a', 'a', 'b', 'c', 'c', search, 'b', 'c'],
  short: ['d', 'a', 'c'],
  few: ['a', 'b'],
};

const data = tinyDataset(stories);
const named = (dataset: Dataset, slicings: readonly Slicing[], name: SlicingName): [string, string][] => {
  const slicing = slicings.find((one) => one.name === name);
  assert.ok(slicing, name);
  return slicing.slices.map(({ name, users }) => [
    name,
    Array.from(users, (user) => dataset.users.ids[user]).join(' '),
  ]);
};

test('by searches before the target: none, little up to the median of those who search, much', () => {
  // never 0, once 1, twice 2, often 4 (3 before the validation target), short 0
  assert.deepEqual(named(data, slicesOf(data, 'test'), 'searches'), [
    ['none', 'never short'],
    ['little, 1 to 2', 'once twice'],
    ['much', 'often'],
  ]);
  const [slicing] = slicesOf(data, 'validation');
  assert.match(slicing?.rule ?? '', /more than 2, the median/);
});

test('by feed events before the target, at thirds of the users', () => {
  // never 3, once 5, twice 3, often 6, short 2
  assert.deepEqual(named(data, slicesOf(data, 'test'), 'history'), [
    ['short, to 3', 'never twice short'],
    ['middle, to 5', 'once'],
    ['long', 'often'],
  ]);
  // each has one event less before the validation target: 2, 4, 2, 5, 1
  assert.deepEqual(named(data, slicesOf(data, 'validation'), 'history'), [
    ['short, to 2', 'never twice short'],
    ['middle, to 4', 'once'],
    ['long', 'often'],
  ]);
});

test('by training events of the target: thirds of all events, and new items', () => {
  const slicings = slicesOf(data, 'test');
  // training: never a b, once a a a b, twice a b, often a a b c c, short d, few a b: a 8, b 5, c 2, d 1 of 16
  assert.deepEqual(named(data, slicings, 'popularity'), [
    ['head', 'once'],
    ['middle', ''],
    ['tail', 'never twice often short'],
  ]);
  assert.match(slicings.find(({ name }) => name === 'popularity')?.rule ?? '', /head: 8 or more.*middle: 5 or more/);
  assert.deepEqual(named(data, slicings, 'newItems'), [
    ['0', 'never twice'],
    ['1 to 5', 'often short'],
    ['more', 'once'],
  ]);
  assert.deepEqual(named(data, slicesOf(data, 'validation'), 'popularity'), [
    ['head', 'never short'],
    ['middle', 'often'],
    ['tail', 'once twice'],
  ]);
});

test('items as popular as each other are in the same slice', () => {
  const even = tinyDataset(Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((item) => [item, [item, 'a', item]])));
  assert.deepEqual(named(even, slicesOf(even, 'test'), 'popularity'), [
    ['head', 'a b c d e'],
    ['middle', ''],
    ['tail', ''],
  ]);
});

test('under global time, users without training events are apart', async (t) => {
  const log = await importGlobalTime(await scratchFolder(t));
  assert.deepEqual(named(log, slicesOf(log, 'validation'), 'newUsers'), [
    ['new', 'cat'],
    ['known', ''],
  ]);
  assert.deepEqual(named(log, slicesOf(log, 'test'), 'newUsers'), [
    ['new', ''],
    ['known', 'ann dan bob'], // dan had searched
  ]);
  assert.equal(
    slicesOf(data, 'test').some(({ name }) => name === 'newUsers'),
    false,
    'leave-one-out has none',
  );
});

test('every user with a target is in one slice of each kind, whoever was evaluated', async () => {
  const slicings = slicesOf(data, 'test');
  for (const { name, slices } of slicings) {
    const users = slices.flatMap(({ users }) => [...users]).sort((one, other) => one - other);
    assert.deepEqual(users, [2, 3, 4, 5, 6], name);
  }
  const { ranks } = await evaluate(randomRanker(data, 1), data, { on: 'test', protocol: 'full', users: 3 });
  for (const { name, slices } of summariseSlices(slicings, ranks)) {
    assert.equal(
      slices.reduce((sum, { summary }) => sum + summary.users, 0),
      3,
      name,
    );
  }
});

test('metrics of a slice are those of its users', () => {
  const ranks = { user: [2, 3, 4, 5, 6], better: [0, 1, 2, 0, 9], tied: [0, 0, 1, 0, 0] };
  const [searches] = summariseSlices(slicesOf(data, 'test'), ranks);
  const [none, little, much] = searches?.slices ?? [];
  for (const metric of METRICS) {
    assert.equal(none?.summary.metrics[metric], (metricsOf(0, 0)[metric] + metricsOf(9, 0)[metric]) / 2);
    assert.equal(little?.summary.metrics[metric], (metricsOf(1, 0)[metric] + metricsOf(2, 1)[metric]) / 2);
    assert.equal(much?.summary.metrics[metric], 1);
  }
  assert.deepEqual([none?.summary.users, little?.summary.tieRate], [2, 1 / 2]);
  const [alone] = summariseSlices(slicesOf(data, 'test'), { user: [2], better: [0], tied: [0] });
  assert.equal(alone?.slices[2]?.summary.users, 0);
  assert.equal(alone?.slices[2]?.summary.metrics.mrr, Number.NaN, 'nobody');
});

test('without a user to evaluate there are no slices', () => {
  assert.throws(() => slicesOf(tinyDataset({ ann: ['a', 'b'] }), 'test'), UserError);
});
