/** Files of exported models and what to ask of them. Knows what such a file takes; does not know who runs it. */
import { type Dataset, UNKNOWN, withSearch } from '../../src/data/index.js';
import { BatchAssembler, catalogueOf, gatherRows, withUnseenQueries } from '../../src/features/index.js';
import { type Case, GraphRanker, exportOnnx } from '../../src/model/index.js';
import { type OnnxModel, Runtime } from '../../src/tensor/index.js';
import { type Entry, allItems, livelyDataset, moments, tinyModel, withNewItems } from './tiny-model.js';

export interface Exported {
  readonly made: OnnxModel;
  /** By name: int32 values, row-major. */
  readonly inputs: Readonly<Record<string, Int32Array>>;
  /** The logits of the run itself, row-major. */
  readonly expected: Float32Array;
  /** Those that it would give did it know no word of queries that training never saw. */
  readonly expectedWithoutWords: Float32Array;
}

/** What is searched for last of all; training never saw it, but for the last one. A search has at most three words. */
const NEWLY_SEARCHED = [
  'Green  TEA, green!', // a word twice
  'long green blue cup hat', // more words than there is room for
  'zebra piano sofa blue scarf', // more unknown words than there is room for, before those that are known
  'pink zebra', // no known word
  '',
  'red hat',
];

/** The data set with a few searches more at the end of some histories, each with clicks or without. */
function withNewSearches(dataset: Dataset): Dataset {
  const users = ['u0', 'u1', 'u2', 'led', 'onlyFeed', 'nothing'];
  return users.reduce(
    (before, user, i) =>
      [0, 1, 2].reduce(
        (grown, step) =>
          withSearch(grown, dataset.users.index(user), {
            query: NEWLY_SEARCHED[(i + step) % NEWLY_SEARCHED.length] as string,
            clicked: step === 1 ? [dataset.items.index('i2')] : [],
          }),
        before,
      ),
    dataset,
  );
}

/**
 * A small model with random parameters as a file, all its cases and all its items. Training never met some of the items, and never saw
 * some of the queries.
 */
export async function exported({ id, preset }: Entry): Promise<Exported> {
  const dataset = withNewSearches(withNewItems(livelyDataset()));
  const { model, parameters } = tinyModel({ id, preset }, { dataset });
  const cases: readonly Case[] = moments(dataset);
  const items = allItems(dataset);
  const run = { directory: 'tiny', manifest: { model: id, preset }, dataset, model, parameters, version: '0' };
  const made = exportOnnx(run, { rows: cases.length, candidates: items.length });
  const candidates = new Int32Array(cases.length * items.length);
  cases.forEach((_, row) => candidates.set(items, row * items.length));
  const gathered = gatherRows(dataset, cases, model.config.window);
  const { users, source, ...rows } = gathered;
  const { window, itemAttributes, userAttributes } = model.config;
  const catalogue = catalogueOf(dataset, itemAttributes, userAttributes);
  const batch = new BatchAssembler(catalogue, window, { extras: model.extras(dataset) }).assemble(gathered);
  const withoutClicks = window.feed + window.search;
  const extra = batch.inputs as Readonly<Record<string, Int32Array | Float32Array | undefined>>;
  const asTyped = withUnseenQueries(dataset, catalogue).dataset;
  const all: Record<string, Int32Array> = {
    user: users,
    searchSource: source,
    searchWords: wordsOfSearches(dataset, gatherRows(asTyped, cases, window).search, window.words),
    feed: rows.feed,
    search: rows.search,
    clicks: rows.clicks,
    candidates,
    searchAge: extra['searchAge'] as Int32Array,
    alignedFeed: alignedRight(rows.feed, window.feed),
    timeline: placesOfTokens(
      extra['timeline'],
      extra['timelineMask'],
      cases.length,
      id === 'unisar' ? withoutClicks : withoutClicks + window.search * window.clicks,
    ),
  };
  const runtime = new Runtime({ threads: 1 });
  try {
    const ranker = new GraphRanker(model, parameters, dataset, runtime);
    const expected = await ranker.score(cases, candidates, items.length);
    const expectedWithoutWords = await ranker
      .forHistories({ dataset: { ...dataset, unseenQueries: undefined }, catalogue })
      .score(cases, candidates, items.length);
    const inputs = Object.fromEntries(made.inputs.map(({ key }) => [key, all[key] as Int32Array]));
    return { made, inputs, expected, expectedWithoutWords };
  } finally {
    await runtime.dispose();
  }
}

/**
 * Words of searches as docs/export.md says. Where that leaves a file no choice, there is what it must not hear: words of queries that it
 * knows and of searches that are none, and, where there is room, a word that the vocabulary lacks.
 * @param searches indices, of which those behind the vocabulary are of queries that it lacks
 */
function wordsOfSearches(dataset: Dataset, searches: Int32Array, most: number): Int32Array {
  const { queries, words, unseenQueries } = dataset;
  const segmenter = new Intl.Segmenter('en', { granularity: 'word' });
  const given = new Int32Array(searches.length * most);
  searches.forEach((query, search) => {
    const place = query - queries.ids.length;
    const text = place < 0 ? '' : (unseenQueries?.ids[place] as string);
    const known = [...segmenter.segment(text)]
      .filter(({ segment, isWordLike }) => isWordLike && words.has(segment))
      .map(({ segment }) => words.index(segment));
    const isKnown = place < 0 && query !== UNKNOWN;
    const own = isKnown ? [words.index('tea'), words.index('cup')] : [...known.slice(0, most), UNKNOWN];
    given.set(own.slice(0, most), search * most);
  });
  return given;
}

/** Histories with their padding in front, as docs/export.md says. */
function alignedRight(feed: Int32Array, window: number): Int32Array {
  const aligned = new Int32Array(feed.length);
  for (let start = 0; start < feed.length; start += window) {
    const own = [...feed.subarray(start, start + window)].filter((item) => item !== 0);
    aligned.set(own, start + window - own.length);
  }
  return aligned;
}

/** A timeline as docs/export.md says: places within a row, from 1. */
function placesOfTokens(
  timeline: ArrayLike<number> = [],
  mask: ArrayLike<number> = [],
  rows: number,
  perRow: number,
): Int32Array {
  const length = timeline.length / rows;
  return Int32Array.from({ length: timeline.length }, (_, i) =>
    mask[i] ? 1 + (timeline[i] as number) - Math.floor(i / length) * perRow : 0,
  );
}

/** The largest difference of two lists. */
export const furthest = (found: ArrayLike<number>, expected: ArrayLike<number>): number =>
  found.length === expected.length
    ? Array.from(found, (value, i) => Math.abs(value - (expected[i] as number))).reduce((a, b) => Math.max(a, b), 0)
    : Infinity;
