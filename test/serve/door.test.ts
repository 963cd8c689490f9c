/** Who gets in: every route with every scope, keys, other machines. A new route is tested because it is in the OpenAPI document. */
import assert from 'node:assert/strict';
import { request as rawRequest } from 'node:http';
import { test } from 'node:test';
import { UserError } from '../../src/base/index.js';
import { NO_KEYS, SCOPES, type Scope, newKey } from '../../src/serve/index.js';
import { PlainEngine } from '../support/plain-engine.js';
import { ask, serve } from '../support/serving.js';

/** Who may call what. Health and the document are open. */
const RULES: Readonly<Record<string, Scope>> = {
  recommend: 'recommend',
  similarItems: 'recommend',
  interests: 'recommend',
  sendEvents: 'events',
  upsertItems: 'catalogue',
  upsertUsers: 'catalogue',
  eraseUser: 'catalogue',
  listModels: 'admin',
  activateModel: 'admin',
  rollbackModel: 'admin',
  endShadow: 'admin',
  listPeople: 'admin',
  whatIf: 'admin',
  browseItems: 'admin',
  item: 'admin',
  browseQueries: 'admin',
  query: 'admin',
  listExperiments: 'admin',
  experiment: 'admin',
  watchExperiment: 'admin',
  experimentReport: 'admin',
  dataHealth: 'admin',
  operations: 'admin',
};
const OPEN = ['live', 'ready'];

interface Operation {
  readonly operationId: string;
}

test('every route lets in the key with its scope and no other', async () => {
  const made = SCOPES.map((scope) => ({ scope, ...newKey(scope, [scope]) }));
  await using served = await serve(new PlainEngine(), { keys: { keys: made.map(({ kept }) => kept) } });
  const { json: document } = await served.ask('GET', '/openapi.json');
  const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({
        path: path.replaceAll(/\{\w+\}/g, 'x'),
        method,
        operationId,
      })),
  );
  assert.deepEqual(
    operations.map(({ operationId }) => operationId).toSorted(),
    [...Object.keys(RULES), ...OPEN].toSorted(),
  );
  for (const { path, method, operationId } of operations) {
    const call = async (headers: Record<string, string>): Promise<number> =>
      (await served.ask(method.toUpperCase(), path, method === 'post' ? {} : undefined, headers)).status;
    const rule = RULES[operationId];
    for (const { key, scope } of made)
      for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
        const status = await call(headers);
        const isIn = status !== 401 && status !== 403;
        assert.equal(isIn, rule === undefined || rule === scope, `${operationId} with ${scope}: ${status}`);
      }
    for (const headers of [
      {},
      { authorization: 'Bearer nonsense' },
      { authorization: 'Basic eDp5' },
      { 'x-api-key': '' },
    ])
      assert.equal((await call(headers)) === 401, rule !== undefined, operationId);
  }
  const [, , , admin] = made;
  const metrics = `${served.server.adminUrl}/metrics`;
  assert.equal((await ask(metrics, 'GET')).status, 401);
  assert.equal((await ask(metrics, 'GET', undefined, { authorization: `Bearer ${admin?.key}` })).status, 200);
  for (const { key, kept } of made) assert.ok(!served.log.join('').includes(key) && !kept.sha256.includes(key));
});

test('without keys it listens at loopback only, and answers to its own name only', async () => {
  for (const setting of ['host', 'adminHost']) {
    const engine = new PlainEngine();
    await assert.rejects(serve(engine, { [setting]: '0.0.0.0' }), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /sesrec keys/);
      return true;
    });
  }
  await using served = await serve(new PlainEngine(), { keys: NO_KEYS });
  const { port } = new URL(served.server.url);
  const status = async (
    host: string,
    at: { port: string; path: string } = { port, path: '/v1/models' },
  ): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = rawRequest({ ...at, host: '127.0.0.1', headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end();
    });
  assert.equal(await status(`localhost:${port}`), 200);
  assert.equal(await status('evil.example'), 403);
  const metrics = { port: new URL(served.server.adminUrl).port, path: '/metrics' };
  assert.deepEqual([await status('localhost', metrics), await status('evil.example', metrics)], [200, 403]);
});

test('with keys it listens elsewhere', async () => {
  const { kept } = newKey('site', ['recommend']);
  await using served = await serve(new PlainEngine(), { keys: { keys: [kept] }, host: '0.0.0.0' });
  const { port } = new URL(served.server.url);
  assert.equal((await ask(`http://127.0.0.1:${port}/v1/recommendations`, 'POST', {})).status, 401);
});

test('pages of other origins are let in only by name', async () => {
  const preflight = { origin: 'https://shop.example', 'access-control-request-method': 'POST' };
  await using closed = await serve(new PlainEngine());
  const { headers } = await closed.ask('POST', '/v1/recommendations', {}, { origin: 'https://shop.example' });
  assert.equal(headers.get('access-control-allow-origin'), null);
  await using open = await serve(new PlainEngine(), { origins: 'https://shop.example, https://other.example' });
  const allowed = await open.ask('OPTIONS', '/v1/recommendations', undefined, preflight);
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://shop.example');
  const stranger = await open.ask('OPTIONS', '/v1/recommendations', undefined, {
    ...preflight,
    origin: 'https://evil.example',
  });
  assert.equal(stranger.headers.get('access-control-allow-origin'), null);
});

test('every answer, problems too, has headers against sniffing, framing and caching', async () => {
  await using served = await serve(new PlainEngine());
  const asked = [
    await served.ask('POST', '/v1/recommendations', {}),
    await served.ask('POST', '/v1/recommendations', 'no JSON'),
    await served.ask('GET', '/nowhere'),
    await served.ask('GET', '/openapi.json'),
    await served.ask('GET', '/health/live'),
  ];
  for (const { headers, status } of asked) {
    assert.equal(headers.get('x-content-type-options'), 'nosniff', String(status));
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'; frame-ancestors 'none'/);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('server'), null);
  }
});
