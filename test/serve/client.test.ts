/** The client against real servers: ours, and ones that fail as networks do. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Event, SesrecClient, SesrecError } from '../../src/client/index.js';
import { newKey } from '../../src/serve/index.js';
import { PlainEngine } from '../support/plain-engine.js';
import { serve } from '../support/serving.js';
import { withPage } from '../support/hideable-page.js';

const view = (id: string): Event => ({ type: 'view', id, user: 'u1', item: 'i1' });

/** A server that answers as it is told, the last for ever. */
async function scripted(...answers: readonly ((request: IncomingMessage, response: ServerResponse) => void)[]) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    request.resume();
    seen.push(request);
    answers[Math.min(seen.length, answers.length) - 1]?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(code, headers).end(JSON.stringify({ code: 'x', detail: 'told' }));
const answered = (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[]}');
const broken = (request: IncomingMessage) => void request.socket.destroy();

test('every call does what the server does', async () => {
  const { key, kept } = newKey('all', ['recommend', 'events', 'catalogue', 'admin']);
  const engine = new PlainEngine();
  await using served = await serve(engine, { keys: { keys: [kept] } });
  const client = new SesrecClient({ url: `${served.server.url}/`, key });
  assert.deepEqual(await client.sendEvents([view('e1'), view('e1')]), { accepted: 1, duplicate: 1, rejected: [] });
  assert.equal((await client.upsertItems([{ item: 'i1' }, { item: 'a/b' }])).accepted, 2);
  assert.equal((await client.upsertUsers([{ user: 'u1', fields: { country: 'NL' } }])).accepted, 1);
  const answer = await client.recommend({ user: 'u1', k: 3 });
  assert.deepEqual(
    answer.items.map(({ item }) => item),
    ['i1'],
  );
  const told = engine.asked[0]?.deadline_ms ?? 0;
  assert.ok(told > 2000 && told <= 2700, `the server was told ${told}`);
  assert.equal((await client.similarItems('a/b')).items[0]?.item, 'i1');
  assert.equal((await client.interests('u1')).user, 'u1');
  assert.equal((await client.people({ search: 'u' })).total, 1);
  assert.deepEqual((await client.whatIf({ user: 'u1' })).items, []);
  assert.equal((await client.operations()).events.accepted, 1);
  assert.equal((await client.activateModel('second')).models.length, 2);
  assert.equal((await client.rollbackModel()).models.length, 1);
  assert.equal((await client.activateModel('second', { shadow: true })).models.length, 2);
  assert.equal((await client.endShadow()).models.length, 1);
  assert.equal((await client.models()).models.length, 1);
  assert.equal((await client.eraseUser('u1')).events, 1);
  assert.equal((await client.ready()).status, 'ready');
  assert.match(await (await client.askFile('/openapi.json')).text(), /^{"openapi"/);
  await assert.rejects(client.similarItems('nothing'), { status: 404, code: 'not_found' });
  for (const dots of ['.', '..']) await assert.rejects(client.eraseUser(dots), RangeError, 'no other address is asked');
  const stranger = new SesrecClient({ url: served.server.url, key: 'wrong' });
  await assert.rejects(stranger.models(), { status: 401, code: 'unauthenticated' });
});

test('a key that no request can carry is refused when the client is made; what is around one is left out', async () => {
  for (const key of ['“sesrec_x”', 'two words', 'schlüssel', 'a\nb'])
    assert.throws(() => new SesrecClient({ url: 'http://127.0.0.1', key }), /a key is of ASCII characters/);
  await using served = await scripted(answered);
  await new SesrecClient({ url: served.url, key: ' sesrec_x\n' }).recommend();
  assert.equal(served.seen[0]?.headers.authorization, 'Bearer sesrec_x');
});

test('what may pass is tried again, with the same Idempotency-Key; what cannot is not', async () => {
  await using flaky = await scripted(status(503), broken, answered);
  const client = new SesrecClient({ url: flaky.url });
  await client.sendEvents([view('e1')]);
  const keys = flaky.seen.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 3);
  assert.ok(keys[0] && new Set(keys).size === 1);
  await using resetting = await scripted(broken, answered);
  await new SesrecClient({ url: resetting.url }).eraseUser('u1');
  const ofErasure = resetting.seen.map(({ headers }) => headers['idempotency-key']);
  assert.ok(ofErasure[0] && ofErasure[0] === ofErasure[1]);
  await using slow = await scripted(status(408), status(520), answered);
  await new SesrecClient({ url: slow.url }).recommend();
  for (const code of [422, 500]) {
    await using refusing = await scripted(status(code));
    const told = { status: code, code: 'x', message: 'told' };
    await assert.rejects(new SesrecClient({ url: refusing.url }).recommend(), told);
    assert.equal(refusing.seen.length, 1);
  }
  await using down = await scripted(status(503));
  await assert.rejects(new SesrecClient({ url: down.url, retries: 1 }).recommend(), { status: 503 });
  assert.equal(down.seen.length, 2);
});

test('Retry-After is waited for, unless it is later than the deadline', async () => {
  await using soon = await scripted(status(503, { 'retry-after': '1' }), answered);
  const start = Date.now();
  await new SesrecClient({ url: soon.url }).recommend();
  assert.ok(Date.now() - start >= 990);
  await using late = await scripted(status(429, { 'retry-after': '30' }), answered);
  const before = Date.now();
  await assert.rejects(new SesrecClient({ url: late.url }).recommend(), { status: 429, retryAfter: 30_000 });
  assert.ok(Date.now() - before < 1000);
});

test('a deadline ends a call that hangs, and so does a signal', async () => {
  await using hanging = await scripted(() => {});
  const client = new SesrecClient({ url: hanging.url, deadline: 200 });
  await assert.rejects(client.recommend(), { code: 'timeout', status: 0 });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await assert.rejects(client.recommend({}, { signal: stop.signal, deadline: 5000 }), { name: 'AbortError' });
  await assert.rejects(new SesrecClient({ url: 'http://127.0.0.1:1', retries: 0 }).recommend(), { code: 'network' });
});

test('a deadline that no timer can hold is waited for nevertheless', async () => {
  await using slow = await scripted((request, response) => void setTimeout(() => answered(request, response), 50));
  for (const deadline of [Infinity, 2 ** 31 + 1])
    assert.deepEqual((await new SesrecClient({ url: slow.url, deadline, retries: 0 }).recommend()).items, []);
});

test('a tracker names, dates, collects, sends, and keeps what cannot be sent', async () => {
  const engine = new PlainEngine();
  await using served = await serve(engine);
  const lost: string[] = [];
  let isDown = true;
  const client = new SesrecClient({
    url: served.server.url,
    retries: 0,
    fetch: async (...request) => {
      if (isDown) throw new TypeError('offline');
      return fetch(...request);
    },
  });
  const tracker = client.tracker({
    user: 'u1',
    flushAfter: 20,
    flushAt: 3,
    capacity: 4,
    onLost: (all) => lost.push(...all.map(({ why }) => why)),
  });
  const search = tracker.track({ type: 'search', query: 'rain' });
  tracker.track({ type: 'click', item: 'i1', search });
  await tracker.flush();
  assert.equal(tracker.waiting, 2);
  isDown = false;
  tracker.track({ type: 'view', item: 'i2', user: 'u2' });
  await tracker.flush();
  assert.equal(tracker.waiting, 0);
  assert.deepEqual(
    engine.events.map(({ user }) => user),
    ['u1', 'u1', 'u2'],
  );
  assert.equal(engine.events[0]?.id, search);
  tracker.track({ type: 'view', item: '' });
  await tracker.flush();
  assert.equal(lost.length, 1);
  assert.match(lost[0] ?? '', /^\/item /);
  isDown = true;
  for (let i = 0; i < 6; i++) tracker.track({ type: 'view', item: `j${i}` });
  await tracker.flush();
  assert.ok(tracker.waiting <= 4);
  isDown = false;
  await tracker.close();
  assert.equal(engine.events.length + lost.length - 1, 9);
});

test('a page that is hidden sends at once, in pieces that outlive it', async () =>
  withPage(async (turn, listeners) => {
    const sent: { keepalive: boolean | undefined; bytes: number }[] = [];
    const client = new SesrecClient({
      url: 'http://nowhere.test',
      fetch: async (_, { keepalive, body } = {}) => {
        sent.push({ keepalive, bytes: (body as string).length });
        return Response.json({ accepted: 1, duplicate: 0, rejected: [] });
      },
    });
    const tracker = client.tracker({ user: 'u', flushAt: 10_000, flushAfter: 60_000 });
    for (let i = 0; i < 900; i++) tracker.track({ type: 'view', item: `i${i}` });
    turn('hidden');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(sent.length > 1);
    assert.ok(sent.every(({ keepalive, bytes }) => keepalive && bytes < 64 * 1024));
    assert.equal(tracker.waiting, 0);
    await tracker.close();
    assert.equal(listeners.size, 0);
  }));

test('runs in a browser: nothing of Node.js, nothing of others is imported', async () => {
  const seen = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    if (seen.has(file)) return;
    seen.add(file);
    const source = await readFile(file, 'utf8');
    for (const [, target = ''] of source.matchAll(/(?:from|import)\s*\(?['"]([^'"]+)['"]/g)) {
      assert.match(target, /^\.\.?\//, `${file} imports ${target}`);
      await visit(join(dirname(file), target));
    }
    assert.ok(!/\b(process|Buffer|require)\b\s*[.(]/.test(source), file);
  };
  await visit(fileURLToPath(new URL('../../src/client/index.js', import.meta.url)));
  assert.ok(seen.size >= 6);
});

test('errors of the client are errors of one class', () => {
  const error = new SesrecError('x', { code: 'network' });
  assert.ok(error.isPassing && error.status === 0 && error.problem === null);
  assert.ok(!new SesrecError('x', { code: 'invalid', status: 422 }).isPassing);
});
