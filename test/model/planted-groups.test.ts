/**
 * Every registered model learns what there is to learn. The task (support/planted-groups.ts): items come in groups, a user keeps
 * to one, and the tenth item of new users is to be found among all items of other groups. Those that see searches in their order
 * must do with these alone, too. The training is the same for all.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dataset } from '../../src/data/index.js';
import { GraphRanker, MODEL_IDS, type Model, type ModelId, models, parametersOf } from '../../src/model/index.js';
import { type FitOptions, Stepper, createOptimizer, fit } from '../../src/train/index.js';
import { type Telling, hitRate, plantGroups } from '../support/planted-groups.js';
import { runtimeForTests } from '../support/runtime.js';
import { type Entry, tinyConfig } from '../support/tiny-model.js';

const runtime = runtimeForTests();

/** Settings are those of the preset but for small widths and no dropout. */
const training = {
  seed: 1,
  batchSize: 50,
  learningRate: 0.005,
  minimumLearningRate: 0,
  patience: 100,
  shuffle: true,
  requireBoth: false,
};
/** Which search tells takes longer to find out. The last epoch is at a tenth of the learning rate. */
const epochsOf = (telling: Telling): Pick<FitOptions, 'epochs' | 'learningRatePatience'> => {
  const epochs = telling === 'searches' ? 10 : 7;
  return { epochs, learningRatePatience: epochs - 3 };
};
const settings = {
  window: { feed: 9, search: 9, clicks: 1, words: 2 },
  itemIdWidth: 32,
  queryIdWidth: 16,
  wordWidth: 16,
  userIdWidth: 4,
  negatives: 4,
  dropout: 0,
};

/** Where sizes that are small enough for the others would take long. */
const smaller: Partial<Record<ModelId, object>> = {
  srjgraph: { contextItems: 9, neighbours: 2 },
};

const modelOf = ({ id, preset }: Entry, dataset: Dataset): Model => {
  const changes = { ...settings, ...smaller[id] };
  return models[id].build(tinyConfig(models[id], preset, dataset, { most: 16, changes }));
};

/** Trains a model on planted groups; HIT@1 of the new users. */
async function learn(entry: Entry, telling: Telling): Promise<number> {
  const { dataset, cases, candidates, perCase } = plantGroups({ telling, learners: 24, seed: 1 });
  const model = modelOf(entry, dataset);
  const parameters = parametersOf(model);
  parameters.initialise(training.seed);
  const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
  await fit(
    dataset,
    model,
    stepper,
    { ...training, ...epochsOf(telling) },
    {
      validate: async () => ({ score: 1, metrics: {} }),
      save: async () => {},
      onEvent: () => {},
    },
  );
  const scores = await new GraphRanker(model, parameters, dataset, runtime).score(cases, candidates, perCase);
  return hitRate(scores, perCase);
}

for (const id of MODEL_IDS) {
  const [preset] = models[id].presets;
  const isSearchAware = models[id].card.kind === 'search-aware';
  test(`${id} finds the tenth of a group${isSearchAware ? ', of which searches tell too' : ''}`, async () => {
    const hits = await learn({ id, preset }, isSearchAware ? 'feed and searches' : 'feed');
    assert.ok(hits > 0.95, `HIT@1 is ${hits}`);
  });
}

/** The first preset of each model that sees searches and their order: the last one tells, those before it do not. */
const { dataset: told } = plantGroups({ telling: 'searches', learners: 1, seed: 1 });
const readers = MODEL_IDS.flatMap((id) =>
  models[id].presets
    .map((preset): Entry => ({ id, preset }))
    .filter((entry) => {
      const { seesSearches, sees } = modelOf(entry, told);
      return seesSearches && sees.includes('order');
    })
    .slice(0, 1),
);
for (const entry of readers) {
  test(`${entry.id}, ${entry.preset}, finds the item whose group only the last search tells`, async () => {
    const hits = await learn(entry, 'searches');
    assert.ok(hits > 0.95, `HIT@1 is ${hits}`);
  });
}
