/** The live store on Redis: the contract of stores, several writers, `kill -9` of Redis itself, one that hangs. Skipped by name where there is no redis-server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient } from '@redis/client';
import { UserError } from '../../src/base/index.js';
import { type LiveStore, StoreAwayError, openStore, shownStore } from '../../src/online/index.js';
import type { Change } from '../../src/online/store/store.js';
import { RedisProcess, WITHOUT_REDIS } from '../support/redis-process.js';
import { until } from '../support/waiting.js';
import { storeContract } from '../support/store-contract.js';

let redis: RedisProcess;
let made = 0;

const view = (user: string, time: number, id: string) => ({ type: 'view', user, time, item: 'i', id }) as const;

async function idsIn(store: LiveStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { event } of store.events()) ids.push(event.id as string);
  return ids;
}

/** Writes, again and again, until it is answered. */
async function append(store: LiveStore, ...events: Parameters<LiveStore['append']>[0]): Promise<boolean[]> {
  for (;;) {
    try {
      return await store.append(events);
    } catch (error) {
      assert.ok(error instanceof StoreAwayError, String(error));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe('on Redis', { skip: WITHOUT_REDIS }, () => {
  before(async () => {
    redis = await RedisProcess.start();
  });
  after(async () => redis.remove());

  storeContract('Redis', async () => {
    const own = `store${made++}`;
    return { open: async () => openStore(redis.url(own)) };
  });

  test('several write at once: numbers are given once, an id counts once', async () => {
    const stores = await Promise.all([0, 1, 2].map(async () => openStore(redis.url('several'))));
    const taken = await Promise.all(
      stores.flatMap((store, writer) =>
        Array.from({ length: 30 }, async (_, i) =>
          store.append([view('u', i, `both ${i}`), view('u', i, `${writer} ${i}`)]),
        ),
      ),
    );
    assert.equal(taken.flat().filter((isNew) => isNew).length, 120);
    const [first] = stores as [LiveStore];
    const sequences: number[] = [];
    for await (const { sequence } of first.events()) sequences.push(sequence);
    assert.deepEqual(
      sequences,
      Array.from({ length: 120 }, (_, i) => i + 1),
    );
    const histories = await Promise.all(stores.map(async (store) => store.historyOf('u', 1000)));
    assert.equal(histories[0]?.length, 120);
    for (const history of histories) assert.deepEqual(history, histories[0], 'one order, whoever reads');
    await Promise.all(stores.map(async (store) => store.close()));
  });

  test('what one changes the others hear: counts add up, in order, and what was cut off is told', async () => {
    const [writer, reader] = await Promise.all([0, 1].map(async () => openStore(redis.url('changes'))));
    assert.ok(writer && reader);
    const heard: Change[] = [];
    const counts = new Map<string, number>();
    reader.sharing?.follow(async (change) => {
      heard.push(change);
      if (change.kind === 'counts') for (const [item, count] of change.counts) counts.set(item, count);
    });
    const ids = ['a', 'é "quoted"', '\u0000', '7'];
    for (let i = 0; i < 40; i++)
      await writer.append(ids.slice(i % 3).map((item) => ({ type: 'view', user: 'u', time: i, item })));
    await writer.upsert('items', [{ id: 'é "quoted"', fields: new Map([['title', 'x']]) }], 1);
    await writer.rememberActive({ active: 'r', started: 's', version: 'v', previous: null });
    await writer.erase('u', 9);
    const known = async (): Promise<Map<string, number>> => {
      const all = new Map<string, number>();
      for await (const [item, count] of writer.actionCounts()) all.set(item, count);
      return all;
    };
    await until('the erasure is heard twice', () => heard.filter(({ kind }) => kind === 'erased').length === 2);
    assert.deepEqual(counts, await known());
    assert.deepEqual(
      heard.filter(({ kind }) => kind === 'items' || kind === 'model'),
      [
        { kind: 'items', ids: ['é "quoted"'] },
        { kind: 'model', number: 42, run: { active: 'r', started: 's', version: 'v', previous: null } },
      ],
    );
    assert.ok(!heard.some(({ kind }) => kind === 'missed'));
    // somebody who is behind what is kept has to read everything again
    const late = await openStore(redis.url('changes'));
    await writer.append([view('w', 1, 'w1')]);
    await writer.append([view('w', 2, 'w2')]);
    const client = await createClient({ url: redis.url() }).connect();
    await client.xTrim('{changes}:changes', 'MAXLEN', 1);
    const [first] = await new Promise<Change[]>((resolve) => late.sharing?.follow(async (change) => resolve([change])));
    assert.deepEqual(first, { kind: 'missed' });
    await client.close();
    await Promise.all([writer, reader, late].map(async (store) => store.close()));
  });

  test('the revision of a user changes with whatever changes about the user, at whichever server, and with nothing else', async () => {
    const [writer, reader] = await Promise.all([0, 1].map(async () => openStore(redis.url('revisions'))));
    assert.ok(writer && reader);
    let before = await reader.sharing?.revisionOf('u');
    const isChangedBy = async (work: Promise<unknown>): Promise<boolean> => {
      await work;
      const now = await reader.sharing?.revisionOf('u');
      const isChanged = now !== before;
      before = now;
      return isChanged;
    };
    const attributes = (id: string) => [{ id, fields: new Map([['country', 'NL']]) }];
    assert.ok(await isChangedBy(writer.append([view('u', 1, 'e')])));
    assert.ok(
      !(await isChangedBy(writer.append([view('u', 1, 'e'), view('w', 1, 'other')]))),
      'a duplicate, and others',
    );
    assert.ok(await isChangedBy(writer.append([view('u', 0, 'late')])));
    assert.ok(await isChangedBy(writer.upsert('users', attributes('u'), 1)));
    assert.ok(!(await isChangedBy(writer.upsert('users', attributes('w'), 1))));
    assert.ok(!(await isChangedBy(writer.upsert('items', attributes('u'), 1))));
    assert.ok(await isChangedBy(writer.erase('u', 2)));
    assert.ok(await isChangedBy(writer.append([view('u', 3, 'e')])));
    await Promise.all([writer, reader].map(async (store) => store.close()));
  });

  test('kill -9 of Redis: all that was acknowledged is there, once, and connections come back', async () => {
    const store = await openStore(redis.url('killed'));
    const changes: Change[] = [];
    store.sharing?.follow(async (change) => void changes.push(change));
    const acknowledged: string[] = [];
    let killing: Promise<void> = Promise.resolve();
    await Promise.allSettled(
      Array.from({ length: 300 }, async (_, i) => {
        await store.append([view(`u${i % 7}`, i, `e${i}`)]);
        acknowledged.push(`e${i}`);
        if (acknowledged.length === 100) killing = redis.kill();
      }),
    );
    await killing;
    await until('it is noticed', () => store.sharing?.away() !== null);
    await assert.rejects(store.append([view('u', 1, 'refused')]), StoreAwayError);
    await redis.start();
    await until('it is back', () => store.sharing?.away() === null);
    const again = await openStore(redis.url('killed'));
    const ids = await idsIn(again);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of acknowledged) assert.ok(ids.includes(id), id);
    assert.ok(!ids.includes('refused'));
    assert.deepEqual(await append(store, view('u', 1, 'after')), [true]);
    // another process of Redis might know less than was heard before
    await until('everything is read again', () => changes.some(({ kind }) => kind === 'missed'));
    await Promise.all([store, again].map(async (one) => one.close()));
  });

  test('a Redis that hangs: what is asked fails in time, what comes after it at once, until it goes on', async () => {
    const store = await openStore(redis.url('hanging'));
    await store.append([view('u', 1, 'before')]);
    redis.pause();
    await assert.rejects(store.append([view('u', 2, 'during')]), StoreAwayError);
    await assert.rejects(store.historyOf('u', 9), StoreAwayError);
    redis.goOn();
    await append(store, view('u', 2, 'during'));
    assert.deepEqual(await idsIn(store), ['before', 'during'], 'what was sent again counts once');
    await store.close();
  });

  test('a store that was emptied under a server takes nothing more', async () => {
    const store = await openStore(redis.url('emptied'));
    await store.append([view('u', 1, 'e')]);
    const client = await createClient({ url: redis.url() }).connect();
    await client.del(['{emptied}:meta', '{emptied}:events', '{emptied}:ids']);
    await assert.rejects(store.append([view('u', 2, 'f')]), StoreAwayError);
    assert.match(String(store.sharing?.away()), /emptied or replaced/);
    await store.close();
    const kept: [string, (store: LiveStore) => Promise<unknown>][] = [
      ['items', async (one) => one.upsert('items', [{ id: 'i', fields: new Map([['title', 'x']]) }], 1)],
      ['erasure', async (one) => one.erase('u', 1)],
      ['model', async (one) => one.rememberActive({ active: 'a', started: 'a', version: 'v', previous: null })],
    ];
    for (const [name, write] of kept) {
      const other = await openStore(redis.url(`emptied-${name}`));
      await client.del(`{emptied-${name}}:meta`);
      await assert.rejects(write(other), StoreAwayError, name);
      assert.match(String(other.sharing?.away()), /emptied or replaced/);
      await other.close();
      assert.equal(await client.exists(`{emptied-${name}}:meta`), 0, 'nothing was put there for the next');
    }
    await client.close();
  });

  test('one that may only be read is refused in a line', async () => {
    const client = await createClient({ url: redis.url() }).connect();
    await client.sendCommand([
      'ACL',
      'SETUSER',
      'reader',
      'on',
      '>secret',
      '~*',
      '+@read',
      '+@connection',
      '+info',
      '+config|get',
    ]);
    await client.close();
    const url = redis.url('read-only').replace('redis://', 'redis://reader:secret@');
    await assert.rejects(openStore(url), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /cannot be opened as a live store: NOPERM/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });

  test('what is not fit, in one line; a password is never shown', async () => {
    await assert.rejects(
      openStore(redis.url('nothing'), { readOnly: true }),
      /has no live store with the prefix nothing/,
    );
    await assert.rejects(openStore(redis.url('%7Bx')), /a prefix is a name/);
    const secret = `redis://somebody:hunter2@127.0.0.1:${redis.port}/0`;
    await assert.rejects(openStore(secret), (error: UserError) => {
      assert.ok(error instanceof UserError);
      assert.doesNotMatch(`${error.message} ${error.stack}`, /hunter2/);
      return true;
    });
    for (const url of [secret, 'redis://somebody:hunter2@[', 'rediss://h?password=hunter2', 'REDIS://:hunter2@h:1/0'])
      assert.doesNotMatch(shownStore(url), /hunter2/, url);
    await assert.rejects(openStore('redis://somebody:hunter2@['), /^UserError: redis:\/\/… is no address/);
    const warned: string[] = [];
    await redis.kill();
    await assert.rejects(openStore(redis.url()), UserError);
    await redis.start('--appendonly', 'no');
    await assert.rejects(openStore(redis.url()), /keeps no log of its writes/);
    await redis.kill();
    await redis.start('--appendonly', 'yes', '--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru');
    await assert.rejects(openStore(redis.url()), /drops keys when its memory is full/);
    await redis.kill();
    await redis.start('--appendonly', 'yes', '--appendfsync', 'everysec');
    await (await openStore(redis.url(), { hooks: { warned: (what) => void warned.push(what) } })).close();
    assert.match(warned.join('\n'), /^\S+ has appendfsync everysec: [^\n]*$/);
    await redis.kill();
    await redis.start('--appendonly', 'yes', '--appendfsync', 'always', '--rename-command', 'CONFIG', '');
    await (await openStore(redis.url(), { hooks: { warned: (what) => void warned.push(what) } })).close();
    assert.match(String(warned[1]), /does not tell its settings/);
  });
});
