/**
 * A data directory that grows: puts the events of an earlier one before those of a new log, and its vocabularies first, so that
 * no index changes. Knows the tables of `prepare.ts` and the files of a data directory; does not know logs, nor models.
 */
import { join } from 'node:path';
import { UserError } from '../base/index.js';
import { identifier, numbered, parquetTable, type Database } from './database.js';
import { checkedManifest } from './load.js';
import { checkAttributeNames, OLD_VOCABULARIES } from './prepare.js';
import type { DataManifest } from './schema.js';

/** What the tables are after growing. */
export interface Grown {
  readonly manifest: DataManifest;
  readonly itemAttributes: readonly string[];
  readonly userAttributes: readonly string[];
}

/**
 * Puts what is in the data directory `base` into the tables. `order` says how old and new events are ordered: by time (of ties
 * the old one first), or all new ones after all old ones.
 */
export async function growFrom(
  database: Database,
  base: string,
  order: 'time' | 'file',
  attributes: { readonly items: readonly string[]; readonly users: readonly string[] },
): Promise<Grown> {
  const manifest = await checkedManifest(base);
  if (manifest.version === 1)
    throw new UserError(`${base} is of format version 1, whose clicks have no times: import its log again`);
  const table = (name: string): string => parquetTable(join(base, `${name}.parquet`));
  await database.run(`CREATE TABLE old_clicks AS SELECT search, click.item AS item, click.ordinal AS ordinal, click.time AS time
    FROM (SELECT ordinal AS search, unnest(clicked) AS click FROM ${table('searches')})`);
  const all = `SELECT 0 AS age, ordinal, time FROM ${table('feed')} UNION ALL SELECT 0, ordinal, time FROM ${table('searches')}
    UNION ALL SELECT 0, ordinal, time FROM old_clicks UNION ALL SELECT 1, ordinal, time FROM feed
    UNION ALL SELECT 1, ordinal, time FROM searches UNION ALL SELECT 1, ordinal, time FROM clicks`;
  if (order === 'time' && (await database.number(`SELECT count(*) FROM (${all}) WHERE time IS NULL`)) > 0)
    throw new UserError(`${base} has events without a time: where the new ones belong among them cannot be told`);
  // a click that is an event of the feed, too, is one event
  const distinct = `SELECT age, ordinal, min(time) AS time FROM (${all}) GROUP BY age, ordinal`;
  await database.run(
    `CREATE TABLE grown AS ${numbered(distinct, order === 'time' ? 'time, age, ordinal' : 'age, ordinal', 'place')}`,
  );
  const at = (age: number, column: string, name: string): string =>
    `JOIN grown AS ${name} ON ${name}.age = ${age} AND ${name}.ordinal = ${column}`;
  const feed = (
    age: number,
    source: string,
  ): string => `SELECT feed."user", own.place AS ordinal, feed.time, type, item, its.place AS search
    FROM ${source} AS feed ${at(age, 'feed.ordinal', 'own')} LEFT ${at(age, 'feed.search', 'its')}`;
  const searches = (
    age: number,
    source: string,
  ): string => `SELECT searches."user", own.place AS ordinal, searches.time, query, source
    FROM ${source} AS searches ${at(age, 'searches.ordinal', 'own')}`;
  const clicks = (
    age: number,
    source: string,
  ): string => `SELECT its.place AS search, item, own.place AS ordinal, clicks.time
    FROM ${source} AS clicks ${at(age, 'clicks.ordinal', 'own')} ${at(age, 'clicks.search', 'its')}`;
  await database.replace('feed', `${feed(0, table('feed'))} UNION ALL ${feed(1, 'feed')}`);
  await database.replace('searches', `${searches(0, table('searches'))} UNION ALL ${searches(1, 'searches')}`);
  await database.replace('clicks', `${clicks(0, 'old_clicks')} UNION ALL ${clicks(1, 'clicks')}`);
  for (const name of ['old_clicks', 'grown']) await database.run(`DROP TABLE ${name}`);
  for (const [name, column] of Object.entries(OLD_VOCABULARIES)) {
    const known = manifest.sizes[name as keyof typeof OLD_VOCABULARIES]; // users and items that training does not know stand behind
    await database.run(
      `CREATE TABLE old_${name} AS SELECT "index", ${identifier(column)} FROM ${table(name)} WHERE "index" < ${known}`,
    );
  }
  return {
    manifest,
    itemAttributes: await growAttributes(database, 'item', table('items'), manifest.itemAttributes, attributes.items),
    userAttributes: await growAttributes(database, 'user', table('users'), manifest.userAttributes, attributes.users),
  };
}

/** The old rows in their order, then the new ones; of what both have, what the new one says, as far as it says anything. */
async function growAttributes(
  database: Database,
  key: 'item' | 'user',
  old: string,
  before: readonly string[],
  now: readonly string[],
): Promise<string[]> {
  const names = [...new Set([...before, ...now])];
  checkAttributeNames(key, names, `the attributes of ${key}s, old and new`);
  const values = names.map((name) => {
    const column = identifier(name);
    const [earlier, later] = [
      before.includes(name) ? `old.${column}` : 'NULL',
      now.includes(name) ? `nullif(new.${column}, '')` : 'NULL', // an empty cell says nothing
    ];
    return `, CAST(coalesce(${later}, ${earlier}) AS VARCHAR) AS ${column}`;
  });
  await database.replace(
    `${key}s`,
    `SELECT row_number() OVER (ORDER BY old."index" NULLS LAST, new."index") - 1 AS "index", coalesce(old."${key}", new."${key}") AS "${key}"${values.join('')}
    FROM ${old} AS old FULL JOIN ${key}s AS new ON new."${key}" = old."${key}"`,
  );
  return names;
}
