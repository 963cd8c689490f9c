import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Batch } from '../../src/features/index.js';
import {
  Plain,
  type TinyModel,
  checkModelGradients,
  checkParts,
  checkRanker,
  checkScores,
  dotOf,
  lossesOf,
  plainDin,
  sumOf,
  tinyBatch,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const small = { attentionUnits: [3], hidden: [3, 1], searchNegatives: 2, searchWeight: 0.7 };
const variants = {
  retrieval: { ...small, variant: 'retrieval' },
  'reconstruct, softmax': { ...small, variant: 'reconstruct' },
  'reconstruct, drawn words': { ...small, variant: 'reconstruct', softmaxWords: 0, negativeWords: 3 },
} as const;

const softplus = (x: number): number => Math.log1p(Math.exp(x));

const indicesOf = ({ inputs, ids }: Batch, key: string, kind: 'items' | 'queries' | 'words'): number[] =>
  Array.from(inputs[key] as Int32Array, (slot) => ids[kind][slot] as number);

/** The loss beside the prediction, by plain loops over what was drawn. Sheet 9. */
function plainSearchLoss(tiny: TinyModel, batch: Batch): number {
  const plain = new Plain(tiny);
  const { rows } = batch.sizes;
  const relu = (x: readonly number[]): number[] => x.map((value) => Math.max(value, 0));
  if ('searchPairQuery' in batch.inputs) {
    const items = indicesOf(batch, 'searchPairItems', 'items');
    const terms = indicesOf(batch, 'searchPairQuery', 'queries').flatMap((query, row) => {
      const q = relu(plain.linear('retrieval.query', plain.query(query)));
      return items.slice(3 * row, 3 * row + 3).map((item, place) => {
        const i = relu(plain.linear('retrieval.item', plain.item(item)));
        const met = q.map((value, at) => value * (i[at] as number));
        const [z] = plain.perceptron('retrieval.prediction', met, (value) => Math.max(value, 0)) as [number];
        return softplus(z) - (place === 0 ? z : 0);
      });
    });
    return sumOf(terms) / terms.length;
  }
  // texts from the data set itself
  const { dataset } = tiny;
  const targets = indicesOf(batch, 'candidates', 'items').filter((_, at) => at % 3 === 0);
  const negatives = 'textNegatives' in batch.inputs ? indicesOf(batch, 'textNegatives', 'words') : [];
  const losses = targets.map((item, row) => {
    const counts = new Map<number, number>();
    for (let search = 0; search < dataset.searchQuery.length; search++) {
      const query = dataset.searchQuery[search] as number;
      if (dataset.searchIsTraining[search] === 0) continue;
      for (const clicked of dataset.clickItem.subarray(dataset.clickOffsets[search], dataset.clickOffsets[search + 1]))
        if (clicked === item)
          for (const word of dataset.queryWords.subarray(dataset.wordOffsets[query], dataset.wordOffsets[query + 1]))
            counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const total = sumOf([...counts.values()]);
    if (total === 0) return 0;
    const told = plain.linear('text.projection', plain.item(item));
    const logit = (word: number): number => dotOf(told, plain.row('query.word', word));
    if (negatives.length === 0) {
      const all = sumOf(dataset.words.ids.slice(2).map((_, at) => Math.exp(logit(at + 2))));
      return -sumOf([...counts].map(([word, count]) => (count / total) * Math.log(Math.exp(logit(word)) / all)));
    }
    const own = sumOf([...counts].map(([word, count]) => (count / total) * softplus(-logit(word))));
    return (own + sumOf(negatives.slice(3 * row, 3 * row + 3).map((word) => softplus(logit(word))))) / 4;
  });
  assert.ok(
    losses.some((loss) => loss === 0) && losses.some((loss) => loss > 0),
    'some targets have a text, some none',
  );
  return sumOf(losses) / rows;
}

for (const [name, changes] of Object.entries(variants))
  describe(`JSR, ${name}`, () => {
    test('scores as DIN, and adds the loss of search with its weight, as plain loops do', () => {
      const tiny = tinyModel('jsr', changes);
      checkScores(tiny, (moment, item) => plainDin(tiny, moment, item, (one) => new Plain(tiny).item(one)));
      const batch = tinyBatch(tiny);
      const { loss, prediction, ...others } = lossesOf(trainingGraph(tiny, batch)) as Record<string, number> & {
        prediction: number;
        loss: number;
      };
      const [found] = Object.values(others) as [number];
      const expected = plainSearchLoss(tiny, batch);
      assert.ok(Math.abs(found - expected) < 1e-7, `${found} is not ${expected}`); // shares of words come as float32
      assert.ok(Math.abs(loss - prediction - 0.7 * found) < 1e-12);
    });

    test('has the gradients of its loss', async () => {
      const tiny = tinyModel('jsr', changes);
      const cases = tinyCases(tiny.dataset).slice(2, 4);
      const batch = tinyBatch(tiny, cases);
      await checkModelGradients(runtime, trainingGraph(tiny, batch));
    });

    test('has losses and gradients that add up over parts of a batch', () => checkParts(tinyModel('jsr', changes)));

    test('ranks as it trains', async () => checkRanker(runtime, tinyModel('jsr', changes)));

    test('draws the same for the same batch', () => {
      const tiny = tinyModel('jsr', changes);
      assert.deepEqual(tinyBatch(tiny).inputs, tinyBatch(tiny).inputs);
    });
  });
