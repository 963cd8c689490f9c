import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import {
  type Action,
  BatchAssembler,
  type Case,
  catalogueOf,
  gatherRows,
  ordinalsOf,
  recentActions,
  withOnly,
  without,
} from '../../src/features/index.js';
import {
  type ExplainingRanker,
  GraphRanker,
  type Ranker,
  Scope,
  explain,
  ranksOfItems,
  rankerOf,
  recommend,
} from '../../src/model/index.js';
// the formulas behind the doors, which a door has no use for
import { gradientTimesInput, standings, weightsFromShares } from '../../src/model/ranking/action-gradients.js';
import { byDeletion, stepwise } from '../../src/model/ranking/reasons.js';
import { smallestSizes } from '../../src/model/definition/model.js';
import { type Tensor, ops, topologicalOrder } from '../../src/tensor/index.js';
import { largestError } from '../support/gradient-check.js';
import { evaluate } from '../support/interpreter.js';
import { logWithout } from '../support/log-without.js';
import { allScores, rankerOf as rankerByHand } from '../support/rankers.js';
import { runtimeForTests } from '../support/runtime.js';
import { allItems, everyPreset, livelyDataset, livelyStories, momentOf, tinyModel } from '../support/tiny-model.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const runtime = runtimeForTests();

/**
 * What is worked out from the training of the whole log, and drawn by the position of a moment: there a log without an event is
 * another log in more than the history. What is not training may go, and for SRJGraph no feed event.
 */
const KNOWS_THE_LOG = new Set(['iv4rec', 'srjgraph']);

describe('scores as if actions had not happened', () => {
  for (const { name, ...entry } of everyPreset)
    test(`${name}: those on a log without them, to the last bit`, async () => {
      const dataset = livelyDataset();
      const { model, parameters } = tinyModel(entry, { dataset });
      const items = allItems(dataset);
      const ranker = new GraphRanker(model, parameters, dataset, runtime);
      let compared = 0;
      for (const user of ['u0', 'u2', 'searchesFirst', 'onlyFeed', 'onlySearches']) {
        const moment = momentOf(dataset, user);
        const everything = recentActions(dataset, moment, { feed: Infinity, search: Infinity });
        const mayGo = ({ lane, position }: Action): boolean =>
          !KNOWS_THE_LOG.has(entry.id) || (lane === 'search' && dataset.searchIsTraining[position] === 0);
        const actions = everything.filter(mayGo);
        const sets = [...actions.map((action) => [action]), actions.filter((_, i) => i % 2 === 0)];
        for (const set of sets.filter(({ length }) => length > 0)) {
          const imagined = without(dataset, moment, set);
          const gone = new Set(set.flatMap((action) => ordinalsOf(dataset, moment, action)));
          const lived = logWithout(dataset, gone);
          const other = new GraphRanker(model, parameters, lived, runtime);
          const now = { user: moment.user, feedPosition: lived.feedOffsets[moment.user + 1] as number };
          assert.deepEqual(
            await ranker.score([imagined], items, items.length),
            await other.score([now], items, items.length),
            `${user} without ${JSON.stringify(set)}`,
          );
          compared++;
        }
        if (KNOWS_THE_LOG.has(entry.id)) continue;
        const [kept] = [everything.filter((_, i) => i % 3 === 0)];
        const others = everything.filter((action) => !kept.includes(action));
        assert.deepEqual(
          await ranker.score([withOnly(dataset, moment, kept)], items, items.length),
          await ranker.score([without(dataset, moment, others)], items, items.length),
        );
      }
      assert.ok(compared > 1, `${compared} compared`);
    });

  test('many variants at once score as each by itself', async () => {
    const { model, parameters, dataset } = tinyModel({ id: 'sesrec', preset: 'paper' });
    const ranker = new GraphRanker(model, parameters, dataset, runtime);
    const moment = momentOf(dataset, 'u0');
    const actions = recentActions(dataset, moment, model.config.window);
    const cases = [moment, ...actions.map((action) => without(dataset, moment, [action]))];
    const total = dataset.items.ids.length;
    const together = await allScores(ranker, cases, total);
    for (const [row, imagined] of cases.entries()) {
      const alone = await allScores(ranker, [imagined], total);
      const error = largestError(together.subarray(row * total, (row + 1) * total), alone);
      assert.ok(error < 1e-5, `variant ${row} differs by ${error}`);
    }
  });
});

describe('gradient times input', () => {
  for (const { name, ...entry } of everyPreset)
    test(`${name}: what the standing gains as each action's vectors grow, by finite differences in float64`, async () => {
      const { model, parameters, dataset } = tinyModel(entry);
      const ranker = new GraphRanker(model, parameters, dataset, runtime);
      if (!ranker.reasonMethods.includes('gradient')) {
        assert.equal(entry.id, 'srjgraph', 'it looks at neighbours, not at a sequence of actions');
        return;
      }
      const { scoring, config } = model;
      const moment = momentOf(dataset, 'u0');
      const items = [3, 8];
      const candidates = [3, 8, 5, 12, 20];
      const assembler = new BatchAssembler(
        catalogueOf(dataset, config.itemAttributes, config.userAttributes),
        config.window,
        { extras: model.extras(dataset), exact: true },
      );
      const batch = assembler.assemble(
        gatherRows(
          dataset,
          items.map(() => moment),
          config.window,
        ),
      );
      const random = new Random('candidates');
      const scope = new Scope();
      const state = scoring.encode(scope, batch.sizes, config.window);
      const [, width] = scoring.items(new Scope(), smallestSizes(model)).shape as [number, number];
      const logits = scoring.score(scope, state, scope.input('vectors', [items.length, candidates.length, width]));
      const outcome = standings(logits, scope.input('spread', []));
      const given: Record<string, ArrayLike<number>> = {
        ...parameters.dense(),
        ...parameters.rows(scope.lookups.values(), batch.ids),
        ...batch.inputs,
        spread: [0.7],
        vectors: Array.from({ length: items.length * candidates.length * width }, () => random.normal()),
      };

      // the definition of a standing, in plain numbers
      const [scores, told] = evaluate([logits, outcome], given) as [Float64Array, Float64Array];
      items.forEach((_, row) => {
        const own = scores.subarray(row * candidates.length, (row + 1) * candidates.length);
        const others = [...own].filter((__, column) => column !== row);
        const rank = others.reduce((sum, other) => sum + 1 / (1 + Math.exp(-(other - (own[row] as number)) / 0.7)), 1);
        assert.ok(Math.abs((told[row] as number) + Math.log2(rank)) < 1e-12);
      });

      const shares = gradientTimesInput(outcome);
      const keys = Object.keys(shares);
      const values = evaluate(Object.values(shares), given);
      let [compared, largest] = [0, 0];
      for (const [i, key] of keys.entries()) {
        const places = (values[i] as Float64Array).length / items.length;
        for (let row = 0; row < items.length; row++)
          for (let place = 0; place < places; place++) {
            const grown = (by: number): number =>
              (
                evaluate(
                  [scaled(outcome, key.replace('shares of ', ''), row * places + place, 1 + by)],
                  given,
                )[0] as Float64Array
              )[row] as number;
            const numeric = (grown(1e-5) - grown(-1e-5)) / 2e-5;
            const share = values[i]?.[row * places + place] as number;
            assert.ok(Math.abs(share - numeric) < 1e-7, `${key}, row ${row}, place ${place}: ${share}, not ${numeric}`);
            largest = Math.max(largest, Math.abs(share));
            compared++;
          }
      }
      assert.ok(compared >= 2 * config.window.feed && largest > 1e-4, `${compared} compared, the largest ${largest}`);
    });

  test('an action has the shares of all that happened with it, in both lanes', () => {
    const told = tinyDataset({ ann: ['a', { query: 'tea', clicked: ['b', 'c'] }, { led: 'c' }, 'd'] });
    const feedOrdinal = told.feedOrdinal.slice();
    feedOrdinal[1] = told.clickOrdinal[1] as number; // the click and the event it led to are one
    const dataset = { ...told, feedOrdinal };
    const moment = { user: 2, feedPosition: 3 };
    const window = { feed: 4, search: 2, clicks: 2, words: 1 };
    const shares = {
      'shares of feed': Float32Array.of(1, 2, 4, 0),
      'shares of alignedFeed': Float32Array.of(0, 8, 16, 32),
      'shares of search': Float32Array.of(64, 0),
      'shares of searchSource': Float32Array.of(128, 0),
      'shares of clicks': Float32Array.of(256, 512, 0, 0),
    };
    const actions = recentActions(dataset, moment, window);
    assert.deepEqual(
      [...weightsFromShares(dataset, moment, actions, window, shares, 0)],
      [1 + 8, 2 + 16 + 512, 4 + 32, 64 + 128 + 256 + 512 + 2 + 16],
    );
  });
});

/** The same graph, in which what is gathered at one place of an input of slots is so many times as large. */
function scaled(outcome: Tensor, input: string, place: number, factor: number): Tensor {
  const copies = new Map<Tensor, Tensor>();
  const isFrom = (slots: Tensor): boolean =>
    (slots.op.name === 'input' && slots.op.key === input) ||
    (slots.op.name === 'reshape' && isFrom(slots.inputs[0] as Tensor));
  for (const tensor of topologicalOrder([outcome])) {
    const inputs = tensor.inputs.map((source) => copies.get(source) as Tensor);
    let copy: Tensor = inputs.every((source, i) => source === tensor.inputs[i]) ? tensor : { ...tensor, inputs };
    if (tensor.op.name === 'gather' && isFrom(tensor.inputs[1] as Tensor)) {
      const shape = [...tensor.shape.slice(0, -1), 1];
      const count = shape.reduce((product, size) => product * size, 1);
      copy = ops.mul(
        copy,
        ops.constant(
          Array.from({ length: count }, (_, i) => (i === place ? factor : 1)),
          shape,
        ),
      );
    }
    copies.set(tensor, copy);
  }
  return copies.get(outcome) as Tensor;
}

/** A site of ten items where the score of an item is what a moment's history adds up to for it. */
function additive(dataset: Dataset, worth: (items: readonly string[], item: string) => number): Ranker {
  const score = (item: number, moment: Case): number => {
    const met = recentActions(dataset, moment, { feed: 10, search: 10 }).flatMap(({ lane, position }) =>
      lane === 'feed' ? [dataset.items.ids[dataset.feedItem[position] as number] as string] : [],
    );
    return worth(met, dataset.items.ids[item] as string);
  };
  return rankerByHand(dataset.items.ids.length, score);
}

describe('reasons', () => {
  const dataset = tinyDataset({ ann: ['a', 'b', 'c', 'd'] }, { items: 'abcdefghij'.split('') });
  const moment = momentOf(dataset, 'ann');
  const actions = recentActions(dataset, moment, { feed: 4, search: 4 });
  const index = (name: string): number => dataset.items.index(name);
  const question = { moment, items: [index('j')], contenders: 'efghij'.split('').map(index), most: 2 };
  const others = (item: string): number => 'efghi'.indexOf(item) / 10;

  test('deletion orders actions by what the standing loses, with the numbers of the definition', async () => {
    const ranker = additive(dataset, (met, item) =>
      item === 'j'
        ? (met.includes('b') ? 2 : 0) + (met.includes('d') ? 0.5 : 0) - (met.includes('a') ? 1 : 0)
        : others(item),
    );
    const [reasons] = await byDeletion(ranker, dataset, actions, question);
    assert.deepEqual(
      reasons?.map(({ place }) => place),
      [1, 3, 2, 0],
    );
    const scores = [0, 0.1, 0.2, 0.3, 0.4, 1.5];
    const mean = scores.reduce((sum, score) => sum + score, 0) / 6;
    const spread = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / 6);
    const standing = (own: number): number =>
      -Math.log2(scores.slice(0, 5).reduce((rank, other) => rank + 1 / (1 + Math.exp((own - other) / spread)), 1));
    const expected = [standing(1.5) - standing(-0.5), standing(1.5) - standing(1), 0, standing(1.5) - standing(2.5)];
    expected.forEach((weight, i) => assert.ok(Math.abs((reasons?.[i]?.weight as number) - weight) < 1e-6));
  });

  test('two actions that say the same are found one after another, and not by deletion', async () => {
    // either of a and b is enough for j; c is worth a little by itself
    const ranker = additive(dataset, (met, item) =>
      item === 'j' ? (met.includes('a') || met.includes('b') ? 3 : 0) + (met.includes('c') ? 0.3 : 0) : others(item),
    );
    const [single] = await byDeletion(ranker, dataset, actions, question);
    assert.equal(single?.[0]?.place, 2);
    const [steps] = await stepwise(ranker, dataset, actions, question);
    assert.deepEqual(steps?.map(({ place }) => place).sort(), [0, 1]);
    assert.ok((steps?.[0]?.weight as number) < 1e-9 && (steps?.[1]?.weight as number) > 1);
  });

  test('explain tells two actions that say the same together, and none when only one may be told', async () => {
    // either of a and b is enough for j; without both, e to i stand before it
    const ranker = additive(dataset, (met, item) =>
      item === 'j' ? (met.includes('a') || met.includes('b') ? 3 : 0) : others(item),
    );
    const explaining: ExplainingRanker = {
      ...ranker,
      reasonMethods: ['stepwise'],
      sides: async () => [actions.map((action) => ({ ...action, side: null, coAttention: null }))],
      weigh: async (_, asked) => stepwise(ranker, dataset, actions, asked),
    };
    const told = async (most: number) => explain(explaining, dataset, moment, [index('j')], { most });
    const [both] = await told(3);
    assert.deepEqual(
      both?.map(({ rankWithout, rankWithoutAll }) => [rankWithout, rankWithoutAll]),
      [
        [1, 1],
        [1, 6],
      ],
    );
    assert.deepEqual(await told(1), [[]]);
  });

  test('explain gives ranks that removing by hand gives, and stops at what does not speak for the item', async () => {
    const { model, parameters, dataset: lively } = tinyModel({ id: 'sesrec', preset: 'paper' });
    const ranker = rankerOf(model, parameters, lively, runtime);
    const now = momentOf(lively, 'u0');
    const excluded = new Set([4, 9]);
    const best = await recommend(ranker, now, 4, excluded);
    const items = best.map(({ item }) => item);
    const catalogue = lively.items.ids.length;
    let told = 0;
    for (const method of ranker.reasonMethods) {
      const reasons = await explain(ranker, lively, now, items, { method, most: 3, excluded });
      for (const [row, own] of reasons.entries()) {
        assert.ok(own.length <= 3);
        for (const [i, reason] of own.entries()) {
          const cases = [without(lively, now, [reason]), without(lively, now, own.slice(0, i + 1))];
          const ranks = await ranksOfItems(ranker, cases, [items[row] as number], { catalogue, excluded });
          assert.deepEqual([reason.rankWithout, reason.rankWithoutAll], [...ranks]);
          if (method !== 'stepwise') assert.ok(reason.weight > 0 && reason.rankWithoutAll >= row + 1);
          told++;
        }
        const last = own.at(-1);
        if (last) assert.ok(last.rankWithoutAll >= row + 1 && own.reduce((sum, { weight }) => sum + weight, 0) > 0);
      }
    }
    assert.ok(told > 5, `${told} reasons`);
    const stories = livelyStories(1);
    assert.ok('nothing' in stories);
    assert.deepEqual(
      await explain(ranker, lively, momentOf(lively, 'nothing'), items),
      items.map(() => []),
    );
  });

  test('ranks come in the order of recommend, equal scores by index', async () => {
    const ranker = rankerByHand(
      dataset.items.ids.length,
      (item) => [9, 9, 3, 5, 5, 1, 5, 7, 2, 2, 8, 0][item] as number,
    );
    const excluded = new Set([7]);
    const order = (await recommend(ranker, moment, 20, excluded)).map(({ item }) => item);
    const ranks = await ranksOfItems(ranker, [moment, moment], order, {
      catalogue: dataset.items.ids.length,
      excluded,
    });
    assert.deepEqual(
      [...ranks],
      [...order.keys(), ...order.keys()].map((position) => position + 1),
    );
  });
});
