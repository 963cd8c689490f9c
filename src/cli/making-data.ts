/**
 * What every command that makes a data directory has in common: options, the split, and how counts are shown. Knows
 * wording; does not know where the events come from.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UsageError, countOf } from '../base/index.js';
import {
  type DataManifest,
  type ImportOptions,
  type ImportResult,
  type ReadCounts,
  type SplitRequest,
  parseInstant,
} from '../data/index.js';
import { wholeNumber } from './options.js';
import { note, printJson, printText } from './output.js';

/** The options of such a command. */
export interface DataFlags {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly requireBoth?: boolean;
  readonly kCore?: number;
  readonly strict?: boolean;
  readonly dropRepeats?: boolean;
  readonly append?: string;
  readonly threads?: number;
  readonly memory?: number;
  readonly split?: SplitRequest['strategy'];
  readonly validationFrom?: number;
  readonly testFrom?: number;
  readonly newItems?: true;
  readonly json?: boolean;
}

/** Adds the options of a command that reads a log. */
export function withLogOptions(command: Command): Command {
  return withDataOptions(command)
    .option(
      '--append <data>',
      'grow from this data directory, which stays as it is: its events and the new ones, its ids with the same indices',
    )
    .option(
      '--strict',
      'refuse the log at the first record that is wrong, instead of putting such records into quarantine',
    )
    .option('--drop-repeats', 'leave out events without an id that equal an earlier one in everything')
    .addOption(
      new Option(
        '--k-core <number>',
        'keep only users and items with at least so many feed events, again and again until that holds',
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      new Option(
        '--threads <number>',
        'threads of the database (default: 2); the result does not depend on it',
      ).argParser(wholeNumber(1, 1024)),
    )
    .addOption(
      new Option(
        '--memory <megabytes>',
        'what the database may keep in memory (default: 1500); the rest goes to disk',
      ).argParser(wholeNumber(100)),
    );
}

/** Adds the options. */
export function withDataOptions(command: Command): Command {
  return command
    .requiredOption('--out <directory>', 'the data directory to make')
    .option('--overwrite', 'replace the data directory if it exists')
    .option('--require-both', 'keep only users who have both searches and feed events')
    .addOption(
      new Option(
        '--split <strategy>',
        "who is held out: leave-one-out, the last two feed events of every user (the paper's); global-time, all that happens from a time on (for real logs) (default: leave-one-out, with --append as those data are divided)",
      ).choices(['leave-one-out', 'global-time']),
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
    .option(
      '--new-items',
      'with --split global-time: items of the item table that nobody met before validation are candidates and targets, too, known by their attributes',
    )
    .option('--json', 'print out, warnings and the manifest as one JSON document');
}

function instant(text: string): number {
  const time = parseInstant(text);
  if (time === null)
    throw new InvalidArgumentError(
      'give a time such as 2026-11-23 or 2026-11-23T10:00:00Z, or milliseconds since 1970.',
    );
  return time;
}

/** The flags with the split that they ask for, if any, in place of the name of its strategy. */
export const withSplit = <Flags extends DataFlags>({
  split,
  ...flags
}: Flags): Omit<Flags, 'split'> & Pick<ImportOptions, 'split'> => ({ ...flags, ...splitRequest(flags, split) });

function splitRequest(
  { validationFrom, testFrom, newItems }: Omit<DataFlags, 'split'>,
  split: DataFlags['split'],
): Pick<ImportOptions, 'split'> {
  if (split === 'global-time') {
    const cuts = {
      ...(validationFrom === undefined ? {} : { validationFrom }),
      ...(testFrom === undefined ? {} : { testFrom }),
      ...(newItems ? { newItems } : {}),
    };
    return { split: { strategy: split, ...cuts } };
  }
  if (validationFrom !== undefined || testFrom !== undefined)
    throw new UsageError('--validation-from and --test-from belong to --split global-time: leave-one-out has no times');
  if (newItems)
    throw new UsageError('--new-items belongs to --split global-time: leave-one-out knows every item of the table');
  return split === undefined ? {} : { split: { strategy: split } };
}

/** Tells what was made. */
export function reportData({ manifest, warnings }: ImportResult, { out, json }: DataFlags): void {
  for (const warning of warnings) note(`warning: ${warning}`);
  if (json) {
    printJson({ out, warnings, manifest });
    return;
  }
  const titles = ['users', 'items', 'feed', 'searches', 'queries'] as const;
  const rows = [
    ['', ...titles],
    ...manifest.counts.map((step) => [step.step, ...titles.map((title) => step[title]?.toLocaleString('en-US') ?? '')]),
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
  const cuts = cutsText(manifest);
  if (cuts !== null) printText(`split global-time: ${cuts}`);
  printText(`${out}  ${manifest.hash}`);
}

/** What became of the records of a log, in a line. */
export function readText({ records, read, accepted, rejected, duplicates, ignored }: ReadCounts): string {
  const [all, ...others] = [read, accepted, rejected, duplicates, ignored].map((count) =>
    count.toLocaleString('en-US'),
  );
  const entries = read === records ? `${all} records` : `${all} entries in ${records.toLocaleString('en-US')} records`;
  return `read ${entries}: ${others[0]} accepted, ${others[1]} rejected, ${others[2]} duplicates, ${others[3]} ignored`;
}

/** The cuts of a split in words; null where it has none. */
export function cutsText({ split, newItems = 0 }: Pick<DataManifest, 'split' | 'newItems'>): string | null {
  if (split.strategy === 'leave-one-out') return null;
  const iso = (time: number): string => new Date(time).toISOString();
  const also = split.newItems ? `, with ${countOf(newItems, 'new item')}` : '';
  return `validation from ${iso(split.validationFrom)}, test from ${iso(split.testFrom)}${also}`;
}
