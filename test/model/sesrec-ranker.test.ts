import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InterruptedError, Random } from '../../src/base/index.js';
import { type Dataset, FIRST_INDEX } from '../../src/data/index.js';
import {
  BatchAssembler,
  type Case,
  catalogueOf,
  gatherRows,
  recentFeed,
  recentSearches,
} from '../../src/features/index.js';
import {
  type Affinity,
  type Parameters,
  REASON_METHODS,
  Scope,
  type SesrecConfig,
  type SesrecPreset,
  SesrecRanker,
  encodeUser,
  explain,
  type SidedAction,
  recommend,
  sesrecLosses,
  vocabularySizes,
} from '../../src/model/index.js';
import { type Tensor } from '../../src/tensor/index.js';
import { largestError } from '../support/gradient-check.js';
import { allScores } from '../support/rankers.js';
import { runtimeForTests } from '../support/runtime.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';
import { lively, run, tinyConfig } from '../support/tiny-sesrec.js';

const runtime = runtimeForTests();

const stories: Record<string, TinyEvent[]> = {
  ann: [
    'i0',
    { query: 'red', clicked: ['i3'] },
    'i1',
    { query: 'blue hat' },
    'i2',
    { query: 'hat', clicked: ['i4', 'i5'] },
    { led: 'i4' },
    'i6',
    { query: 'red' },
    'i7',
  ],
  bob: ['i5', 'i1', 'i0', 'i2'], // never searches
  cat: [{ query: 'red', clicked: ['i1'] }, { query: 'hat' }, 'i7'], // searches first
  dan: [{ query: 'blue hat' }, 'i8', { query: 'red' }, 'i9', 'i3'],
};
const small = tinyDataset(stories, { items: Array.from({ length: 30 }, (_, i) => `i${i}`) });

function setup(
  preset: SesrecPreset,
  dataset: Dataset = small,
  changes: Partial<SesrecConfig> = {},
): { config: SesrecConfig; parameters: Parameters; ranker: SesrecRanker } {
  const config = tinyConfig(preset, {
    itemAttributes: [],
    userAttributes: [],
    sizes: vocabularySizes(dataset),
    ...changes,
  });
  const parameters = lively(config);
  return { config, parameters, ranker: new SesrecRanker(config, parameters, dataset, runtime) };
}
/** Every user's "now", and some earlier moments; users with one history or none are among them. */
function casesOf(dataset: Dataset): Case[] {
  const at = (name: string, back: number): Case => ({
    user: dataset.users.index(name),
    feedPosition: (dataset.feedOffsets[dataset.users.index(name) + 1] as number) - back,
  });
  return [
    at('ann', 0),
    at('bob', 0),
    at('cat', 0),
    at('dan', 0),
    at('ann', 2),
    at('dan', 1),
    at('cat', 1),
    at('bob', 4),
  ];
}
const itemIndices = (dataset: Dataset): number[] =>
  Array.from({ length: dataset.items.ids.length - FIRST_INDEX }, (_, i) => i + FIRST_INDEX);
const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void => {
  const error = largestError(actual, expected);
  assert.ok(error <= tolerance, `differs by ${error}`);
};

for (const preset of ['official', 'paper'] as const) {
  describe(`a SESRec ranker (${preset})`, () => {
    test('scores candidates as it scores all items', async () => {
      const { ranker } = setup(preset);
      const cases = casesOf(small);
      const all = await allScores(ranker, cases, small.items.ids.length);
      const total = small.items.ids.length;
      assert.equal(all.length, cases.length * total);
      const candidates = Int32Array.from(
        cases.flatMap((_, row) => [0, 1, 2, 3, 4].map((i) => FIRST_INDEX + ((7 * row + 5 * i) % 30))),
      );
      const some = await ranker.score(cases, candidates, 5);
      close(
        some,
        Float32Array.from(candidates, (item, i) => all[Math.floor(i / 5) * total + item] as number),
      );
      assert.ok(some.every(Number.isFinite));
    });

    for (const [what, changes, sharpness] of [
      ['', {}, 1],
      [', without the sides', { useMultiInterest: false }, 1],
      [', without search', { useSearch: false }, 1],
      [', with attention too sharp for the short form', {}, 100],
    ] as const)
      test(`scores as the training graph does${what}`, async () => {
        const { config, parameters, ranker } = setup(preset, small, changes);
        for (const lane of config.useSearch ? ['feed', 'search'] : ['feed'])
          parameters.get(`${lane}.interest.weight`).forEach((value, i, values) => (values[i] = sharpness * value));
        const cases = casesOf(small);
        const candidates = Int32Array.from(cases.flatMap((_, row) => [2, 5 + row, 20]));
        const none = { items: Int32Array.of(2), queries: Int32Array.of(2) };
        const batch = new BatchAssembler(catalogueOf(small), config.window, { exact: true }).assemble(
          gatherRows(small, cases, config.window),
          { candidates, negatives: none, pairReduction: config.alignmentReduction },
        );
        const scope = new Scope();
        const { logits } = sesrecLosses(scope, config, batch.sizes);
        const wanted = await run(runtime, {
          outputs: { logits },
          given: { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs },
        });
        const expected = wanted['logits'] as Float32Array;
        close(await ranker.score(cases, candidates, 3), expected);
        const total = small.items.ids.length;
        const all = await allScores(
          ranker,
          cases,
          total,
          Int32Array.from(cases, (_, row) => 2 + row),
        );
        close(
          Float32Array.from(candidates, (item, i) => all[Math.floor(i / 3) * total + item] as number),
          expected,
        );
      });

    test('scores many cases in the order they came in, whatever the lengths of their histories', async () => {
      const { ranker } = setup(preset);
      const few = casesOf(small);
      const many = Array.from({ length: 150 }, (_, i) => few[(5 * i + (i >> 4)) % few.length] as Case);
      const total = small.items.ids.length;
      const one = new Map<Case, Float32Array>();
      for (const moment of few) one.set(moment, await allScores(ranker, [moment], total));
      const all = await allScores(
        ranker,
        many,
        total,
        Int32Array.from(many, (_, i) => 2 + (i % 30)),
      );
      const some = await ranker.score(
        many,
        Int32Array.from(many, (_, i) => 2 + (i % 30)),
        1,
      );
      for (const [i, moment] of many.entries()) {
        const own = one.get(moment) as Float32Array;
        close(all.subarray(i * total, (i + 1) * total), own);
        close(some.subarray(i, i + 1), [own[2 + (i % 30)] as number]);
      }
    });

    test('goes on after a consumer has thrown', async () => {
      const { ranker } = setup(preset);
      const cases = casesOf(small);
      const total = small.items.ids.length;
      const before = await allScores(ranker, cases, total);
      const stop = new Error('enough');
      await assert.rejects(
        ranker.scoreAll(cases, () => {
          throw stop;
        }),
        stop,
      );
      close(await allScores(ranker, cases, total), before, 0);
    });

    test('scores a case the same whichever cases come with it', async () => {
      const { ranker } = setup(preset);
      const cases = casesOf(small);
      const together = await allScores(ranker, cases, small.items.ids.length);
      const total = small.items.ids.length;
      for (const row of [0, 1, 7])
        close(
          await allScores(ranker, [cases[row] as Case], small.items.ids.length),
          together.slice(row * total, (row + 1) * total),
        );
    });

    test('recommends the best items first, without those left out, and all there are when asked for more', async () => {
      const { ranker } = setup(preset);
      const [moment] = casesOf(small) as [Case];
      const scores = await allScores(ranker, [moment], small.items.ids.length);
      const best = await recommend(ranker, moment, 5, new Set());
      const order = itemIndices(small).toSorted((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
      assert.deepEqual(
        best,
        order.slice(0, 5).map((item) => ({ item, score: scores[item] as number })),
      );
      const excluded = new Set([best[0]?.item as number, best[2]?.item as number]);
      assert.deepEqual(
        (await recommend(ranker, moment, 4, excluded)).map(({ item }) => item),
        order.filter((item) => !excluded.has(item)).slice(0, 4),
      );
      const everything = await recommend(ranker, moment, 1000, excluded);
      assert.equal(everything.length, 28, 'padding and unknown are no items');
    });

    test('tells the sides of the split, and attention in multiples of an even share of each lane', async () => {
      const { config, parameters, ranker } = setup(preset);
      for (const moment of [0, 4, 5].map((i) => casesOf(small)[i] as Case)) {
        const batch = new BatchAssembler(catalogueOf(small), config.window, { exact: true }).assemble(
          gatherRows(small, [moment], config.window),
          {
            candidates: Int32Array.of(3, 9, 12),
            negatives: { items: Int32Array.of(2), queries: Int32Array.of(2) },
            pairReduction: 'pairs',
          },
        );
        const scope = new Scope();
        const { details } = sesrecLosses(scope, config, batch.sizes);
        const sides = await run(runtime, {
          outputs: {
            'feed side': details?.['feed is similar'] as Tensor,
            'search side': details?.['search is similar'] as Tensor,
          },
          given: { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs },
        });
        const positions = {
          feed: recentFeed(small, moment, config.window.feed),
          search: recentSearches(small, moment, config.window.search),
        };
        const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
        assert.deepEqual(
          actions.map(({ lane, position, side }) => ({ lane, position, side })),
          (['feed', 'search'] as const).flatMap((lane) =>
            positions[lane].map((position, i) => ({
              lane,
              position,
              side: sides[`${lane} side`]?.[i] === 1 ? 'similar' : 'dissimilar',
            })),
          ),
          'every action of the window, nothing else',
        );
        const attention = await ranker.attention(moment, [3, 9, 12]);
        assert.equal(attention.length, 3);
        for (const weights of attention)
          for (const lane of ['feed', 'search'] as const) {
            const own = weights.filter((_, place) => actions[place]?.lane === lane);
            assert.ok(own.every((weight) => weight >= 0));
            assert.ok(Math.abs(own.reduce((sum, weight) => sum + weight, 0) - positions[lane].length) < 1e-5);
          }
        assert.notDeepEqual(attention[0], attention[1], 'items have attention of their own');
        const question = { moment, items: [3, 9, 12], contenders: [3, 9, 12], most: 2 };
        const weighed = await ranker.weigh('attention', question);
        weighed.forEach((reasons, row) => {
          assert.equal(reasons.length, actions.length);
          assert.deepEqual(
            reasons.map(({ weight }) => weight),
            Array.from(attention[row] as Float64Array).sort((x, y) => y - x),
          );
          for (const { place, weight } of reasons) assert.equal(weight, attention[row]?.[place]);
        });
      }
    });

    test('divides many cases as each alone, by the co-attention of the training graph', async () => {
      const { config, parameters, ranker } = setup(preset);
      const few = casesOf(small);
      const many = Array.from({ length: 150 }, (_, i) => few[(5 * i + (i >> 4)) % few.length] as Case);
      const seen: number[] = [];
      const sides = await ranker.sides(many, { onProgress: (done) => seen.push(done) });
      assert.deepEqual(seen, [64, 128, 150]);
      for (const moment of few) {
        const [alone] = (await ranker.sides([moment])) as [SidedAction[]];
        const batch = new BatchAssembler(catalogueOf(small), config.window, { exact: true }).assemble(
          gatherRows(small, [moment], config.window),
          {
            candidates: Int32Array.of(3, 9),
            negatives: { items: Int32Array.of(2), queries: Int32Array.of(2) },
            pairReduction: 'pairs',
          },
        );
        const scope = new Scope();
        const { details } = sesrecLosses(scope, config, batch.sizes);
        const expected = await run(runtime, {
          outputs: {
            'feed weights': details?.['feed co-attention'] as Tensor,
            'search weights': details?.['search co-attention'] as Tensor,
          },
          given: { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs },
        });
        const isSplit = alone.some(({ side }) => side !== null);
        for (const lane of ['feed', 'search'] as const) {
          const own = alone.filter((action) => action.lane === lane);
          if (isSplit) {
            const weights = Float32Array.from(own, ({ coAttention }) => coAttention as number);
            close(weights, (expected[`${lane} weights`] as Float32Array).subarray(0, own.length));
            assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-5);
          } else assert.ok(own.every(({ side, coAttention }) => side === null && coAttention === null));
        }
        many.forEach((other, i) => {
          if (other !== moment) return;
          assert.deepEqual(
            sides[i]?.map(({ lane, position, side }) => ({ lane, position, side })),
            alone.map(({ lane, position, side }) => ({ lane, position, side })),
          );
          close(
            Float32Array.from(sides[i] ?? [], ({ coAttention }) => coAttention ?? -1),
            Float32Array.from(alone, ({ coAttention }) => coAttention ?? -1),
          );
        });
      }
    });

    test('tells the affinity that the split goes by, whatever the padding', async () => {
      const { config, parameters, ranker } = setup(preset);
      for (const moment of casesOf(small)) {
        const actions = (await ranker.sides([moment]))[0] as SidedAction[];
        const found = await ranker.affinity(moment);
        const [feed, search] = (['feed', 'search'] as const).map((lane) =>
          actions.filter((action) => action.lane === lane).map(({ position }) => position),
        ) as [number[], number[]];
        if (feed.length === 0 || search.length === 0) {
          assert.equal(found, null);
          continue;
        }
        assert.ok(found);
        assert.deepEqual(
          found.feed.map(({ position }) => position),
          feed,
        );
        assert.deepEqual(
          found.search.map(({ position }) => position),
          search,
        );
        const batch = new BatchAssembler(catalogueOf(small), config.window, { exact: true }).assemble(
          gatherRows(small, [moment], config.window),
        );
        const scope = new Scope();
        const { split } = encodeUser(scope, config, batch.sizes).state;
        const { affinity } = await run(runtime, {
          outputs: { affinity: split?.affinity as Tensor },
          given: { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs },
        });
        const expected = feed.flatMap((_, row) =>
          search.map((__, column) => (affinity as Float32Array)[row * config.window.search + column] as number),
        );
        close(found.values, expected);
        assert.ok(expected.some((value) => Math.abs(value) > 1e-3) && expected.every((value) => Math.abs(value) <= 1));
      }
    });

    test('split by the alignment, the co-attention follows from the affinity', async () => {
      const { config, ranker } = setup(preset, small, { splitBy: 'alignment' });
      const [moment] = casesOf(small) as [Case];
      const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
      const { feed, search, values } = (await ranker.affinity(moment)) as Affinity;
      const softmax = (scores: number[]): number[] => {
        const most = Math.max(...scores);
        const exponentials = scores.map((score) => Math.exp(score - most));
        const total = exponentials.reduce((a, b) => a + b, 0);
        return exponentials.map((value) => value / total);
      };
      const greatest = (cosines: number[]): number =>
        Math.log(cosines.reduce((sum, cosine) => sum + Math.exp(cosine / config.temperature), 0));
      const at = (row: number, column: number): number => values[row * search.length + column] as number;
      const weights = [
        ...softmax(feed.map((_, row) => greatest(search.map((__, column) => at(row, column))))),
        ...softmax(search.map((_, column) => greatest(feed.map((__, row) => at(row, column))))),
      ];
      close(
        actions.map(({ coAttention }) => coAttention as number),
        weights,
        1e-4,
      );
    });

    test('stops dividing when asked to', async () => {
      const { ranker } = setup(preset);
      await assert.rejects(ranker.sides(casesOf(small), { signal: AbortSignal.abort() }), InterruptedError);
    });

    test('gives no side to users who have one history, and no reason to those who have none', async () => {
      const { ranker } = setup(preset);
      const [bob, cat, nobody] = [1, 6, 7].map((i) => casesOf(small)[i] as Case) as [Case, Case, Case];
      for (const [moment, lane] of [
        [bob, 'feed'],
        [cat, 'search'],
      ] as const) {
        const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
        assert.ok(actions.length > 0);
        assert.ok(actions.every((action) => action.lane === lane && action.side === null));
      }
      for (const method of REASON_METHODS)
        assert.deepEqual(await explain(ranker, small, nobody, [4, 5], { method }), [[], []]);
    });

    test('without search explains by the feed alone', async () => {
      const { ranker } = setup(preset, small, { useSearch: false });
      const moment = casesOf(small)[0] as Case;
      const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
      assert.ok(actions.every(({ lane, side }) => lane === 'feed' && side === null));
      for (const method of REASON_METHODS)
        for (const reasons of await explain(ranker, small, moment, [4], { method }))
          assert.ok(reasons.every(({ lane }) => lane === 'feed'));
    });

    test('sees new parameters after refresh', async () => {
      const { config, parameters, ranker } = setup(preset);
      const [moment] = casesOf(small) as [Case];
      const before = await allScores(ranker, [moment], small.items.ids.length);
      const random = new Random('other parameters');
      for (const { name } of parameters.descriptions)
        if (name !== 'alignment.temperature')
          parameters.get(name).forEach((value, i, values) => {
            values[i] = value + 0.3 * random.normal();
          });
      ranker.refresh();
      const refreshed = await allScores(ranker, [moment], small.items.ids.length);
      assert.ok(largestError(refreshed, before) > 1e-2);
      close(
        refreshed,
        await allScores(new SesrecRanker(config, parameters, small, runtime), [moment], small.items.ids.length),
        0,
      );
    });

    test('scores catalogues larger than a chunk as one', async () => {
      const large = tinyDataset(stories, { items: Array.from({ length: 2200 }, (_, i) => `i${i}`) });
      const { ranker } = setup(preset, large);
      const cases = casesOf(large).slice(0, 2);
      const all = await allScores(ranker, cases, large.items.ids.length, Int32Array.of(2049, 7));
      const total = large.items.ids.length;
      const some = [2, 147, 148, 153, 154, 155, 2045, 2046, 2047, 2048, 2049, 2150, total - 1];
      const scores = await ranker.score(cases, Int32Array.from([...some, ...some]), some.length);
      close(scores, Float32Array.from([0, 1].flatMap((row) => some.map((item) => all[row * total + item] as number))));
      assert.ok(all.every(Number.isFinite));
    });
  });
}
