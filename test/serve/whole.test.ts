/** `sesrec serve` as a process over a trained run: what happens is seen by the next answer, survives `kill -9`, and models change under load. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SesrecClient } from '../../src/client/index.js';
import { tinyWorld, trainTiny } from '../support/command-line.js';
import { until } from '../support/waiting.js';

const BIN = fileURLToPath(new URL('../../../bin/sesrec.js', import.meta.url));

interface Running {
  readonly client: SesrecClient;
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

let folder: string;
let run: string;
const running = new Set<ChildProcess>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-serve-'));
  const world = await tinyWorld(folder, 1);
  run = world.run;
  await trainTiny(world, join(folder, 'other'), 1, '--seed', '2');
});
after(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function serve(store: string): Promise<Running> {
  const flags = ['--port', '0', '--admin-port', '0', '--threads', '1', '--store', join(folder, store)];
  const child = spawn(process.execPath, [BIN, 'serve', run, ...flags, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const text = await new Promise<string>((resolve, reject) => {
    let told = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      told += line;
      if (line === '}') resolve(told);
    });
    child.once('close', (code) => reject(new Error(`ended with ${code}: ${log}`)));
  });
  const { url } = JSON.parse(text) as { url: string };
  const client = new SesrecClient({ url, deadline: 20_000, retries: 0 });
  await until('it is ready', async () =>
    client.ready().then(
      () => true,
      () => false,
    ),
  );
  return { client, child, url, log: () => log };
}

test('the next answer knows of a search; kill -9 loses nothing; SIGTERM ends it well', async () => {
  const first = await serve('store-a');
  const { client } = first;
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
  first.child.kill('SIGKILL');
  await once(first.child, 'close');

  const second = await serve('store-a');
  assert.deepEqual(await second.client.sendEvents(events), { accepted: 0, duplicate: 2, rejected: [] });
  assert.equal((await second.client.interests(user)).timeline.length, 2);
  assert.equal((await second.client.eraseUser(user)).erased, true);
  assert.equal((await second.client.interests(user)).timeline.length, 0);
  second.child.kill('SIGTERM');
  const [code] = (await once(second.child, 'close')) as [number];
  assert.equal(code, 0, second.log());
  assert.ok(!second.log().includes(user));
});

test('models change under load: no failed answer, one version in each', async () => {
  const { client, child, url } = await serve('store-b');
  const seen = new Map<string, number>();
  const over = new AbortController();
  const patient = new SesrecClient({ url, deadline: 20_000, retries: 5 }); // who is turned away on a busy machine asks again
  const load = Array.from({ length: 4 }, async (_, worker) => {
    for (let i = 0; !over.signal.aborted; i++) {
      const { model, items } = await patient.recommend({ user: `u${(7 * i + worker) % 24}`, k: 5 });
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
  child.kill('SIGTERM');
  await once(child, 'close');
});
