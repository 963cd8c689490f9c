/** The view What if in Chromium: lists move as things are imagined, nothing is stored unless somebody says so. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
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

const shown = showing(async (folder) => serveRun(await hostileRun(folder), join(folder, 'live')));

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
