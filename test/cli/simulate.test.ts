import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type DataManifest, loadDataset } from '../../src/index.js';
import { SIMULATOR_VERSION } from '../../src/simulate/index.js';
import { QUICK, inProcess, sesrec, sesrecJson } from '../support/command-line.js';

interface Made {
  readonly manifest: DataManifest;
}

const SITE = ['--users', '60', '--items', '150', '--seed', '9'];
let folder: string;
let data: string;
let made: Made;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-simulate-'));
  data = join(folder, 'site');
  made = await sesrecJson<Made>('simulate', ...SITE, '--search-signal', '0.5', '--out', data);
});
after(async () => rm(folder, { recursive: true, force: true }));

const jsonLines = async (path: string): Promise<Record<string, unknown>[]> =>
  gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('the manifest says what made the data: simulator, version and options; the identity depends on them', async () => {
  const { generator } = made.manifest.source;
  assert.deepEqual(generator, {
    name: 'simulate',
    version: String(SIMULATOR_VERSION),
    options: { users: 60, items: 150, seed: 9, searchSignal: 0.5 },
  });
  const again = await sesrecJson<Made>('simulate', ...SITE, '--out', join(folder, 'again'));
  assert.equal(again.manifest.hash, made.manifest.hash, '0.5 is the signal unless told');
  const other = await sesrecJson<Made>('simulate', ...SITE, '--search-signal', '0', '--out', join(folder, 'silent'));
  assert.notEqual(other.manifest.hash, made.manifest.hash);
  assert.equal(other.manifest.files['items.parquet'], made.manifest.files['items.parquet']);
});

test('the log kept beside the data is one that the importer reads, to the same tables', async () => {
  const imported = await sesrecJson<Made>(
    'import',
    'events',
    join(data, 'log', 'events.jsonl.gz'),
    '--out',
    join(folder, 'imported'),
  );
  assert.deepEqual(imported.manifest.files, made.manifest.files);
  assert.notEqual(imported.manifest.hash, made.manifest.hash, 'nobody says who made it');
});

test('every line of the truth is about the event of its ordinal', async () => {
  const truth = await jsonLines(join(data, 'log', 'truth.jsonl.gz'));
  const dataset = await loadDataset(data);
  const category = dataset.itemAttributes.get('category');
  assert.ok(category);
  const itemOf = new Map<number, number>();
  dataset.feedOrdinal.forEach((ordinal, i) => itemOf.set(ordinal, dataset.feedItem[i] as number));
  let feed = 0;
  for (const line of truth.filter(({ lane }) => lane === 'feed')) {
    const item = itemOf.get(line['ordinal'] as number);
    assert.equal(category.values.ids[category.index[item as number] as number], line['category']);
    feed++;
  }
  assert.equal(feed, dataset.feedItem.length);
  const searches = new Set(dataset.searchOrdinal);
  for (const { ordinal } of truth.filter(({ lane }) => lane === 'search')) assert.ok(searches.has(ordinal as number));
});

test('a run takes neither the log nor the truth along', async () => {
  const run = join(folder, 'run');
  const trained = await sesrec('train', data, '--out', run, '--epochs', '1', '--candidate-count', '20', ...QUICK);
  assert.equal(trained.code, 0, trained.err);
  assert.ok(!(await readdir(join(run, 'data'))).includes('log'));
  assert.deepEqual((await readdir(data)).includes('log'), true);
});

test('a simulated site can be divided by time', async () => {
  const out = join(folder, 'by time');
  const { manifest } = await sesrecJson<Made>('simulate', ...SITE, '--split', 'global-time', '--out', out);
  assert.equal(manifest.split.strategy, 'global-time');
  const audited = await inProcess('audit', out, '--candidate-count', '20');
  assert.equal(audited.code, 0, audited.err);
  assert.match(audited.out, /^all \d+ checks hold$/m);
});

test('what is no site is refused before anything is written', async () => {
  for (const [args, expected] of [
    [['--users', '0'], /whole number from 1/],
    [['--items', '11'], /whole number from 12/],
    [['--search-signal', '1.5'], /number from 0 to 1/],
    [['--search-signal', 'much'], /number from 0 to 1/],
    [['--seed', '-1'], /whole number from 0/],
  ] as const) {
    const { code, err } = await inProcess('simulate', ...args, '--out', join(folder, 'no site'));
    assert.equal(code, 2, err);
    assert.match(err, expected);
  }
  assert.ok(!(await readdir(folder)).includes('no site'));
});

test('analyse behaviour tells shares, intervals and its protocol, of data and of runs', async () => {
  const found = join(folder, 'found');
  const { code, out } = await inProcess('analyse', 'behaviour', data, '--out', found);
  assert.equal(code, 0);
  assert.match(out, /^\| spontaneous +\| +\d+\.\d % \| \d+\.\d % to \d+\.\d % \|/m);
  assert.deepEqual((await readdir(found)).sort(), ['behaviour.csv', 'behaviour.json', 'behaviour.md', 'behaviour.svg']);
  assert.match(
    await readFile(join(found, 'behaviour.csv'), 'utf8'),
    /^what,share,low,high,count,of\nwith a click,0\.\d+,/,
  );
  assert.match(
    await readFile(join(found, 'behaviour.svg'), 'utf8'),
    /^<svg aria-label="Searches: \d+\.\d % spontaneous/,
  );
  assert.match(out, /passive: started from "related"; dissimilar: the category of no clicked item/);
  const document = await sesrecJson<{ spontaneous: { share: number } }>('analyse', 'behaviour', join(folder, 'run'));
  assert.ok(Math.abs(document.spontaneous.share - 0.57) < 0.1);
  const wrong = await inProcess('analyse', 'behaviour', data, '--category', 'colour');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /^sesrec: the items have no attribute "colour" .*--category\n$/);
});
