/**
 * The events of a live store as a log that `sesrec import events` reads, so that a model learns from them. Knows the log format
 * (docs/events.md); does not know importers.
 *
 * The file's name says whose events it has, and up to which: a run made of it already knows these, and they are not counted again
 * when it is served from the same store. What an importer would refuse is left out here and counted: a click whose search is not in
 * the store, is somebody else's, or comes later by its time. Other actions are kept without such a search.
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { DataManifest } from '../../data/index.js';
import type { Fields, LiveStore } from './store.js';

export interface LiveLog {
  readonly path: string;
  readonly events: number;
  /** Clicks left out. */
  readonly withoutSearch: number;
}

const NAME = /^live-([\da-f-]{36})-(\d+)\.jsonl$/;

/** Up to which number the events of a store are in a data set; 0 when none is. */
export function throughOf({ source }: DataManifest, store: string): number {
  return source.files.reduce((most, { name }) => {
    const [, id, through] = NAME.exec(name) ?? [];
    return id === store ? Math.max(most, Number(through)) : most;
  }, 0);
}

/** Writes the log into a directory. */
export async function writeLiveLog(
  store: Pick<LiveStore, 'id' | 'sequence' | 'events' | 'things'>,
  directory: string,
): Promise<LiveLog> {
  const through = store.sequence();
  const path = join(directory, `live-${store.id}-${through}.jsonl`);
  const searches = new Map<string, { readonly user: string; readonly time: number; readonly sequence: number }>();
  for await (const { sequence, event } of store.events())
    if (event.type === 'search' && event.id !== undefined && sequence <= through)
      searches.set(event.id, { user: event.user, time: event.time, sequence });
  const file = createWriteStream(path);
  const write = async (line: object): Promise<void> => {
    if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain');
  };
  let [events, withoutSearch] = [0, 0];
  for (const kind of ['items', 'users'] as const)
    for await (const { id, fields } of store.things(kind))
      await write({
        type: kind === 'items' ? 'item' : 'user',
        [kind === 'items' ? 'item' : 'user']: id,
        fields: plain(fields),
      });
  for await (const { sequence, event } of store.events()) {
    if (sequence > through) break;
    const { search: named, recommendation_id: _served, results: _results, value: _value, ...kept } = event;
    const search = named === undefined ? undefined : searches.get(named);
    // where times are equal the importer goes by lines, and lines are in the order of their numbers
    const isBefore =
      search?.user === event.user &&
      (search.time < event.time || (search.time === event.time && search.sequence < sequence));
    if (event.type === 'click' && named !== undefined && !isBefore) {
      withoutSearch++;
      continue;
    }
    await write({ ...kept, ...(isBefore ? { search: named } : {}) });
    events++;
  }
  file.end();
  await finished(file);
  return { path, events, withoutSearch };
}

const plain = (fields: Fields): Record<string, unknown> =>
  Object.fromEntries([...fields].map(([name, value]) => [name, value.length === 0 ? null : value]));
