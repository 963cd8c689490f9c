import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MEASURES, alignment, measurePairs, samplePairs } from '../../src/analyse/index.js';
import { UserError, at } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const clicks = (...pairs: readonly (readonly [query: string, ...items: string[]])[]): TinyEvent[] => [
  ...pairs.map(([query, ...clicked]): TinyEvent => ({ query, clicked })),
  'x',
  'y',
  'z',
];
/** Pairs as text. */
const told = (dataset: Dataset, { queries, items }: { queries: Int32Array; items: Int32Array }): string[] =>
  Array.from(queries, (query, i) => `${dataset.queries.ids[query]} ${dataset.items.ids[at(items, i)]}`);

describe('pairs of a query and an item', () => {
  const dataset = tinyDataset({
    ann: clicks(['tea', 'a', 'b'], ['tea', 'a'], ['lamp', 'c']),
    bob: clicks(['tea', 'a'], ['boot', 'd', 'e'], ['hat']),
  });
  const everything = ['boot d', 'boot e', 'lamp c', 'tea a', 'tea b'];

  test('are distinct, and each has a partner that was not clicked', () => {
    const { clicked, random, distinct, withoutOther } = samplePairs(dataset, { most: 100, seed: 1 });
    assert.deepEqual(told(dataset, clicked).sort(), everything);
    assert.deepEqual([distinct, withoutOther], [5, 0]);
    assert.deepEqual(random.queries, clicked.queries);
    for (const pair of told(dataset, random)) {
      assert.ok(!everything.includes(pair), pair);
      assert.ok(['a', 'b', 'c', 'd', 'e'].includes(pair.split(' ')[1] as string), 'an item that somebody clicked');
    }
  });

  test('are a seeded sample where there are more', () => {
    const sample = (seed: number) => samplePairs(dataset, { most: 3, seed });
    assert.equal(sample(1).clicked.items.length, 3);
    assert.equal(sample(1).distinct, 5);
    assert.deepEqual(sample(1), sample(1));
    assert.ok(
      [2, 3, 4, 5].some(
        (seed) => told(dataset, sample(seed).clicked).join() !== told(dataset, sample(1).clicked).join(),
      ),
    );
  });

  test('a query for which everything was clicked has no partner', () => {
    const one = tinyDataset({ ann: clicks(['tea', 'a', 'b']) });
    const { clicked, random, withoutOther } = samplePairs(one, { most: 10, seed: 1 });
    assert.deepEqual([clicked.items.length, random.items.length, withoutOther], [2, 0, 2]);
  });

  test('a log without clicks is refused', () => {
    assert.throws(
      () => samplePairs(tinyDataset({ ann: clicks(['tea']) }), { most: 10, seed: 1 }),
      (error) => error instanceof UserError && /no search of the training log has a click/.test(error.message),
    );
  });
});

describe('measures of pairs', () => {
  // query 0: (3, 4), query 1: (0, 0); item 0: (4, 3), item 1: (-4, 3)
  const vectors = {
    width: 2,
    queries: Float32Array.of(3, 4, 0, 0),
    items: Float32Array.of(4, 3, -4, 3),
    bilinear: Float32Array.of(0, 0.1, 0.2, 0), // W^T (3, 4) = (0.8, 0.3)
  };
  const pairs = { queries: Int32Array.of(0, 0, 1), items: Int32Array.of(0, 1, 0) };
  const close = (actual: Float64Array | null, expected: readonly number[]): void => {
    assert.ok(actual);
    expected.forEach((value, i) => assert.ok(Math.abs(at(actual, i) - value) < 1e-6, `${actual}`));
  };

  test('by hand', () => {
    close(measurePairs(vectors, pairs, 'cosine'), [24 / 25, 0, 0]);
    const length = 5 * Math.sqrt(0.8 ** 2 + 0.3 ** 2);
    close(measurePairs(vectors, pairs, 'mapped'), [(3.2 + 0.9) / length, (-3.2 + 0.9) / length, 0]);
    close(measurePairs(vectors, pairs, 'similarity'), [Math.tanh(4.1), Math.tanh(-2.3), 0]);
  });

  test('that need W_A are not told without it', () => {
    const without = { ...vectors, bilinear: null };
    assert.equal(measurePairs(without, pairs, 'mapped'), null);
    assert.equal(measurePairs(without, pairs, 'similarity'), null);
    const found = alignment(without, { clicked: pairs, random: pairs, distinct: 3, withoutOther: 0 }, 1);
    assert.deepEqual(
      MEASURES.map((name) => found[name] === null),
      [false, true, true],
    );
  });

  test('clicked and random pairs are told apart by AUC', () => {
    const clicked = { queries: Int32Array.of(0, 0), items: Int32Array.of(0, 0) };
    const random = { queries: Int32Array.of(0, 1), items: Int32Array.of(1, 0) };
    const { mapped, cosine } = alignment(vectors, { clicked, random, distinct: 2, withoutOther: 0 }, 1);
    assert.equal(mapped?.auc, 1);
    assert.equal(cosine?.clicked.mean.toFixed(6), '0.960000');
    const same = alignment(vectors, { clicked, random: clicked, distinct: 2, withoutOther: 0 }, 1);
    assert.equal(same.similarity?.auc, 0.5);
    assert.equal(
      alignment(vectors, { clicked: random, random: clicked, distinct: 2, withoutOther: 0 }, 1).mapped?.auc,
      0,
    );
  });
});
