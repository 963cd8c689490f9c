/** The beginning and the end of a server: it is not ready while it loads; what is under way is answered, nothing new comes in, what it keeps is closed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { UserError } from '../../src/base/index.js';
import { NO_KEYS, configure, startServer } from '../../src/serve/index.js';
import { PlainEngine } from '../support/plain-engine.js';
import { ask, gate, serve } from '../support/serving.js';

test('what is under way is answered; meanwhile it is not ready, then not there', async () => {
  const engine = new PlainEngine();
  const [arrived, answers] = [gate(), gate()];
  engine.before = async () => {
    arrived.open();
    await answers.opened;
    assert.ok(!engine.isClosed);
  };
  await using served = await serve(engine, { drainDelay: 3000 });
  const underWay = served.ask('POST', '/v1/recommendations', {});
  await arrived.opened;
  const stopped = served.server.stop();
  const { status, json } = await served.ask('GET', '/health/ready');
  assert.deepEqual([status, json.detail], [503, 'shutting down']);
  assert.equal((await served.ask('GET', '/v1/models')).status, 200, 'until it closes, what still comes is answered');
  const isThere = async (): Promise<boolean> =>
    served.ask('GET', '/health/live').then(
      () => true,
      () => false,
    );
  while (await isThere()) await sleep(100);
  assert.ok(!engine.isClosed);
  answers.open();
  assert.equal((await underWay).status, 200);
  const answered = Date.now();
  await stopped;
  assert.ok(Date.now() - answered < 3000, 'connections that are kept alive do not hold it up');
  assert.ok(engine.isClosed);
});

test('what takes too long is cut off', async () => {
  const engine = new PlainEngine();
  const arrived = gate();
  engine.before = async (signal) => {
    arrived.open();
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('nobody waits'))));
  };
  await using served = await serve(engine, { drainTimeout: 100, logLevel: 'silent' });
  const underWay = served.ask('POST', '/v1/recommendations', {});
  underWay.catch(() => {});
  await arrived.opened;
  const start = Date.now();
  await served.server.stop();
  assert.ok(Date.now() - start < 3000);
  await assert.rejects(underWay, TypeError);
  assert.ok(engine.isClosed);
});

test('while it loads it lives and is not ready; what cannot be loaded ends it', async () => {
  const { values } = await configure({ flags: { port: 0, adminPort: 0, logLevel: 'silent' }, environment: {} });
  const loaded = gate();
  const engine = new PlainEngine();
  let [url, isOpen] = ['', false];
  const listening = gate();
  const started = startServer(
    async () => {
      listening.open();
      await loaded.opened;
      isOpen = true;
      return engine;
    },
    { configuration: { ...values, port: await freePort() }, keys: NO_KEYS, version: '0' },
  );
  await listening.opened;
  url = `http://127.0.0.1:${lastPort}`;
  assert.equal((await ask(`${url}/health/live`, 'GET')).status, 200);
  const { status, json } = await ask(`${url}/health/ready`, 'GET');
  assert.deepEqual([status, json.detail, isOpen], [503, 'loading the model', false]);
  assert.equal((await ask(`${url}/v1/recommendations`, 'POST', {})).status, 503);
  loaded.open();
  const server = await started;
  assert.equal((await ask(`${url}/health/ready`, 'GET')).status, 200);
  await server.stop();
  const broken = startServer(
    async () => {
      throw new UserError('no run');
    },
    { configuration: { ...values, port: lastPort }, keys: NO_KEYS, version: '0' },
  );
  await assert.rejects(broken, { message: 'no run' });
  await assert.rejects(ask(`${url}/health/live`, 'GET'), TypeError);
});

let lastPort = 0;

/** A port that nobody listens at just now. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  lastPort = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, 'close');
  return lastPort;
}
