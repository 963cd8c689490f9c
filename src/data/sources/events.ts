/**
 * Imports our own event log: JSON lines of searches, clicks, actions, items and users (docs/events.md). Knows that
 * format, and that order is time, then place in the files; does not know how an event is checked line by line.
 */
import { UserError } from '../../base/index.js';
import type { Database } from '../database.js';
import type { Generator } from '../schema.js';
import { checkAttributeNames, createAttributeTable, createEventTables, type EventWriters } from '../prepare.js';
import { parseEvent, type AttributeEvent, type LogEvent } from './event.js';
import { countOf, runImport, type FilledTables, type ImportOptions, type ImportResult } from './import.js';
import { readLines } from './lines.js';

/** Options of `importEvents`. */
export interface EventsOptions extends ImportOptions {
  /** The files of events; where times are equal, earlier files and earlier lines come first. */
  readonly files: readonly string[];
}

/** Imports event logs into a data directory. */
export async function importEvents(options: EventsOptions): Promise<ImportResult> {
  if (options.files.length === 0) throw new UserError('there is no file to import: name at least one');
  return runImport('events', options.files, options, {}, async (database) => fill(database, options.files));
}

/**
 * Makes a data directory of a log that `write` puts into it first and that stays there: for logs that a generator made.
 * `write` is given the directory and returns the files to read.
 */
export async function importGenerated(
  options: ImportOptions,
  generator: Generator,
  write: (directory: string) => Promise<readonly string[]>,
): Promise<ImportResult> {
  return runImport(
    generator.name,
    [],
    options,
    {},
    async (database, directory) => {
      const files = await write(directory);
      return { ...(await fill(database, files)), files };
    },
    generator,
  );
}

/** Where an event stands in the files. */
interface Place {
  readonly path: string;
  readonly line: number;
}

type Placed = LogEvent & Place;

/** Everything the files say. */
interface Log {
  readonly events: Placed[];
  readonly items: Map<string, AttributeEvent['fields']>;
  readonly users: Map<string, AttributeEvent['fields']>;
  repeated: number;
  negative: number;
}

async function fill(database: Database, files: readonly string[]): Promise<FilledTables> {
  const log = await readLog(files);
  const events = log.events.sort((a, b) => a.time - b.time); // stable: ties stay in the order of the files
  const writers = await createEventTables(database);
  writeEvents(events, writers);
  for (const writer of Object.values(writers) as EventWriters[keyof EventWriters][]) writer.finish();
  const warnings: string[] = [];
  if (log.repeated > 0) warnings.push(`${countOf(log.repeated, 'event')} left out: the id of an earlier line`);
  if (log.negative > 0)
    warnings.push(`${countOf(log.negative, 'event')} left out: impressions and dislikes are no interest shown`);
  return {
    itemAttributes: await writeAttributes(database, 'item', log.items),
    userAttributes: await writeAttributes(database, 'user', log.users),
    warnings,
  };
}

async function readLog(files: readonly string[]): Promise<Log> {
  const log: Log = { events: [], items: new Map(), users: new Map(), repeated: 0, negative: 0 };
  const ids = new Set<string>();
  for (const path of files) {
    for await (const lines of readLines(path)) {
      for (const { text, number: line } of lines) {
        const event = parseEvent(text, `${path}, line ${line}`);
        if ('fields' in event) {
          const table = event.kind === 'item' ? log.items : log.users;
          table.set(event.key, event.fields);
          continue;
        }
        if (event.id !== null && ids.has(event.id)) {
          log.repeated++;
          continue;
        }
        if (event.id !== null) ids.add(event.id);
        if (event.kind === 'ignored') log.negative++;
        else log.events.push({ ...event, path, line });
      }
    }
  }
  if (log.events.length === 0)
    throw new UserError(`${files.join(', ')}: there are no searches, clicks or other actions to import`);
  return log;
}

/** Gives every event its ordinal, its rank, and ties clicks and actions to the searches that led to them. */
function writeEvents(events: readonly Placed[], { feed, searches, clicks }: EventWriters): void {
  const started = new Map<string, { ordinal: number; user: string }>();
  const known = new Set(events.map((event) => (event.kind === 'search' ? event.id : null)));
  for (const [ordinal, event] of events.entries()) {
    if (event.kind === 'search') {
      searches.row(event.user, ordinal, event.time, event.query, event.source);
      started.set(event.id, { ordinal, user: event.user });
      continue;
    }
    let search: number | null = null;
    if (event.search !== null) {
      const found = started.get(event.search);
      if (found?.user !== event.user) {
        const trouble = !known.has(event.search)
          ? 'which no line has as a search'
          : found
            ? `which is a search of the user ${JSON.stringify(found.user)}`
            : 'which comes later: correct the times';
        throw new UserError(
          `${event.path}, line ${event.line}: the event names the search ${JSON.stringify(event.search)}, ${trouble}`,
        );
      }
      search = found.ordinal;
      clicks.row(search, event.item, ordinal, event.time);
    }
    if (event.type !== 'click' || search === null)
      feed.row(event.user, ordinal, event.time, event.type, event.item, search);
  }
}

/** Writes the table of items or users, in order of first appearance; a later line about the same one replaces the earlier. */
async function writeAttributes(
  database: Database,
  key: 'item' | 'user',
  entries: ReadonlyMap<string, AttributeEvent['fields']>,
): Promise<string[]> {
  const names = [...new Set([...entries.values()].flatMap((fields) => [...fields.keys()]))];
  checkAttributeNames(key, names, `the fields of "${key}" events`);
  const writer = await createAttributeTable(database, key, names);
  let index = 0;
  for (const [id, fields] of entries) writer.row(index++, id, ...names.map((name) => fields.get(name) ?? null));
  writer.finish();
  return names;
}
