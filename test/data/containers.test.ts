/** One log in every container, compression and place gives one data set; and what is wrong in it is told by file and line. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import { type DataManifest, importEvents, importInteractions, importLog, loadDataset } from '../../src/data/index.js';
import { copyToParquet, literal, withDatabase } from '../../src/data/database.js';
import { readPieces, type BadLine } from '../../src/data/sources/input.js';
import { expandInputs } from '../../src/data/sources/which-files.js';
import { jsonLines, put, scratchFolder } from './folders.js';

const FIELDS = ['type', 'id', 'time', 'user', 'item', 'query', 'source', 'search'] as const;
const LOG: readonly Partial<Record<(typeof FIELDS)[number], string | number>>[] = Array.from({ length: 60 }, (_, i) =>
  i % 4 === 0
    ? {
        type: 'search',
        id: `s${i}`,
        time: 1000 * i,
        user: `u${i % 3}`,
        query: `green, "tea" ${i % 5}`,
        source: 'typed',
      }
    : i % 4 === 3
      ? { type: 'click', time: 1000 * i, user: `u${(i - 3) % 3}`, item: `i${i % 7}`, search: `s${i - 3}` }
      : { type: 'view', id: i % 8 === 1 ? `v${i}` : '', time: 1000 * i, user: `u${i % 3}`, item: `i,${i % 11}` },
).map((event) => Object.fromEntries(Object.entries(event).filter(([, value]) => value !== '')));

const quoted = (value: string | number | undefined): string =>
  typeof value === 'string' && /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : String(value ?? '');
const table = (separator: string, cell: (value: string | number | undefined) => string): string =>
  [FIELDS.join(separator), ...LOG.map((event) => FIELDS.map((name) => cell(event[name])).join(separator)), ''].join(
    '\n',
  );

const LINES = jsonLines(LOG);
const CONTENTS: Readonly<Record<string, string | Uint8Array>> = {
  'log.jsonl': LINES,
  'no-newline.jsonl': LINES.trimEnd(),
  'windows.jsonl': `\uFEFF${LINES.replaceAll('\n', '\r\n')}`,
  'blank-lines.jsonl': LINES.replaceAll('\n', '\n\n \n\u00A0\n'),
  'log.jsonl.gz': gzipSync(LINES),
  'members.gz': Buffer.concat([gzipSync(LINES.slice(0, 500)), gzipSync(LINES.slice(500))]),
  'list.json': JSON.stringify(LOG),
  'pretty.json': JSON.stringify(LOG, null, 2),
  'pretty.jsonl': LOG.map((event) => JSON.stringify(event, null, 1)).join('\n'),
  'log.csv': table(',', quoted),
  'log.tsv': table('\t', (value) => String(value ?? '')),
};

test('every container and compression gives the same data set', async (t) => {
  const folder = await scratchFolder(t);
  const paths = [];
  for (const [name, content] of Object.entries(CONTENTS)) paths.push(await put(folder, name, content));
  const [lines] = paths;
  await withDatabase(async (database) => {
    const rows = `SELECT * FROM read_json(${literal(lines as string)}, columns = {${FIELDS.map((name) => `"${name}": '${name === 'time' ? 'BIGINT' : 'VARCHAR'}'`).join(', ')}})`;
    await database.run(copyToParquet(rows, join(folder, 'log.parquet')));
    await database.run(`COPY (${rows}) TO ${literal(join(folder, 'log.jsonl.zst'))} (FORMAT json, COMPRESSION zstd)`);
  });
  paths.push(join(folder, 'log.parquet'), join(folder, 'log.jsonl.zst'));
  const hashes = new Map<string, string>();
  for (const path of paths) {
    const { manifest, warnings } = await importEvents({ files: [path], out: join(folder, 'out'), overwrite: true });
    assert.match(
      warnings.join(),
      /^45 events before 1995 or after 2100, such as 1970-01-01T00:00:00\.000Z: are times in another unit [^;]*\?$/,
      path,
    );
    assert.deepEqual(
      manifest.read,
      { records: 60, read: 60, accepted: 60, rejected: 0, duplicates: 0, ignored: 0 },
      path,
    );
    hashes.set(path, manifest.hash);
  }
  assert.equal(new Set(hashes.values()).size, 1, JSON.stringify([...hashes]));
});

test('files, folders, patterns and standard input name the same log', async (t) => {
  const folder = await scratchFolder(t);
  const half = LINES.indexOf('\n', LINES.length / 2) + 1;
  await put(folder, 'days/2026/a.jsonl', LINES.slice(0, half));
  await put(folder, 'days/2026/b.jsonl.gz', gzipSync(LINES.slice(half)));
  await put(folder, 'days/.hidden', 'not of the log');
  const hashOf = async (files: readonly string[]): Promise<string> =>
    (await importEvents({ files, out: join(folder, 'out'), overwrite: true })).manifest.hash;
  const whole = await hashOf([await put(folder, 'whole.jsonl', LINES)]);
  for (const word of ['days', 'days/**/*.jsonl*', 'days/20?6/*', 'days/202[5-7]/[ab].jsonl*'])
    assert.equal(await hashOf([join(folder, word)]), whole, word);
  for (const word of ['days/*.csv', 'days/*', 'nowhere/**'])
    await assert.rejects(hashOf([join(folder, word)]), /there is no such file/, word);
  await assert.rejects(hashOf([join(folder, 'days/[z-a]')]), /the pattern \[z-a\] is none/);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['bin/sesrec.js', 'import', 'auto', '-', '--out', join(folder, 'piped'), '--json'],
    { input: LINES, encoding: 'utf8' },
  );
  assert.match(stderr, /recognised as events: stdin has type/);
  assert.equal((JSON.parse(stdout) as { manifest: DataManifest }).manifest.hash, whole);
});

test('what is wrong goes to quarantine with its place, and everything adds up', async (t) => {
  const folder = await scratchFolder(t);
  const bytes = Buffer.concat([
    Buffer.from(jsonLines(LOG.slice(0, 4))),
    Buffer.from('{"type":"view","user":"caf\xe9","item":"i","time":1}\n', 'latin1'),
    Buffer.from('{"type":"view","user":"nul\0","item":"i","time":1}\n'),
    Buffer.from(`{"type":"view","user":"${'x'.repeat(17 << 20)}","item":"i","time":1}\n`),
    Buffer.from('{"type":"view","user":9007199254740993,"item":"i","time":1}\n'),
    Buffer.from(jsonLines([LOG[0], { type: 'impression' }, { ...LOG[2], search: 's0', user: 'u1' }])),
    Buffer.from('{"type":"view","user":"u","item":"i","time":'),
  ]);
  const file = await put(folder, 'log.jsonl', bytes);
  const out = join(folder, 'out');
  const { manifest, warnings } = await importEvents({ files: [file], out });
  assert.deepEqual(manifest.read, { records: 12, read: 12, accepted: 4, rejected: 6, duplicates: 1, ignored: 1 });
  const quarantine = (await readFile(join(out, 'quarantine.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; line: number; reason: string; raw: string });
  assert.deepEqual(
    quarantine.map(({ file: name, line }) => [name, line]),
    [5, 6, 7, 8, 11, 12].map((line) => ['log.jsonl', line]),
  );
  const reasons = [
    /not UTF-8/,
    /not valid JSON/,
    /longer than 16 MB/,
    /below 2\^53/,
    /search "s0", which is a search of the user "u0"/,
    /not valid JSON/,
  ];
  for (const [i, reason] of reasons.entries()) assert.match((quarantine[i] as { reason: string }).reason, reason);
  assert.ok(quarantine.every(({ raw }) => raw.length > 0 && raw.length <= 2000));
  assert.match(warnings.join('\n'), /6 records rejected, see quarantine\.jsonl; the first is .*line 5/);
  assert.equal((await loadDataset(out)).feedItem.length, 2);
  await assert.rejects(
    importEvents({ files: [file], out: join(folder, 'strict'), strict: true }),
    (error) => error instanceof UserError && /log\.jsonl, line 5: not UTF-8/.test(error.message),
  );
  await assert.rejects(readdir(join(folder, 'strict')));
});

test('JSON records that share a line are told apart: their order, ids that come again, and what is wrong with one', async (t) => {
  const folder = await scratchFolder(t);
  const time = 1000; // of all, so that nothing but the place in the file orders them
  const log = [
    { type: 'search', id: 's', user: 'u', query: 'tea', time },
    ...['d', 'a', 'c', 'b'].map((item) => ({ type: 'view', id: item, user: 'u', item, time })),
    { type: 'view', id: 'a', user: 'u', item: 'a', time },
    { type: 'view', user: 'u', time },
    { type: 'click', user: 'u', item: 'e', search: 's', time },
    { type: 'item', item: 'a', price: '1' },
    { type: 'item', item: 'a', price: '2' },
  ];
  const importOf = async (name: string, content: string) => {
    const out = join(folder, `${name}.data`);
    const { manifest } = await importEvents({ files: [await put(folder, name, content)], out });
    const told = (await readFile(join(out, 'quarantine.jsonl'), 'utf8')).trim().split('\n');
    return { hash: manifest.hash, read: manifest.read, told: told.map((line) => JSON.parse(line) as { line: number }) };
  };
  const lines = await importOf('log.jsonl', jsonLines(log));
  assert.deepEqual(lines.read, { records: 10, read: 10, accepted: 8, rejected: 1, duplicates: 1, ignored: 0 });
  const list = await importOf('list.json', JSON.stringify(log));
  assert.deepEqual([list.hash, list.read], [lines.hash, lines.read]);
  assert.deepEqual([lines, list].map(({ told }) => told.map(({ line }) => line)), [[7], [1]]); // prettier-ignore
  const odd = await importOf('odd.json', `${JSON.stringify(log)}\n\v\n\u00A0\n`); // white space that JSON does not know is no record
  assert.deepEqual([odd.hash, odd.read], [lines.hash, lines.read]);
  const cut = await importOf('cut.json', JSON.stringify(log).slice(0, -20));
  assert.deepEqual(cut.read, { records: 10, read: 10, accepted: 7, rejected: 2, duplicates: 1, ignored: 0 });
});

test('tables: quotes over lines, an open quote, wrong numbers of fields', async (t) => {
  const folder = await scratchFolder(t);
  const rows = ['u,a,1', '"u ""x"""\t,"b\nb",2', 'u,c', '', '"u","d",4', 'u,"open,5', 'u,e,6'];
  const file = await put(folder, 'log.csv', `user_id,item_id,timestamp\r\n${rows.join('\r\n')}\r\n`);
  const out = join(folder, 'out');
  const { manifest } = await importInteractions({ file, out });
  assert.deepEqual(manifest.read, { records: 6, read: 6, accepted: 4, rejected: 2, duplicates: 0, ignored: 0 });
  const data = await loadDataset(out);
  assert.deepEqual(data.items.ids.slice(2), ['a', 'b\nb', 'd', 'e']);
  assert.deepEqual(data.users.ids.slice(2), ['u', 'u "x"\t']);
  const quarantine = (await readFile(join(out, 'quarantine.jsonl'), 'utf8')).trim().split('\n');
  assert.deepEqual(
    quarantine.map((line) => (JSON.parse(line) as { line: number }).line),
    [5, 8],
  );
});

test('tables: a quote inside a field is a character, and one that is never closed costs its own row alone', async (t) => {
  const folder = await scratchFolder(t);
  const importOf = async (rows: readonly string[]) => {
    const file = await put(folder, 'log.csv', `user_id,item_id,timestamp\n${rows.join('\n')}\n`);
    const { manifest } = await importInteractions({ file, out: join(folder, 'out'), overwrite: true });
    return { ids: (await loadDataset(join(folder, 'out'))).items.ids.slice(2), read: manifest.read };
  };
  const inside = await importOf(['u,5" pipe,1', 'u,a,2', 'u,b"",3', 'u,"c"d,4', 'u, "e",5', 'u,f,6', 'u,7",7']);
  assert.deepEqual(inside.ids, ['5" pipe', 'a', 'b""', 'cd', ' "e"', 'f', '7"']);
  assert.equal(inside.read?.records, 7);
  const open = await importOf(['u,a,1', 'u,"b,2', 'u,c,3', '', 'u,"d, d",4', 'u,"e,5', 'u,"f\n\nf",6', 'u,g,7']);
  assert.deepEqual(open.ids, ['a', 'c', 'd, d', 'f\n\nf', 'g']);
  assert.deepEqual(open.read, { records: 7, read: 7, accepted: 5, rejected: 2, duplicates: 0, ignored: 0 });
});

test('any bytes in any pieces: lines are those of a plain reading, and none is lost', async (t) => {
  const folder = await scratchFolder(t);
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => Buffer.from(text.replaceAll(/[\n\r]/g, ''))),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13))),
    fc.constantFrom(Buffer.alloc(0), Buffer.from(' '), Buffer.alloc(700_000, 'x')),
  );
  const lines = fc.array(line, { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(lines, fc.boolean(), fc.boolean(), async (parts, windows, compressed) => {
      const end = Buffer.from(windows ? '\r\n' : '\n');
      const bytes = Buffer.concat(parts.flatMap((part) => [part, end]));
      const path = await put(folder, 'lines', compressed ? gzipSync(bytes) : bytes);
      const magic = ['1f8b', '50415231', '28b52ffd', 'fffe', 'feff']; // gzip, Parquet, zstd, UTF-16
      if (!compressed && magic.some((begin) => bytes.toString('hex').startsWith(begin))) return;
      const bads: BadLine[] = [];
      const read = new Map<number, string>();
      let filled = 0;
      for await (const piece of readPieces({ name: 'lines', path }, (bad) => bads.push(bad))) {
        filled += piece.filled;
        for (const [i, text] of piece.text.split('\n').entries()) read.set(piece.first + i, text);
      }
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
      let expectedFilled = 0;
      for (const [i, part] of parts.entries()) {
        let text: string | null;
        try {
          text = decoder.decode(part);
        } catch {
          text = null;
        }
        if (i === 0 && text?.startsWith('\uFEFF')) text = text.slice(1);
        if (text === null)
          assert.ok(
            bads.some((bad) => bad.line === i + 1),
            `line ${i + 1} is told`,
          );
        else {
          assert.equal(read.get(i + 1) ?? '', text);
          if (text.trim() !== '') expectedFilled++;
        }
      }
      assert.equal(filled, expectedFilled);
    }),
    { numRuns: 40 },
  );
});

test('a k-core keeps users and items with so many events among themselves, and what belongs to them', async (t) => {
  const folder = await scratchFolder(t);
  const event = (user: string, item: string, time: number): object => ({ type: 'view', user, item, time });
  const file = await put(
    folder,
    'log.jsonl',
    jsonLines([
      // a and b hold one another; c has two events, but one of them is on an item that c alone has
      ...['a', 'b'].flatMap((user, i) => [event(user, 'x', 10 * i), event(user, 'y', 10 * i + 1)]),
      { type: 'search', id: 's', user: 'c', query: 'q', time: 30 },
      event('c', 'x', 31),
      event('c', 'z', 32),
    ]),
  );
  const { manifest } = await importEvents({ files: [file], out: join(folder, 'out'), kCore: 2 });
  assert.deepEqual(
    manifest.counts.slice(0, 2).map(({ step, users, items, feed, searches }) => [step, users, items, feed, searches]),
    [
      ['imported', 3, 3, 6, 1],
      ['2-core', 2, 2, 4, 0],
    ],
  );
  await assert.rejects(
    importEvents({ files: [file], out: join(folder, 'none'), kCore: 9 }),
    /choose a smaller --k-core/,
  );
});

test('an event that equals an earlier one is left out on demand', async (t) => {
  const folder = await scratchFolder(t);
  const view = { type: 'view', user: 'u', item: 'i', time: 1 };
  const file = await put(folder, 'log.jsonl', jsonLines([view, view, { ...view, time: 2 }, { ...view, id: 'x' }]));
  const out = join(folder, 'out');
  const read = async (dropRepeats: boolean): Promise<DataManifest['read']> =>
    (await importLog({ format: 'events', files: [file], out, overwrite: true, dropRepeats })).manifest.read;
  assert.equal((await read(false))?.accepted, 4);
  assert.deepEqual(await read(true), { records: 4, read: 4, accepted: 3, rejected: 0, duplicates: 1, ignored: 0 });
});

test('a damaged Parquet file is refused in one line; a damaged first line costs that line alone', async (t) => {
  const folder = await scratchFolder(t);
  const whole = join(folder, 'whole.parquet');
  await withDatabase(async (database) =>
    database.run(copyToParquet(`SELECT 'view' AS type, 'u' AS "user", 'i' AS item, 1 AS time`, whole)),
  );
  const bytes = await readFile(whole);
  for (const damaged of [
    bytes.subarray(0, -9),
    Buffer.concat([bytes.subarray(0, 60), Buffer.alloc(40), bytes.subarray(100)]),
  ]) {
    const file = await put(folder, 'damaged.parquet', damaged);
    await assert.rejects(
      importEvents({ files: [file], out: join(folder, 'none') }),
      (error) =>
        error instanceof UserError && /cannot read .*damaged\.parquet/.test(error.message) && !/\n/.test(error.message),
    );
  }
  const file = await put(folder, 'log.jsonl', `type,user\n${LINES}`);
  const { manifest } = await importEvents({ files: [file], out: join(folder, 'out') });
  assert.deepEqual(manifest.read, { records: 61, read: 61, accepted: 60, rejected: 1, duplicates: 0, ignored: 0 });
});

test('too little memory and disk is said in one line', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(
    folder,
    'log.jsonl',
    jsonLines(
      Array.from({ length: 200_000 }, (_, i) => ({ type: 'view', user: `somebody ${i}`, item: `i${i}`, time: i })),
    ),
  );
  await assert.rejects(
    importEvents({ files: [file], out: join(folder, 'out'), memory: 8 }),
    (error) => error instanceof UserError && /allow more with --memory/.test(error.message),
  );
});

test('an empty folder has no files', async (t) => {
  const folder = await scratchFolder(t);
  await mkdir(join(folder, 'empty'));
  await assert.rejects(expandInputs([join(folder, 'empty')], folder), /there is no such file/);
});

test('a day without events is nothing, whatever the format; nothing but such days is refused', async (t) => {
  const folder = await scratchFolder(t);
  const day = await put(folder, '01.jsonl', LINES);
  const table = await put(
    folder,
    'interactions.csv',
    'USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\nu,i,1700000000,Click\nu,j,1700000001,Click\n',
  );
  for (const [name, content] of [
    ['00', ''],
    ['02', '\n\n'],
    ['03', ' \n'],
  ] as const) {
    const empty = await put(folder, name, content);
    for (const [format, full] of [
      ['auto', day],
      ['events', day],
      ['auto', table],
      ['personalize', table],
    ] as const) {
      const out = join(folder, 'out');
      const { manifest } = await importLog({ format, files: [empty, full], out, overwrite: true });
      const { manifest: alone } = await importLog({
        format,
        files: [full],
        out: join(folder, 'alone'),
        overwrite: true,
      });
      assert.equal(manifest.hash, alone.hash, `${name}, ${format}`);
    }
    await assert.rejects(
      importLog({ format: 'auto', files: [empty, empty], out: join(folder, 'none') }),
      (error) => error instanceof UserError && /is of no format that we know: it has no records/.test(error.message),
    );
  }
});
