/** `sesrec import`: makes a data directory from a log. Knows the options of each format; the data wing does the work. */
import { Command, Option } from 'commander';
import { FORMATS, TIME_UNITS, type TimeUnit, importInteractions, importLog, importS3rec } from '../../data/index.js';
import { importLive } from '../importing-live.js';
import { type DataFlags, reportData, withDataOptions, withLogOptions, withSplit } from '../making-data.js';
import { onSpark, type SparkFlags, withSparkOptions } from '../on-spark.js';

interface InteractionsFlags extends DataFlags {
  readonly items?: string;
  readonly users?: string;
  readonly userColumn: string;
  readonly itemColumn: string;
  readonly timeColumn: string;
  readonly timeUnit: TimeUnit;
  readonly typeColumn?: string;
  readonly constructSearches?: string;
}

/** The command, with one subcommand per kind of log. */
export function importCommand(): Command {
  const command = new Command('import').description('make a data directory from a log of events');

  withLogOptions(command.command('interactions'))
    .description('a table of user, item and time (tab- or comma-separated, plain or gzip), in the order of events')
    .argument('<file>', 'the table; its order is the order of events, whatever the times say')
    .option('--items <file>', 'a table of items: the item column, and attributes')
    .option('--users <file>', 'a table of users: the user column, and attributes')
    .option('--user-column <name>', 'the column of user ids', 'user_id')
    .option('--item-column <name>', 'the column of item ids', 'item_id')
    .option('--time-column <name>', 'the column of times, or none', 'timestamp')
    .addOption(new Option('--time-unit <unit>', 'how times are written').choices(TIME_UNITS).default('s'))
    .option('--type-column <name>', 'the column of the kind of event (default: all are alike)')
    .option('--construct-searches <column>', 'precede every event by a search for this column of the item table')
    .action(async (file: string, flags: InteractionsFlags) =>
      reportData(await importInteractions({ ...withSplit(flags), file }), flags),
    );

  withLogOptions(command.command('s3rec'))
    .description('the text format of S3-Rec: a line "user item item …" per user, plain or gzip')
    .argument('<sequences>', 'the file of sequences')
    .option('--attributes <json>', 'a JSON file {"item": [attribute, …]}')
    .action(async (sequences: string, flags: DataFlags & { attributes?: string }) =>
      reportData(await importS3rec({ ...withSplit(flags), sequences }), flags),
    );

  const logs = FORMATS.filter(({ name }) => name !== 's3rec');
  for (const { name, about } of [...logs, { name: 'auto', about: 'recognises the format, and says which and why' }])
    withSparkOptions(withLogOptions(command.command(name)), 'duckdb')
      .description(about)
      .argument('<files...>', 'files, folders, patterns, or - for standard input; plain, gzip or zstd')
      .action(
        async (files: string[], { engine, master, driverMemory, sparkConf, ...flags }: DataFlags & SparkFlags) => {
          const asked = withSplit(flags);
          const result = await onSpark({ engine, master, driverMemory, sparkConf }, async (spark) =>
            importLog({ ...asked, ...(spark ? { spark } : {}), format: name, files }),
          );
          reportData(result, flags);
        },
      );

  withDataOptions(command.command('live'))
    .description('what happened on a site that sesrec serve answers, from its store; it may go on answering')
    .argument('<store>', 'the live store: a directory, or redis://…')
    .argument('[files...]', 'logs of events from before, as for import events')
    .action(async (store: string, files: string[], flags: DataFlags) =>
      reportData(await importLive(store, files, withSplit(flags)), flags),
    );

  return command;
}
