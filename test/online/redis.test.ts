/** The live store on Redis: the contract of stores, several writers, and `kill -9` of Redis itself. Skipped by name where there is no redis-server. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { UserError } from '../../src/base/index.js';
import { openRedisStore } from '../../src/online/store/redis-store.js';
import { storeContract } from '../support/store-contract.js';

const isThere = spawnSync('redis-server', ['--version']).status === 0;

let folder: string;
let port: number;
let redis: ChildProcess;
let made = 0;

async function start(...more: readonly string[]): Promise<void> {
  const settings = ['--port', String(port), '--dir', folder, '--save', '', ...more];
  redis = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: redis.stdout as NonNullable<ChildProcess['stdout']> }))
    if (line.includes('Ready to accept connections')) break;
  redis.stdout?.resume();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as { port: number };
  server.close();
  return free;
}

const url = (prefix = 'sesrec'): string => `redis://127.0.0.1:${port}?prefix=${prefix}`;
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe('on Redis', { skip: isThere ? false : 'there is no redis-server here' }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sesrec-redis-'));
    port = await freePort();
    await start(...DURABLE);
  });
  after(async () => {
    redis.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  storeContract('Redis', async () => {
    const own = `store${made++}`;
    return { open: async () => openRedisStore(url(own)) };
  });

  test('several write at once: numbers are given once, an id counts once', async () => {
    const stores = await Promise.all([0, 1, 2].map(async () => openRedisStore(url('several'))));
    const taken = await Promise.all(
      stores.flatMap((store, writer) =>
        Array.from({ length: 30 }, async (_, i) =>
          store.append([
            { type: 'view', user: 'u', time: i, item: 'i', id: `both ${i}` },
            { type: 'view', user: 'u', time: i, item: 'i', id: `${writer} ${i}` },
          ]),
        ),
      ),
    );
    assert.equal(taken.flat().filter((isNew) => isNew).length, 120);
    const [first] = stores as [(typeof stores)[number]];
    const sequences: number[] = [];
    for await (const { sequence } of first.events()) sequences.push(sequence);
    assert.deepEqual(
      sequences,
      Array.from({ length: 120 }, (_, i) => i + 1),
    );
    assert.equal((await first.historyOf('u', 1000)).length, 120);
    await Promise.all(stores.map(async (store) => store.close()));
  });

  test('kill -9 of Redis: all that was acknowledged is there, once, and connections come back', async () => {
    const store = await openRedisStore(url('killed'));
    const acknowledged: string[] = [];
    const writing = Promise.allSettled(
      Array.from({ length: 300 }, async (_, i) => {
        await store.append([{ type: 'view', user: `u${i % 7}`, time: i, item: 'i', id: `e${i}` }]);
        acknowledged.push(`e${i}`);
        if (acknowledged.length === 100) redis.kill('SIGKILL');
      }),
    );
    await once(redis, 'exit');
    await start(...DURABLE);
    await writing;
    const again = await openRedisStore(url('killed'));
    const ids: string[] = [];
    for await (const { event } of again.events()) ids.push(event.id as string);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of acknowledged) assert.ok(ids.includes(id), id);
    assert.deepEqual(await store.append([{ type: 'view', user: 'u', time: 1, item: 'i', id: 'after' }]), [true]);
    await Promise.all([store, again].map(async (one) => one.close()));
  });

  test('a Redis that keeps no log is refused, and none at all, in one line', async () => {
    redis.kill('SIGKILL');
    await once(redis, 'exit');
    await assert.rejects(openRedisStore(url()), UserError);
    await start('--appendonly', 'no');
    await assert.rejects(openRedisStore(url()), /keeps no log of its writes/);
  });
});
