/**
 * A server with too much to do: everybody is answered, what is turned away is told when to come again, and who is slow takes nobody's place.
 * How soon answers come under load is tested by a clock of its own in serve/admission; here the server is real, and no time is judged.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newKey } from '../../src/serve/index.js';
import { PlainEngine } from '../support/plain-engine.js';
import { gate, serve } from '../support/serving.js';
import { inSoak } from '../support/soak.js';

/** Somebody who sends this and nothing more, and reads nothing. */
async function connection(url: string, sent: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(sent);
  return socket;
}

const HEAD = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

test('more than can be done: a bounded number is worked on, everybody is answered, and who is refused is told when to come again', async () => {
  const engine = new PlainEngine();
  let [working, most] = [0, 0];
  let turn: Promise<unknown> = Promise.resolve();
  engine.before = async () => {
    most = Math.max(most, ++working);
    turn = turn.then(async () => sleep(3)); // one after another
    await turn;
    working--;
  };
  await using served = await serve(engine, { mostInFlight: 20, threads: 1 });
  const statuses = new Map<number, number>();
  const waves = inSoak(20, 2000);
  for (let wave = 0; wave < waves; wave++) {
    const answers = await Promise.all(Array.from({ length: 60 }, () => served.ask('POST', '/v1/recommendations', {})));
    for (const { status, headers, json } of answers) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 200) continue;
      assert.deepEqual([status, json.code], [503, 'overloaded']);
      assert.ok(Number(headers.get('retry-after')) > 0);
    }
  }
  assert.ok(most <= 20, `${most} at once`);
  assert.ok((statuses.get(200) ?? 0) >= waves && (statuses.get(503) ?? 0) > 0);
  assert.equal(working, 0);
  engine.before = async () => null;
  assert.equal((await served.ask('POST', '/v1/recommendations', {})).status, 200, 'afterwards there is room again');
});

test('questions that wait keep no events out, and events no questions', async () => {
  const engine = new PlainEngine();
  const answers = gate();
  engine.before = async () => answers.opened;
  await using served = await serve(engine, { mostInFlight: 3, threads: 2 });
  const waiting = Array.from({ length: 3 }, () => served.ask('POST', '/v1/recommendations', {}));
  while (engine.asked.length < 3) await sleep(5);
  assert.equal((await served.ask('POST', '/v1/recommendations', {})).status, 503);
  const event = [{ type: 'view', user: 'u', item: 'i' }];
  assert.equal((await served.ask('POST', '/v1/events', event)).status, 202);
  answers.open();
  for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
});

test('who sends slowly, never finishes, or never reads takes nobody’s place', async () => {
  const engine = new PlainEngine();
  await using served = await serve(engine, { mostInFlight: 2, threads: 1, drainTimeout: 100 });
  const { url } = served.server;
  const items = Array.from({ length: 500 }, (_, i) => ({ type: 'view', user: 'u', item: `${'long '.repeat(40)}${i}` }));
  assert.equal((await served.ask('POST', '/v1/events', items)).status, 202);
  const many = JSON.stringify({ k: 500 });
  const slow = [
    ...Array.from({ length: 20 }, () => HEAD('/v1/events', 1000) + '['), // half a body
    ...Array.from({ length: 20 }, () => HEAD('/v1/recommendations', 5)), // none
    ...Array.from({ length: 20 }, () => 'POST /v1/events HTT'), // half a head
    ...Array.from({ length: 20 }, () => ''), // nothing at all
    ...Array.from({ length: 20 }, () => (HEAD('/v1/recommendations', many.length) + many).repeat(30)), // 100 kB each, never read
  ];
  const sockets = await Promise.all(slow.map(async (sent) => connection(url, sent)));
  for (let i = 0; i < 20; i++) {
    const { status } = await served.ask('POST', '/v1/recommendations', {});
    if (status === 503)
      await sleep(20); // those who never read may be worked on at this moment; soon they are done
    else assert.equal(status, 200);
  }
  for (let tries = 0; (await served.ask('POST', '/v1/recommendations', {})).status !== 200; tries++) {
    assert.ok(tries < 500);
    await sleep(20);
  }
  assert.equal((await served.ask('POST', '/v1/events', [{ type: 'view', user: 'u', item: 'i' }])).status, 202);
  for (const socket of sockets) socket.destroy();
});

test('more connections than are allowed are closed; a key that asks too often gets 429, and others are answered', async () => {
  const [busy, calm] = [newKey('busy', ['recommend']), newKey('calm', ['recommend'])];
  await using served = await serve(new PlainEngine(), {
    keys: { keys: [busy.kept, calm.kept] },
    keyRate: 5,
    mostConnections: 6,
  });
  const asked = async (key: string) => served.ask('POST', '/v1/recommendations', {}, { 'x-api-key': key });
  const statuses: number[] = [];
  for (let i = 0; i < 200 && !statuses.includes(429); i++) {
    const { status, headers, json } = await asked(busy.key);
    statuses.push(status);
    if (status !== 429) continue;
    assert.equal(json.code, 'too_many');
    assert.ok(Number(headers.get('retry-after')) >= 1);
  }
  assert.ok(statuses.filter((status) => status === 200).length >= 5);
  assert.equal((await asked(calm.key)).status, 200);
  const sockets = await Promise.all(Array.from({ length: 12 }, () => connection(served.server.url, '')));
  await sleep(50);
  const closed = sockets.filter((socket) => {
    socket.resume();
    return socket;
  });
  while (closed.filter(({ readableEnded, destroyed }) => readableEnded || destroyed).length < 6) await sleep(10);
  for (const socket of sockets) socket.destroy();
});
