import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { FIRST_INDEX } from '../../src/data/index.js';
import {
  type Batch,
  BatchAssembler,
  ItemQueries,
  ItemText,
  type ReachedSizes,
  catalogueOf,
  gatherRows,
} from '../../src/features/index.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const dataset = tinyDataset({
  ann: [{ query: 'old hat', clicked: ['a'] }, { query: 'red hat', clicked: ['a', 'b'] }, 'x', 'y'],
  bob: [{ query: 'red hat', clicked: ['a'] }, 'x', 'y', 'z', { query: 'green tea pot', clicked: ['c'] }, 'a'],
  cat: [{ query: 'tea', clicked: ['y'] }, 'x'],
});
const window = { feed: 2, search: 1, clicks: 1, words: 1 };
const { items, queries, words } = dataset;
const targets = ['a', 'x', 'b', 'y', 'a'];
const cases = targets.map(() => ({ user: dataset.users.index('ann'), feedPosition: 1 }));
const training = {
  candidates: Int32Array.from(targets.flatMap((target) => [items.index(target), items.index('z')])),
  randomOf: (purpose: string, row: number) => new Random('text', purpose, row),
};
const assemblerOf = (extra: ItemText | ItemQueries, reached: ReachedSizes = {}, exact = true): BatchAssembler =>
  new BatchAssembler(catalogueOf(dataset), window, { exact, reached, extras: [extra] });
const rows = gatherRows(dataset, cases, window);
const ints = ({ inputs }: Batch, key: string): Int32Array => inputs[key] as Int32Array;
const wordAt = ({ ids }: Batch, slot: number): string => words.ids[ids.words[slot] as number] as string;

/** The texts of the rows, as shares of words. */
function textsOf(batch: Batch): Record<string, number>[] {
  const texts: Record<string, number>[] = targets.map(() => ({}));
  const shares = batch.inputs['textShare'] as Float32Array;
  shares.forEach((share, place) => {
    if (share === 0) return;
    const text = texts[ints(batch, 'textRow')[place] as number] as Record<string, number>;
    text[wordAt(batch, ints(batch, 'textWord')[place] as number)] = share;
  });
  return texts;
}

describe('texts of targets', () => {
  for (const negatives of ['all', 6] as const)
    test(`are shares of the words of all training clicks, all words of a query (negatives: ${negatives})`, () => {
      const batch = assemblerOf(new ItemText(dataset, negatives)).assemble(rows, training);
      const third = Math.fround(1 / 3);
      const text = { old: Math.fround(1 / 6), hat: 0.5, red: third };
      assert.deepEqual(textsOf(batch), [text, {}, { red: 0.5, hat: 0.5 }, { tea: 1 }, text]);
      assert.deepEqual([...(batch.inputs['hasText'] as Float32Array)], [1, 0, 1, 1, 1]);
      assert.deepEqual(
        Array.from(ints(batch, 'textItem'), (slot) => items.ids[batch.ids.items[slot] as number]),
        targets,
      );
      assert.equal(batch.sizes.extras['textWords'], ints(batch, 'textWord').length);
    });

  test('come with the whole vocabulary, each word once', () => {
    for (const exact of [true, false]) {
      const batch = assemblerOf(new ItemText(dataset, 'all'), {}, exact).assemble(rows, training);
      const mask = batch.inputs['vocabularyMask'] as Float32Array;
      assert.equal(mask.length, batch.sizes.words);
      const real = [...batch.ids.words].filter((_, slot) => mask[slot] === 1);
      assert.deepEqual(
        real.toSorted((a, b) => a - b),
        words.ids.map((_, word) => word).slice(FIRST_INDEX),
      );
    }
  });

  test('come with words that others have, by their frequency, the same however a batch is cut', () => {
    const extra = new ItemText(dataset, 200);
    const batch = assemblerOf(extra).assemble(rows, training);
    const drawn = (of: Batch, row: number): string[] =>
      Array.from(ints(of, 'textNegatives').subarray(200 * row, 200 * row + 200), (slot) => wordAt(of, slot));
    assert.deepEqual([...new Set(drawn(batch, 0))], ['tea']);
    assert.deepEqual(new Set(drawn(batch, 1)), new Set([''])); // nothing to tell
    const counts = drawn(batch, 3).filter((word) => word === 'hat').length;
    // of 4 hats, 3 reds and an old: half of the words that are no tea
    assert.ok(Math.abs(counts - 100) < 25, `hat came ${counts} times`);
    const part = assemblerOf(extra).assemble(gatherRows(dataset, cases.slice(2), window), {
      candidates: training.candidates.slice(4),
      randomOf: (purpose, row) => training.randomOf(purpose, row + 2),
    });
    assert.deepEqual(
      [0, 1, 2].map((row) => drawn(part, row)),
      [2, 3, 4].map((row) => drawn(batch, row)),
    );
  });

  test('are not there when a batch is only scored', () => {
    const { inputs } = assemblerOf(new ItemText(dataset, 'all')).assemble(rows);
    assert.deepEqual(
      Object.keys(inputs).filter((key) => key.startsWith('text') || key === 'vocabularyMask'),
      [],
    );
  });
});

describe('queries of items', () => {
  const queriesOf = (batch: Batch): Record<string, string[]> => {
    const [slots, mask] = [ints(batch, 'itemQueries'), batch.inputs['itemQueryMask'] as Float32Array];
    assert.equal(slots.length, 2 * batch.sizes.items);
    return Object.fromEntries(
      Array.from(batch.ids.items, (item, slot) => [
        items.ids[item] as string,
        [0, 1].flatMap((place) =>
          mask[2 * slot + place] === 1
            ? [queries.ids[batch.ids.queries[slots[2 * slot + place] as number] as number] as string]
            : [],
        ),
      ]),
    );
  };
  const expected: Record<string, string[]> = {
    '': [],
    a: ['red hat', 'old hat'],
    b: ['red hat'],
    x: [],
    y: ['tea'],
    z: [],
  };

  for (const exact of [true, false])
    test(`come with every item of a batch, in training and scoring (exact room: ${exact})`, () => {
      const assembler = assemblerOf(new ItemQueries(dataset, 2), {}, exact);
      assert.deepEqual(queriesOf(assembler.assemble(rows, training)), expected);
      const scored = queriesOf(assembler.assemble(rows));
      for (const [item, own] of Object.entries(scored)) assert.deepEqual(own, expected[item]);
      const alone = queriesOf(assembler.assembleItems(Int32Array.of(items.index('a'), 0, items.index('z'))));
      assert.deepEqual(alone, { '': [], a: expected['a'], z: [] });
    });
});
