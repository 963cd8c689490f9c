import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Dataset } from '../../src/data/index.js';
import {
  type Batch,
  BatchAssembler,
  type Case,
  type Extent,
  Timeline,
  type TimelineOptions,
  catalogueOf,
  extentOf,
  gatherRows,
  historyLengths,
  tokenPlaces,
} from '../../src/features/index.js';
import { randomStories } from '../support/stories.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const window = { feed: 4, search: 3, clicks: 2, words: 2 };
const everything: TimelineOptions = { most: 100, clicks: true, mergeClicks: true };

function batchOf(dataset: Dataset, cases: readonly Case[], options: TimelineOptions, extent: Extent = window): Batch {
  const extras = [new Timeline(dataset, window, options)];
  const assembler = new BatchAssembler(catalogueOf(dataset), window, { exact: true, extras });
  return assembler.assemble(gatherRows(dataset, cases, window, extent));
}

/** The tokens of each row as texts, read where the timeline says that the batch keeps them. */
function tokensOf(dataset: Dataset, { inputs, ids, sizes }: Batch, options: TimelineOptions): string[][] {
  const { feed, search, clicks, timeline, timelineMask } = inputs as Record<string, Int32Array>;
  assert(feed && search && clicks && timeline && timelineMask);
  const places = tokenPlaces(sizes, window, options);
  const length = timeline.length / sizes.rows;
  return Array.from({ length: sizes.rows }, (_, row) => {
    const mask = timelineMask.subarray(row * length, (row + 1) * length);
    const count = mask.filter((real) => real === 1).length;
    assert.ok(
      mask.every((real, at) => real === (at < count ? 1 : 0)),
      'padding is on the right',
    );
    return Array.from(timeline.subarray(row * length, row * length + count), (token): string => {
      assert.equal(Math.floor(token / places), row, 'a token is one of its own row');
      const place = token % places;
      const item = (slot: number | undefined): string => dataset.items.ids[ids.items[slot ?? 0] as number] as string;
      if (place < sizes.feed) return item(feed[row * sizes.feed + place]);
      if (place < sizes.feed + sizes.search) {
        const query = ids.queries[search[row * sizes.search + place - sizes.feed] as number] as number;
        return `?${dataset.queries.ids[query]}`;
      }
      return `>${item(clicks[row * sizes.search * window.clicks + place - sizes.feed - sizes.search])}`;
    });
  });
}

const timelines = (dataset: Dataset, cases: readonly Case[], options = everything, extent?: Extent): string[][] =>
  tokensOf(dataset, batchOf(dataset, cases, options, extent), options);

/** The moment of a user's nth feed event, or now. */
const moment = (dataset: Dataset, user: string, nth: number): Case => {
  const index = dataset.users.index(user);
  return { user: index, feedPosition: (dataset.feedOffsets[index] as number) + nth };
};
function allCases(dataset: Dataset): Case[] {
  return dataset.users.ids.slice(2).flatMap((name) => {
    const user = dataset.users.index(name);
    const events = (dataset.feedOffsets[user + 1] as number) - (dataset.feedOffsets[user] as number);
    return Array.from({ length: events + 1 }, (_, nth) => moment(dataset, name, nth));
  });
}

/** From all that ever happened to a user: what the windows keep, in order. */
function told(
  dataset: Dataset,
  { user, feedPosition }: Case,
  { most, clicks, mergeClicks }: TimelineOptions,
): string[] {
  const isTarget = feedPosition < (dataset.feedOffsets[user + 1] as number);
  const end = isTarget ? (dataset.feedOrdinal[feedPosition] as number) : Infinity;
  const leading = isTarget ? dataset.feedSearch[feedPosition] : -1;
  const positions = (offsets: Int32Array, owner: number): number[] =>
    [...Array(offsets[owner + 1]).keys()].slice(offsets[owner]);
  const item = (index: number | undefined): string => dataset.items.ids[index ?? 0] as string;

  type Told = { at: number; rank: number; text: string; led: string };
  const events: Told[] = positions(dataset.feedOffsets, user)
    .filter((at) => (dataset.feedOrdinal[at] as number) < end)
    .slice(-window.feed)
    .map((at) => ({
      at: dataset.feedOrdinal[at] as number,
      rank: 2,
      text: item(dataset.feedItem[at]),
      led: `${dataset.feedSearch[at]} ${item(dataset.feedItem[at])}`,
    }));
  const searches = positions(dataset.searchOffsets, user)
    .filter((at) => (dataset.searchOrdinal[at] as number) < end && at !== leading)
    .slice(-window.search);
  for (const search of searches) {
    const query = dataset.queries.ids[dataset.searchQuery[search] as number];
    events.push({ at: dataset.searchOrdinal[search] as number, rank: 0, text: `?${query}`, led: '' });
    const clicked = positions(dataset.clickOffsets, search).filter((at) => (dataset.clickOrdinal[at] as number) < end);
    for (const at of clicks ? clicked.slice(0, window.clicks) : [])
      events.push({
        at: dataset.clickOrdinal[at] as number,
        rank: 1,
        text: `>${item(dataset.clickItem[at])}`,
        led: `${search} ${item(dataset.clickItem[at])}`,
      });
  }
  events.sort((a, b) => a.at - b.at || a.rank - b.rank);
  const kept = events.filter(
    ({ text, led }, i) =>
      !mergeClicks || !text.startsWith('>') || events[i + 1]?.rank !== 2 || events[i + 1]?.led !== led,
  );
  return kept.slice(-most).map(({ text }) => text);
}

describe('a timeline', () => {
  const dataset = tinyDataset({
    ann: [
      'a',
      { query: 'one', clicked: ['b', 'c'] },
      { led: 'c' },
      { query: 'two', clicked: ['d'] },
      'e',
      { led: 'd' },
      { query: 'three' },
      { led: 'f' },
      { click: 'g' },
      'h',
    ],
  });

  test('is feed, searches and clicks in order of time, a click and what it led to at once being one', () => {
    const wide = { ...window, feed: 10, search: 10 };
    const options = { ...everything };
    const assembler = new BatchAssembler(catalogueOf(dataset), wide, {
      exact: true,
      extras: [new Timeline(dataset, wide, options)],
    });
    const batch = assembler.assemble(gatherRows(dataset, [moment(dataset, 'ann', 6)], wide));
    assert.deepEqual(tokensOf(dataset, batch, options), [
      ['a', '?one', '>b', 'c', '?two', '>d', 'e', 'd', '?three', 'f', '>g', 'h'],
    ]);
  });

  test('holds nothing from its target on, nor the search that led to it', () => {
    assert.deepEqual(
      timelines(
        dataset,
        [0, 1, 2, 3, 4].map((nth) => moment(dataset, 'ann', nth)),
      ),
      [
        [],
        ['a'], // the target was found by the search one, clicks and all
        ['a', '?one', '>b', 'c', '?two', '>d'],
        ['a', '?one', '>b', 'c', 'e'],
        ['a', '?one', '>b', 'c', '?two', '>d', 'e', 'd'],
      ],
    );
  });

  test('keeps both a click and what it led to where it is asked to, and no clicks where it is asked to', () => {
    const [target] = [moment(dataset, 'ann', 2)];
    assert.deepEqual(timelines(dataset, [target], { ...everything, mergeClicks: false }), [
      ['a', '?one', '>b', '>c', 'c', '?two', '>d'],
    ]);
    assert.deepEqual(timelines(dataset, [target], { ...everything, clicks: false }), [['a', '?one', 'c', '?two']]);
  });

  test('knows a purchase as the click of its own search, where both are one event', () => {
    const bought = tinyDataset({
      ann: [{ query: 'tea', clicked: ['a'] }, { led: 'a' }, { query: 'cup', clicked: ['b'] }, { led: 'b' }, 'c'],
    });
    const click = (position: number): number => bought.feedOrdinal[position] as number;
    const same = { ...bought, clickOrdinal: Float64Array.of(click(0), click(1)) };
    const cases = [1, 2].map((nth) => moment(same, 'ann', nth));
    assert.deepEqual(timelines(same, cases), [
      ['?tea', 'a'],
      ['?tea', 'a', '?cup', 'b'],
    ]);
    assert.deepEqual(timelines(same, cases, { ...everything, mergeClicks: false }), [
      ['?tea', '>a', 'a'],
      ['?tea', '>a', 'a', '?cup', '>b', 'b'],
    ]);
  });

  test('is what happened to each user, whatever happened, whichever settings, in a room of any extent', () => {
    const options = fc.record({
      most: fc.integer({ min: 1, max: 9 }),
      clicks: fc.boolean(),
      mergeClicks: fc.boolean(),
    });
    fc.assert(
      fc.property(randomStories, options, (stories, chosen) => {
        const told1 = tinyDataset(stories);
        const cases = allCases(told1);
        const expected = cases.map((one) => told(told1, one, chosen));
        assert.deepEqual(timelines(told1, cases, chosen), expected);
        const rows = Int32Array.from(cases.keys());
        const least = extentOf(historyLengths(told1, cases, window), rows, window);
        assert.deepEqual(timelines(told1, cases, chosen, least), expected);
      }),
      { numRuns: 300 },
    );
  });

  test('takes no more room than its batch needs, and no more than it is allowed', () => {
    const lengthOf = (extent: Extent, options: TimelineOptions): number =>
      (batchOf(dataset, [moment(dataset, 'ann', 1)], options, extent).inputs['timeline'] as Int32Array).length;
    assert.equal(lengthOf({ feed: 4, search: 3 }, everything), 4 + 3 + 6);
    assert.equal(lengthOf({ feed: 2, search: 1 }, everything), 2 + 1 + 2);
    assert.equal(lengthOf({ feed: 2, search: 1 }, { ...everything, clicks: false }), 3);
    assert.equal(lengthOf({ feed: 4, search: 3 }, { ...everything, most: 5 }), 5);
  });

  test('refuses rows of which it cannot know when they end', () => {
    const { cases: _, ...rows } = gatherRows(dataset, [moment(dataset, 'ann', 2)], window);
    const extras = [new Timeline(dataset, window, everything)];
    const assembler = new BatchAssembler(catalogueOf(dataset), window, { extras });
    assert.throws(() => assembler.assemble(rows), /moments/);
  });
});
