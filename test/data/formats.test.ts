/** Every format of data directories that was ever released still means what it meant, and no other is guessed at. */
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CorruptFileError } from '../../src/base/index.js';
import { type Dataset, linkDataset, loadDataset } from '../../src/data/index.js';
import { scratchFolder } from './folders.js';

const FORMATS = 'test/fixtures/formats';

/** What a reader of a fixture would notice if it were read otherwise. */
function factsOf(data: Dataset): Record<string, unknown> {
  const { manifest } = data;
  const user = data.users.index('u4');
  return {
    hash: manifest.hash.slice(0, 16),
    split: manifest.split,
    generator: manifest.source.generator,
    sizes: manifest.sizes,
    trainedUsers: data.trainedUsers,
    events: [data.feedItem.length, data.searchQuery.length, data.clickItem.length],
    unknown: [data.feedItem.filter((item) => item === 1).length, data.clickItem.filter((item) => item === 1).length],
    trainingSearches: data.searchIsTraining.filter((flag) => flag === 1).length,
    items: Array.from(data.feedItem.subarray(0, 5), (item) => data.items.ids[item]),
    ofUser4: [data.feedOffsets, data.heldOutStart, data.targets.validation, data.targets.test].map(
      (column) => column[user],
    ),
    feedTime: data.feedTime[0],
    search: [data.queries.ids[data.searchQuery[0] as number], data.searchTime[0], data.searchOrdinal[0]],
    click: [data.items.ids[data.clickItem[0] as number], data.clickOrdinal[0], data.clickTime[0]],
  };
}

const sizes = { users: 10, items: 26, queries: 6, words: 11, sources: 5 };
const expected: Readonly<Record<string, Record<string, unknown>>> = {
  'data-1': {
    hash: '3e5fabd6cb4276ab',
    split: { strategy: 'leave-one-out' },
    generator: null,
    sizes,
    trainedUsers: 10,
    events: [40, 30, 18],
    unknown: [0, 0],
    trainingSearches: 24,
    items: ['i13', 'i2', 'i3', 'i13', 'i20'],
    ofUser4: [20, 23, 23, 24],
    feedTime: Date.UTC(2026, 0, 1, 0, 2),
    search: ['category one lamps', Date.UTC(2026, 0, 1), 0],
    click: ['i22', 17, NaN],
  },
  'data-2': {
    hash: '911752fc9119f43c',
    split: { strategy: 'leave-one-out' },
    generator: null,
    sizes,
    trainedUsers: 10,
    events: [40, 30, 16],
    unknown: [0, 0],
    trainingSearches: 24,
    items: ['i10', 'i16', 'i23', 'i9', 'i10'],
    ofUser4: [20, 23, 23, 24],
    feedTime: Date.UTC(2026, 0, 1, 0, 2),
    search: ['category two tea', Date.UTC(2026, 0, 1), 0],
    click: ['i17', 52, Date.UTC(2026, 0, 1, 4, 1)],
  },
  'data-2-global-time': {
    hash: 'b7bb1a32bd759426',
    split: {
      strategy: 'global-time',
      validationFrom: Date.UTC(2026, 0, 1, 5, 22),
      testFrom: Date.UTC(2026, 0, 1, 6, 2),
    },
    generator: null,
    sizes: { ...sizes, items: 23 },
    trainedUsers: 10,
    events: [40, 30, 16],
    unknown: [3, 1],
    trainingSearches: 25,
    items: ['i10', 'i16', 'i23', 'i9', 'i10'],
    ofUser4: [20, 24, -1, 24],
    feedTime: Date.UTC(2026, 0, 1, 0, 2),
    search: ['category two tea', Date.UTC(2026, 0, 1), 0],
    click: ['i17', 52, Date.UTC(2026, 0, 1, 4, 1)],
  },
};

for (const [name, facts] of Object.entries(expected)) {
  test(`${name} is read, and linked, and says what it always said`, async (t) => {
    assert.deepEqual(factsOf(await loadDataset(join(FORMATS, name))), facts);
    const linked = join(await scratchFolder(t), 'linked');
    await linkDataset(join(FORMATS, name), linked);
    assert.deepEqual(factsOf(await loadDataset(linked)), facts);
    assert.deepEqual(
      await readFile(join(linked, 'manifest.json')),
      await readFile(join(FORMATS, name, 'manifest.json')),
      'a version is migrated in memory, never on the disk',
    );
  });
}

test('every other version is refused in one line', async (t) => {
  const copy = join(await scratchFolder(t), 'copy');
  await cp(join(FORMATS, 'data-2'), copy, { recursive: true });
  const path = join(copy, 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as object;
  for (const version of [0, 3, '1', '2', null, undefined]) {
    await writeFile(path, JSON.stringify({ ...manifest, version }));
    await assert.rejects(loadDataset(copy), (error) => {
      assert.ok(error instanceof CorruptFileError, String(error));
      assert.equal(
        error.message,
        `${path} has format version ${JSON.stringify(version)}, this program reads 1 and 2: import the data again`,
      );
      return true;
    });
  }
  await writeFile(path, JSON.stringify({ ...manifest, version: 1 }));
  await assert.rejects(loadDataset(copy), /damaged/, 'a version that is not its own');
});

test('the hash of format 2 covers the generator and the cuts', async (t) => {
  const copy = join(await scratchFolder(t), 'copy');
  await cp(join(FORMATS, 'data-2-global-time'), copy, { recursive: true });
  const path = join(copy, 'manifest.json');
  const text = await readFile(path, 'utf8');
  for (const [from, to] of [
    ['"testFrom": 1767247320000', '"testFrom": 1767247320001'],
    ['"generator": null', '"generator": {"name":"a","version":"1","options":{}}'],
  ] as const) {
    assert.ok(text.includes(from));
    await writeFile(path, text.replace(from, to));
    await assert.rejects(loadDataset(copy), /damaged/, to);
  }
});
