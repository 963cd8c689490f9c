/**
 * Preset `sesrec`: what a place is trained with is what a user at that moment is ranked with, and knows nothing of what comes later.
 * Its equations are the oracle's business (oracles.test.ts), what all models must do that of the contract.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import { type Case, ageOf, recentSearches, searchAges } from '../../src/features/index.js';
import { BatchAssembler, catalogueOf, gatherRows } from '../../src/features/index.js';
import { type SidedAction, models, rankerOf } from '../../src/model/index.js';
import { runtimeForTests } from '../support/runtime.js';
import { tinyDataset } from '../support/tiny-dataset.js';
import { lively, livelyDataset, tinyConfig } from '../support/tiny-model.js';

const runtime = runtimeForTests();
const WINDOW = { feed: 12, search: 12, clicks: 2, words: 3 };

/** Kinds of ages of a batch of one row: (P, T_s + T_s K). */
function agesOf(dataset: Dataset, moment: Case, isTraining: boolean): number[][] {
  const rows = gatherRows(dataset, [moment], WINDOW);
  const catalogue = catalogueOf(dataset, [], []);
  const assembler = new BatchAssembler(catalogue, WINDOW, { exact: true, extras: [searchAges(dataset)] });
  const { inputs } = assembler.assemble(rows, isTraining ? { candidates: Int32Array.of(2) } : undefined);
  const ages = inputs['searchAge'] as Int32Array;
  const width = WINDOW.search * (1 + WINDOW.clicks);
  return Array.from({ length: ages.length / width }, (_, place) =>
    Array.from(ages.subarray(place * width, (place + 1) * width)),
  );
}

describe('ages of searches', () => {
  // ordinals: a 0, red 1 (clicked b 2), c 3, tea 4, led d 5, hat 6, e 7; f and g are held out
  const dataset = tinyDataset({
    ann: ['a', { query: 'red', clicked: ['b'] }, 'c', { query: 'tea' }, { led: 'd' }, { query: 'hat' }, 'e', 'f', 'g'],
  });
  const user = dataset.users.index('ann');
  const first = at(dataset.feedOffsets, user);
  const searchesAt = (ages: readonly number[]): number[] => ages.slice(0, 4);
  const clicksAt = (ages: readonly number[]): number[] => ages.slice(WINDOW.search, WINDOW.search + 3);

  test('by hand: newest first, since the last event or not, what led to the next event hidden', () => {
    const places = agesOf(dataset, { user, feedPosition: first + 3 }, true); // before e: a, c, d
    // a, then c: red is newer than a; c, then d: tea led to it; d, then e: hat is newest, tea and red before
    assert.deepEqual(searchesAt(places[0] as number[]), [2, 0, 0, 0]);
    assert.deepEqual(searchesAt(places[1] as number[]), [1, 0, 0, 0]);
    assert.deepEqual(searchesAt(places[2] as number[]), [5, 3, 2, 0]);
    assert.deepEqual(clicksAt(places[0] as number[]), [2, 0, 0]);
    assert.deepEqual(clicksAt(places[2] as number[]), [5, 0, 0]);
    assert.deepEqual(places.slice(3).flat().filter(Boolean), []);
  });

  test('where it is only scored, one place: the end of the history', () => {
    const moment = { user, feedPosition: first + 3 };
    const [only, ...others] = agesOf(dataset, moment, false);
    assert.deepEqual(others, []);
    assert.deepEqual(searchesAt(only as number[]), [5, 3, 2, 0]);
    assert.deepEqual(ageOf(5), { age: 3, isSince: false });
    assert.deepEqual(ageOf(2), { age: 1, isSince: true });
  });
});

test('a place of a whole feed is told what the history that ends there is told', () => {
  const dataset = livelyDataset();
  for (let user = 2; user < dataset.users.ids.length; user++) {
    const [start, end] = [at(dataset.feedOffsets, user), at(dataset.heldOutStart, user)];
    if (end - start < 2) continue;
    const whole = agesOf(dataset, { user, feedPosition: end - 1 }, true);
    for (let feedPosition = start + 1; feedPosition < end; feedPosition++) {
      const leading = at(dataset.feedSearch, feedPosition);
      // a search that came between the one that led to an event and that event is left out in training
      const between = leading >= 0 && leading + 1 < at(dataset.searchOffsets, user + 1);
      if (between && at(dataset.searchOrdinal, leading + 1) < at(dataset.feedOrdinal, feedPosition)) continue;
      const [alone] = agesOf(dataset, { user, feedPosition }, false);
      // the history that ends there lacks the leading search, and so has those after it one place earlier
      const own = recentSearches(dataset, { user, feedPosition });
      const all = recentSearches(dataset, { user, feedPosition: end - 1 });
      const place = whole[feedPosition - 1 - start] as number[];
      for (const [i, search] of own.entries())
        assert.equal(place[all.indexOf(search)], alone?.[i], `user ${user}, place ${feedPosition - start}, ${i}`);
      for (const [i, search] of all.entries())
        if (!own.includes(search)) assert.equal(place[i], 0, `user ${user}, place ${feedPosition - start}`);
    }
  }
});

test('sides are told by the alignment; without searches there are none, and it ranks all the same', async () => {
  const dataset = livelyDataset();
  const config = tinyConfig(models.sesrec, 'sesrec', dataset);
  const user = dataset.users.index('led');
  const moment = { user, feedPosition: at(dataset.feedOffsets, user + 1) };
  for (const useSearch of [true, false]) {
    const model = models.sesrec.build({ ...config, useSearch } as typeof config);
    const ranker = rankerOf(model, lively(model, 1), dataset, runtime);
    const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
    assert.equal(actions.length, useSearch ? 6 : 4); // four feed events, two searches
    const sides = new Set(actions.map(({ side }) => side));
    assert.deepEqual(sides, new Set(useSearch ? ['similar', 'dissimilar'] : [null]));
    assert.ok((await ranker.score([moment], Int32Array.of(2, 3, 4), 3)).every(Number.isFinite));
    assert.ok(!ranker.reasonMethods.includes('attention'));
  }
});
