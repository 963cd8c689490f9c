/** The generator of load: it sends at its rate, and a server that stalls makes all wait who come meanwhile. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Load, StreamResult } from '../../bench/serve-load.js';
import { PlainEngine } from '../support/plain-engine.js';
import { serve } from '../support/serving.js';

const LOAD = fileURLToPath(new URL('../../bench/serve-load.js', import.meta.url));

async function load(wanted: Load): Promise<StreamResult[]> {
  const child = spawn(process.execPath, [LOAD, '--run'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(wanted));
  return JSON.parse(await text(child.stdout)) as StreamResult[];
}

test('an open stream does not wait for answers; a closed one does', async () => {
  const engine = new PlainEngine();
  let stalled: Promise<void> | null = null;
  engine.before = async () => {
    stalled ??= new Promise((resolve) => setTimeout(resolve, 500)); // whoever comes in the first half second waits for its end
    await stalled;
  };
  await using served = await serve(engine, { logLevel: 'silent' });
  const stream = { path: '/v1/recommendations', bodies: ['{}', '{"k":3}'] };
  const [open] = await load({
    url: served.server.url,
    seconds: 2,
    warmUp: 0,
    seed: 1,
    streams: [{ ...stream, name: 'open', rate: 100 }],
  });
  assert.ok(open && open.failed === 0);
  assert.ok(open.latencies.length > 130 && open.latencies.length < 270, `${open.latencies.length} requests`);
  const waited = open.latencies.filter((latency) => latency > 100).length;
  assert.ok(waited > 15, `${waited} waited for the stall`);
  assert.equal(engine.asked.length, open.latencies.length);
  assert.deepEqual(new Set(engine.asked.map(({ k }) => k)), new Set([10, 3]));
  const [closed] = await load({
    url: served.server.url,
    seconds: 1,
    warmUp: 0.5,
    seed: 1,
    streams: [{ ...stream, name: 'closed', rate: 0 }],
  });
  assert.ok(closed && closed.failed === 0 && closed.latencies.length > 10);
  assert.ok((closed.statuses['200'] ?? 0) > closed.latencies.length, 'those of the warm-up are not counted');
});
