/**
 * Every registered model learns what there is to learn. The task (support/planted-groups.ts): items come in groups, a user keeps
 * to one, and the tenth item of new users is to be found among all items of other groups. The training is the same for all.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphRanker, MODEL_IDS, models, parametersOf } from '../../src/model/index.js';
import { Stepper, createOptimizer, fit } from '../../src/train/index.js';
import { type Telling, hitRate, plantGroups } from '../support/planted-groups.js';
import { runtimeForTests } from '../support/runtime.js';
import { tinyConfig } from '../support/tiny-model.js';

const runtime = runtimeForTests();

/** Eight epochs, the last one at a tenth of the learning rate. Settings are those of the preset but for small widths and dropout. */
const training = {
  seed: 1,
  epochs: 8,
  batchSize: 50,
  learningRate: 0.005,
  learningRatePatience: 5,
  minimumLearningRate: 0,
  patience: 100,
  shuffle: true,
  requireBoth: false,
};
const settings = {
  window: { feed: 9, search: 9, clicks: 1, words: 2 },
  itemIdWidth: 32,
  queryIdWidth: 16,
  wordWidth: 16,
  userIdWidth: 4,
  negatives: 4,
  dropout: 0.1,
};

/** Trains a model on planted groups; HIT@1 of the new users. */
async function learn(id: (typeof MODEL_IDS)[number], telling: Telling): Promise<number> {
  const { dataset, cases, candidates, perCase } = plantGroups({ telling, learners: 24, seed: 1 });
  const entry = models[id];
  const model = entry.build(tinyConfig(entry, entry.presets[0], dataset, { most: 16, changes: settings }));
  const parameters = parametersOf(model);
  parameters.initialise(training.seed);
  const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
  await fit(dataset, model, stepper, training, {
    validate: async () => ({ score: 1, metrics: {} }),
    save: async () => {},
    onEvent: () => {},
  });
  const scores = await new GraphRanker(model, parameters, dataset, runtime).score(cases, candidates, perCase);
  return hitRate(scores, perCase);
}

for (const id of MODEL_IDS) {
  const isSearchAware = models[id].card.kind === 'search-aware';
  test(`${id} finds the tenth of a group${isSearchAware ? ', of which searches tell too' : ''}`, async () => {
    const hits = await learn(id, isSearchAware ? 'feed and searches' : 'feed');
    assert.ok(hits > 0.95, `HIT@1 is ${hits}`);
  });
}
