/**
 * The ids of the events that a data directory was made of, as short hashes in a file beside the data, so that a log that comes later
 * may hold some of them again. Knows hashes; does not know formats, nor what becomes of an event that is known.
 */
import { join } from 'node:path';
import { CorruptFileError, hashFile, isThere } from '../base/index.js';
import { parquetTable, writeParquet, type Database } from './database.js';
import type { DataManifest } from './schema.js';

/** The file: one column, `id`, the first ten bytes of the SHA-256 of every id, in order. No part of the identity of the data. */
export const EVENT_IDS = 'event-ids.parquet';

/**
 * Makes the table `earlier_ids` of the ids that a data directory keeps, and says whether it does: null if it has none to keep, a
 * text that says why it does not.
 */
export async function readEventIds(
  database: Database,
  directory: string,
  { eventIds }: DataManifest,
): Promise<string | null> {
  const path = join(directory, EVENT_IDS);
  await database.run('CREATE TABLE earlier_ids (id BLOB)');
  if (eventIds === null) return null;
  if (eventIds === undefined)
    return `${directory} was made before ids of events were kept: an event that is in it and in the new files is taken twice`;
  if (!(await isThere(path)))
    return `${path} is not there (runs do without): an event that is in ${directory} and in the new files is taken twice`;
  if ((await hashFile(path)) !== eventIds)
    throw new CorruptFileError(`${path} is damaged (its SHA-256 differs from the manifest's): import the data again`);
  await database.run(`INSERT INTO earlier_ids SELECT id FROM ${parquetTable(path)}`);
  return null;
}

/** Writes the ids in the tables `earlier_ids` and `event_ids`; returns the hash of the file, null if there are none and so no file. */
export async function writeEventIds(database: Database, directory: string): Promise<string | null> {
  const all = 'SELECT id FROM earlier_ids UNION SELECT id FROM event_ids';
  if ((await database.number(`SELECT count(*) FROM (SELECT 1 FROM (${all}) LIMIT 1)`)) === 0) return null;
  return writeParquet(database, `SELECT id FROM (${all}) ORDER BY id`, join(directory, EVENT_IDS));
}
