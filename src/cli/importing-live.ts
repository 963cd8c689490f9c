/** Data of what happened on a live site. Knows where the log lies meanwhile; the data wing imports it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../base/index.js';
import { type ImportOptions, type ImportResult, importEvents } from '../data/index.js';
import { type LiveLog, openLmdbStore, writeLiveLog } from '../online/index.js';
import { note } from './output.js';

async function logOf(directory: string, folder: string): Promise<LiveLog> {
  const store = await openLmdbStore(directory, { readOnly: true });
  try {
    return await writeLiveLog(store, folder);
  } finally {
    await store.close();
  }
}

/** Makes a data directory from a live store, and from logs of what came before it. */
export async function importLive(
  directory: string,
  earlier: readonly string[],
  options: ImportOptions,
): Promise<ImportResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-live-'));
  try {
    const log = await logOf(directory, folder);
    if (log.events === 0 && earlier.length === 0)
      throw new UserError(`${directory} has no events yet: there is nothing to import`);
    if (log.withoutSearch > 0)
      note(`${log.withoutSearch} clicks left out: their searches are not in the store, or come later`);
    return await importEvents({ ...options, files: [...earlier, log.path] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
