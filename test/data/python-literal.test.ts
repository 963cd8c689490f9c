import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PythonLiteralError, parsePythonLiteral } from '../../src/data/sources/formats/python-literal.js';

const plain = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(plain)
    : typeof value === 'object' && value !== null
      ? Object.entries(value).map(([key, inner]) => [key, plain(inner)])
      : value;
const read = (text: string): unknown => plain(parsePythonLiteral(text));
const at = (text: string): RegExp => new RegExp(`at character ${text.indexOf('¦') + 1}$`);
const refused = (marked: string): void =>
  assert.throws(() => parsePythonLiteral(marked.replace('¦', '')), { name: 'PythonLiteralError', message: at(marked) });

test('a line of Amazon metadata', () => {
  assert.deepEqual(
    read(
      `{'asin': '0000031852', 'price': 3.17, 'related': {'also_bought': ['B00JHONN1S', "B002"]}, 'brand': None, 'ok': True, 'categories': [['Sports & Outdoors', 'Dance'],],}`,
    ),
    [
      ['asin', '0000031852'],
      ['price', 3.17],
      ['related', [['also_bought', ['B00JHONN1S', 'B002']]]],
      ['brand', null],
      ['ok', true],
      ['categories', [['Sports & Outdoors', 'Dance']]],
    ],
  );
});

test('strings: both quotes, every escape, strings side by side', () => {
  assert.equal(read(String.raw`'It\'s "4\" ' "wide's"`), `It's "4" wide's`);
  assert.equal(read(String.raw`u'\x41\u00e9\U0001F600\101\0\n\t\\\q'`), 'A\u00e9\u{1F600}A\0\n\t\\\\q');
  assert.equal(read(`'a\\\nb'`), 'ab');
  assert.equal(read(`''`), '');
});

test('numbers, tuples and names', () => {
  assert.deepEqual(read('[1, -2, +3, .5, 1., 1e3, 1_000]'), [1, -2, 3, 0.5, 1, 1000, 1000]);
  assert.deepEqual(read('[9007199254740993, -9007199254740993]'), [9007199254740993n, -9007199254740993n]);
  assert.deepEqual(read('((), (1,), (1), (1, 2))'), [[], [1], 1, [1, 2]]);
  assert.deepEqual(read('[True, False, None]'), [true, false, null]);
  assert.equal(read('9'.repeat(50)), Number('9'.repeat(50)));
});

test('names that JavaScript objects have already are names like others', () => {
  const parsed = parsePythonLiteral(`{'__proto__': {'x': 1}, 'constructor': 2, 3: 4}`) as Record<string, unknown>;
  assert.deepEqual(Object.keys(parsed).sort(), ['3', '__proto__', 'constructor']);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('what is no literal is refused, with the place', () => {
  refused(`{'a': ¦'no end}`);
  refused(`['a' ¦'b`);
  refused(`[1 ¦2]`);
  refused(`{'a' ¦1}`);
  refused(`{'a': 1 ¦'b': 2}`);
  refused(`{¦[1]: 2}`);
  refused(`[1] ¦[2]`);
  refused(`¦__import__('os').system('true')`);
  refused(`['¦\\x4']`);
  refused(`['¦\\U00110000']`);
  refused(`[1, ¦`);
  refused(`¦`);
  assert.throws(() => parsePythonLiteral('['.repeat(100_000)), PythonLiteralError);
});

/** Python's repr, and other ways in which Python lets the same be written. */
const literalOf = (value: unknown, choose: () => boolean): string => {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') {
    const quote = choose() ? "'" : '"';
    const escaped = Array.from(value, (character) => {
      const code = character.codePointAt(0) as number;
      if (character === quote || character === '\\') return `\\${character}`;
      if (character === '\n') return '\\n';
      if (code < 32 || (code < 256 && code > 126 && choose())) return `\\x${code.toString(16).padStart(2, '0')}`;
      if (code > 126 && choose())
        return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
      return character;
    });
    return `${quote}${escaped.join('')}${quote}`;
  }
  const space = choose() ? ' ' : '';
  if (Array.isArray(value))
    return `[${value.map((each) => literalOf(each, choose)).join(`,${space}`)}${value.length > 0 && choose() ? ',' : ''}]`;
  return `{${Object.entries(value as object)
    .map(([key, inner]) => `${literalOf(key, choose)}:${space}${literalOf(inner, choose)}`)
    .join(`,${space}`)}}`;
};

/** Integers beyond 2^53 are read as bigints, and Python's repr here has no negative zero. */
const exact = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value !== 'number') return value;
  return /^-?\d+$/.test(String(value)) && !Number.isSafeInteger(value) ? BigInt(String(value)) : value + 0;
};

test('whatever is written in Python is read back', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }),
      fc.infiniteStream(fc.boolean()),
      (value, stream) => {
        const choose = (): boolean => stream.next().value;
        assert.deepEqual(read(literalOf(value, choose)), exact(plain(value)));
      },
    ),
    { numRuns: 500 },
  );
});

test('no text makes it crash or hang', () => {
  const pieces = fc.constantFrom(
    ...Array.from(`{}[]()'",:\\ \n1e9.TrueNoneux\\x\\u_-+`),
    'None',
    "{'a':",
    '\\U0010FFFF',
    '\0',
    '\u{1F600}',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(pieces, { maxLength: 60 }).map((all) => all.join('')),
      ),
      (text) => {
        try {
          parsePythonLiteral(text);
        } catch (error) {
          assert.ok(error instanceof PythonLiteralError, String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
  const long = `'${'a\\n'.repeat(2_000_000)}'`;
  assert.equal((parsePythonLiteral(long) as string).length, 4_000_000);
});
