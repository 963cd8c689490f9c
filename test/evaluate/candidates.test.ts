import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { CorruptFileError, UserError } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import {
  candidatesFileName,
  candidatesOf,
  drawCandidates,
  hashCandidates,
  loadOrDrawCandidates,
  readCandidatesFile,
  saveCandidates,
} from '../../src/evaluate/index.js';
import { tinyDataset, type TinyEvent } from '../support/tiny-dataset.js';

const items = Array.from({ length: 12 }, (_, i) => `i${i}`);
const stories: Record<string, TinyEvent[]> = {
  ann: ['i0', 'i1', { query: 'red shoe', clicked: ['i2'] }, { led: 'i2' }, 'i3'],
  bob: ['i4', 'i5', { query: 'hat', clicked: ['i6', 'i7'] }, 'i4'],
  cat: ['i8', 'i9'], // holds nothing out
  dan: ['i9', 'i10', 'i11'],
};
const dataset = tinyDataset(stories, { items });
const rawList = (data: Dataset, user: string, options: { count: number; seed: number }): string[] => {
  const list = candidatesOf(drawCandidates(data, options), data.users.index(user)) ?? new Int32Array();
  return Array.from(list, (item) => data.items.ids[item] as string);
};

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sesrec-candidates-'));
});
after(() => rm(directory, { recursive: true }));

describe('drawn candidates', () => {
  test('are distinct, from the catalogue, and never met by the user: feed of any split, clicks of searches', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 8 }), (seed, count) => {
        assert.ok(
          rawList(dataset, 'ann', { count, seed }).every(
            (item) => !['i0', 'i1', 'i2', 'i3'].includes(item) && items.includes(item),
          ),
        );
        assert.ok(
          rawList(dataset, 'bob', { count, seed }).every(
            (item) => !['i4', 'i5', 'i6', 'i7'].includes(item) && items.includes(item),
          ),
        );
        for (const user of ['ann', 'bob', 'dan'])
          assert.equal(new Set(rawList(dataset, user, { count, seed })).size, count);
      }),
    );
  });

  test('take every unseen item when as many are asked for', () => {
    assert.deepEqual(rawList(dataset, 'ann', { count: 8, seed: 3 }).sort(), [
      'i10',
      'i11',
      'i4',
      'i5',
      'i6',
      'i7',
      'i8',
      'i9',
    ]);
  });

  test('are uniform: every unseen item equally often', () => {
    const times = new Map<string, number>();
    for (let seed = 0; seed < 4000; seed++) {
      for (const item of rawList(dataset, 'ann', { count: 2, seed })) times.set(item, (times.get(item) ?? 0) + 1);
    }
    assert.equal(times.size, 8);
    // 1000 expected, sd 27: five of them
    for (const [item, count] of times) assert.ok(Math.abs(count - 1000) < 140, `${item} was drawn ${count} times`);
  });

  test('users without held-out events have no list', () => {
    assert.equal(candidatesOf(drawCandidates(dataset, { count: 2 }), dataset.users.index('cat')), undefined);
  });

  test('are the same whatever the order of users', () => {
    const turned = tinyDataset(Object.fromEntries(Object.entries(stories).toReversed()), { items });
    for (const user of ['ann', 'bob', 'dan']) {
      assert.deepEqual(rawList(turned, user, { count: 5, seed: 1 }), rawList(dataset, user, { count: 5, seed: 1 }));
    }
  });

  test('are the same in every version: a published list can be drawn again', () => {
    assert.deepEqual(rawList(dataset, 'ann', { count: 5, seed: 1 }), ['i4', 'i6', 'i10', 'i7', 'i11']);
  });

  test('an item that training does not know is no item: not a target, and nothing that somebody met', () => {
    const feedItem = dataset.feedItem.slice();
    const ann = dataset.users.index('ann');
    feedItem[dataset.feedOffsets[ann] as number] = 1; // "i0", which ann met nowhere else
    const others = { ...dataset, feedItem };
    // eight are left to bob, nine would be to ann: so many more that "i0" is among them in some draw
    const drawn = Array.from({ length: 40 }, (_, seed) => rawList(others, 'ann', { count: 8, seed }));
    assert.ok(drawn.flat().includes('i0') && !drawn.flat().some((item) => ['i1', 'i2', 'i3'].includes(item)));
    assert.equal(new Set(drawn.flat()).size, 9);
    for (const positions of [dataset.targets.validation, dataset.targets.test]) feedItem[positions[ann] as number] = 1;
    assert.equal(candidatesOf(drawCandidates(others, { count: 2 }), ann), undefined);
  });

  test('a user whose very first event is held out has a list', () => {
    const first = Int32Array.from(dataset.targets.test).fill(-1);
    const user = dataset.feedOffsets.indexOf(0, 2);
    first[user] = 0;
    const none = first.slice().fill(-1);
    const drawn = drawCandidates({ ...dataset, targets: { validation: none, test: first } }, { count: 3 });
    assert.equal(candidatesOf(drawn, user)?.length, 3);
    assert.equal(drawn.items.length, 3);
    assert.equal(candidatesOf(drawn, 10_000), undefined, 'somebody who came later');
  });

  test('differ by seed, and the hash tells', () => {
    const hash = (seed: number): string => hashCandidates(drawCandidates(dataset, { count: 5, seed }), dataset);
    assert.equal(hash(1), hash(1));
    assert.notEqual(hash(1), hash(2));
  });

  test('a catalogue that is too small is told to the user', () => {
    assert.throws(
      () => drawCandidates(dataset, { count: 9 }),
      (error) => error instanceof UserError && /at most 8/.test(error.message),
    );
    // found by damaging the manifest of a result: no memory is asked for what cannot be drawn
    assert.throws(() => drawCandidates(dataset, { count: 2 ** 40 }), /cannot draw 1099511627776 candidates for user/);
    for (const count of [0, -1, 1.5, NaN])
      assert.throws(() => drawCandidates(dataset, { count }), /cannot draw .* candidates: give a whole number from 1/);
    const long = tinyDataset({ ['u'.repeat(80)]: ['i0', 'i1', 'i2'] }, { items: items.slice(0, 4) });
    assert.throws(() => drawCandidates(long, { count: 9 }), /user "u{60}…":/);
    const sixty = tinyDataset({ ['u'.repeat(60)]: ['i0', 'i1', 'i2'] }, { items: items.slice(0, 4) });
    assert.throws(() => drawCandidates(sixty, { count: 9 }), /user "u{60}":/);
  });
});

describe('kept candidates', () => {
  test('round-trip through the file, byte for byte', async () => {
    const drawn = await loadOrDrawCandidates(directory, dataset, { count: 5 });
    assert.ok((await readdir(directory)).includes('candidates-5-uniform-seed1.jsonl.gz'));
    assert.deepEqual(await loadOrDrawCandidates(directory, dataset, { count: 5 }), drawn);
    const again = join(directory, 'again.jsonl.gz');
    await saveCandidates(again, drawn, dataset);
    assert.deepEqual(await readFile(again), await readFile(join(directory, candidatesFileName({ count: 5 }))));
    const read = await readCandidatesFile(again, dataset);
    assert.deepEqual({ ...read, origin: 'uniform', seed: 1 }, drawn);
    assert.equal(read.origin, 'again.jsonl.gz');
    assert.equal(hashCandidates(read, dataset), hashCandidates(drawn, dataset));
  });

  const damaged: Record<string, (lines: string[]) => Buffer> = {
    'a user is missing': (lines) => gzipSync(lines.slice(1).join('\n')),
    'a user is unknown': (lines) => gzipSync(lines.join('\n').replace('"dan"', '"eve"')),
    'an item is unknown': (lines) => gzipSync(lines.join('\n').replace(/"i\d+"/, '"j"')),
    'a list is short': (lines) => gzipSync(lines.join('\n').replace(/,"i\d+"/, '')),
    'an item was seen': (lines) => gzipSync(lines.join('\n').replace(/"i\d+"/, '"i0"')),
    'the file is cut': (lines) => gzipSync(lines.join('\n')).subarray(0, 40),
    'the file is empty': () => Buffer.alloc(0),
  };
  for (const [what, damage] of Object.entries(damaged)) {
    test(`are refused as corrupt when ${what}`, async () => {
      const path = join(directory, candidatesFileName({ count: 6 }));
      await loadOrDrawCandidates(directory, dataset, { count: 6 });
      const whole = await readFile(path);
      await writeFile(path, damage(gunzipSync(whole).toString().trim().split('\n')));
      await assert.rejects(
        loadOrDrawCandidates(directory, dataset, { count: 6 }),
        (error) => error instanceof CorruptFileError && error.message.includes(path),
      );
      await writeFile(path, whole);
    });
  }

  test('are refused as corrupt when the lists have another length than the name says', async () => {
    await saveCandidates(
      join(directory, candidatesFileName({ count: 7 })),
      drawCandidates(dataset, { count: 3 }),
      dataset,
    );
    await assert.rejects(loadOrDrawCandidates(directory, dataset, { count: 7 }), (error) => {
      assert.ok(error instanceof CorruptFileError);
      return error.message.endsWith('lists have 3 items, not 7 (delete the file to have the lists drawn again)');
    });
  });

  test('say what an item that was seen is: a target, or something else in the log', async () => {
    const path = join(directory, candidatesFileName({ count: 4 }));
    for (const [item, why] of [
      ['i3', /which is the user's own target/],
      ['i0', /which is in the user's own log/],
    ] as const) {
      const others = [['bob', 'i0', 'i1', 'i2', 'i3'], ['dan', 'i0', 'i1', 'i2', 'i3']]; // prettier-ignore
      const lines = [['ann', 'i5', 'i6', 'i7', item], ...others].map((line) => JSON.stringify(line)).join('\n');
      await writeFile(path, gzipSync(lines));
      await assert.rejects(loadOrDrawCandidates(directory, dataset, { count: 4 }), why);
    }
  });

  test('a file that is there and cannot be read is told, and not drawn over', async () => {
    const path = join(directory, candidatesFileName({ count: 2 }));
    await mkdir(path);
    await assert.rejects(loadOrDrawCandidates(directory, dataset, { count: 2 }), (error) => {
      assert.ok(error instanceof CorruptFileError && (error.cause as NodeJS.ErrnoException).code === 'EISDIR');
      return error.message.startsWith(`cannot read ${path}: `);
    });
  });

  test('a data set that holds nothing out has none, twice', async () => {
    const small = tinyDataset({ cat: ['i8', 'i9'] }, { items });
    const empty = join(directory, 'empty');
    const drawn = await loadOrDrawCandidates(empty, small);
    assert.equal(drawn.items.length, 0);
    assert.deepEqual(await loadOrDrawCandidates(empty, small), drawn);
  });
});

describe("a user's candidates file", () => {
  const read = async (content: string | Uint8Array): ReturnType<typeof readCandidatesFile> => {
    const path = join(directory, 'theirs.txt');
    await writeFile(path, content);
    return readCandidatesFile(path, dataset);
  };
  const good = ['ann i4 i5', 'bob i0 i1', 'dan i0 i1'];

  test("S3-Rec's text, plain, gzipped, with Windows line ends, tabs and blank lines", async () => {
    const plain = await read(good.join('\n'));
    assert.equal(plain.count, 2);
    assert.deepEqual(Array.from(candidatesOf(plain, dataset.users.index('bob')) ?? []), [
      dataset.items.index('i0'),
      dataset.items.index('i1'),
    ]);
    assert.deepEqual(await read(gzipSync(good.join('\n'))), plain);
    assert.deepEqual(await read(`\n${good.join('\r\n\r\n').replaceAll(' ', '\t \t')}\r\n`), plain);
  });

  test('JSON lines give the same lists', async () => {
    const json = good.map((line) => JSON.stringify(line.split(' '))).join('\n');
    assert.deepEqual(await read(json), await read(good.join('\n')));
  });

  test('lists of users who hold nothing out are read over; items of the history are allowed', async () => {
    assert.deepEqual(await read([...good, 'cat i0 i1'].join('\n')), await read(good.join('\n')));
    await read(['ann i0 i1', ...good.slice(1)].join('\n'));
  });

  const wrong: Record<string, { content: string | Uint8Array; says: RegExp }> = {
    'an unknown user': {
      content: [...good, 'eve i1 i2'].join('\n'),
      says: /theirs\.txt:4: user "eve" is not in the data set/,
    },
    'an unknown item': { content: ['ann i4 x', ...good].join('\n'), says: /:1: item "x" is not in the data set/ },
    'a missing user': { content: good.slice(0, 2).join('\n'), says: /no list for user "dan"; 1 of 3/ },
    'different lengths': {
      content: ['ann i4', ...good.slice(1)].join('\n'),
      says: /:2: user "bob" has 2 items, those before have 1/,
    },
    "the user's validation target": {
      content: ['ann i4 i2', ...good.slice(1)].join('\n'),
      says: /:1: .*"ann" contains item "i2", which is the user's own target/,
    },
    "the user's test target": { content: ['ann i4 i3', ...good.slice(1)].join('\n'), says: /"ann" contains item "i3"/ },
    'an item twice': { content: ['ann i4 i4', ...good.slice(1)].join('\n'), says: /"i4" twice/ },
    'a user twice': { content: [...good, 'ann i4 i5'].join('\n'), says: /:4: user "ann" has a list already/ },
    'a user alone': { content: 'ann\n', says: /"ann" has no items/ },
    'nothing but its first sign says gzip': { content: '\x1f', says: /:1: user "\\u001f" is not in the data set/ },
    'nothing but its second sign says gzip': { content: Uint8Array.of(0x61, 0x8b), says: /:1: the line is not UTF-8/ },
    'an unknown item of a name without end': {
      content: ['ann i4 ' + 'x'.repeat(1000), ...good].join('\n'),
      says: /:1: item "x{60}…" is not in the data set/,
    },
    'an empty array': { content: '[]\n', says: /:1: the line is empty/ },
    'broken JSON': { content: '["ann","i4"\n', says: /:1: not valid JSON/ },
    'numbers as ids': { content: '["ann",4,5]\n', says: /:1: expected a JSON array of ids in quotes/ },
    'bytes that are no text': { content: Uint8Array.of(0x61, 0xff, 0xfe), says: /:1: the line is not UTF-8/ },
    'a cut gzip file': { content: gzipSync(good.join('\n')).subarray(0, 30), says: /damaged gzip/ },
    nothing: { content: '', says: /no list for user "ann"; 3 of 3/ },
  };
  for (const [what, { content, says }] of Object.entries(wrong)) {
    test(`${what} is one line for the user`, () =>
      assert.rejects(
        read(content),
        (error) => error instanceof UserError && says.test(error.message) && !error.message.includes('\n'),
      ));
  }

  test('a file that is absent', () =>
    assert.rejects(
      readCandidatesFile(join(directory, 'absent'), dataset),
      (error) => error instanceof UserError && error.message.startsWith('cannot read the candidates file '),
    ));

  test('fuzzed files give lists or a UserError of one line, nothing else', async () => {
    const token = fc.constantFrom(
      'ann',
      'bob',
      'dan',
      'cat',
      'i0',
      'i1',
      'i4',
      'i9',
      ' ',
      '\n',
      '\t',
      '"',
      '[',
      ']',
      ',',
      '\0',
      '\u2028',
      '{}',
      '__proto__',
      '',
    );
    const text = fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(''));
    const json = fc.array(fc.json(), { maxLength: 4 }).map((values) => values.join('\n'));
    const mutated = fc.tuple(fc.nat(40), fc.nat(255)).map(([position, byte]) => {
      const bytes = Buffer.from(good.join('\n'));
      bytes[position % bytes.length] = byte;
      return bytes;
    });
    const brokenGzip = fc.tuple(fc.nat(60), fc.nat(255)).map(([position, byte]) => {
      const bytes = gzipSync(good.join('\n'));
      bytes[position % bytes.length] = byte;
      return bytes;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, json, mutated, brokenGzip, fc.uint8Array({ maxLength: 60 })), async (content) => {
        try {
          const candidates = await read(content);
          assert.equal(candidates.items.length, 3 * candidates.count);
        } catch (error) {
          assert.ok(error instanceof UserError && !error.message.includes('\n'), String(error));
        }
      }),
      { numRuns: 400 },
    );
  });
});
