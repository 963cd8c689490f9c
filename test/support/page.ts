/**
 * The page over a trained run, in Chromium. Knows how to serve it and what no page of ours may do: leave its origin, break its policy, complain,
 * or shut out people who cannot see it. Does not know views.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openEngine } from '../../src/online/index.js';
import type { KeyFile } from '../../src/serve/index.js';
import { CHROMIUM, openBrowser } from './browser.js';
import { QUICK, sesrec } from './command-line.js';
import { writePlantedLog } from './planted.js';
import { type Served, serve } from './serving.js';
import { until } from './waiting.js';

export const WIDTHS = [360, 768, 1280] as const;
export const SCHEMES = ['light', 'dark'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Texts that would break a careless page. */
export const HOSTILE = {
  script: '<script>document.title = "broken in"</script><img src=x onerror="alert(1)">',
  reversed: '\u202Edrawkcab gnihtemos \u202D\u2067 and on',
  arabic: 'حذاء جري أحمر للسباقات الطويلة',
  emoji: '👩‍👩‍👧‍👦🏳️‍🌈 '.repeat(40),
  unbroken: 'x'.repeat(10_000),
  marks: `z${'\u0336\u0323\u0306'.repeat(60)}`,
} as const;

/** A run over a planted log, some items of which have hostile titles, in `folder`: in some seconds. `more`: events at the end of the log. */
export async function hostileRun(folder: string, more: readonly object[] = []): Promise<string> {
  const [log, data, run] = ['log.jsonl', 'data', 'run'].map((name) => join(folder, name)) as [string, string, string];
  await writePlantedLog({ users: 24, items: 120, categories: 6, eventsPerUser: 8, seed: 3 }, log);
  const titles = Object.values(HOSTILE);
  const lines = (await readFile(log, 'utf8')).split('\n').map((line, i) => {
    const title = titles[i]; // items come first
    if (title === undefined) return line;
    const event = JSON.parse(line) as { fields: { title: string } };
    event.fields.title = title;
    return JSON.stringify(event);
  });
  await writeFile(
    log,
    [...lines.filter((line) => line !== ''), ...more.map((event) => JSON.stringify(event)), ''].join('\n'),
  );
  for (const command of [
    ['import', 'events', log, '--out', data],
    ['train', data, '--out', run, '--epochs', '1', ...QUICK, '--set', 'splitBy=alignment'],
  ]) {
    const { code, err } = await sesrec(...command);
    assert.equal(code, 0, err);
  }
  return run;
}

/** Serves a run at a free port. */
export async function serveRun(run: string, store: string, keys?: KeyFile): Promise<Served> {
  const engine = await openEngine({ run, store, threads: 1 });
  return serve(engine, { logLevel: 'error', mostInFlight: 200, ...(keys ? { keys } : {}) });
}

export interface Opened extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the console said, errors of scripts, requests to elsewhere, dialogs, violations of the policy. */
  readonly complaints: string[];
}

interface OpenOptions {
  readonly width?: number;
  readonly scheme?: Scheme;
  readonly motion?: 'reduce' | 'no-preference';
}

/** Opens a place of the page: `#/people/u1`. Complaints are checked when it closes, unless they are emptied before. */
async function open(
  browser: Browser,
  url: string,
  place: string,
  { width = 1280, scheme = 'light', motion = 'reduce' }: OpenOptions = {},
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width, height: 860 },
    colorScheme: scheme,
    reducedMotion: motion,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) complaints.push(`elsewhere: ${request.url()}`);
  });
  await page.goto(`${url}/${place}`);
  return {
    page,
    context,
    complaints,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      assert.deepEqual(complaints, []);
    },
  };
}

/** A page that is served while the tests of a file run. */
export interface Shown {
  readonly folder: string;
  readonly served: Served;
  /** Opens a place of it, or of another server. */
  open(place: string, options?: OpenOptions, of?: Served): Promise<Opened>;
}

/** Serves a page before the tests of a file, in a folder of its own, and ends all of it after them. Nothing where there is no Chromium. */
export function showing(serveIn: (folder: string) => Promise<Served>): Shown {
  let folder: string | undefined;
  let served: Served | undefined;
  let browser: Browser | undefined;
  before(async () => {
    if (CHROMIUM === null) return;
    folder = await mkdtemp(join(tmpdir(), 'sesrec-page-'));
    served = await serveIn(folder);
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  return {
    get folder() {
      return folder as string;
    },
    get served() {
      return served as Served;
    },
    open: async (place, options, of = served) => {
      assert(browser && of, 'the tests of the file have begun');
      return open(browser, of.server.url, place, options);
    },
  };
}

/** Waits until an expression holds in the page, for half a minute at most; Playwright's own waiting evaluates text, which the policy forbids. */
export async function untilInPage(page: Page, expression: string): Promise<void> {
  return until(expression, async () => page.evaluate(expression), 30_000);
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe finds serious or critical in the page as it is now, as lines. */
export async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, 'utf8')); // past the policy of the page, which lets no such script in
  const { violations } = (await page.evaluate(`axe.run(document, { resultTypes: ['violations'] })`)) as {
    violations: Violation[];
  };
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
    );
}

/** How far the page can be scrolled sideways, in pixels: no view does that at any width. */
export const sidewaysOf = async (page: Page): Promise<number> =>
  (await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')) as number;
