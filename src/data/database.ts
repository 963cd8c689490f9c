/**
 * The one file that meets DuckDB: an in-memory database that runs SQL, takes rows in and gives columns out. Knows
 * SQL values, connections, functions of ours and the engine's errors; does not know what the tables mean.
 */
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  BIGINT,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBScalarFunction,
  INTEGER,
  VARCHAR,
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBMaterializedResult,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { UserError, hashFile, messageOf } from '../base/index.js';
import type { ColumnKind, ColumnOf, Engine } from './engine.js';
import { duckdb } from './sources/dialects/duckdb.js';
import { identifier, literal } from './sql-text.js';
import { normaliseQuery } from './vocabulary.js';

export type { ColumnKind, ColumnOf } from './engine.js';
export { identifier, literal } from './sql-text.js';

/** The SQL types of tables that rows are written to. */
export type ColumnType = 'VARCHAR' | 'BIGINT' | 'INTEGER' | 'DOUBLE';

/** One value of a row; numbers of a BIGINT column are safe integers. */
export type Cell = string | number | null;

/** The engine refused or failed; the message is the first line of its own. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** Whether the engine ran out of memory or disk: the machine's fault, not that of what was asked. */
export const isShortage = ({ message }: DatabaseError): boolean =>
  /Out of Memory Error|No space left on device|File too large|Disk quota exceeded|max_temp_directory_size/i.test(
    message,
  );

/** Whether the system refused to read or write a file. */
const isRefusal = ({ message }: DatabaseError): boolean =>
  /^IO Error: .*(Permission denied|Read-only file system|Input\/output error|Too many open files)/i.test(message);

/** Functions of ours that SQL may call, from texts to texts; null stays null. They run on the thread of JavaScript, a microsecond or two a row. */
const FUNCTIONS: Readonly<Record<string, (text: string) => string>> = { normalise_query: normaliseQuery };

const ROWS_OF_CHUNK = 2048; // DuckDB's vector size
const TYPES: Readonly<Record<ColumnType, DuckDBType>> = { VARCHAR, BIGINT, INTEGER, DOUBLE };

/** The name of exactly one file, as SQL: no pattern. */
export const exactPath = (path: string): string => literal(resolve(path).replaceAll(/[*?[]/g, '[$&]'));

/** SQL that reads exactly one Parquet file: no pattern, no columns made from the names of folders. */
export const parquetTable = (path: string): string => `read_parquet(${exactPath(path)}, hive_partitioning = false)`;

/** SQL that reads all Parquet files in a folder. */
export const parquetFolder = (path: string): string =>
  `read_parquet(${literal(`${resolve(path).replaceAll(/[*?[]/g, '[$&]')}/*.parquet`)}, hive_partitioning = false)`;

/** SQL that writes the rows of `query` to a Parquet file. */
export function copyToParquet(query: string, path: string): string {
  return `COPY (${query}) TO ${literal(resolve(path))} (FORMAT parquet, COMPRESSION zstd)`;
}

/** Writes the rows of `query` to a Parquet file, safe on the disk when this ends; returns its SHA-256. */
export async function writeParquet(database: Database, query: string, path: string): Promise<string> {
  await database.run(copyToParquet(query, path));
  const file = await open(path, 'r+');
  await file.sync();
  await file.close();
  return hashFile(path);
}

/** SQL that writes the rows of `query` as JSON lines. */
export function copyToJsonLines(query: string, path: string): string {
  return `COPY (${query}) TO ${literal(resolve(path))} (FORMAT json)`;
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new DatabaseError(messageOf(error).replace(/\n.*/s, ''), { cause: error });
  }
}

/** A function from texts to texts as the engine calls it, on some rows at once. */
function ofTexts(name: string, work: (text: string) => string): DuckDBScalarFunction {
  return DuckDBScalarFunction.create({
    name,
    parameterTypes: [VARCHAR],
    returnType: VARCHAR,
    mainFunction: (_info, input, output) => {
      const texts = input.getColumnVector(0);
      for (let row = 0; row < input.rowCount; row++) {
        const text = texts.getItem(row);
        output.setItem(row, typeof text === 'string' ? work(text) : null);
      }
      output.flush();
    },
  });
}

/** Appends rows to a table, in order. Nothing is sure to be there before `finish`. */
export class TableWriter {
  readonly #appender: DuckDBAppender;
  readonly #types: readonly DuckDBType[];
  readonly #rows: DuckDBValue[][] = [];

  constructor(appender: DuckDBAppender, types: readonly DuckDBType[]) {
    this.#appender = appender;
    this.#types = types;
  }

  /** Adds one row: a cell for every column of the table. */
  row(...cells: readonly Cell[]): void {
    this.#rows.push(
      cells.map((cell, i) => (typeof cell === 'number' && this.#types[i] === BIGINT ? BigInt(cell) : cell)),
    );
    if (this.#rows.length === ROWS_OF_CHUNK) this.#flush();
  }

  /** Makes every row visible to SQL. */
  finish(): void {
    this.#flush();
    this.#appender.closeSync();
  }

  #flush(): void {
    if (this.#rows.length === 0) return;
    const chunk = DuckDBDataChunk.create(this.#types, this.#rows.length);
    chunk.setRows(this.#rows);
    this.#appender.appendDataChunk(chunk);
    this.#rows.length = 0;
  }
}

/**
 * The rows of a query numbered from 0 in an order that has no ties. DuckDB numbers rows as they come out of a sort, which
 * spills to disk and uses all threads; `row_number() OVER (ORDER BY …)` says the same and is many times as slow.
 */
export const numbered = (query: string, order: string, name: string): string =>
  `SELECT row_number() OVER () - 1 AS ${name}, * FROM (${query} ORDER BY ${order})`;

/** A connection to a database: runs one statement at a time. */
export class Connection implements Engine {
  readonly dialect = duckdb;
  /** What the engine cannot put on the disk while it makes or joins it are lists. */
  readonly makesListsAtOnce = false;
  readonly #connection: DuckDBConnection;

  constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  /** Runs one statement; `values` fill its $name parameters. */
  async run(sql: string, values: Readonly<Record<string, Cell>> = {}): Promise<void> {
    await this.#result(sql, values);
  }

  /** Makes a table and returns its writer. */
  async create(table: string, columns: readonly (readonly [name: string, type: ColumnType])[]): Promise<TableWriter> {
    await this.run(
      `CREATE TABLE ${identifier(table)} (${columns.map(([name, type]) => `${identifier(name)} ${type}`).join(', ')})`,
    );
    return this.append(
      table,
      columns.map(([, type]) => type),
    );
  }

  /** A writer for a table that is there. */
  async append(table: string, types: readonly ColumnType[]): Promise<TableWriter> {
    const appender = await translated(async () => this.#connection.createAppender(table));
    return new TableWriter(
      appender,
      types.map((type) => TYPES[type]),
    );
  }

  /**
   * Reads the columns of a query, in order, each as the kind given for it. The names of `kinds` are for the reader of
   * the code; it is their order that says which column is which.
   */
  async read<const K extends Readonly<Record<string, ColumnKind>>>(
    sql: string,
    kinds: K,
    values: Readonly<Record<string, Cell>> = {},
  ): Promise<{ -readonly [N in keyof K]: ColumnOf[K[N]] }> {
    const result = await this.#result(sql, values);
    const names = Object.keys(kinds);
    const columns: Record<string, Int32Array | Float64Array | string[]> = {};
    for (const name of names) {
      const kind = kinds[name] as ColumnKind;
      columns[name] =
        kind === 'integer'
          ? new Int32Array(result.rowCount)
          : kind === 'number'
            ? new Float64Array(result.rowCount)
            : Array.from<string>({ length: result.rowCount });
    }
    let start = 0;
    for (let chunk = await result.fetchChunk(); chunk; chunk = await result.fetchChunk()) {
      const { rowCount } = chunk; // asks the engine each time
      if (rowCount === 0) break;
      for (const [i, name] of names.entries()) {
        const column = columns[name] as Int32Array | Float64Array | string[];
        const vector = chunk.getColumnVector(i);
        const missing = kinds[name] === 'text' ? '' : kinds[name] === 'number' ? NaN : 0;
        for (let row = 0; row < rowCount; row++) {
          const value = vector.getItem(row) ?? missing;
          column[start + row] = (typeof value === 'bigint' ? Number(value) : value) as never;
        }
      }
      start += rowCount;
    }
    return columns as { -readonly [N in keyof K]: ColumnOf[K[N]] };
  }

  /** Makes a table of a query, in place of a table or view of that name, from which the query may read. */
  async replace(table: string, query: string): Promise<void> {
    const views = await this.number(
      `SELECT count(*) FROM information_schema.tables WHERE table_name = ${literal(table)} AND table_type = 'VIEW'`,
    );
    await this.run(`CREATE TABLE ${table}_replacing AS ${query}`);
    await this.run(`DROP ${views > 0 ? 'VIEW' : 'TABLE'} ${table}`);
    await this.run(`ALTER TABLE ${table}_replacing RENAME TO ${table}`);
  }

  get here(): Engine {
    return this;
  }

  async keep(table: string, condition: string): Promise<void> {
    await this.run(`DELETE FROM ${table} WHERE NOT (${condition})`);
  }

  async createNumbered(table: string, query: string, order: string, name: string, also = ''): Promise<void> {
    await this.run(`CREATE TABLE ${table} AS SELECT *${also} FROM (${numbered(query, order, name)})`);
  }

  async atRank(table: string, column: string, place: number): Promise<number> {
    return this.number(`SELECT ${column} FROM ${table} ORDER BY ${column} LIMIT 1 OFFSET ${place}`);
  }

  async numbers(queries: readonly string[]): Promise<number[]> {
    const found: number[] = [];
    for (const query of queries) found.push(await this.number(query));
    return found;
  }

  async drop(table: string): Promise<void> {
    await this.run(`DROP TABLE ${table}`);
  }

  /** They are here. */
  async handOver(): Promise<void> {}

  async adopt(): Promise<void> {}

  /** The one number that a query gives. */
  async number(sql: string, values: Readonly<Record<string, Cell>> = {}): Promise<number> {
    return (await this.read(sql, { value: 'number' }, values)).value[0] as number;
  }

  close(): void {
    this.#connection.closeSync();
  }

  async #result(sql: string, values: Readonly<Record<string, Cell>>): Promise<DuckDBMaterializedResult> {
    return translated(async () => this.#connection.run(sql, { ...values }));
  }
}

/** How a database is opened. */
export interface DatabaseOptions {
  /** Default 1. What a query orders comes out in that order, and is written as the same bytes, with any number. */
  readonly threads?: number;
  /** A directory for what does not fit into memory. Default: one in the system's folder for temporary files. */
  readonly directory?: string;
  /** Megabytes of memory that the engine may use; what is more goes to disk. Default: the engine's, four fifths of the machine's. */
  readonly memory?: number;
}

/** A database in memory. */
export class Database extends Connection {
  readonly #instance: DuckDBInstance;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    super(connection);
    this.#instance = instance;
  }

  /** Opens an empty database. It never loads extensions from the network. */
  static async open({ threads = 1, directory, memory }: DatabaseOptions = {}): Promise<Database> {
    return translated(async () => {
      const instance = await DuckDBInstance.create(':memory:', {
        threads: String(threads),
        autoinstall_known_extensions: 'false',
        autoload_known_extensions: 'false',
        // made only when memory runs out
        temp_directory: join(directory ?? tmpdir(), `sesrec-duckdb-${process.pid}`),
        ...(memory === undefined ? {} : { memory_limit: `${memory}MB` }),
      });
      const connection = await instance.connect();
      for (const [name, work] of Object.entries(FUNCTIONS)) connection.registerScalarFunction(ofTexts(name, work));
      const database = new Database(instance, connection);
      await database.run(`SET TimeZone = 'UTC'`);
      return database;
    });
  }

  /** Another connection to the same tables: its statements run beside those of the others. Close it before the database. */
  async connect(): Promise<Connection> {
    return translated(async () => new Connection(await this.#instance.connect()));
  }

  /** Frees the memory. */
  override close(): void {
    super.close();
    this.#instance.closeSync();
  }
}

/** Opens a database, hands it to `work` and closes it, whatever happens. */
export async function withDatabase<T>(
  work: (database: Database) => Promise<T>,
  options: DatabaseOptions = {},
): Promise<T> {
  const database = await Database.open(options);
  try {
    return await work(database);
  } catch (error) {
    if (error instanceof DatabaseError && isRefusal(error))
      throw new UserError(`the system refused: ${error.message}`, { cause: error });
    if (!(error instanceof DatabaseError) || !isShortage(error)) throw error;
    throw new UserError(
      `memory or disk is short (${error.message}): make room on the disk, or allow more with --memory`,
      {
        cause: error,
      },
    );
  } finally {
    database.close();
  }
}
