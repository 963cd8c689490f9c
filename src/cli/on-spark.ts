/**
 * Options of commands that can work on a Spark cluster, and how such work is shown and stopped. Knows wording and signals; does not
 * know what is done on the cluster.
 */
import { type Command, Option } from 'commander';
import { UsageError } from '../base/index.js';
import type { SparkOptions } from '../spark/index.js';
import { interruptible } from './interruption.js';
import { note } from './output.js';
import { progressLine } from './progress.js';

/** The flags of such a command. */
export interface SparkFlags {
  readonly engine?: string | undefined;
  readonly master?: string | undefined;
  readonly driverMemory?: string | undefined;
  readonly sparkConf?: readonly string[] | undefined;
}

/** What such work is handed. */
export type OnSpark = Pick<SparkOptions, 'master' | 'conf' | 'driverMemory' | 'signal' | 'onProgress'>;

/** Adds the options. `otherwise` is the engine that works without them. */
export function withSparkOptions(command: Command, otherwise: string): Command {
  return command
    .addOption(
      new Option('--engine <engine>', `what does the work: ${otherwise}, on this machine, or spark, on a cluster`)
        .choices([otherwise, 'spark'])
        .default(otherwise),
    )
    .option(
      '--master <url>',
      'with --engine spark: the master, such as spark://host:7077, yarn, k8s://… or local[4] (SPARK_HOME, or spark-sql on PATH, says where Spark is)',
    )
    .option('--driver-memory <size>', "with --engine spark: memory of Spark's driver, such as 4g (default: Spark's)")
    .option(
      '--spark-conf <name=value>',
      'with --engine spark: a setting of Spark, such as spark.executor.memory=8g; again for another',
      (setting: string, settings: readonly string[] | undefined) => [...(settings ?? []), setting],
    );
}

/** Does some work, on Spark if the flags say so; then Ctrl-C ends the application, and then the command. */
export async function onSpark<Result>(
  { engine, master, driverMemory, sparkConf }: SparkFlags,
  work: (spark: OnSpark | undefined) => Promise<Result>,
): Promise<Result> {
  if (engine !== 'spark') {
    if (master !== undefined || driverMemory !== undefined || sparkConf !== undefined)
      throw new UsageError('--master, --driver-memory and --spark-conf belong to --engine spark: add it');
    return work(undefined);
  }
  if (master === undefined)
    throw new UsageError(
      '--engine spark needs --master: spark://host:7077, yarn, k8s://… or local[4] for this machine',
    );
  const progress = progressLine();
  let last = '';
  const onProgress = (text: string): void => {
    // a line for every step, and in a terminal one that rewrites itself for what the step is at
    const [, step = ''] = text.split(': ');
    if (!process.stderr.isTTY && step !== '' && step !== last) note(`Spark: ${step}`);
    last = step;
    progress.show(text);
  };
  const settings = {
    master,
    onProgress,
    ...(driverMemory ? { driverMemory } : {}),
    ...(sparkConf ? { conf: sparkConf } : {}),
  };
  try {
    return await interruptible(async (signal) => work({ ...settings, signal }));
  } finally {
    progress.clear();
  }
}
