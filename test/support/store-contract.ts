/** What every live store must do. Knows the interface of stores only; each store's own test calls it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveEvent, LiveStore } from '../../src/online/index.js';

/** A store that can be closed and opened again. */
export interface StoreUnderTest {
  readonly open: () => Promise<LiveStore>;
}

const event = (user: string, time: number, more: Partial<LiveEvent> = {}): LiveEvent => ({
  type: 'view',
  user,
  time,
  item: 'i1',
  ...more,
});

async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

/** Registers the tests. `fresh` makes an empty store. */
export function storeContract(name: string, fresh: () => Promise<StoreUnderTest>): void {
  test(`${name}: what was taken is read, in order of time, and after it was opened again`, async () => {
    const { open } = await fresh();
    const store = await open();
    const { id } = store;
    assert.equal(store.sequence(), 0);
    assert.deepEqual(await store.append([event('u', 20, { id: 'b' }), event('u', 30), event('w', 1)]), [
      true,
      true,
      true,
    ]);
    assert.deepEqual(await store.append([event('u', 10, { id: 'late' }), event('u', 20, { item: 'i2' })]), [
      true,
      true,
    ]);
    const check = async (opened: LiveStore): Promise<void> => {
      const history = await opened.historyOf('u', 100);
      assert.deepEqual(
        history.map(({ sequence, event: { time } }) => [sequence, time]),
        [
          [4, 10],
          [1, 20],
          [5, 20],
          [2, 30],
        ],
      );
      assert.deepEqual(
        (await opened.historyOf('u', 2)).map(({ sequence }) => sequence),
        [5, 2],
      );
      assert.deepEqual(
        (await all(opened.events())).map(({ sequence }) => sequence),
        [1, 2, 3, 4, 5],
      );
      assert.deepEqual(
        (await all(opened.events(3))).map(({ sequence }) => sequence),
        [4, 5],
      );
      assert.deepEqual(
        new Map(await all(opened.actionCounts())),
        new Map([
          ['i1', 4],
          ['i2', 1],
        ]),
      );
      assert.deepEqual(await opened.historyOf('nobody', 100), []);
      assert.equal(opened.sequence(), 5);
    };
    await check(store);
    await store.close();
    const again = await open();
    assert.equal(again.id, id);
    await check(again);
    await again.close();
  });

  test(`${name}: an id counts once, however it comes again`, async () => {
    const { open } = await fresh();
    const store = await open();
    const once = event('u', 1, { id: 'e1' });
    assert.deepEqual(await store.append([once, once, event('u', 2)]), [true, false, true]);
    assert.deepEqual(await store.append([{ ...once, user: 'other' }]), [false]);
    // while the first is still being written
    const twins = await Promise.all([
      store.append([event('u', 3, { id: 'e2' })]),
      store.append([event('u', 3, { id: 'e2' })]),
    ]);
    assert.equal(twins.flat().filter((isNew) => isNew).length, 1);
    assert.equal((await store.historyOf('u', 10)).length, 3);
    await store.close();
  });

  test(`${name}: counts add up when many write at once`, async () => {
    const { open } = await fresh();
    const store = await open();
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) =>
        store.append([event(`u${i % 3}`, i), event('v', i, { type: 'impression' })]),
      ),
    );
    assert.deepEqual(await all(store.actionCounts()), [['i1', 40]]);
    assert.equal((await all(store.events())).length, 80);
    await store.close();
  });

  test(`${name}: ids may be long and of any characters`, async () => {
    const { open } = await fresh();
    const store = await open();
    const ids = ['a/b', 'é', 'e\u0301', '7', '007', '__proto__', ' x', 'ق'.repeat(900), '\u0000', '😀'];
    await store.append(ids.map((user, i) => event(user, i, { id: user, item: user })));
    for (const [i, user] of ids.entries())
      assert.deepEqual(
        (await store.historyOf(user, 9)).map(({ event: { time } }) => time),
        [i],
        user,
      );
    assert.deepEqual(new Set((await all(store.actionCounts())).map(([item]) => item)), new Set(ids));
    await store.close();
  });

  test(`${name}: attributes are merged, and null takes one away`, async () => {
    const { open } = await fresh();
    const store = await open();
    const fields = (entries: Record<string, string | string[] | null>) => new Map(Object.entries(entries));
    await store.upsert('items', [{ id: 'i1', fields: fields({ title: 'one', tags: ['a', 'b'] }) }], 5);
    await Promise.all([
      store.upsert('items', [{ id: 'i1', fields: fields({ title: null, price: '3' }) }], 6),
      store.upsert('items', [{ id: 'i1', fields: fields({ tags: ['c'] }) }], 7),
    ]);
    const expected = { id: 'i1', since: 5, fields: fields({ tags: ['c'], price: '3' }) };
    assert.deepEqual(await store.thing('items', 'i1'), expected);
    assert.deepEqual(await all(store.things('items')), [expected]);
    assert.equal(await store.thing('users', 'i1'), null);
    await store.close();
  });

  test(`${name}: an erased user is gone everywhere, and may come again`, async () => {
    const { open } = await fresh();
    const store = await open();
    const served = {
      id: 'rec_1',
      user: 'u',
      time: 4,
      version: 'v',
      source: 'model',
      items: ['i1'],
      probabilities: [0.5],
    };
    await store.append([event('u', 1, { id: 'e1' }), event('w', 2), event('u', 3, { item: 'i2' })]);
    await store.upsert('users', [{ id: 'u', fields: new Map([['country', 'NL']]) }], 1);
    store.recordServed(served);
    store.recordServed({ ...served, id: 'rec_2', user: 'w', time: 5 });
    assert.equal(await store.erasedThrough('u'), null);
    assert.deepEqual(await store.erase('u', 9), { events: 2, other: 2 });
    assert.equal(await store.erasedThrough('u'), store.sequence());
    assert.deepEqual(await store.historyOf('u', 9), []);
    assert.equal(await store.thing('users', 'u'), null);
    assert.equal(await store.served('rec_1'), null);
    assert.deepEqual(
      (await all(store.allServed())).map(({ id }) => id),
      ['rec_2'],
    );
    assert.deepEqual(
      (await all(store.events())).map(({ event: { user } }) => user),
      ['w'],
    );
    assert.deepEqual(
      (await all(store.actionCounts())).filter(([, count]) => count > 0),
      [['i1', 1]],
    );
    await store.close();
    const again = await open();
    assert.deepEqual(await again.append([event('u', 4, { id: 'e1' })]), [true]);
    assert.deepEqual(
      (await again.historyOf('u', 9)).map(({ sequence }) => sequence),
      [4],
      'numbers do not come again',
    );
    await again.close();
  });

  test(`${name}: what was served is kept until it is old`, async () => {
    const { open } = await fresh();
    const store = await open();
    const served = (time: number) => ({
      id: `rec_${time}`,
      user: null,
      time,
      version: 'v',
      source: 'model',
      items: ['i1'],
      probabilities: null,
    });
    for (const time of [3, 1, 2]) store.recordServed(served(time));
    await store.append([event('u', 1)]);
    assert.deepEqual(await store.served('rec_2'), served(2));
    assert.deepEqual(await all(store.newestServed()), [served(3), served(2), served(1)]);
    assert.equal(await store.forgetServed(3), 2);
    assert.deepEqual(await all(store.allServed()), [served(3)]);
    await store.close();
  });
}
