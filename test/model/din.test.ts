import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { models } from '../../src/model/index.js';
import {
  Plain,
  checkModelGradients,
  checkParts,
  checkRanker,
  checkScores,
  plainDin,
  tinyBatch,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const small = { attentionUnits: [4, 3], hidden: [5, 4, 1] };

describe('DIN', () => {
  for (const changes of [{}, { useUser: false }, { scaleAttention: false }])
    test(`scores as plain loops do, ${JSON.stringify(changes)}`, () => {
      const tiny = tinyModel('din', { ...small, ...changes });
      checkScores(tiny, (moment, item) => plainDin(tiny, moment, item, (one) => new Plain(tiny).item(one)));
    });

  test('has the gradients of its loss', async () => {
    const tiny = tinyModel('din', small);
    const cases = tinyCases(tiny.dataset).slice(1, 4);
    const batch = tinyBatch(tiny, cases);
    await checkModelGradients(runtime, trainingGraph(tiny, batch));
  });

  test('has losses and gradients that add up over parts of a batch', () => checkParts(tinyModel('din', small)));

  test('ranks as it trains', async () => checkRanker(runtime, tinyModel('din', small)));

  test('asks for layers that make sense', () => {
    const { rule } = models.din;
    const { config } = tinyModel('din', small);
    assert.match(rule({ ...config, hidden: [5, 2] }, '') ?? '', /must have 1 unit, not 2/);
    assert.match(rule({ ...config, attentionUnits: [] }, '') ?? '', /at least one layer/);
  });
});
