/**
 * Text that becomes entries in batches, several side by side: while the engine works on some, the next are read. Knows
 * connections and batches; does not know what is in the text.
 */
import { getOrCreate } from '../../base/index.js';
import type { Connection, Database } from '../database.js';
import { compileTable } from './compile.js';
import * as sql from './dialect.js';
import type { Table } from './formats/format.js';
import type { Line } from './input.js';

const LANES = 2;
const BATCH_CHARACTERS = 16 << 20;

export type Query = (source: string) => string;

interface Lane {
  readonly connection: Connection;
  busy: Promise<void>;
}

/** Batches of text that become entries, several at a time, each on a connection of its own. */
export class Lanes {
  readonly #database: Database;
  readonly #lanes: Lane[];
  #next = 0;
  #batches = 0;
  #pending: {
    query: Query;
    isPieces: boolean;
    rows: [file: number, line: number, record: number, text: string][];
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
    await this.#push(true, [[file, first, 0, text]], text.length, query);
  }

  /** Single records. */
  async lines(file: number, lines: readonly Line[], query: Query): Promise<void> {
    const characters = lines.reduce((sum, line) => sum + line.text.length, 0);
    await this.#push(
      false,
      lines.map(({ text, number, record = 0 }) => [file, number, record, text]),
      characters,
      query,
    );
  }

  async #push(
    isPieces: boolean,
    rows: [number, number, number, string][],
    characters: number,
    query: Query,
  ): Promise<void> {
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
      ['record', 'INTEGER'],
      ['text', 'VARCHAR'],
    ]);
    for (const row of batch.rows) writer.row(...row);
    writer.finish();
    const lines = batch.isPieces
      ? `SELECT *, 0 AS record FROM (${sql.linesOf(`(SELECT file, line AS first, text FROM ${table})`)})`
      : `SELECT file, line, record, text FROM ${table}`;
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
