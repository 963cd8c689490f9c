/** The real data sets of ../shared/data: their published sizes, and how long loading takes. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importInteractions, importLog, importS3rec, loadDataset } from '../../src/data/index.js';
import { scratchFolder } from './folders.js';

const SHARED = join(import.meta.dirname, '../../../../shared/data');

test('Amazon Beauty has its published sizes, keeps its order, and loads in seconds', async (t) => {
  const beauty = join(SHARED, 'amazon-beauty');
  if (!existsSync(beauty)) return t.skip(`${beauty} is not here`);
  const out = join(await scratchFolder(t), 'beauty');
  const { manifest, warnings } = await importInteractions({
    file: join(beauty, 'interactions.tsv.gz'),
    items: join(beauty, 'items.tsv.gz'),
    constructSearches: 'query',
    out,
  });
  assert.deepEqual(warnings, []);
  assert.deepEqual(manifest.counts[0], {
    step: 'imported',
    users: 22_363,
    items: 12_101,
    feed: 198_502,
    searches: 198_502,
    queries: 250,
  });
  assert.deepEqual(manifest.counts[1], {
    step: 'before the held-out events',
    users: 22_363,
    items: 12_068,
    feed: 153_776,
    searches: 153_776,
    queries: 250,
  });
  assert.deepEqual(manifest.sizes, { users: 22_365, items: 12_103, queries: 252, words: 256, sources: 3 });
  const start = performance.now();
  const data = await loadDataset(out);
  const seconds = (performance.now() - start) / 1000;
  t.diagnostic(`loaded in ${seconds.toFixed(2)} s`);
  assert.ok(seconds < 15, `${seconds} s`);
  for (let user = 2; user < data.users.ids.length; user++) {
    for (let event = (data.feedOffsets[user] as number) + 1; event < (data.feedOffsets[user + 1] as number); event++) {
      assert.ok((data.feedOrdinal[event - 1] as number) < (data.feedOrdinal[event] as number));
    }
  }
  assert.equal(data.clickItem.length, 198_502);
  return undefined;
});

test('LastFM has its published sizes', async (t) => {
  const lastfm = join(SHARED, 'lastfm');
  if (!existsSync(lastfm)) return t.skip(`${lastfm} is not here`);
  const out = join(await scratchFolder(t), 'lastfm');
  const { manifest } = await importS3rec({
    sequences: join(lastfm, 'LastFM.txt.gz'),
    attributes: join(lastfm, 'LastFM_item2attributes.json.gz'),
    out,
  });
  assert.deepEqual(manifest.counts[0], {
    step: 'imported',
    users: 1_090,
    items: 3_646,
    feed: 52_551,
    searches: 0,
    queries: 0,
  });
  assert.equal(manifest.sizes.items, 3_648);
  return undefined;
});

test('the product search data of Ai et al. has its published sizes', async (t) => {
  const folder = join(SHARED, 'amazon-product-search');
  if (!existsSync(folder)) return t.skip(`${folder} is not here`);
  const [train, held, texts] = ['train.qrels.gz', 'test.qrels.gz', 'query_text.txt.gz'].map((name) =>
    join(folder, name),
  );
  const scratch = await scratchFolder(t);
  const imported = async (files: string[], format: string): Promise<unknown> => {
    const { manifest, warnings } = await importLog({ format, files, out: join(scratch, format) });
    assert.ok(
      warnings.some((warning) => warning.includes('no order in time')),
      warnings.join('\n'),
    );
    const { users, items, searches, queries } = manifest.counts[0] ?? {};
    return { rows: manifest.read?.records, users, items, searches, queries };
  };
  const sizes = { users: 27_879, items: 10_428 };
  assert.deepEqual(await imported([train as string, texts as string], 'product-search'), {
    ...sizes,
    rows: 174_087,
    searches: 174_087,
    queries: 134,
  });
  assert.deepEqual(await imported([train as string, held as string, texts as string], 'auto'), {
    ...sizes,
    rows: 174_754,
    searches: 174_754,
    queries: 164,
  });
  return undefined;
});
