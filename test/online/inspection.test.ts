/**
 * What somebody who looks at an engine is told, on a real store and a small trained run: people, "what if", the catalogue, the health of the
 * data. It must agree with what the engine recommends, and store nothing.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import { FIRST_INDEX } from '../../src/data/index.js';
import { type Run, loadRun } from '../../src/model/index.js';
import { type Engine, type LiveEvent, openEngine } from '../../src/online/index.js';
import { TextIndex, comparable } from '../../src/online/text-index.js';
import { QUICK, sesrec, tinyWorld } from '../support/command-line.js';

let folder: string;
let run: Run;
let engine: Engine;
const LISTING = { limit: 20, offset: 0 };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-inspection-'));
  const world = await tinyWorld(folder, 0);
  const { code, err } = await sesrec('train', world.data, '--out', world.run, '--epochs', '1', ...QUICK);
  assert.equal(code, 0, err);
  run = await loadRun(world.run);
  engine = await openEngine({ run: world.run, store: join(folder, 'store'), threads: 1 });
});
after(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

const userAt = (i: number): string => run.dataset.users.ids[FIRST_INDEX + i] as string;
const itemAt = (i: number): string => run.dataset.items.ids[FIRST_INDEX + i] as string;
const queryAt = (i: number): string => run.dataset.queries.ids[FIRST_INDEX + i] as string;
const accept = async (...events: LiveEvent[]): Promise<void> => {
  assert.deepEqual((await engine.accept(events.map((event, index) => ({ index, event })))).rejected, []);
};
const idsOf = (items: readonly { readonly item: string }[]): string[] => items.map(({ item }) => item);

test('people: by activity, by part of an id, newcomers first, the erased gone', async () => {
  const { total, people } = await engine.inspection.people(LISTING);
  assert.equal(total, 24);
  assert.equal(people.length, 20);
  for (const [i, { feed, searches }] of people.entries()) {
    const next = people[i + 1];
    if (next)
      assert.ok(Math.min(feed, searches) >= Math.min(next.feed, next.searches), 'those with most of both first');
  }
  const [first] = people;
  const { timeline, total: known } = await engine.interests(first?.user ?? '');
  assert.equal(known, (first?.feed ?? 0) + (first?.searches ?? 0), 'what is counted is what the timeline has');
  assert.equal(timeline.length, known);
  const rest = await engine.inspection.people({ limit: 20, offset: 20 });
  assert.deepEqual(
    new Set([...people, ...rest.people].map(({ user }) => user)).size,
    24,
    'nobody twice, nobody left out',
  );
  const found = await engine.inspection.people({ ...LISTING, search: ' U1 ' });
  assert.equal(found.people[0]?.user, 'u1', 'the id itself first');
  assert.ok(found.people.every(({ user }) => user.includes('u1')));
  assert.equal(found.total, 11);

  await accept(
    { type: 'search', id: 'people-1', user: 'Newcomer', query: 'x', time: 1000 },
    { type: 'view', user: 'Newcomer', item: itemAt(0), time: 2000 },
  );
  const [newcomer] = (await engine.inspection.people(LISTING)).people;
  assert.deepEqual(newcomer, { user: 'Newcomer', feed: 1, searches: 1, last: new Date(2000).toISOString() });
  assert.equal((await engine.inspection.people({ ...LISTING, search: 'newcomer' })).total, 1);
  await engine.erase('Newcomer');
  assert.equal((await engine.inspection.people({ ...LISTING, search: 'newcomer' })).total, 0);
  const gone = userAt(20);
  const { queries } = await engine.inspection.queries({ ...LISTING, limit: 100 });
  await engine.erase(gone);
  const own = run.dataset.searchQuery.subarray(
    run.dataset.searchOffsets[FIRST_INDEX + 20],
    run.dataset.searchOffsets[FIRST_INDEX + 21],
  );
  assert.ok(own.length > 0);
  const left = (await engine.inspection.queries({ ...LISTING, limit: 100 })).queries;
  const sum = (counted: typeof queries): number => counted.reduce((all, { count }) => all + count, 0);
  assert.equal(
    sum(left),
    sum(queries) - own.filter((query) => query >= FIRST_INDEX).length,
    'their searches count no longer',
  );
  const all = await engine.inspection.people({ limit: 100, offset: 0 });
  assert.deepEqual([all.total, all.people.length], [23, 23]);
  assert.equal(
    (await engine.inspection.people({ ...LISTING, search: gone, limit: 100 })).total,
    (await engine.inspection.people({ ...LISTING, search: gone, limit: 100 })).people.length,
  );
  await accept({ type: 'view', user: gone, item: itemAt(0), time: 3000 });
  const [back] = (await engine.inspection.people(LISTING)).people;
  assert.deepEqual([back?.user, back?.feed, back?.searches], [gone, 1, 0], 'who comes back is somebody new');
  await engine.erase(gone);
  assert.ok((await engine.inspection.people({ ...LISTING, search: gone })).people.every(({ user }) => user !== gone));
});

test('what if somebody had searched: the list of that query, with ranks of the list as it is', async () => {
  const [user, query] = [userAt(1), queryAt(3)];
  const asIs = await engine.recommend({ user, k: 100 });
  const would = await engine.recommend({ user, query, k: 20 });
  const answer = await engine.inspection.whatIf({ user, query, k: 20 });
  assert.deepEqual(idsOf(answer.items), idsOf(would.items));
  assert.deepEqual([answer.changed, answer.ranks, answer.source], [true, 'exact', 'model']);
  for (const { item, rank_before: before } of answer.items)
    assert.equal(before, idsOf(asIs.items).indexOf(item) + 1, item);
  const left = idsOf(asIs.items.slice(0, 20)).filter((item) => !idsOf(answer.items).includes(item));
  assert.deepEqual(idsOf(answer.fallen), left);
  const wouldLong = idsOf((await engine.recommend({ user, query, k: 100 })).items);
  for (const { item, rank, rank_before: before, met } of answer.fallen) {
    assert.equal(rank, wouldLong.indexOf(item) + 1);
    assert.equal(before, idsOf(asIs.items).indexOf(item) + 1);
    assert.equal(met, false);
  }
  const same = await engine.inspection.whatIf({ user, k: 20 });
  assert.deepEqual([same.changed, idsOf(same.items), same.fallen], [false, idsOf(asIs.items.slice(0, 20)), []]);
  assert.ok(same.items.every(({ rank, rank_before: before }) => rank === before));
});

test('what if an item had been clicked: it falls out, since it would be met', async () => {
  const user = userAt(2);
  const [first] = (await engine.inspection.whatIf({ user, k: 5 })).items;
  const item = first?.item ?? '';
  const answer = await engine.inspection.whatIf({ user, session: [{ type: 'view', item }], k: 5 });
  const fallen = answer.fallen.find((other) => other.item === item);
  assert.deepEqual([fallen?.rank_before, fallen?.rank, fallen?.met], [1, null, true]);
});

test('what if an action had not happened: as somebody to whom it did not; its item may come again', async () => {
  const time = Date.UTC(2026, 1, 1);
  const events = (user: string, from: number): LiveEvent[] =>
    Array.from({ length: 6 }, (_, i): LiveEvent => ({ type: 'view', user, item: itemAt(from + i), time: time + i }));
  const [gone, ...rest] = events('with', 10);
  await accept(gone as LiveEvent, ...rest, ...rest.map((event) => ({ ...event, user: 'without' })));
  const { timeline } = await engine.interests('with');
  assert.equal(timeline.length, 6);
  const [oldest] = timeline;
  assert.deepEqual(oldest?.items, [gone?.item]);
  const answer = await engine.inspection.whatIf({ user: 'with', without: [oldest?.ordinal ?? -1], k: 30 });
  const other = await engine.recommend({ user: 'without', k: 30 });
  assert.deepEqual(idsOf(answer.items), idsOf(other.items));
  answer.items.forEach(({ score }, i) => assert.ok(Math.abs(score - (other.items[i]?.score ?? NaN)) < 1e-5));
  const all = await engine.inspection.whatIf({ user: 'with', without: timeline.map(({ ordinal }) => ordinal), k: 5 });
  assert.equal(all.source, 'popular', 'nothing is left to go by');
  await assert.rejects(engine.inspection.whatIf({ user: 'with', without: [1e9] }), UserError);
  assert.equal((await engine.interests('with')).timeline.length, 6, 'nothing was stored');
});

test('reasons name entries of the timeline, and what is beyond the window is told unseen', async () => {
  const user = 'long';
  const { window } = run.model.config;
  const count = 3 * window.feed;
  await accept(
    ...Array.from({ length: count }, (_, i): LiveEvent => ({
      type: 'view',
      id: `long-${i}`,
      user,
      item: itemAt(i % 40),
      time: i,
    })),
    { type: 'search', id: 'long-s', user, query: queryAt(1), time: count },
  );
  const { timeline, total, window: told, affinity } = await engine.interests(user, { affinity: true });
  assert.deepEqual([total, timeline.length, told.feed], [count + 1, count + 1, window.feed]);
  const feed = timeline.filter(({ type }) => type === 'feed');
  assert.deepEqual(
    feed.map(({ seen }) => seen),
    feed.map((_, i) => i >= count - window.feed),
  );
  assert.ok(feed.every(({ seen, side, weight }) => seen || (side === null && weight === null)));
  const seen = feed.filter((entry) => entry.seen);
  const sum = seen.reduce((total, { weight }) => total + (weight ?? 0), 0);
  assert.ok(Math.abs(sum - 1) < 1e-4, 'co-attention sums to 1 over what is seen of a lane');
  assert.deepEqual(
    affinity?.feed,
    seen.map(({ ordinal }) => ordinal),
  );
  assert.equal(affinity?.search.length, 1);
  assert.equal(affinity?.values.length, window.feed);
  const byOrdinal = new Map(timeline.map((entry) => [entry.ordinal, entry]));
  const { items } = await engine.inspection.whatIf({ user, k: 5, explain: true });
  const reasons = items.flatMap(({ because = [] }) => because);
  assert.ok(reasons.length > 0);
  for (const { ordinal, type, event, side } of reasons) {
    const entry = byOrdinal.get(ordinal);
    assert.deepEqual([entry?.type, entry?.event, entry?.side, entry?.seen], [type, event, side, true]);
  }
  const newest = await engine.interests(user, { most: 10 });
  assert.deepEqual([newest.total, newest.timeline.length], [count + 1, 10]);
});

test('the catalogue: found by id and title, live ones too, the most frequent first', async () => {
  const { total, items } = await engine.inspection.items(LISTING);
  assert.equal(total, run.dataset.items.ids.length - FIRST_INDEX);
  for (const [i, { count }] of items.entries()) assert.ok(count >= (items[i + 1]?.count ?? 0));
  await engine.upsertItems([
    { item: 'brand-new', fields: { title: 'A <b>Shiny</b> Kettle' } },
    { item: itemAt(5), fields: { title: 'renamed SHINY thing' } },
  ]);
  const found = await engine.inspection.items({ ...LISTING, search: 'shiny' });
  assert.deepEqual(new Set(idsOf(found.items)), new Set(['brand-new', itemAt(5)]));
  const exact = await engine.inspection.items({ ...LISTING, search: itemAt(1) });
  assert.equal(exact.items[0]?.item, itemAt(1), 'the id itself first');
  assert.equal((await engine.inspection.items({ ...LISTING, search: 'nothing is called this' })).total, 0);
  assert.equal(await engine.inspection.item('no such item'), null);
  assert.equal((await engine.inspection.item('brand-new'))?.is_new, true);
});

test('a title that nobody could see is none', async () => {
  await engine.upsertItems([{ item: 'title of spaces', fields: { title: ' \t ' } }]);
  const [found] = (await engine.inspection.items({ ...LISTING, search: 'title of spaces' })).items;
  assert.equal(found?.title, 'title of spaces');
});

test('an item and a query: near one another both ways, what led where, where it was shown', async () => {
  const { dataset } = run;
  const search = dataset.clickOffsets.findIndex((offset, i) => (dataset.clickOffsets[i + 1] ?? 0) > offset);
  const item = dataset.items.ids[dataset.clickItem[dataset.clickOffsets[search] as number] as number] as string;
  const query = dataset.queries.ids[dataset.searchQuery[search] as number] as string;
  const ready = async <Answer extends { near: { state: string } }>(
    ask: () => Promise<Answer | null>,
  ): Promise<Answer> => {
    for (;;) {
      const answer = await ask();
      assert.ok(answer);
      if (answer.near.state !== 'working') return answer;
      await sleep(100);
    }
  };
  const recommended = await engine.recommend({ user: 'somebody', k: 100, repeat: 'all' });
  await accept({ type: 'view', user: 'other', item: itemAt(1), time: 1 }); // what is served is kept by then
  const ofItem = await ready(async () => engine.inspection.item(item));
  assert.ok(ofItem.led_by.some((led) => led.query === query));
  assert.deepEqual([ofItem.near.space, ofItem.near.items.length], ['aligned', 12]);
  assert.ok(ofItem.near.items.every((other) => other.item !== item && Math.abs(other.nearness) <= 1 + 1e-6));
  for (const near of [ofItem.near.items, ofItem.near.queries])
    for (const [i, { nearness }] of near.entries()) assert.ok(nearness >= (near[i + 1]?.nearness ?? -1));
  const place = idsOf(recommended.items).indexOf(item) + 1;
  if (place > 0) {
    const [served] = ofItem.served;
    assert.deepEqual([served?.user, served?.rank, served?.version], ['somebody', place, run.version]);
  }
  const ofQuery = await ready(async () => engine.inspection.query(query.toUpperCase()));
  assert.equal(ofQuery.query, query);
  assert.ok(ofQuery.led_to.some((led) => led.item === item));
  assert.equal(ofQuery.near.items.length, 12);
  assert.equal(await engine.inspection.query('never searched for'), null);
  const { total, queries } = await engine.inspection.queries({ ...LISTING, search: query.slice(1) });
  assert.ok(total >= 1 && queries.some((other) => other.query === query));
});

test('the health of the data is worked out once, as check tells it', async () => {
  let health = await engine.inspection.dataHealth();
  while (health.state === 'working') {
    await sleep(100);
    health = await engine.inspection.dataHealth();
  }
  assert.equal(health.state, 'ready', health.failure ?? '');
  const { code, out } = await sesrec('check', join(folder, 'data'), '--json');
  assert.ok(code === 0 || code === 1);
  const { facts, findings } = JSON.parse(out) as {
    facts: Record<string, number>;
    findings: { name: string; count: number }[];
  };
  assert.deepEqual(
    health.report?.findings.map(({ name, count }) => ({ name, count })),
    findings.map(({ name, count }) => ({ name, count })),
  );
  assert.deepEqual([health.report?.facts.users, health.report?.facts.searches], [facts['users'], facts['searches']]);
});

test('texts are found by any part of them, each once, whatever is in them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'B', ' ', '\n', 'ß', 'İ', '😀'), maxLength: 5 }), {
        maxLength: 30,
      }),
      fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'ß', '😀'), minLength: 1, maxLength: 3 }),
      async (texts, part) => {
        const index = await TextIndex.of(2, texts.length + 2, (i) => texts[i - 2] as string);
        const expected = texts.flatMap((text, i) => (comparable(text).includes(comparable(part)) ? [i + 2] : []));
        assert.deepEqual(await index.find(part), expected);
      },
    ),
    { numRuns: 200 },
  );
  const many = await TextIndex.of(0, 20_000, (i) => `item ${i}`);
  assert.deepEqual(await many.find('M 19999'), [19_999]);
  assert.equal((await many.find('item')).length, 20_000);
  assert.deepEqual(await many.find('m 8191'), [8191]);
  assert.deepEqual(await many.find('m 8192'), [8192]);
});
