/** A comparison for whoever watches it, done or under way. Knows what its files say; does not know how rows are trained or judged. */
import { join } from 'node:path';
import { CorruptFileError, isThere, readJson } from '../../base/index.js';
import { METRICS } from '../../evaluate/index.js';
import type {
  Comparison,
  ComparisonRow,
  Curve,
  ExperimentAnswer,
  ExperimentEntry,
  Progress,
} from '../../serve/index.js';
import type { RowResult } from '../comparison/results.js';
import { type ComparisonFiles, readComparison } from '../reporting/gathering.js';
import {
  UNKNOWN_ENTRY,
  changedIn,
  epochsOf,
  foldersIn,
  numberOrNull,
  numbersOrNull,
  settingsOf,
  stateOf,
} from './files.js';

/** What compare.json says that is told. */
interface Plan {
  readonly command: string;
  readonly startedAt: string | null;
  readonly dataHash: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  readonly labels: readonly string[];
  readonly madeWith: { readonly sesrec: string; readonly node: string };
}

async function planOf(directory: string): Promise<Plan> {
  const path = join(directory, 'compare.json');
  const plan = (await readJson(path)) as Readonly<Record<string, unknown>> | null;
  if (plan?.['format'] !== 'sesrec-comparison') throw new CorruptFileError(`${path} is not the plan of a comparison`);
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  const entries = Array.isArray(plan['entries']) ? (plan['entries'] as { readonly label?: unknown }[]) : [];
  const madeWith = (plan['madeWith'] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    command: text(plan['command']) ?? '',
    startedAt: text(plan['startedAt']),
    dataHash: text(plan['dataHash']),
    options: (plan['options'] ?? {}) as Record<string, unknown>,
    labels: entries.map(({ label }) => String(label)),
    madeWith: { sesrec: text(madeWith['sesrec']) ?? '', node: text(madeWith['node']) ?? '' },
  };
}

const hasResults = async (directory: string): Promise<boolean> => isThere(join(directory, 'results.json'));
const stateOfComparison = async (directory: string): Promise<ExperimentEntry['state']> =>
  stateOf(directory, async () => hasResults(directory));

export async function comparisonEntry(directory: string, name: string): Promise<ExperimentEntry> {
  return entryOf(directory, name, await planOf(directory));
}

async function entryOf(directory: string, name: string, plan: Plan): Promise<ExperimentEntry> {
  const [state, changed] = await Promise.all([
    stateOfComparison(directory),
    changedIn(directory, ['compare.json', 'results.json', 'runs', 'tuning', 'test']),
  ]);
  const planned = plan.options['epochs'];
  return {
    ...UNKNOWN_ENTRY,
    name,
    kind: 'comparison',
    state,
    models: [...plan.labels],
    epochs_planned: typeof planned === 'number' ? planned : null,
    data: plan.dataHash,
    changed,
  };
}

export async function comparisonAnswer(directory: string, name: string): Promise<ExperimentAnswer> {
  const plan = await planOf(directory);
  const [entry, curves] = await Promise.all([entryOf(directory, name, plan), curvesOf(directory)]);
  const files = (await hasResults(directory)) ? await readComparison(directory) : null;
  return {
    ...entry,
    epochs: curves.reduce((sum, { epochs }) => sum + epochs.length, 0),
    curves,
    settings: settingsOf(plan.options),
    command: plan.command,
    results: [],
    comparison: files && told(files),
    environment: { ...plan.madeWith, cpu: null, started: plan.startedAt, seconds: null },
  };
}

export async function comparisonProgress(directory: string): Promise<Progress> {
  const state = await stateOfComparison(directory); // first: what was written before the end is read after it
  return { state, curves: await curvesOf(directory) };
}

/** The curves of all runs that there are, by row and seed. */
async function curvesOf(directory: string): Promise<Curve[]> {
  const curves: Curve[] = [];
  for (const label of await foldersIn(join(directory, 'runs')))
    for (const folder of await foldersIn(join(directory, 'runs', label))) {
      const seed = /^seed-(\d+)$/.exec(folder)?.[1];
      if (seed === undefined) continue;
      const epochs = await epochsOf(join(directory, 'runs', label, folder));
      if (epochs.length > 0) curves.push({ label, seed: Number(seed), epochs });
    }
  return curves;
}

function told({ results, missing }: ComparisonFiles): Comparison {
  const { data, plan, rows, tests } = results;
  return {
    users: data.users,
    items: data.items,
    candidates: plan.candidates.count,
    rows: rows.map(rowTold),
    missing: [...missing],
    tests: tests.map(({ protocol, metric, best, runnerUp, difference, t }) => ({
      protocol,
      metric,
      best,
      runner_up: runnerUp,
      difference: intervalTold(difference),
      p: numberOrNull(t.holm),
    })),
  };
}

const intervalTold = ({ mean, halfWidth }: { readonly mean: number; readonly halfWidth: number }) => ({
  mean: numberOrNull(mean),
  half_width: numberOrNull(halfWidth),
});

function rowTold(row: RowResult): ComparisonRow {
  const { label, name, model, sees, seeds, parameters, epochs, secondsPerEpoch, test, failed } = row;
  const mean = (metric: (typeof METRICS)[number]): number =>
    seeds.reduce((sum, { validation }) => sum + validation[metric], 0) / seeds.length;
  const perMetric = (protocol: 'sampled' | 'full', of: NonNullable<RowResult['test']>) =>
    Object.fromEntries(METRICS.map((metric) => [metric, intervalTold(of[protocol][metric])]));
  return {
    label,
    name,
    model,
    sees: [...sees],
    seeds: seeds.length,
    parameters,
    epochs: numberOrNull(epochs),
    seconds_per_epoch: numberOrNull(secondsPerEpoch),
    validation: numbersOrNull(Object.fromEntries(METRICS.map((metric) => [metric, mean(metric)]))),
    test: test && { sampled: perMetric('sampled', test), full: perMetric('full', test) },
    failed: [...failed],
  };
}
