/** Trained models on a log that plants the reason: the last search names the category of what comes next (support/planted.ts). */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findersOf, reasons } from '../../src/analyse/index.js';
import { type Dataset, FIRST_INDEX, importEvents, loadDataset } from '../../src/data/index.js';
import { metBefore, recentSearches } from '../../src/features/index.js';
import { GraphRanker, type ModelId, explain, models, parametersOf, recommend } from '../../src/model/index.js';
import { Stepper, createOptimizer, fit } from '../../src/train/index.js';
import { writePlantedLog } from '../support/planted.js';
import { runtimeForTests } from '../support/runtime.js';
import { tinyConfig } from '../support/tiny-model.js';

describe('a model trained where the last search names what comes next', () => {
  const runtime = runtimeForTests();
  let folder: string;
  let log: Dataset;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sesrec-reasons-'));
    const events = join(folder, 'planted.jsonl');
    await writePlantedLog({ users: 160, items: 60, categories: 6, eventsPerUser: 9, seed: 4 }, events);
    await importEvents({ files: [events], out: join(folder, 'data') });
    log = await loadDataset(join(folder, 'data'));
  });
  after(async () => rm(folder, { recursive: true }));

  async function trained(id: ModelId, preset: string): Promise<GraphRanker> {
    const changes = {
      window: { feed: 4, search: 4, clicks: 1, words: 4 },
      itemIdWidth: 16,
      queryIdWidth: 12,
      wordWidth: 12,
      userIdWidth: 4,
      negatives: 4,
    };
    const model = models[id].build(tinyConfig(models[id], preset, log, { most: 16, changes }));
    const parameters = parametersOf(model);
    parameters.initialise(1);
    const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
    await fit(
      log,
      model,
      stepper,
      {
        seed: 1,
        epochs: 12,
        batchSize: 32,
        learningRate: 0.005,
        learningRatePatience: 100,
        minimumLearningRate: 0,
        patience: 100,
        shuffle: true,
        requireBoth: false,
      },
      { validate: async () => ({ score: 1, metrics: {} }), save: async () => {}, onEvent: () => {} },
    );
    return new GraphRanker(model, parameters, log, runtime);
  }

  for (const [id, preset] of [
    ['sesrec', 'paper'],
    ['sasrec', 'searches'],
  ] as const)
    test(`${id}: deletion and one after another name that search first, and it is three times a random one`, async () => {
      const ranker = await trained(id, preset);
      const named = { stepwise: 0, deletion: 0 };
      let asked = 0;
      for (let user = FIRST_INDEX; user < 50; user++) {
        const moment = { user, feedPosition: log.targets.validation[user] as number };
        const last = recentSearches(log, moment, 1)[0];
        if (last === undefined) continue; // every fourth user never searches
        const [best] = await recommend(ranker, moment, 1, metBefore(log, moment));
        asked++;
        for (const method of ['stepwise', 'deletion'] as const) {
          const [told] = await explain(ranker, log, moment, [best?.item as number], { method, most: 1 });
          if (told?.[0]?.lane === 'search' && told[0].position === last) named[method]++;
        }
      }
      assert.ok(asked >= 25, `${asked} asked`);
      for (const [method, times] of Object.entries(named))
        assert.ok(times >= 0.8 * asked, `${method} names the last search ${times} of ${asked} times`);
      const options = { users: 30, counts: [1], resamples: 200 };
      const found = await reasons(ranker, log, findersOf(ranker), options);
      for (const method of ['stepwise', 'deletion']) {
        const ratio = found.outcomes.find(({ choice }) => choice === method)?.against?.random.removed.ratio as number;
        assert.ok(ratio > 3, `${method} has ${ratio} times the effect of a random action`);
      }
    });
});
