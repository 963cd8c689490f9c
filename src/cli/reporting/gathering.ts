/**
 * What a report is made from: the files that a comparison or a run leaves. Knows where they lie and what they must hold; does not know
 * what is told of them.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  CorruptFileError,
  UserError,
  isDictionaryOf,
  isListOf,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isWhole,
  readJson,
} from '../../base/index.js';
import { type DataManifest, readManifest } from '../../data/index.js';
import { METRICS, type Metrics } from '../../evaluate/index.js';
import { RANKER_IDS, dataOf } from '../../model/index.js';
import type { ComparisonResults, RowResult } from '../comparison/results.js';

/** An epoch as log.jsonl tells it. */
export interface EpochRecord {
  readonly epoch: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly validation: { readonly score: number; readonly metrics: Metrics };
}

export interface ComparisonFiles {
  readonly directory: string;
  readonly results: ComparisonResults;
  /** Rows that are planned and not among the results, because they were added later. */
  readonly missing: readonly string[];
  /** Whether other options were asked for since: more seeds, for instance. */
  readonly isBehind: boolean;
  /** Where the data came from; null where no run is left to tell. */
  readonly data: DataManifest | null;
  /** The epochs of every run that left a log, by row and seed. */
  readonly logs: ReadonlyMap<string, readonly (readonly EpochRecord[])[]>;
}

/** What a directory is; anything but a comparison or a run is a `UserError`. */
export async function kindOf(directory: string): Promise<'comparison' | 'run'> {
  if (await isThere(join(directory, 'compare.json'))) return 'comparison';
  if (await isThere(join(directory, 'run.json'))) return 'run';
  throw new UserError(
    `${directory} is neither a comparison nor a run: give a directory made by sesrec compare or sesrec train`,
  );
}

export const runOfSeed = (directory: string, { label }: Pick<RowResult, 'label'>, seed: number): string =>
  join(directory, 'runs', label, `seed-${seed}`);

/** Reads a comparison. One that has no results yet is a `UserError`. */
export async function readComparison(directory: string): Promise<ComparisonFiles> {
  const path = join(directory, 'results.json');
  if (!(await isThere(path)))
    throw new UserError(
      `${directory} has no results yet, its comparison is not done: the sesrec compare command that began it goes on`,
    );
  // comparisons of before rows of reference have no tests against them
  const results = {
    referenceTests: [],
    ...(withoutNulls(await readJson(path)) as object),
  } as unknown as ComparisonResults;
  const wrong = resultsRule(results, '');
  if (wrong !== null)
    throw new CorruptFileError(`${path} cannot be read: ${wrong}; the sesrec compare command makes it again`);
  const planned = (await readJson(join(directory, 'compare.json'))) as {
    readonly entries?: readonly { readonly label?: unknown }[];
    readonly options?: unknown;
  };
  const known = new Set(results.rows.map(({ label }) => label));
  const logs = new Map<string, EpochRecord[][]>();
  for (const row of results.rows) {
    const read = await Promise.all(row.seeds.map(({ seed }) => readLog(runOfSeed(directory, row, seed))));
    logs.set(
      row.label,
      read.filter((epochs) => epochs.length > 0),
    );
  }
  return {
    directory,
    results,
    isBehind: !isDeepStrictEqual(planned.options, results.plan.options),
    missing: (planned.entries ?? []).map(({ label }) => String(label)).filter((label) => !known.has(label)),
    data: await dataManifestOf(directory, results),
    logs,
  };
}

async function dataManifestOf(directory: string, { rows }: ComparisonResults): Promise<DataManifest | null> {
  for (const row of rows)
    for (const { seed } of row.seeds) {
      const data = dataOf(runOfSeed(directory, row, seed));
      if (await isThere(data)) return readManifest(data);
    }
  return null;
}

/** The epochs in the log of a run, in order; of one that was gone on with, as it was last. None without a log. */
export async function readLog(directory: string): Promise<EpochRecord[]> {
  const path = join(directory, 'log.jsonl');
  if (!(await isThere(path))) return [];
  const byEpoch = new Map<number, EpochRecord>();
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch {
      continue; // the end of the file, or a line that a kill cut off
    }
    if (epochRule(event, '') === null) byEpoch.set((event as EpochRecord).epoch, event as EpochRecord);
  }
  return [...byEpoch.values()].sort((one, other) => one.epoch - other.epoch);
}

const metricsRule = isRecordOf(Object.fromEntries(METRICS.map((metric) => [metric, isNumber()])));
const epochRule = isRecordOf({
  kind: isOneOf('epoch'),
  epoch: isWhole(1),
  losses: isDictionaryOf(isNumber()),
  validation: isRecordOf({ score: isNumber(), metrics: metricsRule }),
});
/** Labels become paths. */
const isLabel = (value: unknown, name: string): string | null =>
  isText(value, name) ?? (/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(value as string) ? null : `${name} is no name of a row`);
const testRule = isRecordOf({ protocol: isOneOf('sampled', 'full'), metric: isOneOf(...METRICS) });
const resultsRule = isRecordOf({
  format: isOneOf('sesrec-comparison-results'),
  version: isOneOf(1),
  plan: isRecordOf({
    command: isText,
    madeWith: isRecordOf({ sesrec: isText, node: isText }),
    dataHash: isText,
    candidates: isRecordOf({ hash: isText, count: isWhole(1) }),
    options: isRecordOf({ seeds: isWhole(1), epochs: isWhole(1), trials: isWhole(0), tuningEpochs: isWhole(1) }),
  }),
  data: isRecordOf({ users: isWhole(0), items: isWhole(0), feedEvents: isWhole(0), searches: isWhole(0) }),
  rows: isListOf(
    isRecordOf({
      label: isLabel,
      name: isText,
      model: isOneOf(...RANKER_IDS),
      sees: isListOf(isText),
      seeds: isListOf(
        isRecordOf({ seed: isWhole(0), epochs: isWhole(1), bestEpoch: isWhole(1), validation: metricsRule }),
      ),
    }),
  ),
  tests: isListOf(testRule),
  referenceTests: isListOf(testRule),
});

/** Fields that hold numbers: JSON has no NaN, which says that there is none, and writes null. */
const NUMBERS = new Set<string>(['mean', 'error', 'halfWidth', 't', 'p', 'holm', ...METRICS]);

function withoutNulls(value: unknown, field = ''): unknown {
  if (value === null) return NUMBERS.has(field) ? Number.NaN : null;
  if (Array.isArray(value))
    return value.map((one) => (one === null && field === 'interval' ? Number.NaN : withoutNulls(one)));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutNulls(one, name)]));
}
