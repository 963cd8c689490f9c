/**
 * Trains a run: introduces the floors to each other. Knows that validation is an evaluation and where checkpoints, log
 * and progress go; does not know options.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { CorruptFileError, InterruptedError, UserError, releaseLock } from '../base/index.js';
import { type ProtocolName, evaluate } from '../evaluate/index.js';
import {
  type NamedTensor,
  type OfPlan,
  type Parameters,
  type RunPlan,
  type TrainingSettings,
  buildModel,
  checkpointsOf,
  firstNotFinite,
  checkCheckpoint,
  checkPlan,
  hashOfPlan,
  loadOrRecover,
  lockOf,
  resultsOf,
  saveCheckpoint,
  parametersOf,
  rankerOf,
  settleRun,
  takeBackRun,
  warmStart,
} from '../model/index.js';
import type { Runtime } from '../tensor/index.js';
import {
  type FitEvent,
  type FitHooks,
  type FitState,
  type LossParts,
  OuterOptimizer,
  Stepper,
  createOptimizer,
  fit,
  fitInRounds,
  fitStateRule,
  initialState,
  migrateFitState,
  strangeRandomness,
} from '../train/index.js';
import { interruptible } from './interruption.js';
import { validationScore, withRuntime } from './options.js';
import { note } from './output.js';
import { withRounds } from './rounds/index.js';
import { duration, progressLine } from './progress.js';
import { type Figures, figuresOf, placeOf, recordCandidates, resultManifest, writeResult } from './results.js';
import { type Beginning, type Session, type TrainFlags, begin, reopen } from './run-plan.js';

export interface TrainSummary {
  readonly out: string;
  readonly epochs: number;
  readonly best: { readonly epoch: number; readonly score: number };
  /** What the score, an MRR, is among: candidates or all items. */
  readonly validationProtocol: ProtocolName;
  readonly reason: string;
  /** SHA-256 of the best checkpoint. */
  readonly version: string;
  readonly parameters: number;
  readonly seconds: number;
  /** The manifest of this result; null for a run whose best epoch an older version trained. */
  readonly result: string | null;
}

/** What is kept with the best parameters. Runs of format 1 lack the figures. */
interface BestState {
  readonly epoch: number;
  readonly score: number;
  readonly figures?: Figures;
}

/** Trains, or resumes, a run. `said`: the flags that were given, not left to their defaults; resuming holds these to what the run was begun with. */
export async function train(data: string, flags: TrainFlags, said: readonly string[] = []): Promise<TrainSummary> {
  return trainSession(flags, () => (flags.resume ? reopen(data, flags, said) : begin(data, flags)));
}

/** One session of a training, from the run that `open` makes or opens, and locks. */
export async function trainSession(session: Session, open: () => Promise<Beginning>): Promise<TrainSummary> {
  const start = performance.now();
  const beginning = await open();
  try {
    return await withRuntime(session, (runtime) =>
      interruptible((signal) => trainRun(session, beginning, runtime, start, signal), session.signal),
    );
  } catch (error) {
    // A run that never learned anything would only stand in the way of the corrected command.
    const isEmpty =
      !session.resume &&
      error instanceof UserError &&
      !(error instanceof InterruptedError) &&
      ['best.json', 'last.json'].every((name) => !existsSync(join(checkpointsOf(session.out), name)));
    if (isEmpty && (await takeBackRun(session.out))) note(`${session.out} is the run again that was to be replaced`);
    throw error;
  } finally {
    await releaseLock(lockOf(session.out));
  }
}

/** Puts the last sound state into the parameters and moments; null when none was ever saved. */
async function restore(
  out: string,
  plan: RunPlan,
  parameters: Parameters,
  moments: ReadonlyMap<string, NamedTensor>,
): Promise<FitState | null> {
  const directory = checkpointsOf(out);
  const found = await loadOrRecover<FitState & OfPlan>(directory, 'last', ({ tensors, state }, where) => {
    const wrong = fitStateRule(migrateFitState(state), 'state') ?? strangeRandomness(state, plan.training.seed);
    if (wrong !== null) throw new CorruptFileError(`${where}.json is damaged: ${wrong}`);
    const saved = new Map([...moments.keys()].map((name) => [name, tensors.get(name)] as const));
    for (const [name, { data }] of moments)
      if (saved.get(name)?.data.length !== data.length)
        throw new CorruptFileError(`${where} lacks ${name}: it cannot be resumed`);
    const broken = firstNotFinite(saved as Map<string, NamedTensor>);
    if (broken !== null) throw new CorruptFileError(`${where}: ${broken} holds values that are not finite`);
    parameters.load(tensors, where);
    for (const [name, { data }] of moments) data.set((saved.get(name) as NamedTensor).data);
  });
  if (!found) return null;
  checkPlan(out, plan, found.checkpoint.state);
  const state = migrateFitState(found.checkpoint.state) as FitState;
  if (state.best) await checkCheckpoint(directory, 'best'); // found out now rather than when the training ends
  const place = `epoch ${state.epoch + 1}, step ${state.step + 1}`;
  note(
    found.damage === null
      ? `resuming at ${place}`
      : `${found.damage.replaceAll(/\s*\n\s*/g, ' ')}; resuming from the state in reserve, at ${place}`,
  );
  return state;
}

/** Parameters at the start: drawn, and where the training is warm, what another run knows. */
function begun(parameters: Parameters, { plan, dataset, warm }: Beginning, out: string): void {
  parameters.initialise(plan.training.seed);
  if (plan.training.warmFrom === undefined) return;
  if (!warm)
    throw new UserError(
      `${out} was interrupted before it was first saved, and began with the parameters of another run: begin again, with --warm and --overwrite`,
    );
  const { rows, anew } = warmStart(parameters, { model: plan.model, config: plan.config, dataset }, warm);
  const known = rows.map(({ name, known, total }) => `${name} ${known} of ${total}`).join(', ');
  note(`begins with ${warm.directory}: ${known}${anew.length > 0 ? `; anew: ${anew.join(', ')}` : ''}`);
}

async function trainRun(
  session: Session,
  beginning: Beginning,
  runtime: Runtime,
  start: number,
  signal: AbortSignal,
): Promise<TrainSummary> {
  const { plan, dataset, candidates } = beginning;
  const startedAt = new Date();
  const { training } = plan;
  const model = buildModel(plan.model, plan.config);
  const { out } = session;
  const directory = checkpointsOf(out);
  const parameters = parametersOf(model);
  const stepper = new Stepper(
    model,
    parameters,
    runtime,
    createOptimizer({ kind: training.optimizer, weightDecay: training.weightDecay }),
  );
  const { rounds } = training;
  if (session.spark && !rounds)
    throw new UserError(`${out} was begun without rounds, and Spark trains in rounds: resume it without --engine`);
  const outer = rounds && new OuterOptimizer(parameters.descriptions, rounds, (name) => parameters.get(name).length);
  const moments = new Map([...stepper.momentTensors(), ...(outer?.momentumTensors() ?? [])]);
  const everything = (): Map<string, NamedTensor> => new Map([...parameters.tensors(), ...moments]);

  // without a saved state it was interrupted before its first save
  const last = session.resume ? await restore(out, plan, parameters, moments) : null;
  if (last === null) begun(parameters, beginning, out);
  note(
    `${parameters.size.toLocaleString('en-US')} parameters; ${dataset.feedItem.length.toLocaleString('en-US')} feed events, ${dataset.searchQuery.length.toLocaleString('en-US')} searches`,
  );

  const ranker = rankerOf(model, parameters, dataset, runtime);
  const progress = progressLine();
  let figures: Figures | undefined;
  const log = join(out, 'log.jsonl');
  const ofPlan: OfPlan = { plan: hashOfPlan(plan) };
  try {
    const hooks: FitHooks = {
      signal,
      validate: async () => {
        ranker.refresh();
        const evaluation = await evaluate(ranker, dataset, {
          on: 'validation',
          protocol: training.validationProtocol ?? 'sampled',
          candidates,
          signal,
          ...(training.validationUsers === null ? {} : { users: training.validationUsers, seed: 1 }),
        });
        figures = figuresOf(evaluation);
        return { score: evaluation.metrics.mrr, metrics: evaluation.metrics };
      },
      save: async (next, isBest) => {
        if (isBest) {
          await saveCheckpoint(directory, 'best', parameters.tensors(), { ...next.best, figures, ...ofPlan });
          await settleRun(out);
        }
        await saveCheckpoint(directory, 'last', everything(), { ...next, ...ofPlan }, { reserve: true });
      },
      saveSeconds: session.saveEvery,
      onEvent: (event) => {
        if (event.kind === 'step') progress.show(stepLine(event, training.epochs));
        else if (event.kind === 'epoch') {
          progress.clear();
          note(epochLine(event, training.validationProtocol));
          appendFileSync(log, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
        }
      },
    };
    const from = last ?? initialState(training);
    const end =
      rounds && outer
        ? await withRounds(session, { dataset, model, options: training }, async (runRound): Promise<FitState> =>
            fitInRounds(
              { dataset, model, options: training, stepper, outer },
              { ...training, ...rounds },
              hooks,
              runRound,
              from,
            ),
          )
        : await fit(dataset, model, stepper, training, hooks, from);
    return await conclude(session, beginning, end, { startedAt, start, resumed: last !== null, size: parameters.size });
  } finally {
    progress.clear();
  }
}

/** Sums up a training that has ended, and leaves its manifest. */
async function conclude(
  session: Session,
  { plan, dataset, candidates }: Beginning,
  end: FitState,
  course: { readonly startedAt: Date; readonly start: number; readonly resumed: boolean; readonly size: number },
): Promise<TrainSummary> {
  const { out } = session;
  const { state: best, sha256 } = await checkCheckpoint<BestState>(checkpointsOf(out), 'best');
  const { patience, validationProtocol = 'sampled' } = plan.training;
  const summary: Omit<TrainSummary, 'result'> = {
    out,
    epochs: end.epoch,
    best: end.best ?? { epoch: 0, score: NaN },
    validationProtocol,
    reason: end.stopWaits >= patience ? `no improvement for ${patience} epochs` : 'all epochs done',
    version: sha256,
    parameters: course.size,
    seconds: (performance.now() - course.start) / 1000,
  };
  if (!best.figures) return { ...summary, result: null };
  const recorded = await recordCandidates(out, candidates, dataset);
  const result = resultManifest({
    kind: 'training',
    plan,
    dataset,
    validationCandidates: recorded,
    candidates: validationProtocol === 'full' ? null : recorded,
    weights: sha256,
    figures: best.figures,
    training: { epochs: summary.epochs, best: summary.best, reason: summary.reason, resumed: course.resumed },
    compute: session,
    startedAt: course.startedAt,
    seconds: summary.seconds,
  });
  const path = join(resultsOf(out), await placeOf(out, result));
  // going on with a finished run tells nothing of how long the training took
  if (!existsSync(path)) await writeResult(path, result);
  return { ...summary, result: path };
}

/** The loss, and its parts where there are several. */
function parts({ losses: { loss, ...others } }: { losses: LossParts }): string {
  const named = Object.entries(others).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  return `loss ${loss.toFixed(4)}${named.length > 1 ? ` (${named.join(', ')})` : ''}`;
}

function stepLine(event: FitEvent & { kind: 'step' }, epochs: number): string {
  return `epoch ${event.epoch}/${epochs}  step ${event.step}/${event.steps}  ${parts(event)}  ${Math.round(event.rowsPerSecond)} rows/s  at most ${left(event)} left`;
}

/** Time for what is to come; before a first validation nobody knows how long those take. */
function left({ secondsLeft, validationsLeft }: FitEvent & { kind: 'step' }): string {
  if (validationsLeft === 0) return duration(secondsLeft);
  return `${duration(secondsLeft)} and ${validationsLeft === 1 ? 'a validation' : `${validationsLeft} validations`}`;
}

function epochLine(event: FitEvent & { kind: 'epoch' }, protocol: TrainingSettings['validationProtocol']): string {
  const { metrics } = event.validation;
  return `epoch ${event.epoch}  ${parts(event)}  ${validationScore(protocol)} ${(metrics['mrr'] as number).toFixed(4)} NDCG@10 ${(metrics['ndcg@10'] as number).toFixed(4)} HIT@10 ${(metrics['hit@10'] as number).toFixed(4)}${event.improved ? ' *' : ''}  ${duration(event.trainingSeconds)} (${event.stepMilliseconds.toFixed(0)} ms/step, graph ${(100 * event.graphShare).toFixed(0)} %) + ${duration(event.validationSeconds)}`;
}
