/**
 * What becomes of the entries of a log: duplicates, who somebody was, which search led to an action, order; and from there the
 * tables of `prepare.ts`. Knows the staging table and events; does not know formats, files, or who is held out, nor on which
 * engine it happens. Every order is said: time, file, line, record, part.
 */
import { UserError, assert } from '../../base/index.js';
import { copyToJsonLines, literal, type Database } from '../database.js';
import type { Engine } from '../engine.js';
import type { ReadCounts } from '../schema.js';
import { makeAttributes } from './attributes.js';
import type { Format, JoinRule } from './formats/format.js';
import { ACCEPTED, PLACE, PLACE_COLUMNS, STAGED, rejectedColumns, samePlace, type StagedColumn } from './staged.js';

/** What is decided about entries. */
export interface Settlement {
  readonly counts: ReadCounts;
  readonly itemAttributes: readonly string[];
  readonly userAttributes: readonly string[];
  /** Attributes in the file `changesIn` that cannot be columns beside the others. */
  readonly leftOut: readonly { readonly key: 'item' | 'user'; readonly name: string }[];
  /** Actions whose search was not found, where the format lets them be. */
  readonly unmatched: number;
}

export interface SettleOptions {
  /** Leave out entries that equal an earlier one in everything, too, not only in the id. Default: false. */
  readonly dropRepeats?: boolean;
  /** Keep the ids of actions in `placed`, for looking at events without one. Default: those of searches alone, unless `dropRepeats`. */
  readonly keepIds?: boolean;
  /** The table `earlier_ids` has hashes of ids of events that came before: they are duplicates. Default: false. */
  readonly hasEarlierIds?: boolean;
  /** Ordinals are 1, 3, 5, … so that a search can stand before every event. Default: false. */
  readonly spaced?: boolean;
  /** A file, by its number, whose attributes of items and users change those of others, and leave what they do not name. */
  readonly changesIn?: number | null;
}

/** The user of an entry, where `merged` says who was ever seen with an anonymous id. */
const STAGED_AND_MERGED = 'staged LEFT JOIN merged ON merged.anonymous = staged.anonymous';
const WHO = 'coalesce(staged.user, merged.user, staged.anonymous)';

/**
 * Settles the entries in `staged` (see `STAGED`), and makes the tables feed, searches, clicks, items and users, and `rejected`
 * (file, line, record, part, reason, raw). `records`: how many the files hold, null to take the staging table's word.
 */
export async function settle(
  engine: Engine,
  format: Format,
  records: number | null,
  oneEntryEach: boolean,
  {
    dropRepeats = false,
    keepIds = dropRepeats,
    hasEarlierIds = false,
    spaced = false,
    changesIn = null,
  }: SettleOptions = {},
): Promise<Settlement> {
  await engine.run(`CREATE TABLE rejected AS SELECT ${PLACE}, reason, raw FROM staged WHERE reason IS NOT NULL`);
  await findDuplicates(engine, hasEarlierIds);
  await placeEvents(engine, format.order, dropRepeats, keepIds);
  if (format.join) await leaveOutEchoes(engine, format.join);
  await findSearches(engine, format, hasEarlierIds);
  await numberEvents(engine, spaced, format.join?.inherits === true);
  const items = await makeAttributes(engine.here, 'item', format.repeated ?? 'replace', changesIn);
  const users = await makeAttributes(engine.here, 'user', format.repeated ?? 'replace', changesIn);
  await engine.adopt('items', `"index" BIGINT, item ${engine.dialect.text}`, 'SELECT "index", item FROM items');
  await engine.adopt('rejected', rejectedColumns(engine.dialect.text), 'SELECT * FROM rejected');
  const unmatched =
    format.unmatched === 'feed'
      ? await engine.number('SELECT count(*) FROM led WHERE search_place IS NULL AND named')
      : 0;
  const counts = await countEntries(engine, records, oneEntryEach);
  const leftOut = [
    ...items.leftOut.map((name) => ({ key: 'item', name }) as const),
    ...users.leftOut.map((name) => ({ key: 'user', name }) as const),
  ];
  return { counts, itemAttributes: items.names, userAttributes: users.names, leftOut, unmatched };
}

/**
 * Makes `duplicates`: entries whose id an earlier one has, or, with `hasEarlierIds`, an event that came before (`known_ids`).
 * `again` is true for further rows of a search that has many.
 */
async function findDuplicates(engine: Engine, hasEarlierIds: boolean): Promise<void> {
  await engine.run(
    hasEarlierIds
      ? `CREATE TABLE known_ids AS SELECT DISTINCT id FROM staged
          WHERE ${ACCEPTED} AND kind IN ('search', 'action') AND id IS NOT NULL AND ${engine.dialect.fingerprint('id')} IN (SELECT id FROM earlier_ids)`
      : `CREATE TABLE known_ids (id ${engine.dialect.text})`,
  );
  await engine.run(`CREATE TABLE duplicates AS SELECT ${PLACE}, again AND occurrence > 1 AS again FROM (
    SELECT ${PLACE}, kind = 'search' AND coalesce(type, '') = 'many' AS again, dense_rank() OVER (PARTITION BY id ORDER BY file, line, record) AS occurrence,
      id IN (SELECT id FROM known_ids) AS known
    FROM staged WHERE ${ACCEPTED} AND id IN (
      SELECT id FROM staged WHERE ${ACCEPTED} AND id IS NOT NULL GROUP BY id HAVING count(*) > 1 UNION ALL SELECT id FROM known_ids)
  ) WHERE occurrence > 1 OR known`);
}

/** Makes `event_ids`: hashes of the ids of searches and actions that are accepted, for whatever log comes later. */
export async function rememberIds(engine: Engine): Promise<void> {
  await engine.run(`CREATE TABLE event_ids AS SELECT DISTINCT ${engine.dialect.fingerprint('id')} AS id FROM staged
    WHERE ${ACCEPTED} AND id IS NOT NULL AND kind IN ('search', 'action') 
      AND NOT EXISTS (SELECT 1 FROM rejected WHERE ${samePlace('rejected', 'staged')})`);
}

/** The part of a user's events in which a search is sought. */
const visitOf = (within: JoinRule['within']): string => (within === 'session' ? `coalesce(session, '')` : `''`);

/** Takes out of `placed` what reports the search before it once more; it counts like a further row of that search. */
async function leaveOutEchoes(engine: Engine, { within, minutes }: JoinRule): Promise<void> {
  const order = `PARTITION BY "user", ${visitOf(within)} ORDER BY place`;
  const searches = engine.dialect.withComparedQuery(`SELECT * FROM placed WHERE kind = 'search'`);
  await engine.run(`CREATE TABLE echoes AS SELECT place, ${PLACE} FROM (
      SELECT *, lag(compared) OVER (${order}) AS before, lag(time) OVER (${order}) AS since FROM (${searches})
    ) WHERE follows = 1 AND before = compared AND time - since <= ${minutes * 60_000}`);
  await engine.run(`INSERT INTO duplicates SELECT ${PLACE}, true FROM echoes`);
  await engine.keep('placed', 'NOT EXISTS (SELECT 1 FROM echoes WHERE echoes.place = placed.place)');
  await engine.run('DROP TABLE echoes');
}

/** Makes `placed`: searches and actions in order, each with its place, and with the user that it is of. */
async function placeEvents(
  engine: Engine,
  order: Format['order'],
  dropRepeats: boolean,
  keepIds: boolean,
): Promise<void> {
  // What no entry has is not carried through the sort, nor what is the same of all.
  const optional = ['anonymous', 'id', 'session', 'time', 'query', 'source', 'search', 'follows', 'list'] as const;
  const mostlyOne = PLACE_COLUMNS.filter((name) => name !== 'line');
  const counts = await engine.read(
    `SELECT ${[...optional.map((name) => `count("${name}")`), ...mostlyOne.map((name) => `count(DISTINCT ${name})`)].join(', ')} FROM staged`,
    Object.fromEntries([...optional, ...mostlyOne].map((name) => [name, 'number' as const])),
  );
  const has = (name: (typeof optional)[number]): boolean => (counts[name]?.[0] as number) > 0;
  const keys = [
    ...(order === 'time' ? ['time NULLS LAST'] : []),
    ...PLACE_COLUMNS.filter((name) => name === 'line' || (counts[name]?.[0] as number) > 1),
  ];
  await engine.run(`CREATE TABLE merged AS SELECT anonymous, min("user") AS "user" FROM staged
      WHERE ${ACCEPTED} AND "user" IS NOT NULL AND anonymous IS NOT NULL GROUP BY anonymous HAVING count(DISTINCT "user") = 1`);
  const who = has('anonymous') ? WHO : 'staged."user"';
  const anyDuplicate = (await engine.number('SELECT count(*) FROM duplicates')) > 0;
  const carried = optional.filter((name) => name !== 'anonymous' && name !== 'id');
  const events = `SELECT ${PLACE}, kind, ${who} AS "user", item, type${has('id') ? `, ${keepIds ? 'id' : `CASE WHEN kind = 'search' THEN id END AS id`}` : ''}${carried.map((name) => (has(name) ? `, ${name}` : '')).join('')}
    FROM ${has('anonymous') ? STAGED_AND_MERGED : 'staged'}
    WHERE ${ACCEPTED} AND kind IN ('search', 'action')
      ${anyDuplicate ? `AND NOT EXISTS (SELECT 1 FROM duplicates WHERE ${samePlace('duplicates', 'staged')})` : ''}`;
  const absent = [...carried, 'id' as const]
    .filter((name) => !has(name))
    .map((name) => `, CAST(NULL AS ${typeOf(engine, name)}) AS ${name}`);
  await engine.createNumbered('placed', events, keys.join(', '), 'place', absent.join(''));
  if (!dropRepeats) return;
  const same = `"user", kind, time, item, query, type, search, session, list`;
  await engine.run(`INSERT INTO duplicates SELECT ${PLACE}, false FROM (
    SELECT ${PLACE}, row_number() OVER (PARTITION BY ${same} ORDER BY place) AS occurrence FROM placed WHERE id IS NULL
  ) WHERE occurrence > 1`);
  await engine.keep(
    'placed',
    `NOT EXISTS (SELECT 1 FROM duplicates
      WHERE ${samePlace('duplicates', 'placed')})`,
  );
}

/** The type of a column of the staging table. */
const typeOf = ({ dialect }: Engine, name: StagedColumn): string =>
  STAGED[name] === 'VARCHAR' ? dialect.text : STAGED[name];

/** Makes `led`: for actions that a search may have led to, its place; rejects those that name a wrong one. */
async function findSearches(
  engine: Engine,
  { unmatched = 'reject', join }: Format,
  hasEarlierIds: boolean,
): Promise<void> {
  await engine.run(`CREATE TABLE led AS SELECT actions.place, true AS named,
      CASE WHEN started."user" = actions."user" AND started.place < actions.place THEN started.place END AS search_place,
      started."user" AS other, started.place AS other_place
    FROM placed AS actions LEFT JOIN (SELECT id, place, "user" FROM placed WHERE kind = 'search' AND id IS NOT NULL) AS started
      ON started.id = actions.search
    WHERE actions.kind = 'action' AND actions.search IS NOT NULL`);
  const wrong = 'SELECT count(*) FROM led WHERE search_place IS NULL';
  if (unmatched === 'reject' && (await engine.number(wrong)) > 0) {
    const known = hasEarlierIds
      ? ` WHEN search IN (SELECT id FROM known_ids) THEN 'which came with the data that grow: import both logs at once'`
      : '';
    await engine.run(`INSERT INTO rejected SELECT ${PLACE},
        'the event names the search ' || ${engine.dialect.shown('search')} || ', ' || CASE${known} WHEN other_place IS NULL THEN 'which no line has as a search'
          WHEN other <> "user" THEN 'which is a search of the user ' || ${engine.dialect.shown('other')}
          ELSE 'which comes later: correct the times' END,
        ${engine.dialect.jsonObject([
          ['type', 'type'],
          ['user', '"user"'],
          ['item', 'item'],
          ['search', 'search'],
        ])}
      FROM placed JOIN led ON led.place = placed.place WHERE led.search_place IS NULL`);
    await engine.keep(
      'placed',
      'NOT EXISTS (SELECT 1 FROM led WHERE led.place = placed.place AND led.search_place IS NULL)',
    );
    await engine.keep('led', 'search_place IS NOT NULL');
  }
  if (join) await seekSearches(engine, join);
}

/**
 * Adds to `led` the newest search that fits for every action that follows one without naming it: unless another list was shown
 * in between. With `inherits`, an action that is no click belongs to the search of the newest click on its item.
 */
async function seekSearches(engine: Engine, { within, minutes, inherits }: JoinRule): Promise<void> {
  const visit = visitOf(within);
  const window = minutes * 60_000;
  const all = `SELECT place, ${PLACE}, kind, "user", ${visit} AS visit, time, item, follows, search, list, type FROM placed
      UNION ALL SELECT NULL, ${PLACE}, kind, ${WHO}, ${visit}, time, NULL, NULL, NULL, NULL, NULL
      FROM ${STAGED_AND_MERGED} WHERE ${ACCEPTED} AND kind = 'ignored' AND follows = 1`;
  await engine.createNumbered('steps', all, `time NULLS LAST, ${PLACE}`, 'step');
  // The newest search of the user and visit before each action: of the same list; of searches that have no list; of any.
  const newest = (condition: string, extra: string): string =>
    `max(CASE WHEN kind = 'ignored' OR (kind = 'search' AND ${condition}) THEN step END) OVER (PARTITION BY "user", visit${extra} ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`;
  await engine.run(`INSERT INTO led SELECT found.place, false, searched.place, NULL, NULL FROM (
      SELECT place, kind, follows, search, time, CASE WHEN list IS NULL THEN ${newest('true', '')}
        ELSE coalesce(${newest('true', ', list')}, ${newest('list IS NULL', '')}) END AS search_step FROM steps
    ) AS found JOIN steps AS searched ON searched.step = found.search_step
    WHERE found.kind = 'action' AND found.follows = 1 AND found.search IS NULL
      AND searched.kind = 'search' AND found.time - searched.time <= ${window}`);
  if (inherits === true)
    await engine.run(`INSERT INTO led SELECT found.place, false, led.search_place, NULL, NULL FROM (
        SELECT place, kind, type, follows, search, time,
          max(CASE WHEN type = 'click' THEN step END) OVER (PARTITION BY "user", visit, item ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS click_step
        FROM steps WHERE kind = 'action'
      ) AS found JOIN steps AS clicked ON clicked.step = found.click_step JOIN led ON led.place = clicked.place
      WHERE found.type <> 'click' AND found.follows IS NULL AND found.search IS NULL AND found.time - clicked.time <= ${window}`);
  await engine.run('DROP TABLE steps');
}

/** Makes feed, searches and clicks. */
async function numberEvents(engine: Engine, spaced: boolean, inherits: boolean): Promise<void> {
  // Without gaps, places are ordinals already; what was rejected leaves gaps.
  const [count, last] = [
    await engine.number('SELECT count(*) FROM placed'),
    await engine.number('SELECT coalesce(max(place), -1) FROM placed'),
  ];
  const gaps = count !== last + 1;
  if (gaps) await engine.createNumbered('numbered', 'SELECT place FROM placed', 'place', 'number');
  const ordinal = (place: string): string => (spaced ? `2 * ${place} + 1` : place);
  const numbers = (table: string, place: string): string =>
    gaps ? `JOIN numbered AS ${table} ON ${table}.place = ${place}` : '';
  const [own, its] = [gaps ? 'own.number' : 'placed.place', gaps ? 'its.number' : 'led.search_place'];
  await engine.run(`CREATE TABLE searches AS SELECT "user", ${ordinal(own)} AS ordinal, time, query, coalesce(source, 'unknown') AS source
    FROM placed ${numbers('own', 'placed.place')} WHERE kind = 'search'`);
  await engine.run(`CREATE TABLE clicks AS SELECT ${ordinal(its)} AS search, item, ${ordinal(own)} AS ordinal, time
    FROM placed JOIN led ON led.place = placed.place ${numbers('own', 'placed.place')} ${numbers('its', 'led.search_place')}
    WHERE led.search_place IS NOT NULL`);
  // Without gaps the feed is a view: most of a log is feed, and a copy of it would cost more than looking at it again.
  const followed = inherits ? 'true' : 'search IS NOT NULL OR follows = 1';
  const feed = `SELECT "user", ${ordinal(own)} AS ordinal, time, type, item, CAST(NULL AS BIGINT) AS search
      FROM placed ${numbers('own', 'placed.place')} WHERE kind = 'action' AND NOT coalesce(${followed}, false)
    UNION ALL SELECT "user", ${ordinal(own)}, time, type, item, ${ordinal(its)}
      FROM placed LEFT JOIN led ON led.place = placed.place ${numbers('own', 'placed.place')} ${gaps ? `LEFT ${numbers('its', 'led.search_place')}` : ''}
      WHERE kind = 'action' AND (${followed}) AND (type <> 'click' OR led.search_place IS NULL)`;
  await engine.run(`CREATE ${gaps ? 'TABLE' : 'VIEW'} feed AS ${feed}`);
}

/** Makes entries of some users ones to be ignored, with nothing in them any more, but for those of one file. */
export async function ignoreUsers(database: Database, users: readonly string[], exceptIn = -1): Promise<void> {
  if (users.length === 0) return;
  const kept: readonly string[] = [...PLACE_COLUMNS, 'kind'];
  const emptied = Object.keys(STAGED)
    .filter((name) => !kept.includes(name))
    .map((name) => `"${name}" = NULL`);
  await database.run('CREATE TABLE left_out (hash VARCHAR)');
  for (let start = 0; start < users.length; start += 1000) {
    const values = users.slice(start, start + 1000).map((hash) => `(${literal(hash)})`);
    await database.run(`INSERT INTO left_out VALUES ${values.join(', ')}`);
  }
  await database.run(`UPDATE staged SET kind = 'ignored', ${emptied.join(', ')}
    WHERE ${ACCEPTED} AND kind <> 'ignored' AND file <> ${exceptIn} AND sha256("user") IN (SELECT hash FROM left_out)`);
  await database.run('DROP TABLE left_out');
}

/** Counts what became of everything, from what was made of it, and makes sure that nothing is missing. */
async function countEntries(engine: Engine, expected: number | null, oneEntryEach: boolean): Promise<ReadCounts> {
  const kinds = `kind IN ('item', 'user')`;
  const [read, distinct, searches, feed, clicks, rejected, duplicates, ignoring, again, ignoredTwice, told, late] =
    (await engine.numbers(
      [
        'staged',
        oneEntryEach ? '(SELECT 1 AS one)' : '(SELECT DISTINCT file, line, record FROM staged)',
        'searches',
        'feed',
        `placed JOIN led ON led.place = placed.place WHERE type = 'click' AND search_place IS NOT NULL`,
        'rejected',
        'duplicates WHERE NOT again',
        `staged WHERE ${ACCEPTED} AND kind = 'ignored'`,
        'duplicates WHERE again',
        `duplicates JOIN staged ON ${samePlace('duplicates', 'staged')} WHERE staged.kind = 'ignored'`,
        `staged WHERE ${ACCEPTED} AND ${kinds}`,
        `(SELECT ${PLACE} FROM rejected EXCEPT SELECT ${PLACE} FROM staged WHERE reason IS NOT NULL) AS late JOIN staged USING (${PLACE}) WHERE ${kinds}`,
      ].map((rows) => `SELECT count(*) FROM ${rows}`),
    )) as [number, number, number, number, number, number, number, number, number, number, number, number];
  const records = oneEntryEach ? read : distinct;
  const events = searches + feed + clicks;
  const ignored = ignoring + again - ignoredTwice;
  const attributes = told - late;
  const accepted = events + attributes;
  assert(expected === null || expected === records, `${records} records of ${expected} were staged`);
  assert(
    accepted + rejected + duplicates + ignored === read,
    `${accepted} accepted, ${rejected} rejected, ${duplicates} duplicates and ${ignored} ignored entries are not the ${read} that were read`,
  );
  return { records, read, accepted, rejected, duplicates, ignored };
}

/** Refuses on the first rejected entry: for --strict. */
export async function refuseRejected(engine: Engine, names: readonly string[]): Promise<void> {
  const { file, line, reason } = await engine.read(
    `SELECT file, line, reason FROM rejected ORDER BY ${PLACE} LIMIT 1`,
    {
      file: 'integer',
      line: 'number',
      reason: 'text',
    },
  );
  if (reason.length > 0) throw new UserError(`${names[file[0] as number]}, line ${line[0]}: ${reason[0]}`);
}

/** Writes what was rejected as JSON lines: file, line, reason, raw. */
export async function writeQuarantine(database: Database, names: readonly string[], path: string): Promise<void> {
  const values = names.map((name, i) => `(${i}, ${literal(name)})`).join(', ');
  const rows = `SELECT names.name AS file, line, reason, raw FROM rejected
    JOIN (VALUES ${values}) AS names(number, name) ON names.number = rejected.file ORDER BY rejected.file, line, record, part`;
  await database.run(copyToJsonLines(rows, path));
}
