/**
 * What the preparation asks of an engine that runs SQL: DuckDB (`database.ts`) or an application on Spark (`cluster/engine.ts`).
 * Knows how they are asked; does not know what the tables mean. Statements are written once, in SQL that both read; where they
 * differ there is a word in `sources/dialects`, or a method here.
 */
import type { Dialect } from './sources/dialects/dialect.js';

/** How a column of a result is read: null becomes 0, NaN and '' respectively. */
export type ColumnKind = 'integer' | 'number' | 'text';

/** What a column of each kind is read into. */
export interface ColumnOf {
  readonly integer: Int32Array;
  readonly number: Float64Array;
  readonly text: string[];
}

export interface Engine {
  readonly dialect: Dialect;
  /** The database of this process, which writes the files in the end; of DuckDB itself. */
  readonly here: Engine;
  /** Runs one statement. */
  run(sql: string): Promise<void>;
  /** Reads the columns of a query, in order, each as the kind given for it: few rows, answers that something depends on. */
  read<const K extends Readonly<Record<string, ColumnKind>>>(
    sql: string,
    kinds: K,
  ): Promise<{ -readonly [N in keyof K]: ColumnOf[K[N]] }>;
  /** The one number that a query gives. */
  number(sql: string): Promise<number>;
  /** The one number of each of some queries. */
  numbers(queries: readonly string[]): Promise<number[]>;
  /** Makes a table of a query, in place of a table or view of that name, from which the query may read. */
  replace(table: string, query: string): Promise<void>;
  /** Does away with a table. */
  drop(table: string): Promise<void>;
  /** Keeps those rows of a table for which a condition holds, which is never null. */
  keep(table: string, condition: string): Promise<void>;
  /** Makes a table of a query, with its rows numbered from 0 as `name`, in an order that has no ties; `also` adds columns. */
  createNumbered(table: string, query: string, order: string, name: string, also?: string): Promise<void>;
  /** Of the values of a column that has no nulls, in order, the one at a place, from 0. */
  atRank(table: string, column: string, place: number): Promise<number>;
  /** Whether lists can be made of a whole table at once, whatever its size. */
  readonly makesListsAtOnce: boolean;
  /** Makes tables of this engine tables of `here`. */
  handOver(tables: readonly string[]): Promise<void>;
  /** Adds the rows of a query in `here` to a table of this engine, made if need be; `columns` names it all. */
  adopt(table: string, columns: string, query: string): Promise<void>;
}
