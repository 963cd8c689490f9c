/**
 * What can be wrong with a log: one entry per trouble, each a query for the entries that have it. Knows events in order
 * (`placed`, see `../sources/settle.ts`) and what is rejected or left out; does not know formats, nor how findings are shown.
 */
import { literal } from '../database.js';
import * as sql from '../sources/dialect.js';
import { PLACE, samePlace } from '../sources/staged.js';
import { EARLIEST } from '../sources/times.js';
import { unitTroubles } from './time-units.js';
import type { Trouble } from './trouble.js';

/** Rejected records by what is wrong with them: the reasons with what they quote left out, each with its first case. */
const QUOTED_OR_NUMBER = literal(String.raw`"([^"\\]|\\.)*"|[0-9]+`);
export const REJECTED = `SELECT count(*) AS cases, ${sql.atLeast('reason', 'place')} AS what, ${sql.atLeast('file', 'place')} AS file, ${sql.atLeast('line', 'place')} AS line FROM (
    SELECT *, row_number() OVER (ORDER BY ${PLACE}) AS place FROM rejected
  ) GROUP BY regexp_replace(reason, ${QUOTED_OR_NUMBER}, '', 'g') ORDER BY cases DESC, file, line LIMIT 20`;
export const REJECTED_ADVICE = 'correct them, or accept their loss: sesrec import puts them into quarantine.jsonl';

/** The rule for robots, as docs/check.md has it. */
export const ROBOT_EVENTS_PER_HOUR = 600;
export const ROBOT_EVENTS_PER_DAY = 3000;
const LONGEST_QUERY = 500;
const LONGEST_ID = 200;
const HOUR = 3_600_000;

const PLACEHOLDERS = [
  'null',
  'none',
  'undefined',
  'nan',
  'n/a',
  'na',
  'nil',
  '(not set)',
  '(none)',
  'unknown',
  'anonymous',
  'guest',
  'test',
  '-',
  '-1',
  '[object object]',
  'true',
  'false',
];

/** The first place of every group of entries that have one value of `key` in common, where a condition on the group holds. */
const groups = (key: string, source: string, having: string, what: string): string =>
  `SELECT ${sql.atLeast('file', 'place')} AS file, ${sql.atLeast('line', 'place')} AS line, ${what} AS what FROM (${source}) GROUP BY ${key} HAVING ${having}`;

const quoted = (text: string): string => sql.shown(text);

/** Ids of one kind, each at its first place. */
const ids = (column: 'user' | 'item'): string =>
  `SELECT "${column}" AS id, min(place) AS place, ${sql.atLeast('file', 'place')} AS file, ${sql.atLeast('line', 'place')} AS line FROM placed WHERE "${column}" IS NOT NULL GROUP BY "${column}"`;

/** Ids that are the same under some reading of them. */
function alike(column: 'user' | 'item', reading: string): string {
  return groups(
    'reading',
    `SELECT *, ${reading} AS reading FROM (${ids(column)})`,
    'count(*) > 1 AND reading IS NOT NULL',
    `${quoted(sql.atLeast('id', 'place'))} || ' and ' || ${quoted(sql.atMost('id', 'place'))}`,
  );
}

/** A number without leading zeros and without `.0`, and not in quotes or blanks: what two trackers write differently. */
const asNumber = `CASE WHEN regexp_full_match(trim(id), '[+]?\\d{1,18}([.]0+)?') THEN CAST(CAST(regexp_replace(trim(id), '[.]0+$', '') AS BIGINT) AS VARCHAR) END`;

/** The troubles of a log. `now`: milliseconds since 1970. */
export function troubles(now: number, order: 'time' | 'file'): Trouble[] {
  const perTime = (milliseconds: number, most: number): string =>
    `SELECT "user", min(place) AS place, ${sql.atLeast('file', 'place')} AS file, ${sql.atLeast('line', 'place')} AS line, count(*) AS events
     FROM placed WHERE time IS NOT NULL GROUP BY "user", floor(time / ${milliseconds}) HAVING count(*) > ${most}`;
  const ofIds = (name: 'user' | 'item'): Trouble[] => [
    {
      name: `${name}s that differ only in case`,
      severity: 'warning',
      what: `groups of ${name} ids differ only in case or in blanks around them`,
      advice: `make them one in the tracker or before importing; to sesrec they are different ${name}s`,
      cases: alike(name, 'lower(trim(id))'),
    },
    {
      name: `${name}s that differ only in type`,
      severity: 'warning',
      what: `groups of ${name} ids are the same number written differently`,
      advice: 'write ids as text, the same everywhere: leading zeros and .0 come from tools that took them for numbers',
      cases: alike(name, asNumber),
    },
    {
      name: `${name}s that stand for nobody`,
      severity: 'warning',
      what: `${name} ids look like placeholders for an id that was missing`,
      advice: `leave such events out: they make one ${name} of many`,
      cases: `SELECT file, line, ${quoted('id')} AS what FROM (${ids(name)}) WHERE lower(trim(id)) IN (${PLACEHOLDERS.map(literal).join(', ')})`,
    },
    {
      name: `absurd ${name} ids`,
      severity: 'warning',
      what: `${name} ids are longer than ${LONGEST_ID} characters`,
      advice: 'see whether another field slipped in here',
      cases: `SELECT file, line, ${quoted('id')} AS what FROM (${ids(name)}) WHERE length(id) > ${LONGEST_ID}`,
    },
  ];
  return [
    {
      name: 'duplicates',
      severity: 'note',
      what: 'events have the id of an earlier one, and are left out',
      advice: 'nothing: sending a log twice does no harm',
      cases: `SELECT duplicates.file, duplicates.line, 'the id ' || ${quoted('id')} AS what FROM duplicates JOIN staged
        ON ${samePlace('staged', 'duplicates')} WHERE NOT again`,
      ofLogs: true,
    },
    {
      name: 'repeated events',
      severity: 'warning',
      what: 'events without an id equal an earlier one in user, time, type and item or query',
      advice: 'give events ids, or import with --drop-repeats if they were sent twice',
      cases: `SELECT file, line, coalesce(type, kind) || ' of the user ' || ${quoted('"user"')} AS what FROM (
        SELECT *, row_number() OVER (PARTITION BY "user", kind, time, item, query, type, search, session, list ORDER BY place) AS occurrence
        FROM placed WHERE id IS NULL AND time IS NOT NULL) WHERE occurrence > 1`,
    },
    {
      name: 'empty queries',
      severity: 'warning',
      what: 'searches have an empty query',
      advice: 'they are kept, and unknown to a model; leave out what is no search (filters, browsing of a category)',
      cases: `SELECT file, line, 'a search of the user ' || ${quoted('"user"')} AS what FROM placed WHERE kind = 'search' AND ${sql.unblank('query')} IS NULL`,
    },
    {
      name: 'absurd queries',
      severity: 'warning',
      what: `queries are longer than ${LONGEST_QUERY} characters`,
      advice: 'see whether they are typed at all: addresses, serialised filters, attacks',
      cases: `SELECT file, line, ${quoted('query')} AS what FROM placed WHERE kind = 'search' AND length(query) > ${LONGEST_QUERY}`,
    },
    ...ofIds('user'),
    ...ofIds('item'),
    ...unitTroubles,
    {
      name: 'times in the future',
      severity: 'error',
      what: 'events are in the future',
      advice: 'see whether the time unit is right, and the clocks of the devices; use the time of the server',
      cases: `SELECT file, line, ${sql.shownTime('time')} AS what FROM placed WHERE time > ${now + 24 * HOUR}`,
    },
    {
      name: 'times long ago',
      severity: 'error',
      what: 'events are before 1995',
      advice: 'see whether the time unit is right, and what the tracker sends without a clock (often 0)',
      cases: `SELECT file, line, ${sql.shownTime('time')} AS what FROM placed WHERE time < ${EARLIEST}`,
    },
    {
      name: 'ties',
      severity: 'note',
      what: "events have the very time of the user's event before",
      advice: 'their order is that of the file and the line: see that the log is written in order of events',
      cases: `SELECT file, line, ${sql.shownTime('time')} AS what FROM (
        SELECT *, lag(time) OVER (PARTITION BY "user", kind ORDER BY place) AS before FROM placed) WHERE time = before`,
    },
    {
      name: 'times that go back',
      severity: order === 'file' ? 'warning' : 'note',
      what: 'events are earlier than the event on the line before',
      advice:
        order === 'file'
          ? 'this format is read in the order of the file, whatever times say: sort the file, if times are right'
          : 'nothing: events are sorted by time',
      cases: `SELECT file, line, ${sql.shownTime('time')} || ' after ' || ${sql.shownTime('before')} AS what FROM (
        SELECT *, lag(time) OVER (PARTITION BY file ORDER BY line, record, part) AS before FROM placed WHERE time IS NOT NULL) WHERE time < before`,
      ofLogs: true,
    },
    {
      name: 'robots',
      severity: 'warning',
      what: `users have more than ${ROBOT_EVENTS_PER_HOUR} events in one hour or ${ROBOT_EVENTS_PER_DAY} in one day (UTC)`,
      advice: 'leave out robots, tests and shared accounts: a model learns from them, too',
      cases: groups(
        '"user"',
        `${perTime(HOUR, ROBOT_EVENTS_PER_HOUR)} UNION ALL ${perTime(24 * HOUR, ROBOT_EVENTS_PER_DAY)}`,
        'count(*) > 0',
        `'the user ' || ${quoted('min("user")')} || ' with ' || max(events) || ' events'`,
      ),
    },
    {
      name: 'actions without their search',
      severity: 'note',
      what: 'actions name a search that is not in the log, or of somebody else, or later',
      advice: 'import the searches, too, and from before the first action; the actions are kept as events of the feed',
      cases: `SELECT file, line, 'the search ' || ${quoted('search')} AS what FROM placed JOIN led ON led.place = placed.place WHERE named AND search_place IS NULL`,
      ofLogs: true,
    },
  ];
}
