/** A query that training never saw is ranked by the words that training saw: from the files of a data directory to the scores of models. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Dataset, UNKNOWN, asKnownBy, importEvents, loadDataset, withSearch } from '../../src/data/index.js';
import { GraphRanker, models } from '../../src/model/index.js';
import { jsonLines, put, scratchFolder } from '../data/folders.js';
import { runtimeForTests } from '../support/runtime.js';
import { allItems, momentOf, tinyModel } from '../support/tiny-model.js';

const runtime = runtimeForTests();

const at = (time: number, event: object): object => ({ user: 'u', time, ...event });
const view = (time: number, item: string): object => at(time, { type: 'view', item });
const search = (time: number, id: string, query: string): object => at(time, { type: 'search', id, query });
/** The last two views are held out; what is searched between them is no training. */
const known = [search(1, 's1', 'green tea'), view(2, 'a'), search(3, 's2', 'red hat'), view(4, 'b'), view(5, 'c')];
const unseen = [
  search(6, 's3', '  Tea   HAT samovar '),
  search(7, 's4', 'tea hat samovar'),
  search(8, 's5', 'samovar'),
  search(9, 's6', ''),
];
const log = [...known, ...unseen, view(10, 'd')];

function wordsOf(dataset: Dataset): (string[] | null)[] {
  const { unseenQueries: unseen, searchQuery, words } = dataset;
  assert(unseen);
  return Array.from(searchQuery, (query, search) => {
    const place = unseen.ofSearch[search] as number;
    assert(place < 0 || query === UNKNOWN, 'a query is seen or not');
    return place < 0 ? null : (unseen.words[place] ?? []).map((word) => words.ids[word] as string);
  });
}

test('a data directory is loaded with the words of queries that training never saw; words that it never saw are nothing', async (t) => {
  const folder = await scratchFolder(t);
  const out = join(folder, 'data');
  await importEvents({ files: [await put(folder, 'log.jsonl', jsonLines(log))], out });
  const dataset = await loadDataset(out);
  assert.deepEqual(dataset.queries.ids.slice(2), ['green tea', 'red hat']);
  assert.deepEqual(wordsOf(dataset), [null, null, ['tea', 'hat'], ['tea', 'hat'], null, null]);
  assert.deepEqual(dataset.unseenQueries?.ids, ['tea hat samovar']);
});

test('a data directory that has grown keeps, to a model of before, the words that the model knows', async (t) => {
  const folder = await scratchFolder(t);
  const [old, grown] = [join(folder, 'old'), join(folder, 'grown')];
  const later = [...unseen, view(10, 'd'), view(11, 'a'), view(12, 'b')];
  await importEvents({ files: [await put(folder, 'old.jsonl', jsonLines(known))], out: old });
  await importEvents({ files: [await put(folder, 'new.jsonl', jsonLines(later))], out: grown, append: old });
  const before = await loadDataset(old);
  const seen = await loadDataset(grown);
  assert(seen.queries.has('tea hat samovar'), 'training goes further now');
  const dataset = asKnownBy(seen, before);
  assert.deepEqual(wordsOf(dataset), [null, null, ['tea', 'hat'], ['tea', 'hat'], null, null]);
});

for (const id of ['sesrec', 'nrhub', 'unisar'] as const)
  test(`${id} ranks a query that training never saw by the words that training saw`, async () => {
    const { model, parameters, dataset } = tinyModel({ id, preset: models[id].presets[0] });
    const [moment, items] = [momentOf(dataset, 'u0'), allItems(dataset)];
    const scores = async (data: Dataset): Promise<Float32Array> =>
      new GraphRanker(model, parameters, data, runtime).score([moment], items, items.length);
    const after = async (query: string): Promise<Float32Array> => scores(withSearch(dataset, moment.user, { query }));
    const unseen = await after('green scarf');
    assert.deepEqual(await after('green samovar scarf'), unseen, 'words that training never saw are nothing');
    const nothing = await after('samovar');
    assert.notDeepEqual(unseen, nothing);
    const forgotten = { ...withSearch(dataset, moment.user, { query: 'green scarf' }), unseenQueries: undefined };
    assert.deepEqual(await scores(forgotten), nothing, 'without words it is the unknown query');
  });
