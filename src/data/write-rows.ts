/** A Parquet file from rows of JavaScript. Knows types of columns; does not know what the rows mean. */
import {
  DatabaseError,
  identifier,
  isShortage,
  parquetTable,
  withDatabase,
  writeParquet,
  type Cell,
  type ColumnType,
} from './database.js';

/** The type of a column in the file; FLOAT is single precision. */
export type FileColumnType = ColumnType | 'FLOAT';

/** Writes rows, in their order, to a Parquet file, safe on the disk when this ends; returns its SHA-256. */
export async function writeRows(
  path: string,
  columns: Readonly<Record<string, FileColumnType>>,
  rows: Iterable<readonly Cell[]>,
): Promise<string> {
  return withDatabase(async (database) => {
    const kept = Object.entries(columns).map(
      ([name, type]) => [name, type === 'FLOAT' ? ('DOUBLE' as const) : type] as const,
    );
    const writer = await database.create('given', [['#', 'BIGINT'], ...kept]);
    let place = 0;
    for (const row of rows) writer.row(place++, ...row);
    writer.finish();
    const named = Object.entries(columns).map(
      ([name, type]) => `CAST(${identifier(name)} AS ${type}) AS ${identifier(name)}`,
    );
    return writeParquet(database, `SELECT ${named.join(', ')} FROM given ORDER BY "#"`, path);
  });
}

/** How many rows a Parquet file says it has; null where there is none that can be read. */
export async function rowsIn(path: string): Promise<number | null> {
  return withDatabase(async (database) =>
    database.number(`SELECT count(*) FROM ${parquetTable(path)}`).catch((error: unknown) => {
      if (!(error instanceof DatabaseError) || isShortage(error)) throw error;
      return null;
    }),
  );
}
