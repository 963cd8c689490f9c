/** Spark for tests. Knows whether there is one; nothing of what is run on it. */
import { findSpark, type SparkOptions } from '../../src/spark/index.js';
import { IS_SOAK } from './soak.js';

const missing: string | false = await findSpark().then(
  () => false as const,
  (error: unknown) => (error as Error).message,
);

/** Of tests that need Spark: they skip, by name, where there is none. */
export const onSpark = { skip: missing };

/** Of those that take a minute or more of it. */
export const onSparkInFull = { skip: missing || (!IS_SOAK && 'in the full form only: npm run soak') };

/** A small machine, and data of which every stage has a few rows: compiling takes longer than working. */
export const SMALL = [
  'spark.ui.enabled=false',
  // a machine that is held still for minutes has lost nobody
  'spark.network.timeout=3600s',
  'spark.sql.shuffle.partitions=2',
  // joins as large tables have them
  'spark.sql.autoBroadcastJoinThreshold=-1',
  'spark.default.parallelism=2',
  'spark.sql.codegen.wholeStage=false',
  'spark.sql.codegen.factoryMode=NO_CODEGEN',
  ...['driver', 'executor'].map((of) => `spark.${of}.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC`),
];

/** How tests start an application. */
export const smallSpark = (work: string): SparkOptions => ({
  master: 'local[2]',
  name: 'sesrec test',
  work,
  conf: SMALL,
});
