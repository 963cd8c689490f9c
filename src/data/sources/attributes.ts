/** Attributes of items and users, from entries to tables. Knows JSON objects of attributes, which DuckDB takes apart; does not know formats. */
import { identifier } from '../database.js';
import type { Engine } from '../engine.js';
import { checkAttributeNames } from '../prepare.js';
import * as sql from './dialect.js';
import { ACCEPTED, PLACE, PLACE_COLUMNS, RAW_LENGTH, placeIn } from './staged.js';

/**
 * Makes the table of items or users, in order of first appearance; of several entries about the same one the last counts, or
 * the others are rejected. Returns the names of the attributes.
 * @param changesIn a file, by its number, whose entries change what the last of other files says, and leave the rest of it; names in it that cannot be columns
 *   beside others are left out, since a store takes any and keeps them
 */
export async function makeAttributes(
  database: Engine,
  key: 'item' | 'user',
  repeated: 'replace' | 'merge' | 'reject',
  changesIn: number | null = null,
): Promise<{ readonly names: readonly string[]; readonly leftOut: readonly string[] }> {
  const table = `${key}s`;
  if ((await database.number(`SELECT count(*) FROM staged WHERE kind = '${key}' AND ${ACCEPTED}`)) === 0) {
    await database.run(`CREATE TABLE ${table} ("index" BIGINT, "${key}" VARCHAR)`);
    return { names: [], leftOut: [] };
  }
  await database.run(`CREATE TABLE ${key}_entries AS SELECT ${PLACE}, "${key}", fields,
      row_number() OVER (PARTITION BY "${key}" ORDER BY ${PLACE}) AS occurrence,
      row_number() OVER (PARTITION BY "${key}" ORDER BY ${PLACE_COLUMNS.map((column) => `${column} DESC`).join(', ')}) AS from_end
    FROM staged WHERE kind = '${key}' AND ${ACCEPTED}`);
  if (repeated === 'reject') {
    await database.run(`INSERT INTO rejected SELECT ${placeIn('later')},
        'the ${key} ' || ${sql.shown(`later."${key}"`)} || ' is already on line ' || first.line || ': keep one of them',
        ${sql.cut(sql.withMember('later.fields', key, `later."${key}"`), RAW_LENGTH)}
      FROM ${key}_entries AS later JOIN ${key}_entries AS first ON first."${key}" = later."${key}" AND first.occurrence = 1
      WHERE later.occurrence > 1`);
    await database.run(`DELETE FROM ${key}_entries WHERE occurrence > 1`);
  }
  if (repeated === 'merge') await mergeAttributes(database, key);
  let others: readonly string[] | null = null;
  if (changesIn !== null) {
    others = await namesBeside(database, key, changesIn);
    await changeAttributes(database, key, changesIn);
  }
  const chosen = repeated === 'reject' ? 'occurrence = 1' : 'from_end = 1';
  await database.run(`CREATE TABLE ${key}_known AS SELECT row_number() OVER (ORDER BY ${placeIn('first')}) - 1 AS "index", first."${key}", last.fields
    FROM (SELECT * FROM ${key}_entries WHERE occurrence = 1) AS first
    JOIN (SELECT * FROM ${key}_entries WHERE ${chosen}) AS last ON last."${key}" = first."${key}"`);
  const { name: all } = await database.read(
    `SELECT name FROM (SELECT "index", ${sql.eachOf(sql.namesOf('fields'))} AS name, ${sql.positionsOf(sql.namesOf('fields'))} AS position, ${sql.eachOf(sql.valuesOf('fields'))} AS value
      FROM ${key}_known WHERE fields IS NOT NULL) WHERE CAST(value AS VARCHAR) <> 'null' GROUP BY name ORDER BY min(1000000 * "index" + position)`,
    { name: 'text' },
  );
  const { names, leftOut } = others ? besideOneAnother(key, all, new Set(others)) : { names: all, leftOut: [] };
  checkAttributeNames(key, names, `the attributes of ${table}`);
  const columns = names.map(
    (name) => `, ${sql.attributeOfJson(sql.valueNamed('fields', name))} AS ${identifier(name)}`,
  );
  await database.run(`CREATE TABLE ${table} AS SELECT "index", "${key}"${columns.join('')} FROM ${key}_known`);
  await database.run(`DROP TABLE ${key}_entries`);
  await database.run(`DROP TABLE ${key}_known`);
  return { names, leftOut };
}

/** The names of attributes in all files but one. */
async function namesBeside(database: Engine, key: 'item' | 'user', file: number): Promise<readonly string[]> {
  const { name } = await database.read(
    `SELECT DISTINCT ${sql.eachOf(sql.namesOf('fields'))} AS name FROM ${key}_entries WHERE file <> ${file} AND fields IS NOT NULL`,
    { name: 'text' },
  );
  return name;
}

/** Of some names those that may be columns beside `others`, which all stay, and beside one another; and the rest. */
function besideOneAnother(
  key: 'item' | 'user',
  all: readonly string[],
  others: ReadonlySet<string>,
): { readonly names: string[]; readonly leftOut: string[] } {
  const taken = new Set(['index', key, ...[...others].map((name) => name.toLowerCase())]);
  const [names, leftOut]: [string[], string[]] = [[], []];
  for (const name of all) {
    const isFree = others.has(name) || !taken.has(name.toLowerCase());
    taken.add(name.toLowerCase());
    (isFree ? names : leftOut).push(name);
  }
  return { names, leftOut };
}

/** Puts what one file says of attributes onto what the last entry of the others says. */
async function changeAttributes(database: Engine, key: 'item' | 'user', file: number): Promise<void> {
  await database.run(`UPDATE ${key}_entries AS change SET fields = CAST(json_merge_patch(before.fields, coalesce(change.fields, '{}')) AS VARCHAR)
    FROM (SELECT "${key}", max_by(fields, occurrence) AS fields FROM ${key}_entries WHERE file <> ${file} GROUP BY "${key}") AS before
    WHERE change.file = ${file} AND before."${key}" = change."${key}" AND before.fields IS NOT NULL`);
}

/** Gives every entry about an item or user the attributes of all of them, of each the last value. */
async function mergeAttributes(database: Engine, key: 'item' | 'user'): Promise<void> {
  await database.run(`CREATE TABLE ${key}_merged AS SELECT "${key}", '{' || ${sql.joinedInOrder(`${sql.jsonText('name')} || ':' || value`, ',', 'first_occurrence, position')} || '}' AS fields FROM (
      SELECT "${key}", name, ${sql.atMost('value', 'latest')} AS value, min(earliest) AS first_occurrence, ${sql.atLeast('position', 'earliest')} AS position FROM (
        SELECT "${key}", earliest, latest, ${sql.eachOf(sql.namesOf('fields'))} AS name, ${sql.positionsOf(sql.namesOf('fields'))} AS position,
          CAST(${sql.eachOf(sql.valuesOf('fields'))} AS VARCHAR) AS value FROM (
            SELECT "${key}", fields, min(occurrence) AS earliest, max(occurrence) AS latest FROM ${key}_entries GROUP BY "${key}", fields)
      ) WHERE value <> 'null' GROUP BY "${key}", name
    ) GROUP BY "${key}"`);
  await database.run(
    `UPDATE ${key}_entries SET fields = (SELECT fields FROM ${key}_merged WHERE ${key}_merged."${key}" = ${key}_entries."${key}")`,
  );
  await database.run(`DROP TABLE ${key}_merged`);
}
