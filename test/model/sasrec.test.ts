import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { FIRST_INDEX } from '../../src/data/index.js';
import { type Case, lastTrainingCases } from '../../src/features/index.js';
import {
  type CommonConfig,
  GraphRanker,
  type Model,
  type Parameters,
  models,
  parametersOf,
  vocabularySizes,
} from '../../src/model/index.js';
import { BatchMaker, Stepper, createOptimizer } from '../../src/train/index.js';
import { allScores } from '../support/rankers.js';
import { runtimeForTests } from '../support/runtime.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const runtime = runtimeForTests();

/** The last two events of each are held out. */
const dataset = tinyDataset(
  {
    ann: ['a', { query: 'red hat' }, 'b', 'c', { query: 'tea' }, 'd', 'e', 'f', 'g'],
    bob: ['c', 'a', 'x', 'y'],
    cat: ['d', { query: 'red' }, 'b', 'h', 'x', 'y'],
  },
  { items: Array.from({ length: 12 }, (_, i) => `more ${i}`) },
);

function setup(preset: string, changes: Partial<CommonConfig> = {}): { model: Model; parameters: Parameters } {
  const { settings, rule, build } = models.sasrec;
  const config = {
    ...settings(preset, 'amazon'),
    sizes: vocabularySizes(dataset),
    itemAttributes: [],
    userAttributes: [],
    itemIdWidth: 8,
    window: { feed: 6, search: 3, clicks: 1, words: 3 },
    dropout: 0,
    negatives: 2,
    negativeSampling: 'uniform' as const,
    ...changes,
  };
  assert.equal(rule(config, ''), null);
  const model = build(config);
  const parameters = parametersOf(model);
  parameters.initialise(1);
  for (const { name, padding, shape } of parameters.descriptions) {
    const [values, random] = [parameters.get(name), new Random('lively', name)];
    for (let i = 0; i < values.length; i++) values[i] = 0.5 * random.normal();
    if (padding === 'zero') values.fill(0, 0, shape[1]);
  }
  return { model, parameters };
}

/** The loss of one step on all users, in so many parts, with its negatives. */
async function lossOf({ model, parameters }: ReturnType<typeof setup>, batchParts: number) {
  const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
  const cases = lastTrainingCases(dataset, false);
  const maker = new BatchMaker(dataset, model, cases, { batchSize: 8, batchParts });
  const batch = maker.make(Int32Array.from(cases.keys()), {
    negativesOf: (row) => new Random('negatives', row),
    alignment: null,
    extrasOf: (purpose, row) => new Random(purpose, row),
    extrasOfBatch: (purpose) => new Random(purpose),
  });
  const { losses } = await stepper.gradients(batch, new Random('dropout'));
  const itemsOf = (key: string): number[] =>
    batch.flatMap(({ inputs, ids }) => Array.from(inputs[key] as Int32Array, (slot) => ids.items[slot] as number));
  return { loss: losses.loss, itemsOf };
}

/** Every moment at which a training event is predicted from the events before it, and the scores of all items then. */
async function everyPlace({
  model,
  parameters,
}: ReturnType<typeof setup>): Promise<{ scores: Float32Array; next: number }[]> {
  const moments = lastTrainingCases(dataset, false).flatMap(({ user, feedPosition }): Case[] => {
    const first = dataset.feedOffsets[user] as number;
    return Array.from({ length: feedPosition - first }, (_, i) => ({ user, feedPosition: first + i + 1 }));
  });
  const items = dataset.items.ids.length;
  const scores = await allScores(new GraphRanker(model, parameters, dataset, runtime), moments, items);
  return moments.map(({ feedPosition }, i) => ({
    scores: scores.subarray(i * items, (i + 1) * items),
    next: dataset.feedItem[feedPosition] as number,
  }));
}

const softplus = (z: number): number => Math.log1p(Math.exp(z));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('SASRec trained on a whole feed at once', () => {
  for (const parts of [1, 2]) {
    test(`with full softmax costs, place by place, what its ranker would pay (${parts} parts)`, async () => {
      const tiny = setup('fullSoftmax');
      const places = await everyPlace(tiny);
      assert.equal(places.length, 7);
      const costs = places.map(({ scores, next }) => {
        const known = Array.from(scores).slice(FIRST_INDEX);
        return Math.log(known.reduce((sum, z) => sum + Math.exp(z), 0)) - (scores[next] as number);
      });
      const { loss } = await lossOf(tiny, parts);
      assert.ok(Math.abs(loss - mean(costs)) < 1e-5 * mean(costs), `${loss} ${mean(costs)}`);
    });

    test(`with sampled softmax costs the same where the sample is everything, and else what the sample says (${parts} parts)`, async () => {
      const whole = setup('sampledSoftmax', { sharedNegatives: 1000 } as Partial<CommonConfig>);
      const [exact, same] = [await lossOf(setup('fullSoftmax'), parts), await lossOf(whole, parts)];
      assert.ok(Math.abs(same.loss - exact.loss) < 1e-6 * exact.loss, `${same.loss} ${exact.loss}`);

      const count = 7;
      const tiny = setup('sampledSoftmax', { sharedNegatives: count } as Partial<CommonConfig>);
      const { loss, itemsOf } = await lossOf(tiny, parts);
      const shared = itemsOf('sharedItem').slice(0, count);
      assert.deepEqual(
        itemsOf('sharedItem'),
        Array.from({ length: parts }, () => shared).flat(),
        'all parts share them',
      );
      assert.equal(new Set(shared).size, count);
      const places = await everyPlace(tiny);
      const isDrawn = ({ next }: (typeof places)[number]): boolean => shared.includes(next);
      assert.ok(places.some(isDrawn) && !places.every(isDrawn), 'some of the next items are in the sample');
      const weight = (dataset.items.ids.length - FIRST_INDEX) / count;
      const costs = places.map(({ scores, next }) => {
        const others = shared.filter((item) => item !== next);
        const sum = others.reduce((sum, item) => sum + weight * Math.exp(scores[item] as number), 0);
        return Math.log(sum + Math.exp(scores[next] as number)) - (scores[next] as number);
      });
      assert.ok(Math.abs(loss - mean(costs)) < 1e-5 * mean(costs), `${loss} ${mean(costs)}`);
    });

    test(`with negatives at every place weighs them like the positive (${parts} parts)`, async () => {
      const tiny = setup('everyPlace', { placeNegatives: 3 } as Partial<CommonConfig>);
      const places = await everyPlace(tiny);
      const { loss, itemsOf } = await lossOf(tiny, parts);
      const negatives = itemsOf('placeNegatives').filter((item) => item !== 0);
      const next = itemsOf('nextItem').filter((item) => item !== 0);
      assert.deepEqual(
        next,
        places.map((place) => place.next),
      );
      const costs = places.map(({ scores }, place) => {
        const own = negatives.slice(3 * place, 3 * place + 3).map((item) => softplus(scores[item] as number));
        return softplus(-(scores[next[place] as number] as number)) + mean(own);
      });
      assert.ok(Math.abs(loss - mean(costs)) < 1e-5 * mean(costs), `${loss} ${mean(costs)}`);
    });
  }
});

test('SASRec hears of searches only where it is given them', async () => {
  const ann = lastTrainingCases(dataset, false).slice(0, 1);
  for (const [preset, differs] of [
    ['default', false],
    ['searches', true],
  ] as const) {
    const { model, parameters } = setup(preset);
    assert.equal(model.seesSearches, differs);
    const { window } = model.config;
    const scores = async (search: number): Promise<Float32Array> => {
      const shorter = models.sasrec.build({ ...model.config, window: { ...window, search } });
      const cut = parametersOf(shorter);
      for (const { name } of cut.descriptions)
        cut.get(name).set(parameters.get(name).subarray(0, cut.get(name).length));
      return allScores(new GraphRanker(shorter, cut, dataset, runtime), ann, dataset.items.ids.length);
    };
    const [one, two] = [await scores(1), await scores(2)];
    assert.equal(
      one.some((score, i) => score !== two[i]),
      differs,
    );
  }
});

test('SASRec of a run that was trained before a setting came is what it was', () => {
  const { rule, build } = models.sasrec;
  const { sharedNegatives, ...before } = setup('everyPlace').model.config as CommonConfig & { sharedNegatives: number };
  assert.equal(typeof sharedNegatives, 'number');
  assert.equal(rule(before, ''), null);
  assert.deepEqual(
    parametersOf(build(before)).descriptions,
    parametersOf(build({ ...before, sharedNegatives } as CommonConfig)).descriptions,
  );
  const { heads: _, ...broken } = before as typeof before & { heads: number };
  assert.match(rule(broken, 'config') ?? '', /config\.heads/);
});
