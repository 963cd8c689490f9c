/** The view What if in Chromium: lists move as things are imagined, nothing is stored unless somebody says so. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { LIMITS } from '../../src/serve/schemas/limits.js';
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

/** A query that the data have and no request may hold. */
const LONG = `long ${'q'.repeat(LIMITS.queryLength)}`;
const shown = showing(async (folder) =>
  serveRun(
    await hostileRun(folder, [{ type: 'search', id: 'long', user: 'u1', query: LONG, time: 1.7e12 }]),
    join(folder, 'live'),
  ),
);

interface Answer {
  readonly changed: boolean;
  readonly items: readonly { readonly item: string; readonly rank_before: number | null }[];
}

/** The items that the view shows, best first. */
const itemsOf = async (page: Page): Promise<string[]> =>
  (await page.evaluate("[...document.querySelectorAll('.would-be li')].map((row) => row.dataset.item)")) as string[];

/** Waits until the view shows what the server answers to a question. */
async function shows(page: Page, question: object): Promise<Answer> {
  const answer = (await shown.served.ask('POST', '/v1/what-if', { k: 10, ...question })).json as Answer;
  const expected = answer.items.map(({ item }) => item);
  await untilInPage(
    page,
    `JSON.stringify([...document.querySelectorAll('.would-be li')].map((row) => row.dataset.item)) === ${JSON.stringify(JSON.stringify(expected))}`,
  );
  return answer;
}

test(
  'a search, a click and something taken away move the list; nothing is stored; starting over brings it back',
  inChromium,
  async () => {
    const user = 'u2';
    const storedBefore = (await shown.served.ask('GET', `/v1/users/${user}/interests`)).json.total as number;
    await using opened = await shown.open(`#/what-if/${user}`, { motion: 'no-preference' });
    const { page } = opened;
    const asIs = await shows(page, { user });
    await page.getByText('This is the list as things are').waitFor();

    const query = 'category four books';
    await page.getByRole('combobox', { name: 'searched for' }).fill('four');
    await page.getByRole('option', { name: query }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('.imagined').getByText(query).waitFor();
    const session: object[] = [{ type: 'search', query }];
    const searched = await shows(page, { user, session });
    assert.ok(searched.changed);
    const moved = searched.items.filter(({ rank_before: was }, i) => was !== i + 1).length;
    const changes = page.locator('.would-be .change.up, .would-be .change.down');
    await untilInPage(
      page,
      `document.querySelectorAll('.would-be .change.up, .would-be .change.down').length === ${moved}`,
    );
    assert.equal(await changes.count(), moved);

    const [best] = await itemsOf(page);
    await page.locator('.would-be li').first().getByRole('button').click();
    session.push({ type: 'click', item: best });
    await shows(page, { user, session });
    assert.ok(!(await itemsOf(page)).includes(best as string), 'what was met does not come again');

    const { timeline } = (await shown.served.ask('GET', `/v1/users/${user}/interests`)).json as {
      timeline: { ordinal: number }[];
    };
    const newest = Math.max(...timeline.map(({ ordinal }) => ordinal));
    await page.locator('.story li:not(.imagined) button').first().click();
    await shows(page, { user, session, without: [newest] });
    assert.equal(await page.locator('.story .without').count(), 1);

    await page.getByRole('button', { name: 'Start over' }).click();
    await shows(page, { user });
    assert.deepEqual(
      await itemsOf(page),
      asIs.items.map(({ item }) => item),
    );
    assert.equal((await shown.served.ask('GET', `/v1/users/${user}/interests`)).json.total, storedBefore);
  },
);

test('what was imagined is stored once somebody says so twice', inChromium, async () => {
  const user = 'imagined';
  await using opened = await shown.open(`#/what-if/${user}`);
  const { page } = opened;
  await shows(page, { user });
  await page.getByRole('combobox', { name: 'searched for' }).fill('something <b>else</b>');
  await page.keyboard.press('Enter');
  await page.locator('.imagined').getByText('something <b>else</b>').waitFor();
  await page.getByRole('button', { name: 'Keep these events' }).click();
  assert.deepEqual(await seriousViolations(page), [], 'while it asks');
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await shown.served.ask('GET', `/v1/users/${user}/interests`)).json.total, 0);
  await page.getByRole('button', { name: 'Keep these events' }).click();
  await page.getByRole('button', { name: 'Store', exact: true }).click();
  await page.locator('.story li:not(.imagined)').getByText('something <b>else</b>').waitFor();
  const { total, timeline } = (await shown.served.ask('GET', `/v1/users/${user}/interests`)).json;
  assert.deepEqual([total, timeline[0].query], [1, 'something <b>else</b>']);
  assert.equal(await page.locator('.imagined').count(), 0);
});

/** What the server has of somebody, the oldest first. */
const storedOf = async (user: string): Promise<string[]> =>
  (await shown.served.ask('GET', `/v1/users/${user}/interests`)).json.timeline
    .toSorted((a: { ordinal: number }, b: { ordinal: number }) => a.ordinal - b.ordinal)
    .map(({ query }: { query: string }) => query);

async function imagine(page: Page, query: string): Promise<void> {
  await page.getByRole('combobox', { name: 'searched for' }).fill(query);
  await page.keyboard.press('Enter');
  await page.locator('.imagined').getByText(query).waitFor();
}

/** Holds requests until the function that it gives is called. */
async function hold(page: Page, path: string): Promise<() => void> {
  let go = (): void => {};
  const until = new Promise<void>((resolve) => (go = resolve));
  await page.route(path, async (route) => {
    await until;
    await route.continue();
  });
  return go;
}

async function store(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Keep these events' }).click();
  await page.getByRole('button', { name: 'Store', exact: true }).click();
}

test('what is stored is stored once, whatever becomes of the answer', inChromium, async () => {
  const user = 'keeper';
  const EVENTS = '**/v1/events';
  await using opened = await shown.open(`#/what-if/${user}`);
  const { page, complaints } = opened;
  await shows(page, { user });
  const imagined = page.locator('.imagined');
  const failure = page.locator('.keep .failure');

  await imagine(page, 'lost answer');
  await page.route(EVENTS, async (route) => {
    await route.fetch();
    await route.abort();
  });
  await store(page);
  await failure.waitFor();
  await page.unroute(EVENTS);
  await failure.getByRole('button', { name: 'Try again' }).click();
  await failure.waitFor({ state: 'detached' });
  assert.equal(await imagined.count(), 0);
  assert.deepEqual(await storedOf(user), ['lost answer']);

  await imagine(page, 'slow');
  const answerNow = await hold(page, EVENTS);
  await store(page);
  await page.getByText('Storing …').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Keep these events' }).isDisabled());
  await imagine(page, 'meanwhile');
  answerNow();
  await page.getByText('Nothing is stored unless').waitFor();
  assert.deepEqual([await imagined.count(), await imagined.getByText('meanwhile').count()], [1, 1]);
  assert.deepEqual(await storedOf(user), ['lost answer', 'slow']);
  await page.unroute(EVENTS);

  await imagine(page, 'refused');
  await page.route(EVENTS, async (route) => {
    const [good, bad] = JSON.parse(route.request().postData() ?? '') as [object, object];
    await route.continue({ postData: JSON.stringify([good, { ...bad, query: LONG }]) });
  });
  await store(page);
  await page.getByText('1 event stored, 1 refused').waitFor();
  await failure.getByText('refused', { exact: true }).waitFor();
  assert.equal(await imagined.count(), 1);
  assert.deepEqual(await storedOf(user), ['lost answer', 'slow', 'meanwhile']);
  await page.unroute(EVENTS);
  complaints.length = 0; // answers that were lost
});

test('a failure to store belongs to whom it was about, and starting over ends it', inChromium, async () => {
  await using opened = await shown.open('#/what-if/failing');
  const { page, complaints } = opened;
  const failure = page.locator('.keep .failure');
  await imagine(page, 'fails');
  await page.route('**/v1/events', async (route) => route.fulfill({ status: 500, body: '{}' }));
  await store(page);
  await failure.waitFor();
  await page.evaluate("location.hash = '#/what-if/other'");
  await failure.waitFor({ state: 'detached' });
  await page.evaluate("location.hash = '#/what-if/failing'");
  await failure.waitFor();
  await page.getByRole('button', { name: 'Start over' }).click();
  await failure.waitFor({ state: 'detached' });
  await imagine(page, 'something new');
  assert.equal(await failure.count(), 0);
  complaints.length = 0;
});

test('while somebody is loading, nothing of the one before is there', inChromium, async () => {
  await using opened = await shown.open('#/what-if/u1');
  const { page } = opened;
  await page.locator('.story li').first().waitFor();
  await page.locator('.would-be li').first().waitFor();
  const answerNow = await hold(page, '**/v1/{what-if,users/*/interests}');
  await page.evaluate("location.hash = '#/what-if/u2'");
  await page.locator('.about').getByText('u2').waitFor();
  await page.locator('.story .skeleton').waitFor();
  assert.equal(await page.locator('.story li, .would-be li').count(), 0);
  answerNow();
  await shows(page, { user: 'u2' });
});

test('the buttons of the fields choose, by pointer and by keyboard', inChromium, async () => {
  await using opened = await shown.open('#/what-if/u1');
  const { page } = opened;
  const item = page.getByRole('combobox', { name: 'clicked on' });
  const click = page.locator('.additions').getByRole('button', { name: 'Click', exact: true });
  const imagined = page.locator('.imagined');
  await item.fill('i7');
  await page.getByRole('option').first().waitFor();
  await click.click();
  await imagined.first().waitFor();
  await item.fill('i8');
  await click.click(); // before anything is suggested
  await imagined.nth(1).waitFor();
  await item.fill('i9');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await imagined.nth(2).waitFor();
  await page.getByRole('combobox', { name: 'Person' }).fill('u2');
  await page.getByRole('option').first().waitFor();
  await page.getByRole('button', { name: 'Choose' }).click();
  await untilInPage(page, "location.hash === '#/what-if/u2'");
});

test('suggestions that cannot be had, or cannot be chosen, say so', inChromium, async () => {
  await using opened = await shown.open('#/what-if/u1');
  const { page, complaints } = opened;
  const asIs = await shows(page, { user: 'u1' });
  const field = page.getByRole('combobox', { name: 'searched for' });
  await field.fill('long');
  const option = page.getByRole('option').filter({ hasText: 'cannot be asked about' });
  await option.click({ force: true });
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('.imagined').count(), 0);
  await shows(page, { user: 'u1' });
  assert.ok(asIs.items.length > 0);
  await page.route('**/v1/catalogue/queries*', async (route) => route.fulfill({ status: 500, body: '{}' }));
  await field.fill('four');
  await page.locator('.combobox').getByRole('alert').waitFor();
  await page.unroute('**/v1/catalogue/queries*');
  await page.locator('.combobox').getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('option').first().waitFor();
  complaints.length = 0;
});

test('the keyboard stays near what it did', inChromium, async () => {
  await using opened = await shown.open('#/what-if/u1');
  const { page } = opened;
  const isAt = async (text: string): Promise<void> =>
    untilInPage(page, `document.activeElement.textContent === ${JSON.stringify(text)}`);
  await imagine(page, 'something');
  await page.getByRole('button', { name: 'Take back' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.imagined').waitFor({ state: 'detached' });
  await isAt('What they did');
  await page.locator('.would-be li button').first().focus();
  await page.keyboard.press('Enter');
  await page.locator('.imagined').waitFor();
  await isAt('As it would be');
  await page.getByRole('button', { name: 'Start over' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.imagined').waitFor({ state: 'detached' });
  await isAt('Start over');
});

test('nobody in particular may be asked about, and somebody chosen', inChromium, async () => {
  await using opened = await shown.open('#/what-if');
  const { page } = opened;
  await page.getByText('a new visitor').waitFor();
  await shows(page, {});
  await page.getByRole('combobox', { name: 'Person' }).fill('u1');
  await page.getByRole('option').first().waitFor();
  await page.keyboard.press('Enter'); // the first that is found
  await untilInPage(page, "location.hash === '#/what-if/u1'");
  await shows(page, { user: 'u1' });
});

test('hostile texts stay text, axe finds nothing serious, and no width scrolls sideways', inChromium, async () => {
  const user = HOSTILE.script.slice(0, 200);
  for (const scheme of SCHEMES) {
    await using opened = await shown.open(`#/what-if/${encodeURIComponent(user)}`, { scheme });
    const { page } = opened;
    for (const text of Object.values(HOSTILE)) {
      await page.getByRole('combobox', { name: 'searched for' }).fill(text.slice(0, 500));
      await page.keyboard.press('Escape');
      await page.keyboard.press('Enter');
    }
    for (const i of Object.keys(HOSTILE).keys()) {
      await page.getByRole('combobox', { name: 'clicked on' }).fill(`i${i}`);
      await page.locator('.additions .combobox').nth(1).getByRole('option').first().waitFor();
      await page.keyboard.press('Enter');
    }
    assert.equal(await page.locator('.imagined').count(), 2 * Object.keys(HOSTILE).length);
    await untilInPage(page, "document.querySelector('.answered .shown')?.getAttribute('aria-busy') === 'false'");
    assert.deepEqual(await seriousViolations(page), [], scheme);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      assert.equal(await sidewaysOf(page), 0, `${scheme}, ${width} px`);
    }
    assert.equal(await page.locator('main img, main script, main b').count(), 0);
    assert.equal(await page.title(), 'What if · sesrec');
  }
});
