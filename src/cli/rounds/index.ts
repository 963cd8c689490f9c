/** Where the workers of rounds are: on this machine, one after another, or tasks of Spark. Knows statements; does not know what a round is for. */
import { open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type SparkSession, sparkText, withSpark } from '../../spark/index.js';
import { type RunRound, type Trained, roundsHere } from '../../train/index.js';
import { type OnSpark, type WorkerFlags, taskCommand, toldByTask } from '../on-spark.js';
import { type ComputeFlags, withRuntime } from '../options.js';
import { readRound, writeRound } from './task.js';

/** How a session has its rounds worked. */
export interface RoundSession extends ComputeFlags {
  /** The run, on storage that all machines see where there is more than one. */
  readonly out: string;
  /** Spark, and how its tasks find the program; this machine alone unless given. */
  readonly spark?: OnSpark & WorkerFlags;
}

/** Lends something that has rounds worked, and ends it, whatever happens. */
export async function withRounds<Result>(
  session: RoundSession,
  trained: Trained,
  work: (runRound: RunRound) => Promise<Result>,
): Promise<Result> {
  const { spark, out } = session;
  if (!spark) return withRuntime(session, async (runtime) => work(roundsHere(trained, runtime)));
  const folder = join(resolve(out), 'rounds');
  try {
    await rm(folder, { recursive: true, force: true }); // what a killed process left
    return await withSpark({ ...spark, name: 'sesrec train', work: join(folder, 'spark') }, async (application) =>
      work(roundsOnSpark(application, { ...session, spark }, folder)),
    );
  } catch (error) {
    throw toldByTask(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Rounds as statements: a task for every share, whose blocks the shuffle brings together by key to be added up. */
function roundsOnSpark(
  application: SparkSession,
  session: RoundSession & { readonly spark: WorkerFlags },
  folder: string,
): RunRound {
  const { spark: worker, out } = session;
  return async (round, start, take) => {
    const { epoch, shares } = round;
    const own = join(folder, `${epoch}-${shares[0]?.[0] ?? 0}`);
    const sums = join(own, 'sums');
    await writeRound(own, out, round, start, session);
    const workers = shares.length;
    await application.run(
      `INSERT OVERWRITE DIRECTORY ${sparkText(`file://${sums}`)} USING text
      SELECT TRANSFORM(line) USING ${sparkText(taskCommand(worker, 'sum-task', own))} AS (line STRING) FROM (
        SELECT line FROM (
          SELECT TRANSFORM(worker) USING ${sparkText(taskCommand(worker, 'share-task', own))} AS (line STRING)
          FROM (SELECT CAST(id AS STRING) AS worker FROM range(0, ${workers}, 1, ${workers}))
        ) DISTRIBUTE BY substring_index(line, ' ', 1)
        SORT BY substring_index(line, ' ', 1), CAST(split_part(line, ' ', 2) AS INT)
      )`,
      `epoch ${epoch + 1}, from step ${(shares[0]?.[0] ?? 0) + 1}`,
    );
    const reports = await readRound(linesOf(sums), take);
    await rm(own, { recursive: true });
    return reports;
  };
}

/** The lines of the files that Spark left in a folder; their files may be larger than any text. */
async function* linesOf(folder: string): AsyncGenerator<string> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('part-')) continue;
    await using file = await open(join(folder, name));
    yield* file.readLines();
  }
}
