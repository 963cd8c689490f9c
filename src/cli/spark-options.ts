/** Options of commands whose work may be done on Spark. Knows wording; does not know the work. */
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';

/** How work is done on Spark. */
export interface SparkFlags {
  readonly master?: string;
  readonly sparkConf: readonly string[];
  readonly driverMemory?: string;
}

/** How tasks find the program. */
export interface WorkerFlags {
  readonly node: string;
  readonly package: string;
}

export const masterOption = (): Option =>
  new Option('--master <url>', 'with --engine spark: the master, such as spark://host:7077, yarn or local[4]');
export const sparkConfOption = (): Option =>
  new Option('--spark-conf <name=value>', 'with --engine spark: a setting of Spark (repeatable)')
    .argParser((value: string, all: readonly string[]) => [...all, value])
    .default([] as readonly string[], 'none');
export const driverMemoryOption = (): Option =>
  new Option('--driver-memory <size>', "with --engine spark: memory of the driver, such as 4g (default: Spark's)");
export const nodeOption = (): Option =>
  new Option('--node <path>', 'with --engine spark: Node.js on the machines of the cluster').default(
    process.execPath,
    "this one's",
  );
export const packageOption = (): Option =>
  new Option('--package <folder>', 'with --engine spark: this package on the machines of the cluster').default(
    fileURLToPath(new URL('../../..', import.meta.url)).replace(/[/\\]$/, ''),
    'where it is here',
  );
