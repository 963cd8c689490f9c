/**
 * The views Catalogue, Experiments, Data health and Operations in Chromium: the story of each, hostile texts, a training that grows while it
 * is looked at, a model that is switched and rolled back, a server that goes.
 */
import assert from 'node:assert/strict';
import { appendFile, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { releaseLock, takeLock } from '../../src/base/index.js';
import { experimentsIn } from '../../src/cli/experiments/index.js';
import { openEngine } from '../../src/online/index.js';
import { inChromium } from '../support/browser.js';
import { HOSTILE, SCHEMES, WIDTHS, hostileRun, seriousViolations, sidewaysOf, showing } from '../support/page.js';
import { serve } from '../support/serving.js';
import { until } from '../support/waiting.js';

/** Somebody whose id is none, which check finds. */
const placeholders = Array.from({ length: 6 }, (_, i) => [
  { type: 'view', user: 'null', item: `i${i}`, time: 1.7e12 + i },
  { type: 'search', id: `nobody-${i}`, user: 'null', query: 'x', time: 1.7e12 + i },
]).flat();
const PATIENCE = { timeout: 90_000 };

let runs: string;
/** One that is searched for most, and is part of titles. */
let query: string;
const shown = showing(async (folder) => {
  runs = join(folder, 'runs');
  const run = await hostileRun(folder, placeholders);
  await cp(run, join(runs, 'first'), { recursive: true });
  await cp(run, join(runs, 'second'), { recursive: true });
  const engine = await openEngine({ run: join(runs, 'first'), store: join(folder, 'live'), threads: 1 });
  const served = await serve(engine, { logLevel: 'error', mostInFlight: 200, experiments: experimentsIn(runs) });
  ({ query } = (await served.ask('GET', '/v1/catalogue/queries?limit=1')).json.queries[0]);
  return served;
});

const at = async (place: string, options = {}) => shown.open(place, options);
/** Letters of figures that stand outside of them. */
const CUT_MARKS = `[...document.querySelectorAll('.plot svg')].flatMap((figure) =>
  [...figure.querySelectorAll('text')]
    .filter((mark) => mark.getBoundingClientRect().left < figure.getBoundingClientRect().left)
    .map((mark) => mark.textContent))`;
const problem = (status: number, code: string, detail: string) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ status, code, detail }),
});
const heading = async (page: Page, name: string | RegExp): Promise<void> =>
  page.getByRole('heading', { name }).first().waitFor(PATIENCE);

test('catalogue: typed, found, and from an item to a query near it and back', inChromium, async () => {
  await using opened = await at('#/catalogue');
  const { page } = opened;
  await page.getByRole('searchbox', { name: 'Search items and queries' }).fill(query);
  const { json } = await shown.served.ask('GET', `/v1/catalogue/items?limit=50&search=${encodeURIComponent(query)}`);
  assert.ok(json.total > 1 && json.total < 50);
  await page.getByRole('heading', { name: `Items ${json.total}`, exact: true }).waitFor(PATIENCE); // the list before stays until then
  await page.waitForURL(/\?search=/);
  const items = page.getByRole('list', { name: `Items ${json.total}` });
  assert.equal(await items.getByRole('link').count(), json.total);
  await items.getByRole('link').first().click();
  await heading(page, 'Queries near it');
  await page.getByRole('list', { name: 'Queries near it' }).getByRole('link').first().click();
  await heading(page, 'Items clicked in its results');
  assert.ok(page.url().includes('#/catalogue/query/'));
  await page.getByRole('list', { name: 'Items near it' }).getByRole('link').first().click();
  await heading(page, 'Queries that led to it');
  await page.goBack();
  await heading(page, 'Items clicked in its results');
});

test('catalogue: where an item was recommended, and why', inChromium, async () => {
  const { json } = await shown.served.ask('POST', '/v1/recommendations', { user: 'u1', k: 5 });
  const [{ item }] = json.items;
  await shown.served.ask('POST', '/v1/events', [{ type: 'impression', user: 'u1', item }]); // the list is kept by then
  await using opened = await at(`#/catalogue/item/${encodeURIComponent(item)}`);
  const { page } = opened;
  const why = page.getByRole('button', { name: 'Why it is recommended to u1' }).first();
  await why.click(PATIENCE);
  await page.getByText(/As things are now it/).waitFor(PATIENCE);
  assert.equal(await why.getAttribute('aria-expanded'), 'true');
  await page.getByRole('link', { name: 'u1', exact: true }).click();
  assert.ok(page.url().endsWith('#/people/u1'));
});

test('catalogue: hostile titles and queries are text, at every width', inChromium, async () => {
  const texts = Object.values(HOSTILE);
  for (const width of WIDTHS) {
    await using opened = await at('#/catalogue', { width });
    const { page } = opened;
    const field = page.getByRole('searchbox');
    for (const [i, text] of texts.entries()) {
      await field.fill(Array.from(text).slice(0, 12).join('')); // whole characters
      await page.locator(`a[href*="/catalogue/item/i${i}"]`).first().waitFor(PATIENCE);
      assert.equal(await sidewaysOf(page), 0, `${width} px, ${text.slice(0, 20)}`);
    }
    await page.evaluate(`location.hash = '#/catalogue/item/i0'`);
    await heading(page, HOSTILE.script.slice(0, 20));
    assert.equal(await sidewaysOf(page), 0, `${width} px`);
    assert.equal(await page.title(), 'Catalogue · sesrec');
    assert.equal(await page.locator('main img, main script').count(), 0);
  }
});

test('catalogue: what is worked out is there in the end, however slowly the server answers', inChromium, async () => {
  await using opened = await at('#/data-health');
  const { page } = opened;
  let asked = 0;
  await page.route('**/v1/catalogue/items/i1', async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    if (asked++ === 0) answer.near = { ...answer.near, state: 'working' };
    else await new Promise((resolve) => setTimeout(resolve, 2500)); // longer than it waits before it asks again
    await route.fulfill({ response, json: answer });
  });
  await page.evaluate("location.hash = '#/catalogue/item/i1'");
  await page.getByText('The model works out').waitFor(PATIENCE);
  await page.getByText('The model works out').waitFor({ state: 'detached', timeout: 30_000 });
  assert.equal(asked, 2);
});

test('catalogue: nothing is called so, and what is not there', inChromium, async () => {
  await using opened = await at('#/catalogue/item/nothing');
  const { page, complaints } = opened;
  await page.getByRole('alert').getByText('Nothing is known of this item.').waitFor(PATIENCE);
  assert.ok(complaints.every((text) => text.includes('404')));
  complaints.length = 0;
  await page.getByRole('searchbox').fill('zzzzzz');
  await page.getByText('No item holds this text.').waitFor(PATIENCE);
  await page.getByText('No query holds this text.').waitFor(PATIENCE);
  await page.evaluate(`location.hash = '#/catalogue/query/${'q'.repeat(501)}'`);
  await page.getByText('Longer than 500 characters: it cannot be asked about.').waitFor(PATIENCE);
});

test('catalogue: the field says what the address says', inChromium, async () => {
  await using opened = await at('#/catalogue');
  const { page } = opened;
  const field = page.getByRole('searchbox');
  const holds = async (text: string): Promise<void> => until(text, async () => (await field.inputValue()) === text);
  for (const text of ['books', 'tea']) {
    await field.fill(text);
    await page.waitForURL(new RegExp(`search=${text}`));
    await page.locator(`.catalogue-results a[href*="search=${text}"]`).first().click();
    await page.waitForURL(new RegExp(`catalogue/item/.*search=${text}`));
  }
  await page.goBack();
  await page.goBack();
  await holds('books');
  await page.getByRole('navigation').getByRole('link', { name: 'Catalogue' }).click();
  await holds('');
});

test('experiments: a training is watched epoch by epoch until it ends', inChromium, async () => {
  const run = join(runs, 'growing');
  await cp(join(runs, 'first'), run, { recursive: true });
  await rm(join(run, 'results'), { recursive: true });
  await takeLock(join(run, 'lock'), 'trains');
  const log = join(run, 'log.jsonl');
  const line = JSON.parse((await readFile(log, 'utf8')).trim().split('\n').at(-1) as string);
  const epoch = (number: number, mrr: number): string =>
    `${JSON.stringify({ ...line, epoch: number, validation: { score: mrr, metrics: { ...line.validation.metrics, mrr } } })}\n`;
  await writeFile(log, epoch(1, 0.1));
  await using opened = await at('#/experiments');
  const { page } = opened;
  const row = page.getByRole('row', { name: /growing/ });
  await row.getByText('training').waitFor(PATIENCE);
  await row.getByRole('link', { name: 'growing' }).click();
  const chart = (text: string) => page.locator(`.plot [role="img"][aria-label*="${text}"]`);
  await chart('from 0.1000 to 0.1000 in 1 epoch').waitFor({ ...PATIENCE, state: 'attached' });
  await chart('prediction').waitFor({ ...PATIENCE, state: 'attached' });
  assert.deepEqual(await page.evaluate(CUT_MARKS), []);
  await page.getByText('It trains: the curves grow').waitFor(PATIENCE);
  await appendFile(log, epoch(2, 0.2));
  await chart('from 0.1000 to 0.2000 in 2 epochs').waitFor({ ...PATIENCE, state: 'attached' });
  await page.getByText('growing, epoch 2: MRR 0.2000').waitFor({ ...PATIENCE, state: 'attached' });
  await appendFile(log, epoch(3, 0.15));
  await chart('in 3 epochs')
    .first()
    .waitFor({ ...PATIENCE, state: 'attached' });
  await page.getByText('best: epoch 2').waitFor(PATIENCE);
  await releaseLock(join(run, 'lock'));
  await page.getByText('stopped', { exact: true }).waitFor(PATIENCE);
  await page.getByRole('radio', { name: 'NDCG@10' }).check({ force: true });
  await chart('NDCG@10 on validation').waitFor({ ...PATIENCE, state: 'attached' });
  await page.getByText('Every epoch, as numbers').click();
  assert.equal(await page.getByRole('region', { name: 'Every epoch' }).locator('tbody tr').count(), 3);
  await takeLock(join(run, 'lock'), 'trains'); // somebody goes on with it
  await page.getByText('It trains: the curves grow').waitFor(PATIENCE);
  await appendFile(log, epoch(4, 0.3));
  await chart('in 4 epochs')
    .first()
    .waitFor({ ...PATIENCE, state: 'attached' });
  await releaseLock(join(run, 'lock'));
});

test('experiments: results, settings, and the report as a file', inChromium, async () => {
  await using opened = await at('#/experiments/first');
  const { page } = opened;
  await heading(page, 'Results that it keeps');
  await page.getByText('The test was not looked at.').waitFor(PATIENCE);
  await page.getByText('Settings', { exact: true }).click();
  await page.getByText('training.seed').waitFor(PATIENCE);
  const download = page.waitForEvent('download', { timeout: 240_000 });
  await page.getByRole('button', { name: 'Save the report' }).click();
  const file = await download;
  assert.equal(file.suggestedFilename(), 'first.html');
  assert.match(await readFile(await file.path(), 'utf8'), /^<!doctype html>/i);
});

test(
  'experiments: a report that cannot be made is told, and a key is asked for where one is wanted',
  inChromium,
  async () => {
    await using opened = await at('#/experiments/first');
    const { page, complaints } = opened;
    const answers = [
      { status: 500, contentType: 'text/html', body: '<html>' }, // of something between
      problem(401, 'unauthenticated', 'Send a key of this server.'),
    ];
    await page.route('**/v1/experiments/first/report', async (route) => route.fulfill(answers.shift() ?? {}));
    await page.getByRole('button', { name: 'Save the report' }).click(PATIENCE);
    await page.getByRole('alert').getByText('the server answered 500').waitFor(PATIENCE);
    await page.getByRole('button', { name: 'Try again' }).click();
    await heading(page, 'This server wants a key');
    complaints.length = 0;
  },
);

test('experiments: a name that there is not', inChromium, async () => {
  await using opened = await at('#/experiments/nothing');
  const { page, complaints } = opened;
  await page.getByRole('alert').getByText('There is no run or comparison of this name.').waitFor(PATIENCE);
  complaints.length = 0;
});

test('data health: worked out, then told with examples and advice', inChromium, async () => {
  await using opened = await at('#/data-health');
  const { page } = opened;
  await heading(page, 'What there is');
  let health = await shown.served.ask('GET', '/v1/data-health');
  while (health.json.state === 'working') health = await shown.served.ask('GET', '/v1/data-health');
  const { findings, facts } = health.json.report;
  assert.ok(findings.length > 0);
  assert.equal(await page.locator('.finding').count(), findings.length);
  for (const { what, advice } of findings) {
    await page.getByText(what).first().waitFor(PATIENCE);
    await page.getByText(advice).first().waitFor(PATIENCE);
  }
  await page.locator('.counts dd').first().getByText(String(facts.users)).waitFor(PATIENCE);
});

test('operations: numbers that move, and a model that is switched and rolled back', inChromium, async () => {
  await using opened = await at('#/operations');
  const { page } = opened;
  await heading(page, 'Models');
  const answering = page.getByRole('row', { name: /answers/ });
  await answering.getByText('first').waitFor(PATIENCE);
  await page.getByRole('combobox', { name: 'Switch to' }).selectOption('second', PATIENCE);
  await page.getByRole('button', { name: 'Switch…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Answer with second from now on?' });
  await dialog.waitFor(PATIENCE);
  assert.deepEqual(await seriousViolations(page), []);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached', ...PATIENCE });
  await answering.getByText('first').waitFor(PATIENCE); // nothing happened
  await page.getByRole('button', { name: 'Switch…' }).click();
  await dialog.getByRole('button', { name: 'Switch' }).click();
  await answering.getByText('second').waitFor(PATIENCE);
  await page.locator('.model').getByText('second').waitFor(PATIENCE);
  await page.getByRole('button', { name: 'Roll back…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await answering.getByText('first').waitFor(PATIENCE);
  const { json } = await shown.served.ask('GET', '/v1/models');
  const active = json.models.find(({ state }: { state: string }) => state === 'active');
  assert.equal(active.name, 'first');
  // one in the shadow is seen, and ended by hand
  await shown.served.ask('POST', '/v1/models/activate', { run: 'second', shadow: true });
  const shadow = page.getByRole('row', { name: /ranks in its shadow/ });
  await page.reload();
  await shadow.getByRole('button', { name: 'End…' }).click(PATIENCE);
  await page.getByRole('dialog', { name: 'End second in the shadow?' }).getByRole('button', { name: 'End it' }).click();
  await shadow.waitFor({ state: 'detached', ...PATIENCE });
  await page.getByRole('region', { name: 'Routes since the start' }).getByText('/v1/models/rollback').waitFor(PATIENCE);
});

test(
  'operations: a switch is watched to its end, though numbers or runs do not come meanwhile',
  inChromium,
  async () => {
    await using opened = await at('#/data-health');
    const { page, complaints } = opened;
    await page.route('**/v1/experiments', async (route) =>
      route.fulfill(problem(500, 'internal', 'The runs cannot be read.')),
    );
    await page.evaluate("location.hash = '#/operations'");
    await page.getByRole('alert').getByText('The runs cannot be read.').waitFor(PATIENCE);
    await page.unroute('**/v1/experiments');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('combobox', { name: 'Switch to' }).selectOption('second', PATIENCE);
    let fail = (): void => {};
    const mayFail = new Promise<void>((resolve) => (fail = resolve));
    await page.route('**/v1/models/activate', async (route) => {
      await mayFail;
      await route.fulfill(problem(422, 'not_servable', 'The run failed its trial.'));
    });
    await page.getByRole('button', { name: 'Switch…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Switch' }).click();
    await page.route('**/v1/operations', async (route) =>
      route.fulfill(problem(500, 'internal', 'Nothing is counted.')),
    );
    await page.getByText('Nothing is counted.').waitFor(PATIENCE);
    await page.getByText('What you see is what the server said last.').waitFor(PATIENCE);
    fail();
    await dialog.getByText('The run failed its trial.').waitFor(PATIENCE);
    await page.keyboard.press('Escape');
    await page.unroute('**/v1/operations');
    await page.getByText('Nothing is counted.').waitFor({ state: 'detached', ...PATIENCE }); // asked again by itself
    complaints.length = 0;
  },
);

test('operations: a model that was switched elsewhere is told, whatever a page saw before', inChromium, async () => {
  const write = async (path: string, body?: object): Promise<void> =>
    assert.equal((await shown.served.ask('POST', path, body)).status, 200);
  await write('/v1/models/activate', { run: 'second' });
  await using opened = await at('#/operations');
  const { page } = opened;
  const answering = page.getByRole('row', { name: /answers/ });
  await answering.getByText('second').waitFor(PATIENCE);
  await page.getByText('asked again every five seconds').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  assert.equal(await page.getByText('asked again every five seconds').count(), 0);
  await write('/v1/models/rollback');
  await page.getByRole('button', { name: 'Roll back…' }).click();
  await page.getByRole('heading', { name: 'Roll back to second?' }).waitFor(PATIENCE); // not to the first, which answers
  await write('/v1/models/rollback'); // and once more
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await page.getByText('first answers now.').waitFor({ ...PATIENCE, state: 'attached' });
  await page.locator('.model').getByText('first').waitFor(PATIENCE);
  await write('/v1/models/rollback');
  await page.getByRole('link', { name: 'Data health' }).click();
  await page.locator('.model').getByText('second').waitFor(PATIENCE);
  await write('/v1/models/rollback');
});

test('a server that goes is said to be away, and the views come back by themselves', inChromium, async () => {
  await using opened = await at('#/operations');
  const { page, context, complaints } = opened;
  const away = page.getByRole('alert').filter({ hasText: 'cannot be reached' });
  await heading(page, 'Models');
  await context.setOffline(true);
  await away.first().waitFor(PATIENCE);
  await heading(page, 'Models'); // what it said last
  assert.equal(await page.locator('main .failure').count(), 0);
  await page.getByRole('link', { name: 'Experiments' }).click(); // whose script is not here
  await page.getByText('The page goes on when the server is back.').waitFor(PATIENCE);
  await context.setOffline(false);
  await heading(page, 'Experiments');
  await away.first().waitFor({ state: 'detached', ...PATIENCE });
  const hasStyle = "[...document.styleSheets].some(({ href }) => href?.includes('experiments'))";
  assert.equal(await page.evaluate(hasStyle), true);
  assert.ok(
    complaints.every((text) => text.includes('ERR_INTERNET_DISCONNECTED')),
    complaints.join(),
  );
  complaints.length = 0;
});

test('somebody who has left for another view is not called back by what arrives late', inChromium, async () => {
  await using opened = await at('#/data-health');
  const { page } = opened;
  // a busy page hears late that its address has changed
  await page.addInitScript(`{
    const add = window.addEventListener.bind(window);
    const late = (listener) => (event) => setTimeout(() => listener(event), 1000);
    window.addEventListener = (type, listener) => add(type, type === 'hashchange' ? late(listener) : listener);
  }`);
  let answer = (): void => {};
  const mayBeAnswered = new Promise<void>((resolve) => (answer = resolve));
  await page.route('**/v1/people?*', async (route) => {
    await mayBeAnswered;
    await route.continue();
  });
  const asked = page.waitForRequest('**/v1/people?*', PATIENCE);
  await page.goto(`${shown.served.server.url}/?again#/people`);
  await asked;
  await page.evaluate("location.hash = '#/operations'");
  answer();
  await heading(page, 'Models');
  assert.equal(new URL(page.url()).hash, '#/operations');
});

test('a figure that cannot be drawn is told in words, and drawn when that is possible', inChromium, async () => {
  await using opened = await at('#/data-health'); // which has none
  const { page, context, complaints } = opened;
  const drawing = '**/assets/src-*.js'; // Observable Plot
  let missed = 0;
  await page.route(drawing, async (route) => {
    missed++;
    await route.abort();
  });
  await page.goto(`${shown.served.server.url}/#/operations`);
  await page.locator('figure p', { hasText: 'at most.' }).first().waitFor(PATIENCE);
  assert.equal(await page.locator('.plot svg').count(), 0);
  assert.ok(missed > 0);
  await page.unroute(drawing);
  await context.setOffline(true);
  await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).first().waitFor(PATIENCE);
  await context.setOffline(false);
  await page.locator('.plot svg').first().waitFor(PATIENCE);
  assert.ok(
    complaints.every((text) => /ERR_FAILED|ERR_INTERNET_DISCONNECTED/.test(text)),
    complaints.join(),
  );
  complaints.length = 0;
});

const PLACES = [
  ['#/catalogue', 'Items'],
  ['#/catalogue/item/i1', 'Where it was recommended'],
  ['#/catalogue/query/', 'Items clicked in its results'], // and a query
  ['#/experiments', 'Experiments'],
  ['#/experiments/first', 'Results that it keeps'],
  ['#/data-health', 'What there is'],
  ['#/operations', 'Models'],
] as const;

test(
  'axe finds nothing serious in any of them, in both themes, and no width scrolls sideways',
  inChromium,
  async () => {
    for (const scheme of SCHEMES) {
      await using opened = await at('#/catalogue', { scheme });
      const { page, complaints } = opened;
      for (const [place, title] of PLACES) {
        const whole = place.endsWith('/') ? place + encodeURIComponent(query) : place;
        await page.evaluate(`location.hash = ${JSON.stringify(whole)}`);
        await heading(page, title);
        assert.deepEqual(await seriousViolations(page), [], `${scheme} ${place}`);
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 800 });
          assert.equal(await sidewaysOf(page), 0, `${scheme}, ${place}, ${width} px`);
        }
      }
      assert.deepEqual(
        complaints.filter((text) => !text.includes('404')),
        [],
      );
      complaints.length = 0;
    }
  },
);
