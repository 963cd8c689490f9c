/** `sesrec serve` as a process over a trained run: what happens is seen by the next answer, survives `kill -9`, and models change under load. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SesrecClient, SesrecError } from '../../src/client/index.js';
import { tinyWorld, trainTiny } from '../support/command-line.js';
import { type ServingProcess, serveProcess } from '../support/serving-process.js';
import { until } from '../support/waiting.js';

let folder: string;
let run: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-serve-'));
  const world = await tinyWorld(folder, 1);
  run = world.run;
  await trainTiny(world, join(folder, 'other'), 1, '--seed', '2');
});
after(async () => rm(folder, { recursive: true, force: true }));

const clientOf = ({ url }: ServingProcess): SesrecClient => new SesrecClient({ url, deadline: 20_000, retries: 0 });

test('the next answer knows of a search; kill -9 loses nothing; SIGTERM ends it well', async () => {
  await using first = await serveProcess(run, join(folder, 'store-a'));
  const client = clientOf(first);
  const user = 'somebody new';
  const before = await client.recommend({ user, k: 5 });
  assert.ok(before.items.length > 0 && before.id !== '');
  assert.equal(before.source, 'popular');
  const events = [
    { type: 'search', id: 's1', user, query: 'category 3' },
    { type: 'view', id: 'v1', user, item: before.items[0]?.item ?? '', recommendation_id: before.id },
  ] as const;
  assert.deepEqual(await client.sendEvents(events), { accepted: 2, duplicate: 0, rejected: [] });
  const { timeline } = await client.interests(user);
  assert.deepEqual(timeline.map(({ type }) => type).toSorted(), ['feed', 'search']);
  const next = await client.recommend({ user, k: 5 });
  assert.notEqual(next.source, 'popular');
  assert.ok(!next.items.some(({ item }) => item === before.items[0]?.item), 'what was met does not come again');
  await first.kill();

  await using second = await serveProcess(run, join(folder, 'store-a'));
  const other = clientOf(second);
  assert.deepEqual(await other.sendEvents(events), { accepted: 0, duplicate: 2, rejected: [] });
  assert.equal((await other.interests(user)).timeline.length, 2);
  assert.equal((await other.eraseUser(user)).erased, true);
  assert.equal((await other.interests(user)).timeline.length, 0);
  second.child.kill('SIGTERM');
  const [code] = (await once(second.child, 'close')) as [number];
  assert.equal(code, 0, second.log());
  assert.ok(!second.log().includes(user));
});

test('models change under load: no failed answer, one version in each', async () => {
  await using server = await serveProcess(run, join(folder, 'store-b'));
  const client = clientOf(server);
  const seen = new Map<string, number>();
  const over = new AbortController();
  /** Who is turned away on a busy machine asks again; nothing else may go wrong. */
  const answer = async (user: string): ReturnType<SesrecClient['recommend']> => {
    for (;;)
      try {
        return await client.recommend({ user, k: 5 });
      } catch (error) {
        if (!(error instanceof SesrecError && error.code === 'overloaded')) throw error;
        await sleep(20);
      }
  };
  const load = Array.from({ length: 4 }, async (_, worker) => {
    for (let i = 0; !over.signal.aborted; i++) {
      const { model, items } = await answer(`u${(7 * i + worker) % 24}`);
      seen.set(model.version, (seen.get(model.version) ?? 0) + 1);
      assert.ok(items.length > 0);
    }
  });
  const active = async (): Promise<string | undefined> =>
    (await client.models()).models.find(({ state }) => state === 'active')?.version;
  /** Waits for answers of a version that were asked for after now. */
  const answersOf = async (version: string | undefined): Promise<void> => {
    const before = seen.get(version ?? '') ?? 0;
    const isAnswered = until('answers of it', () => (seen.get(version ?? '') ?? 0) > before + load.length);
    await Promise.race([isAnswered, Promise.all(load)]);
  };
  const old = await active();
  for (let round = 0; round < 2; round++) {
    await client.activateModel('other');
    const now = await active();
    assert.notEqual(now, old);
    await answersOf(now);
    await client.rollbackModel();
    assert.equal(await active(), old);
    await answersOf(old);
  }
  await assert.rejects(client.activateModel('data'), { status: 422 });
  assert.equal(await active(), old);
  over.abort();
  await Promise.all(load);
  assert.equal(seen.size, 2);
  assert.ok([...seen.values()].reduce((all, some) => all + some, 0) > 20);
});
