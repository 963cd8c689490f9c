import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GENERATOR, InterruptedError, NotFiniteError, Random, UserError } from '../../src/base/index.js';
import { type Dataset, importEvents, loadDataset } from '../../src/data/index.js';
import { allScores } from '../support/rankers.js';
import { type PlantedOptions, writePlantedLog } from '../support/planted.js';
import { evaluate } from '../../src/evaluate/index.js';
import { trainingCases } from '../../src/features/index.js';
import {
  type NamedTensor,
  type Parameters,
  type SesrecConfig,
  SesrecRanker,
  loadCheckpoint,
  saveCheckpoint,
  sesrecParameters,
  sesrecModel,
} from '../../src/model/index.js';
import { Runtime } from '../../src/tensor/index.js';
import {
  type BatchGradients,
  type FitEvent,
  type FitOptions,
  type FitState,
  type LossParts,
  type StepBatch,
  type OptimizerName,
  Stepper,
  createOptimizer,
  fit,
  initialState,
} from '../../src/train/index.js';
import { tinyDataset } from '../support/tiny-dataset.js';
import { tinyConfig } from '../support/tiny-sesrec.js';

let folder: string;
let runtime: Runtime;
/** 32 training rows of 18 users. */
let small: Dataset;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-fit-'));
  runtime = new Runtime({ threads: 1 });
  small = await planted({ users: 18, items: 20, categories: 4, eventsPerUser: 4, seed: 3 });
});
after(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

async function planted(options: PlantedOptions): Promise<Dataset> {
  const name = join(folder, Object.values(options).join('-'));
  await writePlantedLog(options, `${name}.jsonl`);
  await importEvents({ files: [`${name}.jsonl`], out: name });
  return loadDataset(name);
}

function configFor(dataset: Dataset, changes: Partial<SesrecConfig> = {}): SesrecConfig {
  const { items, users, queries, words, sources } = dataset;
  return tinyConfig('official', {
    itemAttributes: [],
    userAttributes: [],
    sizes: {
      items: items.ids.length,
      users: users.ids.length,
      queries: queries.ids.length,
      words: words.ids.length,
      sources: sources.ids.length,
    },
    width: 8,
    itemIdWidth: 8,
    queryIdWidth: 6,
    wordWidth: 6,
    userIdWidth: 6,
    hidden: [16, 8, 1],
    window: { feed: 4, search: 4, clicks: 1, words: 4 },
    alignmentNegatives: 12,
    beta: 0.001,
    dropout: 0.1,
    temperature: 0.1,
    ...changes,
  });
}

const usual: FitOptions = {
  seed: 5,
  epochs: 3,
  batchSize: 9,
  learningRate: 0.003,
  learningRatePatience: 50,
  minimumLearningRate: 1e-5,
  patience: 100,
  shuffle: true,
  requireBoth: false,
};

/** Tells what it is given and when, and is otherwise the real one. */
class WatchedStepper extends Stepper {
  readonly batches: StepBatch[] = [];
  readonly losses: LossParts[] = [];
  onGradients: (result: BatchGradients) => void = () => {};
  onUpdate: (steps: number) => void = () => {};
  override async gradients(batch: StepBatch, random: Random): Promise<BatchGradients> {
    this.batches.push(batch);
    const result = await super.gradients(batch, random);
    this.losses.push(result.losses);
    this.onGradients(result);
    return result;
  }
  override update(gradients: Pick<BatchGradients, 'dense' | 'rows'>, learningRate: number): void {
    super.update(gradients, learningRate);
    this.onUpdate(this.steps);
  }
}

const sizesOf = (batch: StepBatch): object => batch.map(({ sizes }) => sizes);

interface TrainingOf {
  readonly dataset?: Dataset;
  readonly config?: SesrecConfig;
  readonly options?: Partial<FitOptions>;
  readonly on?: Runtime;
  /** Prepared in place of the usual start. */
  readonly start?: (parameters: Parameters, stepper: Stepper) => Promise<FitState | undefined>;
  readonly scores?: (epoch: number) => number;
  readonly abortAfter?: number;
  /** Meddles with the result of a step, told how many were taken before. */
  readonly inject?: (steps: number, result: BatchGradients, stepper: Stepper) => void;
  /** Called before every validation. */
  readonly validating?: () => void;
  readonly weightDecay?: number;
  readonly toDisk?: boolean;
  readonly optimizer?: OptimizerName;
  readonly saveSeconds?: number;
}

/** Trains, and keeps everything that can be seen from outside. Saves go to `checkpoint` as the command line's do. */
async function training({
  dataset = small,
  config = configFor(dataset),
  options = {},
  on = runtime,
  start,
  scores,
  abortAfter,
  inject,
  validating,
  weightDecay = 1e-5,
  toDisk = true,
  optimizer = 'adam',
  saveSeconds = 300,
}: TrainingOf) {
  const parameters = sesrecParameters(config);
  parameters.initialise(1);
  const stepper = new WatchedStepper(
    sesrecModel(config),
    parameters,
    on,
    createOptimizer({ kind: optimizer, weightDecay }),
  );
  const events: FitEvent[] = [];
  const saves: { state: FitState; isBest: boolean }[] = [];
  const controller = new AbortController();
  stepper.onUpdate = (steps) => {
    if (steps === abortAfter) controller.abort();
  };
  if (inject) stepper.onGradients = (result) => inject(stepper.steps, result, stepper);
  const checkpoint = await mkdtemp(join(folder, 'checkpoint-'));
  const everything = (): Map<string, NamedTensor> => new Map([...parameters.tensors(), ...stepper.momentTensors()]);
  const all = { ...usual, ...options };
  const from = (await start?.(parameters, stepper)) ?? initialState(all);
  let epoch = from.epoch;
  // Validation that depends on the weights alone, as a real one does.
  const size = (): number => parameters.get('item.id').reduce((sum, value) => sum + Math.abs(value), 0);
  const run = fit(
    dataset,
    sesrecModel(config),
    stepper,
    all,
    {
      validate: async () => {
        validating?.();
        return { score: scores ? scores(++epoch) : size(), metrics: {} };
      },
      save: async (state, isBest) => {
        saves.push({ state, isBest });
        if (toDisk) await saveCheckpoint(checkpoint, 'last', everything(), state);
      },
      onEvent: (event) => events.push(event),
      signal: controller.signal,
      saveSeconds,
    },
    from,
  );
  return {
    config,
    parameters,
    stepper,
    events,
    saves,
    checkpoint,
    everything,
    outcome: await run.catch((error: unknown) => error),
  };
}
/** Begins from a saved state, as the command line does. */
const fromFiles =
  (checkpoint: string): NonNullable<TrainingOf['start']> =>
  async (parameters, stepper) => {
    const { tensors, state } = await loadCheckpoint<FitState>(checkpoint, 'last');
    parameters.load(tensors, 'here');
    for (const [name, { data }] of stepper.momentTensors()) data.set((tensors.get(name) as NamedTensor).data);
    return state;
  };
const endOf = ({ outcome }: { outcome: unknown }): FitState => {
  if (outcome instanceof Error) throw outcome;
  return outcome as FitState;
};
const sameTensors = (one: ReadonlyMap<string, NamedTensor>, other: ReadonlyMap<string, NamedTensor>): void => {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
    new Uint8Array(buffer, byteOffset, byteLength);
  for (const [name, { data }] of one) assert.deepEqual(bytes(data), bytes((other.get(name) as NamedTensor).data), name);
};
const epochs = (events: readonly FitEvent[]): (FitEvent & { kind: 'epoch' })[] =>
  events.filter((event) => event.kind === 'epoch');

/** Interrupts a training of three epochs of four steps, the last one not full, in many places, and holds each resumption to the bits of the whole. */
async function stopAndResume(config: SesrecConfig, options: Partial<FitOptions>): Promise<void> {
  const whole = await training({ config, options });
  assert.equal(endOf(whole).optimizerSteps, 12);
  for (const abortAfter of [1, 4, 7, 11]) {
    const stopped = await training({ config, options, abortAfter });
    assert.ok(stopped.outcome instanceof InterruptedError);
    assert.match(
      stopped.outcome.message,
      new RegExp(`epoch ${Math.ceil(abortAfter / 4)} after step ${((abortAfter - 1) % 4) + 1} of 4`),
    );
    const last = stopped.saves.at(-1) as (typeof stopped.saves)[0];
    assert.deepEqual([last.state.optimizerSteps, last.isBest], [abortAfter, false]);
    const resumed = await training({ config, options, start: fromFiles(stopped.checkpoint) });
    sameTensors(resumed.everything(), whole.everything());
    assert.deepEqual(endOf(resumed), endOf(whole));
    assert.deepEqual(resumed.stepper.batches.map(sizesOf), whole.stepper.batches.slice(abortAfter).map(sizesOf));
    const told = epochs(whole.events).slice(-epochs(resumed.events).length);
    assert.deepEqual(
      epochs(resumed.events).map(({ losses, validation }) => ({ losses, validation })),
      told.map(({ losses, validation }) => ({ losses, validation })),
    );
  }
}

describe('training', () => {
  test('learns 32 rows by heart', async () => {
    const cases = trainingCases(small, false);
    assert.equal(cases.length, 32);
    const config = configFor(small, {
      dropout: 0,
      width: 16,
      itemIdWidth: 16,
      userIdWidth: 16,
      hidden: [32, 16, 1],
      alignmentNegatives: 4,
      negatives: 8,
      negativeSampling: 'uniform',
    });
    const result = await training({
      config,
      options: { epochs: 200, batchSize: 32, learningRate: 0.005 },
      weightDecay: 0,
      scores: (epoch) => epoch,
      toDisk: false,
    });
    endOf(result);
    const scores = await allScores(
      new SesrecRanker(config, result.parameters, small, runtime),
      cases,
      small.items.ids.length,
    );
    const total = small.items.ids.length;
    const hits = cases.filter(({ user, feedPosition }, row) => {
      const known = new Set(small.feedItem.subarray(small.feedOffsets[user], feedPosition));
      const target = small.feedItem[feedPosition] as number;
      const own = scores.subarray(row * total, (row + 1) * total);
      return own.every(
        (score, item) => item < 2 || item === target || known.has(item) || score < (own[target] as number),
      );
    });
    assert.ok(hits.length / cases.length > 0.95, `HIT@1 is ${hits.length / cases.length}`);
  });

  test('gives the same bits for the same seed, with one thread or two, and others for another seed', async () => {
    const two = new Runtime({ threads: 2 });
    try {
      const [first, again, threaded, other] = [
        await training({}),
        await training({}),
        await training({ on: two }),
        await training({ options: { seed: 6 } }),
      ];
      sameTensors(again.everything(), first.everything());
      sameTensors(threaded.everything(), first.everything());
      assert.deepEqual(endOf(threaded), endOf(first));
      assert.notDeepEqual(other.parameters.get('item.id'), first.parameters.get('item.id'));
    } finally {
      await two.dispose();
    }
  });

  test('interrupted at any step and resumed from its files ends with the same bits, in buckets and parts or not', async () => {
    // few items per row, so that sizes that have been reached matter to the batches after a resumption
    const config = configFor(small, { alignmentNegatives: 2, maskCoAttention: true });
    for (const options of [{}, { bucketBatches: 2 }, { bucketBatches: 2, batchParts: 3 }])
      await stopAndResume(config, options);
  });

  test('with adamCatchUp ends with the bits of adam, whenever it saves, and interrupted and resumed from its files too', async () => {
    const config = configFor(small, { alignmentNegatives: 2 });
    const adam = await training({ config });
    const optimizer = 'adamCatchUp';
    for (const options of [{}, { saveSeconds: 0 }]) {
      const whole = await training({ config, optimizer, ...options });
      sameTensors(whole.everything(), adam.everything());
      assert.deepEqual(endOf(whole), endOf(adam));
      assert.deepEqual(whole.stepper.losses, adam.stepper.losses);
    }
    for (const abortAfter of [2, 7]) {
      const stopped = await training({ config, optimizer, abortAfter });
      assert.ok(stopped.outcome instanceof InterruptedError);
      const resumed = await training({ config, optimizer, start: fromFiles(stopped.checkpoint) });
      sameTensors(resumed.everything(), adam.everything());
      assert.deepEqual(endOf(resumed), endOf(adam));
    }
  });

  test('in parts is the same but for rounding, and the same bits on however many threads', async () => {
    const config = configFor(small, { dropout: 0 });
    const whole = await training({ config, options: { epochs: 1 } });
    const wide = new Runtime({ threads: 3 });
    const [few, many] = [
      await training({ config, options: { epochs: 1, batchParts: 3 } }),
      await training({ config, options: { epochs: 1, batchParts: 3 }, on: wide }),
    ];
    await wide.dispose();
    sameTensors(many.everything(), few.everything());
    assert.deepEqual(
      few.stepper.batches.map(({ length }) => length),
      [3, 3, 3, 3],
    );
    few.stepper.losses.forEach((losses, step) => {
      const wanted = whole.stepper.losses[step] as LossParts;
      for (const part of ['loss', 'prediction', 'alignment', 'contrast'] as const)
        assert.ok(
          Math.abs((losses[part] as number) - (wanted[part] as number)) < 1e-4,
          `${part} ${losses[part]} ${wanted[part]}`,
        );
    });
  });

  test('prepared or not, a step has the same gradients, and a mask is not used twice', async () => {
    const { stepper } = await training({ options: { epochs: 1 } });
    const [batch] = stepper.batches as [StepBatch];
    const plain = await stepper.gradients(batch, new Random('dropout'));
    const other = await stepper.gradients(batch, new Random('other dropout'));
    stepper.prepare(batch, new Random('dropout'));
    const prepared = await stepper.gradients(batch, new Random('not used'));
    assert.deepEqual(prepared.losses, plain.losses);
    assert.deepEqual(prepared.dense, plain.dense);
    assert.deepEqual(prepared.rows, plain.rows);
    assert.notDeepEqual(other.losses, plain.losses, 'dropout matters');
    assert.deepEqual((await stepper.gradients(batch, new Random('other dropout'))).losses, other.losses);
  });

  test('repeats the negatives of each row in every epoch when they are fixed, and draws new ones when not', async () => {
    for (const fixedNegatives of [true, false]) {
      const { stepper } = await training({ config: configFor(small, { fixedNegatives }), options: { epochs: 2 } });
      // a row is known by its user, history and positive
      const rows = stepper.batches.flat().map(({ sizes, ids, inputs }) => {
        const back = (key: string): number[] =>
          Array.from(inputs[key] as Int32Array, (slot) => ids.items[slot] as number);
        const [candidates, feed] = [back('candidates'), back('feed')];
        return Array.from(
          { length: sizes.rows },
          (_, row) =>
            [
              `${ids.users[row]} ${feed.slice(4 * row, 4 * row + 4)} ${candidates[3 * row]}`,
              candidates.slice(3 * row + 1, 3 * row + 3).join(),
            ] as const,
        );
      });
      const [first, second] = [new Map(rows.slice(0, 4).flat()), new Map(rows.slice(4).flat())];
      assert.equal(first.size, 32);
      assert.deepEqual([...first.keys()].sort(), [...second.keys()].sort(), 'every row once per epoch');
      assert.notDeepEqual([...first.keys()], [...second.keys()], 'in another order');
      const same = [...first].filter(([row, negatives]) => second.get(row) === negatives).length;
      assert.ok(fixedNegatives ? same === 32 : same < 10, `${same} rows have the same negatives`);
    }
  });

  test('tells the mean losses of each epoch', async () => {
    const { stepper, events } = await training({ options: { epochs: 2 }, toDisk: false });
    const means = [0, 4].map((first) =>
      (['loss', 'prediction', 'alignment', 'contrast'] as const).map(
        (part) => stepper.losses.slice(first, first + 4).reduce((sum, losses) => sum + (losses[part] as number), 0) / 4,
      ),
    );
    assert.deepEqual(
      epochs(events).map(({ losses }) => [losses.loss, losses.prediction, losses.alignment, losses.contrast]),
      means,
    );
  });

  test('tells how long it may take: validations too, once one was measured', async () => {
    const { events } = await training({ options: { epochs: 3 }, toDisk: false });
    const steps = events.filter((event) => event.kind === 'step');
    const ends = steps.filter(({ step, steps: all }) => step === all);
    assert.deepEqual(
      ends.map(({ epoch, validationsLeft }) => [epoch, validationsLeft]),
      [
        [1, 3],
        [2, 0],
        [3, 0],
      ],
    );
    const [, , last] = ends;
    const second = epochs(events)[1];
    assert.equal(last?.secondsLeft, second?.validationSeconds, 'one validation is left');
    for (const { rowsPerSecond, stepMilliseconds } of ends)
      assert.ok(Math.abs((rowsPerSecond * stepMilliseconds) / 1000 - 8) < 1e-9, '32 rows in 4 steps');
  });

  test('without shuffling keeps the order of the rows', async () => {
    const { stepper } = await training({ options: { epochs: 2, shuffle: false } });
    const users = stepper.batches.flat().map(({ ids }) => [...ids.users]);
    assert.deepEqual(
      users.slice(0, 4).flat(),
      trainingCases(small, false).map(({ user }) => user),
    );
    assert.deepEqual(users.slice(4), users.slice(0, 4));
  });

  test('stops at a loss that is not a number, says which part, where and for whom, and saves nothing', async () => {
    const broken = await training({
      start: async (parameters) => {
        parameters.get('prediction.1.bias')[0] = Number.NaN;
        return undefined;
      },
    });
    assert.ok(broken.outcome instanceof UserError);
    assert.match(
      broken.outcome.message,
      /^the prediction loss became NaN in epoch 1, step 1, the batch of 9 rows of users ("u\d+", ){3}…: nothing was saved yet; train again with a smaller --learning-rate$/,
    );
    const users = [...broken.outcome.message.matchAll(/"(u\d+)"/g)].map(([, user]) =>
      small.users.index(user as string),
    );
    const inBatch = (broken.stepper.batches[0] as StepBatch).flatMap(({ ids }) => [...ids.users]);
    assert.ok(
      users.every((user) => inBatch.includes(user)),
      'the users are those of the batch',
    );
    assert.deepEqual(broken.saves, []);
  });

  test('stops at a gradient, parameter or moment that is not finite, and goes back to the state saved before', async () => {
    const last = (values: Float32Array): number => values.length - 1;
    const injected: readonly (readonly [RegExp, (result: BatchGradients, stepper: Stepper) => void])[] = [
      [
        /^the gradient of coAttention\.bilinear became Infinity/,
        ({ dense }) => {
          const values = dense.get('coAttention.bilinear') as Float32Array;
          values[last(values)] = Infinity;
        },
      ],
      [
        /^the gradient of query\.id became NaN/,
        ({ rows }) => {
          const { values } = rows.get('query.id') as { values: Float32Array };
          values[last(values)] = Number.NaN;
        },
      ],
      // 1e30 squared is more than float32 holds: the second moment
      [
        /^the second moment of coAttention\.bilinear became Infinity/,
        ({ dense }) => {
          const values = dense.get('coAttention.bilinear') as Float32Array;
          values[last(values)] = 1e30;
        },
      ],
      // a row that no batch touches: only decay moves it, and no gradient knows of it
      [
        /^parameter item\.id became (NaN|Infinity)/,
        (_result, stepper) => {
          stepper.parameters.get('item.id')[3] = Infinity;
        },
      ],
      [
        /^the alignment loss became NaN/,
        ({ losses }) => {
          (losses as Record<string, number>)['alignment'] = Number.NaN;
        },
      ],
    ];
    for (const [message, inject] of injected) {
      const broken = await training({
        inject: (steps, result, stepper) => {
          if (steps === 5) inject(result, stepper);
        },
      });
      assert.ok(broken.outcome instanceof UserError, String(broken.outcome));
      assert.match(broken.outcome.message, message);
      assert.match(
        broken.outcome.message,
        /in epoch 2, step 2, the batch of 9 rows of users .*: the state saved at epoch 2, step 1 is intact and --resume goes back to it; .*smaller --learning-rate$/,
      );
      assert.deepEqual(
        broken.saves.map(({ state }) => state.optimizerSteps),
        [4],
      );
      const { tensors } = await loadCheckpoint<FitState>(broken.checkpoint, 'last');
      for (const { data } of tensors.values()) assert.ok(data.every(Number.isFinite));
    }
  });

  test('stopped in its validation, validates anew when resumed and ends with the same bits', async () => {
    const whole = await training({});
    let asked = 0;
    const stopped = await training({
      validating: () => {
        if (++asked === 2) throw new InterruptedError('stopped');
      },
    });
    assert.ok(stopped.outcome instanceof InterruptedError);
    assert.match(stopped.outcome.message, /^stopped in epoch 2 after step 4 of 4, in its validation; resume with/);
    const last = stopped.saves.at(-1) as (typeof stopped.saves)[0];
    assert.deepEqual([last.state.epoch, last.state.step, last.isBest], [1, 4, false]);
    const resumed = await training({ start: fromFiles(stopped.checkpoint) });
    sameTensors(resumed.everything(), whole.everything());
    assert.deepEqual(endOf(resumed), endOf(whole));
    assert.deepEqual(
      epochs(resumed.events).map(({ epoch, losses, validation }) => ({ epoch, losses, validation })),
      epochs(whole.events)
        .slice(1)
        .map(({ epoch, losses, validation }) => ({ epoch, losses, validation })),
    );
  });

  test('stops at a validation whose scores are not numbers, and says how to go on', async () => {
    let asked = 0;
    const broken = await training({
      validating: () => {
        if (++asked === 2) throw new NotFiniteError('the model scores NaN');
      },
    });
    assert.ok(broken.outcome instanceof UserError);
    assert.match(
      broken.outcome.message,
      /^the model scores NaN in the validation of epoch 2: the state saved at epoch 2, step 1 is intact/,
    );
    assert.equal(broken.saves.length, 1);
  });

  test('remembers where its random numbers come from, and goes on with no others', async () => {
    const { saves } = await training({ toDisk: false });
    for (const { state } of saves) assert.deepEqual(state.random, { generator: GENERATOR, seed: usual.seed });
    const last = saves.at(-1)?.state as FitState;
    for (const random of [
      { generator: GENERATOR, seed: 6 },
      { generator: 'dice', seed: usual.seed },
    ]) {
      const other = await training({ start: async () => ({ ...last, random }), toDisk: false });
      assert.ok(other.outcome instanceof UserError);
      assert.match(other.outcome.message, /cannot go on from that state: its random numbers come from/);
    }
    const { random: _random, ...older } = (saves[0] as (typeof saves)[0]).state;
    assert.deepEqual(
      endOf(await training({ start: async () => older, toDisk: false })).random,
      { generator: GENERATOR, seed: usual.seed },
      'a state of an older version has none, and is gone on with',
    );
  });

  test('refuses a log with nothing to learn from', async () => {
    const nothing = await training({ dataset: tinyDataset({ ann: ['i0'], bob: ['i1'] }) });
    assert.ok(nothing.outcome instanceof UserError);
    assert.match(nothing.outcome.message, /nothing to train on/);
  });
});

/** PyTorch's ReduceLROnPlateau (mode max, relative threshold 1e-4, factor 0.1, eps 1e-8) as its source reads. */
class ReduceLrOnPlateau {
  best = -Infinity;
  bad = 0;
  rate: number;
  readonly patience: number;
  readonly minimum: number;
  constructor(rate: number, patience: number, minimum: number) {
    this.rate = rate;
    this.patience = patience;
    this.minimum = minimum;
  }
  step(score: number): void {
    if (this.best === -Infinity || score > this.best * (1 + 1e-4)) {
      this.best = score;
      this.bad = 0;
    } else this.bad++;
    if (this.bad > this.patience) {
      const lower = Math.max(this.rate * 0.1, this.minimum);
      if (this.rate - lower > 1e-8) this.rate = lower;
      this.bad = 0;
    }
  }
}

describe('the schedule', () => {
  const one: Partial<FitOptions> = {
    batchSize: 32,
    epochs: 10,
    learningRate: 1e-3,
    learningRatePatience: 1,
    minimumLearningRate: 1e-5,
  };
  const rates = (events: readonly FitEvent[]): number[] => epochs(events).map(({ learningRate }) => learningRate);

  test('is that of ReduceLROnPlateau, whatever the scores', async () => {
    const random = new Random('scores');
    const lists = [
      Array.from({ length: 10 }, () => 0.3), // never better: two bad epochs, then a tenth, down to the floor
      [0.2, 0.20005, 0.2001, 0.20011, 0.3, 0.3, 0.30002, 0.3001, 0.3, 0.3], // 1e-4 better is relative: 0.20005 is better, 0.20011 and 0.30002 are not
      Array.from({ length: 10 }, () => random.float()),
    ];
    for (const scores of lists) {
      for (const learningRatePatience of [0, 2]) {
        const { events } = await training({
          options: { ...one, learningRatePatience },
          scores: (epoch) => scores[epoch - 1] as number,
          toDisk: false,
        });
        const reference = new ReduceLrOnPlateau(1e-3, learningRatePatience, 1e-5);
        rates(events).forEach((rate, i) => {
          reference.step(scores[i] as number);
          assert.ok(Math.abs(rate - reference.rate) < 1e-12, `epoch ${i + 1}: ${rate}, not ${reference.rate}`);
        });
        assert.equal(events.length > 0 && rates(events).length, 10);
      }
    }
  });

  test('never raises a learning rate that starts below its floor', async () => {
    const { events } = await training({
      options: { ...one, epochs: 4, learningRate: 1e-6, learningRatePatience: 0 },
      scores: () => 0,
      toDisk: false,
    });
    assert.deepEqual(rates(events), [1e-6, 1e-6, 1e-6, 1e-6]);
  });

  test('uses the lowered rate from the next epoch on', async () => {
    const used: number[] = [];
    class Noting extends WatchedStepper {
      override update(gradients: Pick<BatchGradients, 'dense' | 'rows'>, learningRate: number): void {
        used.push(learningRate);
        super.update(gradients, learningRate);
      }
    }
    const config = configFor(small);
    const parameters = sesrecParameters(config);
    parameters.initialise(1);
    const stepper = new Noting(
      sesrecModel(config),
      parameters,
      runtime,
      createOptimizer({ kind: 'adam', weightDecay: 0 }),
    );
    await fit(
      small,
      sesrecModel(config),
      stepper,
      { ...usual, ...one, epochs: 4, learningRatePatience: 0 },
      { validate: async () => ({ score: 1, metrics: {} }), save: async () => {}, onEvent: () => {} },
    );
    assert.deepEqual(
      used.map((rate) => rate.toPrecision(6)),
      [1e-3, 1e-3, 1e-4, 1e-5].map((rate) => rate.toPrecision(6)),
    );
  });

  test('ends the training after `patience` epochs without a better score, keeps the best, and tells which it was', async () => {
    const scores = [0.1, 0.3, 0.2, 0.3, 0.29, 0.9, 0.9];
    const { events, saves, ...rest } = await training({
      options: { ...one, patience: 3 },
      scores: (epoch) => scores[epoch - 1] as number,
      toDisk: false,
    });
    assert.deepEqual(
      epochs(events).map(({ improved }) => improved),
      [true, true, false, false, false],
    );
    assert.deepEqual(
      saves.map(({ isBest }) => isBest),
      [true, true, false, false, false],
    );
    assert.deepEqual(endOf(rest).best, { epoch: 2, score: 0.3 });
    assert.equal(endOf(rest).epoch, 5, 'three epochs after the best');
  });
});

test('SESRec finds the planted signal in the searches; without search it cannot', async () => {
  const log = await planted({ users: 120, items: 60, categories: 6, eventsPerUser: 9, seed: 4 });
  const ndcg = async (useSearch: boolean): Promise<number> => {
    const config = configFor(log, {
      useSearch,
      width: 16,
      heads: 4,
      itemIdWidth: 16,
      queryIdWidth: 8,
      wordWidth: 8,
      hidden: [32, 16, 1],
      negatives: 4,
      alignmentNegatives: 60,
    });
    const result = await training({
      dataset: log,
      config,
      options: { epochs: 14, batchSize: 64, learningRate: 0.005 },
      scores: (epoch) => epoch,
      toDisk: false,
    });
    endOf(result);
    return (
      await evaluate(new SesrecRanker(config, result.parameters, log, runtime), log, { on: 'test', protocol: 'full' })
    ).metrics['ndcg@10'];
  };
  const [withSearch, without] = [await ndcg(true), await ndcg(false)];
  assert.ok(withSearch > 2 * without && withSearch > 0.2, `NDCG@10 ${withSearch} with search, ${without} without`);
});
