/**
 * The live recommender on a real store and a small trained run: what just happened is seen, lists are those of the ranker, filters
 * hold, models change, users are forgotten.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { UserError } from '../../src/base/index.js';
import { type Dataset, FIRST_INDEX, loadDataset, withSearch } from '../../src/data/index.js';
import { type Case, metBefore } from '../../src/features/index.js';
import {
  type Run,
  checkpointsOf,
  loadCheckpoint,
  loadRun,
  rankerOf,
  recommend,
  saveCheckpoint,
} from '../../src/model/index.js';
import {
  type Engine,
  type EngineOptions,
  type Hooks,
  type LiveEvent,
  openEngine,
  openLmdbStore,
} from '../../src/online/index.js';
import { Runtime } from '../../src/tensor/index.js';
import { QUICK, sesrec, tinyWorld } from '../support/command-line.js';

let folder: string;
let run: Run;
let runtime: Runtime;
let stores = 0;
const open = new Set<Engine>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-online-'));
  const world = await tinyWorld(folder, 0);
  const train = async (name: string, ...flags: string[]): Promise<void> => {
    const { code, err } = await sesrec(
      'train',
      world.data,
      '--out',
      join(folder, name),
      '--epochs',
      '2',
      ...QUICK,
      ...flags,
    );
    assert.equal(code, 0, err);
  };
  await train('plain');
  await train('attributes', '--item-attributes', 'category', '--seed', '2');
  run = await loadRun(join(folder, 'plain'));
  runtime = new Runtime({ threads: 1 });
});
after(async () => {
  for (const engine of open) await engine.close();
  await runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function engineOn(name: string, options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await openEngine({
    run: join(folder, name),
    store: join(folder, `store ${stores++}`),
    threads: 1,
    ...options,
  });
  open.add(engine);
  return engine;
}

const accept = async (engine: Engine, ...events: LiveEvent[]): Promise<void> => {
  const answer = await engine.accept(events.map((event, index) => ({ index, event })));
  assert.deepEqual(answer.rejected, []);
};

const idsOf = (answer: { items: readonly { item: string }[] }): string[] => answer.items.map(({ item }) => item);
const codesOf = (answer: { notes: readonly { code: string }[] }): string[] => answer.notes.map(({ code }) => code);

/** What the ranker of the run itself recommends. */
async function offline(dataset: Dataset, user: string, k: number): Promise<{ item: string; score: number }[]> {
  const index = dataset.users.index(user);
  const moment: Case = { user: index, feedPosition: dataset.feedOffsets[index + 1] as number };
  const ranker = rankerOf(run.model, run.parameters, dataset, runtime);
  const best = await recommend(ranker, moment, k, metBefore(dataset, moment));
  return best.map(({ item, score }) => ({ item: dataset.items.ids[item] as string, score }));
}

function assertSameList(
  answer: { items: readonly { item: string; score: number }[] },
  expected: readonly { item: string; score: number }[],
): void {
  assert.deepEqual(
    idsOf(answer),
    expected.map(({ item }) => item),
  );
  for (const [i, { score }] of answer.items.entries()) assert.ok(Math.abs(score - (expected[i]?.score ?? NaN)) < 1e-5);
}

test('a small catalogue is ranked exactly: the list of the ranker itself, for every user, cached or not', async () => {
  const engine = await engineOn('plain', { cachedUsers: 3 });
  const users = run.dataset.users.ids.slice(FIRST_INDEX, FIRST_INDEX + 6);
  for (const round of [0, 1]) {
    for (const user of users) {
      const answer = await engine.recommend({ user, k: 20 });
      assert.equal(answer.source, 'model', `round ${round}`);
      assert.equal(answer.model.version, run.version);
      assertSameList(answer, await offline(run.dataset, user, 20));
    }
  }
});

test('a query at hand gives what the data set with that search gives, and is not kept', async () => {
  const engine = await engineOn('plain');
  const user = run.dataset.users.ids[FIRST_INDEX + 1] as string;
  const query = run.dataset.queries.ids[FIRST_INDEX + 3] as string;
  const before = await engine.recommend({ user, k: 20 });
  const imagined = withSearch(run.dataset, run.dataset.users.index(user), { query });
  assertSameList(await engine.recommend({ user, query, k: 20 }), await offline(imagined, user, 20));
  assert.deepEqual(idsOf(await engine.recommend({ user, k: 20 })), idsOf(before));
});

test('what was accepted is seen by the next answer, after opening again too', async () => {
  const store = join(folder, 'store of before and after');
  const engine = await engineOn('plain', { store });
  const user = run.dataset.users.ids[FIRST_INDEX + 2] as string;
  const query = run.dataset.queries.ids[FIRST_INDEX + 5] as string;
  const time = Date.now();
  await accept(engine, { type: 'search', id: 's', user, query, source: 'typed', time });
  const imagined = withSearch(run.dataset, run.dataset.users.index(user), { query });
  const expected = await offline(imagined, user, 20);
  assertSameList(await engine.recommend({ user, k: 20 }), expected);
  await engine.close();
  const again = await engineOn('plain', { store });
  assertSameList(await again.recommend({ user, k: 20 }), expected);
  // clicks come before their search, later than it, and twice: order is that of time
  const second = expected[1] as { item: string };
  const feedOf = (answer: { timeline: readonly { type: string }[] }) =>
    answer.timeline.filter(({ type }) => type === 'feed');
  const fed = feedOf(await again.interests(user));
  await accept(again, { type: 'click', user, item: second.item, search: 's2', time: time + 20 });
  assert.deepEqual(
    feedOf(await again.interests(user)),
    fed,
    'a click that waits for its search is no event of the feed',
  );
  await accept(again, { type: 'search', id: 's2', user, query, time: time + 10 });
  const { timeline } = await again.interests(user);
  const searches = timeline.filter(({ type }) => type === 'search');
  assert.deepEqual(searches.at(-1), { ...searches.at(-1), query, items: [second.item] });
  assert.ok(!idsOf(await again.recommend({ user, k: 20 })).includes(second.item), 'clicked items are met');
});

test('somebody new gets what is popular, then what follows the first search, by its words too', async () => {
  const engine = await engineOn('plain');
  const fresh = await engine.recommend({ user: 'new', k: 5 });
  assert.deepEqual([fresh.source, codesOf(fresh)], ['popular', ['unknown_user']]);
  const anonymous = await engine.recommend({ k: 5 });
  assert.deepEqual([anonymous.source, codesOf(anonymous)], ['popular', ['nobody']]);
  const [word] = run.dataset.words.ids.slice(FIRST_INDEX) as [string];
  const session = [{ type: 'search', id: 'x', query: `${word} zzzz ${word}` }];
  const found = await engine.recommend({ session, k: 5 });
  assert.deepEqual([found.source, codesOf(found)], ['model', ['unknown_queries']]);
  const other = await engine.recommend({ session: [{ type: 'search', id: 'x', query: 'zzzz' }], k: 5 });
  assert.notDeepEqual(found.items, other.items, 'words count');
  assert.equal((await engine.recommend({ user: 'new', k: 5 })).source, 'popular', 'a session is not kept');
  const strange = await engine.recommend({ session: [{ type: 'view', item: 'no such item' }], k: 5 });
  assert.deepEqual([strange.source, codesOf(strange), strange.items.length], ['model', ['unknown_items'], 5]);
});

test('filters and exclusions hold, a cap caps, and what is missing is said', async () => {
  const engine = await engineOn('plain');
  const user = run.dataset.users.ids[FIRST_INDEX] as string;
  const column = run.dataset.itemAttributes.get('category');
  assert.ok(column);
  const categoryOf = (item: string): string =>
    column.values.ids[column.index[run.dataset.items.index(item)] as number] as string;
  const all = await engine.recommend({ user, k: 10 });
  const [first] = idsOf(all) as [string];
  assert.ok(!idsOf(await engine.recommend({ user, k: 10, exclude: [first] })).includes(first));
  const category = categoryOf(first);
  const filtered = await engine.recommend({ user, k: 10, filters: [{ attribute: 'category', any_of: [category] }] });
  assert.ok(filtered.items.length > 0 && idsOf(filtered).every((item) => categoryOf(item) === category));
  const rest = await engine.recommend({ user, k: 10, filters: [{ attribute: 'category', none_of: [category] }] });
  assert.ok(idsOf(rest).every((item) => categoryOf(item) !== category));
  const none = await engine.recommend({ user, k: 10, filters: [{ attribute: 'colour', any_of: ['red'] }] });
  assert.deepEqual([none.items, codesOf(none)], [[], ['unknown_attribute', 'short']]);
  const capped = await engine.recommend({ user, k: 6, cap: { attribute: 'category', most: 1 } });
  const counts = idsOf(capped).map(categoryOf);
  assert.equal(new Set(counts).size, counts.length);
  assert.equal(capped.items.length, 6, 'six categories have one each');
  const lifted = await engine.recommend({ user, k: 12, cap: { attribute: 'category', most: 1 } });
  assert.equal(lifted.items.length, 12);
  assert.ok(codesOf(lifted).includes('cap_lifted'));
  const everything = await engine.recommend({ user, k: 500 });
  assert.equal(new Set(idsOf(everything)).size, run.dataset.items.ids.length - FIRST_INDEX);
  assert.ok(codesOf(everything).includes('repeated') && codesOf(everything).includes('short'));
});

test('exploration tells how likely each item was to stand where it stands', async () => {
  const engine = await engineOn('plain');
  const user = run.dataset.users.ids[FIRST_INDEX] as string;
  const ranked = idsOf(await engine.recommend({ user, k: 5 }));
  let drawn = 0;
  for (let i = 0; i < 20; i++) {
    const { items } = await engine.recommend({ user, k: 5, explore: 0.5 });
    for (const { source, probability = 0 } of items) {
      if (source === 'explored') drawn++;
      assert.ok(probability > 0 && probability <= 1);
    }
    if (items[0]?.item === ranked[0]) assert.ok((items[0]?.probability ?? 0) > 0.5);
    else assert.ok((items[0]?.probability ?? 1) < 0.01);
  }
  assert.ok(drawn > 20 && drawn < 80, `${drawn} of 100 places were drawn`);
});

test('reasons name the events behind an item, in sentences that texts cannot disturb', async () => {
  const engine = await engineOn('plain');
  const query = run.dataset.queries.ids[FIRST_INDEX + 1] as string;
  const items = run.dataset.items.ids.slice(FIRST_INDEX, FIRST_INDEX + 3);
  const time = Date.now();
  await accept(
    engine,
    { type: 'search', id: 'search-1', user: 'r', query, time },
    { type: 'click', id: 'click-1', user: 'r', item: items[0] as string, search: 'search-1', time: time + 1 },
    { type: 'view', id: 'view-1', user: 'r', item: items[1] as string, time: time + 2 },
    { type: 'view', id: 'view-2', user: 'r', item: items[2] as string, time: time + 3 },
  );
  const { items: listed } = await engine.recommend({ user: 'r', k: 10, explain: true, reasons: 2 });
  const reasons = listed.flatMap(({ because = [] }) => because);
  assert.ok(reasons.length > 0);
  for (const { type, event, text, weight, time: when } of reasons) {
    assert.ok(type === 'search' ? event === 'search-1' : event?.startsWith('view-'));
    assert.match(text, /^Because you (searched for “\u2068.*\u2069” and chose|looked at) \u2068.*\u2069$/);
    assert.ok(Number.isFinite(weight) && when !== null);
  }
  const { items: arabic } = await engine.recommend({ user: 'r', k: 10, explain: true, language: 'ar' });
  assert.match(arabic.flatMap(({ because = [] }) => because)[0]?.text ?? '', /^لأنك .*\u2068/);
});

test('a new item is told apart by its attributes where the model looks at them, and shown when it is popular elsewhere', async () => {
  const [plain, withAttributes] = [await engineOn('plain'), await engineOn('attributes')];
  const user = run.dataset.users.ids[FIRST_INDEX] as string;
  const total = run.dataset.items.ids.length - FIRST_INDEX;
  const categories = run.dataset.itemAttributes.get('category')?.values.ids.slice(FIRST_INDEX) as string[];
  for (const engine of [plain, withAttributes]) {
    const upserts = categories.map((category) => ({ item: `new ${category}`, fields: { category, title: category } }));
    assert.deepEqual(await engine.upsertItems(upserts), { accepted: categories.length, rejected: [] });
  }
  const { items } = await withAttributes.recommend({ user, k: total + categories.length, repeat: 'all' });
  const fresh = items.filter(({ item }) => item.startsWith('new '));
  assert.equal(fresh.length, categories.length);
  assert.ok(fresh.every(({ source }) => source === 'attributes'));
  assert.equal(new Set(fresh.map(({ score }) => score)).size, categories.length, 'by their categories');
  // an item whose category changes is another one to the model
  const one = fresh[0] as { item: string; score: number };
  const other = fresh.at(-1) as { item: string; score: number };
  await withAttributes.upsertItems([{ item: one.item, fields: { category: other.item.slice(4) } }]);
  const again = await withAttributes.recommend({ user, k: total + categories.length, repeat: 'all' });
  const scoreOf = (item: string): number => again.items.find((found) => found.item === item)?.score ?? NaN;
  assert.equal(scoreOf(one.item), scoreOf(other.item));

  const listed = await plain.recommend({ user, k: total + categories.length, repeat: 'all' });
  assert.ok(listed.items.slice(0, total).every(({ item }) => !item.startsWith('new ')));
  assert.ok(listed.items.slice(total).every(({ source }) => source === 'new'));
  await accept(
    plain,
    ...Array.from({ length: 60 }, (_, i) => ({ type: 'view', user: `u${i}`, item: `new ${categories[0]}`, time: i })),
  );
  await setTimeout(1100);
  const popular = await plain.recommend({ k: 3 });
  assert.equal(popular.items[0]?.item, `new ${categories[0]}`);
  assert.ok((await withAttributes.similar(one.item, 5))?.items.length === 5);
  assert.equal(await plain.similar('no such item', 5), null);
  // an item that the model cannot tell from other new ones is like what is popular, and not like itself
  const [popularNew, otherNew] = [`new ${categories[0]}`, `new ${categories[1]}`];
  const like = await plain.similar(otherNew, 5);
  assert.deepEqual([like?.source, like?.items[0]?.item], ['popular', popularNew]);
  assert.deepEqual(like?.items.map(({ score }) => score), like?.items.map(({ score }) => score).toSorted((a, b) => b - a)); // prettier-ignore
  assert.ok((await plain.similar(popularNew, 5))?.items.every(({ item }) => item !== popularNew));
});

test('null takes an attribute away that the run has, for filters, models and data', async () => {
  const store = join(folder, 'nulls');
  const engine = await engineOn('attributes', { store });
  const item = run.dataset.items.ids[FIRST_INDEX] as string;
  const column = run.dataset.itemAttributes.get('category');
  const category = column?.values.ids[column.index[FIRST_INDEX] as number] as string;
  const ofCategory = async (): Promise<string[]> => {
    const filters = [{ attribute: 'category', any_of: [category] }];
    return (await engine.recommend({ k: 500, repeat: 'all', filters })).items.map((listed) => listed.item);
  };
  assert.ok((await ofCategory()).includes(item));
  await engine.upsertItems([{ item, fields: { category: null } }]);
  assert.ok(!(await ofCategory()).includes(item));
  const answer = await engine.inspection.item(item);
  assert.deepEqual(
    answer?.attributes.filter(({ name }) => name === 'category'),
    [],
  );
  await accept(engine, { type: 'view', user: 'u', item, time: Date.UTC(2026, 8, 1) });
  await engine.close();
  open.delete(engine);
  const [out, log] = [join(folder, 'data of nulls'), join(folder, 'log.jsonl')];
  const { code, err } = await sesrec('import', 'live', store, log, '--out', out);
  assert.equal(code, 0, err);
  const after = await loadDataset(out);
  const now = after.itemAttributes.get('category');
  assert.equal(now?.values.ids[now.index[after.items.index(item)] as number], '');
});

test('a user that was erased is new, whatever the run knows', async () => {
  const engine = await engineOn('plain');
  const user = run.dataset.users.ids[FIRST_INDEX + 3] as string;
  await accept(engine, { type: 'view', id: 'gone', user, item: run.dataset.items.ids[FIRST_INDEX] as string, time: 1 });
  assert.equal((await engine.recommend({ user })).source, 'model');
  assert.deepEqual(await engine.erase(user), { erased: true, events: 1 });
  assert.equal((await engine.recommend({ user })).source, 'popular');
  assert.deepEqual((await engine.interests(user)).timeline, []);
  await accept(engine, { type: 'view', id: 'gone', user, item: run.dataset.items.ids[FIRST_INDEX] as string, time: 1 });
  assert.equal((await engine.interests(user)).timeline.length, 1);
});

test('a list that is made while somebody is erased is kept of nobody', async () => {
  const store = join(folder, 'erased meanwhile');
  const engine = await engineOn('plain', { store });
  const user = run.dataset.users.ids[FIRST_INDEX + 6] as string;
  const answers = Array.from({ length: 8 }, async (_, i) => {
    await setTimeout(i);
    return engine.recommend({ user, k: 100, explain: true, reasons: 3 });
  });
  await setTimeout(4);
  await engine.erase(user);
  const asked = (await Promise.all(answers)).filter(({ source }) => source === 'model');
  await engine.close();
  open.delete(engine);
  const kept = await openLmdbStore(store, { readOnly: true });
  let lists = 0;
  for await (const served of kept.allServed()) {
    if (served.source === 'model') assert.notEqual(served.user, user);
    lists++;
  }
  await kept.close();
  assert.ok(lists > 0 && asked.length > 0);
});

test('what an erased user did in training counts nowhere, also after a new start and in models that are loaded later', async () => {
  const { dataset } = run;
  const user = FIRST_INDEX + 5;
  const item = dataset.feedItem[dataset.feedOffsets[user] as number] as number;
  const own = dataset.feedItem
    .subarray(dataset.feedOffsets[user], dataset.heldOutStart[user])
    .filter((other) => other === item).length;
  assert.ok(own > 0);
  const scoreOf = async (engine: Engine): Promise<number | undefined> =>
    (await engine.recommend({ k: 500, repeat: 'all' })).items.find((listed) => listed.item === dataset.items.ids[item])
      ?.score;
  const store = join(folder, 'erased');
  const engine = await engineOn('plain', { store });
  const before = (await scoreOf(engine)) as number;
  await engine.erase(dataset.users.ids[user] as string);
  await setTimeout(1100); // popularity is brought up to date once a second
  assert.equal(await scoreOf(engine), before - own);
  await engine.activate({ run: 'attributes' });
  assert.equal(await scoreOf(engine), before - own);
  await engine.close();
  open.delete(engine);
  assert.equal(await scoreOf(await engineOn('plain', { store })), before - own);
});

test('a server begins with the run that answered last, unless it is told or started otherwise, or that run is broken', async () => {
  const store = join(folder, 'begins');
  const begun: string[] = [];
  const failed: string[] = [];
  const hooks = {
    began: ({ name }: { name: string }) => begun.push(name),
    failed: (what: string) => failed.push(what),
  };
  const nameAt = async (
    name: string,
    options: Partial<EngineOptions> = {},
    then?: (engine: Engine) => Promise<unknown>,
  ) => {
    const engine = await engineOn(name, { store, hooks, ...options });
    const [{ name: active } = { name: '' }] = await engine.models();
    await then?.(engine);
    await engine.close();
    open.delete(engine);
    return active;
  };
  assert.equal(await nameAt('plain', {}, (engine) => engine.activate({ run: 'attributes' })), 'plain');
  assert.equal(await nameAt('plain', { begin: 'given' }), 'plain');
  assert.deepEqual(begun, []);
  assert.equal(await nameAt('plain'), 'attributes');
  assert.deepEqual(begun, ['attributes']);
  await cp(join(folder, 'plain'), join(folder, 'other'), { recursive: true });
  assert.equal(await nameAt('other'), 'other', 'another run was given: that is what is wanted now');
  await cp(join(folder, 'plain'), join(folder, 'fragile'), { recursive: true });
  await nameAt('plain', {}, async (engine) => {
    await engine.activate({ run: 'fragile' });
    await engine.rollback();
    await engine.activate({ run: 'fragile' });
  });
  await rm(join(folder, 'fragile', 'checkpoints'), { recursive: true });
  assert.deepEqual(failed, []);
  assert.equal(await nameAt('plain'), 'plain');
  assert.match(failed.join(), /fragile answered last and cannot be loaded/);
});

test('what is wrong with an event is said by its place, and the others are kept', async () => {
  const engine = await engineOn('plain');
  const events = [
    { type: 'view', user: 'u', item: 'i', time: 1, id: 'x' },
    { type: 'dance', user: 'u', time: 1 },
    { type: 'search', user: 'u', time: 1, query: 'q' },
    { type: 'view', user: 'u', time: 1 },
    { type: 'view', user: 'u', item: 'i', time: Date.now() + 1e9 },
    { type: 'view', user: 'u', item: 'i', time: 1, id: 'x' },
  ];
  const answer = await engine.accept(events.map((event, index) => ({ index, event })));
  assert.deepEqual([answer.accepted, answer.duplicate], [1, 1]);
  assert.deepEqual(
    answer.rejected.map(({ index, code, pointer }) => [index, code, pointer]),
    [
      [1, 'unknown_type', '/type'],
      [2, 'missing', '/id'],
      [3, 'missing', '/item'],
      [4, 'future', '/time'],
    ],
  );
});

test('a deadline that passes gives what is popular, and says so', async () => {
  const engine = await engineOn('plain');
  const user = run.dataset.users.ids[FIRST_INDEX] as string;
  const late = await engine.recommend({ user, k: 5 }, AbortSignal.abort());
  assert.deepEqual([late.source, late.degraded, codesOf(late), late.items.length], ['popular', true, ['late'], 5]);
});

test('a large catalogue is retrieved from and ranked exactly: with room for all, the list is that of the ranker', async () => {
  const user = run.dataset.users.ids[FIRST_INDEX] as string;
  const total = run.dataset.items.ids.length - FIRST_INDEX;
  const whole = await engineOn('plain', { exactUpTo: 10, candidates: total });
  const answer = await whole.recommend({ user, k: 20 });
  assert.equal(answer.source, 'retrieval');
  assertSameList(answer, await offline(run.dataset, user, 20));
  const more = await engineOn('plain', { exactUpTo: 10, candidates: 10 * total });
  assertSameList(await more.recommend({ user, k: 20 }), await offline(run.dataset, user, 20));
  const some = await engineOn('plain', { exactUpTo: 10, candidates: 60 });
  const { items } = await some.recommend({ user, k: 20 });
  assert.equal(items.length, 20);
  const sources = new Set(items.map(({ source }) => source));
  assert.ok(
    [...sources].every((source) => ['co-occurrence', 'vectors', 'popular'].includes(source)),
    [...sources].join(),
  );
  const scores = new Map((await offline(run.dataset, user, total)).map(({ item, score }) => [item, score]));
  for (const { item, score } of items) assert.ok(Math.abs(score - (scores.get(item) ?? NaN)) < 1e-5);
});

test('models change under load: every answer is of one model, and back in one call', async () => {
  const switched: string[] = [];
  const shadowed: Parameters<NonNullable<Hooks['shadowed']>>[0][] = [];
  const engine = await engineOn('plain', {
    shadowShare: 1,
    hooks: { switched: ({ name }) => switched.push(name), shadowed: (comparison) => shadowed.push(comparison) },
  });
  const user = run.dataset.users.ids[FIRST_INDEX] as string;
  const lists = new Map<string, Set<string>>();
  const done = new AbortController();
  const asking = Array.from({ length: 3 }, async () => {
    while (!done.signal.aborted) {
      const { model, items, source } = await engine.recommend({ user, k: 5 });
      assert.equal(source, 'model');
      const own = lists.get(model.name) ?? new Set();
      lists.set(model.name, own.add(items.map(({ item, score }) => `${item} ${score}`).join()));
    }
  });
  /** Whoever asks all the time has had an answer of this model. */
  const answered = async (name: string): Promise<void> => {
    while (!lists.has(name)) await setImmediate();
  };
  await answered('plain');
  const states = (models: readonly { name: string; state: string }[]) =>
    models.map(({ name, state }) => `${name} ${state}`);
  assert.deepEqual(states(await engine.activate({ run: 'attributes' })), ['attributes active', 'plain previous']);
  await answered('attributes');
  assert.deepEqual(
    states(await engine.activate({ run: 'attributes' })),
    ['attributes active', 'plain previous'],
    'again',
  );
  assert.deepEqual(states(await engine.rollback()), ['plain active', 'attributes previous']);
  assert.deepEqual(states(await engine.activate({ run: 'attributes', shadow: true })), [
    'plain active',
    'attributes previous',
    'attributes shadow',
  ]);
  await engine.recommend({ user });
  done.abort();
  await Promise.all(asking);
  while (shadowed.length === 0) await setImmediate();
  assert.deepEqual([shadowed[0]?.source, shadowed[0]?.activeSource, shadowed[0]?.explored], ['model', 'model', false]);
  // no more are ranked than the shadow keeps up with
  const answers = await Promise.all(Array.from({ length: 12 }, async () => engine.recommend({ user, explore: 1 })));
  const last = answers.map(({ id }) => id);
  assert.deepEqual(
    states(await engine.activate({ run: 'attributes' })),
    ['attributes active', 'plain previous'],
    'what answers is not in its own shadow',
  );
  await engine.activate({ run: 'plain', shadow: true });
  assert.deepEqual(states(await engine.endShadow()), ['attributes active', 'plain previous'], 'ended by itself');
  assert.deepEqual(states(await engine.endShadow()), ['attributes active', 'plain previous'], 'there is none');
  assert.deepEqual(switched, ['attributes', 'attributes', 'plain', 'attributes']);
  for (const [name, found] of lists) assert.equal(found.size, 1, `${name} gave different lists`);
  assert.equal(lists.size, 2);
  await engine.close();
  assert.ok(shadowed.every(({ model }) => model.name === 'attributes'));
  const explored = shadowed.filter(({ recommendation }) => last.includes(recommendation));
  assert.ok(explored.length > 0 && explored.length <= 2, `${explored.length} at once`);
  assert.ok(explored.every((comparison) => comparison.explored));
});

test('what was served is forgotten after 90 days, also by an engine that is not opened anew', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.now() });
  const store = join(folder, 'store of a quarter');
  const engine = await engineOn('plain', { store });
  const { id } = await engine.recommend({ k: 1 });
  t.mock.timers.tick(89 * 24 * 60 * 60 * 1000);
  const { id: later } = await engine.recommend({ k: 1 });
  t.mock.timers.tick(2 * 24 * 60 * 60 * 1000);
  await engine.close();
  const kept = await openLmdbStore(store, { readOnly: true });
  assert.deepEqual([await kept.served(id), (await kept.served(later))?.id], [null, later]);
  await kept.close();
});

test('a model that scores with what is no number is refused, and the one before it answers on', async () => {
  const broken = join(folder, 'broken');
  await cp(join(folder, 'plain'), broken, { recursive: true });
  const { tensors, state } = await loadCheckpoint(checkpointsOf(broken), 'best');
  for (const { data, shape } of tensors.values()) if (shape.length === 2) data.fill(1e30);
  await saveCheckpoint(checkpointsOf(broken), 'best', tensors, state);
  const engine = await engineOn('plain');
  await assert.rejects(engine.activate({ run: 'broken' }), UserError);
  await assert.rejects(engine.activate({ run: 'no such run' }), UserError);
  await assert.rejects(engine.rollback(), UserError);
  assert.deepEqual(
    (await engine.models()).map(({ name }) => name),
    ['plain'],
  );
  const { source } = await engine.recommend({ user: run.dataset.users.ids[FIRST_INDEX] as string });
  assert.equal(source, 'model');
});
