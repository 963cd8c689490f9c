import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parseHTML } from 'linkedom';
import type { ComparisonResults } from '../../src/cli/comparison/index.js';
import { normaliseQuery } from '../../src/data/index.js';
import { METRICS, metricsOf } from '../../src/evaluate/index.js';
import type { RunManifest } from '../../src/model/index.js';
import { inChromium, look, openBrowser, print } from '../support/browser.js';
import { QUICK, assertRefusal, contentOf, inProcess, sesrec } from '../support/command-line.js';
import { writePlantedLog } from '../support/planted.js';

interface ToldReport {
  readonly path: string;
  readonly kind: string;
  readonly title: string;
  readonly summary: readonly string[];
  readonly sections: readonly { readonly id: string; readonly title: string }[];
  readonly figures: Record<
    'sampled' | 'full',
    { readonly rows: readonly { readonly label: string; readonly mean: number }[] }
  >;
  readonly person: string | null;
  readonly bytes: number;
}

/** What people, items and queries may be called. */
const HOSTILE = [
  '<script>document.title = "hacked"</script>',
  '"><img src="https://example.com/x.png" onerror="alert(1)">',
  '</style></title></svg><svg onload=alert(1)>',
  'verylongwordwithoutanybreak'.repeat(9),
  'חיפוש מעיל גשם כחול',
  '\u{202E}txt.exe & &lt;b&gt;',
  "o'clock `tick` ${1 + 1}",
];
/** Queries are kept in lower case. */
const QUERY = 'sought <b>"raincoat"</b> & ';

let folder: string;
let data: string;
let compared: string;
const at = (name: string): string => join(folder, name);
const pageOf = async (file: string) => parseHTML(await readFile(file, 'utf8')).document;
const textIn = async (file: string): Promise<string> =>
  ((await pageOf(file)).body.textContent as string).replaceAll(/\s+/g, ' ');
const resultsOf = async (directory: string): Promise<ComparisonResults> =>
  JSON.parse(await readFile(join(directory, 'results.json'), 'utf8')) as ComparisonResults;

/** A planted log in which everybody and everything has an awkward name. */
async function writeHostileLog(path: string): Promise<void> {
  await writePlantedLog({ users: 24, items: 120, categories: 6, eventsPerUser: 8, seed: 3 }, path);
  const lines = (await readFile(path, 'utf8')).trim().split('\n');
  const hostile = lines.map((line, i) => {
    const event = JSON.parse(line) as { fields?: Record<string, string>; query?: string; user?: string };
    const name = HOSTILE[i % HOSTILE.length] as string;
    if (event.fields)
      event.fields = {
        ...event.fields,
        title: `${name} ${event.fields['title']}`,
        category: `${event.fields['category']} <i>`,
      };
    if (event.query !== undefined) event.query = `${QUERY}${name} ${event.query}`;
    if (event.user !== undefined) event.user = `${event.user} <script>alert("user")</script>`;
    return JSON.stringify(event);
  });
  await writeFile(path, hostile.join('\n'));
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-report-'));
  data = at('data');
  compared = at('compared');
  await writeHostileLog(at('log.jsonl'));
  const models = 'popularity,gru4rec,sesrec,blind=sesrec';
  const options = `--models ${models} --set blind.useSearch=false --trials 2 --tuning-epochs 1 --seeds 2 --epochs 2 --item-attributes category`;
  const settings = QUICK.filter(
    (_, i) =>
      !/hidden|alignmentNegatives/.test(QUICK[i] ?? '') && !/hidden|alignmentNegatives/.test(QUICK[i + 1] ?? ''),
  );
  for (const args of [
    ['import', 'events', at('log.jsonl'), '--out', data],
    ['compare', data, '--out', compared, ...options.split(' '), ...settings],
    ['report', compared, '--out', at('compared.html')],
    ['report', join(compared, 'runs', 'sesrec', 'seed-1'), '--out', at('run.html'), '--threads', '1'],
  ]) {
    const { code, err } = await sesrec(...args);
    assert.equal(code, 0, err);
  }
});
after(async () => rm(folder, { recursive: true, force: true }));

test('the report of a comparison has every figure of its results, and says who is best as they do', async () => {
  const results = await resultsOf(compared);
  const document = await pageOf(at('compared.html'));
  const told = (value: number): string => value.toFixed(4).replace(/^0/, '');
  for (const name of ['sampled', 'full'] as const) {
    const table = document.querySelector(`#${name} table`);
    const rows = new Map<string, string[]>(
      [...table.querySelectorAll('tbody tr')].map((row) => [
        row.querySelector('th').textContent as string,
        [...row.querySelectorAll('td')].map((cell: { textContent: string }) => cell.textContent),
      ]),
    );
    for (const row of results.rows)
      for (const [i, metric] of METRICS.entries()) {
        const { mean, halfWidth } = row.test![name][metric];
        const interval = halfWidth === null ? '' : ` ±${told(halfWidth)}`;
        assert.equal(
          rows.get(row.name)?.[i]?.replace('†', '').trim(),
          `${told(mean)}${interval}`,
          `${row.name} ${metric}`,
        );
      }
    const chief = results.rows.map((row) => ({ name: row.name, mean: row.test![name]['ndcg@10'].mean }));
    const best = chief.reduce((best, row) => (row.mean > best.mean ? row : best));
    assert.match(
      await textIn(at('compared.html')),
      new RegExp(`, ${best.name} has the highest NDCG@10, ${told(best.mean)} `),
    );
    assert.equal(table.querySelectorAll('.best').length, METRICS.length);
    assert.equal(table.querySelectorAll('.second').length, METRICS.length);
  }
  const ids = [...document.querySelectorAll('section')].map(({ id }: { id: string }) => id);
  assert.deepEqual(ids, [
    'sampled',
    'full',
    'models',
    'tests',
    'slices',
    'learning',
    'tuning',
    'person',
    'protocol',
    'limits',
    'manifest',
  ]);
  const manifest = document.querySelector('#manifest').textContent as string;
  for (const part of [
    results.plan.command,
    results.plan.dataHash.slice(0, 16),
    results.plan.candidates.hash.slice(0, 16),
  ])
    assert.ok(manifest.includes(part), part);
});

test('slices: users of all slices together come to the figures of the table', async () => {
  const document = await pageOf(at('compared.html'));
  const { rows } = await resultsOf(compared);
  const tables = [...document.querySelectorAll('#slices table')];
  assert.ok(tables.length >= 2);
  for (const table of tables) {
    const heads = [...table.querySelectorAll('thead th')].slice(1);
    const sizes = heads.map((head) => parseInt(head.querySelector('span:last-child').textContent as string, 10));
    assert.ok(
      sizes.every((size) => size > 0),
      'slices of nobody are left out',
    );
    for (const row of table.querySelectorAll('tbody tr')) {
      const known = rows.find(({ name }) => name === row.querySelector('th').textContent);
      if (!known) continue;
      const values = [...row.querySelectorAll('td')].map(({ textContent }: { textContent: string }) =>
        parseFloat(textContent),
      );
      for (const [name, from, to] of [
        ['sampled', 0, values.length / 2],
        ['full', values.length / 2, values.length],
      ] as const) {
        const [own, counts] = [values.slice(from, to), sizes.slice(from, to)];
        const users = counts.reduce((sum, count) => sum + count, 0);
        const mean = own.reduce((sum, value, i) => sum + value * (counts[i] as number), 0) / users;
        const whole = known.test![name]['ndcg@10'].mean;
        assert.ok(Math.abs(mean - whole) < 1e-4, `${known.name} ${name}: ${mean}, not ${whole}`);
      }
    }
  }
});

test('an interval of a slice is over its users, by hand', async () => {
  const tests = at('compared/test/popularity/counted.json.gz');
  const { ranks } = JSON.parse(gunzipSync(await readFile(tests)).toString()) as {
    ranks: { sampled: { user: number[]; better: number[]; tied: number[] } };
  };
  const { user, better, tied } = ranks.sampled;
  const never = user.map((_, i) => i).filter((i) => i % 4 === 3); // every fourth user never searches
  const values = never.map((i) => metricsOf(better[i]!, tied[i]!)['ndcg@10']);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const error = Math.sqrt(
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) / values.length,
  );
  const document = await pageOf(at('compared.html'));
  const [table] = document.querySelectorAll('#slices table');
  const [first] = [...table.querySelectorAll('tbody tr')].filter(
    (row) => row.querySelector('th').textContent === 'popularity',
  );
  assert.equal(values.length, 6);
  const told = (value: number): string => value.toFixed(4).replace(/^0/, '');
  assert.equal(
    first.querySelector('td').textContent.trim(),
    `${told(mean)} ±${told(2.570581836 * error)}`,
    't of 5 degrees of freedom',
  );
});

test('words are careful: significance is of the tests alone, and limits say what the data are', async () => {
  const results = await resultsOf(compared);
  const text = await textIn(at('compared.html'));
  const sure = results.tests.filter(
    ({ metric, t, bootstrap }) => metric === 'ndcg@10' && t.holm < 0.05 && bootstrap.holm < 0.05,
  );
  assert.equal(text.match(/is significant at the 5 % level/g)?.length ?? 0, sure.length);
  assert.equal(text.match(/is not significant \(/g)?.length ?? 0, 2 - sure.length);
  const told = (await pageOf(at('compared.html'))).querySelectorAll('#tests table')[1].querySelectorAll('tbody td');
  assert.equal([...told].filter((cell: { textContent: string }) => /^(better|worse|not told apart)$/.test(cell.textContent.trim().replaceAll(/\s+/g, ' '))).length, 6, 'the best against three others, twice'); // prettier-ignore
  for (const limit of [
    /One data set\./,
    /at most 2 settings per model, 1 epoch each/,
    /Two seeds: intervals/,
    /Not trained to the end/,
    /Leave-one-out lets the future in/,
  ])
    assert.match(text, limit);
  assert.doesNotMatch(text, /simulated|constructed/);
});

test('a significant difference is called so, in both kinds of words; constructed searches and one seed are limits', async () => {
  const other = at('edited');
  await cp(compared, other, { recursive: true });
  const results = await resultsOf(other);
  const edited = JSON.stringify(results, (key, value: unknown) =>
    key === 'seeds' && Array.isArray(value)
      ? value.slice(0, 1)
      : key === 'tests' || key === 'referenceTests'
        ? (value as object[]).map((one) => ({
            ...one,
            t: { t: 9, degreesOfFreedom: 23, p: 1e-6, holm: 1e-5 },
            bootstrap: { interval: [0.1, 0.2], resamples: 10000, p: 1e-4, holm: 1e-3 },
          }))
        : value,
  );
  await writeFile(join(other, 'results.json'), edited);
  const manifest = join(other, 'runs', 'gru4rec', 'seed-1', 'data', 'manifest.json');
  const { source, ...rest } = JSON.parse(await readFile(manifest, 'utf8')) as { source: { options: object } };
  const constructed = { ...source, options: { ...source.options, constructSearches: 'title' } };
  await writeFile(manifest, JSON.stringify({ source: constructed, ...rest }));
  const { code, err } = await inProcess('report', other, '--out', at('edited.html'), '--no-person');
  assert.equal(code, 0, err);
  const text = await textIn(at('edited.html'));
  assert.equal(
    text.match(
      /is significant at the 5 % level by both tests \(corrected p <\.0001 by Student’s t and \.0010 by bootstrap\)/g,
    )?.length,
    2,
  );
  assert.equal(text.match(/ is significantly better than all of the rows behind /g)?.length, 2);
  assert.match(text, /the searches constructed from the items/);
  assert.match(text, /The searches are constructed: .* \(column title\)\. Nobody typed them\./);
  assert.match(text, /One seed: how much a figure varies with the training is not known/);
  assert.match(text, /\(one seed\)/);
  assert.equal((await pageOf(at('edited.html'))).querySelectorAll('#sampled table .best').length, METRICS.length);
  assert.equal(
    (await textIn(at('edited.html'))).match(/†/g)?.length,
    2 * METRICS.length + 2,
    'every best is marked, and the sign is explained twice',
  );
});

test('one person: by the rule, with sides, of the best SESRec run on validation; by name; or nobody', async () => {
  const { rows } = await resultsOf(compared);
  const sesrecRows = rows.filter(({ model }) => model === 'sesrec');
  const mean = (row: (typeof rows)[number]): number =>
    row.seeds.reduce((sum, { validation }) => sum + validation.mrr, 0);
  const best = sesrecRows.reduce((best, row) => (mean(row) > mean(best) ? row : best));
  const seed = best.seeds.reduce((best, one) => (one.validation.mrr > best.validation.mrr ? one : best)).seed;
  const document = await pageOf(at('compared.html'));
  const section = document.querySelector('#person');
  const text = (section.textContent as string).replaceAll(/\s+/g, ' ');
  assert.ok(text.includes(`${best.name} (seed ${seed})`), text.slice(0, 300));
  assert.match(
    text,
    /User u0 <script>alert\("user"\)<\/script>, the first in the order of the data with at least 5 searches and 8 feed events; chosen by no figure/,
  );
  const { config } = JSON.parse(
    await readFile(join(compared, `runs/${best.label}/seed-${seed}/run.json`), 'utf8'),
  ) as RunManifest;
  const actions = [...section.querySelectorAll('.timeline li')].slice(1);
  const lane = (name: string) => actions.filter((one) => one.querySelector('.what').classList.contains(name)).length;
  assert.deepEqual(
    [lane('feed'), lane('search')],
    [config.window.feed, best.label === 'blind' ? 0 : config.window.search],
  );
  assert.equal(section.querySelectorAll('ol.recommended > li').length, 5);

  const run = join(compared, 'runs', 'sesrec', 'seed-1');
  const named = 'u5 <script>alert("user")</script>';
  const told = await inProcess('report', run, '--out', at('named.html'), '--user', named, '--threads', '1', '--json');
  assert.equal(told.code, 0, told.err);
  assert.equal((JSON.parse(told.out) as ToldReport).person, named);
  assert.match(await textIn(at('named.html')), /User u5 <script>alert\("user"\)<\/script>, as asked for/);
  const searches = [...(await pageOf(at('named.html'))).querySelectorAll('.timeline .search .title')];
  assert.equal(searches.length, 5);
  for (const { textContent } of searches) assert.ok(textContent.startsWith(normaliseQuery(QUERY)), textContent);

  const nobody = await inProcess('report', compared, '--out', at('nobody.html'), '--no-person', '--json');
  const { person, sections } = JSON.parse(nobody.out) as ToldReport;
  assert.deepEqual([person, sections.some(({ id }) => id === 'person')], [null, false]);
  assert.doesNotMatch(await readFile(at('nobody.html'), 'utf8'), /raincoat|alert\(/, 'nothing of any one person');
});

test('who is asked for is shown, or it is said why not; results of before more was asked for say so', async () => {
  const other = at('others');
  await cp(compared, other, { recursive: true });
  const results = await resultsOf(other);
  const [planned, found] = [join(other, 'compare.json'), join(other, 'results.json')];
  const plan = JSON.parse(await readFile(planned, 'utf8')) as { options: object; entries: { model: string }[] };
  const without = <Row extends { model: string }>(rows: readonly Row[]): Row[] =>
    rows.filter(({ model }) => model !== 'sesrec');
  await writeFile(planned, JSON.stringify({ ...plan, entries: without(plan.entries) }));
  await writeFile(found, JSON.stringify({ ...results, rows: without(results.rows), tests: [], referenceTests: [] }));
  assertRefusal(
    await inProcess('report', other, '--out', at('others.html'), '--user', 'u0'),
    1,
    /--user u0: no row of SESRec was trained, and no other tells a timeline/,
  );
  await writeFile(planned, JSON.stringify({ ...plan, options: { ...plan.options, seeds: 3 } }));
  await writeFile(found, JSON.stringify(results));
  const { code, err } = await inProcess('report', other, '--out', at('others.html'), '--no-person');
  assert.equal(code, 0, err);
  const goesOn = /The comparison goes on: it was asked for with other options since/;
  assert.match(await textIn(at('others.html')), goesOn);
  assert.doesNotMatch(await textIn(at('compared.html')), goesOn);
});

test('--json says what the report shows', async () => {
  const { code, out, err } = await inProcess('report', compared, '--out', at('told.html'), '--json');
  assert.equal(code, 0, err);
  const told = JSON.parse(out) as ToldReport;
  const results = await resultsOf(compared);
  assert.deepEqual(
    [told.path, told.kind, told.title],
    [at('told.html'), 'comparison', 'Comparison of four recommenders'],
  );
  assert.equal(told.bytes, (await readFile(at('told.html'))).length);
  for (const name of ['sampled', 'full'] as const) {
    const means = told.figures[name].rows.map(({ mean }) => mean);
    assert.deepEqual(
      means,
      means.toSorted((a, b) => b - a),
    );
    for (const { label, mean } of told.figures[name].rows)
      assert.equal(mean, results.rows.find((row) => row.label === label)?.test?.[name]['ndcg@10'].mean);
  }
  assert.deepEqual(await readFile(at('told.html')), await readFile(at('compared.html')), 'the same again');
});

test('the report of a run shows the results that are there, and looks at no test', async () => {
  const run = at('untested');
  await cp(join(compared, 'runs', 'gru4rec', 'seed-1'), run, { recursive: true });
  const manifest = JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as RunManifest;
  await writeFile(join(run, 'run.json'), JSON.stringify({ ...manifest, testLooks: [] }));
  for (const name of await readdir(join(run, 'results')))
    if (name.startsWith('evaluation')) await rm(join(run, 'results', name));
  const before = await contentOf(run);
  const { code, err } = await inProcess('report', run, '--out', at('untested.html'), '--threads', '1');
  assert.equal(code, 0, err);
  assert.deepEqual(await contentOf(run), before, 'nothing in the run is changed');
  const document = await pageOf(at('untested.html'));
  assert.equal(document.querySelectorAll('#results tbody tr').length, 1);
  assert.match(await textIn(at('untested.html')), /Its test was not evaluated: figures here are of validation/);
  assert.match(document.querySelector('#person').textContent, /GRU4Rec looks at/);
  assert.equal(
    document.querySelectorAll('.side.similar, .side.dissimilar').length,
    0,
    'no sides where the model has none',
  );

  const tested = await pageOf(at('run.html'));
  assert.equal(tested.querySelectorAll('#results tbody tr').length, 3);
  assert.match(await textIn(at('run.html')), /The test was looked at once\./);
  assert.equal(tested.querySelectorAll('#learning tbody tr').length, 2, 'an epoch per line');
});

test('what makes no report is refused in a line, and no file is written or replaced', async () => {
  const out = at('never.html');
  const refused = async (message: RegExp, ...args: readonly string[]): Promise<void> => {
    assertRefusal(await inProcess('report', ...args), 1, message);
  };
  await refused(
    /is neither a comparison nor a run: give a directory made by sesrec compare or sesrec train/,
    data,
    '--out',
    out,
  );
  await refused(/neither a comparison nor a run/, at('nowhere'), '--out', out);
  await refused(/user "nobody" is not in the log/, compared, '--out', out, '--user', 'nobody');
  await refused(
    /compared\.html already exists: choose another --out, or pass --overwrite/,
    compared,
    '--out',
    at('compared.html'),
  );

  const unfinished = at('unfinished');
  await mkdir(unfinished);
  await cp(join(compared, 'compare.json'), join(unfinished, 'compare.json'));
  await refused(/has no results yet, its comparison is not done: .* goes on/, unfinished, '--out', out);

  const damaged = at('damaged');
  const results = await resultsOf(compared);
  const damages: readonly (readonly [string, RegExp])[] = [
    ['{', /is not valid JSON/],
    ['{"format":"other"}', /cannot be read: format must be/],
    [JSON.stringify({ ...results, version: 2 }), /cannot be read: version must be 1/],
    [JSON.stringify({ ...results, rows: [{ ...results.rows[0], label: '../..' }] }), /is no name of a row/],
  ];
  await mkdir(damaged);
  await cp(join(compared, 'compare.json'), join(damaged, 'compare.json'));
  for (const [text, message] of damages) {
    await writeFile(join(damaged, 'results.json'), text);
    await refused(message, damaged, '--out', out);
  }
  assert.ok(!(await readdir(folder)).includes('never.html'));

  await writeFile(at('old.html'), 'old');
  const { code } = await inProcess('report', compared, '--out', at('old.html'), '--overwrite', '--no-person');
  assert.equal(code, 0);
  assert.match(await readFile(at('old.html'), 'utf8'), /^<!doctype html>/);
});

test('where parts of a comparison are gone, or rows were added, the report says so and has the rest', async () => {
  const parts = at('parts');
  await cp(compared, parts, { recursive: true });
  await rm(join(parts, 'runs'), { recursive: true });
  await rm(join(parts, 'test', 'gru4rec', 'seed-2.json.gz'));
  const plan = JSON.parse(await readFile(join(parts, 'compare.json'), 'utf8')) as { entries: object[] };
  await writeFile(
    join(parts, 'compare.json'),
    JSON.stringify({
      ...plan,
      entries: [...plan.entries, { label: 'stamp', model: 'stamp', preset: 'default', set: [], trials: [{}] }],
    }),
  );
  const { code, out, err } = await inProcess('report', parts, '--out', at('parts.html'), '--json');
  assert.equal(code, 0, err);
  assert.match(err, /^not among the results yet: stamp$/m);
  assert.match(err, /the report has no slices$/m);
  assert.match(err, /the report shows no timeline$/m);
  const ids = (JSON.parse(out) as ToldReport).sections.map(({ id }) => id);
  assert.deepEqual(ids, ['sampled', 'full', 'models', 'tests', 'tuning', 'protocol', 'limits', 'manifest']);
  assert.match(await textIn(at('parts.html')), /stamp was added and is not among these results yet/);
});

test(
  'in Chromium: offline, silent, no wider than a phone, enough contrast by day and by night, every figure labelled',
  inChromium,
  async () => {
    const browser = await openBrowser();
    try {
      for (const file of ['compared.html', 'run.html'].map(at))
        for (const width of [390, 1200])
          for (const scheme of ['light', 'dark'] as const) {
            const where = `${file}, ${width} pixels, ${scheme}`;
            const seen = await look(browser, file, { width, scheme });
            assert.deepEqual(seen.complaints, [], where);
            assert.equal(seen.sideways, 0, `${where}: scrolls sideways`);
            assert.deepEqual(seen.faint, [], `${where}: too faint`);
            assert.ok(seen.measured > 300, `${where}: ${seen.measured} measured`);
            assert.ok(
              seen.figures.length >= 3 && seen.figures.every((label) => label.length > 20),
              `${where}: ${seen.figures.join('|')}`,
            );
            assert.ok(seen.wideTables.every(Boolean), `${where}: a wide table scrolls in its box, also by keys`);
            assert.deepEqual(seen.cut, [], `${where}: cut`);
            assert.ok(seen.smallestFont >= 9.5, `${where}: ${seen.smallestFont}`);
          }
    } finally {
      await browser.close();
    }
  },
);

test('in Chromium: prints to a PDF of a few pages, light whatever the screen is', inChromium, async () => {
  const browser = await openBrowser();
  try {
    for (const file of ['compared.html', 'run.html'].map(at)) {
      const pdf = await print(browser, file);
      assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
      const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0;
      assert.ok(pages >= 3 && pages <= 20, `${pages} pages`);
    }
    const page = await browser.newPage({ colorScheme: 'dark' });
    await page.goto(`file://${at('compared.html')}`);
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
    assert.equal(await page.evaluate('getComputedStyle(document.querySelector("nav")).display'), 'none');
  } finally {
    await browser.close();
  }
});

test('in Chromium: a figure in a file of its own is light and dark as its reader prefers', inChromium, async () => {
  const { out } = await inProcess('analyse', 'behaviour', data, '--out', at('found'), '--json');
  assert.ok(out);
  const browser = await openBrowser();
  try {
    for (const scheme of ['light', 'dark'] as const) {
      const page = await browser.newPage({ colorScheme: scheme });
      await page.goto(`file://${at('found/behaviour.svg')}`);
      const [ink, ground] = (await page.evaluate(
        '[getComputedStyle(document.documentElement).color, getComputedStyle(document.documentElement).backgroundColor]',
      )) as [string, string];
      const sum = (colour: string): number =>
        (colour.match(/\d+/g) as string[]).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
      assert.ok(
        scheme === 'light' ? sum(ink) < 150 && sum(ground) === 765 : sum(ink) > 600 && sum(ground) < 150,
        `${ink} on ${ground}`,
      );
    }
  } finally {
    await browser.close();
  }
});
