// Makes docs/page-people.png and docs/page-what-if.png: simulates a shop, trains, serves, and photographs two views in Chromium.
// Knows what is to be seen in them; the page knows how it looks. Usage: npm run build && node scripts/page-pictures.js [DIRECTORY]
// (keeps the shop and the run in DIRECTORY, and uses them again)
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { deflateSync, crc32 as crcOf } from 'node:zlib';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.SESREC_CHROMIUM ?? '/usr/bin/chromium';
const SIMULATE = '--users 800 --items 300 --seed 1 --search-signal 1';
const TRAIN = `--epochs 8 --batch-size 128 --learning-rate 0.003 --item-attributes category,brand --threads 1 --set splitBy=alignment
  --set negativeSampling=uniform --set alignmentNegatives=128 --set window={"feed":10,"search":10}`;
const [WIDTH, HEIGHT] = [1280, 860];

const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'sesrec-pictures-'));
const [data, run] = [join(folder, 'shop'), join(folder, 'run')];
const sesrec = (...args) => {
  const { status } = spawnSync(process.execPath, ['bin/sesrec.js', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) process.exit(1);
};
if (!existsSync(data)) sesrec('simulate', ...SIMULATE.split(/\s+/), '--out', data);
if (!existsSync(run)) sesrec('train', data, ...TRAIN.split(/\s+/), '--out', run);

const live = mkdtempSync(join(tmpdir(), 'sesrec-pictures-live-'));
const flags = ['--port', '0', '--admin-port', '0', '--threads', '1', '--store', live, '--log-level', 'error', '--json'];
const server = spawn(process.execPath, ['bin/sesrec.js', 'serve', run, ...flags], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise((resolve, reject) => {
  let text = '';
  createInterface({ input: server.stdout }).on('line', (line) => {
    text += line;
    if (line === '}') resolve(JSON.parse(text).url);
  });
  server.once('close', () => reject(new Error('the server ended')));
});
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({
    viewport: { width: WIDTH, height: HEIGHT },
    colorScheme: 'light',
    reducedMotion: 'reduce',
  });
  await page.goto(`${url}/#/people/u581`);
  await page.waitForSelector('.ranked > li');
  await page.waitForTimeout(300);
  const bounds = await page.locator('.timeline-box').boundingBox();
  await page.mouse.move(bounds.x + 564, bounds.y + 140); // cycling gloves, in the feed
  await page.waitForSelector('.timeline[data-focus]');
  await keep(page, 'docs/page-people.png');

  await page.goto(`${url}/#/what-if/u581`);
  await page.waitForSelector('.would-be li');
  await page.getByRole('combobox', { name: 'searched for' }).fill('kettle bells');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.would-be .change.up');
  await page.evaluate('document.activeElement.blur()');
  await page.waitForTimeout(300);
  await keep(page, 'docs/page-what-if.png');
} finally {
  await browser.close();
  server.kill('SIGTERM');
  rmSync(live, { recursive: true, force: true });
  if (process.argv[2] === undefined) rmSync(folder, { recursive: true, force: true });
}

/** Takes a picture, with at most 256 colours: a third of the size, and nobody sees it. */
async function keep(page, path) {
  const shot = await page.screenshot();
  const helper = await browser.newPage();
  const pixels = Buffer.from(
    await helper.evaluate(`(async () => {
      const bitmap = await createImageBitmap(await (await fetch('data:image/png;base64,${shot.toString('base64')}')).blob());
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      canvas.drawImage(bitmap, 0, 0);
      const { data } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
      let text = '';
      for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
      return btoa(text);
    })()`),
    'base64',
  );
  await helper.close();
  const png = indexed(pixels, WIDTH, HEIGHT);
  writeFileSync(path, png);
  process.stderr.write(`${path}: ${(png.length / 1024).toFixed(0)} KB\n`);
}

/** A PNG of a palette: the 256 most frequent colours, others by the nearest of these. */
function indexed(pixels, width, height) {
  const counts = new Map();
  const colourAt = (i) => (pixels[4 * i] << 16) | (pixels[4 * i + 1] << 8) | pixels[4 * i + 2];
  for (let i = 0; i < width * height; i++) counts.set(colourAt(i), (counts.get(colourAt(i)) ?? 0) + 1);
  const palette = [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 256)
    .map(([colour]) => colour);
  const parts = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];
  const known = new Map(palette.map((colour, i) => [colour, i]));
  const nearest = (colour) => {
    const [r, g, b] = parts(colour);
    let [best, least] = [0, Infinity];
    for (const [i, other] of palette.entries()) {
      const [x, y, z] = parts(other);
      const distance = (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2;
      if (distance < least) [best, least] = [i, distance];
    }
    known.set(colour, best);
    return best;
  };
  const rows = Buffer.alloc((width + 1) * height); // each begins with its filter: none
  for (let i = 0; i < width * height; i++) {
    const colour = colourAt(i);
    rows[i + 1 + Math.floor(i / width)] = known.get(colour) ?? nearest(colour);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap(parts))),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, content) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(content.length, 0);
  ends.writeUInt32BE(crcOf(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}
