/**
 * The work of one task of Spark: stretches of users come in on standard input, lists go out on standard output, a line per user.
 * Knows the lines; does not know Spark.
 *
 * A stretch is the index of its first user, a space, and the index behind its last. A list is JSON in ASCII, so that neither ids nor
 * encodings can break its line. Whoever reads takes an exit code other than 0
 * for a failure, and then nothing that was written counts.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { UsageError, isRecordOf, isEither, isOneOf, isText, isTrueOrFalse, isWhole } from '../../base/index.js';
import { type Dataset, asKnownBy, loadDataset } from '../../data/index.js';
import { type Run, loadRun } from '../../model/index.js';
import { withRuntime } from '../options.js';
import { type ListOptions, Rankers, type UserList, listsOf, usersOf } from './lists.js';

/** What every task is told. */
export interface ScoringJob extends ListOptions {
  /** The run, as a task finds it. */
  readonly run: string;
  /** A data directory that grew from the run's. */
  readonly data: string | null;
  /** The version of the model, by which a task knows that it has the right one. */
  readonly version: string;
  readonly threads: number;
  readonly device: string;
}

const jobRule = isRecordOf({
  run: isText,
  data: isEither(isOneOf(null), isText),
  version: isText,
  threads: isWhole(1),
  device: isText,
  k: isWhole(1),
  includeSeen: isTrueOrFalse,
});

/** The schema of a line, in Spark's words. */
export const LINE_SCHEMA = '`user` STRING, `source` STRING, `items` ARRAY<STRUCT<`item`: STRING, `score`: DOUBLE>>';

/** What a task is told, as one word of a command line. */
export const encodeJob = (job: ScoringJob): string => Buffer.from(JSON.stringify(job)).toString('base64url');

/** Reads it back; anything else is a `UsageError`. */
export function decodeJob(word: string): ScoringJob {
  let job: unknown;
  try {
    job = JSON.parse(Buffer.from(word, 'base64url').toString('utf8'));
  } catch {
    job = null;
  }
  if (jobRule(job, '') !== null) throw new UsageError('this command is called by Spark: use sesrec recommend');
  return job as ScoringJob;
}

/** A run, with the data that its users are taken from. */
export async function loadScored(run: string, data: string | null): Promise<Run> {
  const trained = await loadRun(run);
  return data === null ? trained : { ...trained, dataset: asKnownBy(await loadDataset(data), trained.dataset) };
}

/** Does the work of one task. */
export async function scoringTask(job: ScoringJob, input: Readable, output: Writable): Promise<void> {
  const run = await loadScored(job.run, job.data);
  if (run.version !== job.version)
    throw new UsageError(`${job.run} is not the model that was asked for: is it the same on every machine?`);
  const { first, end } = usersOf(run.dataset);
  await withRuntime(job, async (runtime) => {
    const rankers = new Rankers(run, run.dataset, runtime);
    for await (const line of createInterface({ input })) {
      const stretch = stretchOf(line);
      if (stretch === null || stretch[0] < first || stretch[1] > end)
        throw new UsageError(`${JSON.stringify(line)} is no stretch of users`);
      for await (const lists of listsOf(run, runtime, stretch, job, new AbortController().signal, rankers))
        await write(output, lists.map((list) => lineOf(run.dataset, list)).join(''));
    }
  });
}

function stretchOf(line: string): readonly [number, number] | null {
  const [first, end, ...more] = line.split(' ').map(Number);
  const isStretch = more.length === 0 && Number.isSafeInteger(first) && Number.isSafeInteger(end);
  return isStretch ? [first as number, end as number] : null;
}

/** The JSON line of a list. */
export function lineOf(dataset: Dataset, { user, source, items }: UserList): string {
  const list = {
    user: dataset.users.ids[user],
    source,
    items: items.map(({ item, score }) => ({
      item: dataset.items.ids[item],
      score: Number.isFinite(score) ? score : String(score),
    })),
  };
  return `${inAscii(JSON.stringify(list))}\n`;
}

/** JSON without a character beyond ASCII. */
const inAscii = (json: string): string =>
  json.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

async function write(output: Writable, text: string): Promise<void> {
  if (!output.write(text)) await once(output, 'drain');
}
