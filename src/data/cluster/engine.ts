/**
 * An application on Spark as the engine of the preparation. Knows how Spark is asked for what `../engine.ts` says, and where its
 * tables lie; does not know what is in them.
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sparkText, type SparkSession } from '../../spark/index.js';
import { copyToParquet, parquetFolder, type Database } from '../database.js';
import type { ColumnKind, ColumnOf, Engine } from '../engine.js';
import { spark } from '../sources/dialects/spark.js';

/** The folder of tables that are Spark's own. */
const TABLES = 'tables';

export class SparkEngine implements Engine {
  readonly dialect = spark;
  readonly makesListsAtOnce = true;
  readonly session: SparkSession;
  /** The database of this process. */
  readonly database: Database;
  /** For the tables, and what is put beside them: on storage that every machine sees under this path. */
  readonly folder: string;
  readonly #views = new Set<string>();

  private constructor(session: SparkSession, database: Database, folder: string) {
    this.session = session;
    this.database = database;
    this.folder = folder;
  }

  /** Does some work with the tables of one import, which are gone afterwards. */
  static async with<T>(
    session: SparkSession,
    database: Database,
    folder: string,
    work: (engine: SparkEngine) => Promise<T>,
  ): Promise<T> {
    const name = `import_${randomBytes(6).toString('hex')}`;
    await mkdir(folder, { recursive: true });
    await session.run(`CREATE DATABASE ${name} LOCATION ${sparkText(join(folder, TABLES))}`);
    await session.run(`USE ${name}`);
    const result = await work(new SparkEngine(session, database, folder));
    await session.run('USE default');
    await session.run(`DROP DATABASE ${name} CASCADE`);
    return result;
  }

  get here(): Engine {
    return this.database;
  }

  async run(sql: string): Promise<void> {
    const [, kind, table] = /^(CREATE TABLE(?: IF NOT EXISTS)?|CREATE VIEW|INSERT INTO) (\w+)/.exec(sql) ?? [];
    if (kind === 'CREATE VIEW') this.#views.add(table as string);
    await this.session.run(sql, table === undefined ? undefined : `making ${table}`);
  }

  async read<const K extends Readonly<Record<string, ColumnKind>>>(
    sql: string,
    kinds: K,
  ): Promise<{ -readonly [N in keyof K]: ColumnOf[K[N]] }> {
    const names = Object.keys(kinds);
    const numbered = names.map((_, i) => `c${i}`);
    const rows = await this.session.rows(`SELECT * FROM (${sql}) AS asked(${numbered.join(', ')})`, 'counting');
    const columns = names.map((name, i): ColumnOf[ColumnKind] => {
      const values = rows.map((row) => row[`c${i}`] as string | number | null);
      if (kinds[name] === 'text') return values.map((value) => String(value ?? ''));
      if (kinds[name] === 'integer') return Int32Array.from(values, (value) => Number(value ?? 0));
      return Float64Array.from(values, (value) => (value === null ? NaN : Number(value)));
    });
    return Object.fromEntries(names.map((name, i) => [name, columns[i]])) as {
      -readonly [N in keyof K]: ColumnOf[K[N]];
    };
  }

  async number(sql: string): Promise<number> {
    return (await this.read(sql, { value: 'number' })).value[0] as number;
  }

  /** One statement for all: its parts are worked out side by side. */
  async numbers(queries: readonly string[]): Promise<number[]> {
    const kinds = Object.fromEntries(queries.map((_, i) => [`n${i}`, 'number' as const]));
    const found = await this.read(`SELECT ${queries.map((query) => `(${query})`).join(', ')}`, kinds);
    return queries.map((_, i) => found[`n${i}`]?.[0] as number);
  }

  async replace(table: string, query: string): Promise<void> {
    await this.run(`CREATE TABLE ${table}_replacing AS ${query}`);
    await this.drop(table);
    await this.session.run(`ALTER TABLE ${table}_replacing RENAME TO ${table}`);
  }

  async drop(table: string): Promise<void> {
    await this.session.run(`DROP ${this.#views.delete(table) ? 'VIEW' : 'TABLE'} ${table}`);
  }

  async keep(table: string, condition: string): Promise<void> {
    await this.replace(table, `SELECT * FROM ${table} WHERE ${condition}`);
  }

  /**
   * Spark sorts in ranges, one after the other, and an increasing id says the range (from bit 33 on) and the place in it: with
   * the rows before each range, the place among all. A window without a partition would bring all rows to one machine.
   */
  async createNumbered(table: string, query: string, order: string, name: string, also = ''): Promise<void> {
    const sorted = `${table}_sorted`;
    await this.run(
      `CREATE TABLE ${sorted} AS SELECT *, monotonically_increasing_id() AS sorted_id FROM (${query} ORDER BY ${order})`,
    );
    const range = 'shiftright(sorted_id, 33)';
    await this
      .run(`CREATE TABLE ${table} AS SELECT /*+ BROADCAST(ranges) */ sorted_before + (sorted_id & 8589934591) AS ${name},
        * EXCEPT (sorted_id, sorted_range, sorted_before)${also}
      FROM ${sorted} JOIN (
        SELECT sorted_range, sum(sorted_rows) OVER (ORDER BY sorted_range) - sorted_rows AS sorted_before
        FROM (SELECT ${range} AS sorted_range, count(*) AS sorted_rows FROM ${sorted} GROUP BY ${range})
      ) AS ranges ON sorted_range = ${range}`);
    await this.drop(sorted);
  }

  async atRank(table: string, column: string, place: number): Promise<number> {
    await this.createNumbered('ranked', `SELECT ${column} FROM ${table}`, column, 'number');
    const value = await this.number(`SELECT ${column} FROM ranked WHERE number = ${place}`);
    await this.drop('ranked');
    return value;
  }

  async handOver(tables: readonly string[]): Promise<void> {
    for (const table of tables) {
      if (this.#views.has(table)) await this.replace(table, `SELECT * FROM ${table}`);
      await this.database.run(`DROP TABLE IF EXISTS ${table}`);
      const files = parquetFolder(join(this.folder, TABLES, table));
      await this.database.run(`CREATE VIEW ${table} AS SELECT * FROM ${files}`);
    }
  }

  async adopt(table: string, columns: string, query: string): Promise<void> {
    await this.run(`CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
    if ((await this.database.number(`SELECT count(*) FROM (${query})`)) === 0) return;
    const folder = join(this.folder, 'adopted', table);
    await mkdir(folder, { recursive: true });
    await this.database.run(copyToParquet(query, join(folder, 'rows.parquet')));
    await this.run(`CREATE TABLE ${table}_adopted (${columns}) USING parquet LOCATION ${sparkText(folder)}`);
    await this.run(`INSERT INTO ${table} SELECT * FROM ${table}_adopted`);
    await this.drop(`${table}_adopted`);
  }
}
