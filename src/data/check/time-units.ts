/**
 * How times are written in a log, and which are read in another unit than they were written in. Knows numbers and units; does not
 * know formats, but that `staged.fields` of a search or an action has its time as the record does (`keepingTimes`).
 */
import { literal, type Database } from '../database.js';
import * as sql from '../sources/dialect.js';
import type { Format } from '../sources/formats/format.js';
import { ACCEPTED, PLACE } from '../sources/staged.js';
import { EARLIEST, LATEST } from '../sources/times.js';
import type { Trouble } from './trouble.js';

/** What a number of each unit is times this many milliseconds. */
const UNITS = { seconds: 1000, milliseconds: 1, microseconds: 1e-3, nanoseconds: 1e-6 } as const;
const ISO = 'ISO 8601 text';
const NO_UNIT = 'numbers of no unit that we know';

/** A format whose entries keep their time as it is written. */
export function keepingTimes(format: Format): Format {
  if (!('tables' in format)) return format;
  const tables = format.tables.map((table) => ({
    ...table,
    entries: table.entries.map((entry) =>
      entry.kind === 'search' || entry.kind === 'action' ? { ...entry, keepsTime: true as const } : entry,
    ),
  }));
  return { ...format, tables };
}

/** Makes `written`: of every entry with a time the unit that it is written in, told by its size. */
export async function createWritten(database: Database): Promise<void> {
  const number = sql.numberOf(sql.unquoted('fields'));
  const within = Object.entries(UNITS).map(
    ([unit, factor]) => `WHEN number >= ${EARLIEST / factor} AND number < ${LATEST / factor} THEN ${literal(unit)}`,
  );
  await database.run(`CREATE TABLE written AS SELECT ${PLACE}, time, number,
      CASE WHEN number IS NULL THEN ${literal(ISO)} ${within.join(' ')} ELSE ${literal(NO_UNIT)} END AS unit
    FROM (SELECT ${PLACE}, time, ${number} AS number FROM staged
      WHERE ${ACCEPTED} AND kind IN ('search', 'action') AND fields IS NOT NULL AND time IS NOT NULL)`);
}

/** How many times are written in which unit, the most frequent first. Empty where the format's parser does not tell. */
export async function unitsOf(database: Database): Promise<Record<string, number>> {
  const { unit, times } = await database.read(
    'SELECT unit, count(*) AS times FROM written GROUP BY unit ORDER BY times DESC, unit',
    { unit: 'text', times: 'number' },
  );
  return Object.fromEntries(unit.map((name, i) => [name, times[i] as number]));
}

const MISREAD = `unit IN (${Object.keys(UNITS).map(literal).join(', ')}) AND (time < ${EARLIEST} OR time >= ${LATEST})`;
const MEANT = `number * CASE unit ${Object.entries(UNITS)
  .map(([unit, factor]) => `WHEN ${literal(unit)} THEN ${factor}`)
  .join(' ')} END`;

/** What can be wrong with units; `written` is there. */
export const unitTroubles: readonly Trouble[] = [
  {
    name: 'times in another unit',
    severity: 'error',
    what: 'times are numbers of another unit than they are read in',
    advice:
      'write all times in the unit of the format (docs/import-formats.md), or name the unit where it can be named (sesrec import interactions --time-unit)',
    cases: `SELECT file, line, CAST(CAST(number AS BIGINT) AS VARCHAR) || ' is ' || ${sql.shownTime(MEANT)} || ' in ' || unit || ', but is read as ' || ${sql.shownTime('time')} AS what
      FROM written WHERE ${MISREAD}`,
    ofLogs: true,
  },
  {
    name: 'mixed time units',
    severity: 'warning',
    what: 'times are written otherwise than most of the log',
    advice: 'see whether all parts of the log come from the same clock, and mean the same zone; write all times alike',
    cases: `SELECT file, line, 'a time in ' || unit AS what FROM written
      WHERE unit <> (SELECT unit FROM written GROUP BY unit ORDER BY count(*) DESC, unit LIMIT 1)`,
    ofLogs: true,
  },
];
