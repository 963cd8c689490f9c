import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Finder, findersOf, reasons } from '../../src/analyse/index.js';
import { InterruptedError, Random, UserError } from '../../src/base/index.js';
import { FIRST_INDEX, type Dataset } from '../../src/data/index.js';
import { chooseCases } from '../../src/evaluate/index.js';
import { type Action, type Case, metBefore, recentActions, withOnly, without } from '../../src/features/index.js';
import { type ExplainingRanker, type Weighed, ranksOfItems, recommend } from '../../src/model/index.js';
// what a model's ranker does with these methods, for a ranker that is no model
import { byDeletion, stepwise } from '../../src/model/ranking/reasons.js';
import { rankerOf as rankerByHand } from '../support/rankers.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const CATEGORIES = 12;
const PER_CATEGORY = 10;
const WINDOW = { feed: 50, search: 50 };

/**
 * People who meet an item of some categories in the feed and search for other categories, of which the query is the name; nothing
 * is clicked. Each category occurs once per person.
 */
function plantedLog(people: number): Dataset {
  const stories = Array.from({ length: people }, (_, person): [string, TinyEvent[]] => {
    const random = new Random('planted reasons', person);
    const order = Array.from(random.shuffle(Int32Array.from({ length: CATEGORIES }, (__, category) => category)));
    const story = order
      .slice(0, 10)
      .map((category, place): TinyEvent =>
        place % 2 === 0 ? { query: `c${category}` } : `i${category}-${random.integer(PER_CATEGORY)}`,
      );
    return [`u${person}`, [...story, `i${order[10]}-0`, `i${order[11]}-0`]];
  });
  const items = Array.from(
    { length: CATEGORIES * PER_CATEGORY },
    (_, item) => `i${item % CATEGORIES}-${Math.floor(item / CATEGORIES)}`,
  );
  return tinyDataset(Object.fromEntries(stories), { items });
}

/** Scores an item by what a moment's history says of its category: a search for it a lot, an item met in it a little. */
function plantedRanker(dataset: Dataset): ExplainingRanker {
  const categoryOf = (item: number): string => (dataset.items.ids[item] as string).split('-')[0]?.slice(1) as string;
  const chances = Array.from({ length: dataset.items.ids.length }, (_, item) => new Random('chance', item).float());
  const scorer = (item: number, moment: Case): number => {
    const own = recentActions(dataset, moment, WINDOW).filter(({ lane, position }) =>
      lane === 'search'
        ? dataset.queries.ids[dataset.searchQuery[position] as number] === `c${categoryOf(item)}`
        : categoryOf(dataset.feedItem[position] as number) === categoryOf(item),
    );
    return own.reduce((sum, { lane }) => sum + (lane === 'search' ? 3 : 0.2), chances[item] as number);
  };
  const ranker = rankerByHand(dataset.items.ids.length, scorer);
  const actionsOf = (moment: Case): Action[] => recentActions(dataset, moment, WINDOW);
  return {
    ...ranker,
    reasonMethods: ['stepwise', 'deletion'],
    sides: async (cases) =>
      cases.map((moment) => actionsOf(moment).map((action) => ({ ...action, side: null, coAttention: null }))),
    weigh: async (method, question) =>
      (method === 'stepwise' ? stepwise : byDeletion)(ranker, dataset, actionsOf(question.moment), question),
  };
}

/** Reasons that know nothing: actions in a random order, another one for each name and item. */
const guessing = (name: string): Finder => ({
  name,
  find: async ({ moment, items }, actions) =>
    items.map((item) => {
      const random = new Random('guess', name, moment.user, item);
      return Array.from(random.shuffle(Int32Array.from(actions.keys())), (place): Weighed => ({ place, weight: 1 }));
    }),
});

describe('reasons compared', () => {
  const dataset = plantedLog(120);
  const ranker = plantedRanker(dataset);

  test('deletion and stepwise name the search that was planted, for every user and item', async () => {
    const { cases } = chooseCases(dataset, 'validation');
    let compared = 0;
    for (const moment of cases.slice(0, 40)) {
      const best = await recommend(ranker, moment, 60, metBefore(dataset, moment));
      const items = best.slice(0, 3).map(({ item }) => item);
      const actions = recentActions(dataset, moment, WINDOW);
      for (const method of ranker.reasonMethods) {
        const found = await ranker.weigh(method, { moment, items, contenders: best.map(({ item }) => item), most: 2 });
        found.forEach((weighed, row) => {
          const { lane, position } = actions[weighed[0]?.place as number] as Action;
          const category = (dataset.items.ids[items[row] as number] as string).split('-')[0]?.replace('i', 'c');
          assert.equal(lane, 'search');
          assert.equal(dataset.queries.ids[dataset.searchQuery[position] as number], category);
          compared++;
        });
      }
    }
    assert.equal(compared, 40 * 3 * 2);
  });

  test('what it tells of one user is what removing and keeping by hand gives', async () => {
    const found = await reasons(ranker, dataset, findersOf(ranker), {
      users: 2,
      top: 2,
      counts: [1, 3],
      resamples: 100,
    });
    const { cases } = chooseCases(dataset, 'validation', 2, 1);
    for (const count of [1, 3]) {
      const expected = { removed: 0, kept: 0, left: 0 };
      for (const moment of cases) {
        const excluded = metBefore(dataset, moment);
        const best = (await recommend(ranker, moment, 100, excluded)).map(({ item }) => item);
        const items = best.slice(0, 2);
        const actions = recentActions(dataset, moment, WINDOW);
        const orders = await ranker.weigh('deletion', { moment, items, contenders: best, most: 3 });
        for (const [row, item] of items.entries()) {
          const chosen = (orders[row] as Weighed[]).slice(0, count).map(({ place }) => actions[place] as Action);
          const changed = [without(dataset, moment, chosen), withOnly(dataset, moment, chosen)];
          const catalogue = dataset.items.ids.length;
          const [gone, alone] = [...(await ranksOfItems(ranker, changed, [item], { catalogue, excluded }))] as [
            number,
            number,
          ];
          expected.removed += Math.log2(gone / (row + 1)) / 4;
          expected.kept += Math.log2(alone / (row + 1)) / 4;
          expected.left += (gone > 10 ? 1 : 0) / 4;
        }
      }
      const told = found.outcomes.find((one) => one.choice === 'deletion' && one.count === count);
      assert.ok(told);
      assert.ok(Math.abs(told.removed.log2.value - expected.removed) < 1e-12);
      assert.ok(Math.abs(told.kept.log2.value - expected.kept) < 1e-12);
      assert.equal(told.removed.leftTopTen.value, expected.left);
      assert.ok(expected.removed > 1);
    }
  });

  test('a method that guesses has a ratio of 1 against random, one that knows has many times that and wins', async () => {
    const finders = [guessing('guess'), ...findersOf(ranker)];
    const { outcomes, winner, faithfulness } = await reasons(ranker, dataset, finders, { users: 50, counts: [1, 3] });
    for (const { choice, count, against } of outcomes) {
      if (!against) continue;
      const ratio = against.random.removed;
      if (choice === 'guess') {
        assert.ok(ratio.interval[0] < 1 && ratio.interval[1] > 1, `${count}: ${JSON.stringify(ratio)}`);
        assert.ok(ratio.interval[1] < 2, 'and not because nothing is known');
      }
      if (choice === 'deletion' && count === 1) {
        assert.ok(ratio.interval[0] > 3, JSON.stringify(ratio));
        assert.ok(against.lanes.removed.ratio < ratio.ratio, 'random searches do more than random actions');
      }
    }
    assert.notEqual(winner, 'guess');
    assert.ok((faithfulness['deletion'] as number) > (faithfulness['guess'] as number) + 1);
  });

  test('is the same again, whoever else is asked, and another for another seed', async () => {
    const options = { users: 10, counts: [2], resamples: 100 };
    const both = await reasons(ranker, dataset, findersOf(ranker), options);
    assert.deepEqual(await reasons(ranker, dataset, findersOf(ranker), options), both);
    const [, deletion] = findersOf(ranker) as [Finder, Finder];
    const alone = await reasons(ranker, dataset, [deletion], options);
    const of = (found: typeof both, choice: string) => found.outcomes.find((one) => one.choice === choice);
    for (const choice of ['deletion', 'deletion lanes', 'random', 'newest'])
      assert.deepEqual(of(alone, choice), of(both, choice));
    assert.notDeepEqual(
      of(await reasons(ranker, dataset, [deletion], { ...options, seed: 2 }), 'random'),
      of(both, 'random'),
    );
  });

  test('leaves out, and counts, users with fewer than two actions more; refuses when nobody is left; stops when asked to', async () => {
    const few = tinyDataset(
      {
        ann: ['i0-1', 'i1-1', 'i2-1', 'i3-1', 'i4-1', 'i5-1'],
        bob: ['i0-1', 'i1-1', 'i2-1', 'i3-1'],
        cat: ['i0-1', 'i1-1', 'i2-1', 'i3-1', 'i4-1', 'i5-1'],
      },
      { items: dataset.items.ids.slice(FIRST_INDEX) },
    );
    const own = plantedRanker(few);
    const found = await reasons(own, few, [guessing('guess')], { counts: [1, 2], resamples: 100 });
    assert.deepEqual(found.protocol.tooShort, { 1: 1, 2: 1 });
    assert.deepEqual(
      found.outcomes.map(({ users }) => users),
      found.outcomes.map(() => 2),
    );
    await assert.rejects(reasons(own, few, [guessing('guess')], { counts: [5] }), UserError);
    const signal = AbortSignal.abort();
    await assert.rejects(reasons(own, few, [guessing('guess')], { signal }), InterruptedError);
  });
});
