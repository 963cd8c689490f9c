/** Data of what happened on a live site. Knows where the log lies meanwhile; the data wing imports it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../base/index.js';
import { type ImportOptions, type ImportResult, importEvents } from '../data/index.js';
import { type LiveLog, openStore, shownStore, writeLiveLog } from '../online/index.js';
import { note } from './output.js';

/** The log of a store, and who was erased from it. */
async function logOf(directory: string, folder: string): Promise<LiveLog & { readonly erased: string[] }> {
  const store = await openStore(directory, { readOnly: true });
  try {
    const log = await writeLiveLog(store, folder);
    const erased: string[] = [];
    for await (const [hash] of store.erasedUsers()) erased.push(hash);
    return { ...log, erased };
  } finally {
    await store.close();
  }
}

/** Makes a data directory from a live store, and from logs of what came before it; what these have of users who were erased does not count. */
export async function importLive(
  directory: string,
  earlier: readonly string[],
  options: ImportOptions,
): Promise<ImportResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-live-'));
  try {
    const log = await logOf(directory, folder);
    if (log.events === 0 && earlier.length === 0)
      throw new UserError(`${shownStore(directory)} has no events yet: there is nothing to import`);
    if (log.withoutSearch > 0)
      note(`${log.withoutSearch} clicks left out: their searches are not in the store, or come later`);
    if (log.erased.length > 0 && options.append !== undefined)
      note(
        `${log.erased.length} users were erased: ${options.append} keeps what it has of them; import the logs themselves to be rid of it`,
      );
    const live = { log: log.path, erased: log.erased };
    return await importEvents({ ...options, files: [...earlier, log.path], live });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
