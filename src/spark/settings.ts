/** How an application is started, and what of it nobody may choose. Knows settings; does not know the shell. */
import { join, resolve } from 'node:path';
import { UsageError } from '../base/index.js';

/** How an application is started. */
export interface SparkOptions {
  /** The master: `local[2]`, `local-cluster[2,1,1024]`, `spark://host:7077`, `yarn`, `k8s://…`. */
  readonly master: string;
  /** The name of the application. */
  readonly name: string;
  /** A folder for its tables. Every machine of the cluster must see it under this path. */
  readonly work: string;
  /** Settings of Spark, each `key=value`. */
  readonly conf?: readonly string[];
  /** Memory of the driver, such as `4g`. Default: Spark's. */
  readonly driverMemory?: string;
  /** Ends the application; what waits for it ends with an `InterruptedError`. */
  readonly signal?: AbortSignal;
  /** Told in words what the application is doing. */
  readonly onProgress?: (text: string) => void;
}

/** What makes statements mean the same everywhere. */
const FIXED: Readonly<Record<string, string>> = {
  'spark.sql.catalogImplementation': 'in-memory',
  'spark.sql.session.timeZone': 'UTC',
  'spark.sql.ansi.enabled': 'true',
  'spark.sql.ansi.doubleQuotedIdentifiers': 'true',
  'spark.sql.ansi.enforceReservedKeywords': 'false',
  'spark.sql.caseSensitive': 'false',
  'spark.sql.defaultCatalog': 'spark_catalog',
  'spark.sql.sources.default': 'parquet',
  'spark.sql.storeAssignmentPolicy': 'ANSI',
  'spark.sql.variable.substitute': 'false',
  'spark.sql.parser.escapedStringLiterals': 'false',
  'spark.sql.cli.print.header': 'false',
  'spark.ui.showConsoleProgress': 'true',
};
const WAREHOUSE = 'spark.sql.warehouse.dir';

/** The settings as arguments. One that we set ourselves, and one that is none, is a `UsageError`. */
export function settingsOf({ conf = [], work }: SparkOptions): string[] {
  const settings: [string, string][] = [...Object.entries(FIXED), [WAREHOUSE, join(resolve(work), 'warehouse')]];
  for (const setting of conf) {
    const equals = setting.indexOf('=');
    const name = setting.slice(0, equals);
    if (equals < 1 || !name.startsWith('spark.'))
      throw new UsageError(`--spark-conf ${setting}: write it as spark.NAME=VALUE`);
    if (name in FIXED || name === WAREHOUSE)
      throw new UsageError(`--spark-conf ${name}: the result depends on it, so it cannot be chosen`);
    settings.push([name, setting.slice(equals + 1)]);
  }
  return settings.flatMap(([name, value]) => ['--conf', `${name}=${value}`]);
}
