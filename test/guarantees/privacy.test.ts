/**
 * Somebody is erased: over HTTP, from a server over a real store and run; then a new start, `import live` behind the log that the run was made of, and the
 * next training. Nothing of that person is left in any of them, and nothing was in the server's log at any time.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FIRST_INDEX, UNKNOWN } from '../../src/data/index.js';
import { literal, parquetTable, withDatabase } from '../../src/data/database.js';
import { loadRun } from '../../src/model/index.js';
import { openLmdbStore } from '../../src/online/index.js';
import { QUICK, type TinyWorld, sesrec, tinyWorld } from '../support/command-line.js';
import { ask } from '../support/serving.js';
import { type ServingProcess, serveProcess } from '../support/serving-process.js';

let folder: string;
let world: TinyWorld;
let store: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-privacy-'));
  world = await tinyWorld(folder, 1);
  store = join(folder, 'store');
});
after(async () => rm(folder, { recursive: true, force: true }));

const QUERY = 'a query that only this person would think of';

async function check({ url }: ServingProcess, user: string): Promise<void> {
  const recommended = await ask(`${url}/v1/recommendations`, 'POST', { user });
  assert.equal(recommended.json.source, 'popular');
  const { json } = await ask(`${url}/v1/users/${encodeURIComponent(user)}/interests`, 'GET');
  assert.deepEqual(json.timeline, []);
}

test('somebody who is erased is gone from answers, store, data and the next model; logs never knew', async () => {
  const { dataset } = await loadRun(world.run);
  const user = dataset.users.ids[FIRST_INDEX + 4] as string;
  const other = dataset.users.ids[FIRST_INDEX + 5] as string;
  const item = dataset.items.ids[FIRST_INDEX] as string;
  const events = [user, other, 'somebody new'].flatMap((who) => [
    { type: 'search', id: `search of ${who}`, user: who, query: `${QUERY}, ${who}` },
    { type: 'click', user: who, item, search: `search of ${who}` },
    ...[1, 2, 3].map((n) => ({ type: 'view', id: `view ${n} of ${who}`, user: who, item })), // the last two are held out
  ]);
  const logs: string[] = [];
  {
    await using server = await serveProcess(world.run, store, '--log-level', 'debug');
    const { url } = server;
    assert.equal((await ask(`${url}/v1/events`, 'POST', events)).json.accepted, events.length);
    assert.equal((await ask(`${url}/v1/users`, 'POST', [{ user, fields: { country: 'NL' } }])).status, 200);
    assert.equal((await ask(`${url}/v1/recommendations`, 'POST', { user, explain: true })).json.source, 'model');
    for (const who of [user, 'somebody new']) {
      const { json } = await ask(`${url}/v1/users/${encodeURIComponent(who)}`, 'DELETE');
      assert.deepEqual(json, { erased: true, events: 5 });
    }
    await check(server, user);
    assert.notEqual((await ask(`${url}/v1/recommendations`, 'POST', { user: other })).json.source, 'popular');
    // what is wrong is told without what it was
    await ask(`${url}/v1/users/${encodeURIComponent(user)}/nothing`, 'GET');
    await ask(`${url}/v1/recommendations`, 'POST', `{"user":"${user}`);
    logs.push(server.log());
  }
  {
    await using server = await serveProcess(world.run, store, '--log-level', 'debug');
    await check(server, user);
    logs.push(server.log());
  }
  for (const secret of [user, other, 'somebody new', QUERY, item, encodeURIComponent(QUERY)])
    for (const log of logs) assert.ok(!new RegExp(`\\b${secret}\\b`).test(log), `${secret} is in the log`);

  const kept = await openLmdbStore(store, { readOnly: true });
  for await (const { event } of kept.events()) assert.equal(event.user, other);
  for await (const thing of kept.things('users')) assert.notEqual(thing.id, user);
  // the checks above asked for them again, as for anybody unknown
  for await (const served of kept.allServed()) assert.ok(served.user !== user || served.source === 'popular');
  await kept.close();

  const [data, run] = [join(folder, 'data again'), join(folder, 'run again')];
  const imported = await sesrec('import', 'live', store, world.log, '--out', data);
  assert.equal(imported.code, 0, imported.err);
  const trained = await sesrec('train', data, '--warm', world.run, '--out', run, '--epochs', '1', ...QUICK);
  assert.equal(trained.code, 0, trained.err);
  const next = await loadRun(run);
  assert.equal(next.dataset.users.index(user), UNKNOWN);
  assert.notEqual(next.dataset.users.index(other), UNKNOWN);
  assert.equal(next.dataset.users.ids.length, dataset.users.ids.length - 1, 'one row less');
  const queries = next.dataset.queries.ids;
  assert.ok(queries.some((query) => query.startsWith(QUERY)) && !queries.some((query) => query.endsWith(user)));
  await withDatabase(async (database) => {
    const count = async (file: string, condition: string): Promise<number> =>
      database.number(`SELECT count(*) FROM ${parquetTable(join(data, file))} WHERE ${condition}`);
    for (const file of ['feed.parquet', 'searches.parquet', 'users.parquet']) {
      assert.equal(await count(file, `"user" IN (${literal(user)}, 'somebody new')`), 0, file);
      assert.ok((await count(file, `"user" = ${literal(other)}`)) > 0, file);
    }
    assert.equal(await count('searches.parquet', `query LIKE '%, ' || ${literal(user)}`), 0);
    assert.equal(await count('searches.parquet', `query LIKE '%, ' || ${literal(other)}`), 1);
  });
});

test('who comes back after being erased counts from then on only', async () => {
  const { dataset } = await loadRun(world.run);
  const user = dataset.users.ids[FIRST_INDEX + 4] as string;
  const items = dataset.items.ids.slice(FIRST_INDEX, FIRST_INDEX + 4);
  {
    await using server = await serveProcess(world.run, store);
    const events = items.map((item) => ({ type: 'view', user, item }));
    assert.equal((await ask(`${server.url}/v1/events`, 'POST', events)).json.accepted, 4);
  }
  const data = join(folder, 'data after');
  const imported = await sesrec('import', 'live', store, world.log, '--out', data);
  assert.equal(imported.code, 0, imported.err);
  const run = join(folder, 'run after');
  assert.equal((await sesrec('train', data, '--out', run, '--epochs', '1', ...QUICK)).code, 0);
  const after = (await loadRun(run)).dataset;
  const own = after.users.index(user);
  assert.notEqual(own, UNKNOWN);
  assert.equal((after.feedOffsets[own + 1] as number) - (after.feedOffsets[own] as number), 4);
  {
    // the next model, on the same store, knows what came since, and only that
    await using server = await serveProcess(run, store);
    const { json } = await ask(`${server.url}/v1/users/${encodeURIComponent(user)}/interests`, 'GET');
    assert.equal(json.total, 4);
    assert.equal((await ask(`${server.url}/v1/users/${encodeURIComponent(user)}`, 'DELETE')).json.erased, true);
    assert.deepEqual((await ask(`${server.url}/v1/users/${encodeURIComponent(user)}`, 'DELETE')).json, {
      erased: false,
      events: 0,
    });
    await check(server, user);
  }
});
