/**
 * Trains a run: introduces the floors to each other. Knows that validation is an evaluation and where checkpoints, log
 * and progress go; does not know options.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, InterruptedError, UserError } from '../base/index.js';
import { evaluate } from '../evaluate/index.js';
import {
  type NamedTensor,
  SesrecRanker,
  checkpointsOf,
  loadCheckpoint,
  saveCheckpoint,
  sesrecParameters,
} from '../model/index.js';
import type { Runtime } from '../tensor/index.js';
import {
  type FitEvent,
  type FitState,
  type LossParts,
  Stepper,
  createOptimizer,
  fit,
  fitStateRule,
  initialState,
} from '../train/index.js';
import { withRuntime } from './options.js';
import { note } from './output.js';
import { duration, progressLine } from './progress.js';
import { type Beginning, type TrainFlags, begin, reopen } from './run-plan.js';

export interface TrainSummary {
  readonly out: string;
  readonly epochs: number;
  readonly best: { readonly epoch: number; readonly score: number };
  readonly reason: string;
  /** SHA-256 of the best checkpoint. */
  readonly version: string;
  readonly parameters: number;
  readonly seconds: number;
}

/** Trains, or resumes, a run. `said`: the flags that were given, not left to their defaults; resuming holds these to what the run was begun with. */
export async function train(data: string, flags: TrainFlags, said: readonly string[] = []): Promise<TrainSummary> {
  const start = performance.now();
  const beginning = await (flags.resume ? reopen(data, flags, said) : begin(data, flags));
  try {
    return await withRuntime(flags, (runtime) => trainRun(flags, beginning, runtime, start));
  } catch (error) {
    // A run that never learned anything would only stand in the way of the corrected command.
    const isEmpty =
      !flags.resume &&
      error instanceof UserError &&
      !(error instanceof InterruptedError) &&
      ['best.json', 'last.json'].every((name) => !existsSync(join(checkpointsOf(flags.out), name)));
    if (isEmpty) await rm(flags.out, { recursive: true });
    throw error;
  }
}

async function trainRun(
  flags: TrainFlags,
  { manifest, dataset, candidates }: Beginning,
  runtime: Runtime,
  start: number,
): Promise<TrainSummary> {
  const { config, training } = manifest;
  const directory = checkpointsOf(flags.out);
  const parameters = sesrecParameters(config);
  const stepper = new Stepper(
    config,
    parameters,
    runtime,
    createOptimizer({ kind: training.optimizer, weightDecay: training.weightDecay }),
  );
  const everything = (): Map<string, NamedTensor> => new Map([...parameters.tensors(), ...stepper.momentTensors()]);

  let state = initialState(training);
  // without a last checkpoint it was interrupted before its first save
  const last =
    flags.resume && existsSync(join(directory, 'last.json')) ? await loadCheckpoint<FitState>(directory, 'last') : null;
  if (last) {
    const wrong = fitStateRule(last.state, 'state');
    if (wrong !== null) throw new CorruptFileError(`${directory}/last.json is damaged: ${wrong}`);
    if (last.state.best) await loadCheckpoint(directory, 'best'); // found out now rather than when the training ends
    parameters.load(last.tensors, `${directory}/last`);
    for (const [name, { data }] of stepper.momentTensors()) {
      const saved = last.tensors.get(name);
      if (saved?.data.length !== data.length)
        throw new UserError(`${directory}/last lacks ${name}: it cannot be resumed`);
      data.set(saved.data);
    }
    state = last.state;
    note(`resuming at epoch ${state.epoch + 1}, step ${state.step + 1}`);
  } else {
    parameters.initialise(training.seed);
  }
  note(
    `${parameters.size.toLocaleString('en-US')} parameters; ${dataset.feedItem.length.toLocaleString('en-US')} feed events, ${dataset.searchQuery.length.toLocaleString('en-US')} searches`,
  );

  const ranker = new SesrecRanker(config, parameters, dataset, runtime);
  const interrupt = new AbortController();
  const onSignal = (): void => {
    note('\nstopping at the next step…');
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const progress = progressLine();
  let version = '';
  const log = join(flags.out, 'log.jsonl');
  try {
    const end = await fit(
      dataset,
      config,
      stepper,
      training,
      {
        signal: interrupt.signal,
        validate: async () => {
          ranker.refresh();
          const { metrics } = await evaluate(ranker, dataset, {
            on: 'validation',
            protocol: 'sampled',
            candidates,
            ...(training.validationUsers === null ? {} : { users: training.validationUsers, seed: 1 }),
          });
          return { score: metrics.mrr, metrics };
        },
        save: async (next, isBest) => {
          if (isBest)
            version = await saveCheckpoint(directory, 'best', parameters.tensors(), {
              epoch: next.epoch,
              score: next.best?.score,
            });
          await saveCheckpoint(directory, 'last', everything(), next);
        },
        onEvent: (event) => {
          if (event.kind === 'step') progress.show(stepLine(event, training.epochs));
          else if (event.kind === 'epoch') {
            progress.clear();
            note(epochLine(event));
            appendFileSync(log, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
          }
        },
      },
      state,
    );
    return {
      out: flags.out,
      epochs: end.epoch,
      best: end.best ?? { epoch: 0, score: NaN },
      reason: end.stopWaits >= training.patience ? `no improvement for ${training.patience} epochs` : 'all epochs done',
      version: version || (await loadCheckpoint(directory, 'best')).sha256,
      parameters: parameters.size,
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    progress.clear();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

const parts = ({ losses }: { losses: LossParts }): string =>
  `loss ${losses.loss.toFixed(4)} (prediction ${losses.prediction.toFixed(4)}, alignment ${losses.alignment.toFixed(3)}, contrast ${losses.contrast.toFixed(4)})`;

function stepLine(event: FitEvent & { kind: 'step' }, epochs: number): string {
  return `epoch ${event.epoch}/${epochs}  step ${event.step}/${event.steps}  ${parts(event)}  ${Math.round(event.rowsPerSecond)} rows/s  at most ${duration(event.secondsLeft)} left`;
}

function epochLine(event: FitEvent & { kind: 'epoch' }): string {
  const { metrics } = event.validation;
  return `epoch ${event.epoch}  ${parts(event)}  validation MRR ${(metrics['mrr'] as number).toFixed(4)} NDCG@10 ${(metrics['ndcg@10'] as number).toFixed(4)} HIT@10 ${(metrics['hit@10'] as number).toFixed(4)}${event.improved ? ' *' : ''}  ${duration(event.trainingSeconds)} (${event.stepMilliseconds.toFixed(0)} ms/step, graph ${(100 * event.graphShare).toFixed(0)} %) + ${duration(event.validationSeconds)}`;
}
