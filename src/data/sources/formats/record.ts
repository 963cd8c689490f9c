/** JSON records for formats that bring a parser. Knows JSON and what may be an id; does not know any format. */

/** The fields of a record. */
export type Fields = Readonly<Record<string, unknown>>;

/** Parses a line as a JSON object; a text says why it is none. */
export function parseRecord(text: string): Fields | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'it is not valid JSON';
  }
  return fieldsOf(parsed) ?? 'it is not a JSON object';
}

/** The value as fields, null when it is no object. */
export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** A field that JSON's `__proto__` and inherited names cannot fake; undefined for null. */
export function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
}

/** An id: text that is not empty, or an integer that JSON keeps exactly; null for anything else. */
export function asId(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

/** A field that is an id. */
export const idOf = (fields: Fields, name: string): string | null => asId(own(fields, name));

/** A text that is not empty, null for anything else. */
export function textOf(fields: Fields, name: string): string | null {
  const value = own(fields, name);
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}
