/**
 * Which table of a format a file is, by its header or its first records. Knows samples of records; does not know any format,
 * and reads no whole file.
 */
import { UserError } from '../../base/index.js';
import { DatabaseError, identifier, isShortage, parquetTable, type Connection } from '../database.js';
import { separatorHint, separatorOf, splitQuoted } from './delimited.js';
import type { Recognition, Table } from './formats/format.js';
import { beginningOf, kindOf, type Input } from './input.js';
import { isDocument, recordsOf } from './json-document.js';

/** How a file holds its records, and some of them. */
export interface Sample {
  readonly container: 'lines' | 'document' | 'delimited' | 'parquet';
  /** Of tables: the names in the header, trimmed, and of Parquet the types. */
  readonly columns: readonly string[];
  readonly types: readonly string[];
  /** The first records, as far as they are objects. */
  readonly records: readonly Readonly<Record<string, unknown>>[];
  /** The beginning of a text file; of a document, its first records, each on a line. */
  readonly beginning: string;
}

const SAMPLED = 100;
const JUDGED = 20; // lines that tell JSON lines from a table

/** Looks at the beginning of a file, whatever part of it is to be read. */
export async function sampleOf({ name, path }: Input, connection: Connection): Promise<Sample> {
  const input = { name, path };
  if ((await kindOf(input)) === 'parquet') return sampleOfParquet(input, connection);
  const beginning = await beginningOf(input);
  const lines = beginning.split('\n').filter((line) => line.trim() !== '');
  const first = lines[0]?.trimStart() ?? '';
  // a log whose first line is damaged is a log still
  const objects = lines.slice(0, JUDGED).filter((line) => parsedObject(line).length > 0).length;
  if (first.startsWith('{') || first.startsWith('[') || 2 * objects > Math.min(lines.length, JUDGED)) {
    const isWhole = parsedObject(first).length > 0 || !isDocument(beginning);
    const texts = isWhole ? lines.slice(0, SAMPLED) : await firstRecords(beginning);
    const records = texts.flatMap(parsedObject);
    const shared = { columns: [], types: [], records };
    return isWhole
      ? { ...shared, container: 'lines', beginning }
      : { ...shared, container: 'document', beginning: texts.join('\n') };
  }
  const separator = separatorOf(first);
  const split = (line: string): string[] => (separator === ',' ? splitQuoted(line) : line.split(separator));
  const columns = lines.length === 0 ? [] : split(lines[0] as string).map((name) => name.trim());
  const records = lines
    .slice(1, SAMPLED)
    .map((line) => Object.fromEntries(split(line).map((cell, i) => [columns[i] ?? '', cell])));
  return { container: 'delimited', columns, types: [], records, beginning };
}

async function sampleOfParquet({ name: shown, path }: Input, connection: Connection): Promise<Sample> {
  const { name, type } = await readingFile({ name: shown, path }, async () =>
    connection.read(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${parquetTable(path)})`, {
      name: 'text',
      type: 'text',
    }),
  );
  const { row } = await readingFile({ name: shown, path }, async () =>
    connection.read(
      `SELECT CAST(to_json(sampled) AS VARCHAR) FROM (SELECT ${name.map(identifier).join(', ')} FROM ${parquetTable(path)} LIMIT ${SAMPLED}) AS sampled`,
      { row: 'text' },
    ),
  );
  return { container: 'parquet', columns: name, types: type, records: row.flatMap(parsedObject), beginning: '' };
}

/** Some work of the engine on a file: that it cannot read it is the file's fault. */
export async function readingFile<T>({ name }: Input, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DatabaseError) || isShortage(error)) throw error;
    throw new UserError(`cannot read ${name}: ${error.message}`, { cause: error });
  }
}

async function firstRecords(beginning: string): Promise<string[]> {
  const pieces = (async function* () {
    yield { first: 1, text: beginning };
  })();
  const texts: string[] = [];
  for await (const records of recordsOf(pieces, () => undefined)) texts.push(...records.map(({ text }) => text));
  return texts.slice(0, SAMPLED);
}

function parsedObject(text: string): Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? [value as Record<string, unknown>]
      : [];
  } catch {
    return [];
  }
}

/** Whether a sample is of such a table. */
export function fits(
  sample: Sample,
  { fields, values = {}, without = [] }: Recognition,
  header: Table['header'],
): boolean {
  const named = (name: string): string => (header === 'before the colon' ? name.replace(/:.*$/s, '') : name);
  const at = (record: Readonly<Record<string, unknown>>, path: string): unknown => {
    if (Object.hasOwn(record, path)) return record[path];
    let value: unknown = record;
    for (const name of path.split('.')) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
      value = (value as Record<string, unknown>)[name];
    }
    return value;
  };
  if (
    header === 'before the colon' &&
    !(sample.columns.length > 0 && sample.columns.every((column) => column.includes(':')))
  )
    return false;
  const columns = new Set(sample.columns.map(named));
  const isTable = sample.container === 'delimited' || (sample.container === 'parquet' && sample.records.length === 0);
  if (isTable && !fields.every((field) => columns.has(field))) return false;
  if (isTable && without.some((field) => columns.has(field))) return false;
  if (isTable && Object.keys(values).length === 0) return true;
  const records =
    header === undefined
      ? sample.records
      : sample.records.map((record) =>
          Object.fromEntries(Object.entries(record).map(([name, value]) => [named(name), value])),
        );
  return records.some(
    (record) =>
      (isTable || fields.every((field) => (at(record, field) ?? null) !== null)) &&
      without.every((field) => (at(record, field) ?? null) === null) &&
      Object.entries(values).every(([field, allowed]) => allowed.includes(String(at(record, field)))),
  );
}

/** SQL that gives the columns of a Parquet file as texts c0, c1, …, with the row as the line; and those that are numbers as d0, d1, … too. */
export function parquetSource(
  input: Input,
  file: number,
  { columns, types }: Sample,
): { source: string; numeric: Set<string> } {
  const numeric = new Set<string>();
  const cells = columns.map((name, i) => {
    const [column, type] = [identifier(name), types[i] as string];
    if (/[[(]|^JSON$/.test(type) && !type.startsWith('DECIMAL')) {
      return `CAST(to_json(${column}) AS VARCHAR)`;
    }
    if (/^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/.test(type)) numeric.add(name);
    if (type === 'DOUBLE' || type === 'FLOAT' || type.startsWith('DECIMAL'))
      // NaN is how programs write that there is none
      return `CASE WHEN CAST(${column} AS DOUBLE) = CAST('NaN' AS DOUBLE) THEN NULL WHEN abs(${column}) < 9007199254740992 AND ${column} = trunc(${column}) THEN CAST(CAST(${column} AS BIGINT) AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`;
    if (type === 'TIMESTAMP WITH TIME ZONE') return `CAST(CAST(${column} AS TIMESTAMP) AS VARCHAR)`;
    if (type === 'BLOB') return `CAST(TRY(decode(${column})) AS VARCHAR)`;
    return `CAST(${column} AS VARCHAR)`;
  });
  const numbers = columns
    .map((name, i) => (numeric.has(name) ? `, CAST(${identifier(name)} AS DOUBLE) AS d${i}` : ''))
    .join('');
  const table = parquetTable(input.path).replace(/\)$/, ', file_row_number = true)');
  return {
    source: `SELECT ${file} AS file, file_row_number + 1 AS line, 0 AS record${cells.map((cell, i) => `, ${cell} AS c${i}`).join('')}${numbers} FROM ${table}`,
    numeric,
  };
}

/** Whether a file has nothing in it: the day of a log on which nothing happened. */
export const isEmpty = ({ container, beginning }: Sample): boolean =>
  container !== 'parquet' && beginning.trim() === '';

/** What a file looks like, for the message that nothing recognises it. */
export function describe(sample: Sample): string {
  const names = sample.columns.length > 0 ? sample.columns : Object.keys(sample.records[0] ?? {});
  const shown = shownNames(names);
  return shown === '' ? 'no records' : `the fields ${shown}${separatorHint(sample.columns)}`;
}

/** Names of columns for a message, the first of them. */
export const shownNames = (names: readonly string[]): string =>
  names
    .slice(0, 30)
    .map((name) => name.slice(0, 80))
    .join(', ')
    .replaceAll(/\p{Cc}/gu, '?');
