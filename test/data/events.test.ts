import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { UNKNOWN, importEvents, importS3rec, loadDataset } from '../../src/data/index.js';
import { jsonLines, put, scratchFolder } from './folders.js';

test('events are ordered by time, then by line; clicks belong to searches, other actions to both', async (t) => {
  const folder = await scratchFolder(t);
  const first = await put(
    folder,
    'a.jsonl',
    jsonLines([
      { type: 'item', item: 'i2', fields: { category: ['home', 'tea'], price: 3 } },
      { type: 'view', time: 5000, user: 'u', item: 'i3' },
      { id: 's', type: 'search', time: '1970-01-01T00:00:01Z', user: 'u', query: 'Green  TEA' },
      { type: 'click', time: 2000, user: 'u', item: 'i1', search: 's' },
      { type: 'impression', time: 2000, user: 'u', item: 'i9' },
      { type: 'user', user: 'u', fields: { age: 'old' } },
    ]),
  );
  const second = await put(
    folder,
    'b.jsonl',
    jsonLines([
      { type: 'purchase', time: 2000, user: 'u', item: 'i1', search: 's' },
      { type: 'click', time: 5000, user: 'u', item: 'i2' },
      { type: 'cart', time: 2000, user: 'u', item: 'i4', search: 's', unknown_field: {} },
      { type: 'view', time: 0, user: 42, item: 7, id: 'e' },
      { type: 'view', time: 9, user: 42, item: 7, id: 'e' },
      { type: 'item', item: 'i2', fields: { category: 'tea' } },
    ]),
  );
  const { warnings } = await importEvents({ files: [first, second], out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  assert.deepEqual(data.users.ids, ['', '', '42', 'u']);
  assert.deepEqual(
    [...data.feedItem].map((item) => data.items.ids[item]),
    ['7', 'i1', 'i4', 'i3', 'i2'],
  );
  assert.deepEqual([...data.feedOrdinal], [0, 3, 4, 5, 6]);
  assert.deepEqual([...data.feedSearch], [-1, 0, 0, -1, -1]);
  assert.deepEqual(
    [...data.clickItem].map((item) => data.items.ids[item]),
    ['i1', 'i4'],
    'an item clicked and bought is clicked once',
  );
  assert.deepEqual([...data.clickOrdinal], [2, 4]);
  assert.deepEqual(data.queries.ids.slice(2), ['green tea']);
  assert.deepEqual(data.sources.ids.slice(2), ['unknown']);
  assert.equal(data.items.has('i9'), false);
  assert.deepEqual(
    data.itemAttributes.get('category')?.values.ids.slice(2),
    ['tea'],
    'the later line replaces the earlier',
  );
  assert.deepEqual(data.userAttributes.get('age')?.values.ids.slice(2), ['old']);
  assert.equal(warnings.length, 3);
});

test('a search of training time that led to a held-out event is not in the vocabulary', async (t) => {
  const folder = await scratchFolder(t);
  const view = (time: number, item: string, search?: string): object => ({
    type: 'view',
    time,
    user: 'u',
    item,
    search,
  });
  const search = (time: number, id: string, query: string, source: string): object => ({
    type: 'search',
    time,
    user: 'u',
    id,
    query,
    source,
  });
  const file = await put(
    folder,
    'log.jsonl',
    jsonLines([
      search(1, 's1', 'kept', 'typed'),
      search(2, 's2', 'leads to validation', 'suggested'),
      search(3, 's3', 'leads to test', 'history'),
      view(4, 'a', 's1'),
      search(5, 's4', '  KEPT too ', 'typed'),
      view(6, 'b', 's2'),
      search(7, 's5', 'late', 'typed'),
      view(8, 'c', 's3'),
      search(9, 's6', 'kept', 'typed'),
    ]),
  );
  await importEvents({ files: [file], out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  assert.deepEqual(data.queries.ids.slice(2), ['kept', 'kept too']);
  assert.deepEqual(data.sources.ids.slice(2), ['typed']);
  assert.deepEqual([...data.searchQuery], [2, UNKNOWN, UNKNOWN, 3, UNKNOWN, 2]);
  assert.deepEqual([...data.searchSource], [2, UNKNOWN, UNKNOWN, 2, 2, 2]);
});

test('a user may only search', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(
    folder,
    'log.jsonl',
    jsonLines([
      { type: 'search', id: 1, time: 1, user: 'u', query: '' },
      { type: 'search', id: 2, time: 2, user: 'v', query: '👟' },
      { type: 'view', time: 3, user: 'v', item: 'i' },
    ]),
  );
  await importEvents({ files: [file], out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  assert.deepEqual([...data.feedOffsets], [0, 0, 0, 0, 1]);
  assert.deepEqual([...data.searchOffsets], [0, 0, 0, 1, 2]);
  assert.deepEqual([...data.searchQuery], [UNKNOWN, 2], 'an empty query is no query');
  assert.deepEqual([...data.wordOffsets], [0, 0, 0, 0], 'an emoji is a query without words');
});

test('attributes keep their values whatever their names are', async (t) => {
  const folder = await scratchFolder(t);
  const names = ['value', 'face value', 'price in $$', '$&', '*', 'a "b"', '/~1', 'x.y', '[0]', '0', 'end\\'];
  const fields = Object.fromEntries(names.map((name, i) => [name, i % 2 === 0 ? i : `${name} of it`]));
  const file = await put(
    folder,
    'log.jsonl',
    jsonLines([
      { type: 'item', item: 'i', fields },
      { type: 'view', time: 1, user: 'u', item: 'i' },
    ]),
  );
  await importEvents({ files: [file], out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  for (const name of names)
    assert.deepEqual(data.itemAttributes.get(name)?.values.ids.slice(2), [String(fields[name])], name);
});

test('sequences of S3-Rec: a line per user, attributes as one text', async (t) => {
  const folder = await scratchFolder(t);
  const sequences = await put(folder, 'log.txt', '1 10 20 10\n__proto__ 20\n');
  const attributes = await put(folder, 'attributes.json', '{"b": [1, "x", 1], "10": []}');
  await importS3rec({ sequences, attributes, out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  assert.deepEqual(data.users.ids.slice(2), ['1', '__proto__']);
  assert.deepEqual(data.items.ids.slice(2), ['10', 'b', '20']);
  assert.deepEqual([...data.feedItem], [2, 4, 2, 4]);
  assert.deepEqual(data.itemAttributes.get('attributes')?.values.ids.slice(2), ['1 x']);
});
