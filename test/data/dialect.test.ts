/** The engine's reading of times, ids and orders against plain ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { literal, numbered, withDatabase } from '../../src/data/database.js';
import * as sql from '../../src/data/sources/dialect.js';
import { normaliseQuery } from '../../src/data/vocabulary.js';
import { parseTime } from '../../src/data/sources/times.js';

const digits = (length: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: 10 ** length - 1 }).map((number) => String(number).padStart(length, '0'));
const two = (most: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: most }).map((number) => String(number).padStart(2, '0'));
const iso = fc
  .tuple(
    fc.integer({ min: 1000, max: 2999 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
    fc.constantFrom('', 'T', ' '),
    two(23),
    two(59),
    fc.option(two(59)),
    fc.option(digits(3)),
    fc.constantFrom('', 'Z', '+02:00', '-0330', '+0000'),
  )
  .map(([year, month, day, between, hour, minute, second, fraction, zone]) => {
    const date = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
    if (between === '') return date;
    return `${date}${between}${hour}:${minute}${second === null ? '' : `:${second}${fraction === null ? '' : `.${fraction}`}`}${zone}`;
  });
const text = fc.oneof(
  { weight: 6, arbitrary: iso },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '2026-13-01',
      '2026-01-01T',
      'infinity',
      'epoch',
      '1767225600',
      '2026-1-1',
      ' 2026-01-01 ',
      '2026-01-01T25:00',
      '20260101',
    ),
  },
);

/** Texts as rows of SQL, each behind its number. */
const asRows = (texts: readonly string[]): string => texts.map((one, i) => `(${i}, ${literal(one)})`).join(', ');

test('ISO times are read as they are elsewhere in this program, and nothing else is a time', async () => {
  await withDatabase(async (database) =>
    fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 20, maxLength: 60 }), async (texts) => {
        const rows = asRows(texts);
        const { time } = await database.read(
          `SELECT ${sql.isoTime('text')} FROM (VALUES ${rows}) AS texts(number, text) ORDER BY number`,
          { time: 'number' },
        );
        for (const [i, one] of texts.entries()) assert.equal(time[i], parseTime(one, 'iso') ?? NaN, one);
        assert.equal(parseTime('2026-02-30', 'iso'), null, 'no such day');
      }),
      { numRuns: 25 },
    ),
  );
});

test('ids of JSON: texts as they are, integers below 2^53 by their digits, nothing else', async () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(true, null, [], {}, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 5.5, 1e20, '"', '\\', '\n'),
  );
  await withDatabase(async (database) =>
    fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 20, maxLength: 60 }), async (values) => {
        const rows = asRows(values.map((id) => JSON.stringify({ id })));
        const { id, missing } = await database.read(
          `SELECT ${sql.textOfJson('raw')}, CASE WHEN ${sql.textOfJson('raw')} IS NULL THEN 1 ELSE 0 END FROM (
            SELECT number, ${sql.nth(sql.jsonAt('text', [['id']]), 1)} AS raw FROM (VALUES ${rows}) AS texts(number, text)) ORDER BY number`,
          { id: 'text', missing: 'integer' },
        );
        for (const [i, one] of values.entries()) {
          const expected = typeof one === 'string' ? one : Number.isSafeInteger(one) ? String(Number(one)) : null;
          assert.equal(missing[i] === 1 ? null : id[i], expected, JSON.stringify(one));
        }
      }),
      { numRuns: 25 },
    ),
  );
});

test('queries are compared in SQL as they are elsewhere', async () => {
  const blank = fc.constantFrom(' ', '\t', '\v', '\u00A0', '\u3000', '\u0085', '\u001C', '\uFEFF');
  const word = fc.constantFrom('Rain', '\u039F\u0394\u039F\u03A3', '\u0130x', 'e\u0301', '\u1E9E', '\uA7CB', 'a\0b');
  const query = fc.oneof(
    fc.array(fc.oneof(blank, word), { maxLength: 6 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 9 }),
  );
  await withDatabase(async (database) =>
    fc.assert(
      fc.asyncProperty(fc.array(query, { minLength: 20, maxLength: 60 }), async (queries) => {
        const rows = asRows(queries);
        const { compared } = await database.read(
          `SELECT ${sql.comparedQuery('query')} FROM (VALUES ${rows}) AS asked(number, query) ORDER BY number`,
          { compared: 'text' },
        );
        assert.deepEqual(compared, queries.map(normaliseQuery));
      }),
      { numRuns: 25 },
    ),
  );
});

test('rows are numbered in the order that is said, with any threads and when memory is short', async () => {
  for (const options of [{ threads: 1 }, { threads: 3 }, { threads: 2, memory: 60 }])
    await withDatabase(async (database) => {
      await database.run(
        `CREATE TABLE rows AS SELECT n AS line, CAST(hash(n) % 1000 AS BIGINT) AS time, repeat('x', 40) || n AS payload FROM range(300000) AS r(n)`,
      );
      const wrong =
        await database.number(`SELECT count(*) FROM (${numbered('SELECT * FROM rows', 'time, line', 'place')}) AS ours
        JOIN (SELECT line, row_number() OVER (ORDER BY time, line) - 1 AS place FROM rows) AS plain ON plain.line = ours.line
        WHERE plain.place <> ours.place`);
      assert.equal(wrong, 0, JSON.stringify(options));
    }, options);
});
