/**
 * Imports a plain table of interactions: user, item, time, in the order of events. Knows column names and how searches
 * are constructed from the items' queries (as the paper does for Amazon); never sorts, since times have ties.
 */
import { UsageError, UserError } from '../../base/index.js';
import type { Database } from '../database.js';
import { checkAttributeNames, createAttributeTable, createEventTables } from '../prepare.js';
import { columnOf, openTable, type DelimitedTable } from './delimited.js';
import { countOf, runImport, type FilledTables, type ImportOptions, type ImportResult } from './import.js';
import { parseTime, type TimeUnit } from './times.js';

/** Options of `importInteractions`. */
export interface InteractionsOptions extends ImportOptions {
  /** The table of interactions, whose order is the order of events. */
  readonly file: string;
  /** The table of items: the item column, and attributes. */
  readonly items?: string;
  /** The table of users: the user column, and attributes. */
  readonly users?: string;
  /** Default `user_id`. */
  readonly userColumn?: string;
  /** Default `item_id`. */
  readonly itemColumn?: string;
  /** Default `timestamp`; `none` when the file has no times. */
  readonly timeColumn?: string;
  /** Default `s`. */
  readonly timeUnit?: TimeUnit;
  /** The column of the kind of event (view, purchase, …). Default: every event is an `interaction`. */
  readonly typeColumn?: string;
  /** Precede every interaction by a search for the text in this column of the item table. Default: no searches. */
  readonly constructSearches?: string;
}

const FAR_FUTURE = Date.UTC(2200, 0, 1);

/** Imports a table of interactions into a data directory. */
export async function importInteractions(options: InteractionsOptions): Promise<ImportResult> {
  const settings = {
    userColumn: options.userColumn ?? 'user_id',
    itemColumn: options.itemColumn ?? 'item_id',
    timeColumn: options.timeColumn ?? 'timestamp',
    timeUnit: options.timeUnit ?? 's',
    typeColumn: options.typeColumn ?? null,
    constructSearches: options.constructSearches ?? null,
  };
  if (options.constructSearches !== undefined && options.items === undefined) {
    throw new UsageError('--construct-searches takes the queries from the item table: pass it with --items FILE');
  }
  const paths = [options.file, options.items, options.users].filter((path) => path !== undefined);
  return runImport('interactions', paths, options, settings, async (database) => fill(database, options, settings));
}

async function fill(
  database: Database,
  options: InteractionsOptions,
  settings: { userColumn: string; itemColumn: string; timeColumn: string; timeUnit: TimeUnit },
): Promise<FilledTables> {
  const items = await readAttributes(
    database,
    'item',
    options.items,
    settings.itemColumn,
    '--item-column',
    options.constructSearches,
  );
  const users = await readAttributes(database, 'user', options.users, settings.userColumn, '--user-column');
  const table = await openTable(options.file);
  const userColumn = columnOf(table, settings.userColumn, '--user-column');
  const itemColumn = columnOf(table, settings.itemColumn, '--item-column');
  const timeColumn =
    settings.timeColumn === 'none' ? -1 : columnOf(table, settings.timeColumn, '--time-column (or --time-column none)');
  const typeColumn = options.typeColumn === undefined ? -1 : columnOf(table, options.typeColumn, '--type-column');

  const { feed, searches, clicks } = await createEventTables(database);
  const lacking = { events: 0, items: new Set<string>() };
  let latest = -Infinity;
  let row = 0;
  for await (const rows of table.rows) {
    for (const { fields, line } of rows) {
      const user = idOf(fields[userColumn] as string, 'user', table, line);
      const item = idOf(fields[itemColumn] as string, 'item', table, line);
      const time = timeColumn < 0 ? null : timeOf(fields[timeColumn] as string, settings.timeUnit, table, line);
      const type = typeColumn < 0 ? 'interaction' : (fields[typeColumn] as string);
      if (time !== null) latest = Math.max(latest, time);
      const ordinal = 2 * row + 1; // the constructed search stands before it, at 2 * row
      const query = items.queries.get(item) ?? '';
      if (query.trim() !== '') {
        searches.row(user, ordinal - 1, time, query, 'constructed');
        clicks.row(ordinal - 1, item, ordinal, time);
        feed.row(user, ordinal, time, type, item, ordinal - 1);
      } else feed.row(user, ordinal, time, type, item, null);
      if (items.ids && !items.ids.has(item)) {
        lacking.events++;
        lacking.items.add(item);
      }
      row++;
    }
  }
  for (const writer of [feed, searches, clicks]) writer.finish();
  if (row === 0) throw new UserError(`${table.path} has a header and no rows: there is nothing to import`);

  const warnings: string[] = [];
  if (lacking.events > 0) {
    warnings.push(
      `${countOf(lacking.items.size, 'item')} of ${countOf(lacking.events, 'interaction')} ${lacking.items.size === 1 ? 'is' : 'are'} not in ${options.items}: no attributes${options.constructSearches === undefined ? '' : ' and no searches'} for them`,
    );
  }
  if (latest > FAR_FUTURE)
    warnings.push(`the latest time is ${new Date(latest).toISOString()}: is --time-unit ${settings.timeUnit} right?`);
  return { itemAttributes: items.attributes, userAttributes: users.attributes, warnings };
}

/** What is kept in memory of an attribute table: its ids (null without a file), and the queries of items. */
interface Attributes {
  readonly attributes: readonly string[];
  readonly ids: ReadonlySet<string> | null;
  readonly queries: ReadonlyMap<string, string>;
}

/** Reads an item or user table into the database; without a file the table is empty. */
async function readAttributes(
  database: Database,
  key: 'item' | 'user',
  path: string | undefined,
  idName: string,
  idOption: string,
  queryName?: string,
): Promise<Attributes> {
  const queries = new Map<string, string>();
  if (path === undefined) {
    (await createAttributeTable(database, key, [])).finish();
    return { attributes: [], ids: null, queries };
  }
  const table = await openTable(path);
  const idColumn = columnOf(table, idName, idOption);
  const queryColumn = queryName === undefined ? -1 : columnOf(table, queryName, '--construct-searches');
  const columns = table.columns
    .map((name, position) => ({ name, position }))
    .filter(({ name, position }) => position !== idColumn && name !== '');
  const attributes = columns.map(({ name }) => name);
  checkAttributeNames(key, attributes, path);
  const writer = await createAttributeTable(database, key, attributes);
  const lines = new Map<string, number>();
  for await (const rows of table.rows) {
    for (const { fields, line } of rows) {
      const id = idOf(fields[idColumn] as string, key, table, line);
      const earlier = lines.get(id);
      if (earlier !== undefined)
        throw new UserError(
          `${path}, line ${line}: the ${key} ${JSON.stringify(id)} is already on line ${earlier}: keep one of them`,
        );
      writer.row(lines.size, id, ...columns.map(({ position }) => fields[position] as string));
      lines.set(id, line);
      if (queryColumn >= 0) queries.set(id, fields[queryColumn] as string);
    }
  }
  writer.finish();
  return { attributes, ids: new Set(lines.keys()), queries };
}

function idOf(text: string, key: 'item' | 'user', table: DelimitedTable, line: number): string {
  if (text.trim() === '') throw new UserError(`${table.path}, line ${line}: the ${key} id is empty`);
  return text;
}

function timeOf(text: string, unit: TimeUnit, table: DelimitedTable, line: number): number {
  const time = parseTime(text, unit);
  if (time !== null) return time;
  throw new UserError(
    `${table.path}, line ${line}: the time ${JSON.stringify(text.slice(0, 80))} is not in the unit "${unit}": choose another --time-unit or --time-column`,
  );
}
