/**
 * What is told of an epoch's steps, and what comes of it: its validation, the learning-rate schedule, whether to stop. Knows states; does not know
 * how steps are taken.
 */
import { InterruptedError, NotFiniteError, UserError } from '../base/index.js';
import type { LossParts } from './batch-gradients.js';
import type { FitEvent, FitHooks, FitOptions } from './fitting.js';
import { type FitState, noLosses } from './state.js';

/** Sums of the losses so far, those of one more step added. */
export const added = (sums: LossParts, losses: LossParts): LossParts =>
  Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, (sums[name] ?? 0) + value])) as LossParts;
/** Their mean. */
const meanOf = (sums: LossParts, steps: number): LossParts =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / steps])) as LossParts;

/** Improvement as PyTorch's ReduceLROnPlateau (mode max, relative threshold 1e-4) sees it. */
const improves = (score: number, best: FitState['best']): boolean => best === null || score > best.score * (1 + 1e-4);

export const withWayOut = (error: NotFiniteError, saved: FitState | null): UserError =>
  new UserError(`${error.message}: ${wayOut(saved)}`, { cause: error });

/** How far an epoch is. `stepsTaken` and `epochStart`: in this session, `validationSeconds`: of its last validation. */
export function stepEvent(
  { epoch, step, sums }: FitState,
  { epochs }: FitOptions,
  {
    rows,
    steps,
    stepsTaken,
    epochStart,
    validationSeconds,
  }: Pick<EpochCourse, 'steps' | 'stepsTaken' | 'epochStart'> & {
    readonly rows: number;
    readonly validationSeconds: number | null;
  },
): FitEvent {
  const stepMilliseconds = (performance.now() - epochStart) / stepsTaken;
  const epochsLeft = epochs - epoch;
  return {
    kind: 'step',
    epoch: epoch + 1,
    step,
    steps,
    losses: meanOf(sums, step),
    rowsPerSecond: (1000 * rows) / steps / stepMilliseconds,
    stepMilliseconds,
    secondsLeft: ((epochsLeft * steps - step) * stepMilliseconds) / 1000 + epochsLeft * (validationSeconds ?? 0),
    validationsLeft: validationSeconds === null ? epochsLeft : 0,
  };
}

/** A training that was stopped after the steps of a state. */
export const stoppedAfter = (
  { epoch, step }: Pick<FitState, 'epoch' | 'step'>,
  steps: number,
  where = '',
  cause?: unknown,
): InterruptedError =>
  new InterruptedError(
    `stopped in epoch ${epoch + 1} after step ${step} of ${steps}${where}; resume with the same command and --resume`,
    { cause },
  );

/** How the steps of an epoch went. */
export interface EpochCourse {
  readonly steps: number;
  /** In this session. */
  readonly stepsTaken: number;
  readonly epochStart: number;
  readonly graphMilliseconds: number;
  /** Rounds, where there were any, and characters of all that their workers handed over. */
  readonly rounds?: { readonly count: number; readonly moved: number };
  /** Saves the state after the last step. */
  save(): Promise<void>;
  /** What was saved last. */
  saved(): FitState | null;
}

/**
 * Validates after the last step of an epoch, and says what comes of it: the learning rate, whether these are the best parameters so
 * far, how long none were better. Stopped, it saves and throws an `InterruptedError`.
 */
export async function endEpoch(
  state: FitState,
  options: FitOptions,
  hooks: FitHooks,
  course: EpochCourse,
): Promise<{ readonly state: FitState; readonly improved: boolean; readonly validationSeconds: number }> {
  const { epoch } = state;
  const { steps, stepsTaken, epochStart, graphMilliseconds } = course;
  const trainingSeconds = (performance.now() - epochStart) / 1000;
  const validationStart = performance.now();
  const validation = await hooks.validate().catch(async (error: unknown) => {
    if (error instanceof NotFiniteError)
      throw withWayOut(
        new NotFiniteError(`${error.message} in the validation of epoch ${epoch + 1}`, { cause: error }),
        course.saved(),
      );
    if (!(error instanceof InterruptedError)) throw error;
    await course.save();
    throw stoppedAfter({ epoch, step: steps }, steps, ', in its validation', error);
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
  const ended: FitState = {
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
    learningRate,
    improved,
    trainingSeconds,
    validationSeconds,
    stepMilliseconds: (1000 * trainingSeconds) / Math.max(1, stepsTaken),
    graphShare: graphMilliseconds / (1000 * trainingSeconds),
    ...(course.rounds ? { rounds: course.rounds } : {}),
  });
  return { state: ended, improved, validationSeconds };
}

/** How to go on after a number that is none: from what was saved, or anew. */
function wayOut(saved: FitState | null): string {
  return saved === null
    ? 'nothing was saved yet; train again with a smaller --learning-rate'
    : `the state saved at epoch ${saved.epoch + 1}, step ${saved.step + 1} is intact and --resume goes back to it; if it happens again, begin a new run with a smaller --learning-rate`;
}
