/**
 * What every `sesrec analyse NAME` is alike in: an argument, options, and findings that are printed or kept. Knows how findings are
 * told and where they are kept; does not know any one analysis.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, type Option } from 'commander';
import { writeAtomically } from '../../base/index.js';
import { jsonOption } from '../options.js';
import { note, printJson, printText } from '../output.js';

type Cell = string | number | null;

/** What an analysis found, in four forms. */
export interface Findings {
  /** Everything, with its protocol: NAME.json, and what --json prints. */
  readonly document: object;
  /** The numbers behind the figure, titles first: NAME.csv. Null: not known. */
  readonly rows: readonly (readonly Cell[])[];
  /** NAME.svg. */
  readonly figure: string;
  /** Tables and a paragraph with the protocol: NAME.md, and what is printed. */
  readonly text: string;
}

/** One analysis. `Flags`: what its options become. */
export interface Analysis<Flags> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly argument: readonly [name: string, description: string];
  readonly options: readonly Option[];
  /** Works it out. `out` is where findings will be kept, and where long work may keep what it goes on from. */
  readonly find: (given: string, flags: Flags & KeepingFlags, command: Command) => Promise<Findings>;
}

/** The options that all analyses have. */
export interface KeepingFlags {
  readonly out?: string;
  readonly json?: boolean;
}

/** The command of an analysis. */
export function analysisCommand<Flags extends object>({
  name,
  summary,
  argument,
  options,
  find,
}: Analysis<Flags>): Command {
  const command = new Command(name)
    .description(summary)
    .argument(`<${argument[0]}>`, argument[1])
    .option('--out <directory>', `keep the findings there: ${name}.json, .csv, .svg and .md`)
    .addOption(jsonOption());
  for (const option of options) command.addOption(option);
  return command.action(async (given: string, flags: Flags & KeepingFlags) => {
    const findings = await find(given, flags, command);
    if (flags.out !== undefined) await keep(flags.out, name, findings);
    if (flags.json) printJson(findings.document);
    else printText(findings.text);
  });
}

async function keep(directory: string, name: string, { document, rows, figure, text }: Findings): Promise<void> {
  await mkdir(directory, { recursive: true });
  const contents = { svg: figure, csv: csvOf(rows), md: `${text}\n`, json: `${JSON.stringify(document, null, 2)}\n` };
  for (const [kind, content] of Object.entries(contents))
    await writeAtomically(join(directory, `${name}.${kind}`), content);
  note(`kept: ${join(directory, name)}.{json,csv,svg,md}`);
}

/** Comma-separated values (RFC 4180, but lines end as everywhere here). */
export function csvOf(rows: Findings['rows']): string {
  const cellOf = (cell: Cell): string => {
    const text = cell === null ? '' : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cellOf).join(',')}\n`).join('');
}
