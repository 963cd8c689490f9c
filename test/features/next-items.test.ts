import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { FIRST_INDEX, type Dataset } from '../../src/data/index.js';
import {
  type Batch,
  type BatchExtra,
  BatchAssembler,
  type Case,
  alignedRight,
  catalogueOf,
  feedNegatives,
  gatherRows,
  lastTrainingCases,
  nextItems,
  totalsOf,
  trainingCases,
} from '../../src/features/index.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const WINDOW = { feed: 3, search: 2, clicks: 1, words: 2 };
/** The last two feed events of a user are held out. */
const dataset = tinyDataset(
  { ann: ['a', 'b', 'c', 'd', 'e', 'f', 'g'], bob: ['c', 'a', 'x', 'y'], eve: [{ query: 'red' }, 'b', 'x', 'y'] },
  { items: Array.from({ length: 30 }, (_, i) => `more ${i}`) },
);
const name = (item: number): string => dataset.items.ids[item] as string;

/** A training batch of the last training row of some users, with two negatives each. */
function batchOf(extra: BatchExtra, users: readonly string[], of: Dataset = dataset): { batch: Batch; cases: Case[] } {
  const cases = lastTrainingCases(of, false).filter(({ user }) => users.includes(of.users.ids[user] as string));
  const rows = gatherRows(of, cases, WINDOW);
  const candidates = Int32Array.from(cases.flatMap(({ feedPosition }) => [of.feedItem[feedPosition] as number, 2, 3]));
  const assembler = new BatchAssembler(catalogueOf(of), WINDOW, { exact: true, extras: [extra] });
  const randomOf = (purpose: string, row: number): Random => new Random(7, purpose, cases[row]?.user as number);
  const randomOfBatch = (purpose: string): Random => new Random(7, purpose);
  return { batch: assembler.assemble(rows, { candidates, randomOf, randomOfBatch }), cases };
}
/** Items by their slots. */
const itemsAt = ({ ids, inputs }: Batch, key: string): string[] =>
  Array.from(inputs[key] as Int32Array, (slot) => name(ids.items[slot] as number));
const floats = ({ inputs }: Batch, key: string): number[] => Array.from(inputs[key] as Float32Array);

describe('the next items of a feed', () => {
  test('follow one another, the last one is the positive; held-out events are not among them', () => {
    const { batch } = batchOf(nextItems(dataset, { count: 2, sampling: 'uniform' }), ['ann', 'bob', 'eve']);
    // ann trains up to e, within a window of three; bob on c, a; eve has no feed event before b
    assert.deepEqual(Array.from(batch.inputs['places'] as Int32Array), [0, 1, 2, 3]);
    assert.deepEqual(itemsAt(batch, 'nextItem'), ['c', 'd', 'e', 'a']);
    assert.deepEqual(floats(batch, 'placeWeight'), [0.25, 0.25, 0.25, 0.25]);
    assert.equal(batch.sizes.extras['places'], 4);
    for (const met of itemsAt(batch, 'placeNegatives').slice(0, 6))
      assert.ok(!['a', 'b', 'c', 'd', 'e', ''].includes(met));
  });

  test('have negatives of their own at every place, the same however the batch is cut', () => {
    const extra = nextItems(dataset, { count: 3, sampling: 'uniform' });
    const all = itemsAt(batchOf(extra, ['ann', 'bob']).batch, 'placeNegatives');
    const alone = itemsAt(batchOf(extra, ['bob']).batch, 'placeNegatives');
    assert.deepEqual(all.slice(9), alone);
    assert.equal(new Set([0, 3, 6].map((start) => all.slice(start, start + 3).join())).size, 3);
  });

  test('are told from every item of the catalogue, padding and unknown left out', () => {
    const { batch } = batchOf(nextItems(dataset, 'all'), ['bob']);
    assert.deepEqual(itemsAt(batch, 'everyItem'), dataset.items.ids.slice(FIRST_INDEX));
    assert.equal(batch.inputs['placeNegatives'], undefined);
  });

  test('are told from items that all share, and from more of them by other means, drawn apart', () => {
    const { batch } = batchOf(nextItems(dataset, { shared: 12, more: 5 }), ['ann', 'bob']);
    const catalogue = dataset.items.ids.length - FIRST_INDEX;
    for (const [key, beside, count] of [
      ['sharedItem', 'placeBeside', 12],
      ['moreShared', 'placeBesideMore', 5],
    ] as const) {
      const drawn = itemsAt(batch, key);
      assert.equal(new Set(drawn).size, count);
      assert.deepEqual(
        floats(batch, beside),
        itemsAt(batch, 'nextItem').map((item) => Math.fround(drawn.includes(item) ? 1 - catalogue / count : 1)),
      );
    }
    assert.notDeepEqual(itemsAt(batch, 'sharedItem').slice(0, 5), itemsAt(batch, 'moreShared'));
    assert.equal(batchOf(nextItems(dataset, { shared: 12 }), ['ann']).batch.inputs['moreShared'], undefined);
  });

  test('add nothing to a batch that is only scored', () => {
    const rows = gatherRows(dataset, lastTrainingCases(dataset, false), WINDOW);
    const assembler = new BatchAssembler(catalogueOf(dataset), WINDOW, { extras: [nextItems(dataset, 'all')] });
    assert.deepEqual(
      Object.keys(assembler.assemble(rows).inputs).filter((key) => /place|next|every/i.test(key)),
      [],
    );
  });
});

test('one training row per user is the last of all their training rows', () => {
  const every = trainingCases(dataset, false);
  const last = lastTrainingCases(dataset, false);
  assert.equal(last.length, new Set(every.map(({ user }) => user)).size);
  for (const { user, feedPosition } of last)
    assert.equal(feedPosition, Math.max(...every.filter((one) => one.user === user).map((one) => one.feedPosition)));
});

test('negatives of the feed lie where feed events lie, and were not met', () => {
  const { batch } = batchOf(feedNegatives(dataset, 'uniform'), ['ann', 'bob']);
  const drawn = itemsAt(batch, 'feedNegatives');
  assert.deepEqual(
    drawn.map((item) => item !== ''),
    Array.from(batch.inputs['feed'] as Int32Array, (slot) => slot !== 0),
  );
  for (const item of drawn.slice(0, 3)) assert.ok(!['a', 'b', 'c', 'd', 'e'].includes(item));
  assert.equal(new Set(drawn.slice(0, 3)).size > 1, true, 'each place has its own');
  assert.deepEqual(
    floats(batch, 'transitionScale'),
    [0.5],
    'ann has two events with one before them in the window, bob none',
  );
});

test('totals count feed events, and those with another before them', () => {
  const rows = gatherRows(dataset, lastTrainingCases(dataset, false), WINDOW);
  const { feedEvents, transitions } = totalsOf([rows, rows]);
  assert.deepEqual({ feedEvents, transitions }, { feedEvents: 8, transitions: 4 });
});

test('an aligned feed ends with its newest event, at the whole window, whatever the room of the batch', () => {
  const cases = lastTrainingCases(dataset, false);
  const assembler = new BatchAssembler(catalogueOf(dataset), WINDOW, {
    exact: true,
    extras: [alignedRight(WINDOW.feed)],
  });
  for (const feed of [3, 5]) {
    const batch = assembler.assemble(gatherRows(dataset, cases, WINDOW, { feed, search: 2 }));
    assert.deepEqual(itemsAt(batch, 'alignedFeed'), ['b', 'c', 'd', '', '', 'c', '', '', '']);
    assert.deepEqual(floats(batch, 'alignedFeedMask'), [1, 1, 1, 0, 0, 1, 0, 0, 0]);
  }
});
