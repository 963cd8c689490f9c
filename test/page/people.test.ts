/** The view People in Chromium: somebody is found, read and explained; with much to show, with hostile texts, without a server or a key. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Locator, Page } from 'playwright-core';
import { BEFORE, BEHIND } from '../../src/page/views/people/timeline-layout.js';
import { newKey } from '../../src/serve/index.js';
import { inChromium } from '../support/browser.js';
import {
  HOSTILE,
  SCHEMES,
  WIDTHS,
  hostileRun,
  seriousViolations,
  serveRun,
  sidewaysOf,
  untilInPage,
  showing,
} from '../support/page.js';

const BUILT = fileURLToPath(new URL('../../page', import.meta.url));

let run: string;
const shown = showing(async (folder) => {
  run = await hostileRun(folder);
  return serveRun(run, join(folder, 'live'));
});

/** The action that the timeline is at, once it is another one than before. */
async function focusAfter(page: Page, before: string | null): Promise<string> {
  const focus = "document.querySelector('.timeline').dataset.focus";
  await untilInPage(page, `${focus} !== undefined && ${focus} !== ${JSON.stringify(before)}`);
  return (await page.evaluate(focus)) as string;
}

test('script of the whole page: less than 250 KB, compressed', async (t) => {
  const assets = (await readdir(join(BUILT, 'assets'))).filter((name) => name.endsWith('.js'));
  let total = 0;
  for (const name of assets) total += gzipSync(await readFile(join(BUILT, 'assets', name)), { level: 9 }).length;
  t.diagnostic(`${assets.length} scripts, ${(total / 1024).toFixed(1)} KB gzipped`);
  assert.ok(assets.length > 0 && total < 250 * 1024);
});

test('somebody is found by keyboard, and what they did agrees with what they searched for', inChromium, async (t) => {
  await using opened = await shown.open('');
  const { page } = opened;
  await page.waitForSelector('.people-list [role=option]');
  const found = (await page.evaluate('performance.now()')) as number;
  await page.waitForSelector('.ranked > li');
  const whole = (await page.evaluate('performance.now()')) as number;
  const [paint] = (await page.evaluate(
    "performance.getEntriesByName('first-contentful-paint').map(({ startTime }) => startTime)",
  )) as number[];
  t.diagnostic(
    `first view, on this machine as it is: painted after ${paint?.toFixed(0)} ms, people listed after ${found.toFixed(0)} ms, whole after ${whole.toFixed(0)} ms`,
  );
  await page.getByRole('combobox', { name: 'Find a person' }).fill('U2');
  await page.getByText('5 people').waitFor(); // u2, u20 to u23
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'u20' }).waitFor();

  const timeline = page.locator('.timeline');
  await page.getByRole('application').focus();
  await page.keyboard.press('End');
  const feed = await focusAfter(page, null);
  const agreeing = page.locator('.agreeing button');
  await page.getByText('Searches it agrees with').waitFor();
  assert.ok((await agreeing.count()) > 0);
  const heard = page.getByRole('status').filter({ hasText: 'Feed: ' });
  await heard.waitFor({ state: 'attached' });
  await page.keyboard.press('ArrowDown');
  await focusAfter(page, feed);
  await page.getByText('What it agrees with in the feed').waitFor();
  await agreeing.first().focus();
  await page.keyboard.press('Enter');
  await page.getByText('Searches it agrees with').waitFor();
  await untilInPage(page, "document.activeElement.className === 'action-name'");
  await page
    .locator('.action')
    .getByText(/\d (AM|PM) UTC/)
    .waitFor();
  await page.getByRole('application').focus();
  await page.keyboard.press('Escape');
  await page.getByText('How to read this').waitFor();
  assert.equal(await timeline.getAttribute('data-focus'), null);
});

test('what the model sees is told by lane', inChromium, async () => {
  await using opened = await shown.open('#/people/u1');
  const { json } = await shown.served.ask('GET', '/v1/users/u1/interests');
  const count = (lane: string, isSeen: boolean): number =>
    json.timeline.filter(({ type, seen }: { type: string; seen: boolean }) => type === lane && (seen || !isSeen))
      .length;
  await opened.page
    .getByText(
      `${count('feed', false)} actions in the feed, ${count('search', false)} searches; the model sees the newest of both: ${count('feed', true)} and ${count('search', true)}.`,
    )
    .waitFor();
});

test('zoom does something or says that there is nothing to do', inChromium, async () => {
  await using opened = await shown.open('#/people/u1');
  const { page } = opened;
  const [closer, wider] = ['Zoom in', 'Zoom out'].map((name) => page.getByRole('button', { name })) as [
    Locator,
    Locator,
  ];
  const far = "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.timeline-box'))";
  await page.waitForSelector('.ranked > li');
  assert.ok(await wider.isDisabled(), 'all is seen');
  await closer.click();
  await untilInPage(page, `${far} > 0`);
  await wider.click();
  await untilInPage(page, `${far} === 0`);
  assert.ok(await wider.isDisabled());
});

test('a piece of the list that cannot be had is told, and tried again', inChromium, async () => {
  await using opened = await shown.open('#/people/u1');
  const { page, complaints } = opened;
  let fails = true;
  await page.route('**/v1/people?*', async (route) => {
    const offset = Number(new URL(route.request().url()).searchParams.get('offset'));
    if (offset > 0 && fails) return route.fulfill({ status: 500, body: '{}' });
    const people = Array.from({ length: 100 }, (_, i) => ({
      user: `m${offset + i}`,
      feed: 1,
      searches: 0,
      last: null,
    }));
    return route.fulfill({ json: { total: 300, people } });
  });
  const field = page.getByRole('combobox', { name: 'Find a person' });
  await field.fill('m');
  await page.getByText('300 people').waitFor();
  await field.press('ArrowUp'); // to the last
  const failure = page.locator('.finder').getByRole('alert');
  await failure.waitFor();
  await page.locator('#people-list-299').waitFor(); // nothing else is wanted from here on
  fails = false;
  await failure.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('option').getByText('m299').waitFor();
  await failure.waitFor({ state: 'detached' });
  complaints.length = 0;
});

test('an id that no address can name is told as one', inChromium, async () => {
  await using opened = await shown.open('#/people/..');
  await opened.page.getByText('no address can name it').waitFor();
});

test('a reason lights up the action behind it', inChromium, async () => {
  await using opened = await shown.open('#/people/u1');
  const { page } = opened;
  const reason = page.locator('.reason').first();
  await reason.focus();
  const { items } = (await shown.served.ask('POST', '/v1/what-if', { user: 'u1', k: 10, explain: true, reasons: 3 }))
    .json as { items: { because?: { ordinal: number }[] }[] };
  const expected = items.find(({ because }) => because && because.length > 0)?.because?.[0]?.ordinal;
  assert.ok(expected !== undefined);
  await page.locator(`.timeline[data-lit="${expected}"]`).waitFor();
  await page.keyboard.press('Shift+Tab');
  await page.locator('.timeline[data-lit=""]').waitFor();
});

test('the table says what the lanes show', inChromium, async () => {
  await using opened = await shown.open('#/people/u1');
  const { page } = opened;
  await page.getByRole('radio', { name: 'Table' }).check();
  const { timeline } = (await shown.served.ask('GET', '/v1/users/u1/interests')).json as {
    timeline: { query?: string }[];
  };
  assert.equal(await page.locator('.timeline-table tbody tr').count(), timeline.length);
  for (const side of ['similar', 'dissimilar'])
    await page.locator('.timeline-table').getByText(side, { exact: true }).first().waitFor();
});

test('hostile titles, queries and ids are text, and break no layout', inChromium, async () => {
  const user = '<b onclick="alert(1)">\u202Eresu</b> 👻'.repeat(5);
  const events = Object.values(HOSTILE).flatMap((text, i) => [
    { type: 'search', id: `hostile-s${i}`, user, query: text.slice(0, 500).trim() },
    { type: 'view', id: `hostile-v${i}`, user, item: `i${i}` },
  ]);
  const { json } = await shown.served.ask('POST', '/v1/events', events);
  assert.deepEqual(json.rejected, []);
  for (const width of WIDTHS) {
    await using opened = await shown.open(`#/people/${encodeURIComponent(user)}`, { width });
    const { page } = opened;
    await page.waitForSelector('.ranked > li');
    assert.equal(await sidewaysOf(page), 0, `${width} px`);
    await page.getByRole('radio', { name: 'Table' }).check();
    await page.locator('.timeline-table').getByText('<script>', { exact: false }).first().waitFor();
    assert.equal(await sidewaysOf(page), 0, `${width} px, as a table`);
    assert.equal(await page.title(), 'People · sesrec');
    assert.equal(await page.locator('main img, main script, main b').count(), 0);
  }
});

test('5,000 actions stay few elements, and every one can be gone to', inChromium, async (t) => {
  const kinds = ['search', 'view', 'view', 'view'] as const;
  const events = Array.from({ length: 5000 }, (_, i) => ({
    id: `long-${i}`,
    user: 'long',
    time: Date.UTC(2026, 0, 1) + i * 3_600_000,
    ...(kinds[i % 4] === 'search'
      ? { type: 'search', query: `category ${i % 50}` }
      : { type: 'view', item: `i${i % 60}` }),
  }));
  assert.equal((await shown.served.ask('POST', '/v1/events', events)).json.accepted, 5000);
  await using opened = await shown.open('#/people/long');
  const { page } = opened;
  await page.waitForSelector('.ranked > li');
  const elements = (await page.evaluate('document.querySelectorAll("*").length')) as number;
  assert.ok(elements < 600, `${elements} elements`);
  await page.getByRole('application').focus();
  await page.keyboard.press('End');
  const newest = await focusAfter(page, null);
  await page.keyboard.press('Home');
  const oldest = await focusAfter(page, newest);
  assert.ok(Number(newest) - Number(oldest) >= 4990, `${oldest} to ${newest}`);
  const frames = (await page.evaluate(`new Promise((resolve) => {
    const box = document.querySelector('.timeline-box');
    const times = [];
    const step = (now) => {
      times.push(now);
      box.scrollLeft += 700;
      if (times.length < 40) requestAnimationFrame(step);
      else resolve(times.slice(1).map((time, i) => time - times[i]));
    };
    requestAnimationFrame(step);
  })`)) as number[];
  const middle = async (): Promise<number> =>
    (await page.evaluate(`(() => {
      const { scrollLeft, clientWidth, scrollWidth } = document.querySelector('.timeline-box');
      return (scrollLeft + clientWidth / 2 - ${BEFORE}) / (scrollWidth - ${BEFORE + BEHIND});
    })()`)) as number;
  await page.evaluate("document.querySelector('.timeline-box').scrollLeft = 20_000");
  const was = await middle();
  for (const name of ['Zoom in', 'Zoom out', 'Zoom out']) await page.getByRole('button', { name }).click();
  assert.ok(Math.abs((await middle()) - was) < 1e-3, 'what is in the middle stays there');
  t.diagnostic(
    `scrolling through them: median frame ${frames.toSorted((a, b) => a - b)[20]?.toFixed(1)} ms, this machine as it is`,
  );
});

test('axe finds nothing serious, in both themes, and no width scrolls sideways', inChromium, async () => {
  for (const scheme of SCHEMES) {
    await using opened = await shown.open('#/people/u1', { scheme });
    const { page } = opened;
    await page.waitForSelector('.ranked > li');
    await page.getByRole('application').focus();
    await page.keyboard.press('End');
    assert.deepEqual(await seriousViolations(page), [], scheme);
    await page.getByRole('radio', { name: 'Table' }).check();
    assert.deepEqual(await seriousViolations(page), [], `${scheme}, as a table`);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      assert.equal(await sidewaysOf(page), 0, `${scheme}, ${width} px`);
    }
  }
});

test('the theme is what the system says until it is chosen, and then kept', inChromium, async () => {
  await using opened = await shown.open('#/people/u1', { scheme: 'light' });
  const { page } = opened;
  const ground = async (): Promise<unknown> => page.evaluate('getComputedStyle(document.body).backgroundColor');
  await page.waitForSelector('.ranked > li');
  const light = await ground();
  await page.getByRole('radio', { name: 'Dark' }).check();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await page.waitForSelector('.ranked > li');
  assert.equal(await ground(), dark);
});

test('a browser that keeps nothing for pages shows it all the same', inChromium, async () => {
  await using opened = await shown.open('#/people/u1');
  const { page } = opened;
  await page.addInitScript(`{
    const get = () => { throw new DOMException('forbidden', 'SecurityError'); };
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get });
  }`);
  await page.reload();
  await page.waitForSelector('.ranked > li');
  await page.getByRole('radio', { name: 'Dark' }).check();
  assert.equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark');
});

test('nobody, somebody unknown, and a server that goes and comes back', inChromium, async () => {
  await using opened = await shown.open('#/people/stranger');
  const { page, context, complaints } = opened;
  await page.getByText('Nothing is known of this person').waitFor();
  await page.getByRole('combobox', { name: 'Find a person' }).fill('nobody is called this');
  await page.getByText('0 people').waitFor();
  await context.setOffline(true);
  await page.evaluate("location.hash = '#/people/u1'");
  await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).first().waitFor({ timeout: 60_000 });
  assert.deepEqual(await seriousViolations(page), []);
  await context.setOffline(false);
  await page.waitForSelector('.ranked > li', { timeout: 60_000 }); // by itself
  assert.ok(
    complaints.length > 0 && complaints.every((text) => text.includes('ERR_INTERNET_DISCONNECTED')),
    complaints.join(),
  );
  complaints.length = 0;
});

test('a server with keys asks for one, keeps it in the tab, and says when it may not', inChromium, async () => {
  const [admin, other] = [newKey('admin', ['admin', 'recommend']), newKey('other', ['recommend'])];
  await using locked = await serveRun(run, join(shown.folder, 'locked'), { keys: [admin.kept, other.kept] });
  await using opened = await shown.open('#/people/u1', {}, locked);
  const { page, complaints } = opened;
  await page.getByLabel('Key').waitFor();
  assert.deepEqual(await seriousViolations(page), []);
  const isAtKey = `document.activeElement?.matches('input[type="password"]') === true`;
  await untilInPage(page, isAtKey);
  await page.keyboard.type('“wrong”'); // which no request can carry
  await page.keyboard.press('Enter');
  await page.getByText('does not take the key').waitFor();
  assert.equal(await page.getByText('cannot be reached').count(), 0);
  await page.reload();
  await untilInPage(page, isAtKey);
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('does not take the key').waitFor();
  await untilInPage(page, isAtKey);
  await page.keyboard.type(other.key);
  await page.keyboard.press('Enter');
  await page.getByText('This key lacks the scope admin.').first().waitFor();
  await page.getByRole('button', { name: 'Use another key' }).first().click();
  await untilInPage(page, isAtKey);
  await page.getByText('This key lacks the scope admin.').waitFor();
  assert.equal(await page.getByText('does not take the key').count(), 0);
  await page.keyboard.type(admin.key);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.ranked > li');
  await page.reload();
  await page.waitForSelector('.ranked > li');
  assert.equal(await page.evaluate(`JSON.stringify(localStorage).includes(${JSON.stringify(admin.key)})`), false);
  assert.ok(
    complaints.every((text) => /401|403/.test(text)),
    complaints.join(),
  );
  complaints.length = 0;
});
