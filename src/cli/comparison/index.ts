/**
 * A comparison from its plan to its table: trials, runs, finalists, tests. Knows the order of things and what is chosen by what;
 * does not know how anything of it is done.
 *
 * Whatever is chosen (settings, finalists, the best epoch) is chosen on validation, and all of it before the first look at
 * the test.
 *
 *   compare.json    the plan                         plan.ts, opening.ts
 *   tuning/, runs/  what is trained                  trainings.ts
 *   test/           the ranks of every user          test-ranks.ts
 *   results.json    what it comes to                 results.ts, row-tests.ts
 *   table.md        the same, to be read             table.ts
 */
import { mkdir, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { InterruptedError, releaseLock, sideBySide, writeAtomically } from '../../base/index.js';
import { type Trial, lockOf } from '../../model/index.js';
import { interruptible } from '../interruption.js';
import { note, speakingAs } from '../output.js';
import { type CountedEntry, type TrainedEntry, isTrained } from './entries.js';
import { openComparison } from './opening.js';
import type { ComparisonFlags } from './options.js';
import type { CommandFor, Comparison } from './plan.js';
import { runBudget, seedsOf, tuningBudget } from './run-plans.js';
import { type ComparisonResults, type RowRanks, type RowRecord, summariseComparison } from './results.js';
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

export type { ComparisonFlags, ComparisonOptions } from './options.js';
export { type KeptTests, readKeptTests } from './kept-tests.js';
export type { ComparisonResults, RowRanks, RowResult } from './results.js';

/** What a comparison came to, the ranks that it follows from by the labels of rows, and its page. */
export interface ComparisonOutcome {
  readonly results: ComparisonResults;
  readonly ranks: ReadonlyMap<string, RowRanks>;
  readonly text: string;
}

/** How one session works: none of it shapes the results. */
interface Work extends TrainingSession, TestSession {
  readonly course: Course;
  readonly keepTuning: boolean;
  /** So many trainings at once. */
  readonly jobs: number;
}

/** Makes a comparison, or goes on with it. `said`: the options that were given; `commandFor`: what somebody types to have these options. */
export async function compareModels(
  data: string,
  flags: ComparisonFlags,
  said: readonly string[],
  commandFor: CommandFor,
): Promise<ComparisonOutcome> {
  const comparison = await openComparison(data, flags, said, commandFor);
  const { device, saveEvery, keepTuning = false, jobs, threads } = flags;
  const course = courseOf(comparison, jobs);
  try {
    return await interruptible(async (signal) => {
      const compute = { device, ...(threads === undefined ? {} : { threads }) };
      return work(comparison, { ...compute, jobs, saveEvery, keepTuning, signal, course });
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
  await session.course.lookUp();
  const rows = await tuneAll(comparison, session);
  await trainAll(comparison, rows, session);
  await addFurther(comparison, rows);

  const records: RowRecord[] = [];
  for (const entry of entries) {
    const row = rows.find((row) => row.entry === entry);
    if (row) records.push(await testAll(comparison, row, session));
    else records.push(await testOf(comparison, entry as CountedEntry, session));
  }
  const { results, ranks } = summariseComparison(comparison, records);
  const text = comparisonText(results);
  await writeAtomically(join(comparison.directory, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeAtomically(join(comparison.directory, 'table.md'), `${text}\n`);
  return { results, ranks, text };
}

/** A row on its way through the trainings. */
interface Trainee {
  readonly entry: TrainedEntry;
  readonly trials: readonly Ended[];
  readonly chosen: Trial | null;
  readonly runs: Ended[];
}

/** Tries what is declared; the best on validation is chosen, the first of equal ones. */
async function tuneAll(comparison: Comparison, session: Work): Promise<Trainee[]> {
  const rows = comparison.plan.entries.filter(isTrained);
  const trials = rows.map((entry) => trialsOf(comparison, entry));
  const ends = await endAll(comparison, trials.flat(), session);
  return rows.map((entry, row) => {
    const own = ends.splice(0, (trials[row] as Training[]).length);
    if (own.length === 0) return { entry, trials: own, chosen: entry.trials[0] as Trial, runs: [] };
    const score = (trial: Ended): number => (trial.outcome === 'trained' ? trial.best.score : -Infinity);
    const best = own.reduce((best, trial) => (score(trial) > score(best) ? trial : best));
    return { entry, trials: own, chosen: best.outcome === 'trained' ? best.trial : null, runs: [] };
  });
}

/** One seed after another, so that all models have something to show early; then the finalists' further seeds. */
async function trainAll(comparison: Comparison, rows: readonly Trainee[], session: Work): Promise<void> {
  const { options } = comparison.plan;
  const { seeds, finalists, finalistSeeds } = options;
  await runSeeds(comparison, rows, [1, ({ entry }) => seedsOf(options, entry)], session);
  if (finalistSeeds <= seeds) return;
  const best = rows
    .filter(({ runs }) => validationOf(runs) > -Infinity)
    .toSorted((one, other) => validationOf(other.runs) - validationOf(one.runs))
    .slice(0, finalists);
  if (best.length > 0)
    note(`best on validation, and so with more seeds: ${best.map(({ entry }) => entry.label).join(', ')}`);
  await runSeeds(comparison, best, [seeds + 1, () => finalistSeeds], session);
}

/** Adds what was trained when a row had more seeds, as a finalist or by other options: what was tested is not hidden again. */
async function addFurther(comparison: Comparison, rows: readonly Trainee[]): Promise<void> {
  for (const { entry, chosen, runs } of rows) {
    if (chosen === null) continue;
    const names = await readdir(dirname(runOf(comparison, entry, 1).directory));
    const seeds = names.flatMap((name) => /^seed-(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number);
    const further = seeds.filter((seed) => !runs.some((run) => run.seed === seed)).sort((one, other) => one - other);
    for (const seed of further)
      runs.push((await endOf({ ...runOf(comparison, entry, seed), trial: chosen, what: `seed ${seed}` })) as Ended);
  }
}

/** Mean validation MRR over the seeds that did not fail. */
function validationOf(runs: readonly Ended[]): number {
  const scores = runs.flatMap((run) => (run.outcome === 'trained' ? [run.best.score] : []));
  return scores.length === 0 ? -Infinity : scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

/** Runs of these rows with these seeds, first and last included, which may be another for each row. */
async function runSeeds(
  comparison: Comparison,
  rows: readonly Trainee[],
  [first, lastOf]: readonly [first: number, lastOf: (row: Trainee) => number],
  session: Work,
): Promise<void> {
  const most = Math.max(...rows.map(lastOf));
  const seeds = Array.from({ length: Math.max(0, most - first + 1) }, (_, i) => first + i);
  const asked = seeds.flatMap((seed) =>
    rows.flatMap((row) => {
      const { entry, chosen, runs } = row;
      if (chosen === null || seed > lastOf(row) || runs.some((run) => run.seed === seed)) return [];
      const what = `seed ${seed} of ${lastOf(row)}`;
      return [{ training: { ...runOf(comparison, entry, seed), trial: chosen, what }, runs }];
    }),
  );
  const ends = await endAll(
    comparison,
    asked.map(({ training }) => training),
    session,
  );
  for (const [i, { runs }] of asked.entries()) runs.push(ends[i] as Ended);
}

/** What trainings came to, in their order: trained now, unless they were before. */
const endAll = (comparison: Comparison, trainings: readonly Training[], session: Work): Promise<Ended[]> =>
  sideBySide(trainings, { most: session.jobs, signal: session.signal }, (training, signal) =>
    endOne(comparison, training, { ...session, signal }),
  );

async function endOne(comparison: Comparison, training: Training, session: Work): Promise<Ended> {
  const { signal, course, keepTuning } = session;
  checkSignal(signal);
  let end = await endOf(training);
  if (end === null) {
    course.begin(training);
    await mkdir(join(training.directory, '..'), { recursive: true });
    end = await runBesideOthers(comparison, training, session);
  }
  course.end(training, end);
  if (training.isTrial && !keepTuning) await forget(training);
  return end;
}

/** With a share of the threads, and remarks that say which training they are of, where others go on beside it. */
function runBesideOthers(comparison: Comparison, training: Training, session: Work): Promise<Ended> {
  const { jobs, threads = Math.ceil(availableParallelism() / jobs) } = session;
  if (jobs === 1) return runTraining(comparison, training, session);
  return speakingAs(`${training.entry.label}, ${training.what}`, () =>
    runTraining(comparison, training, { ...session, threads }),
  );
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
    tests.push(await testRun(comparison, entry, run, runOf(comparison, entry, run.seed).directory, session));
  }
  return { entry, trials, chosen, runs, tests };
}

async function testOf(comparison: Comparison, entry: CountedEntry, session: Work): Promise<RowRecord> {
  checkSignal(session.signal);
  return { entry, trials: [], chosen: null, runs: [], tests: [await testCounted(comparison, entry, session)] };
}

/** None where there is nothing to choose from. */
function trialsOf({ directory, plan }: Comparison, entry: TrainedEntry): Training[] {
  const { trials } = entry;
  if (trials.length === 1) return [];
  return trials.map((trial, position) => ({
    entry,
    trial,
    budget: tuningBudget(plan.options),
    directory: join(directory, 'tuning', entry.label, String(position + 1)),
    isTrial: true,
    what: `trial ${position + 1} of ${trials.length}`,
  }));
}

function runOf({ directory, plan }: Comparison, entry: TrainedEntry, seed: number): Expected {
  return {
    entry,
    isTrial: false,
    budget: runBudget(plan.options, entry, seed),
    directory: join(directory, 'runs', entry.label, `seed-${seed}`),
  };
}

/** The trainings that a plan asks for; who will be a finalist is not known yet. */
function courseOf(comparison: Comparison, jobs: number): Course {
  const { entries, options } = comparison.plan;
  const { seeds, finalists, finalistSeeds } = options;
  const trained = entries.filter(isTrained);
  const expected = trained.flatMap((entry) => [
    ...trialsOf(comparison, entry),
    ...Array.from({ length: seedsOf(options, entry) }, (_, seed) => runOf(comparison, entry, seed + 1)),
  ]);
  return new Course(expected, Math.min(finalists, trained.length) * Math.max(0, finalistSeeds - seeds), jobs);
}
