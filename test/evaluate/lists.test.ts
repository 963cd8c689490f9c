import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InterruptedError, UserError } from '../../src/base/index.js';
import { type AttributeColumn, type Dataset, FIRST_INDEX } from '../../src/data/index.js';
import {
  coverage,
  diversity,
  exposure,
  gini,
  novelty,
  popularityLift,
  selfInformation,
} from '../../src/evaluate/lists.js';
import { evaluate, listMetrics, listsOf } from '../../src/evaluate/index.js';
import { popularityRanker, recommend } from '../../src/model/index.js';
import { metricsFixture } from '../support/metrics-fixture.js';
import { rankerOf } from '../support/rankers.js';
import { tinyDataset, tinyVocabulary } from '../support/tiny-dataset.js';

const near = (actual: number | null | undefined, expected: number, tolerance = 1e-12): void =>
  assert.ok(typeof actual === 'number' && Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
const lists = (...items: readonly (readonly number[])[]): Int32Array[] => items.map((list) => Int32Array.from(list));
const columnOf = (values: readonly number[]): AttributeColumn => ({
  values: tinyVocabulary(['tea', 'hat', 'cup']),
  index: Int32Array.from(values),
});

/** Training: ann a b, bob a c, cat a d; then a validation and a test event each. Six items. */
const world = (): Dataset => {
  const data = tinyDataset({
    ann: ['a', 'b', 'c', 'd'],
    bob: ['a', 'c', { query: 'q', clicked: ['f'] }, 'd', 'e'],
    cat: ['a', 'd', 'b', 'f'],
  });
  const kinds: Readonly<Record<string, string>> = { a: 'tea', b: 'tea', c: 'hat', d: 'hat', e: 'cup' };
  const column = columnOf([]);
  const index = Int32Array.from(data.items.ids, (id) => (kinds[id] ? column.values.index(kinds[id]) : 0));
  return { ...data, itemAttributes: new Map([['kind', { ...column, index }]]) };
};

test('exposure, coverage and Gini: by hand', () => {
  const shown = exposure(lists([2, 3], [2, 4], [2, 3]), 5);
  assert.deepEqual([...shown], [3, 2, 1, 0, 0]);
  assert.equal(coverage(shown), 3 / 5);
  // 0 0 1 2 3 in order: (-4 · 0 - 2 · 0 + 0 · 1 + 2 · 2 + 4 · 3) / (5 · 6)
  near(gini(shown), 16 / 30);
});

test('all items as often: Gini 0; one item only: 1 - 1 / n; nothing shown: no number', () => {
  near(gini(Float64Array.of(4, 4, 4)), 0);
  near(gini(Float64Array.of(0, 9, 0, 0)), 3 / 4);
  assert.equal(gini(new Float64Array(3)), Number.NaN);
  assert.equal(coverage(new Float64Array(3)), 0);
  assert.equal(coverage(new Float64Array(0)), Number.NaN);
});

test('novelty: a half and an eighth of the events are 1 and 3 bits; an item without events is like one with one; an empty list has none', () => {
  const bits = selfInformation(Float32Array.of(0, 0, 4, 1, 3, 0));
  near(novelty(Int32Array.of(2, 3), bits), 2);
  near(novelty(Int32Array.of(5), bits), 3);
  assert.equal(novelty(new Int32Array(), bits), null);
});

test('diversity: pairs that differ; those without a value are left out; without a pair there is none', () => {
  const column = columnOf([0, 0, 2, 2, 3, 0, 4]);
  near(diversity(Int32Array.of(2, 3, 4), column), 2 / 3);
  near(diversity(Int32Array.of(2, 3), column), 0);
  near(diversity(Int32Array.of(2, 4, 5, 6), column), 1);
  assert.equal(diversity(Int32Array.of(2, 5), column), null);
  assert.equal(diversity(new Int32Array(), column), null);
  const unknown = columnOf([0, 0, 1, 1]);
  assert.equal(diversity(Int32Array.of(2, 3), unknown), null, 'two values that training does not know need not be one');
});

test('popularity lift: lists of mean 6 after histories of mean 2 are 2 more; empty ones are left out', () => {
  const events = Float32Array.of(0, 0, 8, 4, 2);
  near(popularityLift(lists([2, 3], [2, 3]), lists([4], []), events), 2);
  assert.equal(popularityLift([], [], events), Number.NaN);
});

test('all are what a second version says', () => {
  const told = metricsFixture.lists;
  const own = lists(...told.lists);
  const events = Float32Array.from(told.events);
  const bits = selfInformation(events);
  // there categories are numbered from 1; ours begin behind none and unknown
  const index = Int32Array.from(told.categories, (category) => (category === 0 ? 0 : category + FIRST_INDEX - 1));
  const column = { values: tinyVocabulary([]), index };
  const mean = (values: readonly (number | null)[]): number => {
    const known = values.filter((value) => value !== null);
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const shown = exposure(own, told.events.length - FIRST_INDEX);
  assert.equal(coverage(shown), told.coverage);
  near(gini(shown), told.gini, 1e-9);
  near(mean(own.map((list) => novelty(list, bits))), told.novelty, 1e-8);
  near(mean(own.map((list) => diversity(list, column))), told.diversity, 1e-9);
  near(popularityLift(own, lists(...told.histories), events), told.popularityLift, 1e-8);
});

test('lists are what recommend gives before the target, seen and clicked items removed', async () => {
  const data = world();
  const ranker = popularityRanker(data);
  for (const on of ['validation', 'test'] as const) {
    const found = await listsOf(ranker, data, { on, length: 3, batchSize: 2 });
    const named = found.items.map((list) => Array.from(list, (item) => data.items.ids[item]).join(''));
    // a 3, b c d 1 each, e f none; in order of the catalogue a b c d f e
    assert.deepEqual(named, on === 'validation' ? ['cdf', 'bde', 'bcf'] : ['dfe', 'be', 'cfe'], on);
    for (const [i, moment] of found.cases.entries()) {
      const seen = data.feedItem.subarray(data.feedOffsets[moment.user], moment.feedPosition);
      const alone = await recommend(ranker, moment, 3, new Set([...seen, ...(i === 1 ? [data.items.index('f')] : [])]));
      assert.deepEqual(
        alone.map(({ item }) => item),
        [...(found.items[i] as Int32Array)],
      );
    }
  }
});

test('metrics of the lists of a data set: by hand', async () => {
  const data = world();
  const lists = await listsOf(popularityRanker(data), data, { on: 'validation', length: 3 });
  const { users, length, ...found } = listMetrics(lists, data, 'kind');
  assert.deepEqual([users, length], [3, 3]);
  assert.equal(found.coverage, 5 / 6, 'a is known to all');
  // c d f, b d e, b c f: 0 1 2 2 2 2 times of a e b c d f
  near(found.gini, (-3 * 1 - 1 * 2 + 1 * 2 + 3 * 2 + 5 * 2) / (6 * 9));
  near(found.novelty.mean, Math.log2(6)); // one event of six, or counted as one
  // c d: alike; b d e: all differ; b c: differ; f has no kind
  near(found.diversity?.mean, (0 + 1 + 1) / 3);
  const error = Math.sqrt((4 / 9 + 1 / 9 + 1 / 9) / 2 / 3);
  near(found.diversity?.interval[1], 2 / 3 + 1.96 * error);
  // lists: 2/3, 2/3, 2/3 events an item; histories a b, a c, a d: 2
  near(found.popularityLift, 2 / 3 / 2 - 1);
  assert.equal(listMetrics(lists, data, null).diversity, null);
  assert.throws(() => listMetrics(lists, data, 'colour'), /no attribute "colour" .* they have kind/);
});

test('a sample is of the same users as an evaluation has; progress is told, a wish to stop heard, nonsense refused', async () => {
  const data = tinyDataset(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`u${i}`, ['a', 'b', 'c', 'd']])));
  const ranker = rankerOf(data.items.ids.length, (item) => item);
  const told: number[] = [];
  const options = { on: 'test', users: 7, seed: 3, batchSize: 3 } as const;
  const { cases, sample } = await listsOf(ranker, data, { ...options, onProgress: (done) => told.push(done) });
  const { ranks, protocol } = await evaluate(ranker, data, { ...options, protocol: 'full' });
  assert.deepEqual(
    cases.map(({ user }) => user),
    [...ranks.user],
  );
  assert.deepEqual(sample, protocol.sample);
  assert.deepEqual(told, [3, 6, 7]);
  const stop = new AbortController();
  const stopped = listsOf(ranker, data, { ...options, signal: stop.signal, onProgress: () => stop.abort() });
  await assert.rejects(stopped, (error) => error instanceof InterruptedError && /3 of 7 users/.test(error.message));
  for (const wrong of [{ length: 0 }, { users: 1.5 }, { batchSize: -1 }])
    await assert.rejects(listsOf(ranker, data, { ...options, ...wrong }), UserError);
});
