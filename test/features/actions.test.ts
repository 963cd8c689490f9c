import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Dataset } from '../../src/data/index.js';
import {
  type Action,
  type Case,
  clicksBefore,
  hasHistory,
  metBefore,
  recentActions,
  recentFeed,
  recentMeetings,
  recentSearches,
  withOnly,
  without,
} from '../../src/features/index.js';
import { logWithout } from '../support/log-without.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const EVERYTHING = { feed: Infinity, search: Infinity };

/** All that a history tells, in names that do not depend on positions. */
function historyOf(dataset: Dataset, moment: Case, limit: number) {
  return {
    feed: recentFeed(dataset, moment, limit).map((position) => dataset.feedOrdinal[position]),
    searches: recentSearches(dataset, moment, limit).map((search) => [
      dataset.searchOrdinal[search],
      clicksBefore(dataset, moment, search, limit),
    ]),
    meetings: recentMeetings(dataset, moment, limit),
    met: [...metBefore(dataset, moment)].sort((a, b) => a - b),
    has: [hasHistory(dataset, moment, false), hasHistory(dataset, moment, true)],
  };
}

/** The ordinals of an action, told anew: a search has its clicks with it, those after the moment as well. */
function ordinals(dataset: Dataset, { lane, position }: Action): number[] {
  if (lane === 'feed') return [dataset.feedOrdinal[position] as number];
  const clicks = dataset.clickOrdinal.slice(dataset.clickOffsets[position], dataset.clickOffsets[position + 1]);
  return [dataset.searchOrdinal[position] as number, ...clicks];
}

/** The same moment in a log without some feed events: later positions move up. */
function moved(dataset: Dataset, smaller: Dataset, { user, feedPosition }: Case): Case {
  const isNow = feedPosition === dataset.feedOffsets[user + 1];
  const target = dataset.feedOrdinal[feedPosition] as number;
  return {
    user,
    feedPosition: isNow ? (smaller.feedOffsets[user + 1] as number) : smaller.feedOrdinal.indexOf(target),
  };
}

/** A click and the feed event that it led to become one event: they share an ordinal. */
function merged(dataset: Dataset): Dataset {
  const feedOrdinal = dataset.feedOrdinal.slice();
  dataset.feedSearch.forEach((search, position) => {
    const click =
      search < 0 ? -1 : dataset.clickItem.indexOf(dataset.feedItem[position] as number, dataset.clickOffsets[search]);
    if (click >= 0 && click < (dataset.clickOffsets[search + 1] as number))
      feedOrdinal[position] = dataset.clickOrdinal[click] as number;
  });
  return { ...dataset, feedOrdinal };
}

const item = fc.constantFrom('a', 'b', 'c', 'd');
const event: fc.Arbitrary<TinyEvent[]> = fc.oneof(
  item.map((id) => [id]),
  fc.record({ query: fc.constantFrom('tea', 'lamp'), clicked: fc.subarray(['a', 'b', 'c']) }).map((search) => [search]),
  item.map((id): TinyEvent[] => [{ query: 'cup', clicked: [id] }, { led: id }]),
);

test('a history without actions, or with some only, is that of a log without the other events, at any moment and window', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.boolean()),
      fc.nat(3),
      fc.integer({ min: 1, max: 4 }),
      (story, choices, back, limit) => {
        const dataset = merged(
          tinyDataset({ zoe: ['a', { query: 'tea', clicked: ['b'] }], ann: story.flat(), bob: ['c'] }),
        );
        const user = dataset.users.index('ann');
        const [start, end] = [dataset.feedOffsets[user] as number, dataset.feedOffsets[user + 1] as number];
        const moment = { user, feedPosition: Math.max(start, end - back) };
        const actions = recentActions(dataset, moment, EVERYTHING);
        const chosen = actions.filter(() => choices.next().value as boolean);
        const of = (some: readonly Action[]): Set<number> =>
          new Set(some.flatMap((action) => ordinals(dataset, action)));
        const target = dataset.feedOrdinal[moment.feedPosition] as number;
        // what comes later is no part of the history, and the target must stay in the log
        const before = (gone: Set<number>): Set<number> =>
          new Set(moment.feedPosition === end ? gone : [...gone].filter((ordinal) => ordinal < target));

        const gone = before(of(chosen));
        const removed = logWithout(dataset, gone);
        assert.deepEqual(
          historyOf(dataset, without(dataset, moment, chosen), limit),
          historyOf(removed, moved(dataset, removed, moment), limit),
        );
        const kept = of(chosen);
        const others = before(new Set([...of(actions)].filter((ordinal) => !kept.has(ordinal))));
        const alone = logWithout(dataset, others);
        assert.deepEqual(
          historyOf(dataset, withOnly(dataset, moment, chosen), limit),
          historyOf(alone, moved(dataset, alone, moment), limit),
        );
      },
    ),
  );
});

test('a search takes the feed event along that is one of its clicks; a feed event takes the click, not the search', () => {
  const dataset = merged(tinyDataset({ ann: ['a', { query: 'tea', clicked: ['b', 'c'] }, { led: 'c' }, 'd'] }));
  const moment = { user: 2, feedPosition: 3 };
  const [search] = recentSearches(dataset, moment) as [number];
  const told = (imagined: Case) => ({
    feed: recentFeed(dataset, imagined).map((position) => dataset.items.ids[dataset.feedItem[position] as number]),
    clicks: recentSearches(dataset, imagined).map((one) =>
      clicksBefore(dataset, imagined, one).map((clicked) => dataset.items.ids[clicked]),
    ),
  });
  assert.deepEqual(told(moment), { feed: ['a', 'c', 'd'], clicks: [['b', 'c']] });
  const [byFeed, bySearch] = [
    { lane: 'feed', position: 1 },
    { lane: 'search', position: search },
  ] as const;
  assert.deepEqual(told(without(dataset, moment, [bySearch])), { feed: ['a', 'd'], clicks: [] });
  assert.deepEqual(told(without(dataset, moment, [byFeed])), { feed: ['a', 'd'], clicks: [['b']] });
  assert.deepEqual(told(withOnly(dataset, moment, [bySearch])), { feed: ['c'], clicks: [['b', 'c']] });
  assert.deepEqual(told(withOnly(dataset, moment, [byFeed])), { feed: ['c'], clicks: [] });
  assert.deepEqual(
    told(without(dataset, without(dataset, moment, [byFeed]), [{ lane: 'feed', position: 0 }])),
    { feed: ['d'], clicks: [['b']] },
    'one after another adds up',
  );
});
