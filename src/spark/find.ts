/** Where Spark is on this machine. Knows SPARK_HOME, PATH and Java; does not know what Spark is asked to do. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { UserError } from '../base/index.js';

/** A Spark that can be started. */
export interface SparkHome {
  /** The path of `spark-sql`. */
  readonly sparkSql: string;
}

const isProgram = async (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

async function onPath(name: string, path: string | undefined): Promise<string | null> {
  for (const folder of (path ?? '').split(delimiter).filter((part) => part !== ''))
    if (await isProgram(join(folder, name))) return join(folder, name);
  return null;
}

/**
 * Finds `spark-sql`: in SPARK_HOME, then on PATH; and Java, which it needs: in JAVA_HOME, then on PATH. What is missing is a
 * `UserError`.
 */
export async function findSpark(environment: NodeJS.ProcessEnv = process.env): Promise<SparkHome> {
  const home = environment['SPARK_HOME'] ?? '';
  const inHome = join(home, 'bin', 'spark-sql');
  if (home !== '' && !(await isProgram(inHome)))
    throw new UserError(
      `SPARK_HOME is ${home}, and there is no bin/spark-sql in it: set it to the folder of Spark 4, or unset it`,
    );
  const sparkSql = home === '' ? await onPath('spark-sql', environment['PATH']) : inHome;
  if (sparkSql === null)
    throw new UserError(
      'there is no Spark here: set SPARK_HOME, or put spark-sql on PATH (pip install pyspark brings it)',
    );
  const javaHome = environment['JAVA_HOME'] ?? '';
  const java = javaHome === '' ? await onPath('java', environment['PATH']) : join(javaHome, 'bin', 'java');
  if (java === null || !(await isProgram(java)))
    throw new UserError(
      javaHome === ''
        ? 'Spark needs Java, and there is none: install Java 17 or later, or set JAVA_HOME'
        : `JAVA_HOME is ${javaHome}, and there is no bin/java in it: set it to the folder of Java 17 or later`,
    );
  return { sparkSql };
}
