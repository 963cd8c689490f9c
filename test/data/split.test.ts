/** Splits by hand, by refusal and at random, against a plain reading of docs/events.md. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { Random, UserError, hashFile } from '../../src/base/index.js';
import {
  type Dataset,
  type HeldOut,
  type SplitRequest,
  UNKNOWN,
  importEvents,
  importInteractions,
  importS3rec,
  loadDataset,
} from '../../src/data/index.js';
import { runImport } from '../../src/data/sources/import.js';
import { NegativeSampler, catalogueOf, trainingCases, trainingQueries } from '../../src/features/index.js';
import { vocabularySizes } from '../../src/model/index.js';
import { globalTimeLog, importGlobalTime } from '../support/global-time.js';
import { jsonLines, put, scratchFolder } from './folders.js';

const raw = (data: Dataset, items: Iterable<number>): string[] =>
  Array.from(items, (item) => data.items.ids[item] as string);

describe('global time, by hand', () => {
  const loaded = async (t: TestContext): Promise<Dataset> => importGlobalTime(await scratchFolder(t));

  test('vocabularies hold what happened before the cut, in order of first appearance there', async (t) => {
    const data = await loaded(t);
    assert.deepEqual(data.items.ids.slice(2), ['a', 'b', 'd']);
    assert.deepEqual(data.queries.ids.slice(2), ['tea', 'cup', 'hat']);
    assert.deepEqual(data.words.ids.slice(2), ['tea', 'cup', 'hat']);
    assert.deepEqual(data.sources.ids.slice(2), ['typed', 'unknown']);
    assert.deepEqual(data.users.ids.slice(2), ['ann', 'dan', 'bob', 'cat', 'eve'], 'those that training knows first');
    assert.equal(data.trainedUsers, 5);
    assert.deepEqual(data.manifest.sizes, { items: 5, queries: 5, words: 5, sources: 4, users: 5 });
    assert.deepEqual(vocabularySizes(data), data.manifest.sizes);
  });

  test('everybody keeps their events; what training never saw is unknown', async (t) => {
    const data = await loaded(t);
    const ann = data.users.index('ann');
    const feed = data.feedItem.subarray(data.feedOffsets[ann], data.feedOffsets[ann + 1]);
    assert.deepEqual(raw(data, feed), ['a', 'a', '', 'a', 'b']);
    assert.equal(feed[2], UNKNOWN);
    const bob = data.users.index('bob');
    const hat = data.searchOffsets[bob] as number;
    assert.deepEqual([...data.clickItem.subarray(data.clickOffsets[hat], data.clickOffsets[hat + 1])], [UNKNOWN]);
    assert.equal(data.clickTime[data.clickOffsets[hat] as number], 105);
    const cat = data.users.index('cat');
    assert.equal(data.searchQuery[data.searchOffsets[cat] as number], UNKNOWN);
  });

  test('new items that the item table has come behind those of training, in its order; their values are unknown', async (t) => {
    const data = await importGlobalTime(await scratchFolder(t), { newItems: true });
    assert.deepEqual(data.items.ids.slice(2), ['a', 'b', 'd', 'z', 'c']);
    assert.equal(data.trainedItems, 5);
    assert.equal(data.manifest.sizes.items, 5);
    assert.deepEqual(vocabularySizes(data), data.manifest.sizes);
    const colour = data.itemAttributes.get('colour');
    assert.deepEqual(colour?.values.ids.slice(2), ['red'], 'a value that only new items have was never learnt');
    assert.deepEqual([...(colour?.index ?? [])], [0, 0, 2, 0, 0, UNKNOWN, UNKNOWN]);
    const ann = data.users.index('ann');
    const feed = data.feedItem.subarray(data.feedOffsets[ann], data.feedOffsets[ann + 1]);
    assert.deepEqual(raw(data, feed), ['a', 'a', 'c', 'a', 'b']);
    const hat = data.searchOffsets[data.users.index('bob')] as number;
    assert.equal(data.clickItem[data.clickOffsets[hat] as number], UNKNOWN, 'nothing says what e is');
    assert.notEqual(data.manifest.hash, (await loaded(t)).manifest.hash);
  });

  test('the first feed event of each window is the target', async (t) => {
    const data = await loaded(t);
    const targets = (on: HeldOut): Record<string, number | undefined> =>
      Object.fromEntries(
        data.users.ids
          .slice(2)
          .map((user) => [user, data.feedTime[data.targets[on][data.users.index(user)] as number]]),
      );
    assert.deepEqual(targets('validation'), { ann: 110, bob: undefined, cat: 160, dan: undefined, eve: undefined });
    assert.deepEqual(targets('test'), { ann: 210, bob: 205, cat: undefined, dan: 250, eve: 230 });
  });

  test('training is before the cut: searches of users who hold nothing out, too', async (t) => {
    const data = await loaded(t);
    assert.deepEqual(
      trainingCases(data, false).map(({ user, feedPosition }) => [data.users.ids[user], data.feedTime[feedPosition]]),
      [['ann', 90]],
    );
    assert.deepEqual(
      Array.from(trainingQueries(data), (query) => data.queries.ids[query] as string).sort(),
      ['cup', 'hat', 'tea'],
      'not the sock of cat, whose first event is after the cut',
    );
  });

  test('attribute values come from known items and users; an unknown user keeps the values that are known', async (t) => {
    const data = await loaded(t);
    assert.deepEqual(data.itemAttributes.get('colour')?.values.ids.slice(2), ['red']);
    const country = data.userAttributes.get('country');
    assert.deepEqual(country?.values.ids.slice(2), ['NL', 'BE']);
    const of = (user: string): number | undefined => country?.index[data.users.index(user)];
    assert.deepEqual([of('ann'), of('dan'), of('bob'), of('cat'), of('eve')], [2, 0, 3, 2, UNKNOWN]);
    const { userRow, userAttributes } = catalogueOf(data, [], [{ name: 'country' }]);
    assert.deepEqual([...userRow], [0, 1, 2, 3, 4, UNKNOWN, UNKNOWN]);
    assert.equal(userAttributes['country']?.[data.users.index('cat')], 2);
  });

  test('the manifest says the cuts, and counts every part', async (t) => {
    const { manifest } = await loaded(t);
    assert.deepEqual(manifest.split, { strategy: 'global-time', validationFrom: 100, testFrom: 200 });
    assert.deepEqual(manifest.counts, [
      { step: 'imported', users: 5, items: 5, feed: 11, searches: 4, queries: 4 },
      { step: 'training', users: 3, items: 3, feed: 3, searches: 3, queries: 3 },
      { step: 'validation', users: 2, items: 3, feed: 3, searches: 1, queries: 1 },
      { step: 'test', users: 4, items: 3, feed: 5, searches: 0, queries: 0 },
    ]);
  });
});

const HEADER = 'user_id\titem_id\ttimestamp\n';
const rows = (...times: readonly number[]): string =>
  HEADER + times.map((time, row) => `u${row % 2}\ti\t${time}\n`).join('');
const interactions =
  (content: string, split: Partial<SplitRequest> = {}, timeColumn?: string) =>
  async (folder: string): Promise<unknown> =>
    importInteractions({
      file: await put(folder, 'log', content),
      out: join(folder, 'out'),
      timeUnit: 'ms',
      ...(timeColumn ? { timeColumn } : {}),
      split: { ...split, strategy: 'global-time' },
    });

describe('global time refuses, in one line,', () => {
  const refusals: Readonly<Record<string, readonly [work: (folder: string) => Promise<unknown>, message: RegExp]>> = {
    'a log without times': [
      interactions(rows(1, 2, 3), {}, 'none'),
      /needs the time of every event, and 3 have none: .*leave-one-out/,
    ],
    'sequences, which have no times': [
      async (folder) =>
        importS3rec({
          sequences: await put(folder, 'log', 'u a b c\n'),
          out: join(folder, 'out'),
          split: { strategy: 'global-time' },
        }),
      /3 have none/,
    ],
    'times that go back within a user': [
      interactions(`${HEADER}a\ti\t5\nb\ti\t1\nb\ti\t9\na\ti\t4\n`),
      /user "a" has 1970-01-01T00:00:00.004Z after 1970-01-01T00:00:00.005Z/,
    ],
    'a log without feed events': [
      async (folder) =>
        importEvents({
          files: [await put(folder, 'log', jsonLines([{ type: 'search', id: 's', time: 1, user: 'u', query: 'q' }]))],
          out: join(folder, 'out'),
          split: { strategy: 'global-time' },
        }),
      /no feed events/,
    ],
    'cuts in the wrong order': [
      interactions(rows(1, 2, 3), { validationFrom: 3, testFrom: 3 }),
      /does not begin before the test/,
    ],
    'a cut that is no time': [interactions(rows(1, 2, 3), { validationFrom: Infinity }), /Infinity is no time/],
    'equal times, which no cut divides': [interactions(rows(1, 1, 1, 1)), /does not begin before the test/],
    'cuts before everything': [
      interactions(rows(5, 6, 7), { validationFrom: 1, testFrom: 6 }),
      /no feed event is before .*nothing is left to train on/,
    ],
    'an empty validation window': [
      interactions(rows(1, 2, 9), { validationFrom: 4, testFrom: 5 }),
      /no user has a validation target/,
    ],
    'an empty test window': [
      interactions(rows(1, 4, 5), { validationFrom: 4, testFrom: 6 }),
      /no user has a test target/,
    ],
    'targets that training does not know': [
      interactions(`${HEADER}a\ti\t1\na\tj\t4\na\ti\t6\n`, { validationFrom: 4, testFrom: 6 }),
      /no user has a validation target.* that training knows/,
    ],
  };
  for (const [name, [work, message]] of Object.entries(refusals)) {
    test(name, async (t) => {
      await assert.rejects(work(await scratchFolder(t)), (error) => {
        assert.ok(error instanceof UserError, String((error as Error).stack));
        assert.match(error.message, message);
        assert.match(error.message, /^--split global-time/);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    });
  }
});

test('without cuts, validation begins when 80 % of the feed events have passed and the test when 90 % have', async (t) => {
  const folder = await scratchFolder(t);
  const times = Array.from({ length: 20 }, (_, i) => 10 * i);
  const file = await put(folder, 'log', rows(...times));
  const cutsOf = async (split: SplitRequest): Promise<unknown> => {
    const options = { file, out: join(folder, 'out'), overwrite: true, timeUnit: 'ms', split } as const;
    return (await importInteractions(options)).manifest.split;
  };
  const strategy = 'global-time';
  assert.deepEqual(await cutsOf({ strategy }), { strategy, validationFrom: 160, testFrom: 180 });
  assert.deepEqual(await cutsOf({ strategy, validationFrom: 55 }), { strategy, validationFrom: 55, testFrom: 180 });
  assert.deepEqual(await cutsOf({ strategy, testFrom: 190 }), { strategy, validationFrom: 160, testFrom: 190 });
});

test('the same log under another split, or another cut, has another identity', async (t) => {
  const folder = await scratchFolder(t);
  const files = [await put(folder, 'log', jsonLines(globalTimeLog))];
  const hashes = [];
  const splits: SplitRequest[] = [
    { strategy: 'leave-one-out' },
    { strategy: 'global-time', validationFrom: 100, testFrom: 200 },
    { strategy: 'global-time', validationFrom: 100, testFrom: 201 },
    { strategy: 'global-time', validationFrom: 100, testFrom: 201, newItems: true },
  ];
  for (const split of splits)
    hashes.push((await importEvents({ files, out: join(folder, 'out'), overwrite: true, split })).manifest.hash);
  assert.equal(new Set(hashes).size, splits.length);
});

test('a source may keep its log in the data directory, and name the program that made it', async (t) => {
  const out = join(await scratchFolder(t), 'out');
  const generator = { name: 'two clicks', version: '1', options: { users: 1 } };
  const { manifest } = await runImport(
    'made',
    [],
    { out },
    {},
    async ({ database, directory }) => {
      await writeFile(join(directory, 'log.txt'), 'u i');
      for (const table of [
        `feed AS SELECT 'u' AS "user", 0 AS ordinal, CAST(NULL AS DOUBLE) AS time, 'view' AS type, 'i' AS item, CAST(NULL AS BIGINT) AS search`,
        'searches ("user" VARCHAR, ordinal BIGINT, time DOUBLE, query VARCHAR, source VARCHAR)',
        'clicks (search BIGINT, item VARCHAR, ordinal BIGINT, time DOUBLE)',
        'items ("index" BIGINT, item VARCHAR)',
        'users ("index" BIGINT, "user" VARCHAR)',
      ])
        await database.run(`CREATE TABLE ${table}`);
      return { itemAttributes: [], userAttributes: [], warnings: [], files: [join(directory, 'log.txt')] };
    },
    generator,
  );
  assert.deepEqual(manifest.source.files, [
    { name: 'log.txt', sha256: await hashFile(join(out, 'log.txt')), bytes: 3 },
  ]);
  assert.deepEqual((await loadDataset(out)).manifest.source.generator, generator);
});

/** An event of a random log; times grow from event to event. */
const entries = fc.array(
  fc.record({
    user: fc.constantFrom('u', 'v', 'w'),
    kind: fc.constantFrom('view', 'view', 'search', 'click'),
    item: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    query: fc.constantFrom('tea', 'hat', 'green tea'),
    pause: fc.constantFrom(0, 1, 5),
  }),
  { minLength: 20, maxLength: 60 },
);

test('random logs are divided as the contract says', async (t) => {
  const folder = await scratchFolder(t);
  const out = join(folder, 'out');
  let [divided, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(entries, fc.boolean(), async (log, newItems) => {
      let time = 0;
      const last = new Map<string, string>();
      const events = log.map(({ user, kind, item, query, pause }, row) => {
        time += pause;
        const search = last.get(user);
        if (kind === 'search' || (kind === 'click' && search === undefined)) {
          last.set(user, `s${row}`);
          return { type: 'search', id: `s${row}`, time, user, query };
        }
        return { type: kind, time, user, item, ...(kind === 'click' ? { search } : {}) };
      });
      const table = ['f', 'e', 'a'].map((item) => ({ type: 'item', item, fields: {} }));
      const files = [await put(folder, 'log', jsonLines([...events, ...table]))];
      try {
        await importEvents({ files, out, overwrite: true, split: { strategy: 'global-time', newItems } });
      } catch (error) {
        assert.ok(error instanceof UserError, String((error as Error).stack));
        refused++;
        return;
      }
      divided++;
      const data = await loadDataset(out);
      const { split } = data.manifest;
      assert.ok(split.strategy === 'global-time');
      const training = events.filter((event) => event.time < split.validationFrom);
      const items = new Set<string>(training.flatMap((event) => ('item' in event ? [event.item] : [])));
      assert.deepEqual(new Set(data.items.ids.slice(2, data.trainedItems)), items);
      const behind = newItems ? table.map(({ item }) => item).filter((item) => !items.has(item)) : [];
      assert.deepEqual(data.items.ids.slice(data.trainedItems), behind);
      for (const item of behind) items.add(item);
      assert.deepEqual(
        new Set(data.queries.ids.slice(2)),
        new Set(training.flatMap((event) => ('query' in event ? [event.query] : []))),
      );
      assert.deepEqual(new Set(data.users.ids.slice(2, data.trainedUsers)), new Set(training.map(({ user }) => user)));
      for (const user of data.users.ids.slice(2)) {
        const feed = events.filter((event) => event.user === user && event.type === 'view');
        const index = data.users.index(user);
        const start = data.feedOffsets[index] as number;
        const place = (position: number): number => (position < 0 ? -1 : start + position);
        assert.equal(
          data.heldOutStart[index],
          start + feed.filter((event) => event.time < split.validationFrom).length,
        );
        assert.equal(
          data.targets.validation[index],
          place(feed.findIndex((event) => event.time >= split.validationFrom && event.time < split.testFrom)),
        );
        assert.equal(data.targets.test[index], place(feed.findIndex((event) => event.time >= split.testFrom)));
        assert.deepEqual(
          raw(data, data.feedItem.subarray(start, data.feedOffsets[index + 1])),
          feed.map((event) => ('item' in event && items.has(event.item) ? event.item : '')),
        );
      }
      // nothing unknown is learnt from: neither as a target nor as a negative
      const cases = trainingCases(data, false);
      for (const sampling of ['popular', 'uniform'] as const) {
        const sampler = new NegativeSampler(data, cases, { count: 1, sampling });
        for (const moment of cases) {
          assert.notEqual(data.feedItem[moment.feedPosition], UNKNOWN);
          try {
            const drawn = sampler.draw(moment, new Random(1))[0] as number;
            assert.ok(drawn > UNKNOWN && drawn < data.trainedItems);
          } catch (error) {
            assert.ok(error instanceof UserError, String(error)); // a user who met everything
          }
        }
      }
    }),
    { numRuns: 30 }, // the first are simple, and half of these cannot be divided
  );
  t.diagnostic(`${divided} divided, ${refused} refused`);
  assert.ok(divided > 10, `only ${divided} logs could be divided`);
});
