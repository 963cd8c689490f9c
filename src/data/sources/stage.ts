/**
 * Reads the files of a log into the table `staged`, one row per entry, accepted or not. Knows containers, and that two pieces
 * of text can be read at once; does not know formats, nor what becomes of entries.
 */
import { UserError, getOrCreate } from '../../base/index.js';
import { parquetTable, type Cell, type Connection, type Database, type TableWriter } from '../database.js';
import { RAW_LENGTH, STAGED, compileTable, type Container, type StagedColumn } from './compile.js';
import { QuotedRows, separatorOf, splitQuoted, type Row } from './delimited.js';
import * as sql from './dialect.js';
import type { Format, InputFile, MappedFormat, ParsedFormat, StagedEntry, Staging, Table } from './formats/format.js';
import { readLines, readPieces, type BadLine, type Input, type Line } from './input.js';
import { recordsOf } from './json-document.js';
import { describe, fits, parquetSource, sampleOf, type Sample } from './recognise.js';

const LANES = 2;
const BATCH_CHARACTERS = 16 << 20;
const COLUMNS = Object.keys(STAGED) as StagedColumn[];

/** A file and the table of the format that it is, if that is known beforehand. */
export interface Assigned {
  readonly input: Input;
  readonly table?: Table;
}

/** Reads all files. The table `staged` must not be there yet. Returns how many records they hold, counted while reading; null where the parser alone knows. */
export async function stage(database: Database, format: Format, files: readonly Assigned[]): Promise<number | null> {
  await database.run(`CREATE TABLE staged (${COLUMNS.map((name) => `"${name}" ${STAGED[name]}`).join(', ')})`);
  if (!('parse' in format)) return mapFiles(database, format, files);
  await parseFiles(
    database,
    format,
    files.map(({ input }) => input),
  );
  return null;
}

/** Writes entries as rows of the staging table. */
class StagingWriter implements Staging {
  readonly #writer: TableWriter;
  #part = { file: -1, line: -1, next: 0 };
  count = 0;

  constructor(writer: TableWriter) {
    this.#writer = writer;
  }

  entry(entry: StagedEntry): void {
    const filled = (text: string | null | undefined): string | null =>
      text == null || text.trim() === '' ? null : text;
    const { kind } = entry;
    const values: Partial<Record<StagedColumn, Cell>> = {
      file: entry.file,
      line: entry.line,
      part: entry.part ?? this.#nextPart(entry),
      kind,
      id: filled(entry.id),
      user: filled(entry.user),
      anonymous: filled(entry.anonymous),
      session: filled(entry.session),
      time: entry.time ?? null,
      query: kind === 'search' ? (entry.query ?? '') : null,
      source: filled(entry.source),
      item: filled(entry.item),
      search: filled(entry.search),
      follows: entry.follows === true || entry.closes === true || entry.echo === true ? 1 : null,
      list: filled(entry.list),
      type: entry.type ?? null,
      fields: entry.attributes === undefined ? null : JSON.stringify(entry.attributes),
      reason: reasonOf(entry, filled),
    };
    this.#row(values);
  }

  reject(file: number, line: number, reason: string, raw: string): void {
    this.#row({ file, line, part: this.#nextPart({ file, line }), reason, raw: raw.slice(0, RAW_LENGTH) });
  }

  finish(): void {
    this.#writer.finish();
  }

  #nextPart({ file, line }: Pick<StagedEntry, 'file' | 'line'>): number {
    if (this.#part.file !== file || this.#part.line !== line) this.#part = { file, line, next: 0 };
    return this.#part.next++;
  }

  #row(values: Partial<Record<StagedColumn, Cell>>): void {
    this.count++;
    this.#writer.row(...COLUMNS.map((name) => values[name] ?? null));
  }
}

/** Half a surrogate pair could not be stored. */
function reasonOf(entry: StagedEntry, filled: (text: string | null | undefined) => string | null): string | null {
  const { kind } = entry;
  const needed: readonly (keyof StagedEntry)[] =
    kind === 'search' ? ['user'] : kind === 'action' ? ['user', 'item', 'type'] : kind === 'ignored' ? [] : [kind];
  for (const name of needed) {
    if (name === 'user' && filled(entry.anonymous) !== null) continue;
    if (filled(entry[name] as string | null) === null) return `the ${name} is missing or empty`;
  }
  for (const text of [entry.id, entry.user, entry.item, entry.query, entry.search])
    if (typeof text === 'string' && /\p{Surrogate}/u.test(text)) return 'half a character (a lone surrogate)';
  return null;
}

async function parseFiles(database: Database, format: ParsedFormat, inputs: readonly Input[]): Promise<void> {
  const writer = new StagingWriter(
    await database.append(
      'staged',
      COLUMNS.map((name) => STAGED[name]),
    ),
  );
  const files = inputs.map((input, index): InputFile => ({
    index,
    name: input.name,
    lines: () => readLines(input, (bad) => writer.reject(index, bad.line, bad.reason, bad.raw)),
  }));
  await format.parse(files, writer);
  writer.finish();
}

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
  const writer = new StagingWriter(
    await database.append(
      'staged',
      COLUMNS.map((name) => STAGED[name]),
    ),
  );
  for (const { file, line, reason, raw } of bads) writer.reject(file, line, reason, raw);
  writer.finish();
}

/** The table of the format that a file is. */
function tableOf({ name, tables }: MappedFormat, input: Input, sample: Sample): Table {
  if (tables.length === 1) return tables[0] as Table;
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
    await lanes.insert(compileTable(table, container, source));
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
  let count = 0;
  const query =
    (list: string): Query =>
    (source) =>
      compileTable(table, { kind: 'fields', columns: columns ?? [], list }, source);
  const pushRows = async (rows: readonly Row[]): Promise<void> => {
    count += rows.length;
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
      quoted = new QuotedRows(bad);
    }
    if (quoted) await pushRows(quoted.push(linesOf(first, text)));
    else {
      count += filled;
      await lanes.piece(file, first, text, query(sql.split('text', separator)));
    }
  }
  if (quoted) await pushRows(quoted.finish());
  await lanes.flush();
  return count;
}

const linesOf = (first: number, text: string): Line[] =>
  text.split('\n').map((line, i) => ({ text: line, number: first + i }));

type Query = (source: string) => string;

interface Lane {
  readonly connection: Connection;
  busy: Promise<void>;
}

/** Batches of text that become entries, several at a time, each on a connection of its own. */
class Lanes {
  readonly #database: Database;
  readonly #lanes: Lane[];
  #next = 0;
  #batches = 0;
  #pending: {
    query: Query;
    isPieces: boolean;
    rows: [file: number, line: number, text: string][];
    characters: number;
  } | null = null;
  #failure: unknown = null;
  readonly #jsonQueries = new Map<Table, Query>();

  private constructor(database: Database, connections: readonly Connection[]) {
    this.#database = database;
    this.#lanes = connections.map((connection) => ({ connection, busy: Promise.resolve() }));
  }

  static async open(database: Database): Promise<Lanes> {
    const connections = [];
    for (let i = 0; i < LANES; i++) connections.push(await database.connect());
    return new Lanes(database, connections);
  }

  /** For small questions. */
  get connection(): Connection {
    return this.#database;
  }

  /** The query of JSON records of a table; the same one for every file. */
  jsonQuery(table: Table): Query {
    return getOrCreate(this.#jsonQueries, table, () => (source) => compileTable(table, { kind: 'json' }, source));
  }

  /** Whole lines. */
  async piece(file: number, first: number, text: string, query: Query): Promise<void> {
    await this.#push(true, [[file, first, text]], text.length, query);
  }

  /** Single records. */
  async lines(file: number, lines: readonly Line[], query: Query): Promise<void> {
    const characters = lines.reduce((sum, line) => sum + line.text.length, 0);
    await this.#push(
      false,
      lines.map(({ text, number }) => [file, number, text]),
      characters,
      query,
    );
  }

  async #push(isPieces: boolean, rows: [number, number, string][], characters: number, query: Query): Promise<void> {
    if (this.#pending && (this.#pending.isPieces !== isPieces || this.#pending.query !== query)) await this.flush();
    this.#pending ??= { query, isPieces, rows: [], characters: 0 };
    for (const row of rows) this.#pending.rows.push(row);
    this.#pending.characters += characters;
    if (this.#pending.characters >= BATCH_CHARACTERS) await this.flush();
  }

  /** Sends on what is pending; must be called before the query changes. */
  async flush(): Promise<void> {
    const batch = this.#pending;
    this.#pending = null;
    if (!batch || batch.rows.length === 0) return;
    const lane = await this.#free();
    const table = `raw_${this.#batches++}`;
    const writer = await lane.connection.create(table, [
      ['file', 'INTEGER'],
      ['line', 'BIGINT'],
      ['text', 'VARCHAR'],
    ]);
    for (const row of batch.rows) writer.row(...row);
    writer.finish();
    const lines = batch.isPieces
      ? sql.linesOf(`(SELECT file, line AS first, text FROM ${table})`)
      : `SELECT file, line, text FROM ${table}`;
    const source = `SELECT * FROM (${lines}) WHERE ${sql.unblank('text')} IS NOT NULL`;
    this.#start(lane, async () => {
      await lane.connection.run(`INSERT INTO staged ${batch.query(source)}`);
      await lane.connection.run(`DROP TABLE ${table}`);
    });
  }

  /** Runs a query that gives entries, with everything that the machine has. */
  async insert(query: string): Promise<void> {
    await this.finish();
    await this.#database.run(`INSERT INTO staged ${query}`);
  }

  async #free(): Promise<Lane> {
    const lane = this.#lanes[this.#next++ % this.#lanes.length] as Lane;
    await lane.busy;
    if (this.#failure !== null) throw this.#failure;
    return lane;
  }

  #start(lane: Lane, work: () => Promise<void>): void {
    lane.busy = work().catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  async finish(): Promise<void> {
    await this.flush();
    for (const lane of this.#lanes) await lane.busy;
    if (this.#failure !== null) throw this.#failure;
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) {
      await lane.busy;
      lane.connection.close();
    }
  }
}
