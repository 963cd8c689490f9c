/**
 * A comparison from its plan to its table: trials, runs, finalists, tests. Knows the order of things and what is chosen by what;
 * does not know how anything of it is done.
 *
 * Whatever is chosen (settings, finalists, the best epoch) is chosen on validation, and all of it before the first look at
 * the test.
 *
 *   compare.json    the plan                         plan.ts
 *   tuning/, runs/  what is trained                  trainings.ts
 *   test/           the ranks of every user          test-ranks.ts
 *   results.json    what it comes to                 results.ts
 *   table.md        the same, to be read             table.ts
 */
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { InterruptedError, releaseLock, writeAtomically } from '../../base/index.js';
import { type Trial, lockOf } from '../../model/index.js';
import { interruptible } from '../interruption.js';
import { note } from '../output.js';
import { type CountedEntry, type TrainedEntry, isTrained } from './entries.js';
import { type Comparison, type ComparisonFlags, openComparison, runBudget, tuningBudget } from './plan.js';
import { type ComparisonResults, type RowRecord, summariseComparison } from './results.js';
import { comparisonText } from './table.js';
import { type TestSession, checkSignal, testCounted, testRun } from './test-ranks.js';
import {
  Course,
  type Ended,
  type Expected,
  type Training,
  type TrainingSession,
  endOf,
  forget,
  runTraining,
} from './trainings.js';

export type { ComparisonFlags } from './plan.js';
export type { ComparisonResults } from './results.js';

/** What a comparison came to, and its page. */
export interface ComparisonOutcome {
  readonly results: ComparisonResults;
  readonly text: string;
}

/** How one session works: none of it shapes the results. */
interface Work extends TrainingSession, TestSession {
  readonly course: Course;
  readonly keepTuning: boolean;
}

/** Makes a comparison, or goes on with it. `said`: the options that were given; `command`: as somebody typed it. */
export async function compareModels(
  data: string,
  flags: ComparisonFlags,
  said: readonly string[],
  command: string,
): Promise<ComparisonOutcome> {
  const comparison = await openComparison(data, flags, said, command);
  const { device, saveEvery, keepTuning = false, threads } = flags;
  const course = courseOf(comparison);
  try {
    return await interruptible(async (signal) => {
      const compute = { device, ...(threads === undefined ? {} : { threads }) };
      return work(comparison, { ...compute, saveEvery, keepTuning, signal, course });
    });
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(`stopped with ${course.progress} done; the same command goes on`, { cause: error });
  } finally {
    await releaseLock(lockOf(comparison.directory));
  }
}

async function work(comparison: Comparison, session: Work): Promise<ComparisonOutcome> {
  const { entries } = comparison.plan;
  const rows = new Map<TrainedEntry, Trainee>();
  for (const entry of entries) if (isTrained(entry)) rows.set(entry, await tune(comparison, entry, session));
  await trainAll(comparison, rows, session);

  const records: RowRecord[] = [];
  for (const entry of entries) {
    if (isTrained(entry)) records.push(await testAll(comparison, rows.get(entry) as Trainee, session));
    else records.push(await testOf(comparison, entry, session));
  }
  const results = summariseComparison(comparison, records);
  const text = comparisonText(results);
  await writeAtomically(join(comparison.directory, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeAtomically(join(comparison.directory, 'table.md'), `${text}\n`);
  return { results, text };
}

/** A row on its way through the trainings. */
interface Trainee {
  readonly entry: TrainedEntry;
  readonly trials: readonly Ended[];
  readonly chosen: Trial | null;
  readonly runs: Ended[];
}

/** Tries what is declared, one after another; the best on validation is chosen, the first of equal ones. */
async function tune(comparison: Comparison, entry: TrainedEntry, session: Work): Promise<Trainee> {
  if (entry.trials.length === 1) return { entry, trials: [], chosen: entry.trials[0] as Trial, runs: [] };
  const trials: Ended[] = [];
  for (const [position, trial] of entry.trials.entries()) {
    const training = {
      ...trialOf(comparison, entry, position),
      trial,
      what: `trial ${position + 1} of ${entry.trials.length}`,
    };
    trials.push(await ended(comparison, training, session));
    if (!session.keepTuning) await forget(training);
  }
  const score = (trial: Ended): number => (trial.outcome === 'trained' ? trial.best.score : -Infinity);
  const best = trials.reduce((best, trial) => (score(trial) > score(best) ? trial : best));
  return { entry, trials, chosen: best.outcome === 'trained' ? best.trial : null, runs: [] };
}

/** One seed after another, so that all models have something to show early; then the finalists' further seeds. */
async function trainAll(
  comparison: Comparison,
  rows: ReadonlyMap<TrainedEntry, Trainee>,
  session: Work,
): Promise<void> {
  const { seeds, finalists, finalistSeeds } = comparison.plan.options;
  for (let seed = 1; seed <= seeds; seed++)
    for (const row of rows.values()) await runSeed(comparison, row, seed, seeds, session);
  if (finalistSeeds <= seeds) return;
  const best = [...rows.values()]
    .filter(({ runs }) => validationOf(runs) > -Infinity)
    .sort((one, other) => validationOf(other.runs) - validationOf(one.runs))
    .slice(0, finalists);
  if (best.length > 0)
    note(`best on validation, and so with more seeds: ${best.map(({ entry }) => entry.label).join(', ')}`);
  for (let seed = seeds + 1; seed <= finalistSeeds; seed++)
    for (const row of best) await runSeed(comparison, row, seed, finalistSeeds, session);
}

/** Mean validation MRR over the seeds that did not fail. */
function validationOf(runs: readonly Ended[]): number {
  const scores = runs.flatMap((run) => (run.outcome === 'trained' ? [run.best.score] : []));
  return scores.length === 0 ? -Infinity : scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

async function runSeed(
  comparison: Comparison,
  { entry, chosen, runs }: Trainee,
  seed: number,
  seeds: number,
  session: Work,
): Promise<void> {
  if (chosen === null) return;
  const training = { ...runOf(comparison, entry, seed), trial: chosen, what: `seed ${seed} of ${seeds}` };
  runs.push(await ended(comparison, training, session));
}

/** What a training came to: trained now, unless it was before. */
async function ended(comparison: Comparison, training: Training, session: Work): Promise<Ended> {
  const { signal, course } = session;
  checkSignal(signal);
  let end = await endOf(training);
  if (end === null) {
    course.announce(training);
    await mkdir(join(training.directory, '..'), { recursive: true });
    end = await runTraining(comparison, training, session);
  }
  course.end(training, end);
  return end;
}

async function testAll(
  comparison: Comparison,
  { entry, trials, chosen, runs }: Trainee,
  session: Work,
): Promise<RowRecord> {
  const tests = [];
  for (const run of runs) {
    if (run.outcome === 'failed') continue;
    checkSignal(session.signal);
    tests.push(await testRun(comparison, entry, run.seed, runOf(comparison, entry, run.seed).directory, session));
  }
  return { entry, trials, chosen, runs, tests };
}

async function testOf(comparison: Comparison, entry: CountedEntry, session: Work): Promise<RowRecord> {
  checkSignal(session.signal);
  return { entry, trials: [], chosen: null, runs: [], tests: [await testCounted(comparison, entry, session)] };
}

function trialOf({ directory, plan }: Comparison, entry: TrainedEntry, position: number): Expected {
  return {
    entry,
    budget: tuningBudget(plan.options),
    directory: join(directory, 'tuning', entry.label, String(position + 1)),
  };
}

function runOf({ directory, plan }: Comparison, entry: TrainedEntry, seed: number): Expected {
  return {
    entry,
    budget: runBudget(plan.options, seed),
    directory: join(directory, 'runs', entry.label, `seed-${seed}`),
  };
}

/** The trainings that a plan asks for; who will be a finalist is not known yet. */
function courseOf(comparison: Comparison): Course {
  const { entries, options } = comparison.plan;
  const { seeds, finalists, finalistSeeds } = options;
  const trained = entries.filter(isTrained);
  const expected = trained.flatMap((entry) => [
    ...(entry.trials.length > 1 ? entry.trials.map((_, position) => trialOf(comparison, entry, position)) : []),
    ...Array.from({ length: seeds }, (_, seed) => runOf(comparison, entry, seed + 1)),
  ]);
  return new Course(expected, Math.min(finalists, trained.length) * Math.max(0, finalistSeeds - seeds));
}
