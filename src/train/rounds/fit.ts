/**
 * Training in rounds: several workers take some steps each from the same parameters, and the mean of where they came is where the
 * next round begins. Knows rounds, epochs, validation and when to stop; does not know where workers are, nor files.
 *
 * An epoch is the same rows in the same batches as without rounds; the workers of a round take the next ones of them.
 */
import { GENERATOR, InterruptedError, NotFiniteError, UserError } from '../../base/index.js';
import type { ReachedSizes } from '../../features/index.js';
import { type NamedTensor, firstNotFinite } from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import { TrainingRows } from '../epoch.js';
import { added, endEpoch, stepEvent, stoppedAfter, withWayOut } from '../epoch-end.js';
import type { FitHooks, FitOptions } from '../fitting.js';
import { type FitState, initialState, strangePlace, strangeRandomness } from '../state.js';
import type { Stepper } from '../step.js';
import { MeanMoves, summedBlocks } from './blocks.js';
import type { OuterOptimizer, OuterOptions } from './outer.js';
import { startFrom } from './held.js';
import { type Round, type ShareReport, type Trained, Workbench, workShare } from './worker.js';

/** How a training in rounds is cut up. */
export interface RoundOptions extends OuterOptions {
  /** Workers of a round. */
  readonly workers: number;
  /** Steps that each takes in a round, at most. */
  readonly localSteps: number;
}

/**
 * Has the shares of a round worked, wherever workers are: hands sums of blocks to `take`, in any order, and gives the reports of all workers that had
 * a share, in their order. `start`: parameters and moments.
 */
export type RunRound = (
  round: Round,
  start: ReadonlyMap<string, NamedTensor>,
  take: (sum: string) => void,
  signal: AbortSignal | undefined,
) => Promise<readonly ShareReport[]>;

/** The shares of the round that begins at step `from` of an epoch of `steps`: as even as they can be; none is empty. */
export function sharesOf(
  { workers, localSteps }: RoundOptions,
  from: number,
  steps: number,
): (readonly [number, number])[] {
  const count = Math.min(steps - from, workers * localSteps);
  const sharing = Math.min(workers, count);
  const start = (worker: number): number => from + Math.floor((worker * count) / sharing);
  return Array.from({ length: sharing }, (_, worker) => [start(worker), start(worker + 1)] as const);
}

/** The larger of all sizes, by kind of batch and name. */
function joined(all: readonly ReachedSizes[]): ReachedSizes {
  const result: Record<string, Record<string, number>> = {};
  for (const [kind, sizes] of all.flatMap((one) => Object.entries(one))) {
    const own = (result[kind] ??= {});
    for (const [name, size] of Object.entries(sizes)) own[name] = Math.max(own[name] ?? 0, size);
  }
  return Object.fromEntries(
    Object.entries(result)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, sizes]) => [
        kind,
        Object.fromEntries(Object.entries(sizes).toSorted(([a], [b]) => (a < b ? -1 : 1))),
      ]),
  );
}

/** Rounds whose shares are worked here, one after another: the same bits as anywhere else. */
export function roundsHere(trained: Trained, runtime: Runtime): RunRound {
  const bench = new Workbench(trained, runtime);
  return async (round, start, take, signal) => {
    const lines = new Map<string, string[]>();
    const reports: ShareReport[] = [];
    for (const worker of round.shares.keys()) {
      reports.push(
        await workShare(
          trained,
          bench,
          startFrom(start),
          round,
          worker,
          (line) => {
            const key = line.slice(0, line.indexOf(' '));
            const known = lines.get(key);
            if (known) known.push(line);
            else lines.set(key, [line]);
          },
          signal,
        ),
      );
    }
    for await (const sum of summedBlocks([...lines.values()].flat())) take(sum);
    return reports;
  };
}

/** What is trained: parameters and moments lie with the stepper, which takes no step itself. */
export interface Training extends Trained {
  readonly stepper: Stepper;
  readonly outer: OuterOptimizer;
}

/** `fit`, in rounds. A round that is interrupted, or fails, ends it with the state before that round saved. */
export async function fitInRounds(
  { dataset, model, stepper, outer }: Training,
  options: FitOptions & RoundOptions,
  hooks: FitHooks,
  runRound: RunRound,
  from: FitState = initialState(options),
): Promise<FitState> {
  const { seed } = options;
  const { cases, steps } = new TrainingRows(dataset, model, options, {});
  const strange = strangeRandomness(from, seed) ?? strangePlace(from, steps);
  if (strange !== null) throw new UserError(`this training cannot go on from that state: ${strange}`);
  const { parameters } = stepper;
  const tensors = new Map([...parameters.tensors(), ...stepper.momentTensors()]);
  let state: FitState = { ...from, random: { generator: GENERATOR, seed } };
  let saved: FitState | null = from.optimizerSteps > 0 ? from : null;
  const save = async (next: FitState, isBest: boolean): Promise<void> => {
    await hooks.save(next, isBest);
    saved = next;
  };
  let lastSave = Date.now();
  let validationSeconds: number | null = null;

  while (state.epoch < options.epochs && state.stopWaits < options.patience) {
    const { epoch } = state;
    const epochStart = performance.now();
    const firstStep = state.step;
    let graphMilliseconds = 0;
    const rounds = { count: 0, moved: 0 };
    while (state.step < steps) {
      const shares = sharesOf(options, state.step, steps);
      const { learningRate, optimizerSteps, reached } = state;
      const round: Round = { epoch, learningRate, optimizerSteps, reached, shares };
      const keep = async (): Promise<void> => {
        // the parameters are those that the round began with, whatever became of it
        if (state.optimizerSteps > (saved?.optimizerSteps ?? 0)) await save(state, false);
      };
      const moves = new MeanMoves(parameters.descriptions, (name) => parameters.get(name).length, shares.length);
      const take = (sum: string): void => moves.take(sum);
      const reports = await runRound(round, tensors, take, hooks.signal).catch(async (error: unknown) => {
        await keep();
        if (error instanceof NotFiniteError) throw withWayOut(error, saved);
        throw error instanceof InterruptedError ? stoppedAfter(state, steps, '', error) : error;
      });
      checkReports(reports, shares);
      outer.apply(tensors, moves);
      const broken = firstNotFinite(tensors);
      if (broken !== null)
        throw withWayOut(
          new NotFiniteError(
            `${broken} holds values that are not finite after the round of epoch ${epoch + 1} that began at step ${state.step + 1}`,
          ),
          saved,
        );
      rounds.count++;
      rounds.moved += reports.reduce((total, { moved }) => total + moved, 0);
      graphMilliseconds += reports.reduce((total, { milliseconds }) => total + milliseconds, 0);
      state = {
        ...state,
        step: (shares.at(-1) as readonly [number, number])[1],
        optimizerSteps: optimizerSteps + Math.max(...reports.map((report) => report.steps)),
        sums: reports.reduce((total, report) => added(total, report.sums), state.sums),
        reached: joined(reports.map((report) => report.reached)),
      };
      const stepsTaken = state.step - firstStep;
      hooks.onEvent(
        stepEvent(state, options, { rows: cases.length, steps, stepsTaken, epochStart, validationSeconds }),
      );
      if (hooks.signal?.aborted) {
        await keep();
        throw stoppedAfter(state, steps);
      }
      if (Date.now() - lastSave >= 1000 * (hooks.saveSeconds ?? 300)) {
        await save(state, false);
        lastSave = Date.now();
      }
    }
    const ended = await endEpoch(state, options, hooks, {
      steps,
      stepsTaken: steps - firstStep,
      epochStart,
      graphMilliseconds,
      rounds,
      save: async () => save(state, false),
      saved: () => saved,
    });
    ({ state, validationSeconds } = ended);
    await save(state, ended.improved);
    lastSave = Date.now();
  }
  return state;
}

/** Holds what workers tell to what they were asked to do. */
function checkReports(reports: readonly ShareReport[], shares: Round['shares']): void {
  const isWhole =
    reports.length === shares.length &&
    reports.every(({ worker, steps }, i) => {
      const [first, end] = shares[i] as readonly [number, number];
      return worker === i && steps === end - first;
    });
  if (!isWhole) throw new UserError('a round came back without the shares of all its workers: go on with --resume');
}
