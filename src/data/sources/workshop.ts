/** Where an import works: its folders, and its engine. Knows who the engines are; does not know what is asked of them. */
import { resolve } from 'node:path';
import { withSpark, type SparkSession } from '../../spark/index.js';
import { SparkEngine } from '../cluster/engine.js';
import { stageOnSpark } from '../cluster/stage.js';
import type { Database } from '../database.js';
import type { Engine } from '../engine.js';
import type { Format } from './formats/format.js';
import type { SparkImport } from './import-options.js';
import { stage, type Assigned } from './stage.js';

/** Who does the work. */
export interface Workplace {
  /** Where entries are settled and tables made: the database, or Spark. */
  readonly engine: Engine;
  /** Reads files of a format into the engine's table `staged`; returns how many records they hold, null where the parser alone knows. */
  readonly stage: (format: Format, files: readonly Assigned[]) => Promise<number | null>;
}

/** A place to work in, beside the files of the data directory, that is removed at the end. */
export interface Workshop extends Workplace {
  readonly database: Database;
  /** The directory that becomes the data directory. */
  readonly directory: string;
  /** For temporary files. */
  readonly temporary: string;
  /** The table `earlier_ids` has ids of events of the data directory that grows. */
  readonly hasEarlierIds: boolean;
}

/** Does some work on Spark, or, without it, on the database; `memory` is what each reader of the log may use there, in megabytes. */
export async function onEngine<T>(
  database: Database,
  temporary: string,
  importer: string,
  { spark, memory }: { readonly spark: SparkImport | undefined; readonly memory: number },
  work: (on: Workplace) => Promise<T>,
): Promise<T> {
  if (!spark) return work({ engine: database, stage: async (format, files) => stage(database, format, files) });
  const folder = resolve(temporary, 'spark');
  const { unitBytes } = spark;
  const inSession = async (session: SparkSession): Promise<T> =>
    SparkEngine.with(session, database, folder, async (engine) =>
      work({ engine, stage: async (format, files) => stageOnSpark(engine, format, files, { memory, unitBytes }) }),
    );
  if ('session' in spark) return inSession(spark.session);
  return withSpark({ ...spark, name: `sesrec import ${importer}`, work: folder }, inSession);
}
