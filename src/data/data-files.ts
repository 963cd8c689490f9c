/**
 * The Parquet files of a data directory, written so that memory stays bounded whatever their size. Knows the tables that
 * `prepare.ts` leaves behind, and the columns of the files; does not know what is in them.
 */
import { join } from 'node:path';
import { numbered, writeParquet, type Database } from './database.js';
import type { Engine } from './engine.js';

/** The Parquet files of a data directory. */
export const DATA_FILES = [
  'feed.parquet',
  'items.parquet',
  'queries.parquet',
  'searches.parquet',
  'sources.parquet',
  'users.parquet',
  'words.parquet',
] as const;

/** Rows that DuckDB makes lists of at once: lists are what it cannot put on the disk while it makes or joins them. */
const ROWS_OF_STRETCH = 100_000;

/** Writes every Parquet file, each safe on the disk, and returns their hashes. */
export async function writeDataFiles(database: Database, directory: string): Promise<Record<string, string>> {
  await writeQueries(database);
  const contents: Readonly<Record<(typeof DATA_FILES)[number], string>> = {
    'feed.parquet': 'SELECT user, ordinal, time, type, item, search FROM feed ORDER BY ordinal',
    'items.parquet': 'SELECT * FROM item_index ORDER BY "index"',
    'queries.parquet': 'SELECT * FROM written_queries ORDER BY "index"',
    'searches.parquet': 'SELECT * FROM written_searches ORDER BY ordinal',
    'sources.parquet': 'SELECT * FROM source_index ORDER BY "index"',
    'users.parquet': 'SELECT * FROM user_index ORDER BY "index"',
    'words.parquet': 'SELECT * FROM word_index ORDER BY "index"',
  };
  const hashes: Record<string, string> = {};
  for (const name of DATA_FILES) hashes[name] = await writeParquet(database, contents[name], join(directory, name));
  return hashes;
}

/** Makes `written_searches`, with the items clicked, each at its first click, in order. */
export async function foldClicks(engine: Engine): Promise<void> {
  const { text, clicks, clicksInOrder, emptyList, atFirst } = engine.dialect;
  await engine.run(
    `CREATE TABLE written_searches ("user" ${text}, ordinal BIGINT, time DOUBLE, query ${text}, source ${text}, clicked ${clicks})`,
  );
  const fold = (
    searches: string,
    clicked: string,
  ): string => `SELECT "user", searches.ordinal, time, query, source, coalesce(clicked, ${emptyList})
    FROM ${searches} AS searches LEFT JOIN (
      SELECT search, ${clicksInOrder} AS clicked
      FROM (SELECT search, item, min(ordinal) AS ordinal, ${atFirst('time', 'ordinal')} AS time
        FROM ${clicked} GROUP BY search, item) GROUP BY search
    ) AS folded ON folded.search = searches.ordinal`;
  if (engine.makesListsAtOnce) {
    await engine.run(`INSERT INTO written_searches ${fold('searches', 'clicks')}`);
    return;
  }
  const rows = 'SELECT ordinal AS place FROM searches UNION ALL SELECT search FROM clicks';
  for (const [from, below] of await stretches(engine, rows)) {
    const part = `(SELECT * FROM searches WHERE ordinal >= ${from} AND ordinal < ${below})`;
    const clicked = `clicks WHERE search >= ${from} AND search < ${below}`;
    await engine.run(`INSERT INTO written_searches ${fold(part, clicked)} ORDER BY searches.ordinal`);
  }
}

/** Makes `written_queries` in order, with the indices of their words, in order. */
async function writeQueries(database: Database): Promise<void> {
  await database.run('CREATE TABLE written_queries ("index" INTEGER, query VARCHAR, words INTEGER[])');
  const rows = 'SELECT "index" AS place FROM query_index UNION ALL SELECT query FROM query_words';
  for (const [from, below] of await stretches(database, rows))
    await database.run(`INSERT INTO written_queries
      SELECT "index", queries.query, coalesce(words, [])
      FROM (SELECT * FROM query_index WHERE "index" >= ${from} AND "index" < ${below}) AS queries LEFT JOIN (
        SELECT query, list(word ORDER BY position) AS words FROM query_words WHERE query >= ${from} AND query < ${below} GROUP BY query
      ) AS worded ON worded.query = "index" ORDER BY "index"`);
}

/** Where stretches of so many rows begin and end (at what is not in them any more), in order of `place`, the column of `rows`; one place is in one stretch. */
async function stretches(engine: Engine, rows: string): Promise<[from: number, below: number][]> {
  const { from } = await engine.read(
    `SELECT DISTINCT place FROM (${numbered(rows, 'place', 'number')}) WHERE number % ${ROWS_OF_STRETCH} = 0 ORDER BY place`,
    { from: 'number' },
  );
  return Array.from(from, (place, i) => [place, from[i + 1] ?? Number.MAX_SAFE_INTEGER]);
}
