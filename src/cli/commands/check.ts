/** `sesrec check`: what a log or a data directory holds, and what is wrong with it. Knows how a report is shown; the data wing does the work. */
import { Command, Option } from 'commander';
import { UserError, counted, countOf } from '../../base/index.js';
import { type CheckReport, FORMATS, checkLog } from '../../data/index.js';
import { readText } from '../making-data.js';
import { dataDirectoryOf, jsonOption } from '../options.js';
import { printJson, printText } from '../output.js';
import { textTable } from '../table.js';

interface CheckFlags {
  readonly format: string;
  readonly failOn: 'error' | 'warning' | 'never';
  readonly json?: boolean;
}

export function checkCommand(): Command {
  return new Command('check')
    .description('say what a log or a data directory holds, and what is wrong with it: exit code 1 if there are errors')
    .argument('<files...>', 'files, folders, patterns, or - for standard input; or one data directory or run')
    .addOption(
      new Option('--format <name>', 'the format of the log')
        .choices(['auto', ...FORMATS.map(({ name }) => name)])
        .default('auto'),
    )
    .addOption(
      new Option('--fail-on <severity>', 'what makes the exit code 1')
        .choices(['error', 'warning', 'never'])
        .default('error'),
    )
    .addOption(jsonOption())
    .action(async (files: string[], { format, failOn, json }: CheckFlags) => {
      const report = await checkLog({ files: files.map(dataDirectoryOf), format });
      if (json) printJson(report);
      else printText(reportText(report));
      const severe = report.findings.filter(
        ({ severity }) => severity === 'error' || (severity === 'warning' && failOn === 'warning'),
      );
      if (failOn !== 'never' && severe.length > 0)
        throw new UserError(
          `${countOf(severe.length, 'finding')} of ${report.files.join(', ')} would spoil what is learnt from it`,
        );
    });
}

function reportText({ files, format, recognised, read, facts, timeUnit, findings }: CheckReport): string {
  const share = (part: number, of: number): string => (of === 0 ? '–' : `${((100 * part) / of).toFixed(1)} %`);
  const { searches } = facts;
  const lines = [
    `${files.length > 3 ? `${counted(files.length)} files` : files.join(', ')}: ${recognised ?? format}`,
    ...(read ? [readText(read)] : []),
    '',
    textTable(
      [
        ['users', counted(facts.users)],
        ['items', counted(facts.items)],
        ['queries', counted(facts.queries)],
        ['feed events', counted(facts.feed)],
        ['searches', counted(searches)],
        ['clicks on results', counted(facts.clicks)],
        ['from', facts.from ?? '–'],
        ['to', facts.to ?? '–'],
        ['times are', timeUnit],
        ...(facts.eventsWithoutTime > 0 ? [['events without a time', counted(facts.eventsWithoutTime)]] : []),
        ['searches with a click', share(facts.searchesWithClick, searches)],
        ['typed, or from history', share(facts.spontaneousSearches, searches)],
        ['suggested by the site', share(facts.passiveSearches, searches)],
        ['users who never search', share(facts.usersWhoNeverSearch, facts.users)],
        ['users who only search', share(facts.usersWhoOnlySearch, facts.users)],
      ],
      '<>',
    ),
    '',
    `searches by source: ${
      Object.entries(facts.sources)
        .map(([source, count]) => `${source} ${counted(count)}`)
        .join(', ') || 'none'
    }`,
    '',
    ...findings.flatMap(({ severity, what, count, example, advice }) => [
      `${severity}: ${what}: ${counted(count)}`,
      `  for example ${example.file === null ? `event ${example.line}` : `${example.file}, line ${example.line}`}: ${example.text}`,
      `  ${advice}`,
    ]),
  ];
  if (findings.length === 0) lines.push('nothing is wrong that we know to look for');
  return lines.join('\n');
}
