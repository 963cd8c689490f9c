/** The tracker against servers and pages that do to it what happens: a client with a `fetch` that is told what to answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Event, SesrecClient, type SessionEvent, type TrackerOptions } from '../../src/client/index.js';
import { withPage } from '../support/hideable-page.js';

interface Sent {
  readonly events: readonly Event[];
  readonly body: string;
  readonly keepalive: boolean | undefined;
}
type Answer = (sent: Sent, signal: AbortSignal) => Response | Promise<Response>;

const view = (item: string): SessionEvent => ({ type: 'view', item });
const taken = (): Response => Response.json({ accepted: 1, duplicate: 0, rejected: [] });
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response('{}', { status: code, headers });
const refusing =
  (code: number, when: (sent: Sent) => boolean): Answer =>
  (sent, signal) =>
    when(sent) ? status(code)(sent, signal) : taken();
const hanging: Answer = async () => new Promise(() => {});
const bytesOf = (text: string): number => Buffer.byteLength(text);
const soon = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** A tracker that sends when it is told to; `answers` may be changed. */
function tracking(answer: Answer, options: TrackerOptions = {}, client: { deadline?: number; retries?: number } = {}) {
  const sent: Sent[] = [];
  const lost: { item: string; why: string }[] = [];
  const server = { answer };
  const fetching: typeof fetch = async (_, { body, keepalive, signal } = {}) => {
    const text = body as string;
    const call = { events: JSON.parse(text) as Event[], body: text, keepalive };
    sent.push(call);
    return server.answer(call, signal as AbortSignal);
  };
  const tracker = new SesrecClient({ url: 'http://nowhere.test', retries: 0, fetch: fetching, ...client }).tracker({
    user: 'u',
    flushAfter: 60_000,
    flushAt: 1e6,
    onLost: (all) => lost.push(...all.map(({ event, why }) => ({ item: (event as { item: string }).item, why }))),
    ...options,
  });
  return { tracker, server, sent, lost };
}

test('what nobody has tried to send is not what could not be sent', async () => {
  for (const options of [{ flushAt: 50 }, { flushAt: 1500 }, { flushAt: 1500, capacity: 10 }]) {
    const { tracker, sent, lost } = tracking(taken, options);
    for (let i = 0; i < 3000; i++) tracker.track(view(`i${i}`));
    await tracker.flush();
    assert.deepEqual([lost.length, tracker.waiting], [0, 0]);
    assert.equal(new Set(sent.flatMap(({ events }) => events.map(({ id }) => id))).size, 3000);
  }
});

test('there is an end to what may wait, and what has to go is told', async () => {
  const { tracker, lost, server } = tracking(hanging, { capacity: 3 });
  for (let i = 0; i < 100_002; i++) tracker.track(view(`i${i}`));
  assert.deepEqual(lost[1], { item: 'i1', why: 'too many wait to be sent' });
  assert.equal(lost.length, 2);
  server.answer = status(503);
  await tracker.flush();
  assert.equal(tracker.waiting, 3);
  assert.equal(lost.at(-1)?.why, 'too many could not be sent: the server answered 503');
});

test('errors that say nothing of the events lose none', async () => {
  for (const code of [401, 403, 404, 408, 429, 500, 502, 503, 520]) {
    const { tracker, server, lost } = tracking(status(code));
    for (let i = 0; i < 10; i++) tracker.track(view(`i${i}`));
    for (let i = 0; i < 30; i++) await tracker.flush();
    assert.deepEqual([lost.length, tracker.waiting], [0, 10], `${code}`);
    server.answer = taken;
    await tracker.flush();
    assert.deepEqual([lost.length, tracker.waiting], [0, 0], `${code}`);
  }
});

test('what is too large goes in pieces; one event that is too large costs no other', async () => {
  const { tracker, sent, lost } = tracking(refusing(413, ({ body }) => bytesOf(body) > 100_000));
  const long = Array.from({ length: 150 }, (_, k) => ({ item: `product-${k}`, position: k + 1 }));
  for (let i = 0; i < 400; i++) tracker.track({ type: 'search', query: `q${i}`, results: long });
  tracker.track(view('x'.repeat(100_000)));
  tracker.track(view('last'));
  await tracker.flush();
  assert.ok(sent.every(({ body }) => bytesOf(body) <= 1_000_001));
  assert.deepEqual([lost.length, lost[0]?.why, tracker.waiting], [1, 'the server answered 413', 0]);
  assert.ok(sent.length < 75, `${sent.length} calls`);
});

test('one event that the server fails on, or refuses with the whole call, blocks no other and is told in the end', async () => {
  for (const [code, rounds] of [
    [400, 1],
    [500, 40],
    [403, 40],
  ] as const) {
    const { tracker, lost } = tracking(refusing(code, ({ body }) => body.includes('"poison"')));
    for (let i = 0; i < 50; i++) tracker.track(view(i === 20 ? 'poison' : `i${i}`));
    let left = 0;
    for (let i = 0; i < rounds; i++) {
      await tracker.flush();
      if (i === 15) left = tracker.waiting;
    }
    assert.ok(left <= 1, `${code}: ${left} wait with it`);
    assert.deepEqual([lost.map(({ item }) => item), tracker.waiting], [['poison'], 0]);
  }
});

test('where a call is too slow, fewer events get through', async () => {
  const slow: Answer = async ({ events }, signal) =>
    events.length <= 10
      ? taken()
      : new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  const { tracker, lost } = tracking(slow, {}, { deadline: 20 });
  for (let i = 0; i < 64; i++) tracker.track(view(`i${i}`));
  for (let i = 0; i < 20 && tracker.waiting > 0; i++) await tracker.flush();
  assert.deepEqual([lost.length, tracker.waiting], [0, 0]);
});

test('what could not be sent is tried again when the server asks for it, not with every new event', async () => {
  const { tracker, sent, server } = tracking(status(503, { 'retry-after': '0.2' }), { flushAt: 2, flushAfter: 1 });
  for (let i = 0; i < 2; i++) tracker.track(view(`i${i}`));
  await soon();
  server.answer = taken;
  for (let i = 2; i < 20; i++) tracker.track(view(`i${i}`));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(sent.length, 1);
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.deepEqual([sent.length, sent[1]?.events.length, tracker.waiting], [2, 20, 0]);
});

test('a page that is hidden sends what is under way once more, and what waits between two tries', async () => {
  for (const answer of [hanging, status(503, { 'retry-after': '2' })])
    await withPage(async (turn) => {
      const { tracker, sent } = tracking(answer, { flushAfter: 1 }, { retries: 2, deadline: 100 });
      for (let i = 0; i < 20; i++) tracker.track(view(`i${i}`));
      void tracker.flush();
      await soon();
      tracker.track(view('later'));
      turn('hidden');
      await soon();
      assert.deepEqual(
        sent.map(({ keepalive, events }) => [keepalive, events.length]),
        [
          [false, 20],
          [true, 21],
        ],
      );
      assert.equal(tracker.waiting, 21, 'until it is answered');
      tracker.track(view('in the dark'));
      turn('hidden');
      await soon();
      if (answer === hanging)
        assert.deepEqual(
          sent.at(-1)?.events.map(({ id }) => id).length,
          1,
          'what is under way behind the page is so once',
        );
    });
});

test('what goes on behind a page is as much as browsers let, counted as it is sent', async () => {
  await withPage(async (turn) => {
    const { tracker, sent } = tracking(hanging);
    tracker.track(view('x'.repeat(70_000)));
    for (let i = 0; i < 900; i++) tracker.track(view(`雨${i}`));
    turn('hidden');
    turn('hidden');
    await soon();
    const bytes = sent.reduce((sum, { body }) => sum + bytesOf(body), 0);
    assert.ok(bytes > 59_000 && bytes <= 60_010, `${bytes}`);
    assert.ok(sent.every(({ keepalive }) => keepalive));
    assert.equal(tracker.waiting, 901);
  });
});

test('a page that is shown again sends the rest; what is refused twice is told once', async () => {
  await withPage(async (turn) => {
    const invalid: Answer = async () => {
      await soon();
      return Response.json({
        accepted: 0,
        duplicate: 0,
        rejected: [{ index: 0, code: 'invalid', pointer: '/item', message: 'is too long' }],
      });
    };
    const { tracker, lost, sent } = tracking(invalid);
    tracker.track(view('x'.repeat(70_000)));
    tracker.track(view('i1'));
    turn('hidden');
    turn('visible');
    await tracker.flush();
    await soon();
    assert.deepEqual(new Set(lost.map(({ item }) => item.length)), new Set([2, 70_000]));
    assert.equal(lost.length, 2);
    assert.equal(tracker.waiting, 0);
    assert.deepEqual(
      sent.map(({ keepalive }) => keepalive),
      [true, false],
    );
  });
});

test('an event that JSON cannot hold is refused when it is tracked; one that is changed later is sent as it was', async () => {
  const { tracker, sent } = tracking(taken);
  assert.throws(
    () => tracker.track({ ...view('i1'), value: 10n } as never),
    /^TypeError: JSON cannot hold this event: .*BigInt/,
  );
  const results = [{ item: 'i1', position: 1 }];
  tracker.track({ type: 'search', query: 'q', results });
  results.push(10n as never);
  await tracker.flush();
  assert.equal(tracker.waiting, 0);
  assert.deepEqual((JSON.parse(sent[0]?.body ?? '') as [{ results: unknown }])[0].results, [
    { item: 'i1', position: 1 },
  ]);
});
