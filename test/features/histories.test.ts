import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Dataset } from '../../src/data/index.js';
import {
  type Case,
  clicksBefore,
  gatherRows,
  hasHistory,
  recentFeed,
  recentMeetings,
  recentSearches,
  timeOf,
  trainingCases,
} from '../../src/features/index.js';
import { randomStories } from '../support/stories.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const window = { feed: 4, search: 3, clicks: 2, words: 2 };

/** The case of a user's nth feed event; one past the last is "now". */
function caseOf(dataset: Dataset, user: string, nth: number): Case {
  const index = dataset.users.index(user);
  return { user: index, feedPosition: (dataset.feedOffsets[index] as number) + nth };
}
const queriesOf = (dataset: Dataset, searches: readonly number[]): string[] =>
  searches.map((search) => dataset.queries.ids[dataset.searchQuery[search] as number] as string);
const itemsOf = (dataset: Dataset, items: readonly number[]): string[] =>
  items.map((item) => dataset.items.ids[item] as string);
const feedOf = (dataset: Dataset, positions: readonly number[]): string[] =>
  itemsOf(
    dataset,
    positions.map((position) => dataset.feedItem[position] as number),
  );

/** All cases of a data set, "now" included. */
function allCases(dataset: Dataset): Case[] {
  return dataset.users.ids.flatMap((_, user) => {
    const [start, end] = [dataset.feedOffsets[user] as number, dataset.feedOffsets[user + 1] as number];
    return Array.from({ length: end - start + 1 }, (__, i) => ({ user, feedPosition: start + i }));
  });
}

describe('a history', () => {
  const dataset = tinyDataset({
    zoe: [{ query: 'other' }, 'x'],
    ann: [
      'a',
      { query: 'one', clicked: ['c1'] },
      'b',
      { query: 'two', clicked: ['c2'] },
      { led: 'c' },
      { click: 'late' },
      { query: 'three' },
      'd',
    ],
  });

  test('holds what has a smaller ordinal than the target, oldest first, and nothing of other users', () => {
    const moment = caseOf(dataset, 'ann', 3);
    assert.deepEqual(feedOf(dataset, recentFeed(dataset, moment)), ['a', 'b', 'c']);
    assert.deepEqual(queriesOf(dataset, recentSearches(dataset, moment)), ['one', 'two', 'three']);
    assert.deepEqual(queriesOf(dataset, recentSearches(dataset, caseOf(dataset, 'ann', 1))), ['one']);
    assert.deepEqual(recentSearches(dataset, caseOf(dataset, 'ann', 0)), []);
  });

  test('never holds the search that led to its target', () => {
    assert.deepEqual(queriesOf(dataset, recentSearches(dataset, caseOf(dataset, 'ann', 2))), ['one']);
    assert.deepEqual(
      queriesOf(dataset, recentSearches(dataset, caseOf(dataset, 'ann', 2), 1)),
      ['one'],
      'and the window is filled by the one before it',
    );
  });

  test('does not know clicks that come after the target', () => {
    const two = recentSearches(dataset, caseOf(dataset, 'ann', 3))[1] as number;
    assert.deepEqual(itemsOf(dataset, clicksBefore(dataset, caseOf(dataset, 'ann', 3), two)), ['c2', 'late']);
    assert.deepEqual(itemsOf(dataset, clicksBefore(dataset, caseOf(dataset, 'ann', 2), two)), ['c2']);
    assert.deepEqual(itemsOf(dataset, clicksBefore(dataset, caseOf(dataset, 'ann', 1), two)), []);
    assert.deepEqual(
      itemsOf(dataset, clicksBefore(dataset, caseOf(dataset, 'ann', 3), two, 1)),
      ['c2'],
      'the first clicks are kept',
    );
  });

  test('is strictly earlier: even an ordinal equal to the target, which no importer writes, does not count', () => {
    const moment = caseOf(dataset, 'ann', 3);
    const ordinal = dataset.feedOrdinal[moment.feedPosition] as number;
    const [, two, three] = recentSearches(dataset, moment) as [number, number, number];
    const late = dataset.clickItem.indexOf(dataset.items.index('late'));
    const equal: Dataset = {
      ...dataset,
      searchOrdinal: dataset.searchOrdinal.map((when, search) => (search === three ? ordinal : when)),
      clickOrdinal: dataset.clickOrdinal.map((when, click) => (click === late ? ordinal : when)),
    };
    assert.deepEqual(queriesOf(equal, recentSearches(equal, moment)), ['one', 'two']);
    assert.deepEqual(itemsOf(equal, clicksBefore(equal, moment, two)), ['c2']);
  });

  test('keeps the newest of a window, oldest first', () => {
    const now = caseOf(dataset, 'ann', 4);
    assert.deepEqual(feedOf(dataset, recentFeed(dataset, now, 2)), ['c', 'd']);
    assert.deepEqual(queriesOf(dataset, recentSearches(dataset, now, 2)), ['two', 'three']);
  });

  test('of "now" holds everything, the search that led to the last event included', () => {
    const led = tinyDataset({ ann: ['a', { query: 'one' }, { led: 'b' }], bob: ['x', { query: 'later' }] });
    const now = caseOf(led, 'ann', 2);
    assert.deepEqual(feedOf(led, recentFeed(led, now)), ['a', 'b']);
    assert.deepEqual(queriesOf(led, recentSearches(led, now)), ['one']);
    const [search] = recentSearches(dataset, caseOf(dataset, 'ann', 4)).slice(1);
    assert.deepEqual(itemsOf(dataset, clicksBefore(dataset, caseOf(dataset, 'ann', 4), search as number)), [
      'c2',
      'late',
    ]);
  });

  test('is exactly the earlier searches but the leading one, whatever the story', () => {
    fc.assert(
      fc.property(randomStories, fc.integer({ min: 1, max: 5 }), (stories, limit) => {
        const dataset = tinyDataset(stories);
        for (const moment of allCases(dataset)) {
          const now = moment.feedPosition === dataset.feedOffsets[moment.user + 1];
          const ordinal = now ? Infinity : (dataset.feedOrdinal[moment.feedPosition] as number);
          const leading = now ? -1 : dataset.feedSearch[moment.feedPosition];
          const mine = Array.from(dataset.searchOrdinal.keys()).filter(
            (search) =>
              search >= (dataset.searchOffsets[moment.user] as number) &&
              search < (dataset.searchOffsets[moment.user + 1] as number),
          );
          const wanted = mine.filter(
            (search) => (dataset.searchOrdinal[search] as number) < ordinal && search !== leading,
          );
          assert.deepEqual(recentSearches(dataset, moment), wanted);
          assert.deepEqual(recentSearches(dataset, moment, limit), wanted.slice(-limit));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('does not change when anything at or after its target changes', () => {
    fc.assert(
      fc.property(
        randomStories,
        fc.nat(),
        fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
        (stories, pick, noise) => {
          const dataset = tinyDataset(stories);
          const targets = allCases(dataset).filter(
            ({ user, feedPosition }) => feedPosition < (dataset.feedOffsets[user + 1] as number),
          );
          fc.pre(targets.length > 0);
          const moment = targets[pick % targets.length] as Case;
          const ordinal = dataset.feedOrdinal[moment.feedPosition] as number;
          const changed = <T extends Int32Array | Float64Array>(values: T, ordinals: Float64Array): T => {
            const copy = values.slice() as T;
            for (const [i, when] of ordinals.entries())
              if (when >= ordinal) copy[i] = (copy[i] as number) + (noise.next().value as number);
            return copy;
          };
          // What led to the target is known to whoever asks about it; everything else that is not earlier may change.
          const feedSearch = dataset.feedSearch.map((search, i) => (i > moment.feedPosition ? -1 : search));
          const other: Dataset = {
            ...dataset,
            feedSearch,
            feedItem: changed(dataset.feedItem, dataset.feedOrdinal),
            searchQuery: changed(dataset.searchQuery, dataset.searchOrdinal),
            searchSource: changed(dataset.searchSource, dataset.searchOrdinal),
            clickItem: changed(dataset.clickItem, dataset.clickOrdinal),
            clickOrdinal: dataset.clickOrdinal.map((when) => (when >= ordinal ? when + 1000 : when)),
          };
          assert.deepEqual(gatherRows(other, [moment], window), gatherRows(dataset, [moment], window));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('does not change when the user had stopped before the target', () => {
    fc.assert(
      fc.property(randomStories, fc.nat({ max: 13 }), ({ bob }, cut) => {
        const story = bob as NonNullable<typeof bob>;
        const target = story.findIndex((event, i) => i >= cut && typeof event === 'string');
        fc.pre(target > 0);
        const vocabulary = { items: Array.from({ length: 8 }, (_, i) => `i${i}`) };
        const words = { ann: [{ query: 'red' }, { query: 'blue hat' }, { query: 'red hat' }] }; // the same query indices in both
        const [whole, stopped] = [
          tinyDataset({ ...words, bob: story }, vocabulary),
          tinyDataset({ ...words, bob: story.slice(0, target) }, vocabulary),
        ];
        const before = story.slice(0, target).filter((event) => typeof event === 'string' || 'led' in event).length;
        assert.deepEqual(
          gatherRows(whole, [caseOf(whole, 'bob', before)], window),
          gatherRows(stopped, [caseOf(stopped, 'bob', before)], window),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('training cases', () => {
  const dataset = tinyDataset({
    ann: ['a', 'b', { query: 'one' }, 'c', 'd', 'e'], // d and e are held out
    bob: [{ query: 'two' }, 'a', 'b', 'c'], // b and c are held out
    cat: ['a', 'b'], // too short to hold anything out
    dan: [{ query: 'three' }, { led: 'a' }, 'b'], // what led to a is no history of it
    eve: [],
  });
  const told = (cases: readonly Case[]): string[] =>
    cases.map(
      ({ user, feedPosition }) =>
        `${dataset.users.ids[user]} ${dataset.items.ids[dataset.feedItem[feedPosition] as number]}`,
    );

  test('are the events with any history before them, none of them held out', () => {
    assert.deepEqual(told(trainingCases(dataset, false)), ['ann b', 'ann c', 'bob a', 'cat b', 'dan b']);
  });

  test('with requireBoth have feed events and searches before them', () => {
    assert.deepEqual(told(trainingCases(dataset, true)), ['ann c', 'dan b']);
  });

  test('never include a held-out event, and never lack a history, whatever the story', () => {
    fc.assert(
      fc.property(randomStories, fc.boolean(), (stories, requireBoth) => {
        const dataset = tinyDataset(stories);
        const cases = trainingCases(dataset, requireBoth);
        for (const moment of cases) {
          assert.ok(moment.feedPosition < (dataset.heldOutStart[moment.user] as number));
          const rows = gatherRows(dataset, [moment], window);
          const [feed, search] = [rows.feed[0] !== 0, rows.search[0] !== 0];
          assert.ok(requireBoth ? feed && search : feed || search);
        }
        const wanted = allCases(dataset).filter(
          (moment) =>
            moment.feedPosition < (dataset.heldOutStart[moment.user] as number) &&
            hasHistory(dataset, moment, requireBoth),
        );
        assert.deepEqual(cases, wanted);
      }),
      { numRuns: 200 },
    );
  });
});

describe('recent meetings', () => {
  const dataset = tinyDataset({
    zoe: [{ query: 'other', clicked: ['x'] }, 'x'],
    ann: [
      'a',
      { query: 'one', clicked: ['b', 'a'] },
      'c',
      { query: 'two', clicked: ['d'] },
      { led: 'd' },
      { click: 'b' },
      { query: 'three', clicked: ['e'] },
      'f',
    ],
  });
  const user = dataset.users.index('ann');
  const told = (meetings: ReturnType<typeof recentMeetings>): string[] =>
    meetings.map(({ item, query }) => `${dataset.items.ids[item]} ${query === 0 ? '-' : dataset.queries.ids[query]}`);
  /** The moment of ann's nth search. */
  const searchOf = (nth: number) => ({ user, search: (dataset.searchOffsets[user] as number) + nth });

  test('are distinct items at their last meeting, the newest first, with the query that led to them', () => {
    const now = caseOf(dataset, 'ann', 4);
    assert.deepEqual(told(recentMeetings(dataset, now, 10)), ['f -', 'e three', 'b two', 'd -', 'c -', 'a one']);
    assert.deepEqual(told(recentMeetings(dataset, now, 3)), ['f -', 'e three', 'b two']);
    assert.deepEqual(told(recentMeetings(dataset, caseOf(dataset, 'ann', 3), 2)), ['e three', 'b two']);
    assert.deepEqual(recentMeetings(dataset, caseOf(dataset, 'ann', 0), 10), []);
  });

  test('leave out the search that led to the target, and what comes later', () => {
    assert.deepEqual(told(recentMeetings(dataset, caseOf(dataset, 'ann', 2), 10)), ['c -', 'a one', 'b one']);
  });

  test('before a search know neither it nor its clicks, but all earlier searches, even one that leads to what comes next', () => {
    assert.deepEqual(told(recentMeetings(dataset, searchOf(0), 10)), ['a -']);
    assert.deepEqual(told(recentMeetings(dataset, searchOf(1), 10)), ['c -', 'a one', 'b one']);
    const late = tinyDataset({ ann: [{ query: 'early', clicked: ['a'] }, { query: 'later', clicked: ['b'] }, 'c'] });
    const led = { ...late, feedSearch: Int32Array.of(0) }; // c was led to by the first search
    const met = recentMeetings(led, { user: 2, search: 1 }, 10);
    assert.deepEqual(
      met.map(({ item }) => late.items.ids[item]),
      ['a'],
    );
  });

  test('take an event that is both an action and a click for the click', () => {
    const both = tinyDataset({ ann: [{ query: 'one', clicked: ['a'] }, 'a', 'b'] });
    const clickOrdinal = both.feedOrdinal.slice(0, 1);
    const [, met] = recentMeetings({ ...both, clickOrdinal }, caseOf(both, 'ann', 2), 2);
    assert.deepEqual(met, { item: both.items.index('a'), query: both.queries.index('one') });
  });

  test('have the time of their moment, infinity for "now" and where there is none', () => {
    const feedTime = dataset.feedOrdinal.map((ordinal) => 10 * ordinal);
    const searchTime = dataset.searchOrdinal.map((ordinal) => 10 * ordinal);
    const timed = { ...dataset, feedTime, searchTime };
    const moment = caseOf(dataset, 'ann', 1);
    assert.equal(timeOf(timed, moment), 10 * (dataset.feedOrdinal[moment.feedPosition] as number));
    assert.equal(timeOf(timed, searchOf(2)), 10 * (dataset.searchOrdinal[searchOf(2).search] as number));
    assert.equal(timeOf(timed, caseOf(dataset, 'ann', 4)), Infinity);
    assert.equal(timeOf(dataset, moment), Infinity);
  });
});
