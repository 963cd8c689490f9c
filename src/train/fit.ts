/**
 * The training loop. Knows epochs, batches, validation, the learning-rate schedule and when to stop; does not know
 * files, metrics by name, nor how progress is shown: validation and saving are handed in.
 *
 * All randomness is derived from (seed, what for, epoch, step): a run that is stopped at any step and resumed from its
 * state ends with the same weights, bit for bit, as one that was not.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  InterruptedError,
  Random,
  UserError,
  at,
  isEither,
  isNumber,
  isOneOf,
  isRecordOf,
  isWhole,
  range,
} from '../base/index.js';
import type { Dataset } from '../data/index.js';
import {
  AlignmentSampler,
  type Batch,
  BatchAssembler,
  type BatchSizes,
  NegativeSampler,
  catalogueOf,
  gatherRows,
  trainingCases,
  trainingQueries,
} from '../features/index.js';
import type { SesrecConfig } from '../model/index.js';
import type { LossParts, Stepper } from './step.js';

export interface FitOptions {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** The schedule multiplies the learning rate by 0.1 after more than this many epochs without improvement… */
  readonly learningRatePatience: number;
  /** …but never goes below this. */
  readonly minimumLearningRate: number;
  /** Training stops after this many epochs without improvement. */
  readonly patience: number;
  /** New order of rows every epoch. */
  readonly shuffle: boolean;
  /** Leave out rows that lack either history. */
  readonly requireBoth: boolean;
}

/** Everything, beside tensors, that a resumed run needs. Survives JSON exactly. */
export interface FitState {
  /** The epoch and step to do next, from 0. */
  readonly epoch: number;
  readonly step: number;
  readonly optimizerSteps: number;
  readonly learningRate: number;
  /** Sums of the loss parts over the steps of this epoch so far. */
  readonly sums: LossParts;
  /** Best validation score so far, and its epoch (from 1); null before the first validation. */
  readonly best: { readonly epoch: number; readonly score: number } | null;
  /** Epochs without improvement, for the schedule and for stopping. */
  readonly scheduleWaits: number;
  readonly stopWaits: number;
  /** Batch sizes reached, see BatchAssembler. */
  readonly reached: Partial<Record<keyof BatchSizes, number>>;
}

/** What validation says: the score decides (higher is better), the rest is reported. */
export interface Validation {
  readonly score: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export type FitEvent =
  | {
      readonly kind: 'step';
      readonly epoch: number;
      readonly step: number;
      readonly steps: number;
      readonly losses: LossParts;
      readonly rowsPerSecond: number;
      readonly stepMilliseconds: number;
      readonly secondsLeft: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly losses: LossParts;
      readonly validation: Validation;
      readonly learningRate: number;
      readonly improved: boolean;
      readonly trainingSeconds: number;
      readonly validationSeconds: number;
      readonly stepMilliseconds: number;
      readonly graphShare: number;
    }
  | {
      readonly kind: 'end';
      readonly epochs: number;
      readonly best: NonNullable<FitState['best']>;
      readonly reason: string;
    };

export interface FitHooks {
  /** Called after every epoch. */
  validate(): Promise<Validation>;
  /** Called with a state to resume from, and whether the parameters are the best so far. At epoch ends, when interrupted, and every `saveSeconds`. */
  save(state: FitState, isBest: boolean): Promise<void>;
  onEvent(event: FitEvent): void;
  /** Asks the training to stop at the next step. */
  readonly signal?: AbortSignal;
  readonly saveSeconds?: number;
}

const isSize = isEither(isOneOf(undefined), isWhole(0, 2 ** 24));
/** What a state read from a file must be; the type tells the meaning. */
export const fitStateRule = isRecordOf({
  epoch: isWhole(0),
  step: isWhole(0),
  optimizerSteps: isWhole(0),
  learningRate: isNumber('a number from 0', (value) => value >= 0),
  sums: isRecordOf({ loss: isNumber(), prediction: isNumber(), alignment: isNumber(), contrast: isNumber() }),
  best: isEither(isOneOf(null), isRecordOf({ epoch: isWhole(1), score: isNumber() })),
  scheduleWaits: isWhole(0),
  stopWaits: isWhole(0),
  reached: isRecordOf({
    items: isSize,
    queries: isSize,
    words: isSize,
    pairs: isSize,
    anchorQueries: isSize,
    anchorItems: isSize,
    negativeItems: isSize,
    negativeQueries: isSize,
  }),
});

const noLosses: LossParts = { loss: 0, prediction: 0, alignment: 0, contrast: 0 };
const mapLosses = (losses: LossParts, other: LossParts, rule: (a: number, b: number) => number): LossParts => ({
  loss: rule(losses.loss, other.loss),
  prediction: rule(losses.prediction, other.prediction),
  alignment: rule(losses.alignment, other.alignment),
  contrast: rule(losses.contrast, other.contrast),
});

export function initialState(options: FitOptions): FitState {
  return {
    epoch: 0,
    step: 0,
    optimizerSteps: 0,
    learningRate: options.learningRate,
    sums: noLosses,
    best: null,
    scheduleWaits: 0,
    stopWaits: 0,
    reached: {},
  };
}

/** Improvement as PyTorch's ReduceLROnPlateau (mode max, relative threshold 1e-4) sees it. */
const improves = (score: number, best: FitState['best']): boolean => best === null || score > best.score * (1 + 1e-4);

/**
 * Trains until the epochs are done or validation has stopped improving. Interrupted, it saves and throws
 * `InterruptedError`; a loss that is not a number throws a `UserError` and saves nothing, so that the last good state stays.
 */
export async function fit(
  dataset: Dataset,
  config: SesrecConfig,
  stepper: Stepper,
  options: FitOptions,
  hooks: FitHooks,
  from: FitState = initialState(options),
): Promise<FitState> {
  const cases = trainingCases(dataset, options.requireBoth);
  if (cases.length === 0) throw new UserError('there is nothing to train on: no feed event has a history before it');
  const queries = trainingQueries(dataset);
  const names = (attributes: SesrecConfig['itemAttributes']): string[] => attributes.map(({ name }) => name);
  const assembler = new BatchAssembler(
    catalogueOf(dataset, names(config.itemAttributes), names(config.userAttributes)),
    config.window,
    { reached: from.reached },
  );
  const sampler = new NegativeSampler(dataset, cases, { count: config.negatives, sampling: config.negativeSampling });
  const { seed, batchSize } = options;
  const steps = Math.ceil(cases.length / batchSize);
  stepper.steps = from.optimizerSteps;
  let state = from;
  let lastSave = Date.now();
  let lastReport = 0;

  for (; state.epoch < options.epochs && state.stopWaits < options.patience;) {
    const { epoch } = state;
    const order = range(cases.length);
    if (options.shuffle) new Random(seed, 'order', epoch).shuffle(order);
    const alignment = new AlignmentSampler(
      dataset,
      queries,
      config.alignmentNegatives,
      new Random(seed, 'alignment', epoch),
    );
    const build = (step: number): Batch => {
      const chosen = order.subarray(step * batchSize, (step + 1) * batchSize);
      const batchCases = Array.from(chosen, (row) => cases[row] as (typeof cases)[number]);
      const fresh = new Random(seed, 'negatives', epoch, step);
      const width = 1 + config.negatives;
      const candidates = new Int32Array(chosen.length * width);
      batchCases.forEach((moment, row) => {
        const random = config.fixedNegatives ? new Random(seed, 'negatives of a row', at(chosen, row)) : fresh;
        candidates[row * width] = at(dataset.feedItem, moment.feedPosition);
        candidates.set(sampler.draw(moment, random), row * width + 1);
      });
      return assembler.assemble(gatherRows(dataset, batchCases, config.window), {
        candidates,
        negatives: alignment.block(step),
        pairReduction: config.alignmentReduction,
      });
    };

    const epochStart = performance.now();
    const firstStep = state.step;
    let graphMilliseconds = 0;
    let reached = assembler.reached;
    let batch = firstStep < steps ? build(firstStep) : null;
    while (batch) {
      const { step } = state;
      reached = assembler.reached;
      const graphStart = performance.now();
      const pending = stepper.gradients(batch, new Random(seed, 'dropout', epoch, step));
      pending.catch(() => undefined); // the await below tells; should building fail before it, this must not be left unheard
      await nextTurn(); // lets the request reach the compute thread; the next batch is built while it works
      const next: Batch | null = step + 1 < steps ? build(step + 1) : null;
      const result = await pending;
      graphMilliseconds += performance.now() - graphStart;
      if (!Number.isFinite(result.losses.loss)) {
        throw new UserError(
          `the loss became ${result.losses.loss} in epoch ${epoch + 1}, step ${step + 1}: what was saved before is intact; train again with a smaller --learning-rate`,
        );
      }
      stepper.update(result, state.learningRate);
      state = {
        ...state,
        step: step + 1,
        optimizerSteps: stepper.steps,
        sums: mapLosses(state.sums, result.losses, (a, b) => a + b),
        reached,
      };
      batch = next;
      const now = Date.now();
      const done = state.step - firstStep;
      const stepMilliseconds = (performance.now() - epochStart) / done;
      if (now - lastReport >= 500 || state.step === steps) {
        lastReport = now;
        const secondsLeft = ((steps - state.step + (options.epochs - epoch - 1) * steps) * stepMilliseconds) / 1000;
        hooks.onEvent({
          kind: 'step',
          epoch: epoch + 1,
          step: state.step,
          steps,
          losses: mapLosses(state.sums, noLosses, (a) => a / state.step),
          rowsPerSecond: (1000 * batchSize) / stepMilliseconds,
          stepMilliseconds,
          secondsLeft,
        });
      }
      if (hooks.signal?.aborted) {
        await hooks.save(state, false);
        throw new InterruptedError(
          `stopped in epoch ${epoch + 1} after step ${state.step} of ${steps}; resume with the same command and --resume`,
        );
      }
      if (now - lastSave >= 1000 * (hooks.saveSeconds ?? 300)) {
        await hooks.save(state, false);
        lastSave = Date.now();
      }
    }

    const trainingSeconds = (performance.now() - epochStart) / 1000;
    const validationStart = performance.now();
    const validation = await hooks.validate();
    const validationSeconds = (performance.now() - validationStart) / 1000;
    const improved = improves(validation.score, state.best);
    const losses = mapLosses(state.sums, noLosses, (a) => a / steps);
    let { learningRate } = state;
    let scheduleWaits = improved ? 0 : state.scheduleWaits + 1;
    if (scheduleWaits > options.learningRatePatience) {
      learningRate = Math.min(learningRate, Math.max(options.minimumLearningRate, learningRate * 0.1)); // a start below the floor stays
      scheduleWaits = 0;
    }
    state = {
      ...state,
      epoch: epoch + 1,
      step: 0,
      sums: noLosses,
      learningRate,
      scheduleWaits,
      best: improved ? { epoch: epoch + 1, score: validation.score } : state.best,
      stopWaits: improved ? 0 : state.stopWaits + 1,
    };
    hooks.onEvent({
      kind: 'epoch',
      epoch: epoch + 1,
      losses,
      validation,
      learningRate: state.learningRate,
      improved,
      trainingSeconds,
      validationSeconds,
      stepMilliseconds: (1000 * trainingSeconds) / Math.max(1, steps - firstStep),
      graphShare: graphMilliseconds / (1000 * trainingSeconds),
    });
    await hooks.save(state, improved);
    lastSave = Date.now();
  }
  const best = state.best ?? { epoch: 0, score: NaN };
  const reason =
    state.stopWaits >= options.patience
      ? `no improvement for ${options.patience} epochs`
      : `all ${options.epochs} epochs done`;
  hooks.onEvent({ kind: 'end', epochs: state.epoch, best, reason });
  return state;
}
