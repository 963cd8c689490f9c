/** What a check finds: every trouble with count, first place and advice; nothing in a clean log. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CheckReport, type Finding, checkLog, importEvents, importLog } from '../../src/data/index.js';
import { jsonLines, put, scratchFolder } from './folders.js';

const NOW = Date.UTC(2026, 10, 28);
const T = Date.UTC(2026, 0, 1);
const search = (id: string, user: string, time: number, more: object = {}): object => ({
  type: 'search',
  id,
  user,
  time,
  query: 'green tea',
  source: 'typed',
  ...more,
});
const view = (user: unknown, item: unknown, time: number | string, more: object = {}): object => ({
  type: 'view',
  user,
  item,
  time,
  ...more,
});
const CLEAN = [
  search('s1', 'ann', T),
  { type: 'click', user: 'ann', item: 'a', time: T + 1, search: 's1' },
  view('ann', 'a', T + 2),
  view('bob', 'b', T + 3),
  search('s2', 'cat', T + 4, { source: 'related', query: 'Green  Tea' }),
  search('s3', 'cat', T + 5, { source: 'unknown', query: 'hat' }),
];

async function checked(folder: string, events: readonly object[]): Promise<CheckReport> {
  return checkLog({ files: [await put(folder, 'log.jsonl', jsonLines(events))], now: NOW });
}

test('a clean log: the facts of Table 1, and nothing found', async (t) => {
  const report = await checked(await scratchFolder(t), CLEAN);
  assert.deepEqual(report.findings, []);
  assert.equal(report.format, 'events');
  assert.match(report.recognised ?? '', /recognised as events: .*log\.jsonl has type/);
  assert.equal(report.timeUnit, 'milliseconds');
  assert.deepEqual(report.timeUnits, { milliseconds: 6 });
  assert.deepEqual(report.facts, {
    users: 3,
    items: 2,
    queries: 2,
    feed: 2,
    searches: 3,
    clicks: 1,
    from: '2026-01-01T00:00:00Z',
    to: '2026-01-01T00:00:00Z',
    eventsWithoutTime: 0,
    usersWhoNeverSearch: 1,
    usersWhoOnlySearch: 1,
    searchesWithClick: 1,
    sources: { related: 1, typed: 1, unknown: 1 },
    spontaneousSearches: 1,
    passiveSearches: 1,
  });
});

test('the data directory of a log has the facts of the log', async (t) => {
  const folder = await scratchFolder(t);
  const log = await checked(folder, CLEAN);
  await importEvents({ files: [join(folder, 'log.jsonl')], out: join(folder, 'data') });
  const data = await checkLog({ files: [join(folder, 'data')], now: NOW });
  assert.deepEqual(data.facts, log.facts);
  assert.deepEqual(data.read, log.read);
  assert.deepEqual(data.findings, []);
});

/** Something wrong that is put behind the clean log, and what must be found: severity, count, line, text. */
const CASES: Readonly<
  Record<
    string,
    readonly [events: readonly object[], severity: Finding['severity'], count: number, line: number, text: RegExp]
  >
> = {
  rejected: [[view('ann', 'a', 'noon'), view('ann', 'a', 'now')], 'error', 2, 7, /the time "noon"/],
  duplicates: [[search('s1', 'ann', T)], 'note', 1, 7, /the id "s1"/],
  'repeated events': [[view('bob', 'b', T + 9), view('bob', 'b', T + 9)], 'warning', 1, 8, /view of the user "bob"/],
  'empty queries': [[search('s4', 'bob', T + 9, { query: ' ' })], 'warning', 1, 7, /bob/],
  'absurd queries': [[search('s4', 'bob', T + 9, { query: 'x'.repeat(501) })], 'warning', 1, 7, /xxx/],
  'users that differ only in case': [[view('ANN', 'a', T + 9)], 'warning', 1, 1, /"ann" and "ANN"/],
  'items that differ only in type': [
    [view('bob', 7, T + 8), view('bob', '007', T + 9)],
    'warning',
    1,
    7,
    /"7" and "007"/,
  ],
  'users that stand for nobody': [[view('undefined', 'a', T + 9)], 'warning', 1, 7, /"undefined"/],
  'absurd item ids': [[view('bob', 'x'.repeat(201), T + 9)], 'warning', 1, 7, /xxx/],
  'times in the future': [[view('bob', 'a', '2036-01-01')], 'error', 1, 7, /2036-01-01T00:00:00Z/],
  'times long ago': [[view('bob', 'a', 0)], 'error', 1, 7, /1970-01-01T00:00:00Z/],
  ties: [[view('bob', 'a', T + 3)], 'note', 1, 7, /2026-01-01T00:00:00Z/],
  'times that go back': [[view('bob', 'a', T + 1)], 'note', 1, 7, / after /],
  robots: [
    Array.from({ length: 601 }, (_, i) => view('bot', `i${i}`, T + 1000 * i)),
    'warning',
    1,
    7,
    /the user "bot" with 601 events/,
  ],
};

for (const [name, [events, severity, count, line, text]] of Object.entries(CASES)) {
  test(`found with its count, place and advice: ${name}`, async (t) => {
    const report = await checked(await scratchFolder(t), [...CLEAN, ...events]);
    const found = report.findings.find((finding) => finding.name === name);
    assert.ok(found, JSON.stringify(report.findings.map((finding) => finding.name)));
    assert.equal(found.severity, severity);
    assert.equal(found.count, count);
    assert.equal(found.example.file, 'log.jsonl');
    assert.equal(found.example.line, line);
    assert.match(found.example.text, text);
    assert.ok(found.advice.length > 0);
  });
}

test('the unit of times is told, whatever it is', async (t) => {
  const folder = await scratchFolder(t);
  const unitsOf = async (times: readonly (number | string)[]): Promise<CheckReport> =>
    checked(
      folder,
      times.map((time, i) => view('u', `i${i}`, time)),
    );
  const found = ({ findings }: CheckReport, name: string): Finding | undefined =>
    findings.find((finding) => finding.name === name);
  assert.equal((await unitsOf(['2026-01-01T10:00:00Z'])).timeUnit, 'ISO 8601 text');
  assert.equal((await unitsOf(['2026-01-01'])).timeUnit, 'ISO 8601 text, to the day');
  for (const [unit, factor] of [
    ['seconds', 1e-3],
    ['microseconds', 1e3],
  ] as const) {
    const wrong = await unitsOf([1, 2, 3].map((i) => (T + 1000 * i) * factor));
    assert.equal(wrong.timeUnit, unit);
    const finding = found(wrong, 'times in another unit');
    assert.equal(finding?.severity, 'error');
    assert.equal(finding?.count, 3);
    assert.match(
      finding?.example.text ?? '',
      new RegExp(`^${(T + 1000) * factor} is 2026-01-01T00:00:01Z in ${unit}, but is read as `),
    );
  }
  const mixed = await unitsOf([T, T + 1, '2026-01-01T10:00:00Z', T / 1000]);
  assert.deepEqual(mixed.timeUnits, { milliseconds: 2, 'ISO 8601 text': 1, seconds: 1 });
  assert.equal(found(mixed, 'times in another unit')?.count, 1);
  assert.equal(found(mixed, 'mixed time units')?.count, 2);
  assert.equal(found(mixed, 'mixed time units')?.example.line, 3);
  assert.equal(found(await unitsOf([T, T + 1]), 'mixed time units'), undefined);
});

test('the unit is told of tables and of texts of digits, too', async (t) => {
  const folder = await scratchFolder(t);
  const ga4 = {
    event_name: 'view_item',
    event_timestamp: String((T + 1) * 1000),
    user_pseudo_id: 'u',
    items: [{ item_id: 'a' }],
  };
  const { timeUnit } = await checkLog({ files: [await put(folder, 'ga4.jsonl', jsonLines([ga4]))], format: 'ga4' });
  assert.equal(timeUnit, 'microseconds');
  const table = `user_id:token\titem_id:token\ttimestamp:float\nu\ti\t${(T + 1) / 1000}\nu\tj\t${T + 2}\n`;
  const report = await checkLog({ files: [await put(folder, 'x.inter', table)], now: NOW });
  assert.deepEqual(report.timeUnits, { milliseconds: 1, seconds: 1 });
  assert.equal(report.findings.find(({ name }) => name === 'times in another unit')?.example.line, 3);
});

test('the exit code is for continuous integration', async (t) => {
  const folder = await scratchFolder(t);
  const run = (...words: readonly string[]): number | null =>
    spawnSync(process.execPath, ['bin/sesrec.js', 'check', ...words, '--json']).status;
  const [clean, odd, wrong] = [
    await put(folder, 'clean.jsonl', jsonLines(CLEAN)),
    await put(folder, 'odd.jsonl', jsonLines([...CLEAN, view('ANN', 'a', T + 9)])),
    await put(folder, 'wrong.jsonl', jsonLines([...CLEAN, view('', 'a', T + 9)])),
  ];
  assert.equal(run(clean, '--fail-on', 'warning'), 0);
  assert.equal(run(odd), 0);
  assert.equal(run(odd, '--fail-on', 'warning'), 1);
  assert.equal(run(wrong), 1);
  assert.equal(run(wrong, '--fail-on', 'never'), 0);
  assert.equal(run(wrong, '--format', 'no such format'), 2);
});

test('a log in which nobody does anything is an error, as it is for an import', async (t) => {
  const folder = await scratchFolder(t);
  const events = await put(folder, 'log.jsonl', '{"type":"view","time":1700000000000,"user":"u","item":"a"}\n');
  const told =
    /log\.jsonl: there are no searches, clicks or other actions; as ga4, 1 record left out: is it of another format\?/;
  await assert.rejects(checkLog({ files: [events], format: 'ga4' }), told);
  await assert.rejects(importLog({ files: [events], format: 'ga4', out: join(folder, 'out') }), told);
  const empty = await put(folder, 'empty.jsonl', '');
  await assert.rejects(
    checkLog({ files: [empty], format: 'events' }),
    /empty\.jsonl: there are no searches, clicks or other actions$/,
  );
});

test('a log of rejected records alone is reported, too', async (t) => {
  const report = await checked(await scratchFolder(t), [view('', 'a', 1), { type: 'view' }]);
  assert.deepEqual(report.read, { records: 2, read: 2, accepted: 0, rejected: 2, duplicates: 0, ignored: 0 });
  assert.equal(report.facts.from, null);
  assert.equal(report.timeUnit, 'no times');
});
