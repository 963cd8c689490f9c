import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random, UserError } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import { AlignmentSampler, NegativeSampler, trainingCases, trainingQueries } from '../../src/features/index.js';
import { randomStories } from '../support/stories.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const catalogue = Array.from({ length: 8 }, (_, i) => `i${i}`);

/** Pearson's statistic of counts against expected shares; about its degrees of freedom when the shares are right. */
function chiSquare(counts: ReadonlyMap<string, number>, shares: Readonly<Record<string, number>>): number {
  const [draws, total] = [[...counts.values()], Object.values(shares)].map((list) =>
    list.reduce((a, b) => a + b, 0),
  ) as [number, number];
  assert.deepEqual(
    [...counts.keys()].filter((item) => !(item in shares)),
    [],
    'something was drawn that cannot be',
  );
  return Object.entries(shares).reduce((sum, [item, share]) => {
    const expected = (draws * share) / total;
    return sum + ((counts.get(item) ?? 0) - expected) ** 2 / expected;
  }, 0);
}

function count(dataset: Dataset, draw: (random: Random) => readonly number[], times: number): Map<string, number> {
  const random = new Random('negatives test');
  const counts = new Map<string, number>();
  for (let i = 0; i < times; i++) {
    for (const item of draw(random)) {
      const id = dataset.items.ids[item] as string;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return counts;
}

describe('negatives of training rows', () => {
  // Targets (each user's second event): i1 once, i2 twice, i3 three times, i4 four times; i0 is only ever a first event.
  const stories: Record<string, TinyEvent[]> = { zed: ['i0', 'i1', 'i5', 'i6'] }; // i5 and i6 are held out
  for (const [target, times] of Object.entries({ i2: 2, i3: 3, i4: 4 }))
    for (let i = 0; i < times; i++) stories[`${target}-${i}`] = ['i0', target];
  const dataset = tinyDataset(stories, { items: catalogue });
  const cases = trainingCases(dataset, false);
  const zed = cases.find(({ user }) => user === dataset.users.index('zed')) as (typeof cases)[number];

  test('follow the number of times an item is a target when drawn by popularity', () => {
    const sampler = new NegativeSampler(dataset, cases, { count: 1, sampling: 'popular' });
    const counts = count(dataset, (random) => sampler.draw(zed, random), 9000);
    assert.ok(chiSquare(counts, { i2: 2, i3: 3, i4: 4 }) < 12);
    assert.ok(chiSquare(counts, { i2: 1, i3: 1, i4: 1 }) > 100, 'the test can tell popularity from chance');
  });

  test('are all items alike when drawn uniformly, held-out and later ones included', () => {
    const sampler = new NegativeSampler(dataset, cases, { count: 1, sampling: 'uniform' });
    const counts = count(dataset, (random) => sampler.draw(zed, random), 6000);
    assert.ok(chiSquare(counts, { i2: 1, i3: 1, i4: 1, i5: 1, i6: 1, i7: 1 }) < 20);
  });

  test('are never the positive, nothing of the whole earlier feed, nothing twice', () => {
    fc.assert(
      fc.property(randomStories, fc.constantFrom('popular', 'uniform'), fc.nat(), (stories, sampling, seed) => {
        const dataset = tinyDataset(
          { ...stories, ...Object.fromEntries(catalogue.map((item) => [`fan of ${item}`, ['i0', item]])) },
          { items: catalogue },
        );
        const cases = trainingCases(dataset, false);
        const sampler = new NegativeSampler(dataset, cases, { count: 2, sampling });
        for (const moment of cases) {
          const known = new Set(dataset.feedItem.subarray(dataset.feedOffsets[moment.user], moment.feedPosition + 1));
          if (known.size > catalogue.length - 2) continue;
          const drawn = sampler.draw(moment, new Random(seed));
          assert.equal(drawn.length, 2);
          assert.equal(new Set(drawn).size, 2);
          assert.ok(drawn.every((item) => item >= 2 && item < dataset.items.ids.length && !known.has(item)));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('may be what the user does later, and what the user clicked in searches', () => {
    const dataset = tinyDataset(
      { ann: ['i0', { query: 'q', clicked: ['i3'] }, 'i1', 'i2', 'i4'] },
      { items: catalogue.slice(0, 5) },
    );
    const [first] = trainingCases(dataset, false);
    const sampler = new NegativeSampler(dataset, [], { count: 3, sampling: 'uniform' });
    const drawn = sampler
      .draw(first as NonNullable<typeof first>, new Random(1))
      .map((item) => dataset.items.ids[item] as string);
    assert.deepEqual(drawn.sort(), ['i2', 'i3', 'i4']);
  });

  test('that are hard to find are found: the last twenty of four hundred items', () => {
    const all = Array.from({ length: 400 }, (_, i) => `i${i}`);
    const large = tinyDataset({ ann: all.slice(0, 380), bob: ['i0', 'i1'] }, { items: all });
    const row = { user: large.users.index('ann'), feedPosition: 379 };
    const sampler = new NegativeSampler(large, [], { count: 20, sampling: 'uniform' });
    const drawn = sampler.draw(row, new Random(1)).map((item) => large.items.ids[item] as string);
    assert.deepEqual(new Set(drawn), new Set(all.slice(380)));
    assert.equal(drawn.length, 20);
  });

  test('that do not exist are one clear error, not a hang', () => {
    const small = tinyDataset({ ann: ['i0', 'i1'] }, { items: ['i0', 'i1', 'i2'] });
    const cases = trainingCases(small, false);
    for (const sampling of ['popular', 'uniform'] as const) {
      const sampler = new NegativeSampler(small, cases, { count: 2, sampling });
      assert.throws(
        () => sampler.draw(cases[0] as NonNullable<(typeof cases)[0]>, new Random(1)),
        (error) => error instanceof UserError && /2 negatives for user ann/.test(error.message),
      );
    }
  });
});

describe('negatives of the alignment', () => {
  const dataset = tinyDataset(
    {
      ann: [
        'i0',
        { query: 'often' },
        'i1',
        { query: 'often' },
        'i2',
        { query: 'once' },
        'i3',
        { query: 'leads' },
        { query: 'after' },
        { led: 'i4' },
      ],
      bob: ['i5', { query: 'often' }],
    },
    { items: catalogue },
  );
  const queriesOf = (indices: Int32Array): string[] =>
    Array.from(indices, (query) => dataset.queries.ids[query] as string);

  test('visit every item once per pass', () => {
    const sampler = new AlignmentSampler(dataset, trainingQueries(dataset), 3, new Random(1));
    const visited = Array.from({ length: 8 }, (_, step) => [...sampler.block(step).items]).flat(); // 24 = three passes
    for (let pass = 0; pass < 3; pass++) {
      assert.deepEqual(
        visited.slice(8 * pass, 8 * pass + 8).sort((a, b) => a - b),
        [2, 3, 4, 5, 6, 7, 8, 9],
      );
    }
    const other = new AlignmentSampler(dataset, trainingQueries(dataset), 8, new Random(2)).block(0).items;
    assert.notDeepEqual([...other], visited.slice(0, 8), 'in another order for another seed');
  });

  test('visit queries as often as they are searched', () => {
    const queries = trainingQueries(dataset);
    const sampler = new AlignmentSampler(dataset, queries, queries.length, new Random(1));
    assert.deepEqual(queriesOf(sampler.block(5).queries).sort(), ['often', 'often', 'often', 'once']);
    const many = Int32Array.from({ length: 100 }, (_, i) => i);
    assert.equal(new AlignmentSampler(dataset, many, 5, new Random(1)).block(0).queries.length, 5);
    assert.ok(many.every((query, i) => query === i), 'what was given stays in its order'); // prettier-ignore
  });

  test('leave out held-out searches and every search that led to a held-out event', () => {
    // ann's i3 (validation) and i4 (test) are held out: 'once' comes before i3
    const held = tinyDataset({
      ann: ['i0', 'i1', { query: 'early' }, { query: 'led to validation' }, { led: 'i2' }, { query: 'between' }, 'i3'],
    });
    assert.deepEqual(
      Array.from(trainingQueries(held), (query) => held.queries.ids[query]),
      ['early'],
    );
    const test = tinyDataset({ ann: ['i0', 'i1', { query: 'early' }, { query: 'led to test' }, 'i2', { led: 'i3' }] });
    assert.deepEqual(
      Array.from(trainingQueries(test), (query) => test.queries.ids[query]),
      ['early'],
    );
    const short = tinyDataset({ ann: [{ query: 'one' }, { led: 'i0' }, { query: 'two' }] });
    assert.deepEqual(
      Array.from(trainingQueries(short), (query) => short.queries.ids[query]),
      ['one', 'two'],
      'nothing is held out of two events',
    );
  });

  test('are empty where nobody searched', () => {
    const silent = tinyDataset({ ann: ['i0', 'i1'] });
    assert.equal(new AlignmentSampler(silent, trainingQueries(silent), 4, new Random(1)).block(0).queries.length, 0);
  });
});
