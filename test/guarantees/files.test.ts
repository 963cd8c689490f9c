/**
 * Files of ours that somebody damaged or made: read, or refused in one line; nothing runs, nothing hangs, memory stays bounded, and
 * nothing on the disk is touched. Knows readers; what commands make of such files, the fuzz of the command line says.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CorruptFileError, Random, UserError, hashOf, readJson, unpack } from '../../src/base/index.js';
import { peakMemoryBytes } from '../../src/cli/environment.js';
import { copyToParquet, parquetTable, withDatabase } from '../../src/data/database.js';
import { importEvents, loadDataset, readManifest } from '../../src/data/index.js';
import { identityOf } from '../../src/data/prepare.js';
import { decodeSafetensors, loadOrRecover, saveCheckpoint } from '../../src/model/index.js';
import { put, scratchFolder } from '../data/folders.js';
import { contentOf } from '../support/command-line.js';
import { writePlantedLog } from '../support/planted.js';
import { encodeSafetensors } from '../support/safetensors.js';
import { FUZZ_CASES, SEED, inSoak } from '../support/soak.js';

/** Megabytes beyond those of before that all tests of this file may take at most. */
const MEMORY = 1000;
const before = peakMemoryBytes();
after(() => {
  const grown = (peakMemoryBytes() - before) / 2 ** 20;
  assert.ok(grown < MEMORY, `${grown.toFixed(0)} MiB more than before`);
});

const tensors = (seed: number) =>
  new Map(
    ['item.id', 'query.id', 'hidden'].map((name, i) => {
      const shape = [3 + i, 4];
      const random = new Random('tensors', seed, name);
      return [name, { shape, data: Float32Array.from({ length: 4 * (3 + i) }, () => random.normal()) }] as const;
    }),
  );

const NASTY = [
  '-1',
  '1e999',
  '4294967296',
  '9007199254740993',
  '18446744073709551615',
  'null',
  '{}',
  '[]',
  '"F64"',
  '"\\u0000"',
  '__proto__',
  '\0',
  ']]]]',
  '[[[[[[[[',
];

/** Bytes with some damage: most of it near the beginning, where sizes are. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const place = (): number =>
    Math.min(bytes.length - 1, Math.floor(bytes.length * random.float() ** (1 + random.integer(4))));
  const kind = random.integer(6);
  if (kind === 0) return bytes.slice(0, place());
  if (kind === 1) return Buffer.concat([bytes, bytes.subarray(place())]);
  const copy = Uint8Array.from(bytes);
  if (kind === 2) {
    for (let i = 0; i <= random.integer(4); i++) copy[place()] = random.integer(256);
    return copy;
  }
  if (kind === 3) {
    const at = place();
    copy.fill(random.integer(2) * 255, at, at + 1 + random.integer(16));
    return copy;
  }
  // a number or a text for another one
  const at = place();
  const length = kind === 4 ? 0 : random.integer(8);
  const text = Buffer.from(NASTY[random.integer(NASTY.length)] as string);
  return Buffer.concat([bytes.subarray(0, at), text, bytes.subarray(at + length)]);
}

/** Whether it worked; what fails must do so in a line. */
async function refusesInALine(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    assert.ok(error instanceof UserError, String((error as Error).stack));
    assert.doesNotMatch(error.message, /\n/);
    return false;
  }
}

test('damaged safetensors are refused, or hold no more than the file', async (t) => {
  const whole = encodeSafetensors(tensors(1), { made: 'here' });
  const random = new Random('safetensors', SEED);
  const counts = { read: 0, refused: 0 };
  for (let i = 0; i < FUZZ_CASES; i++) {
    const bytes = damaged(whole, random);
    const isRead = await refusesInALine(() => {
      const size = [...decodeSafetensors(bytes, 'here').values()].reduce((sum, { data }) => sum + data.byteLength, 0);
      assert.ok(size <= bytes.length);
    });
    counts[isRead ? 'read' : 'refused']++;
  }
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.refused > 0);
});

test('sizes are believed only as far as the file goes', async () => {
  const file = (header: string, claimed = BigInt(header.length)): Uint8Array => {
    const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(header)]);
    bytes.writeBigUInt64LE(claimed);
    return bytes;
  };
  const one = (shape: string, offsets: string): string =>
    `{"a":{"dtype":"F32","shape":${shape},"data_offsets":${offsets}}}`;
  for (const bytes of [
    file('{}', 2n ** 63n),
    file('{}', 2n ** 53n + 1n),
    file(one('[4294967296,4294967296]', '[0,0]')),
    file(one('[1e308,1e308]', '[0,0]')),
    file(one('[1073741824]', '[0,4294967296]')),
    file(one('[-1,-1]', '[0,4]')),
    file(`{"a":${'['.repeat(5 << 20)}}`),
    file('['.repeat(3 << 20)),
  ])
    assert.equal(await refusesInALine(() => decodeSafetensors(bytes, 'here')), false);
});

test('a JSON file too large to be one of ours is not read, a small one that unpacks to very much not unpacked', async (t) => {
  const folder = await scratchFolder(t);
  const large = await put(folder, 'large.json', '');
  await truncate(large, 2 ** 40); // a hole: no disk is taken
  await assert.rejects(
    readJson(large),
    (error) => error instanceof CorruptFileError && /more than/.test(error.message),
  );
  const deep = await put(folder, 'deep.json', '['.repeat(15 << 20));
  await assert.rejects(readJson(deep), CorruptFileError);
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  await assert.rejects(unpack(bomb, 32 << 20), /larger than/);
});

test('a checkpoint cut at every byte of its header and at random places of its body: the one in reserve is used, nothing is touched', async (t) => {
  const folder = await scratchFolder(t);
  const whole = join(folder, 'whole');
  await mkdir(whole);
  for (const epoch of [1, 2]) await saveCheckpoint(whole, 'last', tensors(epoch), { epoch }, { reserve: true });
  const { file } = JSON.parse(await readFile(join(whole, 'last.json'), 'utf8')) as { file: string };
  const manifestLength = (await readFile(join(whole, 'last.json'))).length;
  const bytes = await readFile(join(whole, file));
  const header = 8 + Number(bytes.readBigUInt64LE());
  const random = new Random('cuts', SEED);
  const body = Array.from({ length: inSoak(20, 1000) }, () => header + random.integer(bytes.length - header));
  const cuts: [name: string, length: number][] = [
    ...Array.from({ length: header }, (_, length): [string, number] => [file, length]),
    ...body.map((length): [string, number] => [file, length]),
    ...Array.from({ length: manifestLength - 2 }, (_, length): [string, number] => ['last.json', length]),
  ];
  const copy = join(folder, 'copy');
  await cp(whole, copy, { recursive: true });
  for (const [name, length] of cuts) {
    await truncate(join(copy, name), length);
    const left = await contentOf(copy);
    const recovered = await loadOrRecover<{ epoch: number }>(copy, 'last', () => undefined);
    assert.equal(recovered?.checkpoint.state.epoch, 1, `${name} cut at ${length}`);
    assert.match(recovered?.damage ?? '', /last/);
    assert.deepEqual(await contentOf(copy), left, 'reading changes nothing');
    await cp(join(whole, name), join(copy, name));
  }
  assert.equal((await loadOrRecover<{ epoch: number }>(copy, 'last', () => undefined))?.checkpoint.state.epoch, 2);
  t.diagnostic(`${cuts.length} cuts`);
});

test('damaged manifests of checkpoints and of data are refused, or say the same', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog({ users: 10, items: 12, categories: 3, eventsPerUser: 5, seed: 1 }, log);
  const data = join(folder, 'data');
  const { manifest } = await importEvents({ files: [log], out: data });
  const checkpoint = join(folder, 'checkpoint');
  await mkdir(checkpoint);
  await saveCheckpoint(checkpoint, 'best', tensors(1), { epoch: 1 });
  const random = new Random('manifests', SEED);
  const counts = { same: 0, refused: 0 };
  for (const [path, read] of [
    [join(data, 'manifest.json'), async () => assert.equal((await readManifest(data)).hash, manifest.hash)],
    [
      join(checkpoint, 'best.json'),
      async () =>
        assert.equal(
          (await loadOrRecover<{ epoch: number }>(checkpoint, 'best', () => undefined))?.checkpoint.state.epoch,
          1,
        ),
    ],
  ] as const) {
    const whole = await readFile(path);
    for (let i = 0; i < FUZZ_CASES / 2; i++) {
      await writeFile(path, damaged(whole, random));
      counts[(await refusesInALine(read)) ? 'same' : 'refused']++;
    }
    await writeFile(path, whole);
  }
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.refused > counts.same);
});

test('Parquet: damaged logs, and damaged files of data whose hashes were made to fit', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog({ users: 10, items: 12, categories: 3, eventsPerUser: 5, seed: 1 }, log);
  const data = join(folder, 'data');
  const manifest = (await importEvents({ files: [log], out: data })).manifest;
  const names = Object.keys(manifest.files);
  const random = new Random('parquet', SEED);
  const counts = { read: 0, refused: 0, imported: 0, 'not imported': 0 };
  const out = join(folder, 'out');
  for (let i = 0; i < inSoak(100, 5000); i++) {
    const name = names[random.integer(names.length)] as string;
    const whole = await readFile(join(data, name));
    const bytes = damaged(whole, random);
    await writeFile(join(data, name), bytes);
    const files = { ...manifest.files, [name]: hashOf(bytes) };
    const fitting = { ...manifest, files, hash: identityOf({ ...manifest, files }) };
    await writeFile(join(data, 'manifest.json'), JSON.stringify(fitting));
    counts[(await refusesInALine(async () => loadDataset(data))) ? 'read' : 'refused']++;
    if (i % 4 === 0) {
      const isMade = await refusesInALine(async () => importEvents({ files: [join(data, name)], out, memory: 200 }));
      counts[isMade ? 'imported' : 'not imported']++;
      await rm(out, { recursive: true, force: true });
    }
    await writeFile(join(data, name), whole);
  }
  t.diagnostic(JSON.stringify(counts));
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('.tmp')),
    [],
  );
});

/** Data of which one file is another query of itself, and whose hashes fit. */
async function rewrittenData(t: TestContext, name: string, query: (rows: string) => string): Promise<string> {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog({ users: 10, items: 12, categories: 3, eventsPerUser: 5, seed: 1 }, log);
  const data = join(folder, 'data');
  const { manifest } = await importEvents({ files: [log], out: data });
  const path = join(data, name);
  const made = join(folder, 'made.parquet');
  await withDatabase(async (database) => database.run(copyToParquet(query(parquetTable(path)), made)));
  await rename(made, path);
  const files = { ...manifest.files, [name]: hashOf(await readFile(path)) };
  await writeFile(
    join(data, 'manifest.json'),
    JSON.stringify({ ...manifest, files, hash: identityOf({ ...manifest, files }) }),
  );
  return data;
}

test('a small file that says the same twenty million times is not believed', async (t) => {
  const data = await rewrittenData(
    t,
    'feed.parquet',
    (rows) =>
      `SELECT * EXCLUDE (n) FROM (SELECT * FROM (SELECT * FROM ${rows} LIMIT 1) AS one, range(20000000) AS r(n))`,
  );
  await assert.rejects(
    loadDataset(data),
    (error) => error instanceof CorruptFileError && /claims 20000000 values in \d+ bytes/.test(error.message),
  );
});

test('clicks of searches that nobody made are damage, told in a line', async (t) => {
  const data = await rewrittenData(
    t,
    'searches.parquet',
    (rows) => `SELECT * REPLACE ('nobody' AS "user") FROM ${rows}`,
  );
  await assert.rejects(
    loadDataset(data),
    (error) => error instanceof CorruptFileError && /a click belongs to no search/.test(error.message),
  );
});
