/**
 * Lists for all users, made on Spark: every part of the users is a task, which streams through a process of this program. Knows
 * statements, and how tasks get the model; does not know how a list is made, nor how Spark does tasks again.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { UserError, messageOf, stageDirectory } from '../../base/index.js';
import { type Run, checkpointsOf } from '../../model/index.js';
import { type SparkSession, sparkIdentifier, sparkText, withSpark } from '../../spark/index.js';
import { type OnSpark, type WorkerFlags, taskCommand, toldByTask } from '../on-spark.js';
import type { ComputeFlags } from '../options.js';
import { type ListsManifest, originOf, refuseDirectory, writeListsManifest } from './directory.js';
import { type ListOptions, usersOf } from './lists.js';
import { expectedRows } from './local.js';
import { LINE_SCHEMA, encodeJob } from './worker.js';

export interface SparkScoring extends ListOptions, ComputeFlags, WorkerFlags {
  readonly out: string;
  readonly partUsers: number;
  readonly overwrite?: boolean;
  /** A data directory that grew from the run's. */
  readonly data?: string;
  /** Tasks read the run where it lies, instead of a copy that comes with the job. */
  readonly sharedRun?: boolean;
}

/** The name that the copy of the run has where tasks work. */
const COPY = 'sesrec-run';

/** Makes the lists of all users on Spark. A failure is a `UserError` in a line, and leaves nothing behind. */
export async function scoreOnSpark(run: Run, spark: OnSpark, scoring: SparkScoring): Promise<ListsManifest> {
  const { out, partUsers, overwrite = false } = scoring;
  const { first, end } = usersOf(run.dataset);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(out))
    throw new UserError(`--out ${out}: give a path on storage that all machines of the cluster see`);
  await refuseDirectory(out, overwrite);
  const rows = expectedRows(run.dataset, scoring);
  const manifest: ListsManifest = { ...originOf(run, scoring, end - first, partUsers), engine: 'spark', rows };
  const scratch = await mkdtemp(join(tmpdir(), 'sesrec-scoring-'));
  try {
    const isShared = scoring.sharedRun === true;
    const conf = isShared ? (spark.conf ?? []) : withArchive(spark.conf ?? [], `${await packed(run, scratch)}#${COPY}`);
    await stageDirectory(resolve(out), { overwrite }, async (staged) =>
      withSpark({ ...spark, name: 'sesrec recommend', work: scratch, conf }, async (session) => {
        await makeLists(session, run, { ...scoring, staged, run: isShared ? resolve(run.directory) : COPY });
        await checkLists(session, staged, rows);
        await removeMarks(staged);
        await writeListsManifest(staged, manifest);
      }),
    );
    return manifest;
  } catch (error) {
    throw toldByTask(error);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Settings with one more archive, beside those that they name. */
function withArchive(conf: readonly string[], archive: string): string[] {
  const name = 'spark.archives=';
  const others = conf.filter((setting) => setting.startsWith(name)).map((setting) => setting.slice(name.length));
  return [...conf.filter((setting) => !setting.startsWith(name)), `${name}${[...others, archive].join(',')}`];
}

/** What a task needs of a run, in an archive that Spark unpacks where the task works. */
async function packed(run: Run, folder: string): Promise<string> {
  const archive = join(folder, 'run.tar');
  const best = (await readdir(checkpointsOf(run.directory))).filter((name) => /^best(?:-|\.json$)/.test(name));
  const files = ['run.json', 'data', ...best.map((name) => `checkpoints/${name}`)];
  await promisify(execFile)('tar', ['-chf', archive, '-C', run.directory, ...files]).catch((error: unknown) => {
    throw new UserError(
      `cannot pack ${run.directory} for the executors (${messageOf(error).split('\n')[0]}): with --shared-run they read it where it is`,
      { cause: error },
    );
  });
  return archive;
}

async function makeLists(
  spark: SparkSession,
  { dataset, version }: Run,
  scoring: SparkScoring & { readonly staged: string; readonly run: string },
): Promise<void> {
  const { first, end } = usersOf(dataset);
  const { partUsers, k, includeSeen, device, threads = 1, run, data } = scoring;
  const parts = Math.ceil((end - first) / partUsers);
  const job = encodeJob({
    run,
    data: data === undefined ? null : resolve(data),
    version,
    threads,
    device,
    k,
    includeSeen,
  });
  const program = taskCommand(scoring, 'score-task', job);
  await spark.run(
    `INSERT OVERWRITE DIRECTORY ${sparkText(`file://${scoring.staged}`)} USING parquet
    SELECT list."user" AS "user", CAST(place + 1 AS INT) AS "rank", entry."item" AS "item", CAST(entry."score" AS FLOAT) AS "score", list."source" AS "source"
    FROM (
      SELECT from_json(line, ${sparkText(LINE_SCHEMA)}, map('mode', 'FAILFAST')) AS list FROM (
        SELECT TRANSFORM(stretch) USING ${sparkText(program)} AS (line STRING) FROM (
          SELECT concat_ws(' ', id * ${partUsers} + ${first}, least((id + 1) * ${partUsers} + ${first}, ${end})) AS stretch FROM range(0, ${parts}, 1, ${parts})
        )
      )
    ) LATERAL VIEW posexplode(list."items") AS place, entry`,
    `making the lists of ${end - first} users in ${parts} tasks`,
  );
}

/** Holds what was written to the number of rows that there must be. */
async function checkLists(spark: SparkSession, staged: string, expected: number): Promise<void> {
  const [found] = await spark.rows(
    `SELECT count(*) AS "rows" FROM parquet.${sparkIdentifier(`file://${staged}`)}`,
    'counting',
  );
  if (found?.['rows'] !== expected)
    throw new UserError(
      `Spark wrote ${String(found?.['rows'])} rows where ${expected} belong: is the model the same on every machine?`,
    );
}

/** Removes what Spark leaves beside the Parquet files: our own manifest says that they are all there. */
async function removeMarks(staged: string): Promise<void> {
  for (const name of await readdir(staged))
    if (!name.endsWith('.parquet') || name.startsWith('.')) await rm(join(staged, name), { recursive: true });
}
