/**
 * Python literals, such as the lines of Amazon's metadata: {'asin': '0000031852', 'price': 3.17, …}. Knows Python's grammar of
 * strings, numbers, True, False, None, lists, tuples and dicts; runs nothing, and does not know what a literal is for.
 */

/** What a literal becomes. Dicts have no prototype, so that a key may be called `__proto__`. */
export type PythonValue =
  string | number | bigint | boolean | null | readonly PythonValue[] | { readonly [key: string]: PythonValue };

/** Why a text is no literal, and where (counted from 1). */
export class PythonLiteralError extends Error {
  override readonly name = 'PythonLiteralError';

  constructor(reason: string, position: number) {
    super(`${reason} at character ${position + 1}`);
  }
}

const DEEPEST = 64; // lists in lists; Amazon's have three
const LONGEST_INTEGER = 40; // digits; longer ones would take long to convert, and are no ids
const NUMBER = /[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_]\w*/y;
const SPACE = /\s*/y;
const PLAIN = { "'": /[^'\\\n]*/y, '"': /[^"\\\n]*/y } as const;
const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const DIGITS_OF_ESCAPE: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const NAMES: ReadonlyMap<string, PythonValue> = new Map<string, PythonValue>([
  ['True', true],
  ['False', false],
  ['None', null],
  ['nan', NaN],
  ['inf', Infinity],
]);

/** Reads one literal, which must be the whole text. Integers beyond 2^53 become bigints, those of more than 40 digits numbers. */
export function parsePythonLiteral(text: string): PythonValue {
  let at = 0;

  const fail = (reason: string, position = at): never => {
    throw new PythonLiteralError(reason, position);
  };
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) return null;
    at += found.length;
    return found;
  };
  const space = (): void => void match(SPACE);
  const take = (character: string): boolean => {
    if (text[at] !== character) return false;
    at++;
    space();
    return true;
  };

  function escape(): string {
    const start = at - 1;
    const character = text[at++];
    if (character === undefined) return fail('a string that does not end', start);
    const plain = ESCAPES[character];
    if (plain !== undefined) return plain;
    const digits = DIGITS_OF_ESCAPE[character];
    if (digits !== undefined) {
      const hex = text.slice(at, at + digits);
      const code = new RegExp(`^[0-9a-fA-F]{${digits}}$`).test(hex) ? Number.parseInt(hex, 16) : -1;
      if (code < 0 || code > 0x10ffff) fail(`\\${character} without ${digits} hexadecimal digits`, start);
      at += digits;
      return String.fromCodePoint(code);
    }
    if (character >= '0' && character <= '7') {
      const octal = /^[0-7]{1,3}/.exec(text.slice(at - 1, at + 2))?.[0] ?? character;
      at += octal.length - 1;
      return String.fromCharCode(Number.parseInt(octal, 8));
    }
    return `\\${character}`; // Python leaves what it does not know as it is
  }

  function string(quote: "'" | '"'): string {
    const start = at++;
    const parts: string[] = [];
    for (;;) {
      parts.push(match(PLAIN[quote]) ?? '');
      const next = text[at++];
      if (next === quote) break;
      if (next !== '\\') fail('a string that does not end', start);
      parts.push(escape());
    }
    space();
    return parts.join('');
  }

  /** Strings beside one another are one string, as in Python. */
  function strings(): string | null {
    let whole: string | null = null;
    for (;;) {
      const begin = /^[uU]?(['"])/.exec(text.slice(at, at + 2));
      if (!begin) return whole;
      at += begin[0].length - 1;
      whole = (whole ?? '') + string(begin[1] as "'" | '"');
    }
  }

  function elements(close: string, depth: number): { list: PythonValue[]; comma: boolean } {
    const list: PythonValue[] = [];
    let comma = false;
    while (!take(close)) {
      if (list.length > 0 && !comma) fail(`expected , or ${close}`);
      list.push(value(depth + 1));
      comma = take(',');
    }
    return { list, comma };
  }

  function dict(depth: number): PythonValue {
    const record = Object.create(null) as Record<string, PythonValue>;
    let comma = true;
    while (!take('}')) {
      if (!comma) fail('expected , or }');
      const start = at;
      const key = value(depth + 1);
      if (typeof key === 'object' && key !== null) return fail('a key must be a string or a number', start);
      if (!take(':')) fail('expected :');
      record[String(key)] = value(depth + 1);
      comma = take(',');
    }
    return record;
  }

  function value(depth: number): PythonValue {
    if (depth > DEEPEST) return fail(`brackets nested deeper than ${DEEPEST}`);
    if (take('{')) return dict(depth);
    if (take('[')) return elements(']', depth).list;
    if (take('(')) {
      const { list, comma } = elements(')', depth);
      return list.length === 1 && !comma ? (list[0] as PythonValue) : list;
    }
    const whole = strings();
    if (whole !== null) return whole;
    const number = match(NUMBER);
    if (number !== null) {
      space();
      const digits = number.replaceAll('_', '');
      const parsed = Number(digits);
      const exact = digits.length <= LONGEST_INTEGER && /^[+-]?\d+$/.test(digits) && !Number.isSafeInteger(parsed);
      return exact ? BigInt(digits) : parsed;
    }
    const start = at;
    const name = match(NAME);
    if (name !== null && NAMES.has(name)) {
      space();
      return NAMES.get(name) as PythonValue;
    }
    return fail(start < text.length ? 'no Python literal' : 'the text ends early', start);
  }

  space();
  const result = value(0);
  if (at < text.length) fail('something follows the literal');
  return result;
}
