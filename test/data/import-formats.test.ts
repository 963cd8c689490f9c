/** Every format: its fixture, made by hand from its specification, gives exactly the events that were written down by hand. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { copyToParquet, literal, withDatabase, type Database } from '../../src/data/database.js';
import { FORMATS } from '../../src/data/sources/formats/index.js';
import { settle } from '../../src/data/sources/settle.js';
import { stage, type Assigned } from '../../src/data/sources/stage.js';
import { put, scratchFolder } from './folders.js';

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/imports');

/** A search, or an action; `search` is the `as` of a search. */
interface ExpectedEvent {
  readonly type: string;
  readonly as?: string;
  readonly time: string | null;
  readonly user: string;
  readonly query?: string;
  readonly source?: string;
  readonly item?: string;
  readonly search?: string;
}

interface Expected {
  readonly files: readonly string[];
  readonly read: number;
  readonly rejected: readonly { readonly file?: string; readonly line: number; readonly because: string }[];
  /** Lines of the first file. */
  readonly duplicates: readonly number[];
  readonly events: readonly ExpectedEvent[];
  readonly items: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly users: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const timeOf = (time: number): string | null => (Number.isNaN(time) ? null : new Date(time).toISOString());

/** The events in the tables of `prepare.ts`, in order, searches named as in the fixture. */
async function eventsOf(database: Database, expected: readonly ExpectedEvent[]): Promise<unknown[]> {
  const names = expected.filter(({ type }) => type === 'search').map(({ as }) => as);
  const searches = await database.read('SELECT ordinal, "user", time, query, source FROM searches ORDER BY ordinal', {
    ordinal: 'number',
    user: 'text',
    time: 'number',
    query: 'text',
    source: 'text',
  });
  const named = new Map([...searches.ordinal].map((ordinal, i) => [ordinal, names[i] ?? `search ${i}`]));
  const actions = await database.read(
    `SELECT ordinal, type, "user", time, item, search FROM (
      SELECT ordinal, type, "user", time, item, coalesce(search, -1) AS search FROM feed
      UNION ALL SELECT clicks.ordinal, 'click', searches."user", clicks.time, item, search FROM clicks
        JOIN searches ON searches.ordinal = clicks.search WHERE clicks.ordinal NOT IN (SELECT ordinal FROM feed)
    ) ORDER BY ordinal`,
    { ordinal: 'number', type: 'text', user: 'text', time: 'number', item: 'text', search: 'number' },
  );
  const events: [number, object][] = [];
  for (const [i, ordinal] of searches.ordinal.entries())
    events.push([
      ordinal,
      {
        type: 'search',
        as: named.get(ordinal),
        time: timeOf(searches.time[i] as number),
        user: searches.user[i],
        query: searches.query[i],
        source: searches.source[i],
      },
    ]);
  for (const [i, ordinal] of actions.ordinal.entries()) {
    const search = named.get(actions.search[i] as number);
    events.push([
      ordinal,
      {
        type: actions.type[i],
        time: timeOf(actions.time[i] as number),
        user: actions.user[i],
        item: actions.item[i],
        ...(search === undefined ? {} : { search }),
      },
    ]);
  }
  return events.sort(([a], [b]) => a - b).map(([, event]) => event);
}

async function attributesOf(database: Database, key: 'item' | 'user', names: readonly string[]): Promise<object> {
  const table: Record<string, Record<string, string>> = {};
  if (names.length === 0) return table;
  const columns = names.map((name) => `"${name}"`);
  const rows = await database.read(
    `SELECT "${key}", CAST(to_json([${columns.join(', ')}]) AS VARCHAR) FROM ${key}s ORDER BY "index"`,
    {
      id: 'text',
      values: 'text',
    },
  );
  for (const [i, id] of rows.id.entries()) {
    const values = JSON.parse(rows.values[i] as string) as (string | null)[];
    const present = names
      .map((name, n) => [name, values[n]] as const)
      .filter(([, value]) => value !== null && value !== undefined && value !== '');
    if (present.length > 0) table[id] = Object.fromEntries(present) as Record<string, string>;
  }
  return table;
}

const inMilliseconds = (event: ExpectedEvent): ExpectedEvent => ({
  ...event,
  time: event.time === null ? null : new Date(event.time).toISOString(),
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const expectedIn = async (folder: string): Promise<Expected> =>
  JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;

/** These have tests of their own. */
const OTHERS = ['events', 's3rec'];

for (const format of FORMATS.filter(({ name }) => !OTHERS.includes(name))) {
  const check = async (folder: string, expected: Expected): Promise<void> => {
    await withDatabase(async (database) => {
      const inputs = expected.files.map((name) => ({ name, path: join(folder, name) }));
      const records = await stage(
        database,
        format,
        inputs.map((input) => ({ input })),
      );
      const { counts, itemAttributes, userAttributes } = await settle(database, format, records, false);
      assert.deepEqual(await eventsOf(database, expected.events), expected.events.map(inMilliseconds));
      assert.deepEqual(await attributesOf(database, 'item', itemAttributes), expected.items);
      assert.deepEqual(await attributesOf(database, 'user', userAttributes), expected.users);
      const rejected = await database.read(
        'SELECT file, line, reason FROM rejected ORDER BY file, line, record, part',
        {
          file: 'integer',
          line: 'number',
          reason: 'text',
        },
      );
      const reasons = [...rejected.line].map((line, i) => ({
        file: expected.files[rejected.file[i] as number] as string,
        line,
        reason: rejected.reason[i] as string,
      }));
      const wanted = expected.rejected.map(({ file = expected.files[0] as string, line, because }) => ({
        file,
        line,
        because,
      }));
      assert.deepEqual(
        reasons.map(({ file, line }) => `${file}:${line}`),
        wanted.map(({ file, line }) => `${basename(file)}:${line}`),
        JSON.stringify(reasons, null, 1),
      );
      for (const [i, { because }] of wanted.entries()) assert.match(reasons[i]?.reason ?? '', new RegExp(because, 'i'));
      assert.equal(counts.records, expected.read);
      assert.ok(counts.duplicates >= expected.duplicates.length && counts.duplicates <= 2 * expected.duplicates.length);
    });
  };
  const folder = join(FIXTURES, format.name);

  test(`${format.name}: the fixture gives the events written down by hand`, async () => {
    const expected = await expectedIn(folder);
    assert.deepEqual([...expected.files, 'expected.json'].sort(), (await readdir(folder)).sort());
    await check(folder, expected);
  });

  test(`${format.name}: and so it does with a BOM, Windows line ends and gzip`, async (t) => {
    const expected = await expectedIn(folder);
    const scratch = await scratchFolder(t);
    for (const name of expected.files) {
      const text = await readFile(join(folder, name), 'utf8');
      await put(scratch, name, gzipSync(`\uFEFF${text.replaceAll(/\r?\n/g, '\r\n')}`));
    }
    await check(scratch, expected);
  });

  if ('parse' in format && !format.readsJson) continue; // these read lines only
  test(`${format.name}: and so it does where all JSON of a file is a list on one line`, async (t) => {
    const expected = await expectedIn(folder);
    const scratch = await scratchFolder(t);
    let { read, rejected } = expected;
    for (const name of expected.files) {
      const whole = await readFile(join(folder, name), 'utf8');
      const text = whole.trim();
      const lines = text.split('\n');
      const isList = text.startsWith('[');
      if (!isList && !(text.startsWith('{') && lines.some(isJson))) {
        await put(scratch, name, whole);
        continue;
      }
      // what is no JSON has no place in a list
      const broken = new Set(isList ? [] : [...lines.keys()].filter((i) => !isJson(lines[i] as string)));
      read -= [...broken].filter((i) => lines[i]?.trim() !== '').length;
      const isOf = ({ file = expected.files[0] }: { readonly file?: string }): boolean => file === name;
      rejected = rejected
        .filter((entry) => !isOf(entry) || !broken.has(entry.line - 1))
        .map((entry) => (isOf(entry) ? { ...entry, line: 1 } : entry));
      await put(scratch, name, isList ? lines.join(' ') : `[${lines.filter((_, i) => !broken.has(i)).join(',')}]`);
    }
    await check(scratch, { ...expected, read, rejected });
  });
}

test('amazon-reviews: a title with half a character costs its product, one that only looks so costs nothing', async (t) => {
  const folder = await scratchFolder(t);
  const format = FORMATS.find(({ name }) => name === 'amazon-reviews');
  assert.ok(format);
  const product = (asin: string, title: string): string => `{'asin': '${asin}', 'title': '${title}'}\n`;
  const titles = ['half \\ud800', '\\ud83c\\udf75 tea', 'a path \\\\ud800'];
  const path = await put(folder, 'meta.json', titles.map((title, i) => product(`p${i}`, title)).join(''));
  await withDatabase(async (database) => {
    const records = await stage(database, format, [{ input: { name: 'meta.json', path } }]);
    const { itemAttributes } = await settle(database, format, records, false);
    assert.deepEqual(await attributesOf(database, 'item', itemAttributes), {
      p1: { title: '\u{1f375} tea' },
      p2: { title: 'a path \\ud800' },
    });
    const { line, reason } = await database.read('SELECT line, reason FROM rejected', {
      line: 'number',
      reason: 'text',
    });
    assert.deepEqual([[...line], reason], [[1], ['half a character (a lone surrogate)']]);
  });
});

test('jdsearch: users of two files are not one another; columns are where the header says', async (t) => {
  const folder = await scratchFolder(t);
  const format = FORMATS.find(({ name }) => name === 'jdsearch');
  assert.ok(format);
  const lines = [
    ['13\u001832\t456\t1.0\t-1\t889\tORD\t0_1'],
    [
      'candidate_wid_list\tquery\tcandidate_label_list\thistory_wid_list\thistory_qry_list\thistory_type_list\thistory_time_list',
      '457\t14\t3.0\t890\t-1\tCLICK\t0_1',
    ],
  ];
  await withDatabase(async (database) => {
    const inputs: Assigned[] = [];
    for (const [i, some] of lines.entries())
      inputs.push({ input: { name: `part ${i}`, path: await put(folder, `part ${i}`, some.join('\n')) } });
    await settle(database, format, await stage(database, format, inputs), false);
    const time = null;
    const events: ExpectedEvent[] = [
      { type: 'purchase', time, user: '0:1', item: '889' },
      { type: 'search', as: 's1', time, user: '0:1', query: '13 32', source: 'unknown' },
      { type: 'click', time, user: '0:1', item: '456', search: 's1' },
      { type: 'click', time, user: '1:2', item: '890' },
      { type: 'search', as: 's2', time, user: '1:2', query: '14', source: 'unknown' },
      { type: 'purchase', time, user: '1:2', item: '457', search: 's2' },
    ];
    assert.deepEqual(await eventsOf(database, events), events);
  });
});

test('NaN is no click, no id and no attribute, in JSON and in Parquet', async (t) => {
  const folder = await scratchFolder(t);
  const format = FORMATS.find(({ name }) => name === 'qilin');
  assert.ok(format);
  const search = (user: string, click: string): string =>
    `{"search_idx":${click === '1.0' ? 1 : 2},"session_idx":1,"user_idx":${user},"query":"tea","query_from_type":NaN,"search_result_details_with_idx":[{"note_idx":3,"click":${click},"page_time":NaN,"search_timestamp":1723600000}]}`;
  const text = await put(
    folder,
    'searches.jsonl',
    [search('7.0', '1.0'), search('7.0', 'NaN'), search('NaN', '0')].join('\n'),
  );
  const notes = await put(folder, 'notes.jsonl', '{"note_idx":3,"note_title":"Tea","taxonomy1_id":NaN}\n');
  await withDatabase(async (database) => {
    const inputs = await Promise.all(
      [text, notes].map(async (path) => {
        await database.run(
          copyToParquet(`SELECT * FROM read_json(${literal(path)}, format = 'newline_delimited')`, `${path}.parquet`),
        );
        return { input: { name: basename(path), path: `${path}.parquet` } };
      }),
    );
    const time = '2024-08-14T01:46:40.000Z';
    const events: ExpectedEvent[] = [
      { type: 'search', as: 's1', time, user: '7', query: 'tea', source: 'unknown' },
      { type: 'click', time, user: '7', item: '3', search: 's1' },
      { type: 'search', as: 's2', time, user: '7', query: 'tea', source: 'unknown' },
    ];
    const { itemAttributes } = await settle(database, format, await stage(database, format, inputs), false);
    assert.deepEqual(await eventsOf(database, events), events);
    assert.deepEqual(await attributesOf(database, 'item', itemAttributes), { 3: { title: 'Tea' } });
  });
  const sound = search('7', '1.0').replaceAll('NaN', '1');
  const path = await put(folder, 'text.jsonl', [sound, search('7', 'NaN')].join('\n'));
  await withDatabase(async (database) => {
    await settle(database, format, await stage(database, format, [{ input: { name: 'text', path } }]), false);
    assert.equal(await database.number('SELECT count(*) FROM searches'), 2);
    assert.equal(await database.number('SELECT count(*) FROM clicks'), 1);
  });
});

for (const name of ['ga4', 'qilin', 'personalize']) {
  test(`${name}: Parquet, with nested columns, gives the same events`, async (t) => {
    const expected = await expectedIn(join(FIXTURES, name));
    const scratch = await scratchFolder(t);
    const format = FORMATS.find((each) => each.name === name);
    assert.ok(format);
    await withDatabase(async (database) => {
      const inputs: Assigned[] = [];
      for (const file of expected.files) {
        const lines = (await readFile(join(FIXTURES, name, file), 'utf8')).trim().split('\n');
        const isTable = file.endsWith('.csv');
        const fields = lines[0]?.split(',').length ?? 0;
        // what is no record in text cannot be in Parquet
        const records = lines.filter((line) => (isTable ? line.split(',').length >= fields : line.endsWith('}')));
        const whole = await put(scratch, file, records.join('\n'));
        const path = join(scratch, `${file}.parquet`);
        const rows = isTable
          ? `read_csv(${literal(whole)}, header = true, all_varchar = true, quote = '"', escape = '"')`
          : `read_json(${literal(whole)}, format = 'newline_delimited')`;
        await database.run(copyToParquet(`SELECT * FROM ${rows}`, path));
        inputs.push({ input: { name: basename(path), path } });
      }
      const records = await stage(database, format, inputs);
      await settle(database, format, records, false);
      assert.deepEqual(await eventsOf(database, expected.events), expected.events.map(inMilliseconds));
    });
  });
}
