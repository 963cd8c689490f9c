/**
 * The training loop. Knows epochs, batches, validation, the learning-rate schedule and when to stop; does not know
 * files, metrics by name, nor how progress is shown: validation and saving are handed in.
 *
 * All randomness is derived from (seed, what for, epoch, step): a run that is stopped at any step and resumed from its
 * state ends with the same weights, bit for bit, as one that was not.
 */
import { GENERATOR, NotFiniteError, UserError } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Model } from '../model/index.js';
import { Epoch, TrainingRows } from './epoch.js';
import { added, endEpoch, stepEvent, stoppedAfter, withWayOut } from './epoch-end.js';
import type { FitHooks, FitOptions } from './fitting.js';
import { type FitState, initialState, strangePlace, strangeRandomness } from './state.js';
import type { Stepper } from './step.js';

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
  const rows = new TrainingRows(dataset, model, options, from.reached);
  const { steps } = rows;
  const { seed } = options;
  const strange = strangeRandomness(from, seed) ?? strangePlace(from, steps);
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
  let validationSeconds: number | null = null;

  for (; state.epoch < options.epochs && state.stopWaits < options.patience;) {
    const { epoch } = state;
    const epochStart = performance.now();
    const firstStep = state.step;
    let graphMilliseconds = 0;
    const taken = new Epoch(rows, epoch).take(stepper, [firstStep, steps], state.learningRate);
    for await (const { step, losses, reached, milliseconds } of told(taken, () => saved)) {
      graphMilliseconds += milliseconds;
      state = {
        ...state,
        step: step + 1,
        optimizerSteps: stepper.steps,
        sums: added(state.sums, losses),
        reached,
      };
      const now = Date.now();
      if (now - lastReport >= 500 || state.step === steps) {
        lastReport = now;
        const stepsTaken = state.step - firstStep;
        hooks.onEvent(
          stepEvent(state, options, { rows: rows.cases.length, steps, stepsTaken, epochStart, validationSeconds }),
        );
      }
      if (hooks.signal?.aborted) {
        await save(state, false);
        throw stoppedAfter(state, steps);
      }
      if (now - lastSave >= 1000 * (hooks.saveSeconds ?? 300)) {
        await save(state, false);
        lastSave = Date.now();
      }
    }

    stepper.level();
    const ended = await endEpoch(state, options, hooks, {
      steps,
      stepsTaken: steps - firstStep,
      epochStart,
      graphMilliseconds,
      save: async () => save(state, false),
      saved: () => saved,
    });
    ({ state, validationSeconds } = ended);
    await save(state, ended.improved);
    lastSave = Date.now();
  }
  return state;
}

/** Steps, of which one that meets a number that is none says how to go on. */
async function* told<Step>(steps: AsyncIterable<Step>, saved: () => FitState | null): AsyncGenerator<Step> {
  try {
    yield* steps;
  } catch (error) {
    throw error instanceof NotFiniteError ? withWayOut(error, saved()) : error;
  }
}
