/**
 * The training loop. Knows epochs, batches, validation, the learning-rate schedule and when to stop; does not know
 * files, metrics by name, nor how progress is shown: validation and saving are handed in.
 *
 * All randomness is derived from (seed, what for, epoch, step): a run that is stopped at any step and resumed from its
 * state ends with the same weights, bit for bit, as one that was not.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GENERATOR, InterruptedError, NotFiniteError, Random, UserError, range } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { AlignmentSampler, type Case, lastTrainingCases, trainingCases, trainingQueries } from '../features/index.js';
import type { Model } from '../model/index.js';
import { BatchMaker, type BatchOptions } from './batches.js';
import { checkGradients, describeBatch } from './finite.js';
import { type FitState, initialState, noLosses, strangeRandomness } from './state.js';
import type { LossParts, StepBatch, Stepper } from './step.js';

export interface FitOptions extends BatchOptions {
  readonly seed: number;
  readonly epochs: number;
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
      /** The part of the training time in which the graph was at work, by the compute thread's clock. */
      readonly graphShare: number;
    };

export interface FitHooks {
  /** Called after every epoch. It may stop with an `InterruptedError`: resuming then validates anew. */
  validate(): Promise<Validation>;
  /** Called with a state to resume from, and whether the parameters are the best so far. At epoch ends, when interrupted, and every `saveSeconds`. */
  save(state: FitState, isBest: boolean): Promise<void>;
  onEvent(event: FitEvent): void;
  /** Asks the training to stop at the next step. */
  readonly signal?: AbortSignal;
  /** Seconds between saves within an epoch, 300 unless told; 0 saves after every step. */
  readonly saveSeconds?: number;
}

/** Sums of the losses so far, those of one more step added. */
const added = (sums: LossParts, losses: LossParts): LossParts =>
  Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, (sums[name] ?? 0) + value])) as LossParts;
const meanOf = (sums: LossParts, steps: number): LossParts =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / steps])) as LossParts;

/** Improvement as PyTorch's ReduceLROnPlateau (mode max, relative threshold 1e-4) sees it. */
const improves = (score: number, best: FitState['best']): boolean => best === null || score > best.score * (1 + 1e-4);

/**
 * Trains until the epochs are done or validation has stopped improving. Interrupted, it saves and throws
 * `InterruptedError`. A loss, gradient, parameter or moment that is not finite throws a `UserError` that names it and
 * the batch, and saves nothing, so that the last good state stays.
 */
export async function fit(
  dataset: Dataset,
  model: Model,
  stepper: Stepper,
  options: FitOptions,
  hooks: FitHooks,
  from: FitState = initialState(options),
): Promise<FitState> {
  const rowsOfKind = model.trainsOn === 'users' ? lastTrainingCases : trainingCases;
  const cases = rowsOfKind(dataset, options.requireBoth);
  if (cases.length === 0) throw new UserError('there is nothing to train on: no feed event has a history before it');
  const { alignment } = model;
  const queries = alignment ? trainingQueries(dataset) : null;
  const maker = new BatchMaker(dataset, model, cases, options, from.reached);
  const { seed, batchSize } = options;
  const steps = Math.ceil(cases.length / batchSize);
  const strange = strangeRandomness(from, seed);
  if (strange !== null) throw new UserError(`this training cannot go on from that state: ${strange}`);
  stepper.steps = from.optimizerSteps;
  let state: FitState = { ...from, random: { generator: GENERATOR, seed } };
  let saved: FitState | null = from.optimizerSteps > 0 ? from : null;
  const save = async (next: FitState, isBest: boolean): Promise<void> => {
    stepper.level();
    await hooks.save(next, isBest);
    saved = next;
  };
  let lastSave = Date.now();
  let lastReport = 0;

  for (; state.epoch < options.epochs && state.stopWaits < options.patience;) {
    const { epoch } = state;
    const shuffle = options.shuffle ? new Random(seed, 'order', epoch) : null;
    const batches = maker.order(range(cases.length), shuffle);
    const sampler =
      alignment && queries
        ? new AlignmentSampler(dataset, queries, alignment.negatives, new Random(seed, 'alignment', epoch))
        : null;
    const rowsOf = (step: number): Int32Array => batches[step] as Int32Array;
    const casesOf = (step: number): Case[] => Array.from(rowsOf(step), (row) => cases[row] as Case);
    const build = (step: number): StepBatch => {
      const fresh = new Random(seed, 'negatives', epoch, step);
      return maker.make(rowsOf(step), {
        negativesOf: (row) => (model.config.fixedNegatives ? new Random(seed, 'negatives of a row', row) : fresh),
        alignment: sampler?.block(step) ?? null,
        extrasOf: (purpose, row) => new Random(seed, purpose, epoch, row),
        extrasOfBatch: (purpose) => new Random(seed, purpose, epoch, 'of step', step),
      });
    };

    const epochStart = performance.now();
    const firstStep = state.step;
    let graphMilliseconds = 0;
    let reached = maker.reached;
    let batch = firstStep < steps ? build(firstStep) : null;
    while (batch) {
      const { step } = state;
      reached = maker.reached;
      const pending = stepper.gradients(batch, new Random(seed, 'dropout', epoch, step));
      pending.catch(() => undefined); // the await below tells; should building fail before it, this must not be left unheard
      await nextTurn(); // lets the request reach the compute thread; the next batch is built while it works
      const next: StepBatch | null = step + 1 < steps ? build(step + 1) : null;
      if (next) stepper.prepare(next, new Random(seed, 'dropout', epoch, step + 1));
      const result = await pending;
      graphMilliseconds += result.milliseconds;
      try {
        checkGradients(result);
        stepper.update(result, state.learningRate);
      } catch (error) {
        if (!(error instanceof NotFiniteError)) throw error;
        throw new UserError(
          `${error.message} in epoch ${epoch + 1}, step ${step + 1}, ${describeBatch(dataset, casesOf(step))}: ${wayOut(saved)}`,
          { cause: error },
        );
      }
      state = {
        ...state,
        step: step + 1,
        optimizerSteps: stepper.steps,
        sums: added(state.sums, result.losses),
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
          losses: meanOf(state.sums, state.step),
          rowsPerSecond: (1000 * batchSize) / stepMilliseconds,
          stepMilliseconds,
          secondsLeft,
        });
      }
      if (hooks.signal?.aborted) {
        await save(state, false);
        throw new InterruptedError(
          `stopped in epoch ${epoch + 1} after step ${state.step} of ${steps}; resume with the same command and --resume`,
        );
      }
      if (now - lastSave >= 1000 * (hooks.saveSeconds ?? 300)) {
        await save(state, false);
        lastSave = Date.now();
      }
    }

    const trainingSeconds = (performance.now() - epochStart) / 1000;
    const validationStart = performance.now();
    stepper.level();
    const validation = await hooks.validate().catch(async (error: unknown) => {
      if (error instanceof NotFiniteError)
        throw new UserError(`${error.message} in the validation of epoch ${epoch + 1}: ${wayOut(saved)}`, {
          cause: error,
        });
      if (!(error instanceof InterruptedError)) throw error;
      await save(state, false);
      throw new InterruptedError(
        `stopped in epoch ${epoch + 1} after step ${steps} of ${steps}, in its validation; resume with the same command and --resume`,
        { cause: error },
      );
    });
    const validationSeconds = (performance.now() - validationStart) / 1000;
    const improved = improves(validation.score, state.best);
    const losses = meanOf(state.sums, steps);
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
    await save(state, improved);
    lastSave = Date.now();
  }
  return state;
}

/** How to go on after a number that is none: from what was saved, or anew. */
function wayOut(saved: FitState | null): string {
  return saved === null
    ? 'nothing was saved yet; train again with a smaller --learning-rate'
    : `the state saved at epoch ${saved.epoch + 1}, step ${saved.step + 1} is intact and --resume goes back to it; if it happens again, begin a new run with a smaller --learning-rate`;
}
