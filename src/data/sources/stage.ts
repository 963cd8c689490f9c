/**
 * Reads the files of a log into the table `staged`, one row per entry, accepted or not. Knows containers, and that two pieces
 * of text can be read at once; does not know formats, nor what becomes of entries.
 */
import { UserError } from '../../base/index.js';
import { parquetTable, type Database } from '../database.js';
import { compileTable } from './compile.js';
import { QuotedRows, separatorOf, splitQuoted, type Row } from './delimited.js';
import * as sql from './dialect.js';
import type { Container } from './expressions.js';
import type { Format, InputFile, MappedFormat, ParsedFormat, Table } from './formats/format.js';
import { readLines, readPieces, type BadLine, type Input, type Line } from './input.js';
import { recordsOf } from './json-document.js';
import { Lanes, type Query } from './lanes.js';
import { describe, fits, isEmpty, parquetSource, readingFile, sampleOf, type Sample } from './recognise.js';
import { STAGED_COLUMNS } from './staged.js';
import { stagingWriter, type StagingWriter } from './staging-writer.js';

/** A file and the table of the format that it is, if that is known beforehand. */
export interface Assigned {
  readonly input: Input;
  readonly table?: Table;
}

/** Reads all files. The table `staged` must not be there yet. Returns how many records they hold, counted while reading; null where the parser alone knows. */
export async function stage(database: Database, format: Format, files: readonly Assigned[]): Promise<number | null> {
  await database.run(`CREATE TABLE staged (${STAGED_COLUMNS})`);
  if (!('parse' in format)) return mapFiles(database, format, files);
  await parseFiles(
    database,
    format,
    files.map(({ input }) => input),
  );
  return null;
}

async function parseFiles(database: Database, format: ParsedFormat, inputs: readonly Input[]): Promise<void> {
  const writer = await stagingWriter(database);
  const files: InputFile[] = [];
  for (const [file, input] of inputs.entries()) {
    const bad = (line: BadLine): void => rejectBad(writer, file, line);
    const isDocument = format.readsJson === true && (await sampleOf(input, database)).container === 'document';
    files.push({
      index: file,
      name: input.name,
      async *records() {
        const lines = isDocument ? recordsOf(readPieces(input, bad), bad) : readLines(input, bad);
        for await (const batch of lines)
          yield batch.map(({ number, record = 0, text }) => ({ file, line: number, record, text }));
      },
    });
  }
  await format.parse(files, writer);
  writer.finish();
}

const rejectBad = (writer: StagingWriter, file: number, { line, record = 0, reason, raw }: BadLine): void =>
  writer.reject({ file, line, record, text: raw }, reason);

async function mapFiles(database: Database, format: MappedFormat, files: readonly Assigned[]): Promise<number> {
  const lanes = await Lanes.open(database);
  try {
    const bads: (BadLine & { file: number })[] = [];
    let records = 0;
    for (const [file, { input, table }] of files.entries()) {
      const bad = (line: BadLine): void => void bads.push({ ...line, file });
      records += await mapFile(lanes, format, input, file, table, bad);
      records += bads.length;
      if (bads.length > 0) await writeBad(database, bads.splice(0));
    }
    await lanes.finish();
    return records;
  } finally {
    await lanes.close();
  }
}

async function writeBad(database: Database, bads: readonly (BadLine & { file: number })[]): Promise<void> {
  const writer = await stagingWriter(database);
  for (const { file, ...line } of bads) rejectBad(writer, file, line);
  writer.finish();
}

/** The table of the format that a file is. */
function tableOf({ name, tables }: MappedFormat, input: Input, sample: Sample): Table {
  if (tables.length === 1 || isEmpty(sample)) return tables[0] as Table;
  const found = tables.find((table) => fits(sample, table.recognise, table.header));
  if (found) return found;
  throw new UserError(
    `${input.name} is none of the files of ${name} (${tables.map((table) => `${table.name} with ${table.recognise.fields.join(', ')}`).join('; ')}): it has ${describe(sample)}`,
  );
}

async function mapFile(
  lanes: Lanes,
  format: MappedFormat,
  input: Input,
  file: number,
  assigned: Table | undefined,
  bad: (line: BadLine) => void,
): Promise<number> {
  const sample = await sampleOf(input, lanes.connection);
  const table = assigned ?? tableOf(format, input, sample);
  if (sample.container === 'parquet') {
    const { source, numeric } = parquetSource(input, file, sample);
    const container: Container = { kind: 'columns', columns: namesOf(sample.columns, table, input), numeric };
    await readingFile(input, async () => lanes.insert(compileTable(table, container, source)));
    return lanes.connection.number(`SELECT count(*) FROM ${parquetTable(input.path)}`);
  }
  if (sample.container === 'delimited') return mapRows(lanes, table, input, file, bad);
  const query = lanes.jsonQuery(table);
  const pieces = readPieces(input, bad);
  let count = 0;
  if (sample.container === 'document') {
    for await (const records of recordsOf(pieces, bad)) {
      await lanes.lines(file, records, query);
      count += records.length;
    }
  } else {
    for await (const { first, text, filled } of pieces) {
      await lanes.piece(file, first, text, query);
      count += filled;
    }
  }
  return count; // what is pending may go on with the next file: days of a log are small files
}

/** The columns of a header, as the mapping calls them. A name that is there twice is a `UserError`. */
export function namesOf(columns: readonly string[], { header }: Table, { name }: Input): string[] {
  const names = header === 'before the colon' ? columns.map((column) => column.replace(/:.*$/s, '')) : [...columns];
  const repeated = names.find((column, i) => column !== '' && names.indexOf(column) !== i);
  if (repeated !== undefined)
    throw new UserError(`${name}: the header names the column ${JSON.stringify(repeated)} twice`);
  return names;
}

/** Rows of tables: split by SQL up to the first quote, from there on here. Returns how many there are. */
async function mapRows(
  lanes: Lanes,
  table: Table,
  input: Input,
  file: number,
  bad: (line: BadLine) => void,
): Promise<number> {
  let columns: readonly string[] | null = null;
  let separator: '\t' | ',' = ',';
  let quoted: QuotedRows | null = null;
  let count = 0; // of the lines that there are, not of the rows that were made of them
  const badRow = (line: BadLine): void => {
    count--;
    bad(line);
  };
  const query =
    (list: string): Query =>
    (source) =>
      compileTable(table, { kind: 'fields', columns: columns ?? [], list }, source);
  const pushRows = async (rows: readonly Row[]): Promise<void> => {
    const lines = rows.map(({ fields, line }) => ({ text: JSON.stringify(fields), number: line }));
    await lanes.lines(file, lines, query(sql.fieldsOfJson('text')));
  };
  for await (const piece of readPieces(input, bad)) {
    let { first, text, filled } = piece;
    while (text !== '' && columns === null) {
      const end = text.indexOf('\n');
      const header = end < 0 ? text : text.slice(0, end);
      text = end < 0 ? '' : text.slice(end + 1);
      first++;
      if (header.trim() === '') continue;
      filled--;
      separator = separatorOf(header);
      const names = separator === ',' ? splitQuoted(header) : header.split('\t');
      columns = namesOf(
        names.map((name) => name.trim()),
        table,
        input,
      );
    }
    if (separator === ',' && quoted === null && text.includes('"')) {
      await lanes.flush();
      quoted = new QuotedRows((columns ?? []).length, badRow);
    }
    count += filled;
    if (quoted) await pushRows(quoted.push(linesOf(first, text)));
    else {
      await lanes.piece(file, first, text, query(sql.split('text', separator)));
    }
  }
  if (quoted) await pushRows(quoted.finish());
  await lanes.flush();
  return count - (quoted?.continued ?? 0);
}

const linesOf = (first: number, text: string): Line[] =>
  text.split('\n').map((line, i) => ({ text: line, number: first + i }));
