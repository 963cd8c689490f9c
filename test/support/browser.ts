/** A page in Chromium, without a network, and what is asked of every page. Knows where Chromium may be; nothing of what pages say. */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

/** Where Chromium is; null where it is not. SESREC_CHROMIUM names another one. */
export const CHROMIUM: string | null =
  [
    process.env['SESREC_CHROMIUM'] ?? '',
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ].find((path) => path !== '' && existsSync(path)) ?? null;

/** Of tests that need it: they skip, by name, where there is none. */
export const inChromium = { skip: CHROMIUM === null && 'there is no Chromium (SESREC_CHROMIUM names one)' };

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM as string, args: ['--no-sandbox'] });

/** A piece of text that is hard to read, or a mark that is hard to see. */
export interface Faint {
  readonly what: string;
  readonly contrast: number;
}

export interface Seen {
  /** What the console said, errors of scripts, and everything that the page asked for beside itself. */
  readonly complaints: readonly string[];
  /** How far the page could be scrolled sideways, in pixels. */
  readonly sideways: number;
  readonly faint: readonly Faint[];
  /** The number of pieces of text and of marks that were measured. */
  readonly measured: number;
  /** Labels of the figures that are shown; empty where there is none. */
  readonly figures: readonly string[];
  /** Tables that are wider than their box, and whether the box scrolls. */
  readonly wideTables: readonly boolean[];
  /** Text that an overflowing element keeps from being read. */
  readonly cut: readonly string[];
  readonly smallestFont: number;
}

/** Opens a file as a browser of a width and a colour scheme shows it. */
export async function look(
  browser: Browser,
  file: string,
  { width, scheme }: { readonly width: number; readonly scheme: 'light' | 'dark' },
): Promise<Seen> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, offline: true });
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => request.url().startsWith('file:') || complaints.push(request.url()));
    page.on('dialog', (dialog) => complaints.push(dialog.message()));
    await page.goto(pathToFileURL(file).href);
    return { complaints, ...((await page.evaluate(LOOK)) as Omit<Seen, 'complaints'>) };
  } finally {
    await context.close();
  }
}

/** The PDF that a browser prints a file to. */
export async function print(browser: Browser, file: string): Promise<Buffer> {
  const page = await browser.newPage({ colorScheme: 'dark' });
  try {
    await page.goto(pathToFileURL(file).href);
    return await page.pdf({ format: 'A4' });
  } finally {
    await page.close();
  }
}

/** Runs in the page, whose types the program is compiled without. Contrast: WCAG 2.2; text 4.5, large text and marks 3. */
const LOOK = String.raw`(() => {
  const channels = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], alpha: a / 255 };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (top, alpha, below) => top.map((c, i) => alpha * c + (1 - alpha) * below[i]);
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = channels(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const contrast = (colour, opacity, ground) => {
    const { rgb, alpha } = channels(colour);
    const [low, high] = [luminance(over(rgb, alpha * opacity, ground)), luminance(ground)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const shown = (element) => element.getClientRects().length > 0;
  const faint = [];
  let measured = 0;
  let smallestFont = Infinity;
  const measure = (what, value, least) => {
    measured++;
    if (value < least) faint.push({ what, contrast: value });
  };
  for (const element of document.querySelectorAll('body *')) {
    if (!shown(element) || element.closest('.heard')) continue;
    const style = getComputedStyle(element);
    const ground = groundOf(element);
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(' ').trim();
    const isDrawn = element instanceof SVGElement;
    if (text !== '' && element.tagName !== 'style') {
      const size = parseFloat(style.fontSize);
      const scale = isDrawn ? element.getScreenCTM().a : 1;
      smallestFont = Math.min(smallestFont, size * scale);
      measure(text.slice(0, 40), contrast(isDrawn ? style.fill : style.color, Number(style.opacity), ground), size >= 24 ? 3 : 4.5);
    } else if (['circle', 'path', 'rect'].includes(element.tagName) && style.fill !== 'none' && Number(style.fillOpacity) === 1)
      measure(element.outerHTML.slice(0, 60), contrast(style.fill, 1, ground), 3);
    else if (element.classList.contains('side')) measure('a side', contrast(style.backgroundColor, 1, groundOf(element.parentElement)), 3);
  }
  const boxes = [...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth);
  const figures = [...document.querySelectorAll('svg')].filter(shown);
  const cut = [...document.querySelectorAll('p, li, dd, h1, h2, h3, td, th, .what, .when, figcaption')]
    .filter((element) => shown(element) && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== 'auto')
    .map((element) => element.textContent.slice(0, 60));
  return {
    sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    faint,
    measured,
    figures: figures.map((figure) => (figure.getAttribute('role') === 'img' ? figure.getAttribute('aria-label') : '') ?? ''),
    wideTables: boxes.map((box) => getComputedStyle(box).overflowX === 'auto' && box.tabIndex === 0),
    cut,
    smallestFont,
  };
})()`;
