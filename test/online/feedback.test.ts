/** What happened live becomes data, and a training begins where another ended: on a real store, through the command line. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { logOf } from '../../src/cli/importing-live.js';
import { FIRST_INDEX, UNKNOWN, type WrittenLog, importEvents, loadDataset } from '../../src/data/index.js';
import { type Run, loadRun, parametersOf, warmStart } from '../../src/model/index.js';
import { type LiveEvent, openEngine, openLmdbStore } from '../../src/online/index.js';
import { QUICK, type TinyWorld, assertRefusal, sesrec, sesrecJson, tinyWorld } from '../support/command-line.js';

let folder: string;
let world: TinyWorld;
let run: Run;
const time = Date.parse('2026-06-01T00:00:00Z');

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-feedback-'));
  world = await tinyWorld(folder, 1);
  run = await loadRun(world.run);
});
after(async () => rm(folder, { recursive: true, force: true }));

/** A store in which somebody new met some items, one of them new, and somebody known searched. */
async function storeWith(name: string, ...more: LiveEvent[]): Promise<string> {
  const directory = join(folder, name);
  const store = await openLmdbStore(directory);
  const known = run.dataset.users.ids[FIRST_INDEX] as string;
  const items = run.dataset.items.ids.slice(FIRST_INDEX, FIRST_INDEX + 3);
  await store.upsert(
    'items',
    [
      {
        id: 'brand new',
        fields: new Map<string, string | string[]>(Object.entries({ category: 'c1', tags: [] })),
      },
    ],
    time,
  );
  await store.append([
    ...[...items, 'brand new', ...items].map((item, i) => ({ type: 'view', user: 'newcomer', item, time: time + i })),
    { type: 'search', id: 's', user: known, query: 'something brand new', time: time + 5 },
    { type: 'click', user: known, item: items[0] as string, search: 's', time: time + 6 },
    { type: 'purchase', user: known, item: items[1] as string, search: 's', time: time + 7, value: 3 },
    ...more,
  ]);
  await store.close();
  return directory;
}

test('a store becomes data, behind an earlier log; what an importer would refuse is left out', async () => {
  const user = 'newcomer';
  const store = await storeWith(
    'store a',
    { type: 'click', user, item: 'brand new', search: 'nobody knows', time: time + 20 },
    { type: 'click', user, item: 'brand new', search: 's', time: time + 21 },
    { type: 'purchase', user, item: 'brand new', search: 'nobody knows', time: time + 22 },
    { type: 'impression', user, item: 'brand new', time: time + 23 },
  );
  const out = join(folder, 'data a');
  const { code, err } = await sesrec('import', 'live', store, world.log, '--out', out);
  assert.equal(code, 0, err);
  assert.match(err, /2 clicks left out/);
  const [before, now] = [run.dataset, await loadDataset(out)];
  const index = now.users.index(user);
  assert.equal((now.feedOffsets[index + 1] as number) - (now.feedOffsets[index] as number), 8);
  assert.equal(now.feedItem.length, before.feedItem.length + 7 + 1 + 1);
  assert.equal(now.searchQuery.length, before.searchQuery.length + 1);
  assert.equal(now.clickItem.length, before.clickItem.length + 2);
  const item = now.items.index('brand new');
  const category = now.itemAttributes.get('category');
  assert.equal(category?.values.ids[category.index[item] as number], 'c1');
  assertRefusal(await sesrec('import', 'live', join(folder, 'no store'), '--out', join(folder, 'x')), 1, /no store/);
});

test('attributes of the site change those of the log, and leave what they do not name', async () => {
  const store = await storeWith('store of changes');
  const [known, other] = run.dataset.items.ids.slice(FIRST_INDEX, FIRST_INDEX + 2) as [string, string];
  const before = await loadDataset(world.data);
  const names = [...before.itemAttributes.keys()];
  const valueOf = (dataset: typeof before, name: string, id: string): string | undefined => {
    const column = dataset.itemAttributes.get(name);
    return column?.values.ids[column.index[dataset.items.index(id)] as number];
  };
  const writing = await openLmdbStore(store);
  await writing.upsert('items', [{ id: known, fields: new Map([['price', 'sale']]) }], time);
  await writing.close();
  const out = join(folder, 'data of changes');
  assert.equal((await sesrec('import', 'live', store, world.log, '--out', out)).code, 0);
  const after = await loadDataset(out);
  assert.ok(names.includes('category'));
  for (const name of names)
    for (const id of [known, other])
      assert.equal(valueOf(after, name, id), valueOf(before, name, id), `${name} of ${id}`);
  assert.deepEqual([valueOf(after, 'price', known), valueOf(after, 'price', other)], ['sale', '']);

  // a store takes any name and keeps it; data have columns
  const wrong = Object.entries({ Category: 'theirs', Index: '5', item: 'x', Price: 'other' });
  const writingMore = await openLmdbStore(store);
  await writingMore.upsert('items', [{ id: known, fields: new Map(wrong) }], time);
  await writingMore.upsert('users', [{ id: 'newcomer', fields: new Map([['User', 'x']]) }], time);
  await writingMore.close();
  const clashing = join(folder, 'data of clashing names');
  const { code, err } = await sesrec('import', 'live', store, world.log, '--out', clashing);
  assert.equal(code, 0, err);
  for (const [name, key] of [...wrong.map(([one]) => [one, 'item'] as const), ['User', 'user'] as const])
    assert.match(err, new RegExp(`the attribute "${name}" of ${key}s is left out`));
  const left = await loadDataset(clashing);
  assert.deepEqual([...left.itemAttributes.keys()], [...after.itemAttributes.keys()]);
  assert.deepEqual(
    [valueOf(left, 'category', known), valueOf(left, 'price', known)],
    [valueOf(before, 'category', known), 'sale'],
  );
});

test('who is erased while the log of a store is written is not in the data, not even in part; nothing of it is left elsewhere', async () => {
  const directory = await storeWith('store of somebody who goes');
  const data = join(folder, 'data without');
  const store = await openLmdbStore(directory);
  const left: string[] = [];
  try {
    let events = 0;
    const going = {
      id: store.id,
      sequence: () => store.sequence(),
      things: (kind: 'items' | 'users') => store.things(kind),
      erasedUsers: () => store.erasedUsers(),
      async *events(after?: number) {
        for await (const stored of store.events(after)) {
          yield stored;
          // twice all are gone through; some of the second time are written by now
          if (++events === 10 + 3) await store.erase('newcomer', time);
        }
      },
    };
    const write = async (place: string): Promise<WrittenLog> => {
      const log = await logOf(going, place);
      assert.equal((await readFile(log.path, 'utf8')).split('"newcomer"').length, 1 + 3, 'some were written');
      left.push(place);
      return log;
    };
    await importEvents({ files: [world.log], out: data, live: { write } });
  } finally {
    await store.close();
  }
  const dataset = await loadDataset(data);
  assert.equal(dataset.users.index('newcomer'), UNKNOWN);
  assert.notEqual(dataset.items.index('brand new'), UNKNOWN);
  const [place = ''] = left;
  assert.ok(
    place.startsWith(`${data}.`),
    'beside the data, where the next import finds what was left by one that was killed',
  );
  await assert.rejects(readdir(place), /ENOENT/);
});

test('a training on grown data takes over what is known by id; served from the same store, nothing counts twice', async () => {
  const store = await storeWith('store b');
  const [data, out] = [join(folder, 'data b'), join(folder, 'run b')];
  assert.equal((await sesrec('import', 'live', store, world.log, '--out', data)).code, 0);
  const { version } = await sesrecJson<{ version: string }>(
    'train',
    data,
    '--out',
    out,
    '--epochs',
    '1',
    ...QUICK,
    '--warm',
    world.run,
  );
  const warm = await loadRun(out);
  assert.equal(warm.version, version);
  assert.equal(warm.manifest.training.warmFrom, run.version);

  // before the first step: rows by raw id, everything else whole
  const { model, dataset, manifest } = warm;
  const [drawn, begun] = [parametersOf(model), parametersOf(model)];
  for (const parameters of [drawn, begun]) parameters.initialise(1);
  const { rows, anew } = warmStart(begun, { model: manifest.model, config: manifest.config, dataset }, run);
  assert.deepEqual(anew, []);
  for (const [table, now, old] of [
    ['item.id', dataset.items, run.dataset.items],
    ['user.id', dataset.users, run.dataset.users],
    ['query.id', dataset.queries, run.dataset.queries],
    ['query.word', dataset.words, run.dataset.words],
  ] as const) {
    const rowOf = (parameters: typeof begun, row: number): number[] => [
      ...parameters.rowsOf(table, Int32Array.of(row)),
    ];
    let known = 0;
    for (const [row, id] of now.ids.entries()) {
      const isKnown = row < FIRST_INDEX || old.has(id);
      if (isKnown && row >= FIRST_INDEX) known++;
      const expected = isKnown ? rowOf(run.parameters, row < FIRST_INDEX ? row : old.index(id)) : rowOf(drawn, row);
      assert.deepEqual(rowOf(begun, row), expected, `${table} ${id}`);
    }
    assert.deepEqual(
      rows.find(({ name }) => name === table),
      { name: table, known, total: now.ids.length - FIRST_INDEX },
    );
  }
  for (const { name, table } of begun.descriptions)
    if (!table && name !== 'search.source') assert.deepEqual(begun.get(name), run.parameters.get(name), name);

  const engine = await openEngine({ run: out, store, threads: 1 });
  try {
    const { timeline } = await engine.interests('newcomer');
    assert.equal(timeline.length, 7);
    assert.equal(timeline.filter(({ seen }) => seen).length, Math.min(7, manifest.config.window.feed));
    const { notes } = await engine.recommend({ user: 'newcomer' });
    assert.deepEqual(notes, []);
    const view = {
      type: 'view',
      user: run.dataset.users.ids[FIRST_INDEX] as string,
      item: 'brand new',
      time: Date.now(),
    };
    await engine.accept([{ index: 0, event: view }]);
    const known = await engine.interests(view.user);
    assert.deepEqual(known.timeline.filter(({ type }) => type === 'feed').at(-1)?.items, ['brand new']);
    const items = run.dataset.items.ids.slice(FIRST_INDEX, FIRST_INDEX + 2);
    const ours = known.timeline.filter((entry) => entry.type === 'search' && entry.items.join() === items.join());
    assert.equal(ours.length, 1, 'in the data of the run and in the store, and counted once');
  } finally {
    await engine.close();
  }
});

test('a warm start needs a run of the same model, and is not resumed or reproduced as if it followed from the data', async () => {
  const out = join(folder, 'run c');
  const train = ['train', world.data, '--out', out, '--warm', world.run] as const;
  assertRefusal(await sesrec(...train, '--model', 'sasrec'), 1, /run of sesrec, not of sasrec/);
  assertRefusal(await sesrec(...train, '--resume'), 2, /--warm begins a training/);
});
