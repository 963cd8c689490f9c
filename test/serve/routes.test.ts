/** The routes of the server over real HTTP: what they take, answer and refuse. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NDJSON } from '../../src/serve/bodies.js';
import { LIMITS } from '../../src/serve/schemas/index.js';
import { PlainEngine } from '../support/plain-engine.js';
import { type Answered, ask, gate, serve } from '../support/serving.js';

function assertProblem({ status, headers, json }: Answered, expected: number, code: string): void {
  assert.equal(status, expected, JSON.stringify(json));
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(json.code, code);
  assert.equal(json.status, expected);
  assert.equal(json.request_id, headers.get('x-request-id'));
}

const click = (id: string, item = 'i1', user = 'u1') => ({ type: 'view', id, item, user, time: 1e12 });

describe('events', () => {
  test('are accepted, known again and refused one by one', async () => {
    const engine = new PlainEngine();
    await using served = await serve(engine);
    const first = await served.ask('POST', '/v1/events', [
      click('e1'),
      { ...click('e2'), surprise: 1 },
      click('e1'),
      { type: 'search', user: 'u1', query: 'rain' },
      { type: 'hug', user: 'u1', item: 'i1' },
      { ...click('e3'), time: '2026-13-01' },
      { ...click('e4'), time: Date.now() + 2 * 24 * 3600 * 1000 },
      7,
    ]);
    assert.equal(first.status, 202);
    assert.deepEqual([first.json.accepted, first.json.duplicate], [1, 1]);
    assert.deepEqual(
      first.json.rejected.map(({ index, code }: { index: number; code: string }) => [index, code]),
      [
        [1, 'invalid'],
        [3, 'invalid'],
        [4, 'invalid'],
        [5, 'invalid_time'],
        [6, 'invalid_time'],
        [7, 'invalid'],
      ],
    );
    const messages = first.json.rejected.map(({ message }: { message: string }) => message);
    assert.match(messages[0], /unknown field "surprise"/);
    assert.match(messages[1], /'id'/);
    assert.match(messages[2], /known types/);
    assert.equal(engine.events.length, 1);
  });

  test('without a time happen now; ISO times become milliseconds', async () => {
    const engine = new PlainEngine();
    await using served = await serve(engine);
    const before = Date.now();
    await served.ask('POST', '/v1/events', [
      { type: 'view', user: 'u', item: 'i' },
      { type: 'view', user: 'u', item: 'i', time: '2026-11-23T10:00:00.000Z' },
    ]);
    const [first, second] = engine.events;
    assert.ok(first && first.time >= before && first.time <= Date.now());
    assert.equal(second?.time, Date.UTC(2026, 10, 23, 10));
  });

  test('come as JSON lines, of which one may be broken', async () => {
    await using served = await serve(new PlainEngine());
    const lines = [JSON.stringify(click('e1')), '{"type":', '', JSON.stringify(click('e2'))].join('\n');
    const { status, json } = await served.ask('POST', '/v1/events', lines, { 'content-type': NDJSON });
    assert.equal(status, 202);
    assert.equal(json.accepted, 2);
    assert.deepEqual([json.rejected.length, json.rejected[0].index, json.rejected[0].code], [1, 1, 'malformed']);
  });

  test('are stored once for an Idempotency-Key, which belongs to one body', async () => {
    const engine = new PlainEngine();
    await using served = await serve(engine);
    const key = { 'idempotency-key': 'k1' };
    const event = { type: 'view', user: 'u', item: 'i' };
    const first = await served.ask('POST', '/v1/events', [event], key);
    const second = await served.ask('POST', '/v1/events', [event], key);
    assert.deepEqual(second.json, first.json);
    assert.equal(engine.events.length, 1);
    assertProblem(await served.ask('POST', '/v1/events', [event, event], key), 422, 'invalid');
  });

  test('are erased once for an Idempotency-Key, which belongs to one person: who came back meanwhile stays', async () => {
    const engine = new PlainEngine();
    await using served = await serve(engine);
    const key = { 'idempotency-key': 'k1' };
    const event = { type: 'view', user: 'u', item: 'i' };
    await served.ask('POST', '/v1/events', [event]);
    const first = await served.ask('DELETE', '/v1/users/u', undefined, key);
    assert.equal(first.json.events, 1);
    await served.ask('POST', '/v1/events', [event]);
    assert.deepEqual((await served.ask('DELETE', '/v1/users/u', undefined, key)).json, first.json);
    assert.equal(engine.events.length, 1);
    assertProblem(await served.ask('DELETE', '/v1/users/other', undefined, key), 422, 'invalid');
  });
});

describe('what is refused', () => {
  test('malformed, too large, too deep, of another type', async () => {
    await using served = await serve(new PlainEngine(), { bodyLimit: 100_000 });
    const post = async (body: string | Uint8Array, type = 'application/json', path = '/v1/recommendations') =>
      served.ask('POST', path, body, { 'content-type': type });
    assertProblem(await post('{"k":'), 400, 'malformed');
    assertProblem(await post('{"__proto__":{"k":1}}'), 400, 'malformed');
    assertProblem(await post(Uint8Array.of(0x22, 0xff, 0x22)), 400, 'malformed');
    assertProblem(await post('['.repeat(5000)), 400, 'malformed');
    assertProblem(await post(`"${'x'.repeat(100_001)}"`), 413, 'too_large');
    assertProblem(await post('k=1', 'application/x-www-form-urlencoded'), 415, 'unsupported_media_type');
    assertProblem(await post(''), 422, 'invalid');
    assertProblem(await post('{}', 'application/json', '/v1/nothing'), 404, 'not_found');
    assertProblem(await post('{}', 'application/json', '/v1/events'), 422, 'invalid');
    assertProblem(
      await post(JSON.stringify(Array(LIMITS.events + 1).fill(0)), 'application/json', '/v1/events'),
      413,
      'too_large',
    );
    assertProblem(await served.ask('GET', '/v1/items/%E0%A4%A/similar'), 400, 'malformed');
    assertProblem(await served.ask('GET', '/v1/items/none/similar'), 404, 'not_found');
    assertProblem(await served.ask('GET', '/v1/items/none/similar?k=many'), 422, 'invalid');
  });

  test('an invalid request is told where and why', async () => {
    await using served = await serve(new PlainEngine());
    const wrong = async (body: unknown) => {
      const answer = await served.ask('POST', '/v1/recommendations', body);
      assertProblem(answer, 422, 'invalid');
      return answer.json.errors[0];
    };
    assert.deepEqual((await wrong({ k: '10' })).pointer, '/k');
    assert.deepEqual((await wrong({ k: 501 })).pointer, '/k');
    assert.deepEqual((await wrong({ kk: 1 })).message, 'has the unknown field "kk"');
    assert.deepEqual((await wrong({ user: '\u0000' })).pointer, '/user');
    assert.deepEqual((await wrong({ user: '\ud800' })).pointer, '/user');
    const flaw = await wrong({ session: [{ type: 'view', item: 'i' }, { type: 'search' }] });
    assert.deepEqual([flaw.pointer, flaw.message], ['/session/1', "must have required property 'query'"]);
    const time = await wrong({ session: [{ type: 'view', item: 'i', time: 'noon tomorrow' }] });
    assert.deepEqual(
      [time.pointer, time.message],
      ['/session/0/time', 'must be milliseconds since 1970, or ISO 8601 text such as 2026-11-30T10:00:00Z'],
    );
  });
});

test('an attribute that is called time is an attribute', async () => {
  await using served = await serve(new PlainEngine());
  const { json } = await served.ask('POST', '/v1/items', [{ item: 'i', fields: { time: { hours: 3 } } }]);
  const [{ pointer, message }] = json.rejected;
  assert.equal(pointer, '/fields/time');
  assert.doesNotMatch(message, /ISO 8601/);
});

test('ids are any text, percent-encoded in paths', async () => {
  const engine = new PlainEngine();
  await using served = await serve(engine);
  const id = 'a/b?c=%20 ü 雨 🌧 ' + 'x'.repeat(200);
  await served.ask('POST', '/v1/items', [{ item: id }, { item: 'other', fields: { tags: ['a', 1], gone: null } }]);
  const { status, json } = await served.ask('GET', `/v1/items/${encodeURIComponent(id)}/similar?k=3`);
  assert.equal(status, 200);
  assert.deepEqual([json.item, json.items[0].item], [id, 'other']);
});

test('models are listed, activated and rolled back', async () => {
  await using served = await serve(new PlainEngine());
  const active = ({ json }: Answered): string =>
    json.models.find(({ state }: { state: string }) => state === 'active').version;
  assert.equal(active(await served.ask('POST', '/v1/models/activate', { run: 'second' })), 'second');
  assert.equal(active(await served.ask('GET', '/v1/models')), 'second');
  assertProblem(await served.ask('POST', '/v1/models/activate', { run: 'broken' }), 422, 'invalid');
  assertProblem(await served.ask('POST', '/v1/models/activate', { run: '../secret' }), 422, 'invalid');
  assert.equal(active(await served.ask('POST', '/v1/models/rollback')), 'first');
  assertProblem(await served.ask('POST', '/v1/models/rollback'), 422, 'invalid');
});

test('a model in the shadow is ended; where there is none, nothing is wrong', async () => {
  await using served = await serve(new PlainEngine());
  const states = ({ json }: Answered): string[] => json.models.map(({ state }: { state: string }) => state);
  const shadowed = await served.ask('POST', '/v1/models/activate', { run: 'second', shadow: true });
  assert.deepEqual(states(shadowed), ['active', 'shadow']);
  assert.deepEqual(states(await served.ask('DELETE', '/v1/models/shadow')), ['active']);
  const { status } = await served.ask('DELETE', '/v1/models/shadow');
  assert.equal(status, 200);
});

test('a bug is a problem without details, and its stack is in the log', async () => {
  const engine = new PlainEngine();
  engine.before = async () => {
    throw new Error('secret of the house');
  };
  await using served = await serve(engine);
  const answer = await served.ask('POST', '/v1/recommendations', {});
  assertProblem(answer, 500, 'internal');
  assert.ok(!answer.text.includes('secret'));
  assert.match(served.log.join(''), /secret of the house/);
});

test('not ready, too many at once, and no answer in time are said so', async () => {
  const engine = new PlainEngine();
  await using served = await serve(engine, { mostInFlight: 1 });
  engine.waitsFor = 'loading';
  assertProblem(await served.ask('GET', '/health/ready'), 503, 'not_ready');
  assertProblem(await served.ask('POST', '/v1/recommendations', {}), 503, 'not_ready');
  assert.equal((await served.ask('GET', '/health/live')).status, 200);
  engine.waitsFor = null;
  assert.equal((await served.ask('GET', '/health/ready')).status, 200);
  const arrived = gate();
  const answers = gate();
  engine.before = async () => {
    arrived.open();
    await answers.opened;
  };
  const first = served.ask('POST', '/v1/recommendations', {});
  await arrived.opened;
  const second = await served.ask('POST', '/v1/recommendations', {});
  assertProblem(second, 503, 'overloaded');
  assert.equal(second.headers.get('retry-after'), '1');
  answers.open();
  assert.equal((await first).status, 200);
});

test('the log has no id, no query and no key', async () => {
  await using served = await serve(new PlainEngine(), { logLevel: 'debug' });
  const secret = 'very-private';
  await served.ask('POST', '/v1/events', [
    { type: 'search', id: secret, user: secret, query: secret },
    { type: 'view', user: secret, item: secret, surprise: secret },
  ]);
  await served.ask(
    'POST',
    '/v1/recommendations',
    { user: secret, query: secret, nonsense: secret },
    { authorization: `Bearer ${secret}` },
  );
  await served.ask('GET', `/v1/users/${secret}/interests`);
  await served.ask('GET', `/v1/nothing/${secret}?x=${secret}`);
  assert.ok(served.log.length >= 4);
  assert.ok(!served.log.join('').includes(secret));
});

test('metrics are at an address of their own', async () => {
  await using served = await serve(new PlainEngine());
  await served.ask('POST', '/v1/recommendations', {});
  assert.equal((await served.ask('GET', '/metrics')).status, 404);
  const { text } = await ask(`${served.server.adminUrl}/metrics`, 'GET');
  assert.match(
    text,
    /sesrec_http_request_duration_seconds_count\{route="\/v1\/recommendations",method="POST",code="200"\} 1/,
  );
  assert.match(text, /sesrec_recommendations_total\{source="popular",degraded="false"\} 1/);
  assert.match(text, /sesrec_model_info\{name="plain",version="first"\} 1/);
  const profile = await ask(`${served.server.adminUrl}/profile?seconds=1`, 'GET');
  assert.ok(profile.json.nodes.length > 0);
});

test('many requests over one connection leave nothing behind', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  const engine = new PlainEngine();
  const signals: AbortSignal[] = [];
  engine.before = async (signal) => signals.push(signal);
  await using served = await serve(engine);
  for (let i = 0; i < 40; i++) await served.ask('POST', '/v1/recommendations', {});
  await new Promise((resolve) => setTimeout(resolve, 20)); // warnings come later
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
  assert.ok(
    signals.length === 40 && signals.every(({ aborted }) => aborted),
    'whoever still works for an answer is told that it is out',
  );
});

test('who asks may go: the engine is told', async () => {
  const engine = new PlainEngine();
  const [arrived, told] = [gate(), gate()];
  engine.before = async (signal) => {
    signal.addEventListener('abort', told.open);
    arrived.open();
    await told.opened;
  };
  await using served = await serve(engine);
  const stop = new AbortController();
  const asked = fetch(`${served.server.url}/v1/recommendations`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
    signal: stop.signal,
  });
  asked.catch(() => {});
  await arrived.opened;
  stop.abort();
  await told.opened;
});

test('an engine that gives up when nobody waits is no bug', async () => {
  const engine = new PlainEngine();
  engine.before = async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    signal.throwIfAborted();
  };
  await using served = await serve(engine, { answerTimeout: 50 });
  assertProblem(await served.ask('POST', '/v1/recommendations', {}), 504, 'deadline');
  assertProblem(await served.ask('POST', '/v1/recommendations', { deadline_ms: 20 }), 504, 'deadline');
  assert.deepEqual(
    engine.asked.map(({ deadline_ms: deadline }) => deadline),
    [50, 20],
  );
});
