/** What is wrong with an event or an upsert. Knows which fields a type needs; does not know bounds of size, nor what is stored. */
import { IGNORED_TYPES, isActionType } from '../data/index.js';
import type { Attributes, LiveEvent, Rejection } from './questions.js';

const IGNORED: ReadonlySet<string> = new Set(IGNORED_TYPES);

/** Clocks may differ by this much; an event from later than that would be the newest for too long. */
const AHEAD_MILLISECONDS = 24 * 60 * 60 * 1000;

type Flaw = Omit<Rejection, 'index'>;
const flaw = (code: string, pointer: string, message: string): Flaw => ({ code, pointer, message });

const isId = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';

/** Null when nothing is wrong. */
export function flawOfEvent(event: LiveEvent, now: number): Flaw | null {
  const { type, id, user, time, item, query, search } = event;
  if (!isId(user)) return flaw('missing', '/user', 'An event needs a user, a text that is not empty.');
  if (id !== undefined && !isId(id)) return flaw('invalid', '/id', 'The id must be a text that is not empty.');
  if (typeof time !== 'number' || !Number.isFinite(time) || time < 0)
    return flaw('invalid_time', '/time', 'The time must be milliseconds since 1970.');
  if (time > now + AHEAD_MILLISECONDS)
    return flaw('future', '/time', 'The event is more than a day in the future: set the clock of its sender.');
  if (type === 'search') {
    if (id === undefined) return flaw('missing', '/id', 'A search needs an id, so that clicks can name it.');
    return typeof query === 'string' ? null : flaw('missing', '/query', 'A search needs a query.');
  }
  if (IGNORED.has(type)) return null;
  if (!isActionType(type)) return flaw('unknown_type', '/type', `There is no type ${JSON.stringify(type)} of events.`);
  if (!isId(item)) return flaw('missing', '/item', 'An action needs an item.');
  return search === undefined || isId(search) ? null : flaw('invalid', '/search', 'The id of a search is a text.');
}

/** Attributes as they are kept: texts, or lists of texts. Null takes one away: it is kept as an empty list, or that of the run would show through. */
export function keptFields(fields: Attributes = {}): Map<string, string | string[]> {
  const kept = new Map<string, string | string[]>();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) kept.set(name, []);
    else if (Array.isArray(value)) kept.set(name, value.filter((entry) => entry !== null).map(String));
    else kept.set(name, String(value));
  }
  return kept;
}
