import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Share, behaviour } from '../../src/analyse/index.js';
import { UserError } from '../../src/base/index.js';
import { type Dataset, importEvents, loadDataset } from '../../src/data/index.js';
import { simulate } from '../../src/simulate/index.js';

let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-behaviour-'));
});
after(async () => rm(folder, { recursive: true, force: true }));

async function datasetOf(lines: readonly Readonly<Record<string, unknown>>[]): Promise<Dataset> {
  const name = join(folder, `log ${made++}`);
  await writeFile(`${name}.jsonl`, lines.map((line) => JSON.stringify(line)).join('\n'));
  await importEvents({ files: [`${name}.jsonl`], out: name });
  return loadDataset(name);
}

const items = ['tea', 'tea', 'lamps', 'boots'].map((category, i) => ({
  type: 'item',
  item: `i${i + 1}`,
  fields: { category },
}));
const bare = { type: 'item', item: 'bare', fields: {} };
const day = (number: number, millisecond = 0): number => Date.UTC(2026, 0, 1) + number * 86_400_000 + millisecond;
const view = (time: number, item: string, user = 'u') => ({ type: 'view', user, time, item });
let searches = 0;
function search(time: number, clicks: readonly string[], source = 'typed', user = 'u') {
  const id = `s${searches++}`;
  return [
    { type: 'search', id, user, time, query: 'q', source },
    ...clicks.map((item) => ({ type: 'click', user, time: time + 1, item, search: id })),
  ];
}
const counts = ({ count, of }: Share): [number, number] => [count, of];

test('a search is similar when a clicked item has the category of something met in the seven days before it', async () => {
  const { dissimilar, passive, spontaneous } = behaviour(
    await datasetOf([
      ...items,
      view(day(0), 'i1'),
      ...search(day(7), ['i2']), // exactly seven days later: still recent
      ...search(day(7, 1), ['i2']), // a millisecond too late
      ...search(day(8), ['i3'], 'related'),
    ]),
  );
  assert.deepEqual(counts(dissimilar.spontaneous.any), [1, 2]);
  assert.deepEqual(counts(dissimilar.passive.any), [1, 1]);
  assert.deepEqual(
    [counts(passive), counts(spontaneous)],
    [
      [1, 3],
      [2, 3],
    ],
  );
});

test('what is met at the moment of the search or after it does not make it similar, nor what others met', async () => {
  const { dissimilar } = behaviour(
    await datasetOf([
      ...items,
      view(day(1), 'i1'),
      view(day(0), 'i1', 'v'),
      ...search(day(1), ['i1']),
      view(day(2), 'i1'),
    ]),
  );
  assert.deepEqual(counts(dissimilar.spontaneous.any), [1, 1]);
});

test('several clicks: any is similar when one is, all when every one is', async () => {
  const { dissimilar } = behaviour(
    await datasetOf([...items, view(day(0), 'i1'), ...search(day(1), ['i2', 'i3']), ...search(day(2), ['i1', 'i2'])]),
  );
  assert.deepEqual(
    [counts(dissimilar.spontaneous.any), counts(dissimilar.spontaneous.all)],
    [
      [0, 2],
      [1, 2],
    ],
  );
});

test('searches without a click, or without a category, have no side and are counted', async () => {
  const result = behaviour(
    await datasetOf([...items, bare, view(day(0), 'i1'), ...search(day(1), []), ...search(day(2), ['bare'])]),
  );
  assert.deepEqual([result.searches, counts(result.withClicks), result.withoutCategory], [2, [1, 2], 1]);
  assert.deepEqual(counts(result.dissimilar.spontaneous.any), [0, 0]);
  assert.ok(Number.isNaN(result.dissimilar.spontaneous.any.share));
});

test('people who never search or never act are counted, and the first days can be left out', async () => {
  const { users, afterFirstDays } = behaviour(
    await datasetOf([
      ...items,
      view(day(0), 'i1', 'a'),
      view(day(0), 'i1'),
      ...search(day(1), ['i3']),
      ...search(day(8), ['i3']),
      ...search(day(0), ['i4'], 'typed', 'b'),
    ]),
  );
  assert.deepEqual(users, { all: 3, neverSearch: 1, neverInFeed: 1 });
  assert.deepEqual(counts(afterFirstDays.dissimilar.spontaneous.any), [1, 1]);
});

test('the window, the category and the passive sources can be named', async () => {
  const dataset = await datasetOf([
    { type: 'item', item: 'i1', fields: { group: 'x' } },
    { type: 'item', item: 'i2', fields: { group: 'x' } },
    view(day(0), 'i1'),
    ...search(day(2), ['i2'], 'suggested'),
  ]);
  const options = { category: 'group', passiveSources: ['suggested', 'never used'] };
  assert.deepEqual(counts(behaviour(dataset, options).dissimilar.passive.any), [0, 1]);
  assert.deepEqual(counts(behaviour(dataset, { ...options, days: 1 }).dissimilar.passive.any), [1, 1]);
  assert.throws(
    () => behaviour(dataset),
    (error) => error instanceof UserError && /no attribute "category".*they have group/.test(error.message),
  );
});

test('passive sources that nobody searched from are refused, but for the usual one', async () => {
  const dataset = await datasetOf([...items, view(day(0), 'i1'), ...search(day(1), ['i1'], 'suggested')]);
  assert.equal(behaviour(dataset).passive.share, 0);
  assert.throws(
    () => behaviour(dataset, { passiveSources: ['sugested'] }),
    (error) =>
      error instanceof UserError && /"sugested".*searches start from suggested: .*--passive/.test(error.message),
  );
});

test('the interval has users for its unit', async () => {
  // one person with nine dissimilar searches, one with a similar one: 0.9 of the searches, but two people
  const lines = [
    ...items,
    view(day(0), 'i1'),
    view(day(0), 'i1', 'v'),
    ...Array.from({ length: 9 }, (_, i) => search(day(1, i), ['i4'])).flat(),
    ...search(day(1), ['i2'], 'typed', 'v'),
  ];
  const { share, interval } = behaviour(await datasetOf(lines)).dissimilar.spontaneous.any;
  assert.equal(share, 0.9);
  // residuals 9 - 8.1 and 0 - 0.9, two users: 1.96 sqrt((0.81 + 0.81) 2 / 1) / 10
  assert.ok(Math.abs(interval[1] - interval[0] - 2 * 1.96 * Math.sqrt(3.24) * 0.1) < 1e-12);
});

test('a log without searches or times is refused in one line', async () => {
  const dataset = await datasetOf([...items, view(day(0), 'i1'), ...search(day(1), ['i1'])]);
  for (const [broken, expected] of [
    [{ ...dataset, searchQuery: new Int32Array(0) }, /no searches/],
    [{ ...dataset, feedTime: new Float64Array(1).fill(Number.NaN) }, /no time/],
  ] as const) {
    assert.throws(
      () => behaviour(broken),
      (error) => error instanceof UserError && expected.test(error.message),
    );
  }
});

for (const searchSignal of [0, 1]) {
  test(`Figure 1(b) is recovered from a simulated log by counting what can be seen, at signal ${searchSignal}`, async () => {
    const { log } = simulate({ users: 2000, items: 500, seed: 3, searchSignal });
    const { spontaneous, dissimilar, withClicks } = behaviour(await datasetOf(log));
    const near = ({ share }: Share, expected: number, margin: number): void =>
      assert.ok(Math.abs(share - expected) <= margin, `${share}, expected ${expected} ± ${margin}`);
    near(spontaneous, 0.57, 0.02);
    near(dissimilar.spontaneous.any, 0.23, 0.02);
    near(withClicks, 0.6, 0.03);
  });
}
