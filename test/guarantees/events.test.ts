/**
 * Events survive: `kill -9` of a server under a stream of them, again and again on one store. What was acknowledged is there, once, in order;
 * what was not may be sent again. And a store that is damaged says so.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/base/index.js';
import { type LiveStore, openLmdbStore } from '../../src/online/index.js';
import { tinyWorld } from '../support/command-line.js';
import { serveProcess } from '../support/serving-process.js';
import { KILLS, SEED } from '../support/soak.js';

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
