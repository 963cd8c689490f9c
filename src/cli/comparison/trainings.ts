/**
 * The trainings of a comparison: trials and runs. Knows where each lies, what is kept of it, and how long the rest may take;
 * does not know which of them there should be, nor how many at once (index.ts), nor tests.
 *
 *   tuning/LABEL/K.json        what trial K came to; tuning/LABEL/K/ is its run directory while it is trained
 *   runs/LABEL/seed-S.json     what the run of seed S came to; runs/LABEL/seed-S/ is its run directory
 *
 * The file is written when the training has ended, well or badly: what has one is not trained again.
 */
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  CorruptFileError,
  InterruptedError,
  UserError,
  isEither,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isWhole,
  readJson,
  writeAtomically,
} from '../../base/index.js';
import type { Metrics } from '../../evaluate/index.js';
import { type Trial, readRunManifest } from '../../model/index.js';
import type { ComputeFlags } from '../options.js';
import { note } from '../output.js';
import { duration } from '../progress.js';
import { readResult } from '../results.js';
import { type Session, beginAgain, reopenAs } from '../run-plan.js';
import { settingsText } from '../table.js';
import { type TrainSummary, trainSession } from '../training.js';
import type { TrainedEntry } from './entries.js';
import type { Comparison } from './plan.js';
import { type TrainingBudget, planOfRun } from './run-plans.js';

/** One training that a comparison asks for. */
export interface Training {
  readonly entry: TrainedEntry;
  readonly trial: Trial;
  readonly budget: TrainingBudget;
  /** Its run directory. */
  readonly directory: string;
  /** Whether it is for a choice of settings only. */
  readonly isTrial: boolean;
  /** In words: which trial or seed of how many. */
  readonly what: string;
}

/** A training that ended well. */
export interface Trained {
  readonly outcome: 'trained';
  readonly trial: Trial;
  readonly seed: number;
  /** How many numbers were learnt. */
  readonly parameters: number;
  readonly epochs: number;
  readonly best: { readonly epoch: number; readonly score: number };
  /** On validation, after the best epoch. */
  readonly validation: Metrics;
  /** SHA-256 of the best parameters. */
  readonly weights: string;
  /** Medians over epochs. */
  readonly secondsPerEpoch: number;
  readonly validationSecondsPerEpoch: number;
}

/** A training that cannot go on, for instance because a number became NaN. */
export interface Failed {
  readonly outcome: 'failed';
  readonly trial: Trial;
  readonly seed: number;
  readonly reason: string;
}

export type Ended = Trained | Failed;

/** How one session of a comparison works. */
export interface TrainingSession extends ComputeFlags {
  readonly saveEvery: number;
  readonly signal: AbortSignal;
}

const recordOf = ({ directory }: Expected): string => `${directory}.json`;

const endedRule = isEither(
  isRecordOf({ outcome: isOneOf('failed'), seed: isWhole(0), reason: isText }),
  isRecordOf({
    outcome: isOneOf('trained'),
    seed: isWhole(0),
    parameters: isWhole(0),
    epochs: isWhole(1),
    best: isRecordOf({ epoch: isWhole(1), score: isNumber() }),
    weights: isText,
    secondsPerEpoch: isNumber(),
    validationSecondsPerEpoch: isNumber(),
  }),
);

/** What is recorded of a training, whatever it tried; null when it has not ended. */
export async function recorded(training: Expected): Promise<Ended | null> {
  const path = recordOf(training);
  if (!(await isThere(path))) return null;
  const ended = await readJson(path);
  const wrong = endedRule(ended, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}; delete it to have it made again`);
  return ended as Ended;
}

/** What a training came to; null when it has not ended. One that was trained with other settings is a `UserError`. */
export async function endOf(training: Training): Promise<Ended | null> {
  const ended = await recorded(training);
  if (ended === null) return null;
  if (!isDeepStrictEqual(ended.trial, training.trial)) throw ofOtherSettings(training, ended.trial);
  return ended;
}

/** What to do about a training that is recorded with other settings than are asked for. */
function ofOtherSettings(training: Training, before: Trial): UserError {
  const path = recordOf(training);
  const [was, now] = [before, training.trial].map((trial) => settingsText(trial) || 'the usual settings');
  return new UserError(
    training.isTrial
      ? `${path} is of ${was}, and this trial is ${now}: delete ${path} to have it trained anew`
      : `${path} is of ${was}, and the best trial is now ${now}: delete ${dirname(path)} to have the row trained anew, so that its seeds are alike`,
  );
}

/** Trains, or goes on, to the end, which is recorded. Interrupted, it throws; what can be gone on with is saved. */
export async function runTraining(
  comparison: Comparison,
  training: Training,
  session: TrainingSession,
): Promise<Ended> {
  const { trial, budget } = training;
  const base = { trial, seed: budget.seed };
  let ended: Ended;
  try {
    ended = { outcome: 'trained', ...base, ...(await trained(comparison, training, session)) };
  } catch (error) {
    if (!(error instanceof TrainingFailure)) throw error;
    ended = { outcome: 'failed', ...base, reason: error.message };
    note(`failed: ${training.entry.label}, ${training.what}: ${error.message}`);
  }
  await writeAtomically(recordOf(training), `${JSON.stringify(ended, null, 2)}\n`);
  return ended;
}

/** Marks errors of the training itself, which others need not suffer from. */
class TrainingFailure extends Error {}

async function trained(
  comparison: Comparison,
  training: Training,
  { saveEvery, signal, device, threads }: TrainingSession,
): Promise<Omit<Trained, 'outcome' | 'trial' | 'seed'>> {
  const { entry, trial, budget, directory } = training;
  const { dataset, candidates, plan } = comparison;
  const resume = await isThere(directory);
  const session: Session = {
    out: directory,
    saveEvery,
    device,
    signal,
    resume,
    ...(threads === undefined ? {} : { threads }),
  };
  const beginning = { plan: planOfRun(dataset, plan.options, entry, trial, budget), dataset, candidates };
  let begun = false;
  let summary: TrainSummary;
  try {
    summary = await trainSession(session, async () => {
      const opened = resume
        ? await reopenAs(directory, beginning)
        : await beginAgain(comparison.data, session, beginning);
      begun = true;
      return opened;
    });
  } catch (error) {
    const isOwn = begun && error instanceof UserError;
    if (!isOwn || error instanceof InterruptedError || error instanceof CorruptFileError) throw error;
    throw new TrainingFailure(error.message, { cause: error });
  }
  const { figures } = await readResult(summary.result as string);
  const { epochs, best, version, parameters } = summary;
  return { parameters, epochs, best, validation: figures.metrics, weights: version, ...(await secondsOf(directory)) };
}

/** Seconds that an epoch took, by the log of a run. An epoch that was gone on with is not told in full, so medians are. */
async function secondsOf(directory: string): Promise<Pick<Trained, 'secondsPerEpoch' | 'validationSecondsPerEpoch'>> {
  const lines = (await readFile(join(directory, 'log.jsonl'), 'utf8')).split('\n');
  const events = lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as { trainingSeconds: number; validationSeconds: number }];
    } catch {
      return []; // the end of the file, or a line that a kill cut off
    }
  });
  return {
    secondsPerEpoch: median(events.map(({ trainingSeconds }) => trainingSeconds)),
    validationSecondsPerEpoch: median(events.map(({ validationSeconds }) => validationSeconds)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}

/** Deletes the run directory of a trial that has ended. */
export async function forget({ directory }: Training): Promise<void> {
  if (!(await isThere(directory))) return;
  await readRunManifest(directory); // never delete a directory that is not a run
  await rm(directory, { recursive: true });
}

/** A training that is to come, whatever it will try. */
export type Expected = Omit<Training, 'trial' | 'what'>;

/** Tells what comes next, and estimates how long all that is left may take. */
export class Course {
  readonly #expected: readonly Expected[];
  readonly #unnamed: number;
  readonly #jobs: number;
  readonly #begun = new Set<string>();
  readonly #ended = new Map<string, Ended>();

  /**
   * @param unnamed how many more there will be of which it is not known yet what they train
   * @param jobs so many are trained at once
   */
  constructor(expected: readonly Expected[], unnamed: number, jobs: number) {
    this.#expected = expected;
    this.#unnamed = unnamed;
    this.#jobs = jobs;
  }

  /** Looks up what had ended before, so that neither numbers nor estimates count it as still to come. */
  async lookUp(): Promise<void> {
    for (const training of this.#expected) {
      const ended = await recorded(training);
      if (ended) this.#ended.set(training.directory, ended);
    }
  }

  end({ directory }: Training, ended: Ended): void {
    this.#begun.delete(directory);
    this.#ended.set(directory, ended);
  }

  get progress(): string {
    return `${this.#ended.size} of ${this.#expected.length + this.#unnamed} trainings`;
  }

  begin({ entry, trial, what, directory }: Training): void {
    this.#begun.add(directory);
    const number = `${this.#ended.size + this.#begun.size} of ${this.#expected.length + this.#unnamed}`;
    const settings = settingsText(trial);
    const left = this.secondsLeft();
    note(
      `[${number}] ${entry.label}, ${what}${settings === '' ? '' : `: ${settings}`}${left === null ? '' : `; about ${duration(left)} of training left`}`,
    );
  }

  /**
   * By the seconds that epochs of the same model took, of all models where it has had none; runs stop as early as runs stopped
   * so far. Null before anything was measured.
   */
  secondsLeft(): number | null {
    const measured = this.#expected.flatMap((training) => {
      const ended = this.#ended.get(training.directory);
      return ended?.outcome === 'trained' ? [{ ...training, ended }] : [];
    });
    if (measured.length === 0) return null;
    const stopsEarly = ({ budget }: Expected): boolean => budget.patience < budget.epochs;
    const stopped = measured.filter(stopsEarly);
    const secondsOf = (training: Expected): number => {
      const own = measured.filter(({ entry }) => entry.label === training.entry.label);
      const epochs =
        stopsEarly(training) && stopped.length > 0
          ? mean(stopped.map(({ ended }) => ended.epochs))
          : training.budget.epochs;
      const alike = own.length > 0 ? own : measured;
      return epochs * median(alike.map(({ ended }) => ended.secondsPerEpoch + ended.validationSecondsPerEpoch));
    };
    const open = this.#expected.filter(({ directory }) => !this.#ended.has(directory));
    const unnamed = this.#unnamed - (this.#ended.size - (this.#expected.length - open.length));
    const runs = this.#expected.filter(stopsEarly);
    const seconds =
      open.map(secondsOf).reduce((sum, seconds) => sum + seconds, 0) +
      unnamed * mean((runs.length > 0 ? runs : this.#expected).map(secondsOf));
    return seconds / this.#jobs;
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
