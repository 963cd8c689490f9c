/** Data of what happened on a live site. Knows where the log lies; the data wing says where it is put meanwhile, and imports it. */
import { UserError } from '../base/index.js';
import { type ImportOptions, type ImportResult, type WrittenLog, importEvents } from '../data/index.js';
import { type LiveLog, type LiveStore, openStore, shownStore, writeLiveLog } from '../online/index.js';
import { note } from './output.js';

/** What is asked of a store. */
type ReadStore = Pick<LiveStore, 'id' | 'sequence' | 'events' | 'things' | 'erasedUsers'>;

/** Who was erased from a store: hashes, each with the number that was the newest then. */
async function erasedFrom(store: ReadStore): Promise<Map<string, number>> {
  const erased = new Map<string, number>();
  for await (const [hash, through] of store.erasedUsers()) erased.set(hash, through);
  return erased;
}

/** The log of a store that may be written to meanwhile, and who was erased from it, before or meanwhile. */
export async function logOf(store: ReadStore, folder: string): Promise<LiveLog & WrittenLog> {
  const before = await erasedFrom(store);
  const log = await writeLiveLog(store, folder);
  const now = await erasedFrom(store);
  const erasedMeanwhile = [...now].filter(([hash, through]) => before.get(hash) !== through).map(([hash]) => hash);
  return { ...log, erased: [...now.keys()], erasedMeanwhile };
}

/** Makes a data directory from a live store, and from logs of what came before it; what these have of users who were erased does not count. */
export async function importLive(
  directory: string,
  earlier: readonly string[],
  options: ImportOptions,
): Promise<ImportResult> {
  const write = async (folder: string): Promise<WrittenLog> => {
    const store = await openStore(directory, { readOnly: true });
    try {
      const log = await logOf(store, folder);
      if (log.events === 0 && earlier.length === 0)
        throw new UserError(`${shownStore(directory)} has no events yet: there is nothing to import`);
      if (log.withoutSearch > 0)
        note(`${log.withoutSearch} clicks left out: their searches are not in the store, or come later`);
      return log;
    } finally {
      await store.close();
    }
  };
  return importEvents({ ...options, files: earlier, live: { write } });
}
