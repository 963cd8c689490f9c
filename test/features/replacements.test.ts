import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import {
  type Batch,
  BatchAssembler,
  type Case,
  ClickGraph,
  type ReplacementRates,
  Replacements,
  catalogueOf,
  gatherRows,
  type Extent,
} from '../../src/features/index.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const window = { feed: 5, search: 3, clicks: 2, words: 2 };
const dataset = tinyDataset(
  {
    ann: [{ query: 'red', clicked: ['a', 'b'] }, 'x', { query: 'blue', clicked: ['b'] }, 'a', 'y', 'z'],
    bob: ['b', { query: 'red', clicked: ['c'] }, 'c', 'x', 'y', { query: 'secret', clicked: ['d'] }, 'd'],
    cat: [{ query: 'tea' }, 'a', 'b', 'd', 'e', 'x', 'y'],
  },
  { items: Array.from({ length: 40 }, (_, i) => `i${i}`) },
);
const names = (indices: ArrayLike<number>, { ids }: Dataset['items']): string[] =>
  Array.from(indices, (index) => ids[index] as string);
const item = (name: string): number => dataset.items.index(name);
const query = (name: string): number => dataset.queries.index(name);

describe('the click graph', () => {
  const graph = new ClickGraph(dataset);

  test('joins queries and items by the clicks of the training, and by no others', () => {
    assert.deepEqual(names(graph.itemsOf(query('red')), dataset.items), ['a', 'b', 'c']);
    assert.deepEqual(names(graph.itemsOf(query('blue')), dataset.items), ['b']);
    assert.deepEqual(names(graph.queriesOf(item('b')), dataset.queries), ['red', 'blue']);
    assert.equal(graph.itemsOf(query('secret')).length, 0, 'it is held out');
    assert.equal(graph.queriesOf(item('d')).length, 0);
    assert.equal(graph.itemsOf(query('tea')).length, 0);
    assert.deepEqual([graph.itemsOf(0).length, graph.itemsOf(1).length, graph.queriesOf(1).length], [0, 0, 0]);
  });

  test('draws what is two clicks away, by the number of ways there', () => {
    const counts = (draw: (random: Random) => number | null): Record<string, number> => {
      const random = new Random('two clicks');
      const found: Record<string, number> = {};
      for (let i = 0; i < 6000; i++) {
        const name = String(draw(random));
        found[name] = (found[name] ?? 0) + 1 / 6000;
      }
      return found;
    };
    const near = (found: Record<string, number>, expected: Record<string, number>): void => {
      assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
      // five standard deviations of a share of 6000
      for (const [name, share] of Object.entries(expected))
        assert.ok(Math.abs((found[name] ?? 0) - share) < 0.033, name);
    };
    // from b: half by red to a, b, c, half by blue back to b
    near(
      counts((random) => graph.itemLike(item('b'), random)),
      { [item('a')]: 1 / 6, [item('b')]: 4 / 6, [item('c')]: 1 / 6 },
    );
    // from red: a third each by a, b and c; by b half the time to blue
    near(
      counts((random) => graph.queryLike(query('red'), random)),
      { [query('red')]: 5 / 6, [query('blue')]: 1 / 6 },
    );
    assert.equal(graph.itemLike(item('d'), new Random('none')), null);
    assert.equal(graph.queryLike(query('tea'), new Random('none')), null);
  });
});

describe('replacements', () => {
  const now = (user: string): Case => {
    const index = dataset.users.index(user);
    return { user: index, feedPosition: dataset.feedOffsets[index + 1] as number };
  };
  const cases = Array.from({ length: 90 }, (_, row) => now(['ann', 'bob', 'cat'][row % 3] as string));

  function batches(
    rates: ReplacementRates | null,
    {
      parts = [cases.length],
      training = true,
      extent = window,
    }: { readonly parts?: readonly number[]; readonly training?: boolean; readonly extent?: Extent } = {},
  ): Batch[] {
    const extras = rates ? [new Replacements(dataset, rates)] : [];
    const assembler = new BatchAssembler(catalogueOf(dataset), window, { exact: true, extras });
    let start = 0;
    return parts.map((count) => {
      const from = start;
      start += count;
      const rows = gatherRows(dataset, cases.slice(from, start), window, extent);
      if (!training) return assembler.assemble(rows);
      return assembler.assemble(rows, {
        candidates: new Int32Array(2 * count).fill(item('a')),
        negatives: { items: Int32Array.of(item('i1')), queries: Int32Array.of(query('tea')) },
        randomOf: (purpose, row) => new Random(purpose, from + row),
      });
    });
  }
  /** What the slots of a batch stand for. */
  const meant = ({ inputs, ids }: Batch, key: string, kind: 'items' | 'queries'): number[] =>
    Array.from(inputs[key] as Int32Array, (slot) => ids[kind][slot] as number);
  const histories = (batch: Batch) => ({
    feed: meant(batch, 'feed', 'items'),
    clicks: meant(batch, 'clicks', 'items'),
    search: meant(batch, 'search', 'queries'),
  });
  /** The share of the real entries that differ. */
  const changed = (one: number[], other: number[]): number => {
    const real = [...one.keys()].filter((at) => one[at] !== 0);
    return real.filter((at) => one[at] !== other[at]).length / real.length;
  };
  const [plain] = batches(null) as [Batch];

  test('happen as often as they are asked to, to items and queries apart, and leave padding alone', () => {
    const before = histories(plain);
    for (const rates of [
      { items: 0.4, queries: 0, graph: 0 },
      { items: 0, queries: 0.4, graph: 0 },
    ]) {
      const [batch] = batches(rates) as [Batch];
      const after = histories(batch);
      // of 40 and more items nearly every draw is another one; of four queries three in four are
      const expected = { feed: rates.items, clicks: rates.items, search: 0.75 * rates.queries };
      for (const lane of ['feed', 'clicks', 'search'] as const) {
        const share = changed(before[lane], after[lane]);
        assert.ok(Math.abs(share - expected[lane]) <= (expected[lane] === 0 ? 0 : 0.12), `${lane}: ${share}`);
        assert.ok(before[lane].every((index, at) => (index === 0) === (after[lane][at] === 0)));
      }
      for (const mask of ['feedMask', 'searchMask', 'clickMask', 'searchSource'])
        assert.deepEqual(batch.inputs[mask], plain.inputs[mask]);
    }
  });

  test('come from the click graph where they are asked to and can, else from anywhere', () => {
    const [batch] = batches({ items: 1, queries: 1, graph: 1 }) as [Batch];
    const [before, after] = [histories(plain), histories(batch)];
    const graph = new ClickGraph(dataset);
    const possible = (index: number, isItem: boolean): number[] => {
      const near = isItem ? [...graph.queriesOf(index)] : [...graph.itemsOf(index)];
      return near.flatMap((one) => (isItem ? [...graph.itemsOf(one)] : [...graph.queriesOf(one)]));
    };
    let walked = 0;
    for (const lane of ['feed', 'clicks', 'search'] as const)
      before[lane].forEach((index, at) => {
        const near = possible(index, lane !== 'search');
        if (near.length === 0) return;
        walked++;
        assert.ok(near.includes(after[lane][at] as number), `${lane}: ${index} became ${after[lane][at]}`);
      });
    assert.ok(walked > 100);
    const elsewhere = before.feed.filter((index, at) => index === item('d') && after.feed[at] !== item('d'));
    assert.ok(elsewhere.length > 10, 'what nobody clicked becomes anything');
  });

  test('leave candidates alone, and what queries and items are aligned with', () => {
    const [batch] = batches({ items: 1, queries: 1, graph: 0.5 }) as [Batch];
    assert.deepEqual(meant(batch, 'candidates', 'items'), meant(plain, 'candidates', 'items'));
    for (const key of ['anchorItems', 'negativeItems'])
      assert.deepEqual(meant(batch, key, 'items'), meant(plain, key, 'items'));
    for (const key of ['anchorQueries', 'negativeQueries'])
      assert.deepEqual(meant(batch, key, 'queries'), meant(plain, key, 'queries'));
    assert.deepEqual(batch.inputs['pairWeight'], plain.inputs['pairWeight']);
  });

  test('are of training only', () => {
    const rates = { items: 1, queries: 1, graph: 0.5 };
    assert.deepEqual(batches(rates, { training: false }), batches(null, { training: false }));
  });

  test('are the same again, however the batch is cut and whatever its room', () => {
    const rates = { items: 0.5, queries: 0.5, graph: 0.5 };
    const whole = histories(batches(rates)[0] as Batch);
    assert.deepEqual(histories(batches(rates)[0] as Batch), whole);
    const parts = batches(rates, { parts: [31, 59] }).map(histories);
    for (const lane of ['feed', 'clicks', 'search'] as const)
      assert.deepEqual(
        parts.flatMap((part) => part[lane]),
        whole[lane],
      );
    const roomy = histories(batches(rates, { extent: { feed: 9, search: 4 } })[0] as Batch);
    for (const lane of ['feed', 'clicks', 'search'] as const)
      assert.deepEqual(
        roomy[lane].filter((index) => index !== 0),
        whole[lane].filter((index) => index !== 0),
      );
  });
});
