import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { divergence, jensenShannon, testMoments } from '../../src/analyse/index.js';
import { UserError } from '../../src/base/index.js';
import { type Dataset } from '../../src/data/index.js';
import type { SidedAction } from '../../src/model/index.js';
import { answers } from '../support/analyses.js';
import { type TinyEvent, tinyDataset, tinyVocabulary } from '../support/tiny-dataset.js';

const counts = (...values: readonly number[]): Map<number, number> => new Map(values.entries());
const close = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, not ${expected}`);

describe('the Jensen-Shannon divergence', () => {
  test('is 1 where nothing is in common and 0 for equal shares, whatever the counts', () => {
    assert.equal(jensenShannon(counts(1, 0), counts(0, 1)), 1);
    for (let size = 1; size < 13; size++)
      assert.equal(
        jensenShannon(new Map([[99, 1]]), new Map(Array.from({ length: size }, (_, i) => [i, 1]))),
        1,
        `${size}`,
      );
    assert.equal(jensenShannon(counts(1, 2, 3), counts(2, 4, 6)), 0);
    assert.equal(jensenShannon(new Map([[7, 1]]), new Map([[9, 4]])), 1);
  });

  test('of three categories, by hand', () => {
    // p = (1/2, 1/2, 0), q = (0, 1/2, 1/2), m = (1/4, 1/2, 1/4): KL(p||m) = 1/2 log2 2 + 1/2 log2 1 = 1/2, and so is KL(q||m)
    close(jensenShannon(counts(2, 2, 0), counts(0, 5, 5)), 0.5);
    // p = (1, 0, 0), q = (1/2, 1/4, 1/4), m = (3/4, 1/8, 1/8):
    // KL(p||m) = log2(4/3), KL(q||m) = 1/2 log2(2/3) + 1/4 log2 2 + 1/4 log2 2
    close(jensenShannon(counts(1, 0, 0), counts(2, 1, 1)), Math.log2(4 / 3) / 2 + (Math.log2(2 / 3) / 2 + 0.5) / 2);
  });

  test('is the same either way round, and is not told of nothing', () => {
    const [one, other] = [counts(3, 1, 0, 2), counts(1, 1, 4, 0)];
    close(jensenShannon(one, other), jensenShannon(other, one));
    assert.ok(Number.isNaN(jensenShannon(counts(), counts(1))));
    assert.ok(Number.isNaN(jensenShannon(counts(0, 0), counts(1))));
  });

  test('is that of numpy', () => {
    for (const { one, other, answer } of answers.jensenShannon)
      close(jensenShannon(counts(...one), counts(...other)), answer);
  });
});

/** Items `tea1`, … have the category that their name begins with; `bare` has none. */
function shop(stories: Readonly<Record<string, readonly TinyEvent[]>>): Dataset {
  const told = tinyDataset(stories, { items: ['tea1', 'tea2', 'lamp1', 'lamp2', 'boot1', 'bare'] });
  const values = tinyVocabulary(['tea', 'lamp', 'boot']);
  const index = Int32Array.from(told.items.ids, (id) =>
    values.has(id.slice(0, -1)) ? values.index(id.slice(0, -1)) : 0,
  );
  return { ...told, itemAttributes: new Map([['category', { values, index }]]) };
}

/** Feed events and searches in turn, then two events that are held out. */
const lived = (...pairs: readonly (readonly [item: string, clicked: string | null])[]): TinyEvent[] => [
  ...pairs.flatMap(([item, clicked]): TinyEvent[] => [
    item,
    { query: 'q', clicked: clicked === null ? [] : [clicked] },
  ]),
  'boot1',
  'boot1',
];

/** The sides of a user's first feed events and searches. */
function sided(dataset: Dataset, user: string, sides: string): SidedAction[] {
  const index = dataset.users.index(user);
  return (['feed', 'search'] as const).flatMap((lane) =>
    Array.from(sides, (side, i): SidedAction => {
      const first = (lane === 'feed' ? dataset.feedOffsets : dataset.searchOffsets)[index] as number;
      return {
        lane,
        position: first + i,
        side: side === 's' ? 'similar' : side === 'd' ? 'dissimilar' : null,
        coAttention: null,
      };
    }),
  );
}

describe('the divergence of similar and dissimilar parts', () => {
  const dataset = shop({
    ann: lived(['tea1', 'tea2'], ['tea2', 'tea1'], ['lamp1', 'boot1'], ['lamp2', 'boot1']),
    bob: lived(['tea1', 'boot1'], ['lamp1', 'lamp1']),
    alone: lived(['tea1', 'tea1']),
    onesided: lived(['tea1', 'tea1'], ['tea1', 'tea1']),
    clickless: lived(['tea1', null], ['lamp1', 'lamp1']),
    few: ['tea1', 'lamp1'],
  });
  const cases = testMoments(dataset);
  const splits = ['ssdd', 'sd', '-', 'ss', 'sd'].map((sides, user) =>
    sided(dataset, dataset.users.ids[2 + user] as string, sides),
  );

  test('is compared user by user, and who cannot be compared is counted', () => {
    const { split, users, sign, protocol } = divergence(dataset, cases, splits, { repeats: 3 });
    // ann: tea with tea, lamp with boot; bob: tea with boot, lamp with lamp
    assert.deepEqual(split.mean, { similar: 0.5, dissimilar: 0.5 });
    assert.equal(split.difference.mean, 0);
    const ends = [0.5, ...Array.from({ length: 18 }, () => 0), 0.5];
    assert.deepEqual(split.histogram, { similar: ends, dissimilar: ends });
    assert.deepEqual([sign.less, sign.of, sign.ties], [1, 2, 0]);
    assert.deepEqual(users, {
      all: 5,
      compared: 2,
      leftOut: { oneHistory: 1, emptySide: 1, noCategory: 1 },
    });
    assert.deepEqual([protocol.base, protocol.bins], [2, 20]);
  });

  test('random splits keep the sizes of the parts and forget what the model did', () => {
    const two = [cases[0], cases[1]].map((moment) => moment as (typeof cases)[number]);
    const { random, beyond } = divergence(dataset, two, splits, { repeats: 2000 });
    // ann's feed: two teas and two lamps in two parts of two, her searches two teas and two boots. Similar feed: tt 1/6, ll 1/6,
    // tl 4/6; searches alike. tt with tt 0, tt with tb .3113, tt with bb 1, tl with tt .3113, tl with tb 1/2, tl with bb 1, ll 1.
    const h = jensenShannon(counts(2, 0), counts(1, 1));
    const ann = (1 / 36) * (0 + 1) + (4 / 36) * h + (4 / 36) * (h + 1) + (16 / 36) * 0.5 + (1 / 6) * 1;
    // bob: tea or lamp with boot or lamp, one quarter is lamp with lamp
    const bob = 0.75;
    const expected = (ann + bob) / 2;
    for (const side of ['similar', 'dissimilar'] as const)
      assert.ok(Math.abs(random.mean[side] - expected) < 0.015, `${random.mean[side]}, not ${expected}`);
    assert.ok(Math.abs(beyond.similar.mean - (expected - 0.5)) < 0.015);
    assert.ok(Math.abs(beyond.dissimilar.mean - (0.5 - expected)) < 0.015);
  });

  test('a split that puts the same categories together is better than random ones', () => {
    const stories = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [
        `u${i}`,
        lived(['tea1', 'tea2'], ['tea2', 'tea1'], ['lamp1', 'boot1'], ['lamp2', 'boot1']),
      ]),
    );
    const many = shop(stories);
    const told = (sides: string) =>
      divergence(
        many,
        testMoments(many),
        Object.keys(stories).map((user) => sided(many, user, sides)),
      );
    const perfect = told('ssdd');
    assert.deepEqual(perfect.split.mean, { similar: 0, dissimilar: 1 });
    assert.ok(perfect.beyond.difference.interval[0] > 0.5 && perfect.beyond.difference.test.p < 1e-6);
    close(perfect.sign.p, 2 / 2 ** 12);
    assert.equal(told('ddss').split.difference.mean, -1);
    assert.ok(told('ddss').beyond.difference.interval[1] < -0.5);
  });

  test('is the same for the same seed', () => {
    const two = [cases[0], cases[1]].map((moment) => moment as (typeof cases)[number]);
    const told = (seed: number) => divergence(dataset, two, splits, { seed, repeats: 3 });
    assert.deepEqual(told(1), told(1));
    assert.notDeepEqual(told(1).random, told(2).random);
  });

  test('needs a category', () => {
    assert.throws(
      () => divergence(dataset, cases, splits, { category: 'colour' }),
      (error) => error instanceof UserError && /no attribute "colour".*--category/.test(error.message),
    );
  });
});
