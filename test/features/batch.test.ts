import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  type Batch,
  BatchAssembler,
  type BatchExtra,
  type Catalogue,
  type ReachedSizes,
  type Rows,
  type AlignedPart,
  type Window,
} from '../../src/features/index.js';

const window: Window = { feed: 4, search: 3, clicks: 2, words: 2 };
const ITEMS = 40;
const QUERIES = 9;
const WORDS = 12;
const USERS = 6;
const wordsOf = Array.from({ length: QUERIES }, (_, query) =>
  Array.from({ length: query % 4 }, (__, i) => 1 + ((3 * query + 5 * i) % (WORDS - 1))),
);
const catalogue: Catalogue = {
  items: ITEMS,
  trainedItems: ITEMS,
  queries: QUERIES,
  words: WORDS,
  itemAttributes: { kind: Int32Array.from({ length: ITEMS }, (_, item) => (7 * item) % 5) },
  userAttributes: { group: Int32Array.from({ length: USERS }, (_, user) => (3 * user) % 4) },
  userRow: Int32Array.from({ length: USERS }, (_, user) => (user < 4 ? user : 1)), // users 4 and 5 are not trained
  queryRow: Int32Array.from({ length: QUERIES }, (_, query) => (2 * query) % QUERIES), // not the identity: 0 -> 0
  wordOffsets: Int32Array.from([
    0,
    ...wordsOf.map(
      (
        (total) => (words: number[]) =>
          (total += words.length)
      )(0),
    ),
  ]),
  queryWords: Int32Array.from(wordsOf.flat()),
};

const indices = (length: number, size: number): fc.Arbitrary<Int32Array> =>
  fc
    .array(fc.oneof(fc.constant(0), fc.nat({ max: size - 1 })), { minLength: length, maxLength: length })
    .map((values) => Int32Array.from(values));
const rowsOf = (count: number): fc.Arbitrary<Rows> =>
  fc.record({
    count: fc.constant(count),
    extent: fc.constant({ feed: window.feed, search: window.search }),
    users: indices(count, USERS),
    feed: indices(count * window.feed, ITEMS),
    search: indices(count * window.search, QUERIES),
    source: indices(count * window.search, 3),
    clicks: indices(count * window.search * window.clicks, ITEMS),
  });
const trainingOf = (count: number, pairReduction: AlignedPart['pairReduction']): fc.Arbitrary<AlignedPart> =>
  fc.record({
    candidates: indices(count * 3, ITEMS),
    negatives: fc.record({ items: indices(10, ITEMS), queries: indices(7, QUERIES) }),
    pairReduction: fc.constant(pairReduction),
  });
const ints = (batch: Batch, key: string): Int32Array => batch.inputs[key] as Int32Array;
const floats = (batch: Batch, key: string): number[] => Array.from(batch.inputs[key] as Float32Array);
const mask = (values: Int32Array): number[] => Array.from(values, (value) => (value === 0 ? 0 : 1));

/** Every query-click pair of some rows, as `row query item`. */
function pairsOf(rows: Rows): { row: number; query: number; item: number }[] {
  return Array.from(rows.clicks, (item, position) => ({
    row: Math.floor(position / window.search / window.clicks),
    query: rows.search[Math.floor(position / window.clicks)] as number,
    item,
  })).filter(({ query, item }) => query !== 0 && item !== 0);
}

function check(batch: Batch, rows: Rows, training: AlignedPart): void {
  const through = (slots: Int32Array, ids: Int32Array): number[] => Array.from(slots, (slot) => ids[slot] as number);
  const { items, queries, words, users } = batch.ids;
  for (const kind of [items, queries, words]) assert.equal(kind[0], 0, 'slot 0 is padding');
  for (const kind of [items, words]) {
    const real = kind.filter((id) => id !== 0);
    assert.equal(new Set(real).size, real.length, 'everything has one slot');
  }
  assert.deepEqual(
    [items.length, queries.length, words.length],
    [batch.sizes.items, batch.sizes.queries, batch.sizes.words],
  );
  assert.deepEqual(through(ints(batch, 'feed'), items), [...rows.feed]);
  assert.deepEqual(through(ints(batch, 'clicks'), items), [...rows.clicks]);
  assert.deepEqual(through(ints(batch, 'candidates'), items), [...training.candidates]);
  assert.deepEqual(
    through(ints(batch, 'search'), queries),
    Array.from(rows.search, (query) => catalogue.queryRow[query] as number),
  );
  assert.deepEqual([...ints(batch, 'searchSource')], [...rows.source]);
  assert.deepEqual(
    [floats(batch, 'feedMask'), floats(batch, 'searchMask'), floats(batch, 'clickMask')],
    [rows.feed, rows.search, rows.clicks].map(mask),
  );
  assert.deepEqual(
    [...users],
    Array.from(rows.users, (user) => catalogue.userRow[user] as number),
  );
  const [wordSlots, wordMask] = [ints(batch, 'queryWords'), floats(batch, 'wordMask')];
  ints(batch, 'search').forEach((slot, position) => {
    const wanted = (wordsOf[rows.search[position] as number] as number[]).slice(0, window.words);
    assert.deepEqual(
      through(wordSlots.subarray(slot * window.words, (slot + 1) * window.words), words),
      [...wanted, 0, 0].slice(0, window.words),
    );
    assert.deepEqual(
      wordMask.slice(slot * window.words, (slot + 1) * window.words),
      [...wanted.map(() => 1), 0, 0].slice(0, window.words),
    );
  });
  assert.deepEqual(
    [...ints(batch, 'itemAttribute.kind')],
    Array.from(items, (item) => catalogue.itemAttributes['kind']?.[item]),
  );
  assert.deepEqual(
    [...ints(batch, 'userAttribute.group')],
    Array.from(rows.users, (user) => catalogue.userAttributes['group']?.[user]),
  );

  // Negatives: each distinct one once, counted.
  for (const [kind, given, ids] of [
    ['Item', training.negatives.items, items],
    ['Query', training.negatives.queries, null],
  ] as const) {
    const counts = floats(batch, `negative${kind}Count`);
    assert.equal(
      counts.reduce((a, b) => a + b, 0),
      given.length,
    );
    if (!ids) continue;
    const back = through(ints(batch, 'negativeItems'), ids).flatMap((item, i) =>
      Array.from({ length: counts[i] as number }, () => item),
    );
    assert.deepEqual(
      back.sort((a, b) => a - b),
      [...given].sort((a, b) => a - b),
    );
  }

  // Pairs: through anchors and slots back to the rows' queries and items, with the weight of their number.
  const pairs = pairsOf(rows);
  const scale = training.pairReduction === 'pairs' ? 1 / Math.max(1, pairs.length) : 1 / rows.count;
  const wanted = new Map<string, number>();
  for (const { query, item } of pairs) {
    const key = `${catalogue.queryRow[query]} ${item}`;
    wanted.set(key, (wanted.get(key) ?? 0) + scale);
  }
  const found = new Map<string, number>();
  floats(batch, 'pairWeight').forEach((weight, pair) => {
    if (weight === 0) return;
    const query = queries[ints(batch, 'anchorQueries')[ints(batch, 'pairQuery')[pair] as number] as number];
    const key = `${query} ${items[ints(batch, 'anchorItems')[ints(batch, 'pairItem')[pair] as number] as number]}`;
    assert.ok(!found.has(key), 'a distinct pair comes once');
    found.set(key, weight);
  });
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort());
  for (const [key, weight] of found) assert.ok(Math.abs(weight - (wanted.get(key) as number)) < 1e-6);
}

describe('a batch', () => {
  for (const exact of [true, false]) {
    test(`leads from slots back to items, queries, words and pairs (${exact ? 'exact' : 'rounded'} sizes), batch after batch`, () => {
      fc.assert(
        fc.property(
          fc
            .integer({ min: 1, max: 4 })
            .chain((count) =>
              fc
                .constantFrom('pairs', 'rows')
                .chain((reduction) =>
                  fc.array(fc.tuple(rowsOf(count), trainingOf(count, reduction)), { minLength: 1, maxLength: 3 }),
                ),
            ),
          (batches) => {
            const assembler = new BatchAssembler(catalogue, window, { exact });
            for (const [rows, training] of batches) check(assembler.assemble(rows, training), rows, training);
          },
        ),
        { numRuns: 60 },
      );
    });
  }

  test('weighs pairs to a sum of 1 under `pairs`, and of pairs per row under `rows`', () => {
    fc.assert(
      fc.property(rowsOf(3), trainingOf(3, 'pairs'), (rows, training) => {
        const total = (pairReduction: AlignedPart['pairReduction']): number =>
          floats(
            new BatchAssembler(catalogue, window).assemble(rows, { ...training, pairReduction }),
            'pairWeight',
          ).reduce((a, b) => a + b, 0);
        const pairs = pairsOf(rows).length;
        assert.ok(Math.abs(total('pairs') - (pairs === 0 ? 0 : 1)) < 1e-6);
        assert.ok(Math.abs(total('rows') - pairs / 3) < 1e-5);
      }),
      { numRuns: 60 },
    );
  });

  test('counts repeated pairs and repeated negatives', () => {
    const rows: Rows = {
      count: 1,
      extent: { feed: 4, search: 3 },
      users: Int32Array.of(1),
      feed: Int32Array.of(2, 2, 0, 0),
      search: Int32Array.of(5, 5, 6),
      source: Int32Array.of(1, 1, 1),
      clicks: Int32Array.of(7, 8, 7, 0, 0, 0),
    };
    const training: AlignedPart = {
      candidates: Int32Array.of(2, 9),
      negatives: { items: Int32Array.of(7, 3, 7), queries: Int32Array.of(6, 6) },
      pairReduction: 'pairs',
    };
    const batch = new BatchAssembler(catalogue, window, { exact: true }).assemble(rows, training);
    assert.deepEqual(
      floats(batch, 'pairWeight').map((weight) => Math.round(3 * weight)),
      [2, 1],
    ); // (5,7) twice, (5,8) once
    assert.deepEqual(floats(batch, 'negativeItemCount'), [2, 1]);
    assert.deepEqual(floats(batch, 'negativeQueryCount'), [2]);
    assert.deepEqual(batch.sizes, {
      rows: 1,
      feed: 4,
      search: 3,
      candidates: 2,
      items: 6,
      queries: 3,
      words: batch.ids.words.length,
      pairs: 2,
      anchorQueries: 1,
      anchorItems: 2,
      negativeItems: 2,
      negativeQueries: 1,
      extras: {},
    });
  });

  test('has the users that an extra numbers behind those of its rows, each once, and none where nobody asks', () => {
    const [rows] = fc.sample(rowsOf(3), { numRuns: 1, seed: 1 }) as [Rows];
    const slots: number[] = [];
    const extra: BatchExtra = {
      add: ({ users }) => void slots.push(...[5, 2, 5, 3].map((user) => users.slot(user))),
      complete: ({ users, capacity }) => void capacity('users', users.indices.length),
    };
    const ofRows = Array.from(rows.users, (user) => catalogue.userRow[user] as number);
    assert.deepEqual([...new BatchAssembler(catalogue, window).assemble(rows).ids.users], ofRows);
    for (const exact of [true, false]) {
      const assembler = new BatchAssembler(catalogue, window, { exact, extras: [extra] });
      for (let time = 0; time < 2; time++) {
        slots.length = 0;
        const batch = assembler.assemble(rows);
        const { users } = batch.ids;
        assert.equal(batch.sizes.extras['users'], exact ? 4 : 16);
        assert.equal(users.length, 3 + (exact ? 4 : 16));
        assert.deepEqual([...users.subarray(0, 3)], ofRows);
        assert.deepEqual(slots, [1, 2, 1, 3]);
        assert.deepEqual(
          slots.map((slot) => users[3 + slot]),
          [1, 2, 1, 3], // user 5 is not trained
        );
        const groups = ints(batch, 'userAttribute.group');
        assert.deepEqual(
          slots.map((slot) => groups[3 + slot]),
          [5, 2, 5, 3].map((user) => catalogue.userAttributes['group']?.[user]),
        );
      }
    }
  });

  test('without a training part has no candidates and no pairs', () => {
    const [rows] = fc.sample(rowsOf(2), { numRuns: 1, seed: 1 }) as [Rows];
    const batch = new BatchAssembler(catalogue, window).assemble(rows);
    assert.deepEqual(
      [batch.sizes.candidates, batch.sizes.pairs, batch.inputs['candidates'], batch.inputs['pairWeight']],
      [0, 0, undefined, undefined],
    );
  });

  test('never has smaller sizes than one before it, also when the assembler starts from sizes reached earlier', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(rowsOf(4), trainingOf(4, 'pairs')), { minLength: 2, maxLength: 4 }), (batches) => {
        const assembler = new BatchAssembler(catalogue, window);
        let before: ReachedSizes = {};
        batches.forEach(([rows, training], position) => {
          const { sizes } = assembler.assemble(rows, training);
          for (const reached of Object.values(before))
            for (const [kind, size] of Object.entries(reached))
              assert.ok((sizes[kind as keyof Batch['sizes']] as number) >= size);
          const resumed = new BatchAssembler(catalogue, window, {
            reached: position === 0 ? {} : (JSON.parse(JSON.stringify(before)) as ReachedSizes),
          });
          assert.deepEqual(resumed.assemble(rows, training).sizes, sizes);
          before = assembler.reached;
        });
      }),
      { numRuns: 40 },
    );
  });

  test('is rounded up by a quarter at most, above the smallest size', () => {
    const wide: Catalogue = { ...catalogue, items: 5001, itemAttributes: {} };
    for (let needed = 60; needed <= 5000; needed += 47) {
      const feed = Int32Array.from({ length: needed }, (_, i) => i + 1);
      const rows: Rows = {
        count: 1,
        extent: { feed: needed, search: 3 },
        users: Int32Array.of(0),
        feed,
        search: new Int32Array(3),
        source: new Int32Array(3),
        clicks: new Int32Array(6),
      };
      const { sizes } = new BatchAssembler(wide, { ...window, feed: needed }).assemble(rows);
      assert.ok(
        sizes.items >= needed + 1 && sizes.items <= 1.25 * (needed + 1) + 16,
        `${needed + 1} became ${sizes.items}`,
      );
    }
  });
});
