import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { UNKNOWN, importInteractions, loadDataset, type Dataset } from '../../src/data/index.js';
import { put, scratchFolder } from './folders.js';

interface Rejected {
  readonly line: number;
  readonly raw: string;
}

const HEADER = 'user_id\titem_id\ttimestamp\n';

/** The raw items of a user's feed, in order. */
function feedOf(data: Dataset, user: string): string[] {
  const index = data.users.index(user);
  return Array.from(
    data.feedItem.slice(data.feedOffsets[index], data.feedOffsets[index + 1]),
    (item) => data.items.ids[item] as string,
  );
}

test('the order of the file is the order of events, with ties and with times that run backwards', async (t) => {
  const folder = await scratchFolder(t);
  const rows = Array.from({ length: 30_000 }, (_, row) => ({
    user: `u${row % 7}`,
    item: `i${(row * 7919) % 1000}`,
    time: row % 3 === 0 ? 50 : 100 - (row % 2),
  }));
  const file = await put(
    folder,
    'log.tsv.gz',
    gzipSync(HEADER + rows.map(({ user, item, time }) => `${user}\t${item}\t${time}\n`).join('')),
  );
  await importInteractions({ file, out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  for (let user = 0; user < 7; user++) {
    assert.deepEqual(
      feedOf(data, `u${user}`),
      rows.filter((row) => row.user === `u${user}`).map((row) => row.item),
    );
  }
  assert.equal(data.feedTime[0], 50_000);
});

test('a constructed search stands right before its event, has its item as the one click and the event as its effect', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.tsv', `${HEADER}u1\ta\t5\nu1\tb\t5\nu2\tb\t4\nu2\tlost\t6\n`);
  const items = await put(folder, 'items.csv', 'item_id,query,brand\nb,"Rain, jacket",X\na,,\nc,Tea,"Y ""Z"""\n');
  const { manifest, warnings } = await importInteractions({
    file,
    items,
    constructSearches: 'query',
    out: join(folder, 'out'),
  });
  const data = await loadDataset(join(folder, 'out'));
  assert.deepEqual(data.items.ids, ['', '', 'b', 'a', 'c', 'lost'], 'the item table in its order, then the log');
  assert.deepEqual([...data.feedOrdinal], [1, 3, 5, 7]);
  assert.deepEqual([...data.feedSearch], [-1, 0, 1, -1], 'no search for an empty query or an item without a row');
  assert.deepEqual([...data.searchOrdinal], [2, 4]);
  assert.deepEqual([...data.clickItem], [2, 2]);
  assert.deepEqual([...data.clickOrdinal], [3, 5]);
  assert.deepEqual(data.queries.ids, ['', '', 'rain, jacket']);
  assert.deepEqual(
    Array.from(data.queryWords.slice(data.wordOffsets[2], data.wordOffsets[3]), (word) => data.words.ids[word]),
    ['rain', 'jacket'],
  );
  assert.deepEqual(data.sources.ids, ['', '', 'constructed']);
  assert.deepEqual(warnings.length, 2);
  assert.match(warnings[0] as string, /events before 1995/);
  assert.match(warnings[1] as string, /1 item of 1 interaction is not in/);
  const brand = data.itemAttributes.get('brand');
  assert.deepEqual(brand?.values.ids, ['', '', 'X', 'Y "Z"']);
  assert.deepEqual([...brand.index], [0, 0, 2, 0, 3, 0]);
  assert.deepEqual(
    manifest.counts.map(({ users, items, feed, searches }) => [users, items, feed, searches]),
    [
      [2, 3, 4, 2],
      [2, 3, 4, 2],
    ],
  );
});

test('items of the table come first, however early the log mentions another', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.tsv', `${HEADER}u\tlost\t1\nu\tz\t1\nu\tearly\t1\n`);
  const items = await put(folder, 'items.tsv', 'item_id\tbrand\nz\t\ny\t\nx\t\nw\t\n');
  await importInteractions({ file, items, out: join(folder, 'out') });
  assert.deepEqual((await loadDataset(join(folder, 'out'))).items.ids.slice(2), ['z', 'y', 'x', 'w', 'lost', 'early']);
});

test('the last two of three or more events are held out, and their queries stay out of the vocabulary', async (t) => {
  const folder = await scratchFolder(t);
  const events = [
    ['one', 'a'],
    ['two', 'a'],
    ['two', 'b'],
    ['three', 'a'],
    ['three', 'c'],
    ['three', 'd'],
    ['four', 'a'],
    ['four', 'b'],
    ['four', 'e'],
    ['four', 'f'],
  ];
  const file = await put(folder, 'log.tsv', HEADER + events.map(([user, item]) => `${user}\t${item}\t1\n`).join(''));
  const items = await put(
    folder,
    'items.tsv',
    `item_id\tquery\n${['a', 'b', 'c', 'd', 'e', 'f'].map((item) => `${item}\tquery ${item}\n`).join('')}`,
  );
  await importInteractions({ file, items, constructSearches: 'query', out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  const heldOut = (user: string): number[] => {
    const index = data.users.index(user);
    return [data.feedOffsets[index], data.heldOutStart[index], data.feedOffsets[index + 1]] as number[];
  };
  assert.deepEqual(heldOut('one'), [0, 1, 1]);
  assert.deepEqual(heldOut('two'), [1, 3, 3]);
  assert.deepEqual(heldOut('three'), [3, 4, 6]);
  assert.deepEqual(heldOut('four'), [6, 8, 10]);
  assert.deepEqual(data.queries.ids, ['', '', 'query a', 'query b']);
  assert.deepEqual(data.words.ids, ['', '', 'query', 'a', 'b']);
  assert.deepEqual([...data.searchQuery], [2, 2, 3, 2, UNKNOWN, UNKNOWN, 2, 3, UNKNOWN, UNKNOWN]);
  assert.deepEqual(data.manifest.counts.at(-1), {
    step: 'before the held-out events',
    users: 4,
    items: 2,
    feed: 6,
    searches: 6,
    queries: 2,
  });
});

test('--require-both drops users without searches, and says how many', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.tsv', `${HEADER}u1\ta\t1\nu2\tb\t1\nu1\tb\t1\n`);
  const items = await put(folder, 'items.tsv', 'item_id\tquery\na\ttea\nb\t\n');
  const options = { file, items, constructSearches: 'query' };
  const all = await importInteractions({ ...options, out: join(folder, 'all') });
  assert.equal(all.manifest.sizes.users, 4);
  assert.equal(all.manifest.source.options['requireBoth'], false);
  const both = await importInteractions({ ...options, requireBoth: true, out: join(folder, 'both') });
  assert.equal(both.manifest.source.options['requireBoth'], true);
  assert.deepEqual(
    both.manifest.counts.map(({ users, feed }) => [users, feed]),
    [
      [2, 3],
      [1, 2],
      [1, 2],
    ],
  );
  assert.deepEqual((await loadDataset(join(folder, 'both'))).users.ids, ['', '', 'u1']);
});

test('times, types and users: every unit, no times, attributes of users', async (t) => {
  const folder = await scratchFolder(t);
  const expected = Date.UTC(2020, 0, 2, 3, 4, 5);
  for (const [unit, text] of [
    ['s', '1577934245'],
    ['ms', '1.577934245e12'],
    ['us', '1577934245000000'],
    ['iso', '2020-01-02T03:04:05Z'],
    ['iso', '2020-01-02 03:04:05'],
    ['iso', '2020-01-02T05:04:05+0200'],
  ] as const) {
    const file = await put(folder, 'log.csv', `user_id,item_id,timestamp\nu,i,${text}\n`);
    await importInteractions({ file, timeUnit: unit, out: join(folder, 'out'), overwrite: true });
    assert.equal((await loadDataset(join(folder, 'out'))).feedTime[0], expected, `${unit} ${text}`);
  }
  const file = await put(folder, 'log.csv', 'who,what,kind\nu,i,purchase\nv,i,view\nv,k,Dis-Like\nv,k,impression\n');
  const users = await put(folder, 'users.csv', 'who,age\nw,1\nv,30\n');
  const { manifest } = await importInteractions({
    file,
    users,
    userColumn: 'who',
    itemColumn: 'what',
    timeColumn: 'none',
    typeColumn: 'kind',
    out: join(folder, 'out'),
    overwrite: true,
  });
  const data = await loadDataset(join(folder, 'out'));
  assert.equal(manifest.read?.ignored, 2);
  assert.equal(data.items.has('k'), false);
  assert.ok(Number.isNaN(data.feedTime[0]));
  assert.deepEqual(data.users.ids, ['', '', 'u', 'v'], 'users of the log, in order of their first event');
  assert.deepEqual(
    [...(data.userAttributes.get('age')?.index ?? [])],
    [0, 0, 0, data.userAttributes.get('age')?.values.index('30')],
  );
});

test('an item that is told twice goes to quarantine with all that is told of it', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.tsv', `${HEADER}u\ta\t1577934245\n`);
  const items = await put(folder, 'items.tsv', 'item_id\tbrand\na\tX\na\tY\n');
  await importInteractions({ file, items, out: join(folder, 'out') });
  const { line, raw } = JSON.parse(await readFile(join(folder, 'out', 'quarantine.jsonl'), 'utf8')) as Rejected;
  assert.deepEqual([line, JSON.parse(raw)], [3, { item: 'a', brand: 'Y' }]);
});

test('times far in the future are pointed out: the unit is probably wrong', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.csv', 'user_id,item_id,timestamp\nu,i,1577934245000\n');
  const { warnings } = await importInteractions({ file, out: join(folder, 'out') });
  assert.match(
    warnings.join(),
    /^1 event before 1995 or after 2100, such as \+051972-09-29T20:03:20\.000Z: is --time-unit right, /,
  );
});
