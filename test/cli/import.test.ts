import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Command } from 'commander';
import { UserError } from '../../src/base/index.js';
import { importCommand } from '../../src/cli/commands/import.js';
import { type DataManifest, FORMATS } from '../../src/data/index.js';

/** Runs `sesrec …` and returns what it wrote to each stream. */
async function run(t: TestContext, ...words: readonly string[]): Promise<{ out: string; err: string }> {
  const written = { out: '', err: '' };
  const out = t.mock.method(process.stdout, 'write', (text: string) => ((written.out += text), true));
  const err = t.mock.method(process.stderr, 'write', (text: string) => ((written.err += text), true));
  try {
    await new Command('sesrec')
      .exitOverride()
      .addCommand(importCommand())
      .parseAsync(['import', ...words], { from: 'user' });
  } finally {
    out.mock.restore();
    err.mock.restore();
  }
  return written;
}

async function files(t: TestContext): Promise<{ folder: string; log: string; items: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-cli-'));
  t.after(async () => rm(folder, { recursive: true }));
  const [log, items] = [join(folder, 'log.tsv'), join(folder, 'items.tsv')];
  await writeFile(log, 'user_id\titem_id\ttimestamp\nu\ta\t1700000001\nu\tb\t1700000002\n');
  await writeFile(items, 'item_id\tquery\na\tgreen tea\n');
  return { folder, log, items };
}

test('import prints a table of counts; warnings go to standard error', async (t) => {
  const { folder, log, items } = await files(t);
  const { out, err } = await run(
    t,
    'interactions',
    log,
    '--items',
    items,
    '--construct-searches',
    'query',
    '--out',
    join(folder, 'out'),
  );
  const lines = out.split('\n');
  assert.match(lines[0] as string, /users +items +feed +searches +queries$/);
  assert.match(lines[1] as string, /^imported +1 +2 +2 +1 +1$/);
  assert.match(out, /1 queries, 2 words, 1 sources/);
  assert.match(err, /^warning: 1 item of 1 interaction is not in .*\n$/);
});

test('import --json prints one document: directory, warnings, manifest', async (t) => {
  const { folder, log } = await files(t);
  const directory = join(folder, 'out');
  const { out, err } = await run(t, 'interactions', log, '--json', '--out', directory);
  const printed = JSON.parse(out) as {
    out: string;
    warnings: string[];
    manifest: { format: string; sizes: { items: number } };
  };
  assert.equal(printed.out, directory);
  assert.deepEqual(printed.warnings, []);
  assert.equal(printed.manifest.format, 'sesrec-data');
  assert.equal(printed.manifest.sizes.items, 4);
  assert.equal(err, '');
});

test('s3rec and events are there too, and an existing directory is refused', async (t) => {
  const { folder } = await files(t);
  const [sequences, events, directory] = [join(folder, 'log.txt'), join(folder, 'log.jsonl'), join(folder, 'out')];
  await writeFile(sequences, 'u a b c\n');
  await writeFile(events, '{"type":"view","time":1,"user":"u","item":"a"}\n');
  assert.match((await run(t, 's3rec', sequences, '--out', directory)).out, /imported +1 +3 +3 +0/);
  await assert.rejects(
    run(t, 'events', events, '--out', directory),
    (error) => error instanceof UserError && /--overwrite/.test(error.message),
  );
  assert.match((await run(t, 'events', events, events, '--out', directory, '--overwrite')).out, /imported +1 +1 +2 +0/);
});

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/imports');

for (const { name } of FORMATS.filter(({ name }) => !['events', 's3rec'].includes(name))) {
  test(`import auto recognises the files of ${name}, and says why; import ${name} makes the same data of them`, async (t) => {
    const { folder } = await files(t);
    const { files: names } = JSON.parse(await readFile(join(FIXTURES, name, 'expected.json'), 'utf8')) as {
      files: string[];
    };
    const paths = names.map((file) => join(FIXTURES, name, file));
    const recognised = await run(t, 'auto', ...paths, '--out', join(folder, 'auto'), '--json');
    assert.match(recognised.err, new RegExp(`^warning: recognised as ${name}: `));
    const named = await run(t, name, ...paths, '--out', join(folder, 'named'), '--json');
    assert.ok(!named.err.includes('recognised'), named.err);
    const [first, second] = [recognised, named].map(
      ({ out }) => (JSON.parse(out) as { manifest: DataManifest }).manifest,
    );
    assert.equal(first?.hash, second?.hash);
    assert.equal(first?.source.importer, name, 'it is known later what it was');
    const { read } = first ?? {};
    assert.ok(read);
    assert.equal(read.accepted + read.rejected + read.duplicates + read.ignored, read.read);
  });
}

test('a stream of queries and events, whichever comes first, is the same as their files', async (t) => {
  const { folder } = await files(t);
  const [queries, events] = await Promise.all(
    ['ubi_queries.jsonl', 'ubi_events.jsonl'].map(async (name) => readFile(join(FIXTURES, 'ubi', name), 'utf8')),
  );
  const countsOf = async (...contents: readonly string[]): Promise<unknown> => {
    const paths = contents.map((_, i) => join(folder, `part ${i}.jsonl`));
    for (const [i, content] of contents.entries()) await writeFile(paths[i] as string, content);
    const { out } = await run(t, 'auto', ...paths, '--out', join(folder, 'out'), '--overwrite', '--json');
    const { read, counts, sizes } = (JSON.parse(out) as { manifest: DataManifest }).manifest;
    return { read, counts, sizes };
  };
  const apart = await countsOf(queries as string, events as string);
  assert.deepEqual(await countsOf(`${queries}${events}`), apart);
  assert.deepEqual(await countsOf(`${events}${queries}`), apart);
});

test('data that grow are divided as they were, with cuts of their own, unless it is said otherwise', async (t) => {
  const { folder } = await files(t);
  const at = (day: number): number => Date.UTC(2026, 0, day);
  const log = async (name: string, first: number, days: number): Promise<string> => {
    const path = join(folder, name);
    const lines = Array.from({ length: days }, (_, i) => ({
      type: 'view',
      time: at(first + i),
      user: 'u',
      item: `i${i % 5}`,
    }));
    await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  };
  const split = async (...words: readonly string[]): Promise<DataManifest['split']> =>
    (JSON.parse((await run(t, 'events', ...words, '--json')).out) as { manifest: DataManifest }).manifest.split;
  const base = join(folder, 'base');
  const before = await split(await log('a.jsonl', 1, 20), '--out', base, '--split', 'global-time');
  const later = await log('b.jsonl', 21, 20);
  const grown = await split(later, '--append', base, '--out', join(folder, 'grown'));
  assert.ok(before.strategy === 'global-time' && grown.strategy === 'global-time');
  assert.deepEqual([before.testFrom, grown.testFrom], [at(19), at(37)]);
  const said = await split(later, '--append', base, '--out', join(folder, 'said'), '--split', 'leave-one-out');
  assert.equal(said.strategy, 'leave-one-out');
});
