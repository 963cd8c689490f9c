// A tiny shop in front of a sesrec server. Knows its items, finds them by words, and passes what the page asks of sesrec on, with a key that
// the page never sees. Does not know how anything is recommended.
//
//   npx sesrec simulate --users 2000 --items 400 --search-signal 0.5 --out data/shop
//   npx sesrec train data/shop --model sesrec --epochs 3 --out runs/shop
//   npx sesrec serve runs/shop &
//   node examples/site/server.js --log data/shop/log/events.jsonl.gz        # http://127.0.0.1:3000
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';

const { values } = parseArgs({
  options: {
    log: { type: 'string' },
    sesrec: { type: 'string', default: 'http://127.0.0.1:8080' },
    key: { type: 'string', default: process.env.SESREC_KEY ?? '' },
    port: { type: 'string', default: '3000' },
  },
});
if (!values.log) {
  process.stderr.write('name the log that the items are in: --log data/shop/log/events.jsonl.gz\n');
  process.exit(2);
}

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CLIENT = fileURLToPath(new URL('../../dist/src/', import.meta.url));
/** What the page may ask of sesrec. */
const PASSED = ['/v1/recommendations', '/v1/events'];
const TYPES = {
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
};
const MOST_BYTES = 100_000;

/** Titles by id, of the lines of a log that tell of items. */
async function readTitles(path) {
  const titles = new Map();
  const stream = createReadStream(path);
  for await (const line of createInterface({ input: path.endsWith('.gz') ? stream.pipe(createGunzip()) : stream })) {
    if (!line.includes('"item"')) continue;
    const event = JSON.parse(line);
    if (event.type === 'item') titles.set(event.item, String(event.fields?.title ?? event.item));
  }
  return titles;
}

/** The items whose titles have most of the words. */
function find(titles, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return [...titles]
    .map(([item, title]) => ({ item, title, hits: words.filter((word) => title.toLowerCase().includes(word)).length }))
    .filter(({ hits }) => hits > 0)
    .sort((a, b) => b.hits - a.hits)
    .slice(0, 8);
}

async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new RangeError('too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Asks sesrec what the page asks. */
async function passOn(path, request, response) {
  const answer = await fetch(`${values.sesrec}${path}`, {
    method: 'POST',
    body: await bodyOf(request),
    headers: {
      'content-type': 'application/json',
      ...(values.key ? { authorization: `Bearer ${values.key}` } : {}),
      ...(request.headers['idempotency-key'] ? { 'idempotency-key': request.headers['idempotency-key'] } : {}),
    },
  });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
  response.end(await answer.text());
}

const titles = await readTitles(values.log).catch((error) => {
  process.stderr.write(`cannot read ${values.log}: ${error.message}\n`);
  process.exit(1);
});
const server = createServer(async (request, response) => {
  response.setHeader('content-security-policy', "default-src 'self'");
  response.setHeader('x-content-type-options', 'nosniff');
  try {
    const url = new URL(request.url, 'http://site');
    if (request.method === 'POST' && PASSED.includes(url.pathname))
      return await passOn(url.pathname, request, response);
    if (url.pathname === '/search') return response.end(JSON.stringify(find(titles, url.searchParams.get('q') ?? '')));
    if (url.pathname === '/titles') return response.end(JSON.stringify(Object.fromEntries(titles)));
    const [root, path] = url.pathname.startsWith('/sesrec/') ? [CLIENT, url.pathname.slice(8)] : [HERE, url.pathname];
    const file = normalize(join(root, path === '/' ? 'page.html' : path));
    const type = TYPES[extname(file)];
    if (!file.startsWith(root) || !type || file.endsWith('server.js')) throw new RangeError('not here');
    const content = await readFile(file);
    return response.setHeader('content-type', type).end(content);
  } catch (error) {
    return response.writeHead(error.cause ? 502 : 404).end();
  }
});
server.listen(Number(values.port), '127.0.0.1', () =>
  process.stdout.write(`http://127.0.0.1:${server.address().port}\n`),
);
