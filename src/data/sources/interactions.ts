/**
 * Imports a plain table of interactions: user, item, time, in the order of events. Knows column names and how searches
 * are constructed from the items' queries (as the paper does for Amazon); never sorts, since times have ties.
 */
import { UsageError, UserError, countOf } from '../../base/index.js';
import { identifier, type Database } from '../database.js';
import { separatorHint } from './delimited.js';
import { unblank } from './dialect.js';
import type { Table } from './formats/format.js';
import { interactionsWith, type InteractionColumns } from './formats/interactions.js';
import {
  fillFromFormat,
  refuseNothing,
  runImport,
  type FilledTables,
  type ImportOptions,
  type ImportResult,
  type Workshop,
} from './import.js';
import type { Input } from './input.js';
import { sampleOf, shownNames, type Sample } from './recognise.js';
import { namesOf } from './stage.js';
import type { TimeUnit } from './times.js';

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
  if (options.spark)
    throw new UsageError('--engine spark does not read interactions: import them on one machine, or as another format');
  if (options.constructSearches !== undefined && options.items === undefined) {
    throw new UsageError('--construct-searches takes the queries from the item table: pass it with --items FILE');
  }
  const paths = [options.file, options.items, options.users].filter((path) => path !== undefined);
  return runImport('interactions', paths, options, settings, async (workshop, inputs) =>
    fill(workshop, inputs, options, settings),
  );
}

async function fill(
  workshop: Workshop,
  inputs: readonly Input[],
  options: InteractionsOptions,
  settings: InteractionColumns & { readonly constructSearches: string | null },
): Promise<FilledTables> {
  const { database } = workshop;
  const format = interactionsWith(settings);
  const [events, items, users] = format.tables;
  const tables = [events, options.items === undefined ? users : items, users];
  const files = inputs.map((input, i) => ({ input, table: tables[i] as Table }));
  for (const { input, table } of files) {
    const sample = await sampleOf(input, database);
    if (sample.container === 'lines' || sample.container === 'document') continue; // every record says for itself
    if (sample.columns.length === 0) throw new UserError(`${input.name} is empty: it needs a header line and rows`);
    namesOf(sample.columns, table, input);
    const need = (name: string, option: string): void => needColumn(input, sample, name, option);
    if (table === events) {
      need(settings.userColumn, '--user-column');
      need(settings.itemColumn, '--item-column');
      if (settings.timeColumn !== 'none') need(settings.timeColumn, '--time-column (or --time-column none)');
      if (settings.typeColumn !== null) need(settings.typeColumn, '--type-column');
    } else if (table === items) {
      need(settings.itemColumn, '--item-column');
      if (settings.constructSearches !== null) need(settings.constructSearches, '--construct-searches');
    } else need(settings.userColumn, '--user-column');
  }
  const filled = await fillFromFormat(workshop, format, files, options, { spaced: true });
  await refuseNothing(
    database,
    files.map(({ input }) => input.name),
    `${options.file} has a header and no rows: there is nothing to import`,
  );
  const { constructSearches } = settings;
  if (constructSearches !== null && filled.itemAttributes.includes(constructSearches))
    await construct(database, constructSearches);
  const warnings = [...filled.warnings];
  if (options.items !== undefined) {
    const { lost, from } = await database.read(
      'SELECT count(DISTINCT item), count(*) FROM feed WHERE item NOT IN (SELECT item FROM items)',
      { lost: 'number', from: 'number' },
    );
    const [itemCount, eventCount] = [lost[0] as number, from[0] as number];
    if (eventCount > 0)
      warnings.push(
        `${countOf(itemCount, 'item')} of ${countOf(eventCount, 'interaction')} ${itemCount === 1 ? 'is' : 'are'} not in ${options.items}: no attributes${constructSearches === null ? '' : ' and no searches'} for them`,
      );
  }
  return { ...filled, warnings };
}

/** Puts a search for the text of its item before every event; ordinals have room for it. */
async function construct(database: Database, column: string): Promise<void> {
  const query = identifier(column);
  await database.run(
    `CREATE TABLE item_queries AS SELECT item, ${query} AS query FROM items WHERE ${unblank(query)} IS NOT NULL`,
  );
  const led = 'feed JOIN item_queries ON item_queries.item = feed.item';
  await database.run(`INSERT INTO searches SELECT "user", ordinal - 1, time, query, 'constructed' FROM ${led}`);
  await database.run(`INSERT INTO clicks SELECT ordinal - 1, feed.item, ordinal, time FROM ${led}`);
  await database.replace(
    'feed',
    `SELECT "user", ordinal, time, type, feed.item, CASE WHEN query IS NOT NULL THEN ordinal - 1 END AS search
    FROM feed LEFT JOIN item_queries ON item_queries.item = feed.item`,
  );
}

/** A column that the header lacks is a `UserError` that lists those it has. */
function needColumn(input: Input, { columns }: Sample, name: string, option: string): void {
  if (name !== '' && columns.includes(name)) return;
  throw new UserError(
    `${input.name} has no column ${JSON.stringify(name)}: it has ${shownNames(columns)}${separatorHint(columns)}; name the right one with ${option}`,
  );
}
