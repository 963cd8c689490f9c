/** What the files of runs and comparisons have in common for whoever watches them: locks, epochs, figures. Knows files; does not know HTTP. */
import { type Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isLocked, isThere, readJson } from '../../base/index.js';
import { checkpointsOf, lockOf, resultsOf } from '../../model/index.js';
import type { Epoch, ExperimentEntry, KeptFigures } from '../../serve/index.js';
import { type EpochRecord, readLog } from '../reporting/gathering.js';
import { type ResultManifest, readResult } from '../results.js';

/** What is told of something of which nothing is known but that it is there. */
export const UNKNOWN_ENTRY = {
  state: 'stopped',
  model: null,
  preset: null,
  models: [],
  seed: null,
  epochs: 0,
  epochs_planned: null,
  best: null,
  test: [],
  test_looks: 0,
  data: null,
  servable: false,
  flaw: null,
} satisfies Partial<ExperimentEntry>;

/** NaN and infinity are none in JSON. */
export const numberOrNull = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

export const numbersOrNull = (values: Readonly<Record<string, unknown>>): Record<string, number | null> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, numberOrNull(value)]));

/** Whether it is worked on, done, or neither. */
export async function stateOf(
  directory: string,
  isFinished: () => Promise<boolean>,
): Promise<ExperimentEntry['state']> {
  if (await isLocked(lockOf(directory))) return 'running';
  return (await isFinished()) ? 'finished' : 'stopped';
}

/** The epochs in the log of a run, as they are told. */
export async function epochsOf(directory: string): Promise<Epoch[]> {
  let best = -Infinity;
  return (await readLog(directory)).map((record): Epoch => {
    const { epoch, losses, validation } = record;
    const { learningRate, trainingSeconds, time } = record as EpochRecord & Readonly<Record<string, unknown>>;
    const improved = validation.score > best;
    if (improved) best = validation.score;
    return {
      epoch,
      losses: numbersOrNull(losses),
      metrics: numbersOrNull(validation.metrics),
      learning_rate: numberOrNull(learningRate),
      training_seconds: numberOrNull(trainingSeconds),
      improved,
      time: typeof time === 'string' ? time : null,
    };
  });
}

/** The results that a run keeps and that can be read, each with the hash of the weights that it is of. */
export async function resultsIn(directory: string): Promise<ResultManifest[]> {
  const folder = resultsOf(directory);
  const names = (await readdir(folder).catch(() => [])).toSorted((a, b) => (a < b ? -1 : 1));
  const read = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => readResult(join(folder, name)).catch(() => null)), // a damaged one is for people to look at
  );
  return read.filter((manifest) => manifest !== null);
}

export function figuresTold({ figures, candidates, weights }: ResultManifest, version: string | null): KeptFigures {
  const { protocol, users, metrics, intervals } = figures;
  return {
    on: protocol.on,
    protocol: protocol.name,
    candidates: candidates?.count ?? null,
    users,
    sample: protocol.sample !== null,
    metrics: numbersOrNull({ ...metrics }),
    intervals: Object.fromEntries(
      Object.entries(intervals).map(([name, [low, high]]): [string, [number, number]] => [name, [low, high]]),
    ),
    current: weights === version,
  };
}

/** The hash of the best weights, which is the version of the model; null where there are none. */
export async function versionIn(directory: string): Promise<string | null> {
  const path = join(checkpointsOf(directory), 'best.json');
  if (!(await isThere(path))) return null;
  const { sha256 } = (await readJson(path)) as { readonly sha256?: unknown };
  return typeof sha256 === 'string' ? sha256 : null;
}

/** When one of some files was last written; that of the directory where there are none. */
export async function changedIn(directory: string, names: readonly string[]): Promise<string> {
  const times = await Promise.all(
    [...names.map((name) => join(directory, name)), directory].map(async (path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return new Date(Math.max(...times)).toISOString();
}

export async function foldersIn(directory: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => name)
    .sort();
}

/** Settings by dotted names, as one would say them. */
export function settingsOf(value: unknown, name = ''): { name: string; value: string }[] {
  if (Array.isArray(value) || typeof value !== 'object' || value === null)
    return [{ name, value: typeof value === 'string' ? value : (JSON.stringify(value) ?? '') }];
  return Object.entries(value).flatMap(([own, one]) => settingsOf(one, name === '' ? own : `${name}.${own}`));
}
