/**
 * What a training must remember to go on. Knows what a state holds and what one read from a file must look like; does
 * not know files, nor how a training moves from one state to the next.
 */
import {
  GENERATOR,
  isBoth,
  isDictionaryOf,
  isEither,
  isNotNegative,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isWhole,
} from '../base/index.js';
import { type ReachedSizes, reachedSizesRule } from '../features/index.js';
import type { LossParts } from './batch-gradients.js';

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
  readonly reached: ReachedSizes;
  /**
   * Where random numbers come from: every stream is named by the seed, the purpose, the epoch and the step, so this and
   * the position above are all there is to remember. States of older versions lack it.
   */
  readonly random?: RandomState;
}

export interface RandomState {
  readonly generator: string;
  readonly seed: number;
}

/** What a state read from a file must be; the type tells the meaning. */
export const fitStateRule = isRecordOf({
  epoch: isWhole(0),
  step: isWhole(0),
  optimizerSteps: isWhole(0),
  learningRate: isNotNegative,
  sums: isBoth(isRecordOf({ loss: isNumber(), prediction: isNumber() }), isDictionaryOf(isNumber())),
  best: isEither(isOneOf(null), isRecordOf({ epoch: isWhole(1), score: isNumber() })),
  scheduleWaits: isWhole(0),
  stopWaits: isWhole(0),
  reached: reachedSizesRule,
  random: isEither(isOneOf(undefined), isRecordOf({ generator: isText, seed: isWhole(0) })),
});

/** A state as this version writes it: older ones had sizes of batches without their kind. What is no state stays what it is. */
export function migrateFitState(state: unknown): unknown {
  const reached = (state as Partial<FitState> | null)?.reached;
  const isOld = reached && Object.values(reached).some((size) => typeof size === 'number');
  return isOld ? { ...(state as FitState), reached: { '*': reached } } : state;
}

/** Why a run of this seed cannot go on from a state, null when it can. */
export function strangeRandomness({ random }: FitState, seed: number): string | null {
  if (random === undefined || (random.generator === GENERATOR && random.seed === seed)) return null;
  return `its random numbers come from ${JSON.stringify(random.generator)} with seed ${random.seed}, those of this run from ${JSON.stringify(GENERATOR)} with seed ${seed}`;
}

/** Why a training of so many steps an epoch cannot stand where a state does, null when it can. */
export function strangePlace({ step }: FitState, steps: number): string | null {
  return step <= steps ? null : `it has taken ${step} of ${steps} steps of an epoch`;
}

export const noLosses: LossParts = { loss: 0, prediction: 0 };

/** Where a training begins. */
export function initialState({ seed, learningRate }: { seed: number; learningRate: number }): FitState {
  return {
    epoch: 0,
    step: 0,
    optimizerSteps: 0,
    learningRate,
    sums: noLosses,
    best: null,
    scheduleWaits: 0,
    stopWaits: 0,
    reached: {},
    random: { generator: GENERATOR, seed },
  };
}
