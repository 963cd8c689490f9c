/**
 * Events from a stream of NATS, a real one: at least once, each counted once, whatever is no event out of the way; servers, the store and the stream itself are lost and come back. Skipped by name where
 * there is no nats-server.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DiscardPolicy, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection, connect } from '@nats-io/transport-node';
import { StoreAwayError, openStore } from '../../src/online/index.js';
import { sesrec, tinyWorld } from '../support/command-line.js';
import { NatsProcess, WITHOUT_NATS } from '../support/nats-process.js';
import { PlainEngine } from '../support/plain-engine.js';
import { RedisProcess, WITHOUT_REDIS } from '../support/redis-process.js';
import { until } from '../support/waiting.js';
import { type Served, serve } from '../support/serving.js';
import { serveProcess } from '../support/serving-process.js';

const PASSWORD = 'hunter2hunter2';

let nats: NatsProcess;
let connection: NatsConnection;
let manager: JetStreamManager;
let made = 0;

/** A stream of its own, with one for what is no event. */
async function stream(): Promise<{
  name: string;
  send: (...bodies: unknown[]) => Promise<void>;
  refused: () => Promise<Refused[]>;
}> {
  const name = `EVENTS${made++}`;
  await manager.streams.add({ name, subjects: [`${name}.events.>`] });
  await manager.streams.add({ name: `${name}_REFUSED`, subjects: [`${name}.refused`] });
  const client = jetstream(connection);
  return {
    name,
    send: async (...bodies) => {
      await Promise.all(
        bodies.map(async (body) =>
          client.publish(
            `${name}.events.site`,
            body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body),
          ),
        ),
      );
    },
    refused: async () => {
      const { state } = await manager.streams.info(`${name}_REFUSED`);
      return Promise.all(
        Array.from({ length: state.messages }, async (_, i) => {
          const message = await manager.streams.getMessage(`${name}_REFUSED`, { seq: state.first_seq + i });
          assert.ok(message);
          return { content: message.string(), reason: message.header.get('Sesrec-Reason') };
        }),
      );
    },
  };
}
interface Refused {
  readonly content: string;
  readonly reason: string;
}

const flagsFor = (name: string) => ({ eventsFrom: nats.url, eventsStream: name, eventsDeadLetters: `${name}.refused` });
const view = (id: string, more: object = {}) => ({ type: 'view', id, user: `u${id.length}`, item: 'i', ...more });
const healthOf = async (served: Served): Promise<{ status: string; troubles?: string[] }> =>
  (await served.ask('GET', '/health/ready')).json as { status: string };
/** What is neither done nor given up. */
const leftOf = async (name: string): Promise<number> => {
  const { num_pending, num_ack_pending } = await manager.consumers.info(name, 'sesrec');
  return num_pending + num_ack_pending;
};

/** A nats-server, connected to. */
async function startNats(): Promise<void> {
  nats = await NatsProcess.start(PASSWORD);
  connection = await connect({
    servers: `127.0.0.1:${nats.port}`,
    user: 'sesrec',
    pass: PASSWORD,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  manager = await jetstreamManager(connection);
}

describe('events from a stream', { skip: WITHOUT_NATS }, () => {
  before(async () => {
    await startNats();
  });
  after(async () => {
    await connection.close();
    await nats.remove();
  });

  test('events are taken once, one or a list in a message; what is none is moved away, and holds up nothing', async () => {
    const { name, send, refused } = await stream();
    const engine = new PlainEngine();
    await send(view('before it began'), 'no JSON at all', new Uint8Array([0xff, 0xfe]), [], 7, null);
    await using served = await serve(engine, flagsFor(name));
    await send([view('a'), view('b'), { type: 'nonsense', user: 'u', item: 'i' }, view('c')]);
    await send(
      view('a'),
      { type: 'search', user: 'u', query: 'no id' },
      '['.repeat(1e5),
      '{"__proto__":{"type":"view"}}',
    );
    await send({ type: 'view', user: 'somebody', item: 'without id and time' });
    const odd = '{"type":"view","user":"u", "item":12345678901234567890, "value":1e999}';
    await send(view('d', { time: Date.now() + 1e9 }), odd, view('e', { 'alice@example.org': 1 }), view('last'));
    await until('all is done', async () => engine.events.some(({ id }) => id === 'last') && (await leftOf(name)) === 0);
    const ids = engine.events.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(
      new Set(ids.filter((id) => !id?.startsWith(name))),
      new Set(['a', 'b', 'before it began', 'c', 'last']),
    );
    const own = engine.events.find(({ item }) => item === 'without id and time');
    assert.ok(own?.id?.startsWith(name) && own.time > Date.now() - 60_000 && own.time <= Date.now() + 1000);
    const reasons = (await refused()).map(({ reason }) => reason);
    assert.equal(reasons.length, 11, reasons.join('\n'));
    for (const text of ['no JSON at all', odd, JSON.stringify({ type: 'nonsense', user: 'u', item: 'i' })])
      assert.ok((await refused()).some(({ content }) => content === text, `${text} as it came`));
    assert.ok(reasons.some((reason) => reason.includes('alice@example.org')));
    assert.match(served.log.join(''), /has an unknown field/);
    assert.ok(
      (await refused()).some(({ content, reason }) => content.includes('nonsense') && reason.includes('/type')),
    );
    const metrics = await (await fetch(`${served.server.adminUrl}/metrics`)).text();
    assert.match(metrics, /^sesrec_stream_messages_total\{result="refused"\} 11$/m);
    assert.match(metrics, /^sesrec_events_total\{result="accepted"\} 6$/m);
    assert.doesNotMatch(served.log.join('') + metrics, /somebody|alice|hunter2/);
  });

  test('a store that is away, and bugs: messages come again, and one that never works is moved away at last', async () => {
    const { name, send, refused } = await stream();
    const engine = new PlainEngine();
    const accept = engine.accept.bind(engine);
    let [away, tries] = [2, 0];
    engine.accept = async (events) => {
      tries++;
      if (away-- > 0) throw new StoreAwayError('away');
      if (events.length > 1 && events.some(({ event }) => event.id === 'unlucky')) throw new Error('a bug of a batch');
      if (events.some(({ event }) => event.id === 'hopeless')) throw new Error('a bug of an event');
      return accept(events);
    };
    await using served = await serve(engine, flagsFor(name));
    await send(...Array.from({ length: 20 }, (_, i) => view(`e${i}`)), view('unlucky'), view('hopeless'));
    await until('all is taken', async () => engine.events.length === 21 && (await leftOf(name)) === 0);
    assert.ok(tries > 2);
    assert.deepEqual(
      (await refused()).map(({ content, reason }) => [JSON.parse(content).id, reason]),
      [['hopeless', 'a bug; the log has it']],
    );
    assert.equal(new Set(engine.events.map(({ id }) => id)).size, 21);
    assert.deepEqual(await healthOf(served), { status: 'ready' });
  });

  test('what is no event cannot be moved away: it waits, sound events do not, and it is told once', async () => {
    const { name, send, refused } = await stream();
    const engine = new PlainEngine();
    await manager.streams.update(`${name}_REFUSED`, { max_msgs: 1, discard: DiscardPolicy.New });
    await using served = await serve(engine, flagsFor(name));
    await send(...Array.from({ length: 50 }, (_, i) => [{ type: 'nonsense' }, view(`e${i}`)]).flat());
    await until('what is sound is taken', () => engine.events.length === 50);
    await until('it says so', async () => (await healthOf(served)).status === 'impaired');
    assert.deepEqual((await healthOf(served)).troubles, ['what is no event cannot be moved away']);
    await until('it was tried again', async () => (await manager.consumers.info(name, 'sesrec')).num_redelivered > 0);
    await send(view('late'));
    await until('a late one is taken', () => engine.events.length === 51);
    assert.equal(served.log.filter((line) => line.includes('cannot be moved away')).length, 1);
    await manager.streams.update(`${name}_REFUSED`, { max_msgs: -1 });
    await until('all is moved', async () => (await leftOf(name)) === 0);
    assert.equal((await refused()).length, 50);
    assert.deepEqual(await healthOf(served), { status: 'ready' });
  });

  test('a stream that is made anew: its first messages are no duplicates of those before', async () => {
    const { name, send } = await stream();
    const engine = new PlainEngine();
    await using served = await serve(engine, flagsFor(name));
    const clicks = (user: string) => [1, 2, 3].map((i) => ({ type: 'click', user, item: `i${i}` }));
    await send(...clicks('before'));
    await until('the first three', () => engine.events.length === 3);
    await manager.streams.delete(name);
    await manager.streams.add({ name, subjects: [`${name}.events.>`] });
    await send(...clicks('after'));
    await until('the other three', () => engine.events.length === 6, 20_000);
    assert.deepEqual(await healthOf(served), { status: 'ready' });
  });

  test('a server ends while the stream hangs', async () => {
    const { name } = await stream();
    const served = await serve(new PlainEngine(), flagsFor(name));
    nats.pause();
    const began = Date.now();
    await served.server.stop().finally(() => nats.goOn());
    assert.ok(Date.now() - began < 20_000);
  });

  test('the stream is lost and comes back; its consumer is deleted and made again; the end waits for what is at hand', async () => {
    const { name, send } = await stream();
    const engine = new PlainEngine();
    const served = await serve(engine, flagsFor(name));
    await send(view('1'));
    await until('the first', () => engine.events.length === 1);
    await nats.kill();
    await until('it says so', async () => (await healthOf(served)).status === 'impaired');
    assert.deepEqual((await healthOf(served)).troubles, ['events from the stream do not arrive']);
    await nats.start();
    await until('it is back', async () => (await healthOf(served)).status === 'ready');
    await until('the test is back', async () =>
      send(view('2')).then(
        () => true,
        () => false,
      ),
    );
    await until('the second', () => engine.events.some(({ id }) => id === '2'));
    await manager.consumers.delete(name, 'sesrec');
    await send(view('3'));
    await until('the third', () => engine.events.some(({ id }) => id === '3'));
    assert.equal(engine.events.length, 3, 'what was taken before counts once');
    // told to end in the middle of a batch
    const accept = engine.accept.bind(engine);
    let isAtHand = false;
    engine.accept = async (events) => {
      isAtHand = true;
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.ok(!engine.isClosed);
      return accept(events);
    };
    await send(view('4'));
    await until('the fourth is at hand', () => isAtHand);
    await served.server.stop();
    assert.ok(engine.events.some(({ id }) => id === '4'));
    await until('it is acknowledged', async () => (await leftOf(name)) === 0);
  });

  test('what is not there, in one line, without the password', async () => {
    const { name } = await stream();
    const refusal = async (settings: object): Promise<string> => {
      const error: unknown = await serve(new PlainEngine(), { ...flagsFor(name), ...settings }).then(
        () => assert.fail('it began'),
        (error: unknown) => error,
      );
      assert.ok(error instanceof Error && error.name === 'UserError', String(error));
      assert.doesNotMatch(error.message, /hunter2|\n/);
      return error.message;
    };
    assert.match(await refusal({ eventsStream: 'NOTHING' }), /there is no stream NOTHING/);
    assert.match(await refusal({ eventsFrom: nats.url.replace(PASSWORD, `wrong${PASSWORD}`) }), /cannot be taken from/);
    assert.match(await refusal({ eventsFrom: `nats://:${PASSWORD}@127.0.0.1:1` }), /cannot be taken from/);
    assert.match(await refusal({ eventsFrom: `kafka://:${PASSWORD}@127.0.0.1:1` }), /is no stream of events/);
    assert.match(await refusal({ eventsDeadLetters: 'nobody.keeps.this' }), /keeps the subject nobody.keeps.this/);
    const own = `${name}.events.dead`;
    assert.match(await refusal({ eventsDeadLetters: own }), /would come back from .* another stream keeps/);
    for (const percent of [`u:${PASSWORD}%`, `${PASSWORD}%`])
      assert.match(await refusal({ eventsFrom: `nats://${percent}@127.0.0.1:1` }), /is written %25/);
    await manager.consumers.add(name, {
      durable_name: 'filtered',
      ack_policy: 'explicit',
      filter_subject: `${name}.events.*`,
    });
    assert.match(await refusal({ eventsConsumer: 'filtered', eventsDeadLetters: own }), /would come back/);
    await manager.consumers.update(name, 'filtered', { filter_subject: `${name}.events.site` });
    await (
      await serve(new PlainEngine(), { ...flagsFor(name), eventsConsumer: 'filtered', eventsDeadLetters: own })
    )[Symbol.asyncDispose]();
    await manager.consumers.add(name, { durable_name: 'pushed', deliver_subject: 'x' });
    assert.match(await refusal({ eventsConsumer: 'pushed' }), /must be pulled from/);
  });
});

describe('events from a stream for two servers', { skip: WITHOUT_NATS || WITHOUT_REDIS }, () => {
  test('one server is killed, then the stream: every event is in the store, once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sesrec-stream-'));
    const { run } = await tinyWorld(folder, 1);
    const redis = await RedisProcess.start();
    await startNats();
    const { name, send } = await stream();
    // a message that a killed server had at hand comes again soon
    await manager.consumers.add(name, {
      durable_name: 'sesrec',
      ack_policy: 'explicit',
      ack_wait: 2e9,
      max_ack_pending: 300,
    });
    const flags = ['--events-from', nats.url, '--events-stream', name];
    const count = async (): Promise<number> => {
      const store = await openStore(redis.url('stream'), { readOnly: true });
      const ids: (string | undefined)[] = [];
      for await (const { event } of store.events()) ids.push(event.id);
      await store.close();
      assert.equal(new Set(ids).size, ids.length, 'none is there twice');
      return ids.length;
    };
    let sent = 0;
    const more = async (batches: number): Promise<void> => {
      for (let batch = 0; batch < batches; batch++)
        await send(...Array.from({ length: 50 }, () => ({ ...view(`e${sent++}`), user: `u${sent % 24}` })));
    };
    {
      await using a = await serveProcess(run, redis.url('stream'), ...flags);
      await using b = await serveProcess(run, redis.url('stream'), ...flags);
      const sending = more(30);
      await until('some are there', async () => (await count()) > 100);
      await a.kill();
      await sending;
      await until('all are there', async () => (await count()) === sent);
      await nats.kill();
      await nats.start();
      await until('it is there again', async () =>
        manager.streams.info(name).then(
          () => true,
          () => false,
        ),
      );
      await more(4);
      await until('these as well', async () => (await count()) === sent);
      await until('nothing is left', async () => (await leftOf(name)) === 0);
      for (const { log } of [a, b]) assert.doesNotMatch(log(), /hunter2|bug/);
      await nats.kill(); // and the other server ends without it
    }
    const printed = await sesrec('serve', run, ...flags, '--print-config');
    assert.match(printed.out, /nats:\/\/sesrec:…@/);
    assert.doesNotMatch(printed.out, /hunter2/);
    await connection.close();
    await Promise.all([nats.remove(), redis.remove()]);
    await rm(folder, { recursive: true, force: true });
  });
});
