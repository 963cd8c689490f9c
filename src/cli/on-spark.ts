/**
 * Options of commands that can work on a Spark cluster, and how such work is shown and stopped. Knows wording and signals; does not
 * know what is done on the cluster.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { UsageError } from '../base/index.js';
import { SparkError, type SparkOptions } from '../spark/index.js';
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

/** How tasks find the program. */
export interface WorkerFlags {
  readonly node: string;
  readonly package: string;
}

/** Adds the options of work that streams through processes of this program. */
export function withWorkerOptions(command: Command): Command {
  return command
    .option('--node <path>', 'with --engine spark: where Node.js is on the machines of the cluster', process.execPath)
    .option(
      '--package <folder>',
      'with --engine spark: where this package is on the machines of the cluster',
      fileURLToPath(new URL('../../..', import.meta.url)).replace(/[/\\]$/, ''),
    );
}

/** The command line by which bash calls this program on a machine of the cluster. */
export function taskCommand(worker: WorkerFlags, ...words: readonly string[]): string {
  const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  return [worker.node, join(worker.package, 'bin', 'sesrec.js'), ...words].map(quoted).join(' ');
}

/** A failure of such a process in its own words, where it had any. */
export function toldByTask(error: unknown): unknown {
  if (!(error instanceof SparkError)) return error;
  const log = /; its log is .*$/.exec(error.message)?.[0] ?? '';
  const own = /Error: sesrec: (.+?)(?:; its log is .*)?$/.exec(error.message)?.[1];
  if (own !== undefined) return new SparkError(`a task failed: ${own}${log}`, { cause: error });
  if (/exited with status 127/.test(error.message))
    return new SparkError(`the machines of the cluster do not find Node.js: --node says where it is there${log}`, {
      cause: error,
    });
  return error;
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
