/** The end of a server: what is under way is answered, nothing new comes in, what it keeps is closed. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { PlainEngine } from '../support/plain-engine.js';
import { gate, serve } from '../support/serving.js';

test('what is under way is answered; meanwhile it is not ready, then not there', async () => {
  const engine = new PlainEngine();
  const [arrived, answers] = [gate(), gate()];
  engine.before = async () => {
    arrived.open();
    await answers.opened;
    assert.ok(!engine.isClosed);
  };
  await using served = await serve(engine, { drainDelay: 300 });
  const underWay = served.ask('POST', '/v1/recommendations', {});
  await arrived.opened;
  const stopped = served.server.stop();
  const { status, json } = await served.ask('GET', '/health/ready');
  assert.deepEqual([status, json.detail], [503, 'shutting down']);
  assert.equal((await served.ask('GET', '/v1/models')).status, 200, 'until it closes, what still comes is answered');
  await sleep(500);
  await assert.rejects(served.ask('GET', '/health/live'), TypeError);
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
