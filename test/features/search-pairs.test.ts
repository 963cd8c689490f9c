import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random, UserError } from '../../src/base/index.js';
import { type Dataset, partition } from '../../src/data/index.js';
import {
  type Batch,
  BatchAssembler,
  SearchPairDraws,
  type TrainingPart,
  catalogueOf,
  frequentQueries,
  gatherRows,
  itemWords,
  trainingPairs,
} from '../../src/features/index.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

/** The data set under global time, an event at each point of time. */
function underGlobalTime(dataset: Dataset, validationFrom: number, testFrom: number): Dataset {
  const split = { strategy: 'global-time', validationFrom, testFrom } as const;
  const { feedOrdinal: feedTime, searchOrdinal: searchTime, clickOrdinal: clickTime } = dataset;
  const timed = { ...dataset, feedTime, searchTime, clickTime };
  return { ...timed, manifest: { ...dataset.manifest, split }, ...partition(split, timed) };
}

/** Pairs as `query > item`, in order. */
function told(dataset: Dataset): string[] {
  const { queries, items } = trainingPairs(dataset);
  return Array.from(
    queries,
    (query, pair) => `${dataset.queries.ids[query]} > ${dataset.items.ids[items[pair] as number]}`,
  );
}

describe('training pairs', () => {
  test('are the clicks of training searches, once each', () => {
    const dataset = tinyDataset({
      ann: [{ query: 'red', clicked: ['a', 'b'] }, 'x', { query: 'red', clicked: ['a'] }, 'y', 'z'],
      bob: [{ query: 'blue', clicked: ['c'] }, 'x'],
    });
    assert.deepEqual(told(dataset), ['red > a', 'red > b', 'red > a', 'blue > c']);
  });

  test('are none from what is held out: searches after it began, those that led to it, and late clicks on earlier ones', () => {
    const dataset = tinyDataset({
      ann: [
        'x',
        { query: 'early', clicked: ['a'] },
        { query: 'leading', clicked: ['y'] },
        { led: 'y' }, // validation
        { click: 'late' }, // on a result of the leading search
        { query: 'later', clicked: ['b'] },
        'z', // test
        { query: 'last', clicked: ['c'] },
      ],
      bob: ['x', { query: 'training' }, 'y', { click: 'late' }, 'z'], // the search is training, the click is not
    });
    assert.equal(dataset.searchIsTraining[dataset.searchOffsets[dataset.users.index('bob')] as number], 1);
    assert.deepEqual(told(dataset), ['early > a']);
  });

  test('are under global time what happened before the cut, whoever did it', () => {
    const stories: Record<string, TinyEvent[]> = {
      ann: ['x', { query: 'red', clicked: ['a'] }, { click: 'b' }, { click: 'late' }], // times 0 to 4; no feed event is held out
      bob: ['y', { query: 'blue', clicked: ['c'] }, 'z'], // 5 to 8
    };
    const dataset = underGlobalTime(tinyDataset(stories), 4, 8);
    assert.equal(dataset.searchIsTraining[0], 1);
    assert.deepEqual(told(dataset), ['red > a', 'red > b']);
  });

  test('make the statistics of items: most frequent queries, ties by index, and words of all clicks', () => {
    const dataset = tinyDataset({
      ann: [
        { query: 'old hat', clicked: ['a'] },
        { query: 'red hat', clicked: ['a', 'b'] },
        { query: 'blue', clicked: ['a'] },
      ],
      bob: [
        { query: 'red hat', clicked: ['a'] },
        { query: 'green', clicked: ['a'] },
        'x',
        'y',
        { query: 'held out', clicked: ['a'] },
        'z',
      ],
    });
    const { items, queries, words } = dataset;
    const queriesOf = (item: string, most: number): (string | undefined)[] => {
      const at = items.index(item) * most;
      return [...frequentQueries(dataset, most).subarray(at, at + most)].map((query) => queries.ids[query]);
    };
    assert.deepEqual(queriesOf('a', 1), ['red hat']);
    assert.deepEqual(queriesOf('a', 3), ['red hat', 'old hat', 'blue']);
    assert.deepEqual(queriesOf('a', 6), ['red hat', 'old hat', 'blue', 'green', '', '']);
    assert.deepEqual(queriesOf('b', 2), ['red hat', '']);
    assert.deepEqual(queriesOf('x', 2), ['', '']);
    const { offsets, words: all } = itemWords(dataset);
    const wordsOf = (item: string): string[] =>
      [...all.subarray(offsets[items.index(item)], offsets[items.index(item) + 1])]
        .map((word) => words.ids[word] as string)
        .toSorted();
    assert.deepEqual(wordsOf('a'), ['blue', 'green', 'hat', 'hat', 'hat', 'old', 'red', 'red']);
    assert.deepEqual(wordsOf('b'), ['hat', 'red']);
    assert.deepEqual(wordsOf('x'), []);
  });
});

describe('drawn search pairs', () => {
  const stories: Record<string, TinyEvent[]> = {
    ann: [{ query: 'red', clicked: ['a', 'b'] }, { query: 'blue', clicked: ['c'] }, 'x', 'y'],
    bob: [{ query: 'blue', clicked: ['c', 'd'] }, 'z', 'x', 'y', { query: 'red', clicked: ['z'] }],
  };
  const dataset = tinyDataset(stories, { items: ['never'] });
  const cases = Array.from({ length: 400 }, () => ({ user: dataset.users.index('ann'), feedPosition: 1 }));
  const window = { feed: 2, search: 2, clicks: 1, words: 1 };

  function drawn(count: number, training: Partial<TrainingPart> | null, from = 0): Batch {
    const assembler = new BatchAssembler(catalogueOf(dataset), window, {
      exact: true,
      extras: [new SearchPairDraws(dataset, 2)],
    });
    const rows = gatherRows(dataset, cases.slice(0, count), window);
    return assembler.assemble(
      rows,
      training
        ? {
            candidates: new Int32Array(count).fill(2),
            randomOf: (purpose, row) => new Random('pairs', purpose, from + row),
            ...training,
          }
        : undefined,
    );
  }
  /** Per row: query, clicked item, negatives, by id. */
  function rowsOf({ ids, inputs }: Batch): string[][] {
    const items = Array.from(
      inputs['searchPairItems'] as Int32Array,
      (slot) => dataset.items.ids[ids.items[slot] as number] as string,
    );
    return Array.from(inputs['searchPairQuery'] as Int32Array, (slot, row) => [
      dataset.queries.ids[ids.queries[slot] as number] as string,
      ...items.slice(3 * row, 3 * row + 3),
    ]);
  }

  test('are training pairs by how often they are, against items that are clicked, but not for the same query', () => {
    const rows = rowsOf(drawn(400, {}));
    const counts = new Map<string, number>();
    const negatives = new Map<string, number>();
    for (const [query, item, ...others] of rows) {
      counts.set(`${query} > ${item}`, (counts.get(`${query} > ${item}`) ?? 0) + 1);
      for (const other of others) negatives.set(`${query} > ${other}`, (negatives.get(`${query} > ${other}`) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].toSorted(), ['blue > c', 'blue > d', 'red > a', 'red > b']);
    // five clicks, two of them blue > c; three standard deviations
    for (const [pair, share] of [
      ['blue > c', 2],
      ['blue > d', 1],
      ['red > a', 1],
      ['red > b', 1],
    ] as const)
      assert.ok(Math.abs((counts.get(pair) as number) - 80 * share) < 30, `${pair} came ${counts.get(pair)} times`);
    assert.deepEqual([...negatives.keys()].toSorted(), ['blue > a', 'blue > b', 'red > c', 'red > d']);
    assert.ok((negatives.get('red > c') as number) > 1.5 * (negatives.get('red > d') as number));
  });

  test('are the same however a batch is cut', () => {
    const whole = rowsOf(drawn(8, {}));
    assert.deepEqual([...rowsOf(drawn(3, {})), ...rowsOf(drawn(5, {}, 3))], whole);
    assert.notDeepEqual(whole[0], whole[1]);
  });

  test('are not there when a batch is only scored', () => {
    assert.equal('searchPairQuery' in drawn(3, null).inputs, false);
  });

  test('need a training click, and end where no other item is to be found', () => {
    const assemble = (own: Dataset): Batch => {
      const extras = [new SearchPairDraws(own, 2)];
      const rows = gatherRows(own, [{ user: 2, feedPosition: 0 }], window);
      const training = { candidates: Int32Array.of(2), randomOf: (purpose: string) => new Random(purpose) };
      return new BatchAssembler(catalogueOf(own), window, { extras }).assemble(rows, training);
    };
    assert.throws(() => assemble(tinyDataset({ ann: ['x', { query: 'red' }, 'y'] })), UserError);
    const batch = assemble(tinyDataset({ ann: [{ query: 'red', clicked: ['x'] }, 'y'] }));
    assert.deepEqual(
      Array.from(batch.inputs['searchPairItems'] as Int32Array, (slot) => batch.ids.items[slot]),
      [2, 2, 2].map(() => batch.ids.items[(batch.inputs['searchPairItems'] as Int32Array)[0] as number]),
    );
  });
});
