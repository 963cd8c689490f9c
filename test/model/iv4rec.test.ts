import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { frequentQueries } from '../../src/features/index.js';
import { models } from '../../src/model/index.js';
import {
  Plain,
  type TinyModel,
  checkModelGradients,
  checkParts,
  checkRanker,
  checkScores,
  dotOf,
  mixOf,
  plainDin,
  tinyBatch,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const small = { attentionUnits: [3], hidden: [3, 1], gateUnits: [3, 2], ridge: 0.05 };

/** The determinant of a small matrix. */
function determinant(matrix: readonly (readonly number[])[]): number {
  const [first, ...rest] = matrix;
  if (!first) return 1;
  return first.reduce(
    (sum, value, at) =>
      sum + (at % 2 === 0 ? 1 : -1) * value * determinant(rest.map((row) => row.filter((_, other) => other !== at))),
    0,
  );
}

/** x with A x = b, by Cramer's rule. */
const solved = (matrix: readonly (readonly number[])[], right: readonly number[]): number[] =>
  right.map(
    (_, at) =>
      determinant(matrix.map((row, i) => row.map((value, j) => (j === at ? (right[i] as number) : value)))) /
      determinant(matrix),
  );

/** Sheet 10: an item's vector, rebuilt. */
function plainItem(tiny: TinyModel, item: number): number[] {
  const plain = new Plain(tiny);
  const { dataset, config } = tiny;
  const count = config['queriesPerItem'] as number;
  let t = plain.item(item);
  for (let layer = 0; layer < (config['treatmentLayers'] as number); layer++)
    t = plain.linear(`treatment.${layer}`, t).map(Math.tanh);
  const queries = [...frequentQueries(dataset, count).subarray(item * count, (item + 1) * count)];
  const z = queries.map((query) =>
    query === 0 ? t.map(() => 0) : plain.linear('query.projection', plain.query(query)),
  );
  const own = z.filter((_, at) => queries[at] !== 0);
  const trace = own.reduce((sum, one) => sum + dotOf(one, one), 0);
  const penalty = ((config['ridge'] as number) * trace) / count + 1e-12;
  const matrix = own.map((a, i) => own.map((b, j) => dotOf(a, b) + (i === j ? penalty : 0)));
  const theta = solved(
    matrix,
    own.map((one) => dotOf(one, t)),
  );
  const fitted = mixOf(theta, own, t.length);
  const gate = (name: string): number => {
    const [logit] = plain.perceptron(`gate.${name}`, [...t, ...z.flat()], Math.tanh) as [number];
    return 1 / (1 + Math.exp(-logit));
  };
  const [a, b] = [gate('fitted'), gate('residual')];
  return t.map((value, at) => {
    const fit = fitted[at] as number;
    return a * fit + b * (config['residual'] ? value - fit : value);
  });
}

describe('IV4REC', () => {
  for (const changes of [
    { queriesPerItem: 1 },
    { queriesPerItem: 2 },
    { queriesPerItem: 2, residual: false },
    { queriesPerItem: 3, treatmentLayers: 2, detachProjector: false },
  ])
    test(`scores as plain loops do, ${JSON.stringify(changes)}`, () => {
      const tiny = tinyModel('iv4rec', { ...small, ...changes });
      const most = frequentQueries(tiny.dataset, 3);
      const counts = new Set(
        Array.from(
          { length: most.length / 3 },
          (_, item) => most.subarray(3 * item, 3 * item + 3).filter((query) => query !== 0).length,
        ),
      );
      assert.deepEqual(
        [...counts].toSorted((a, b) => a - b),
        [0, 1, 2, 3],
        'items have none, some and all',
      );
      checkScores(tiny, (moment, item) => plainDin(tiny, moment, item, (one) => plainItem(tiny, one)));
    });

  for (const changes of [
    { queriesPerItem: 1, detachProjector: false },
    { queriesPerItem: 2, detachProjector: false, residual: false },
  ])
    test(`has the gradients of its loss, ${JSON.stringify(changes)}`, async () => {
      const tiny = tinyModel('iv4rec', { ...small, ...changes });
      const cases = tinyCases(tiny.dataset).slice(2, 4);
      const batch = tinyBatch(tiny, cases);
      await checkModelGradients(runtime, trainingGraph(tiny, batch));
    });

  test('has losses and gradients that add up over parts of a batch', () =>
    checkParts(tinyModel('iv4rec', { ...small, queriesPerItem: 2 })));

  test('ranks as it trains', async () => checkRanker(runtime, tinyModel('iv4rec', { ...small, queriesPerItem: 2 })));

  test('has as many queries per item as the shape says', () => {
    const { settings } = models.iv4rec;
    const queriesPerItem = (shape: 'amazon' | 'kuaishou'): unknown =>
      (settings('default', shape) as unknown as Record<string, unknown>)['queriesPerItem'];
    assert.deepEqual([queriesPerItem('amazon'), queriesPerItem('kuaishou')], [1, 5]);
  });

  test('has one gate and one fit per item in training, for history and candidates alike', () => {
    const tiny = tinyModel('iv4rec', { ...small, dropout: 0.5 });
    const batch = tinyBatch(tiny);
    const { scope } = trainingGraph(tiny, batch, 0.5);
    const ofItems = scope.dropouts.filter(({ shape }) => shape[0] === batch.sizes.items);
    assert.equal(ofItems.length, 5, 'one treatment layer, two layers of each gate');
  });
});
