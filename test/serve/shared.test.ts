/**
 * Two `sesrec serve` processes on one Redis under load: one of them is killed, then Redis itself; what was acknowledged is there, once. Skipped by name where there is no
 * redis-server.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { SesrecClient } from '../../src/client/index.js';
import { openStore } from '../../src/online/index.js';
import { assertRefusal, inProcess, sesrecJson, tinyWorld, trainTiny } from '../support/command-line.js';
import { RedisProcess, WITHOUT_REDIS } from '../support/redis-process.js';
import { until } from '../support/waiting.js';
import { type ServingProcess, serveProcess } from '../support/serving-process.js';
import { SEED, inSoak } from '../support/soak.js';

const PASSWORD = 'hunter2hunter2';
const USERS = 24;

let folder: string;
let run: string;
let redis: RedisProcess;
/** Servers that are begun in the course of a test. */
const later = new Set<ServingProcess>();

/** How often servers and Redis are killed. */
const ROUNDS = inSoak(1, 20);

interface Told {
  readonly status: number;
  readonly retryAfter: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever an answer holds, a test looks into it
  readonly json: any;
}

async function post(url: string, path: string, body: unknown): Promise<Told> {
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), json: await answer.json() };
}

/** Asks and sends, without end, of servers in turn; one that is gone is asked no more. */
class Load {
  readonly acknowledged = new Set<string>();
  readonly answers = new Map<number, number>();
  readonly versions = new Set<string>();
  /** Requests that got no answer at all. */
  lost = 0;
  readonly #gone = new Set<string>();
  readonly #over = new AbortController();
  readonly #workers: Promise<void>[] = [];
  #made = 0;
  #turn = 0;

  readonly #servers: ServingProcess[];

  constructor(...servers: readonly ServingProcess[]) {
    this.#servers = [...servers];
    for (let worker = 0; worker < 3; worker++) this.#workers.push(this.#send(), this.#ask());
  }

  /** Asks this one as well. */
  add(server: ServingProcess): void {
    this.#servers.push(server);
  }

  get asking(): number {
    return this.#workers.length;
  }

  async #any(path: string, body: unknown): Promise<Told | null> {
    const there = this.#servers.filter(({ url }) => !this.#gone.has(url));
    const { url, child } = there[this.#turn++ % there.length] as ServingProcess;
    try {
      const told = await post(url, path, body);
      this.answers.set(told.status, (this.answers.get(told.status) ?? 0) + 1);
      if (told.status === 503) assert.ok(Number(told.retryAfter) >= 1);
      return told;
    } catch (error) {
      assert.ok(child.killed, `${url} is not the one that was killed: ${error}`);
      this.#gone.add(url);
      this.lost++;
      return null;
    }
  }

  async #send(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const batch = Array.from({ length: 5 }, () => {
        const number = this.#made++;
        return { type: 'view', id: `e${number}`, user: `u${number % USERS}`, item: `i${number % 40}` };
      });
      // until it is answered for: what got no answer, or 503, is sent again
      for (;;) {
        const told = await this.#any('/v1/events', batch);
        if (told?.status === 202) {
          assert.equal(told.json.accepted + told.json.duplicate, batch.length);
          for (const { id } of batch) this.acknowledged.add(id);
          break;
        }
        if (told) assert.equal(told.status, 503, JSON.stringify(told.json));
        if (told) await new Promise((resolve) => setTimeout(resolve, 50));
        if (this.#over.signal.aborted) return;
      }
    }
  }

  async #ask(): Promise<void> {
    for (let i = 0; !this.#over.signal.aborted; i++) {
      const told = await this.#any('/v1/recommendations', { user: `u${i % USERS}`, k: 5 });
      if (!told || (told.status === 503 && told.json.code === 'overloaded')) continue;
      assert.equal(told.status, 200, JSON.stringify(told.json));
      assert.equal(told.json.items.length, 5);
      this.versions.add(told.json.model.version);
    }
  }

  async more(events: number): Promise<void> {
    const enough = this.acknowledged.size + events;
    const failed = Promise.all(this.#workers);
    await Promise.race([failed, until(`${events} more events`, () => this.acknowledged.size >= enough)]);
  }

  async end(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#workers);
  }
}

/** Ids in the store, each once. */
async function storedIds(prefix: string): Promise<Set<string>> {
  const store = await openStore(redis.url(prefix), { readOnly: true });
  const ids: string[] = [];
  for await (const { event } of store.events()) ids.push(event.id as string);
  await store.close();
  assert.equal(new Set(ids).size, ids.length, 'none is there twice');
  return new Set(ids);
}

describe('two servers on one Redis', { skip: WITHOUT_REDIS }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sesrec-shared-'));
    const world = await tinyWorld(folder, 1);
    ({ run } = world);
    await trainTiny(world, join(folder, 'other'), 1, '--seed', '2');
    redis = await RedisProcess.start(PASSWORD);
  });
  after(async () => {
    for (const { kill } of later) await kill();
    await redis.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test('models change, a server is killed, Redis is killed: nothing that was acknowledged is lost or there twice, and who is left goes on', async () => {
    const stores = redis.url('load');
    await using a = await serveProcess(run, stores);
    await using b = await serveProcess(run, stores);
    const random = new Random('kills', SEED);
    const load = new Load(a, b);
    await load.more(100);

    // a model that one is told to switch to
    const [first, second] = [a, b].map(({ url }) => new SesrecClient({ url, deadline: 60_000, retries: 0 }));
    assert.ok(first && second);
    const activeAt = async (client: SesrecClient): Promise<string | undefined> =>
      (await client.models()).models.find(({ state }) => state === 'active')?.name;
    await first.activateModel('other');
    await until('the other has switched', async () => (await activeAt(second)) === 'other');
    await until('answers of both', () => load.versions.size === 2);
    await second.rollbackModel();
    await until('the first is back', async () => (await activeAt(first)) === 'run');
    assert.equal(load.lost, 0);
    const metrics = await (await fetch(`${b.adminUrl}/metrics`)).text();
    assert.match(metrics, /^sesrec_store_up 1$/m);
    assert.match(metrics, /^sesrec_model_info\{name="run",version="\w+"\} 1$/m);

    // a server
    await load.more(100);
    await a.kill();
    await load.more(200);
    assert.ok(load.lost <= load.asking, `${load.lost} requests without an answer: only those under way may be`);
    assert.equal(load.answers.get(500), undefined);

    // Redis
    await redis.kill();
    await until(
      'it says so',
      async () => ((await (await fetch(`${b.url}/health/ready`)).json()) as { status: string }).status === 'impaired',
    );
    const refused = await post(b.url, '/v1/events', [{ type: 'view', id: 'refused', user: 'u1', item: 'i1' }]);
    assert.deepEqual([refused.status, refused.json.code, refused.retryAfter], [503, 'store_away', '1']);
    let marked: Told;
    do marked = await post(b.url, '/v1/recommendations', { user: 'u1', k: 5 });
    while (marked.json.code === 'overloaded');
    assert.deepEqual([marked.status, marked.json.degraded, marked.json.notes[0].code], [200, true, 'store_away']);
    assert.match(await (await fetch(`${b.adminUrl}/metrics`)).text(), /^sesrec_store_up 0$/m);
    await redis.start();
    await load.more(100);
    assert.deepEqual(await (await fetch(`${b.url}/health/ready`)).json(), { status: 'ready' });

    // again and again, in the full form: servers one after another, and Redis at any moment
    let last = b;
    for (let round = 1; round < ROUNDS; round++) {
      const next = await serveProcess(run, stores);
      later.add(next);
      load.add(next);
      await load.more(random.integer(100));
      await last.kill();
      last = next;
      await load.more(1 + random.integer(200));
      await redis.kill();
      await redis.start();
      await load.more(50);
      assert.ok(load.lost <= load.asking * (round + 1));
    }
    await load.end();

    const stored = await storedIds('load');
    assert.deepEqual(
      [...load.acknowledged].filter((id) => !stored.has(id)),
      [],
    );
    assert.ok(!stored.has('refused'));
    assert.equal(load.answers.get(500), undefined);
    for (const { log } of [a, b]) assert.doesNotMatch(log(), new RegExp(`${PASSWORD}|"level":"?(fatal|60)|bug`));

    // one that begins anew knows it all
    await using again = await serveProcess(run, stores);
    const sent = [...load.acknowledged].slice(0, 50).map((id) => ({ type: 'view', id, user: 'u1', item: 'i1' }));
    assert.equal((await post(again.url, '/v1/events', sent)).json.duplicate, 50);

    // and the loop closes: training data from the store
    const data = join(folder, 'from redis');
    await sesrecJson('import', 'live', stores, join(folder, 'log.jsonl'), '--out', data);
    assert.doesNotMatch(await readFile(join(data, 'manifest.json'), 'utf8'), new RegExp(`${PASSWORD}|redis:`));
    await trainTiny({ data }, join(folder, 'grown'), 1, '--warm', run);
    assert.equal(
      (await new SesrecClient({ url: again.url, deadline: 60_000 }).activateModel('grown')).models[0]?.name,
      'grown',
    );
  });

  test('passwords are shown nowhere; what cannot be done with a store on Redis is one line', async () => {
    const file = join(folder, 'serve.json');
    await writeFile(file, JSON.stringify({ store: redis.url('shown') }));
    const printed = await inProcess('serve', run, '--config', file, '--print-config');
    assert.equal(printed.code, 0);
    assert.match(printed.out, /redis:\/\/:…@127\.0\.0\.1/);
    const outcomes = [
      printed,
      await inProcess('recover', redis.url('shown'), '--out', join(folder, 'recovered')),
      await inProcess('import', 'live', redis.url('nothing'), '--out', join(folder, 'nothing')),
      await inProcess(
        'serve',
        run,
        '--store',
        redis.url('shown').replace(PASSWORD, `wrong${PASSWORD}`),
        '--port',
        '0',
        '--admin-port',
        '0',
        '--log-level',
        'error',
      ),
      await inProcess(
        'serve',
        run,
        '--store',
        `redis://:${PASSWORD}@127.0.0.1:1`,
        '--port',
        '0',
        '--admin-port',
        '0',
        '--log-level',
        'error',
      ),
    ];
    assertRefusal(outcomes[1] as (typeof outcomes)[0], 1, /is no directory/);
    assertRefusal(outcomes[2] as (typeof outcomes)[0], 1, /has no live store/);
    assertRefusal(outcomes[3] as (typeof outcomes)[0], 1, /cannot be opened as a live store: WRONGPASS/);
    assertRefusal(outcomes[4] as (typeof outcomes)[0], 1, /cannot be opened as a live store/);
    for (const { out, err } of outcomes) assert.doesNotMatch(out + err, new RegExp(PASSWORD));
  });
});
