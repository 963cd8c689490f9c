/** Every model ranks for a history that is a data set of its own as it ranks for the same history in the whole data set. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { UserError, at } from '../../src/base/index.js';
import { FIRST_INDEX, UNKNOWN } from '../../src/data/index.js';
import { CandidateSearch, rankerOf } from '../../src/model/index.js';
import { LiveCatalogue, valueIndices } from '../../src/online/live-catalogue.js';
import { liveHistory } from '../../src/online/live-history.js';
import { Runtime } from '../../src/tensor/index.js';
import type { ToBeScored } from '../support/finder.js';
import { allItems, everyPreset, livelyDataset, momentOf, tinyModel, withNewItems } from '../support/tiny-model.js';

const FINDER = new URL('../support/finder.js', import.meta.url);

let runtime: Runtime;
before(() => {
  runtime = new Runtime({ threads: 1 });
});
after(async () => runtime.dispose());

for (const { name, ...entry } of everyPreset) {
  test(`${name}: the scores of a history by itself are those of the data set`, async () => {
    const { model, parameters, dataset } = tinyModel(entry);
    const base = rankerOf(model, parameters, dataset, runtime);
    const items = new LiveCatalogue(dataset, model.config);
    const everything = allItems(dataset);
    const search = new CandidateSearch<ToBeScored, { readonly scores: Float32Array }>(FINDER, { sign: -1 }, [3]);
    for (const id of ['u0', 'u6', 'led', 'onlyFeed', 'onlySearches']) {
      const user = dataset.users.index(id);
      const attributes = valueIndices(model.config.userAttributes, dataset.userAttributes, null, user);
      const person = { user, row: user < dataset.trainedUsers ? user : UNKNOWN, attributes };
      const history = liveHistory(dataset, items, person, [], true);
      if (entry.id === 'srjgraph') {
        assert.throws(() => base.forHistories(history), UserError);
        continue;
      }
      const ranker = base.forHistories(history);
      const encoded = await ranker.encodeHistory(history.moment);
      const onTheWay = await ranker.search(history.moment, search, { items: everything });
      const searched = await ranker.search(encoded, search, { items: everything });
      assert.deepEqual(onTheWay.history, encoded, `${id}: a history that is encoded on the way`);
      assert.deepEqual(searched, { history: encoded, found: onTheWay.found }, `${id}: one that is encoded`);
      const [whole, some, expected] = [
        await ranker.scoreAllFor(encoded),
        await ranker.scoreFor(encoded, everything),
        await base.score([momentOf(dataset, id)], everything, everything.length),
      ];
      everything.forEach((item, place) => {
        const score = at(expected, place);
        const allowed = 1e-5 * Math.max(1, Math.abs(score));
        assert.ok(
          Math.abs(at(whole, item) - score) <= allowed,
          `${id}, item ${item}: ${at(whole, item)}, not ${score}`,
        );
        assert.ok(
          Math.abs(at(some, place) - score) <= allowed,
          `${id}, item ${item}: ${at(some, place)}, not ${score}`,
        );
        const found = -at(onTheWay.found.scores, place);
        assert.ok(Math.abs(found - score) <= allowed, `${id}, item ${item}: ${found} on its lane, not ${score}`);
      });
    }
  });
}

test('items that are revised while a whole catalogue is ranked for the first time are ranked as they are afterwards', async () => {
  const { model, parameters, dataset } = tinyModel({ id: 'sesrec', preset: 'paper' });
  const items = new LiveCatalogue(dataset, model.config);
  const attributes = valueIndices(model.config.userAttributes, dataset.userAttributes, null, UNKNOWN);
  const someone = { user: UNKNOWN, row: UNKNOWN, attributes };
  const things = ['a', 'b'].map((kind) => ({ id: `new ${kind}`, fields: new Map([['kind', kind]]), since: 0 }));
  const event = { type: 'view', user: 'x', item: dataset.items.ids[FIRST_INDEX] as string, time: 0 } as const;
  const base = rankerOf(model, parameters, dataset, runtime);
  const before = liveHistory(dataset, items, someone, [event], false);
  const ranker = base.forHistories(before);
  const encoded = await ranker.encodeHistory(before.moment);
  const revised = async (index: number): Promise<void> => {
    const [thing] = things.slice(index) as [(typeof things)[number]];
    const changed = items.revise([thing]);
    await base.forHistories(liveHistory(dataset, items, someone, [], false)).reviseItems(changed);
  };
  await revised(0); // what works out vectors is compiled, what ranks is not: the second is done before vectors are ranked by
  const revising = revised(1);
  await setImmediate(); // it is under way
  await Promise.all([revising, ranker.scoreAllFor(encoded)]);
  const changed = Int32Array.from([items.firstNew, items.firstNew + 1]);
  const [whole, alone] = [await ranker.scoreAllFor(encoded), await ranker.scoreFor(encoded, changed)];
  changed.forEach((item, place) => assert.ok(Math.abs(at(whole, item) - at(alone, place)) < 1e-5, `item ${item}`));
  assert.notEqual(alone[0], alone[1]);
});

test('items of a run that training never met are new, as those that were upserted since', async () => {
  const { model, parameters, dataset } = tinyModel(
    { id: 'sesrec', preset: 'paper' },
    { dataset: withNewItems(livelyDataset()) },
  );
  const items = new LiveCatalogue(dataset, model.config);
  const [size, { trainedItems }] = [items.size, dataset];
  assert.deepEqual([items.firstNew, size], [trainedItems, trainedItems + 3]);
  const changed = items.revise([{ id: 'upserted', fields: new Map([['kind', 'b']]), since: 1 }]);
  assert.deepEqual([[...changed], items.index('upserted'), items.id(size)], [[size], size, 'upserted']);
  assert.deepEqual([items.id(trainedItems), items.values(trainedItems, 'kind')], ['new', ['a']]);
  assert.deepEqual(
    items.newestFirst(2).map((item) => items.id(item)),
    ['upserted', 'of another kind'],
  );
  assert.deepEqual([trainedItems, trainedItems + 2, size].map(items.matcher({ attribute: 'kind', any_of: ['b'] })), [
    false,
    true,
    true,
  ]);
  const user = dataset.users.index('u0');
  const attributes = valueIndices(model.config.userAttributes, dataset.userAttributes, null, user);
  const history = liveHistory(dataset, items, { user, row: user, attributes }, [], true);
  const ranker = rankerOf(model, parameters, dataset, runtime).forHistories(history);
  const scores = await ranker.scoreAllFor(await ranker.encodeHistory(history.moment));
  const [first, second, other, upserted] = scores.subarray(trainedItems);
  assert.equal(first, second);
  assert.equal(other, upserted);
  assert.notEqual(first, other);
});
