import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, UserError } from '../../src/base/index.js';
import { type Dataset, FIRST_INDEX, importEvents, loadDataset } from '../../src/data/index.js';
import { evaluate } from '../../src/evaluate/index.js';
import { type ItemToItemOptions, itemToItemRanker, popularityRanker, recommend } from '../../src/model/index.js';
import { scratchFolder } from '../data/folders.js';
import { importGlobalTime } from '../support/global-time.js';
import { writePlantedLog } from '../support/planted.js';
import { allScores } from '../support/rankers.js';
import { randomStories } from '../support/stories.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

/** Plain cosine, summed over the history as it is. */
const plain: ItemToItemOptions = {
  shrinkage: 0,
  distanceDecay: 1,
  lengthExponent: 0,
  recencyDecay: 1,
  popularityTieBreak: false,
};

/** Scores by item id after the first `events` feed events of a user. */
async function scoresAfter(
  dataset: Dataset,
  user: string,
  events: number,
  options: ItemToItemOptions,
): Promise<Record<string, number>> {
  const index = dataset.users.index(user);
  const moment = { user: index, feedPosition: (dataset.feedOffsets[index] as number) + events };
  const scores = await allScores(itemToItemRanker(dataset, options), [moment], dataset.items.ids.length);
  return Object.fromEntries(dataset.items.ids.map((id, item) => [id, scores[item] as number]).slice(FIRST_INDEX));
}

function assertClose(actual: Record<string, number>, expected: Record<string, number>): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [id, score] of Object.entries(expected))
    assert.ok(Math.abs((actual[id] as number) - score) < 1e-6, `${id}: ${actual[id]}, by hand ${score}`);
}

// Who has fewer than three events holds nothing out; ann holds out x and y.
const dataset = tinyDataset({
  ann: ['a', 'b', 'c', 'x', 'y'],
  bob: ['a', 'b'],
  cat: ['b', 'c'],
  dan: ['b'],
  eve: ['x'],
});

describe('similarity, by hand', () => {
  test('is the cosine of who met both', async () => {
    // a: ann, bob; b: ann, bob, cat, dan; c: ann, cat; x: eve
    assertClose(await scoresAfter(dataset, 'dan', 1, plain), {
      a: 2 / Math.sqrt(8),
      b: 0,
      c: 2 / Math.sqrt(8),
      x: 0,
      y: 0,
    });
    assertClose(await scoresAfter(dataset, 'bob', 1, plain), { a: 0, b: 2 / Math.sqrt(8), c: 1 / 2, x: 0, y: 0 });
  });

  test('is trusted less, the fewer people it rests on, with shrinkage', async () => {
    const scores = await scoresAfter(dataset, 'bob', 1, { ...plain, shrinkage: 3 });
    assertClose(scores, { a: 0, b: 2 / (Math.sqrt(8) + 3), c: 1 / (2 + 3), x: 0, y: 0 });
  });

  test('counts pairs less, the further apart they are', async () => {
    const scores = await scoresAfter(dataset, 'bob', 1, { ...plain, distanceDecay: 0.5 });
    assertClose(scores, { a: 0, b: 2 / Math.sqrt(8), c: 0.5 / 2, x: 0, y: 0 });
    const near = await scoresAfter(dataset, 'bob', 1, { ...plain, farthest: 1 });
    assertClose(near, { a: 0, b: 2 / Math.sqrt(8), c: 0, x: 0, y: 0 });
  });

  test('counts people less, the more they met: rows of unit length at exponent 1', async () => {
    // ann counts 1/3, bob and cat 1/2, dan 1: n_a = n_c = 5/6, n_b = 1/3 + 1/2 + 1/2 + 1 = 7/3
    const scores = await scoresAfter(dataset, 'bob', 1, { ...plain, lengthExponent: 1 });
    assertClose(scores, { a: 0, b: 5 / 6 / Math.sqrt((5 / 6) * (7 / 3)), c: 1 / 3 / (5 / 6), x: 0, y: 0 });
  });

  test('keeps the most similar neighbours only, of equal ones those of smaller index', async () => {
    assertClose(await scoresAfter(dataset, 'bob', 1, { ...plain, neighbours: 1 }), {
      a: 0,
      b: 2 / Math.sqrt(8),
      c: 0,
      x: 0,
      y: 0,
    });
    assertClose(await scoresAfter(dataset, 'dan', 1, { ...plain, neighbours: 1 }), {
      a: 2 / Math.sqrt(8),
      b: 0,
      c: 0,
      x: 0,
      y: 0,
    });
  });

  test('takes an item that was met again where it was met last, once', async () => {
    const again = tinyDataset({ ann: ['a', 'b', 'c', 'a', 'x', 'y'], bob: ['b'] }); // in training: b, c, a
    const scores = await scoresAfter(again, 'bob', 1, { ...plain, distanceDecay: 0.5 });
    assertClose(scores, { a: 0.5 / Math.sqrt(2), b: 0, c: 1 / Math.sqrt(2), x: 0, y: 0 });
  });
});

describe('a score, by hand', () => {
  const [ab, bc, ac] = [2 / Math.sqrt(8), 2 / Math.sqrt(8), 1 / 2];

  test('sums over the history, the newest item weighing most', async () => {
    const scores = await scoresAfter(dataset, 'ann', 3, { ...plain, recencyDecay: 0.5 });
    assertClose(scores, { a: ac + ab / 2, b: bc + ab / 4, c: bc / 2 + ac / 4, x: 0, y: 0 });
  });

  test('looks no further back than its window', async () => {
    assertClose(await scoresAfter(dataset, 'ann', 3, { ...plain, window: 1 }), { a: ac, b: bc, c: 0, x: 0, y: 0 });
  });

  test('knows items of the history that were held out', async () => {
    const scores = await scoresAfter(tinyDataset({ ann: ['a', 'b', 'c', 'd'], bob: ['c', 'd'] }), 'ann', 3, plain);
    assertClose(scores, { a: 1, b: 1, c: 0, d: 1 });
  });

  test('orders items without similarity by popularity, below all others; without the tie-breaker they are tied', async () => {
    const scores = await scoresAfter(dataset, 'eve', 1, { ...plain, popularityTieBreak: true });
    assertClose(scores, { a: -1 / 3, b: -1 / 5, c: -1 / 3, x: -1 / 2, y: -1 });
    const bob = await scoresAfter(dataset, 'bob', 1, { ...plain, popularityTieBreak: true });
    assertClose(bob, { a: -1 / 3, b: ab, c: ac, x: -1 / 2, y: -1 });
    assertClose(await scoresAfter(dataset, 'eve', 1, plain), { a: 0, b: 0, c: 0, x: 0, y: 0 });
  });

  test('is popularity for somebody without a history', async () => {
    const ranker = itemToItemRanker(dataset);
    const nobody = { user: dataset.users.index('bob'), feedPosition: dataset.feedOffsets[3] as number };
    const byPopularity = await recommend(popularityRanker(dataset), nobody, 9);
    assert.deepEqual(
      (await recommend(ranker, nobody, 9)).map(({ item }) => item),
      byPopularity.map(({ item }) => item),
    );
  });

  test('is the same among candidates, among all items, and whatever was asked before', async () => {
    const items = dataset.items.ids.length;
    const cases = dataset.users.ids.flatMap((_, user) =>
      user < FIRST_INDEX ? [] : [{ user, feedPosition: dataset.feedOffsets[user + 1] as number }],
    );
    for (const options of [{}, plain]) {
      const all = await allScores(
        itemToItemRanker(dataset, options),
        cases,
        items,
        Int32Array.from(cases, () => 4),
      );
      const ranker = itemToItemRanker(dataset, options);
      for (const [row, moment] of [...cases.entries()].toReversed()) {
        const candidates = Int32Array.from({ length: items }, (_, item) => item);
        assert.deepEqual(await ranker.score([moment], candidates, items), all.slice(row * items, (row + 1) * items));
      }
      const some = await ranker.score(cases, Int32Array.from(cases.flatMap(() => [4, 2])), 2);
      assert.deepEqual(
        [...some],
        cases.flatMap((_, row) => [all[row * items + 4], all[row * items + 2]]),
      );
    }
  });

  test('leaves nothing behind when its reader fails', async () => {
    const ranker = itemToItemRanker(dataset, plain);
    const eve = dataset.users.index('eve');
    const moment = { user: eve, feedPosition: dataset.feedOffsets[eve + 1] as number }; // x is similar to nothing
    const before = await allScores(ranker, [moment], dataset.items.ids.length);
    const fail = (): never => {
      throw new Error('no more');
    };
    await assert.rejects(ranker.scoreAll([{ user: 2, feedPosition: 3 }], fail), /no more/);
    assert.deepEqual(await allScores(ranker, [moment], dataset.items.ids.length), before);
  });
});

describe('clicks in searches', () => {
  const stories: Record<string, readonly TinyEvent[]> = {
    ann: ['a', { query: 'q', clicked: ['p'] }, 'b', { query: 'r' }, 'c', 'd'], // c and d are held out
    bob: ['a', { query: 'q', clicked: ['c'] }],
  };

  test('count where they were made, in training and in the history, when they are asked for', async () => {
    const searched = tinyDataset(stories);
    assertClose(await scoresAfter(searched, 'ann', 1, plain), { a: 0, b: 1 / Math.sqrt(2), c: 0, d: 0, p: 0 });
    const options = { ...plain, useSearches: true, distanceDecay: 0.5, recencyDecay: 0.1 };
    // ann: a p b, bob: a c
    const [ap, ac, ab, pb] = [1 / Math.sqrt(2), 1 / Math.sqrt(2), 0.5 / Math.sqrt(2), 1];
    assertClose(await scoresAfter(searched, 'ann', 0, options), { a: 0, b: 0, c: 0, d: 0, p: 0 });
    assertClose(await scoresAfter(searched, 'ann', 1, options), {
      a: ap,
      b: pb + 0.1 * ab,
      c: 0.1 * ac,
      d: 0,
      p: 0.1 * ap,
    });
    assertClose(await scoresAfter(searched, 'bob', 1, options), { a: ac, b: 0.1 * ab, c: 0.1 * ac, d: 0, p: 0.1 * ap });
  });

  test('do not count where their search led to a held-out event, or where they come after one', async () => {
    const options = { ...plain, useSearches: true };
    for (const ann of [
      ['a', { query: 'q', clicked: ['p'] }, 'b', { led: 'c' }, 'd'],
      ['a', { query: 'q', clicked: ['p'] }, 'b', 'c', { led: 'd' }],
      ['a', { query: 'q' }, 'b', 'c', { click: 'p' }, 'd'],
      ['a', 'b', 'c', { query: 'q', clicked: ['p'] }, 'd'],
    ] as const) {
      const scores = await scoresAfter(tinyDataset({ ann, bob: ['a'] }), 'bob', 1, options);
      assertClose(scores, { a: 0, b: 1 / Math.sqrt(2), c: 0, d: 0, p: 0 });
    }
  });

  test('do not count where they come after the cut of global time', async (t) => {
    const loaded = await importGlobalTime(await scratchFolder(t));
    const late = loaded.items.index('b');
    // bob's click at 105, in a search at 95, on an item that training knows
    const clickItem = loaded.clickItem.map((item, click) => (loaded.clickTime[click] === 105 ? late : item));
    assert.notDeepEqual(clickItem, loaded.clickItem);
    // Their history knows the click, and b is similar to a because of ann, but d is not to b because of the click.
    const bob = await scoresAfter({ ...loaded, clickItem }, 'bob', 1, { ...plain, useSearches: true });
    assertClose(bob, { a: 1, b: 0, d: 0 });
  });
});

test('nothing that is held out changes a score, whatever the story', () => {
  return fc.assert(
    fc.asyncProperty(
      randomStories,
      fc.boolean(),
      fc.infiniteStream(fc.integer({ min: FIRST_INDEX, max: FIRST_INDEX + 7 })),
      async (stories, useSearches, noise) => {
        const items = Array.from({ length: 8 }, (_, i) => `i${i}`);
        const original = tinyDataset(stories, { items });
        const heldOut = new Set<number>();
        const late = new Set<number>();
        for (let user = FIRST_INDEX; user < original.users.ids.length; user++) {
          const [start, end] = [original.heldOutStart[user] as number, original.feedOffsets[user + 1] as number];
          for (let position = start; position < end; position++) heldOut.add(position);
          if (start === end) continue;
          for (
            let click = original.clickOffsets[original.searchOffsets[user] as number] as number;
            click < (original.clickOffsets[original.searchOffsets[user + 1] as number] as number);
            click++
          )
            if ((original.clickOrdinal[click] as number) > (original.feedOrdinal[start] as number)) late.add(click);
        }
        const changed: Dataset = {
          ...original,
          feedItem: original.feedItem.map((item, i) => (heldOut.has(i) ? (noise.next().value as number) : item)),
          clickItem: original.clickItem.map((item, i) => (late.has(i) ? (noise.next().value as number) : item)),
        };
        const cases = [2, 3].map((user) => ({ user, feedPosition: original.heldOutStart[user] as number }));
        const scores = async (data: Dataset): Promise<Float32Array> =>
          allScores(itemToItemRanker(data, { useSearches }), cases, data.items.ids.length);
        assert.deepEqual(await scores(changed), await scores(original));
      },
    ),
    { numRuns: 200 },
  );
});

test('finds planted groups of items: what is recommended is of the group of the history', async () => {
  const random = new Random('groups');
  const stories = Object.fromEntries(
    Array.from({ length: 60 }, (_, user) => [
      `u${user}`,
      Array.from({ length: 6 }, () => `g${user % 5}-${random.integer(8)}`),
    ]),
  );
  const grouped = tinyDataset(stories);
  const ranker = itemToItemRanker(grouped);
  for (const [user, story] of Object.entries(stories)) {
    const index = grouped.users.index(user);
    const moment = { user: index, feedPosition: grouped.heldOutStart[index] as number };
    for (const { item } of await recommend(ranker, moment, 5))
      assert.equal(grouped.items.ids[item]?.slice(0, 2), (story[0] as string).slice(0, 2));
  }
});

test('finds the planted category of the last search by its click; without clicks it cannot', async (t) => {
  const folder = await scratchFolder(t);
  const [log, out] = [join(folder, 'log.jsonl'), join(folder, 'data')];
  await writePlantedLog({ users: 1000, items: 60, categories: 6, eventsPerUser: 9, seed: 4 }, log);
  await importEvents({ files: [log], out });
  const data = await loadDataset(out);
  const ndcg = async (useSearches: boolean): Promise<number> => {
    const ranker = itemToItemRanker(data, { useSearches, farthest: 1, window: 1 });
    return (await evaluate(ranker, data, { on: 'validation', protocol: 'full' })).metrics['ndcg@10'];
  };
  const [withClicks, without] = [await ndcg(true), await ndcg(false)];
  assert.ok(withClicks > 1.4 * without && withClicks > 0.15, `NDCG@10 ${withClicks} with clicks, ${without} without`);
});

test('options out of range are refused, by name', () => {
  const refused: readonly ItemToItemOptions[] = [
    { neighbours: 0 },
    { farthest: 1.5 },
    { window: Number.NaN },
    { shrinkage: -1 },
    { lengthExponent: Infinity },
    { distanceDecay: 0 },
    { recencyDecay: 1.1 },
  ];
  for (const options of refused) {
    const [[name, value]] = Object.entries(options) as [[string, number]];
    assert.throws(
      () => itemToItemRanker(dataset, options),
      (error: unknown) => error instanceof UserError && error.message.startsWith(`${name} is ${value}: give `),
    );
  }
});
