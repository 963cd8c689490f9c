import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import { importEvents, importInteractions, importLog, importS3rec, loadDataset } from '../../src/data/index.js';
import { jsonLines, put, scratchFolder } from './folders.js';

const HEADER = 'user_id\titem_id\ttimestamp\n';
const LONG = gzipSync(HEADER + 'u\ti\t1\n'.repeat(5000));
const SEARCH = { type: 'search', id: 's', time: 5, user: 'u', query: 'q' };
const VIEW = { type: 'view', time: 6, user: 'u', item: 'i' };

/** A bad input and what its one line must say. */
type Case = readonly [name: string, content: string | Uint8Array, message: RegExp];

async function refused(folder: string, work: (out: string) => Promise<unknown>, message: RegExp): Promise<void> {
  const before = await readdir(folder);
  await assert.rejects(work(join(folder, 'deep', 'er', 'out')), (error) => {
    assert.ok(error instanceof UserError, String((error as Error).stack));
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(error.message.length < 2000);
    return true;
  });
  assert.deepEqual(await readdir(folder), before, 'nothing is left behind');
}

const interactionCases: readonly Case[] = [
  ['an empty file', '', /log is empty/],
  ['a file of blank lines', '\n \n', /log is empty/],
  ['only a header', HEADER, /no rows/],
  [
    'a missing column',
    'user_id\tthing\ttimestamp\nu\ti\t1\n',
    /no column "item_id": it has user_id, thing, timestamp; name the right one with --item-column/,
  ],
  ['no time column', 'user_id,item_id\nu,i\n', /no column "timestamp".*--time-column none/],
  ['a column twice', 'user_id\tuser_id\nu\ti\n', /the column "user_id" twice/],
  ['too few fields', `${HEADER}u\ti\t1\n\nu\ti\n`, /log, line 4: 2 fields where the header has 3 columns/],
  ['too many fields', `${HEADER}u\ti\t1\t1\n`, /line 2: 4 fields/],
  [
    'a time that is no number',
    `${HEADER}u\ti\t1\nu\ti\tyesterday\n`,
    /line 3: the time "yesterday" is not in the unit "s"/,
  ],
  ['an endless time', `${HEADER}u\ti\t1e99\n`, /line 2: the time "1e99"/],
  ['an empty user', `${HEADER} \ti\t1\n`, /line 2: the field "user_id" is empty/],
  ['an empty item', `${HEADER}u\t\t1\n`, /line 2: the field "item_id" is empty/],
  ['a cut gzip', LONG.subarray(0, LONG.length - 20), /the gzip data is damaged/],
  ['a flipped byte in gzip', LONG.map((byte, i) => (i === 60 ? byte ^ 255 : byte)), /damaged|UTF-8|line|column/],
  ['Latin-1', Buffer.from(`${HEADER}u\té\t1\n`, 'latin1'), /not UTF-8/],
  ['an open quote', 'user_id,item_id,timestamp\n"u,i,1\nu,i,1\n', /line 2: a double quote is opened and never closed/],
];

for (const [name, content, message] of interactionCases) {
  test(`interactions: ${name} is refused in one clear line`, async (t) => {
    const folder = await scratchFolder(t);
    const file = await put(folder, 'log', content);
    await refused(folder, async (out) => importInteractions({ file, out, strict: true }), message);
  });
}

const itemCases: readonly Case[] = [
  ['an item twice', 'item_id\tquery\na\tx\nb\ty\na\tz\n', /items, line 4: the item "a" is already on line 2/],
  ['no query column', 'item_id\tname\na\tx\n', /no column "query".*--construct-searches/],
  ['an attribute called like ours', 'item_id\tquery\tIndex\na\tx\ty\n', /the attribute "Index".*rename it/],
  ['attributes alike but for case', 'item_id\tquery\tQuery\na\tx\ty\n', /the attribute "Query".*rename it/],
];

for (const [name, content, message] of itemCases) {
  test(`items: ${name} is refused in one clear line`, async (t) => {
    const folder = await scratchFolder(t);
    const file = await put(folder, 'log', `${HEADER}u\ta\t1\n`);
    const items = await put(folder, 'items', content);
    await refused(
      folder,
      async (out) => importInteractions({ file, items, constructSearches: 'query', out, strict: true }),
      message,
    );
  });
}

const eventCases: readonly Case[] = [
  ['an empty file', '', /no searches, clicks or other actions/],
  ['bad JSON', `${JSON.stringify(VIEW)}\n{"type":\n`, /log, line 2: not valid JSON/],
  ['no object', '[1]', /line 1: an event is a JSON object/],
  ['an unknown type', jsonLines([{ ...VIEW, type: 'wink' }]), /line 1: unknown type "wink"/],
  ['no type', jsonLines([{ user: 'u' }]), /the field "type" is missing/],
  ['no user', jsonLines([{ ...VIEW, user: undefined }]), /the field "user" is missing/],
  ['no item', jsonLines([{ ...VIEW, item: null }]), /the field "item" is missing/],
  [
    'a user faked by __proto__',
    '{"type":"view","item":"i","time":1,"__proto__":{"user":"u"}}',
    /the field "user" is missing/,
  ],
  ['no time', jsonLines([{ ...VIEW, time: undefined }]), /the field "time" is missing/],
  ['a bad time', jsonLines([VIEW, { ...VIEW, time: 'noon' }]), /line 2: the time "noon"/],
  ['no query', jsonLines([{ ...SEARCH, query: undefined }]), /the field "query" is missing/],
  ['a search without id', jsonLines([{ ...SEARCH, id: undefined }]), /the field "id" is missing/],
  ['an id that is no text', jsonLines([{ ...VIEW, user: { a: 1 } }]), /the field "user" is \{"a":1\}/],
  ['half a character', '{"type":"view","item":"\\ud800","time":1,"user":"u"}', /not valid JSON/],
  [
    'a number too large to be exact',
    '{"type":"view","item":12345678901234567890,"time":1,"user":"u"}',
    /the field "item"/,
  ],
  [
    'an unknown search',
    jsonLines([SEARCH, { ...VIEW, search: 'x' }]),
    /line 2: the event names the search "x", which no line has/,
  ],
  [
    'the search of somebody else',
    jsonLines([SEARCH, { ...VIEW, user: 'v', search: 's' }]),
    /line 2: .* of the user "u"/,
  ],
  ['a click before its search', jsonLines([SEARCH, { ...VIEW, time: 1, search: 's' }]), /line 2: .* comes later/],
  ['a nested attribute', jsonLines([{ type: 'item', item: 'i', fields: { a: { b: 1 } } }]), /the attribute "a"/],
  [
    'an attribute nested behind a text',
    jsonLines([{ type: 'item', item: 'i', fields: { a: ['{', '['], b: ['x', { y: 1 }] } }]),
    /the attribute "b"/,
  ],
];

for (const [name, content, message] of eventCases) {
  test(`events: ${name} is refused in one clear line`, async (t) => {
    const folder = await scratchFolder(t);
    const file = await put(folder, 'log', content);
    await refused(folder, async (out) => importEvents({ files: [file], out, strict: true }), message);
  });
}

const sequenceCases: readonly Case[] = [
  ['an empty file', '', /log is empty/],
  ['a user without items', 'u i\nv\n', /line 2: the user "v" has no items/],
  ['a user twice', 'u i\nv i\nu j\n', /line 3: the user "u" is already on line 1/],
];

for (const [name, content, message] of sequenceCases) {
  test(`s3rec: ${name} is refused in one clear line`, async (t) => {
    const folder = await scratchFolder(t);
    const sequences = await put(folder, 'log', content);
    await refused(folder, async (out) => importS3rec({ sequences, out, strict: true }), message);
  });
}

test('s3rec: attributes that are no object of lists are refused', async (t) => {
  const folder = await scratchFolder(t);
  const sequences = await put(folder, 'log', 'u i\n');
  for (const content of ['', '[1]', '{"i": 1}', '{"i": [{}]}', '{"": []}']) {
    const attributes = await put(folder, 'attributes.json', content);
    await refused(folder, async (out) => importS3rec({ sequences, attributes, out }), /attributes\.json/);
  }
});

test('a missing file, a folder and an existing --out are refused; --overwrite spares what is not ours', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log', `${HEADER}u\ta\t1\n`);
  await refused(
    folder,
    async (out) => importInteractions({ file: join(folder, 'nothing'), out }),
    /cannot read .*nothing/,
  );
  await refused(folder, async (out) => importInteractions({ file: folder, out }), /not a file/);
  await refused(
    folder,
    async () => importInteractions({ file, out: join(file, 'under', 'a', 'file') }),
    /cannot write/,
  );
  await mkdir(join(folder, 'out'));
  await put(folder, 'out/letter.txt', 'dear');
  await refused(folder, async () => importInteractions({ file, out: join(folder, 'out') }), /already exists/);
  await refused(
    folder,
    async () => importInteractions({ file, out: join(folder, 'out'), overwrite: true }),
    /not a data directory/,
  );
  await refused(folder, async (out) => importInteractions({ file, constructSearches: 'query', out }), /--items/);
});

test('--require-both that leaves nobody is refused', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log', `${HEADER}u\ta\t1\n`);
  await refused(folder, async (out) => importInteractions({ file, out, requireBoth: true }), /nothing is left/);
});

test('garbage gives a data set or a UserError, never anything else', async (t) => {
  const folder = await scratchFolder(t);
  const out = join(folder, 'out');
  const piece = fc.oneof(
    fc.constantFrom(
      'user_id',
      'item_id',
      'timestamp',
      'query',
      '\t',
      ',',
      '\n',
      '\r\n',
      '"',
      '\u0000',
      '\ufeff',
      '1',
      '{"type":"view"',
      '"time":1',
      '"user":"u"',
      '}',
      '[',
      'null',
      ' ',
    ),
    fc.string({ maxLength: 5 }),
  );
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join(''))),
    fc
      .array(piece, { maxLength: 20 })
      .map((pieces) => Buffer.from(`user_id\titem_id\ttimestamp\nu\ti\t1\n${pieces.join('')}`)),
    fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.from(`${JSON.stringify(VIEW)}\n${pieces.join('')}`)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.concat([Buffer.from([0x1f, 0x8b]), bytes])),
  );
  let failures = 0;
  await fc.assert(
    fc.asyncProperty(content, fc.integer({ min: 0, max: 2 }), async (bytes, importer) => {
      const file = await put(folder, 'garbage', bytes);
      try {
        if (importer === 0) await importInteractions({ file, items: file, out, overwrite: true });
        else if (importer === 1) await importEvents({ files: [file], out, overwrite: true });
        else await importS3rec({ sequences: file, out, overwrite: true });
      } catch (error) {
        failures++;
        assert.ok(error instanceof UserError, String((error as Error).stack));
        assert.doesNotMatch(error.message, /\n/);
        return;
      }
      await loadDataset(out);
    }),
    { numRuns: 80 },
  );
  t.diagnostic(`${failures} of 120 refused`);
});

test('a table whose columns are told apart by something else says so', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.csv', 'user;item;time\nu;i;1\n');
  const message = /user;item;time \(columns are told apart by commas or tabs, not by ;\)/;
  await refused(folder, async (out) => importLog({ format: 'auto', files: [file], out }), message);
  await refused(folder, async (out) => importInteractions({ file, out }), message);
});
