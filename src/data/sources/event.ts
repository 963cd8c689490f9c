/**
 * One line of our event log, checked. Knows the types and fields of events; does not know files or order.
 */
import { UserError } from '../../base/index.js';
import { parseTime } from './times.js';

/** Actions on an item that show interest: events of the feed (a `click` that names a search is not). */
export const ACTION_TYPES = [
  'interaction',
  'view',
  'click',
  'cart',
  'purchase',
  'like',
  'play',
  'rate',
  'favorite',
  'save',
  'share',
  'follow',
  'comment',
  'download',
] as const;

/** Events that are accepted and left out of the data, since they show no interest. */
export const IGNORED_TYPES = ['impression', 'dislike'] as const;

/** A search. */
export interface SearchLogEvent {
  readonly kind: 'search';
  readonly id: string;
  readonly user: string;
  readonly time: number;
  readonly query: string;
  readonly source: string;
}

/** An action on an item, perhaps led to by a search. */
export interface ActionLogEvent {
  readonly kind: 'action';
  readonly id: string | null;
  readonly type: string;
  readonly user: string;
  readonly time: number;
  readonly item: string;
  readonly search: string | null;
}

/** Something that happened at a time. */
export type LogEvent = SearchLogEvent | ActionLogEvent;

/** What is known of an item or a user. */
export interface AttributeEvent {
  readonly kind: 'item' | 'user';
  readonly key: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** An impression or a dislike. */
export interface IgnoredEvent {
  readonly kind: 'ignored';
  readonly id: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** Parses one line. `where` (file and line) begins the message of the `UserError` for a line that is no event. */
export function parseEvent(text: string, where: string): LogEvent | AttributeEvent | IgnoredEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where}: not valid JSON`, { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new UserError(`${where}: an event is a JSON object`);
  const fields = parsed as Fields;
  const type = requiredId(fields, 'type', where);
  if (type === 'item' || type === 'user')
    return { kind: type, key: requiredId(fields, type, where), fields: attributesOf(fields['fields'], where) };
  const id = optionalId(fields, 'id', where);
  if (isAmong(IGNORED_TYPES, type)) return { kind: 'ignored', id };
  if (type === 'search') {
    return {
      kind: 'search',
      id: requiredId(fields, 'id', where),
      user: requiredId(fields, 'user', where),
      time: timeOf(fields, where),
      query: textOf(fields, 'query', where),
      source: optionalId(fields, 'source', where) ?? 'unknown',
    };
  }
  if (!isAmong(ACTION_TYPES, type)) {
    throw new UserError(
      `${where}: unknown type ${shown(type)}: use search, item, user, ${[...ACTION_TYPES, ...IGNORED_TYPES].join(', ')}`,
    );
  }
  return {
    kind: 'action',
    id,
    type,
    user: requiredId(fields, 'user', where),
    time: timeOf(fields, where),
    item: requiredId(fields, 'item', where),
    search: optionalId(fields, 'search', where),
  };
}

const isAmong = (types: readonly string[], type: string): boolean => types.includes(type);

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 80);
}

/** A field that JSON's `__proto__` and inherited names cannot fake. */
function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
}

/** An id: text, or an integer that JSON keeps exactly. Half a surrogate pair could not be stored. */
function optionalId(fields: Fields, name: string, where: string): string | null {
  const value = own(fields, name);
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && value.trim() !== '' && !/\p{Surrogate}/u.test(value)) return value;
  throw new UserError(
    `${where}: the field "${name}" is ${shown(value)}: it must be a text that is not empty, or an integer below 2^53`,
  );
}

function requiredId(fields: Fields, name: string, where: string): string {
  const id = optionalId(fields, name, where);
  if (id === null) throw new UserError(`${where}: the field "${name}" is missing`);
  return id;
}

function textOf(fields: Fields, name: string, where: string): string {
  const value = own(fields, name);
  if (value === undefined) throw new UserError(`${where}: the field "${name}" is missing`);
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value))
    throw new UserError(`${where}: the field "${name}" is ${shown(value)}: it must be a text`);
  return value;
}

function timeOf(fields: Fields, where: string): number {
  const value = own(fields, 'time');
  if (value === undefined) throw new UserError(`${where}: the field "time" is missing`);
  const time =
    typeof value === 'number'
      ? parseTime(String(value), 'ms')
      : typeof value === 'string'
        ? parseTime(value, 'iso')
        : null;
  if (time === null)
    throw new UserError(
      `${where}: the time ${shown(value)} is neither ISO 8601 text nor a number of milliseconds since 1970`,
    );
  return time;
}

/** Attribute values as text: lists joined by spaces; null, and anything deeper, refused or left out. */
function attributesOf(value: unknown, where: string): Map<string, string> {
  const attributes = new Map<string, string>();
  if (value === undefined || value === null) return attributes;
  if (typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`${where}: "fields" is a JSON object of attributes`);
  for (const [name, entry] of Object.entries(value)) {
    if (entry === null) continue;
    const parts = (Array.isArray(entry) ? entry : [entry]) as unknown[];
    const text = parts.map(String).join(' ');
    if (
      name.trim() === '' ||
      /\p{Surrogate}/u.test(name + text) ||
      parts.some((part) => !['string', 'number', 'boolean'].includes(typeof part))
    ) {
      throw new UserError(
        `${where}: the attribute ${shown(name)} must be a text, a number, true or false, or a list of these`,
      );
    }
    attributes.set(name, text);
  }
  return attributes;
}
