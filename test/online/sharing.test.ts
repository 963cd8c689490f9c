/**
 * Two recommenders on one Redis: what happens at one is seen by the next answer of the other, and changes of items, counts, users and models arrive; what is
 * answered while Redis is away. Skipped by name where there is no redis-server.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FIRST_INDEX } from '../../src/data/index.js';
import { loadRun } from '../../src/model/index.js';
import {
  type Engine,
  type EngineOptions,
  type LiveEvent,
  StoreAwayError,
  openEngine,
  openStore,
} from '../../src/online/index.js';
import { RedisStore } from '../../src/online/store/redis-store.js';
import type { ActiveRun } from '../../src/online/store/store.js';
import { QUICK, sesrec, tinyWorld } from '../support/command-line.js';
import { RedisProcess, WITHOUT_REDIS } from '../support/redis-process.js';
import { until } from '../support/waiting.js';

let folder: string;
let redis: RedisProcess;
let users: readonly string[];
const versions: Record<string, string> = {};
const open = new Set<Engine>();

async function engineOn(prefix: string, options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await openEngine({
    run: join(folder, 'plain'),
    store: redis.url(prefix),
    threads: 1,
    hooks: {},
    ...options,
  });
  open.add(engine);
  return engine;
}

async function pair(prefix: string): Promise<[Engine, Engine]> {
  return [await engineOn(prefix), await engineOn(prefix)];
}

const accept = async (engine: Engine, ...events: LiveEvent[]): Promise<void> => {
  const answer = await engine.accept(events.map((event, index) => ({ index, event })));
  assert.deepEqual(answer, { accepted: events.length, duplicate: 0, rejected: [] });
};
const idsOf = (answer: { items: readonly { item: string }[] }): string[] => answer.items.map(({ item }) => item);
const codesOf = (answer: { notes: readonly { code: string }[] }): string[] => answer.notes.map(({ code }) => code);
const activeOf = async (engine: Engine): Promise<string | undefined> =>
  (await engine.models()).find(({ state }) => state === 'active')?.version;

describe('on one Redis', { skip: WITHOUT_REDIS }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sesrec-sharing-'));
    const world = await tinyWorld(folder, 0);
    for (const [name, ...flags] of [
      ['plain', '--seed', '1'],
      ['other', '--item-attributes', 'category', '--seed', '2'],
    ] as const) {
      const { code, err } = await sesrec(
        'train',
        world.data,
        '--out',
        join(folder, name),
        '--epochs',
        '1',
        ...QUICK,
        ...flags,
      );
      assert.equal(code, 0, err);
      const run = await loadRun(join(folder, name));
      versions[name] = run.version;
      users = run.dataset.users.ids.slice(FIRST_INDEX);
    }
    redis = await RedisProcess.start();
  });
  after(async () => {
    for (const engine of open) await engine.close();
    await redis.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test('200 times: what one accepted, the next answer of the other knows; both lists are the same', async () => {
    const engines = await pair('pairs');
    for (let i = 0; i < 200; i++) {
      const [writer, reader] = i % 2 === 0 ? engines : [engines[1], engines[0]];
      const user = users[i % users.length] as string;
      const [best] = idsOf(await reader.recommend({ user, k: 5 }));
      assert.ok(best !== undefined);
      await accept(writer, { type: 'view', id: `e${i}`, user, item: best, time: Date.now() });
      const next = await reader.recommend({ user, k: 5 });
      assert.ok(!idsOf(next).includes(best), `pair ${i}: what was met at the other comes again`);
      assert.deepEqual(next.notes, []);
      if (i % 10 === 0) assert.deepEqual(next.items, (await writer.recommend({ user, k: 5 })).items);
    }
    // somebody whom neither knew
    const user = 'somebody new';
    await engines[0].recommend({ user });
    await accept(engines[1], { type: 'search', id: 's', user, query: 'category 3', time: 1 });
    assert.equal((await engines[0].recommend({ user })).source, 'model');
  });

  test('events of one user, taken at both at once, late ones and equal times among them: one order', async () => {
    const engines = await pair('order');
    const user = 'u in order';
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) =>
        accept(engines[i % 2] as Engine, {
          type: 'view',
          id: `e${i}`,
          user,
          item: `i${i % 9}`,
          time: 1000 + ((i * 7) % 5),
        }),
      ),
    );
    const third = await engineOn('order');
    const timelines = await Promise.all([...engines, third].map(async (engine) => engine.interests(user)));
    const [first, ...others] = timelines.map(({ timeline }) => timeline.map(({ event, time }) => [event, time]));
    assert.equal(first?.length, 60);
    for (const other of others) assert.deepEqual(other, first);
    assert.deepEqual(
      first,
      first.toSorted((a, b) => String(a[1]).localeCompare(String(b[1]))),
    );
  });

  test('items, counts and people of one arrive at the other', async () => {
    const [a, b] = await pair('items');
    await a.activate({ run: 'other' });
    await until('the model that sees attributes', async () => (await activeOf(b)) === versions['other']);
    const user = users[3] as string;
    await b.recommend({ user });
    await a.upsertItems([{ item: 'brand new', fields: { title: 'Brand new', category: 'category 1' } }]);
    const only = { filters: [{ attribute: 'title', any_of: ['Brand new'] }], user, k: 1, repeat: 'all' } as const;
    await until('the item', async () => idsOf(await b.recommend(only))[0] === 'brand new');
    assert.equal((await b.recommend(only)).items[0]?.source, 'attributes');
    assert.deepEqual((await b.recommend(only)).items, (await a.recommend(only)).items);
    await a.upsertItems([{ item: 'brand new', fields: { title: null } }]);
    await until('the title is gone', async () => idsOf(await b.recommend(only)).length === 0);
    for (let i = 0; i < 30; i++)
      await accept(i % 2 === 0 ? a : b, { type: 'view', user: `stranger ${i % 3}`, item: 'brand new', time: i });
    const countAt = async (engine: Engine) => (await engine.inspection.item('brand new'))?.count;
    for (const engine of [a, b]) await until('30 views', async () => (await countAt(engine)) === 30);
    const strangers = async (engine: Engine) =>
      (await engine.inspection.people({ search: 'stranger', limit: 9, offset: 0 })).people.map((one) => one.user);
    assert.deepEqual((await strangers(b)).toSorted(), ['stranger 0', 'stranger 1', 'stranger 2']);
    await accept(a, { type: 'view', user: 'stranger 3', item: 'brand new', time: 1 });
    assert.equal((await strangers(b)).length, 4, 'who came since is found too');
  });

  test('who is erased at one is unknown to the next answer of the other, and counts nowhere', async () => {
    const [a, b] = await pair('erased');
    const user = users[5] as string;
    const counted = (await b.interests(user)).timeline.find(({ type }) => type === 'feed')?.items[0] as string;
    const countAt = async (engine: Engine) => (await engine.inspection.item(counted))?.count ?? NaN;
    const before = await countAt(b);
    await accept(a, { type: 'view', id: 'v', user, item: counted, time: Date.now() });
    await until('the view counts', async () => (await countAt(b)) === before + 1);
    assert.equal((await b.recommend({ user })).source, 'model');
    assert.deepEqual(await a.erase(user), { erased: true, events: 1 });
    const next = await b.recommend({ user });
    assert.equal(next.source, 'popular');
    assert.deepEqual(codesOf(next), ['unknown_user']);
    assert.equal((await b.interests(user)).timeline.length, 0);
    assert.deepEqual(
      (await b.inspection.people({ search: user, limit: 9, offset: 0 })).people.filter((one) => one.user === user),
      [],
    );
    const fresh = await engineOn('erased');
    const expected = await countAt(fresh);
    assert.ok(expected < before);
    for (const engine of [a, b])
      await until('counts without the user', async () => (await countAt(engine)) === expected);
  });

  test('a model activated at one answers at the other, under load and in whole answers; back again from the other', async () => {
    const [a, b] = await pair('models');
    const seen = new Set<string>();
    const over = new AbortController();
    const load = (async () => {
      for (let i = 0; !over.signal.aborted; i++) {
        const answer = await b.recommend({ user: users[i % users.length] as string, k: 5 });
        assert.equal(answer.items.length, 5);
        assert.ok(Object.values(versions).includes(answer.model.version));
        seen.add(answer.model.version);
      }
    })();
    await a.activate({ run: 'other' });
    await until('the other follows', async () => (await activeOf(b)) === versions['other']);
    assert.equal(seen.size >= 1, true);
    // one that begins later begins with it, and rolls back to what it never had
    const late = await engineOn('models');
    assert.equal(await activeOf(late), versions['other']);
    await late.rollback();
    for (const engine of [a, b, late])
      await until('all are back', async () => (await activeOf(engine)) === versions['plain']);
    // both ways at once: all end with the same
    await Promise.allSettled([a.activate({ run: 'other' }), b.rollback(), late.activate({ run: 'plain' })]);
    const stored = await openStore(redis.url('models'), { readOnly: true });
    const last = (await stored.activeRun())?.version;
    await stored.close();
    for (const engine of [a, b, late]) await until('all agree', async () => (await activeOf(engine)) === last);
    over.abort();
    await load;
  });

  test('an answer that comes late does not undo what was activated meanwhile', async (t) => {
    const [a, b] = await pair('late answers');
    const overtaken = new AbortController();
    const remember = Reflect.get(RedisStore.prototype, 'rememberActive');
    t.mock.method(RedisStore.prototype, 'rememberActive', async function (this: RedisStore, run: ActiveRun) {
      const number = await remember.call(this, run);
      if (run.version === versions['other']) await once(overtaken.signal, 'abort'); // a slow way back
      return number;
    });
    const slow = a.activate({ run: 'other' });
    await until('it is there', async () => (await activeOf(b)) === versions['other']);
    await b.activate({ run: 'plain' });
    await delay(500); // what changed is heard on another connection
    overtaken.abort();
    await slow;
    for (const engine of [a, b])
      await until('both have the last', async () => (await activeOf(engine)) === versions['plain']);
    assert.deepEqual(a.troubles(), []);
  });

  test('one that cannot load what was activated says so and goes on; one with other parameters as well', async () => {
    const [runs, failed] = [join(folder, 'runs of another'), [] as string[]];
    await cp(join(folder, 'plain'), join(runs, 'plain'), { recursive: true });
    const a = await engineOn('without');
    const b = await engineOn('without', {
      run: join(runs, 'plain'),
      hooks: { failed: (what, error) => void failed.push(`${what}: ${error}`) },
    });
    assert.deepEqual(b.troubles(), []);
    await a.activate({ run: 'other' });
    await until('it says so', () => b.troubles().length > 0);
    assert.deepEqual(b.troubles(), ['the run other was activated and cannot be loaded here; the log says why']);
    assert.match(failed.join('\n'), /switching as others did/);
    assert.equal((await b.recommend({ user: users[0] as string })).model.version, versions['plain']);
    await a.rollback();
    await until('it is content again', () => b.troubles().length === 0);
    await cp(join(folder, 'plain'), join(runs, 'other'), { recursive: true }); // not what is activated by that name
    await a.activate({ run: 'other' });
    await until('it says so again', () => b.troubles().length > 0);
    assert.match(failed.join('\n'), /has other parameters than the run that was activated/);
    const late = await engineOn('without', { run: join(runs, 'plain') });
    assert.equal(late.troubles().length, 1);
    assert.equal(await activeOf(late), versions['plain']);
  });

  test('Redis hangs: an answer with a deadline does not wait for it', async () => {
    const engine = await engineOn('hanging');
    const [user] = users.slice(3) as [string];
    redis.pause();
    try {
      const start = performance.now();
      const answer = await engine.recommend({ user, k: 3, deadline_ms: 300 });
      const waited = performance.now() - start;
      assert.ok(waited < 1500, `${waited} ms, and a connection is given up after 3,000`);
      assert.deepEqual([answer.degraded, answer.items.length], [true, 3]);
    } finally {
      redis.goOn();
    }
    await until('it answers again', async () => !(await engine.recommend({ user, k: 3 })).degraded);
  });

  test('Redis is away: answers from what is known, marked; no event is accepted; it comes back by itself', async () => {
    const told: (string | null)[] = [];
    const engine = await engineOn('away', { hooks: { storeAway: (reason) => void told.push(reason) } });
    const [known, unknown] = [users[1] as string, users[2] as string];
    const item = idsOf(await engine.recommend({ user: known, k: 1 }))[0] as string;
    await accept(engine, { type: 'view', id: 'v', user: known, item, time: Date.now() });
    // one that was started with another run since the last one was activated goes on with its own
    await engine.activate({ run: 'plain' });
    const rolled = await engineOn('away', { run: join(folder, 'other') });
    assert.equal(await activeOf(rolled), versions['other']);
    const before = await engine.recommend({ user: known, k: 9 });
    await redis.kill();
    const during = await engine.recommend({ user: known, k: 9 });
    assert.deepEqual(during.items, before.items);
    assert.ok(during.degraded && codesOf(during).includes('store_away'));
    const byRun = await engine.recommend({ user: unknown, k: 9 });
    assert.equal(byRun.source, 'model');
    assert.ok(byRun.degraded && codesOf(byRun).includes('store_away'));
    const session = await engine.recommend({ user: known, k: 9, query: 'category 2' });
    assert.match(session.notes.map(({ message }) => message).join(), /since the model was trained is missing/);
    assert.equal((await engine.recommend({ k: 3 })).degraded, false, 'nobody in particular misses nothing');
    const refused = { type: 'view', id: 'w', user: known, item, time: Date.now() };
    await assert.rejects(engine.accept([{ index: 0, event: refused }]), StoreAwayError);
    await assert.rejects(engine.erase(known), StoreAwayError);
    await assert.rejects(engine.upsertItems([{ item: 'x' }]), StoreAwayError);
    await assert.rejects(engine.activate({ run: 'other' }), StoreAwayError);
    await assert.rejects(engine.interests(known), StoreAwayError);
    assert.deepEqual(engine.troubles(), ['the live store does not answer']);
    assert.equal(engine.notReady(), null);
    await redis.start();
    await until('it is back', () => engine.troubles().length === 0);
    assert.deepEqual(
      told.map((reason) => reason === null),
      [false, true],
    );
    const back = await engine.recommend({ user: known, k: 9 });
    assert.deepEqual([back.items, back.degraded, codesOf(back)], [before.items, false, []]);
    assert.equal(await activeOf(engine), versions['plain']);
    await accept(engine, { ...refused });
    // everything is read again, and changes are heard
    await engine.upsertItems([{ item: 'since then', fields: { title: 'Since then' } }]);
    await until('the item', async () => (await rolled.inspection.item('since then')) !== null);
    assert.deepEqual([await activeOf(rolled), rolled.troubles()], [versions['other'], []]);
    const other = await engineOn('away');
    await other.activate({ run: 'other' });
    await until('changes are heard again', async () => (await activeOf(engine)) === versions['other']);
  });
});
