import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, at, range } from '../../src/base/index.js';
import {
  batchOrder,
  endsByLength,
  extentOf,
  gatherRows,
  historyLengths,
  roomsOf,
  trainingCases,
} from '../../src/features/index.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const window = { feed: 15, search: 6, clicks: 1, words: 2 };
const lengthsOf = (count: number, random: Random) => ({
  feed: range(count).map(() => random.integer(window.feed + 1)),
  search: range(count).map(() => random.integer(window.search + 1)),
});
const options = fc.record({
  count: fc.integer({ min: 1, max: 300 }),
  batchSize: fc.integer({ min: 1, max: 20 }),
  poolBatches: fc.integer({ min: 0, max: 5 }),
  shuffled: fc.boolean(),
  seed: fc.integer({ min: 0, max: 1000 }),
});
/** Positions of a batch that hold nothing, when it gets the room that it needs. */
const padding = (batches: readonly Int32Array[], lengths: ReturnType<typeof lengthsOf>): number =>
  batches.reduce((total, batch) => {
    const { feed, search } = extentOf(lengths, batch, window);
    const real = batch.reduce((sum, row) => sum + at(lengths.feed, row) + at(lengths.search, row), 0);
    return total + batch.length * (feed + search) - real;
  }, 0);

describe('rooms', () => {
  test('are quarters of the window, the first of them halved while something is left to hold', () => {
    assert.deepEqual(roomsOf(50), [4, 7, 13, 25, 38, 50]);
    assert.deepEqual(roomsOf(30), [4, 8, 15, 23, 30]);
    assert.deepEqual(roomsOf(5), [2, 3, 4, 5]);
    assert.deepEqual(roomsOf(1), [1]);
    assert.deepEqual(roomsOf(0), [0]);
  });

  test('ascend to the window, and a history gets the first that holds it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 1, noNaN: true }), (size, share) => {
        const rooms = roomsOf(size);
        assert.equal(rooms.at(-1), size);
        assert.ok(rooms.every((room, i) => room > (rooms[i - 1] ?? 0)));
        assert.ok(rooms.length <= 4 + Math.log2(size));
        const length = Math.floor(share * size);
        const lengths = { feed: Int32Array.of(length), search: Int32Array.of(size) };
        const { feed, search } = extentOf(lengths, Int32Array.of(0), { feed: size, search: size, clicks: 1, words: 1 });
        assert.equal(
          feed,
          rooms.find((room) => room >= length),
        );
        assert.equal(search, size);
      }),
    );
  });
});

describe('batches of an epoch', () => {
  test('hold every row once, and no row leaves its pool', () => {
    fc.assert(
      fc.property(options, ({ count, batchSize, poolBatches, shuffled, seed }) => {
        const random = new Random('buckets', seed);
        const lengths = lengthsOf(count, random);
        const rows = random.shuffle(range(count));
        const batches = batchOrder(rows, lengths, window, {
          batchSize,
          poolBatches,
          random: shuffled ? new Random('batches', seed) : null,
        });
        const flat = batches.flatMap((batch) => [...batch]);
        assert.deepEqual(
          flat.toSorted((a, b) => a - b),
          [...range(count)],
        );
        assert.equal(batches.length, Math.ceil(count / batchSize));
        assert.ok(batches.filter(({ length }) => length !== batchSize).length <= 1);
        if (poolBatches === 0) assert.deepEqual(flat, [...rows]);
        else {
          const pool = poolBatches * batchSize;
          for (let start = 0; start < count; start += pool) {
            const inPool = new Set(rows.subarray(start, start + pool));
            for (const row of flat.slice(start, start + pool)) assert.ok(inPool.has(row));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('are the same for the same seed, and in another order for another', () => {
    const lengths = lengthsOf(100, new Random('lengths'));
    const order = (seed: number) =>
      batchOrder(range(100), lengths, window, { batchSize: 5, poolBatches: 20, random: new Random(seed) });
    assert.deepEqual(order(1), order(1));
    assert.notDeepEqual(order(1), order(2));
    const batchesOf = (seed: number) => order(seed).map(String).toSorted();
    assert.deepEqual(batchesOf(1), batchesOf(2)); // the shuffle of batches does not mix what is in them
  });

  test('are padded far less in pools, also when the two lengths have nothing to do with each other', () => {
    const lengths = lengthsOf(4096, new Random('many lengths'));
    const order = (poolBatches: number) =>
      batchOrder(range(4096), lengths, window, { batchSize: 32, poolBatches, random: null });
    const [plain, pooled] = [padding(order(0), lengths), padding(order(32), lengths)];
    assert.ok(pooled < 0.4 * plain, `${pooled} of ${plain}`);
  });

  test('give each batch room for its longest histories, and what is gathered into less room is the same', () => {
    const story = Array.from({ length: 18 }, (_, i) =>
      i % 3 === 0 ? { query: `q${i}`, clicked: [`i${i}`] } : `i${i}`,
    );
    const dataset = tinyDataset({ ann: story, ben: story.slice(0, 5), eve: story.slice(0, 9) });
    const cases = trainingCases(dataset, false);
    const lengths = historyLengths(dataset, cases, window);
    const seen = new Set<string>();
    for (const row of range(cases.length)) {
      const own = cases.slice(row, row + 1);
      const extent = extentOf(lengths, Int32Array.of(row), window);
      seen.add(`${extent.feed} ${extent.search}`);
      assert.ok(extent.feed >= at(lengths.feed, row) && extent.feed <= window.feed);
      assert.ok(extent.search >= at(lengths.search, row) && extent.search <= window.search);
      const [short, long] = [gatherRows(dataset, own, window, extent), gatherRows(dataset, own, window)];
      assert.deepEqual(long.feed.subarray(0, extent.feed), short.feed);
      assert.deepEqual(long.search.subarray(0, extent.search), short.search);
      assert.ok(long.feed.subarray(extent.feed).every((item) => item === 0));
      assert.ok(long.search.subarray(extent.search).every((query) => query === 0));
    }
    assert.ok(seen.size > 2);
    assert.throws(() => gatherRows(dataset, cases, window, { feed: 1, search: 6 }), /do not fit into 1/);
  });
});

describe('parts of batches that are in order of length', () => {
  const cut = fc.record({
    count: fc.integer({ min: 1, max: 300 }),
    rows: fc.integer({ min: 1, max: 600 }),
    parts: fc.integer({ min: 1, max: 8 }),
    together: fc.integer({ min: 1, max: 130 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  });

  test('hold every row once, are no more than asked for, and end where rows may be told apart', () => {
    fc.assert(
      fc.property(cut, ({ count, seed, ...shape }) => {
        const ends = endsByLength(lengthsOf(count, new Random(seed)), window, shape);
        assert.equal(ends.at(-1), shape.rows);
        assert.ok(ends.every((end, part) => end > (ends[part - 1] ?? 0)));
        assert.ok(ends.slice(0, -1).every((end) => end % shape.together === 0));
        assert.ok(ends.length <= shape.parts);
        if (shape.together === 1 && shape.parts <= shape.rows) assert.equal(ends.length, shape.parts);
      }),
    );
  });

  test('are even where histories are', () => {
    const lengths = { feed: new Int32Array(900).fill(7), search: new Int32Array(900).fill(2) };
    assert.deepEqual(endsByLength(lengths, window, { rows: 512, parts: 4, together: 1 }), [128, 256, 384, 512]);
    assert.deepEqual(endsByLength(lengths, window, { rows: 200, parts: 1, together: 1 }), [200]);
  });

  test('hold far less, and the largest of them too, where few histories are long', () => {
    const wide = { ...window, feed: 50 };
    const random = new Random('few are long');
    const lengths = {
      feed: range(5000).map(() => Math.min(50, Math.floor(3 * random.float() ** -0.6))),
      search: new Int32Array(5000),
    };
    const pools = { batchSize: 512, poolBatches: 1, random };
    const [batch] = batchOrder(random.shuffle(range(5000)), lengths, wide, pools) as [Int32Array];
    const sizes = (ends: readonly number[]): number[] =>
      ends.map((end, part) => {
        const own = batch.subarray(ends[part - 1] ?? 0, end);
        return own.length * extentOf(lengths, own, wide).feed;
      });
    const even = [128, 256, 384, 512];
    const byLength = endsByLength(lengths, wide, { rows: 512, parts: 4, together: 1 });
    const total = (ends: readonly number[]): number => sizes(ends).reduce((sum, size) => sum + size, 0);
    assert.equal(byLength.length, 4);
    assert.ok(total(byLength) < 0.75 * total(even), `${total(byLength)}, ${total(even)}`);
    assert.ok(Math.max(...sizes(byLength)) < Math.max(...sizes(even)) / 2);
  });
});
