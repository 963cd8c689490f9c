/** What is told of trainings and of the server itself: server-sent events, names that are no paths, numbers of the last minutes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Experiments, NO_EXPERIMENTS, type Progress } from '../../src/serve/index.js';
import { watch } from '../../src/serve/experiments.js';
import { quantilesOf } from '../../src/serve/operations.js';
import { PlainEngine } from '../support/plain-engine.js';
import { serve } from '../support/serving.js';

const epoch = (number: number) => ({
  epoch: number,
  losses: { loss: 1 / number },
  metrics: { mrr: number / 10 },
  learning_rate: 0.001,
  training_seconds: 1,
  improved: true,
  time: null,
});

/** A training of so many epochs, one more whenever it is asked about. */
function growing(epochs: number): Experiments & { asked: number } {
  const experiments = {
    ...NO_EXPERIMENTS,
    asked: 0,
    progress: async (name: string): Promise<Progress | null> => {
      if (name !== 'grows') return null;
      const done = Math.min(epochs, ++experiments.asked);
      return {
        state: experiments.asked > epochs ? 'finished' : 'running',
        curves: [{ label: 'grows', seed: 1, epochs: Array.from({ length: done }, (_, i) => epoch(i + 1)) }],
      };
    },
  };
  return experiments;
}

test('a training is told epoch by epoch, each once, until it ends', async () => {
  const stop = new AbortController();
  const told: string[] = [];
  const watching = { signal: stop.signal, isOver: () => false, pollMilliseconds: 1 };
  for await (const text of watch(growing(3), 'grows', watching)) told.push(text);
  const all = told.join('');
  assert.deepEqual(
    [...all.matchAll(/"epoch":(\d)/g)].map(([, number]) => number),
    ['1', '2', '3'],
  );
  assert.deepEqual(
    [...all.matchAll(/event: (\w+)/g)].map(([, name]) => name),
    ['epoch', 'state', 'epoch', 'epoch', 'state', 'end'],
  );
  assert.ok(all.endsWith('\n\n'));
});

test('it stops with whoever watches and with the server, and says nothing more', async () => {
  const stop = new AbortController();
  const forever = growing(1e9);
  let seen = 0;
  for await (const _ of watch(forever, 'grows', { signal: stop.signal, isOver: () => false, pollMilliseconds: 1 }))
    if (++seen === 3) stop.abort();
  assert.equal(seen, 3);
  let isOver = false;
  const told: string[] = [];
  for await (const text of watch(forever, 'grows', {
    signal: new AbortController().signal,
    isOver: () => isOver,
    pollMilliseconds: 1,
  })) {
    told.push(text);
    isOver = told.length === 3;
  }
  assert.ok(!told.join('').includes('event: end'));
});

test('over HTTP it is a stream of events, and its place is free again at the end', async () => {
  const experiments = growing(1);
  await using served = await serve(new PlainEngine(), { experiments });
  for (let round = 0; round < 40; round++) {
    // more than may be watched at once
    const response = await fetch(`${served.server.url}/v1/experiments/grows/live`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const told = [...(await response.text()).matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual([told[0], told.at(-1)], ['epoch', 'end']);
    if (round === 0) {
      const { json } = await served.ask('GET', '/v1/operations');
      const routes = json.routes.map(({ route }: { route: string }) => route);
      assert.ok(!routes.includes('/v1/experiments/:name/live'), 'how long somebody watches is no latency');
    }
  }
});

test('a server that ends does not wait for those who watch', async () => {
  const served = await serve(new PlainEngine(), { experiments: growing(1e9), drainTimeout: 20_000 });
  const response = await fetch(`${served.server.url}/v1/experiments/grows/live`);
  const reader = (response.body as NonNullable<typeof response.body>).getReader();
  await reader.read();
  const start = performance.now();
  await served.server.stop();
  assert.ok(performance.now() - start < 15_000, 'not the whole time to drain');
  await reader.cancel().catch(() => undefined);
});

test('names of experiments are names: never paths, never hidden', async () => {
  const asked: string[] = [];
  const note = async (name: string): Promise<null> => {
    asked.push(name);
    return null;
  };
  const experiments = { ...NO_EXPERIMENTS, one: note, progress: note, report: note };
  await using served = await serve(new PlainEngine(), { experiments });
  // what a client would resolve itself (a dot, two dots, nothing) does not arrive
  for (const name of ['.ssh', 'a/b', '../a', 'a\\b', 'a\0b', 'a b', 'ä', '%2e%2e'])
    for (const rest of ['', '/live', '/report']) {
      const { status } = await served.ask('GET', `/v1/experiments/${encodeURIComponent(name)}${rest}`);
      assert.ok([404, 422, 200, 400].includes(status), `${name}: ${status}`);
    }
  assert.deepEqual(asked, []);
  assert.equal((await served.ask('GET', '/v1/experiments/a-run_1.2')).status, 404);
  assert.deepEqual(asked, ['a-run_1.2']);
});

test('a report is a page of its own policy', async () => {
  const experiments = { ...NO_EXPERIMENTS, report: async () => '<!doctype html><p>report</p>' };
  await using served = await serve(new PlainEngine(), { experiments });
  const { status, text, headers } = await served.ask('GET', '/v1/experiments/x/report');
  assert.deepEqual([status, text], [200, '<!doctype html><p>report</p>']);
  assert.match(headers.get('content-type') ?? '', /^text\/html/);
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
});

test('operations are the numbers of the metrics', async () => {
  await using served = await serve(new PlainEngine());
  await served.ask('POST', '/v1/events', [{ type: 'view', user: 'u', item: 'i' }, {}]);
  for (let i = 0; i < 3; i++) await served.ask('POST', '/v1/recommendations', { user: 'u' });
  await served.ask('POST', '/v1/recommendations', { k: 0 });
  const find = async () => {
    const { json } = await served.ask('GET', '/v1/operations');
    return {
      json,
      route: json.routes.find(({ route }: { route: string }) => route === '/v1/recommendations'),
    };
  };
  // a request is counted when its answer is out, which may be a moment after the answer is here
  let found = await find();
  for (; (found.route?.requests ?? 0) < 4; found = await find()) await sleep(10);
  const { json, route } = found;
  assert.deepEqual([route.requests, route.refused, route.failed], [4, 1, 0]);
  assert.ok(route.p50 > 0 && route.p50 <= route.p95 && route.p95 <= route.p99);
  assert.deepEqual(json.events, { accepted: 1, duplicate: 0, rejected: 1 });
  assert.deepEqual(json.sources, [{ source: 'popular', degraded: false, answers: 3 }]);
  const total = json.intervals.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0);
  assert.equal(
    total,
    json.routes.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0),
  );
  assert.deepEqual([json.version, json.most_in_flight, json.models[0].state], ['0', 64, 'active']);
});

test('quantiles lie where their buckets say', () => {
  assert.deepEqual(quantilesOf(new Map()), { p50: null, p95: null, p99: null });
  const even = new Map([
    [1, 50],
    [2, 100],
    [Infinity, 100],
  ]);
  assert.deepEqual(quantilesOf(even), { p50: 1, p95: 1.9, p99: 1.98 });
  const beyond = new Map([
    [1, 1],
    [Infinity, 100],
  ]);
  assert.equal(quantilesOf(beyond).p95, 1, 'beyond the last bound, that bound');
});
