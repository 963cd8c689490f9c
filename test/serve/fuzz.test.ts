/** Whatever comes in over HTTP, the server answers with a status below 500, and goes on. */
import assert from 'node:assert/strict';
import { type Socket, connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NDJSON, depthOf } from '../../src/serve/bodies.js';
import { openEngine } from '../../src/online/index.js';
import { scratchFolder } from '../data/folders.js';
import { tinyWorld } from '../support/command-line.js';
import { PlainEngine } from '../support/plain-engine.js';
import { type Served, serve } from '../support/serving.js';

const POSTS = [
  '/v1/recommendations',
  '/v1/what-if',
  '/v1/events',
  '/v1/items',
  '/v1/users',
  '/v1/models/activate',
  '/v1/models/rollback',
];

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('__proto__', 'constructor', '', '\u0000', '\ud800', '9'.repeat(400)),
);
const anything = fc.oneof(
  fc.jsonValue(),
  fc.anything({
    withNullPrototype: false,
    key: text,
    values: [text, fc.double(), fc.integer(), fc.boolean(), fc.constant(null)],
  }),
);
/** Nearly right, so that it comes further in. */
const nearly = fc.record(
  {
    type: fc.oneof(fc.constantFrom('search', 'view', 'click', 'impression', 'item'), text),
    id: fc.oneof(text, fc.constant('e1')),
    user: text,
    item: text,
    query: text,
    time: fc.oneof(
      fc.double(),
      fc.maxSafeInteger(),
      text,
      fc.constant('2026-02-30T99:00Z'),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    ),
    search: text,
    results: fc.array(anything, { maxLength: 3 }),
    fields: fc.dictionary(text, anything, { maxKeys: 4 }),
    k: fc.oneof(fc.integer(), fc.double()),
    without: fc.array(fc.oneof(fc.integer(), fc.double()), { maxLength: 3 }),
    session: fc.array(
      fc.record({ type: fc.constantFrom('search', 'view'), item: text, query: text }, { requiredKeys: ['type'] }),
      { maxLength: 3 },
    ),
    filters: fc.array(anything, { maxLength: 2 }),
    run: text,
  },
  { requiredKeys: [] },
);
const body = fc.oneof(anything, nearly, fc.array(nearly, { maxLength: 5 })).map((value) => JSON.stringify(value) ?? '');

/** Throws bodies at every route that takes one. */
async function throwAt(served: Served, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...POSTS),
      body,
      fc.constantFrom('application/json', NDJSON),
      async (path, sent, type) => {
        const { status, json } = await served.ask('POST', path, sent, { 'content-type': type });
        assert.ok(status < 500, `${status}`);
        assert.ok(json !== null);
      },
    ),
    { numRuns },
  );
  assert.deepEqual(served.log, []);
}

test('bodies of any content', async () => {
  const engine = new PlainEngine();
  await using served = await serve(engine, { logLevel: 'error' });
  await throwAt(served, 400);
  for (const event of engine.events) assert.ok(Number.isFinite(event.time) && event.user.length > 0);
});

test('bodies of any content, with a model and a store behind the door', async (t) => {
  const folder = await scratchFolder(t);
  const { run } = await tinyWorld(folder, 1);
  const engine = await openEngine({ run, store: join(folder, 'store'), threads: 1 });
  await using served = await serve(engine, { logLevel: 'error' });
  await throwAt(served, 300);
  const { status, json } = await served.ask('POST', '/v1/recommendations', { user: 'u1' });
  assert.equal(status, 200);
  assert.ok(json.items.length > 0);
});

test('bytes that are no text, and ids in paths', async () => {
  await using served = await serve(new PlainEngine(), { logLevel: 'error' });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...POSTS), fc.uint8Array({ maxLength: 60 }), async (path, bytes) => {
      assert.ok((await served.ask('POST', path, bytes)).status < 500);
    }),
    { numRuns: 100 },
  );
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), async (id) => {
      const part = encodeURIComponent(id);
      for (const path of [
        `/v1/users/${part}/interests`,
        `/v1/catalogue/items/${part}`,
        `/v1/catalogue/queries/${part}`,
        `/v1/experiments/${part}`,
        `/v1/people?search=${part}`,
        `/v1/catalogue/items?search=${part}`,
        `/v1/catalogue/queries?search=${part}`,
      ]) {
        const { status } = await served.ask('GET', path);
        assert.ok([200, 404, 414, 422].includes(status), `${path}: ${status}`);
      }
    }),
    { numRuns: 100 },
  );
});

test('a header that never ends is cut off, and others are answered meanwhile', async () => {
  await using served = await serve(new PlainEngine(), { requestTimeout: 300 });
  const { port } = new URL(served.server.url);
  const slow = connect(Number(port), '127.0.0.1');
  slow.on('error', () => {});
  slow.write(
    'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[',
  );
  assert.equal((await served.ask('POST', '/v1/recommendations', {})).status, 200);
  assert.match(await allOf(slow), /^HTTP\/1\.1 408 [^]*"code":"too_slow"/);
});

test('what is no request that can be read is told as a problem', async () => {
  await using served = await serve(new PlainEngine());
  const { port } = new URL(served.server.url);
  for (const [bytes, status, code] of [
    ['what is this?\r\n\r\n', 400, 'malformed'],
    ['GET / HTTP/1.1\r\nHost: localhost\r\na b: c\r\n\r\n', 400, 'malformed'],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ] as const) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    const [head = '', body = ''] = (await allOf(socket)).split('\r\n\r\n');
    assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head);
    assert.match(head, /Content-Type: application\/problem\+json/);
    const problem = JSON.parse(body);
    assert.deepEqual([problem.status, problem.code], [status, code]);
    assert.match(head, new RegExp(`X-Request-Id: ${problem.request_id}`));
  }
});

/** Everything that a connection says until it ends. */
async function allOf(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  await once(socket, 'close');
  return Buffer.concat(parts).toString();
}

test('depth is that of the brackets outside of texts', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const depth = (inner: unknown): number =>
        typeof inner === 'object' && inner !== null ? 1 + Math.max(0, ...Object.values(inner).map(depth)) : 0;
      assert.equal(depthOf(JSON.stringify(value)), depth(value));
    }),
  );
});
