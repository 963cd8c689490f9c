/**
 * Events survive: `kill -9` of a server under a stream of them, again and again on one store. What was acknowledged is there, once, in order;
 * what was not may be sent again. And a store that is damaged says so.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CorruptFileError, Random } from '../../src/base/index.js';
import { type LiveStore, openLmdbStore, recoverStore } from '../../src/online/index.js';
import { tinyWorld } from '../support/command-line.js';
import { serveProcess } from '../support/serving-process.js';
import { KILLS, SEED, inSoak } from '../support/soak.js';

let folder: string;
let run: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-events-'));
  ({ run } = await tinyWorld(folder, 1));
});
after(async () => rm(folder, { recursive: true, force: true }));

const USERS = 5;
interface Sent {
  readonly id: string;
  readonly type: 'view' | 'search';
  readonly user: string;
  readonly time: number;
  readonly item?: string;
  readonly query?: string;
}

/** Sends batches until it is stopped; `acknowledged` gets the ids of those that were accepted, `sent` all. */
class Stream {
  readonly sent = new Map<string, Sent>();
  readonly acknowledged = new Set<string>();
  readonly #random: Random;
  #made = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  #batch(): Sent[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.integer(12) }, () => {
      const [id, isSearch] = [`e${this.#made++}`, random.float() < 0.3];
      const event: Sent = {
        id,
        type: isSearch ? 'search' : 'view',
        user: `k${random.integer(USERS)}`,
        time: 1e12 + random.integer(50), // late ones and ties, too
        ...(isSearch ? { query: `q${random.integer(9)}` } : { item: `i${random.integer(9)}` }),
      };
      this.sent.set(id, event);
      return event;
    });
  }

  /** Sends one batch after another; ends when the server is gone. */
  async run(url: string): Promise<void> {
    for (;;) {
      const batch = this.#batch();
      try {
        const { status, accepted, duplicate } = await post(url, batch);
        assert.equal(status, 202);
        assert.deepEqual([accepted, duplicate], [batch.length, 0]);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return;
      }
      for (const { id } of batch) this.acknowledged.add(id);
    }
  }
}

async function post(
  url: string,
  batch: readonly Sent[],
): Promise<{ status: number; accepted: number; duplicate: number }> {
  const response = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(batch),
  });
  return { status: response.status, ...((await response.json()) as { accepted: number; duplicate: number }) };
}

/** Everything in a store is as it was sent, once and in order; the ids that are there. */
async function check(store: LiveStore, { sent, acknowledged }: Stream): Promise<Set<string>> {
  const found = new Set<string>();
  let actions = 0;
  for await (const { event } of store.events()) {
    const { id, ...kept } = event;
    assert.ok(id !== undefined && !found.has(id), `${id} is there twice`);
    found.add(id);
    const { id: _, ...wanted } = sent.get(id) as Sent;
    assert.deepEqual(kept, wanted, 'nothing is there that was not sent so');
    if (event.type === 'view') actions++;
  }
  assert.deepEqual(
    [...acknowledged].filter((id) => !found.has(id)),
    [],
    'what was acknowledged is there',
  );
  let inHistories = 0;
  for (let user = 0; user < USERS; user++) {
    const history = await store.historyOf(`k${user}`, 1e6);
    inHistories += history.length;
    for (const [i, { sequence, event }] of history.entries()) {
      const before = history[i - 1];
      const isInOrder =
        !before || before.event.time < event.time || (before.event.time === event.time && before.sequence < sequence);
      assert.ok(isInOrder, 'in order of time, ties as they were taken');
    }
  }
  assert.equal(inHistories, found.size);
  let counted = 0;
  for await (const [, count] of store.actionCounts()) counted += count;
  assert.equal(counted, actions, 'counts are those of the events');
  return found;
}

test(`${KILLS} kills of a server under a stream of events`, async () => {
  const directory = join(folder, 'store');
  const random = new Random(SEED, 'kills of a server');
  const stream = new Stream(random);
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await serveProcess(run, directory, '--log-level', 'silent');
    const before = stream.acknowledged.size;
    const sending = Promise.all([stream.run(server.url), stream.run(server.url), stream.run(server.url)]);
    while (stream.acknowledged.size === before) await sleep(1);
    await sleep(random.integer(200));
    await server.kill();
    await sending;
    const store = await openLmdbStore(directory, { readOnly: true });
    try {
      await check(store, stream);
    } finally {
      await store.close();
    }
  }
  // what was on the way is sent again: whatever of it was kept is known, the rest is taken
  await using server = await serveProcess(run, directory, '--log-level', 'silent');
  const unanswered = [...stream.sent.values()].filter(({ id }) => !stream.acknowledged.has(id));
  const { status, accepted, duplicate } = await post(server.url, unanswered);
  assert.equal(status, 202);
  assert.equal(accepted + duplicate, unanswered.length);
  for (const { id } of unanswered) stream.acknowledged.add(id);
  const store = await openLmdbStore(directory, { readOnly: true });
  assert.equal((await check(store, stream)).size, stream.sent.size);
  await store.close();
});

/** A store of some thousand events, and what is in it by number. */
async function fullStore(directory: string): Promise<Map<number, string>> {
  const store = await openLmdbStore(directory);
  for (let batch = 0; batch < 20; batch++)
    await store.append(
      Array.from({ length: 100 }, (_, i) => ({
        type: 'view',
        id: `e${batch}-${i}`,
        user: `u${(7 * batch + i) % 40}`,
        item: `i${i % 30}`,
        time: 1000 * batch + i,
      })),
    );
  await store.upsert('items', [{ id: 'i1', fields: new Map([['title', 'Tent']]) }], 1);
  await store.erase('u3', 5);
  const events = new Map<number, string>();
  for await (const { sequence, event } of store.events()) events.set(sequence, JSON.stringify(event));
  await store.close();
  return events;
}

async function overwrite(file: string, at: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

const PAGE = 4096;

test('a damaged store is told in a line, and what can be read of it becomes a store with the same id and numbers', async () => {
  const directory = join(folder, 'sound');
  const events = await fullStore(directory);
  const sound = await openLmdbStore(directory, { readOnly: true });
  const { id } = sound;
  await sound.close();
  const file = join(directory, 'live.mdb');
  const { size } = await stat(file);
  const random = new Random(SEED, 'damage to a store');
  const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.integer(256));
  const pages = Array.from({ length: inSoak(4, 300) }, () => 2 + random.integer(size / PAGE - 2));
  const damages: { readonly do: (path: string) => Promise<void>; readonly isTold: boolean; readonly least: number }[] =
    [
      { do: async () => undefined, isTold: false, least: events.size },
      { do: async (path) => truncate(path, size / 2), isTold: true, least: 0 },
      { do: async (path) => truncate(path, size - PAGE), isTold: true, least: 1000 },
      { do: async (path) => overwrite(path, 0, noise(PAGE)), isTold: true, least: 1000 },
      { do: async (path) => overwrite(path, PAGE, noise(PAGE)), isTold: true, least: 1000 },
      ...pages.map((page, i) => ({
        do: async (path: string) => overwrite(path, page * PAGE, i % 2 === 0 ? noise(PAGE) : new Uint8Array(PAGE)),
        isTold: false, // nobody looks at every page when a store is opened
        least: 0,
      })),
    ];
  let all = 0;
  for (const [i, { do: damage, isTold, least }] of damages.entries()) {
    const copy = join(folder, `damaged ${i}`);
    await cp(directory, copy, { recursive: true });
    await damage(join(copy, 'live.mdb'));
    if (isTold)
      await assert.rejects(openLmdbStore(copy), (error) => {
        assert.ok(error instanceof CorruptFileError, String(error));
        assert.match(error.message, /^[^\n]*is damaged[^\n]*sesrec recover[^\n]*$/);
        return true;
      });
    const out = join(folder, `recovered ${i}`);
    const found = await recoverStore(copy, out);
    const recovered = await openLmdbStore(out);
    let [count, counted] = [0, 0];
    for await (const { sequence, event } of recovered.events()) {
      count++;
      assert.equal(JSON.stringify(event), events.get(sequence), 'each is as it was, with its number');
    }
    for await (const [, actions] of recovered.actionCounts()) counted += actions;
    assert.deepEqual([count, counted], [found.events, found.events]);
    assert.ok(count >= least, `${count} events, at least ${least} expected`);
    if (least === events.size) assert.deepEqual([recovered.id, found.failures, found.missing], [id, [], 0]);
    if (count < events.size)
      assert.ok(
        found.failures.length + found.missing > 0,
        `damage ${i}: ${count} of ${events.size}, ${JSON.stringify(found)}`,
      );
    assert.deepEqual(await recovered.append([{ type: 'view', user: 'u', item: 'i', time: 1 }]), [true]);
    await recovered.close();
    if (count === events.size) all++;
    for (const gone of [copy, out]) await rm(gone, { recursive: true });
  }
  assert.ok(all >= 2);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('recovering')),
    [],
  );
});

test('an empty file where a store was is no new store', async () => {
  const directory = join(folder, 'emptied');
  await fullStore(directory);
  await truncate(join(directory, 'live.mdb'), 0);
  await assert.rejects(openLmdbStore(directory), CorruptFileError);
  await assert.rejects(recoverStore(directory, join(folder, 'nothing')), CorruptFileError);
});
