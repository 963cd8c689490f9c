/** Times in logs, read in a declared unit. Knows units; never guesses one. */

/** How a column of times is written: seconds, milliseconds or microseconds since 1970 (UTC), or ISO 8601 text. */
export type TimeUnit = 's' | 'ms' | 'us' | 'iso';

/** All time units. */
export const TIME_UNITS: readonly TimeUnit[] = ['s', 'ms', 'us', 'iso'];

/** Believable times of events, in milliseconds since 1970: what a wrong unit is told by. */
export const [EARLIEST, LATEST] = [Date.UTC(1995, 0, 1), Date.UTC(2100, 0, 1)];

const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/;
const FURTHEST = 8.64e15; // the limit of JavaScript dates
const MILLISECONDS: Readonly<Record<Exclude<TimeUnit, 'iso'>, number>> = { s: 1000, ms: 1, us: 0.001 };

/** A time as people write it: ISO 8601 text, or milliseconds since 1970; null when it is neither. */
export function parseInstant(text: string): number | null {
  return parseTime(text, 'iso') ?? parseTime(text, 'ms');
}

/** A time in milliseconds since 1970, null when the text is no such time. ISO text without a zone is UTC. */
export function parseTime(text: string, unit: TimeUnit): number | null {
  let time: number;
  if (unit === 'iso') {
    const match = ISO.exec(text.trim());
    if (!match) return null;
    const [, date, clock = '00:00', zone = 'Z'] = match;
    const day = new Date(`${date}T00:00Z`); // of the 30th of February Date makes another day
    if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date as string)) return null;
    time = Date.parse(`${date}T${clock}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`);
  } else {
    if (!NUMBER.test(text.trim())) return null;
    time = Number(text) * MILLISECONDS[unit];
  }
  return Math.abs(time) <= FURTHEST ? time : null; // NaN fails the comparison
}
