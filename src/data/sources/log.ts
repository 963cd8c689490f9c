/**
 * Imports logs of a mapped format. Knows that formats have names and that `auto` recognises them; does not know what is in them.
 */
import { basename } from 'node:path';
import { UsageError, UserError, countOf } from '../../base/index.js';
import { refuseParser } from '../cluster/stage.js';
import type { Database } from '../database.js';
import type { Generator } from '../schema.js';
import { FORMATS } from './formats/index.js';
import { events } from './formats/events.js';
import type { Format } from './formats/format.js';
import {
  fillFromFormat,
  nothingIn,
  refuseNothing,
  runImport,
  type FillOptions,
  type FilledTables,
  type ImportOptions,
  type ImportResult,
  type Workshop,
} from './import.js';
import type { WrittenLog } from './import-options.js';
import type { Input } from './input.js';
import { expandInputs } from './which-files.js';
import { type Sample, describe, fits, isEmpty, sampleOf } from './recognise.js';

/** Options of `importLog`. */
export interface LogOptions extends ImportOptions {
  /** The name of a format, or `auto`: the one that every file is recognised as. */
  readonly format: string;
  /** Files, folders, patterns, or `-` for standard input; where times are equal, earlier files and earlier lines come first. */
  readonly files: readonly string[];
}

/** Options of `importEvents`. */
export type EventsOptions = Omit<LogOptions, 'format'>;

/** Imports a log into a data directory. */
export async function importLog({ format, files, ...options }: LogOptions): Promise<ImportResult> {
  if (files.length === 0 && !options.live) throw new UserError('there is no file to import: name at least one');
  const known = formatNamed(format);
  if (options.spark && known) refuseParser(known);
  let written: WrittenLog | undefined;
  return runImport(
    format,
    async (temporary) => {
      const inputs = await expandInputs(files, temporary);
      written = await options.live?.write(temporary);
      return written ? [...inputs, { name: basename(written.path), path: written.path }] : inputs;
    },
    options,
    known?.caveat === undefined ? {} : { caveat: known.caveat },
    async (workshop, inputs) => {
      const recognised = known ? { format: known, why: null } : await recogniseFormat(workshop.database, inputs);
      if (options.append !== undefined && recognised.format.namesNobody)
        throw new UsageError(
          `--append is not there for ${recognised.format.name}: its users have no ids, and would be taken for others; import all files at once`,
        );
      const filled = await fill(workshop, recognised.format, inputs, { ...options, written });
      if (recognised.why === null) return filled;
      return { ...filled, recognised: recognised.format.name, warnings: [recognised.why, ...filled.warnings] };
    },
  );
}

/** The format of that name; null for `auto`. Another name is a `UsageError`. */
export function formatNamed(name: string): Format | null {
  const known = FORMATS.find((format) => format.name === name);
  if (!known && name !== 'auto')
    throw new UsageError(`there is no format ${name}: use ${FORMATS.map((format) => format.name).join(', ')} or auto`);
  return known ?? null;
}

/** Imports event logs into a data directory. */
export async function importEvents(options: EventsOptions): Promise<ImportResult> {
  return importLog({ ...options, format: 'events' });
}

/**
 * Makes a data directory of a log that `write` puts into it first and that stays there: for logs that a generator made.
 * `write` is given the directory and returns the files to read.
 */
export async function importGenerated(
  options: ImportOptions,
  generator: Generator,
  write: (directory: string) => Promise<readonly string[]>,
): Promise<ImportResult> {
  return runImport(
    generator.name,
    [],
    options,
    {},
    async (workshop) => {
      const files = await write(workshop.directory);
      const inputs = files.map((path) => ({ name: path, path }));
      return { ...(await fill(workshop, events, inputs, options)), files };
    },
    generator,
  );
}

async function fill(
  workshop: Workshop,
  format: Format,
  inputs: readonly Input[],
  options: FillOptions,
): Promise<FilledTables> {
  const filled = await fillFromFormat(
    workshop,
    format,
    inputs.map((input) => ({ input })),
    options,
  );
  const names = inputs.map(({ name }) => name);
  await refuseNothing(
    workshop.engine,
    names,
    filled.read.duplicates > 0 && workshop.hasEarlierIds
      ? `${names.join(', ')}: nothing is new, every event came with the data that is to grow`
      : nothingIn(names, format, filled.read),
  );
  return filled;
}

interface Candidate {
  readonly format: Format;
  /** The files, by what they are recognised by. */
  readonly why: ReadonlyMap<string, readonly string[]>;
  /** Whether any file is surely of it. */
  readonly certain: boolean;
}

/** The one format that every file with something in it is of, and a line that says so and why. */
export async function recogniseFormat(
  database: Database,
  inputs: readonly Input[],
): Promise<{ format: Format; why: string }> {
  let candidates = FORMATS.map((format): Candidate => ({ format, why: new Map(), certain: false }));
  let last: readonly [Input, Sample] | null = null;
  for (const input of inputs) {
    const sample = await sampleOf(input, database);
    if (isEmpty(sample)) {
      last ??= [input, sample];
      continue;
    }
    last = [input, sample];
    const [first = ''] = sample.beginning.split('\n', 1);
    candidates = candidates.flatMap(({ format, why, certain }): Candidate[] => {
      if ('parse' in format) {
        const fit = sample.beginning !== '' && format.recognise(first, sample.beginning);
        const reason = fit === 'perhaps' ? 'may go with it' : 'by its lines';
        return fit === false ? [] : [{ format, why: withReason(why, reason, input), certain: certain || fit === true }];
      }
      const table = format.tables.find(({ recognise, header }) => fits(sample, recognise, header));
      return table
        ? [{ format, certain: true, why: withReason(why, `has ${table.recognise.fields.join(', ')}`, input) }]
        : [];
    });
    if (candidates.length === 0) throw unknownFormat(input, sample);
  }
  if (last && !candidates.some(({ certain }) => certain)) throw unknownFormat(...last);
  const sure = candidates.filter(({ certain }) => certain);
  const [found, other] = sure;
  if (!found || other)
    throw new UserError(`the files may be of ${sure.map(({ format }) => format.name).join(' or ')}: name the one`);
  return { format: found.format, why: `recognised as ${found.format.name}: ${reasonsOf(found)}` };
}

const unknownFormat = ({ name }: Input, sample: Sample): UserError =>
  new UserError(
    `${name} is of no format that we know: it has ${describe(sample)}; name the format, or see sesrec import --help${sample.columns.length > 0 ? ' (a table of users and items is read by sesrec import interactions, which asks for its columns)' : ''}`,
  );

const withReason = (why: Candidate['why'], reason: string, { name }: Input): Candidate['why'] =>
  new Map([...why, [reason, [...(why.get(reason) ?? []), name]]]);

/** A file by name for every reason, and how many others there are. */
const reasonsOf = ({ why }: Candidate): string =>
  [...why]
    .map(([reason, [first, ...others]]) =>
      others.length === 0
        ? `${first} ${reason}`
        : `${first} and ${countOf(others.length, 'other')} ${reason.replace(/^has /, 'have ')}`,
    )
    .join('; ');
