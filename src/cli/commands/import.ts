/** `sesrec import`: makes a data directory from a log. Knows options and how counts are shown; the data wing does the work. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../../base/index.js';
import {
  type DataManifest,
  type ImportOptions,
  type SplitRequest,
  TIME_UNITS,
  importEvents,
  importInteractions,
  importS3rec,
  parseInstant,
  type ImportResult,
  type TimeUnit,
} from '../../data/index.js';
import { note, printJson, printText } from '../output.js';

interface CommonFlags {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly requireBoth?: boolean;
  readonly split: SplitRequest['strategy'];
  readonly validationFrom?: number;
  readonly testFrom?: number;
  readonly json?: boolean;
}

interface InteractionsFlags extends CommonFlags {
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

  withCommonOptions(command.command('interactions'))
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
      report(await importInteractions({ ...flags, ...splitOf(flags), file }), flags),
    );

  withCommonOptions(command.command('s3rec'))
    .description('the text format of S3-Rec: a line "user item item …" per user, plain or gzip')
    .argument('<sequences>', 'the file of sequences')
    .option('--attributes <json>', 'a JSON file {"item": [attribute, …]}')
    .action(async (sequences: string, flags: CommonFlags & { attributes?: string }) =>
      report(await importS3rec({ ...flags, ...splitOf(flags), sequences }), flags),
    );

  withCommonOptions(command.command('events'))
    .description('JSON lines of searches, clicks, actions, items and users (see docs/events.md), plain or gzip')
    .argument('<files...>', 'the files of events')
    .action(async (files: string[], flags: CommonFlags) =>
      report(await importEvents({ ...flags, ...splitOf(flags), files }), flags),
    );

  return command;
}

function withCommonOptions(command: Command): Command {
  return command
    .requiredOption('--out <directory>', 'the data directory to make')
    .option('--overwrite', 'replace the data directory if it exists')
    .option('--require-both', 'keep only users who have both searches and feed events')
    .addOption(
      new Option(
        '--split <strategy>',
        "who is held out: leave-one-out, the last two feed events of every user (the paper's); global-time, all that happens from a time on (for real logs)",
      )
        .choices(['leave-one-out', 'global-time'])
        .default('leave-one-out'),
    )
    .option(
      '--validation-from <time>',
      'with --split global-time: training ends here; ISO 8601, or milliseconds since 1970 (default: when 80 % of the feed events have passed)',
      instant,
    )
    .option(
      '--test-from <time>',
      'with --split global-time: validation ends here (default: when 90 % have passed)',
      instant,
    )
    .option('--json', 'print the manifest as JSON');
}

function instant(text: string): number {
  const time = parseInstant(text);
  if (time === null)
    throw new InvalidArgumentError(
      'give a time such as 2026-11-23 or 2026-11-23T10:00:00Z, or milliseconds since 1970.',
    );
  return time;
}

function splitOf({ split, validationFrom, testFrom }: CommonFlags): Required<Pick<ImportOptions, 'split'>> {
  if (split === 'global-time') {
    const cuts = {
      ...(validationFrom === undefined ? {} : { validationFrom }),
      ...(testFrom === undefined ? {} : { testFrom }),
    };
    return { split: { strategy: split, ...cuts } };
  }
  if (validationFrom !== undefined || testFrom !== undefined)
    throw new UsageError('--validation-from and --test-from belong to --split global-time: leave-one-out has no times');
  return { split: { strategy: split } };
}

function report({ manifest, warnings }: ImportResult, { out, json }: CommonFlags): void {
  for (const warning of warnings) note(`warning: ${warning}`);
  if (json) {
    printJson({ out, warnings, manifest });
    return;
  }
  const titles = ['users', 'items', 'feed', 'searches'] as const;
  const rows = [
    ['', ...titles],
    ...manifest.counts.map((step) => [step.step, ...titles.map((title) => step[title].toLocaleString('en-US'))]),
  ];
  const widths = titles.map((_, i) => Math.max(...rows.map((row) => (row[i + 1] as string).length)));
  const first = Math.max(...rows.map(([step]) => (step as string).length));
  for (const [step, ...cells] of rows)
    printText(
      [(step as string).padEnd(first), ...cells.map((cell, i) => cell.padStart(widths[i] as number))].join('  '),
    );
  const { queries, words, sources } = manifest.sizes;
  printText(
    `vocabulary of the searches before the ${manifest.split.strategy === 'leave-one-out' ? 'held-out events' : 'validation'}: ${queries - 2} queries, ${words - 2} words, ${sources - 2} sources`,
  );
  const cuts = cutsText(manifest.split);
  if (cuts !== null) printText(cuts);
  printText(`${out}  ${manifest.hash}`);
}

function cutsText(split: DataManifest['split']): string | null {
  if (split.strategy === 'leave-one-out') return null;
  const iso = (time: number): string => new Date(time).toISOString();
  return `split global-time: validation from ${iso(split.validationFrom)}, test from ${iso(split.testFrom)}`;
}
