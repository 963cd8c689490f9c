/** The audit on whole data, and on data in which one promise is broken on purpose: exactly that check must fail. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AuditReport, audit } from '../../src/analyse/index.js';
import { type Dataset, type SplitRequest, UNKNOWN, importEvents, loadDataset } from '../../src/data/index.js';
import { type Candidates, candidatesOf, drawCandidates } from '../../src/evaluate/index.js';
import { popularityRanker } from '../../src/model/index.js';
import { globalTimeLog } from '../support/global-time.js';
import { tinyDataset, tinyVocabulary } from '../support/tiny-dataset.js';

/**
 * Six users act eight times, in turns, each time after a search with a click; every other search led to the action.
 * A seventh comes late.
 */
function log(): Record<string, unknown>[] {
  const events: Record<string, unknown>[] = [];
  const act = (user: string, time: number, step: number, led: boolean, number: number): void => {
    const id = `${user} ${step}`;
    events.push({ type: 'search', id, time, user, query: `thing ${number % 3}`, source: 'typed' });
    events.push({ type: 'click', time: time + 1, user, item: `c${number % 4}`, search: id });
    events.push({ type: 'view', time: time + 5, user, item: `i${number % 9}`, ...(led ? { search: id } : {}) });
  };
  for (let step = 0; step < 8; step++)
    for (let user = 0; user < 6; user++)
      act(`u${user}`, 100 * step + 10 * user, step, step % 2 === 1, 2 * user + 3 * step + step * step);
  for (let step = 0; step < 3; step++) act('late', 650 + 50 * step, step, false, step);
  events.push({ type: 'user', user: 'u1', fields: { country: 'NL' } });
  for (let item = 0; item < 9; item++)
    events.push({ type: 'item', item: `i${item}`, fields: { kind: `k${item % 2}` } });
  return events;
}

let folder: string;
let leaveOneOut: Dataset;
let globalTime: Dataset;
async function imported(name: string, events: readonly unknown[], split: SplitRequest): Promise<Dataset> {
  const file = join(folder, `${name}.jsonl`);
  await writeFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  await importEvents({ files: [file], out: join(folder, name), split });
  return loadDataset(join(folder, name));
}
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-audit-'));
  leaveOneOut = await imported('leave-one-out', log(), { strategy: 'leave-one-out' });
  globalTime = await imported('global-time', log(), { strategy: 'global-time', validationFrom: 600, testFrom: 700 });
});
after(async () => rm(folder, { recursive: true }));

const listsOf = (dataset: Dataset): Candidates => drawCandidates(dataset, { count: 2 });
const audited = async (dataset: Dataset, lists = listsOf(dataset)): Promise<AuditReport> =>
  audit(dataset, [{ name: 'lists', lists }]);
const failing = ({ checks }: AuditReport): string[] => checks.filter(({ ok }) => !ok).map(({ name }) => name);

/** A copy of a column with one value changed. */
function changed<Column extends Int32Array | Float64Array | Uint8Array>(
  column: Column,
  index: number,
  value: (old: number) => number,
): Column {
  const copy = column.slice() as Column;
  copy[index] = value(copy[index] as number);
  return copy;
}
/** A vocabulary with one more id. */
const withMore = (vocabulary: Dataset['items'], id: string): Dataset['items'] =>
  tinyVocabulary([...vocabulary.ids.slice(2), id]);
/** One item of a user's list replaced. */
function replaced(dataset: Dataset, user: string, item: number): Candidates {
  const lists = listsOf(dataset);
  const row = lists.rowOf[dataset.users.index(user)] as number;
  return { ...lists, items: changed(lists.items, row * lists.count, () => item) };
}
/** Position of a user's nth feed event. */
const nth = (dataset: Dataset, user: string, n: number): number =>
  (dataset.feedOffsets[dataset.users.index(user)] as number) + n;

test('whole data pass every check, and every check looks at something', async () => {
  for (const dataset of [leaveOneOut, globalTime]) {
    const report = await audited(dataset);
    assert.deepEqual(failing(report), []);
    assert.ok(report.ok);
    for (const { name, checked, violations } of report.checks) assert.ok(checked > 0 && violations === 0, name);
    assert.equal(new Set(report.checks.map(({ name }) => name)).size, report.checks.length);
  }
  assert.ok(globalTime.trainedUsers < globalTime.users.ids.length, 'somebody is new');
});

/** What is broken, and the one check that must see it. */
type Plant = readonly [check: RegExp, damage: (dataset: Dataset) => Partial<Dataset>];

const common: Readonly<Record<string, Plant>> = {
  'a held-out event in training': [
    /^no training event at or after/,
    (data) => ({ heldOutStart: changed(data.heldOutStart, data.users.index('u2'), (start) => start + 1) }),
  ],
  'a held-out search in training': [
    /^no training search at or after/,
    (data) => ({
      searchIsTraining: changed(
        data.searchIsTraining,
        (data.searchOffsets[data.users.index('u2') + 1] as number) - 1,
        () => 1,
      ),
    }),
  ],
  'another event as target': [
    /^every target/,
    (data) => ({
      targets: {
        ...data.targets,
        test: changed(data.targets.test, data.users.index('u4'), (position) => position - 1),
      },
    }),
  ],
  'a user without their target': [
    /^every target/,
    (data) => ({
      targets: { ...data.targets, validation: changed(data.targets.validation, data.users.index('u4'), () => -1) },
    }),
  ],
  'feed events out of order': [
    /^every history is strictly earlier/,
    (data) => {
      const [one, other] = [nth(data, 'u0', 0), nth(data, 'u0', 2)];
      const ordinals = data.feedOrdinal;
      return {
        feedOrdinal: changed(
          changed(ordinals, one, () => ordinals[other] as number),
          other,
          () => ordinals[one] as number,
        ),
      };
    },
  ],
  'a target that forgot which search led to it': [
    /^no history holds the search that led/,
    (data) => ({
      feedSearch: changed(data.feedSearch, data.targets.test[data.users.index('u3')] as number, () => -1),
    }),
  ],
  'a query that training never asked': [
    /vocabulary of queries/,
    (data) => ({
      queries: withMore(data.queries, 'tomorrow'),
      wordOffsets: Int32Array.of(...data.wordOffsets, data.queryWords.length),
    }),
  ],
  'a word that training never used': [/vocabulary of words/, (data) => ({ words: withMore(data.words, 'tomorrow') })],
  'a source that training never saw': [
    /vocabulary of sources/,
    (data) => ({ sources: withMore(data.sources, 'tomorrow') }),
  ],
};
const underGlobalTime: Readonly<Record<string, Plant>> = {
  'an event whose clock is ahead of its history': [
    /^every history is strictly earlier/,
    (data) => ({ feedTime: changed(data.feedTime, nth(data, 'u0', 1), () => 599) }),
  ],
  'a click whose clock is ahead of its history': [
    /^every history is strictly earlier/,
    (data) => ({
      clickTime: changed(
        data.clickTime,
        data.clickOffsets[data.searchOffsets[data.users.index('u0')] as number] as number,
        () => 599,
      ),
    }),
  ],
  'an item that training never met': [
    /vocabulary of items/,
    (data) => ({ items: withMore(data.items, 'tomorrow'), trainedItems: data.trainedItems + 1 }),
  ],
  'a user whom training never met': [/vocabulary of users/, (data) => ({ trainedUsers: data.trainedUsers + 1 })],
  'an attribute value that training never met': [
    /user attribute country/,
    ({ userAttributes }) => {
      const country = userAttributes.get('country') as { values: Dataset['items']; index: Int32Array };
      return { userAttributes: new Map([['country', { ...country, values: withMore(country.values, 'FR') }]]) };
    },
  ],
};

for (const [name, plants, dataset] of [
  ['leave-one-out', common, () => leaveOneOut],
  ['global time', { ...common, ...underGlobalTime }, () => globalTime],
] as const) {
  describe(`planted under ${name}, exactly the check that is meant fails:`, () => {
    for (const [what, [expected, damage]] of Object.entries<Plant>(plants)) {
      test(what, async () => {
        const whole = dataset();
        const report = await audited({ ...whole, ...damage(whole) }, listsOf(whole));
        const [failed, ...others] = failing(report);
        assert.match(failed ?? 'nothing', expected);
        assert.deepEqual(others, []);
        assert.equal(report.ok, false);
        const check = report.checks.find(({ ok }) => !ok);
        assert.ok((check?.violations ?? 0) >= 1 && check?.example, 'counted, with an example');
      });
    }

    test('popularity that counts held-out events', async () => {
      const whole = dataset();
      const popularity = popularityRanker(whole, { countHeldOut: true });
      assert.deepEqual(failing(await audit(whole, [], { popularity })), ['popularity counts training events only']);
    });

    test('candidates that their user met, in the feed, as a target or by a click', async () => {
      const whole = dataset();
      const user = whole.users.index('u1');
      const click = whole.clickOffsets[whole.searchOffsets[user] as number] as number;
      for (const item of [
        whole.feedItem[whole.feedOffsets[user] as number],
        whole.feedItem[whole.targets.test[user] as number],
        whole.clickItem[click],
      ]) {
        const report = await audited(whole, replaced(whole, 'u1', item as number));
        assert.deepEqual(failing(report), ['lists: no candidate was met by its user, nor is their target']);
        assert.match(report.checks.find(({ ok }) => !ok)?.example as string, /^user "u1", item "[ci]\d"$/);
      }
    });
  });
}

test('planted under global time: a candidate from the future', async () => {
  const report = await audited(globalTime, replaced(globalTime, 'u1', UNKNOWN));
  assert.deepEqual(failing(report), ['lists: no candidate is from after the validation cut']);
  assert.ok(candidatesOf(listsOf(globalTime), globalTime.users.index('u1')));
});

describe('what a split lets through by nature', () => {
  const view = (user: string, time: number, item: string) => ({ type: 'view', user, time, item });
  const counts = ({ crossings }: AuditReport): unknown =>
    crossings?.map(({ name, count, of }) => [name.replace(/ \(.*/, ''), count, of]);

  test('leave-one-out, by hand', async () => {
    // Test targets: ann's b at 210 and bob's a at 220. Training: ann 10, 90, 110; bob 50; cat 160; eve 230; dan 250; zoe 400, 410.
    const data = await imported('crossings', [...globalTimeLog, view('zoe', 400, 'b'), view('zoe', 410, 'y')], {
      strategy: 'leave-one-out',
    });
    const rowOf = new Int32Array(data.users.ids.length).fill(-1);
    rowOf[data.users.index('ann')] = 0;
    rowOf[data.users.index('bob')] = 1;
    // e first occurs at 105, as a click; z never does; y does at 410; c at 110
    const items = Int32Array.from(['e', 'z', 'y', 'c'], (item) => data.items.index(item));
    const report = await audited(data, { origin: 'by hand', seed: null, count: 2, rowOf, items });
    assert.ok(report.ok, 'crossings are no failures');
    assert.deepEqual(counts(report), [
      ['test targets with training events of other users at or after them', 2, 2],
      ['training events after the earliest test target', 4, 9],
      ['training events after the median test target', 4, 9],
      ['test targets whose item nobody else met until later', 1, 2],
      ["lists: candidates that first occur after their user's last target", 1, 4],
    ]);
    assert.match(report.crossings?.[3]?.example as string, /user "ann", item "b"/);
    assert.match(report.crossings?.[4]?.example as string, /user "bob", item "y"/);
  });

  test("a user's own later events are not other users'", async () => {
    const data = await imported('alone', [...[1, 2, 9].map((time) => view('ann', time, 'a')), view('bob', 1, 'b')], {
      strategy: 'leave-one-out',
    });
    assert.deepEqual((await audit(data, [])).crossings?.[0]?.count, 0);
  });

  test('nothing under global time', async () => {
    const report = await audited(globalTime);
    assert.equal(report.crossings?.length, 4);
    for (const { name, count, of } of report.crossings ?? []) assert.ok(count === 0 && of > 0, name);
  });

  test('cannot be counted without times; without times of clicks it can', async () => {
    const timeless = tinyDataset({ ann: ['a', { query: 'tea' }, 'b', 'c', 'd'] });
    const report = await audit(timeless, []);
    assert.equal(report.crossings, null);
    assert.ok(report.ok);
    const old = await audit(await loadDataset('test/fixtures/formats/data-1'), []);
    assert.ok(old.ok);
    assert.equal(old.crossings?.length, 4);
  });
});
