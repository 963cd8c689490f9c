/**
 * The Parquet files of a data directory, written so that memory stays bounded whatever their size. Knows the tables that
 * `prepare.ts` leaves behind, and the columns of the files; does not know what is in them.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile } from '../base/index.js';
import { copyToParquet, type Database } from './database.js';
import { atFirst, numbered } from './sources/dialect.js';

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

/** Rows whose lists are made at once: the lists of a group are the one thing here that the engine cannot put on the disk. */
const ROWS_OF_STRETCH = 100_000;

/** Writes every Parquet file, each safe on the disk, and returns their hashes. */
export async function writeDataFiles(database: Database, directory: string): Promise<Record<string, string>> {
  await foldClicks(database);
  await foldWords(database);
  const contents: Readonly<Record<(typeof DATA_FILES)[number], string>> = {
    'feed.parquet': 'SELECT user, ordinal, time, type, item, search FROM feed ORDER BY ordinal',
    'items.parquet': 'SELECT * FROM item_index ORDER BY "index"',
    'queries.parquet': `SELECT "index", query_index.query, coalesce(words, CAST([] AS INTEGER[])) AS words
      FROM query_index LEFT JOIN worded ON worded.query = "index" ORDER BY "index"`,
    'searches.parquet': `SELECT user, searches.ordinal, time, query, source,
      coalesce(clicked, CAST([] AS STRUCT(item VARCHAR, ordinal BIGINT, time DOUBLE)[])) AS clicked
      FROM searches LEFT JOIN folded ON folded.search = searches.ordinal ORDER BY searches.ordinal`,
    'sources.parquet': 'SELECT * FROM source_index ORDER BY "index"',
    'users.parquet': 'SELECT * FROM user_index ORDER BY "index"',
    'words.parquet': 'SELECT * FROM word_index ORDER BY "index"',
  };
  const hashes: Record<string, string> = {};
  for (const name of DATA_FILES) {
    const path = join(directory, name);
    await database.run(copyToParquet(contents[name], path));
    const file = await open(path, 'r+');
    await file.sync();
    await file.close();
    hashes[name] = await hashFile(path);
  }
  return hashes;
}

/** Makes `folded`: of every search with clicks the items clicked, each at its first click, in order. */
async function foldClicks(database: Database): Promise<void> {
  await database.run(
    'CREATE TABLE folded (search BIGINT, clicked STRUCT(item VARCHAR, ordinal BIGINT, time DOUBLE)[])',
  );
  for (const stretch of await stretches(database, 'clicks', 'search'))
    await database.run(`INSERT INTO folded
      SELECT search, list({'item': item, 'ordinal': ordinal, 'time': time} ORDER BY ordinal)
      FROM (SELECT search, item, min(ordinal) AS ordinal, ${atFirst('time', 'ordinal')} AS time
        FROM clicks WHERE ${stretch} GROUP BY search, item) GROUP BY search`);
}

/** Makes `worded`: of every query with words their indices, in order. */
async function foldWords(database: Database): Promise<void> {
  await database.run('CREATE TABLE worded (query INTEGER, words INTEGER[])');
  for (const stretch of await stretches(database, 'query_words', 'query'))
    await database.run(`INSERT INTO worded
      SELECT query, list(word ORDER BY position) FROM query_words WHERE ${stretch} GROUP BY query`);
}

/** Conditions that divide the rows of a table by a key, which stays together. */
async function stretches(database: Database, table: string, key: string): Promise<string[]> {
  const { from } = await database.read(
    `SELECT DISTINCT ${key} FROM (${numbered(`SELECT ${key} FROM ${table}`, key, 'place')})
      WHERE place % ${ROWS_OF_STRETCH} = 0 ORDER BY ${key}`,
    { from: 'number' },
  );
  return [...from].map((least, i) => `${key} >= ${least}${i + 1 < from.length ? ` AND ${key} < ${from[i + 1]}` : ''}`);
}
