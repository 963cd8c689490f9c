import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Dataset, UNKNOWN, withSearch } from '../../src/data/index.js';
import { clicksBefore, recentFeed, recentSearches } from '../../src/features/index.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const COLUMNS = [
  'feedSearch',
  'searchOffsets',
  'searchQuery',
  'searchIsTraining',
  'clickOffsets',
  'clickItem',
] as const;
const columnsOf = (dataset: Dataset) => Object.fromEntries(COLUMNS.map((name) => [name, Array.from(dataset[name])]));

/** What everybody sees at every moment of their life, and now. */
function histories(dataset: Dataset) {
  return dataset.users.ids.flatMap((_, user) => {
    const [start, end] = [dataset.feedOffsets[user] as number, dataset.feedOffsets[user + 1] as number];
    return Array.from({ length: end - start + 1 }, (__, i) => {
      const moment = { user, feedPosition: start + i };
      const searches = recentSearches(dataset, moment);
      return {
        feed: recentFeed(dataset, moment),
        searches: searches.map((search) => [dataset.searchQuery[search], clicksBefore(dataset, moment, search)]),
      };
    });
  });
}

const event: fc.Arbitrary<TinyEvent> = fc.oneof(
  fc.constantFrom('i1', 'i2', 'i3'),
  fc.record({ query: fc.constantFrom('tea', 'lamp'), clicked: fc.subarray(['i1', 'i2', 'i3']) }),
);
/** Every query occurs early, so that a search more brings no new one. */
const first: readonly TinyEvent[] = [{ query: 'tea' }, { query: 'lamp' }, { led: 'i1' }, 'i2', 'i3'];

test('a search more is what the log would have been with it at the end of the history, for everybody and at any moment', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(event, { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.subarray(['i1', 'i2', 'i3']),
      (stories, choice, clicked) => {
        const lives = Object.fromEntries([first, ...stories].map((story, i) => [`u${i}`, story]));
        const chosen = `u${choice % (stories.length + 1)}`;
        const dataset = tinyDataset(lives);
        const untouched = structuredClone(columnsOf(dataset));
        const imagined = withSearch(dataset, dataset.users.index(chosen), {
          query: '  TEA ',
          source: 'unknown',
          clicked: clicked.map((item) => dataset.items.index(item)),
        });
        const lived = tinyDataset({ ...lives, [chosen]: [...(lives[chosen] ?? []), { query: 'tea', clicked }] });
        const training = (columns: ReturnType<typeof columnsOf>) => ({ ...columns, searchIsTraining: null });
        assert.deepEqual(training(columnsOf(imagined)), training(columnsOf(lived)));
        assert.deepEqual(histories(imagined), histories(lived));
        assert.deepEqual(columnsOf(dataset), untouched, 'the data set itself stays as it is');
      },
    ),
  );
});

test('an imagined search is later than everything, and no training search', () => {
  const dataset = tinyDataset({ a: first, b: ['i1', { query: 'tea', clicked: ['i2'] }] });
  const user = dataset.users.index('a');
  const imagined = withSearch(dataset, user, { query: 'lamp', clicked: [2] });
  const place = (imagined.searchOffsets[user + 1] as number) - 1;
  const latest = Math.max(...dataset.feedOrdinal, ...dataset.searchOrdinal, ...dataset.clickOrdinal);
  assert.ok((imagined.searchOrdinal[place] as number) > latest);
  assert.ok((imagined.clickOrdinal[imagined.clickOffsets[place] as number] as number) > latest + 1);
  assert.equal(imagined.searchIsTraining[place], 0);
  assert.ok(Number.isNaN(imagined.searchTime[place]));
});

test('a query or source that training never saw is unknown; somebody new can search', () => {
  const dataset = tinyDataset({ a: first });
  const imagined = withSearch(dataset, UNKNOWN, { query: 'boots' });
  const now = { user: UNKNOWN, feedPosition: imagined.feedOffsets[UNKNOWN + 1] as number };
  const [search] = recentSearches(imagined, now) as [number];
  assert.deepEqual([imagined.searchQuery[search], imagined.searchSource[search]], [UNKNOWN, UNKNOWN]);
  const known = { user: dataset.users.index('a'), feedPosition: dataset.feedOffsets.at(-1) as number };
  assert.equal(recentSearches(imagined, known).length, 2);
});
