/** The example shop: its page and modules arrive, it finds items, and what it passes on reaches sesrec. Without a browser. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SesrecClient } from '../../src/client/index.js';
import { newKey } from '../../src/serve/index.js';
import { put, scratchFolder } from '../data/folders.js';
import { inChromium, openBrowser } from '../support/browser.js';
import { PlainEngine } from '../support/plain-engine.js';
import { ask, serve } from '../support/serving.js';

const SITE = fileURLToPath(new URL('../../../examples/site/server.js', import.meta.url));

/** Starts the shop. */
async function shop(t: TestContext, sesrec: string, key: string): Promise<string> {
  const lines = [
    { type: 'item', item: 'i1', fields: { title: 'Red rain jacket' } },
    { type: 'item', item: 'i2', fields: { title: '<b>Tent</b>' } },
    { type: 'view', user: 'u', item: 'i1', time: 1 },
  ];
  const log = await put(await scratchFolder(t), 'log.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'));
  const child = spawn(process.execPath, [SITE, '--log', log, '--port', '0', '--sesrec', sesrec, '--key', key]);
  t.after(() => child.kill());
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return url;
}

test('the shop shows its page, finds items, and passes on events and questions with its key', async (t) => {
  const { key, kept } = newKey('site', ['recommend', 'events']);
  const engine = new PlainEngine();
  await using served = await serve(engine, { keys: { keys: [kept] } });
  const url = await shop(t, served.server.url, key);
  const page = await ask(url, 'GET');
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'self'/);
  assert.ok(!/<script[^>]*>[^<]/.test(page.text), 'no script within the page');
  const visit = async (path: string, seen = new Set<string>()): Promise<Set<string>> => {
    if (seen.has(path)) return seen;
    seen.add(path);
    const { status, text } = await ask(`${url}${path}`, 'GET');
    assert.equal(status, 200, path);
    for (const [, target = ''] of text.matchAll(/from\s+['"](\.[^'"]+)['"]/g))
      await visit(join(path, '..', target), seen);
    return seen;
  };
  assert.ok((await visit('/page.js')).size >= 7, 'the client comes as modules');
  assert.deepEqual(
    (await ask(`${url}/search?q=rain`, 'GET')).json.map(({ item }: { item: string }) => item),
    ['i1'],
  );
  assert.equal((await ask(`${url}/titles`, 'GET')).json.i2, '<b>Tent</b>');
  const client = new SesrecClient({ url });
  await client.sendEvents([{ type: 'click', id: 'c1', user: 'visitor', item: 'i2' }]);
  assert.equal(engine.events.length, 1);
  assert.equal((await client.recommend({ user: 'visitor' })).items[0]?.item, 'i2');
  for (const path of ['/server.js', '/../../package.json', '/%2e%2e/%2e%2e/package.json', '/v1/models'])
    assert.equal((await ask(`${url}${path}`, 'GET')).status, 404, path);
  assert.equal((await ask(`${url}/v1/models/rollback`, 'POST', {})).status, 404);
});

test('in a browser: a search and a click arrive, and the feed moves', inChromium, async (t) => {
  const { key, kept } = newKey('site', ['recommend', 'events']);
  const engine = new PlainEngine();
  await engine.accept([{ index: 0, event: { type: 'view', user: 'other', item: 'i2', time: 1 } }]);
  await using served = await serve(engine, { keys: { keys: [kept] } });
  const url = await shop(t, served.server.url, key);
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(url);
    await page.getByText('<b>Tent</b>').waitFor(); // a title is text, not markup
    await page.getByLabel('Search').fill('rain');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.locator('#found').getByText('Red rain jacket').click();
    await page.locator('#feed').getByText('Red rain jacket').waitFor();
    const [, search, click] = engine.events as { type: string; id?: string; search?: string; query?: string }[];
    assert.deepEqual([search?.type, search?.query, click?.type], ['search', 'rain', 'click']);
    assert.equal(click?.search, search?.id);
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
});
