/** What tables, command line and comparisons take from the registry, whatever is in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COUNTED_IDS,
  type CommonConfig,
  MODEL_IDS,
  MOST_TRIALS,
  RANKER_IDS,
  type ShapeName,
  cardOf,
  countedRankers,
  groupOf,
  isCounted,
  models,
  publishedShapes,
} from '../../src/model/index.js';
import { allScores } from '../support/rankers.js';
import { tinyDataset } from '../support/tiny-dataset.js';

/** Rows of Table 2 of the paper, then what it does not have. */
const ORDER =
  'stamp din gru4rec sasrec dien fmlp-rec nrhub jsr iv4rec query-seqrec srjgraph sesrec unisar popularity item-to-item';
const sizes = { items: 9, users: 9, queries: 9, words: 9, sources: 3 };

test('every ranker comes once, in the order of the paper', () => {
  assert.deepEqual([...RANKER_IDS].toSorted(), [...MODEL_IDS, ...COUNTED_IDS].toSorted());
  const known = ORDER.split(' ').filter((id) => RANKER_IDS.some((other) => other === id));
  assert.deepEqual(
    RANKER_IDS.filter((id) => known.includes(id)),
    known,
  );
  assert.ok(RANKER_IDS.slice(-COUNTED_IDS.length).every(isCounted), 'what is counted comes last');
  assert.deepEqual(
    (['stamp', 'sesrec', 'popularity'] as const).map((id) => [cardOf(id).id, groupOf(id)]),
    [
      ['stamp', 'sequential'],
      ['sesrec', 'search-aware'],
      ['popularity', 'beyond the paper'],
    ],
  );
});

for (const id of MODEL_IDS) {
  const { card, presets, rule, settings, tuning } = models[id];
  test(`${id}: the card is its own, and every preset is sound at every published shape`, () => {
    assert.equal(card.id, id);
    for (const preset of presets)
      for (const shape of Object.keys(publishedShapes) as ShapeName[])
        assert.equal(
          rule({ ...settings(preset, shape), sizes, itemAttributes: [], userAttributes: [] }, ''),
          null,
          `${preset} at ${shape}`,
        );
  });

  test(`${id}: at most ${MOST_TRIALS} settings are declared worth trying, all of them sound and no two alike`, () => {
    for (const preset of presets) {
      const trials = tuning(preset);
      assert.ok(trials.length <= MOST_TRIALS);
      assert.equal(new Set(trials.map((trial) => JSON.stringify(trial))).size, trials.length);
      const rates = (some: typeof trials): number => new Set(some.map(({ learningRate }) => learningRate)).size;
      assert.equal(rates(trials.slice(0, 3)), rates(trials), 'a short tuning reaches every learning rate');
      for (const { learningRate = 1e-3, ...changes } of trials) {
        assert.ok((learningRate as number) > 0 && (learningRate as number) < 1);
        const usual = settings(preset, 'amazon');
        for (const name of Object.keys(changes)) assert.ok(Object.hasOwn(usual, name), `there is no setting ${name}`);
        const config = { ...usual, ...changes, sizes, itemAttributes: [], userAttributes: [] };
        assert.equal(rule(config, ''), null, JSON.stringify(changes));
      }
    }
  });

  test(`${id}: what it sees is on its card, or a setting of its own; never attributes that are not there`, () => {
    for (const preset of presets) {
      const config = { ...settings(preset, 'amazon'), sizes, itemAttributes: [], userAttributes: [] } as CommonConfig;
      const { sees, seesSearches, needsSearches } = models[id].build(config);
      assert.ok(sees.includes('item ids') && !sees.includes('item attributes'));
      assert.equal(
        sees.some((sight) => ['queries', 'query words', 'search clicks'].includes(sight)),
        seesSearches || needsSearches,
        preset,
      );
      const itemAttributes = [{ name: 'kind', size: 3, width: 2 }];
      if (card.sees.includes('item attributes'))
        assert.ok(models[id].build({ ...config, itemAttributes }).sees.includes('item attributes'));
    }
  });
}

test('SESRec without searches sees none', () => {
  const config = { ...models.sesrec.settings('official', 'amazon'), sizes, itemAttributes: [], userAttributes: [] };
  assert.deepEqual(models.sesrec.build({ ...config, useSearch: false } as CommonConfig).sees, [
    'item ids',
    'user',
    'order',
  ]);
});

for (const id of COUNTED_IDS)
  test(`${id}: counts and ranks, and its card says that it is counted`, async () => {
    const { card, rank } = countedRankers[id];
    assert.deepEqual([card.id, card.kind, card.extraLosses], [id, 'counts', []]);
    const dataset = tinyDataset({
      ann: ['a', 'b', 'c', 'd', 'e'],
      bob: ['a', 'b', 'e', 'c'],
      eve: ['b', 'a', 'c', 'd'],
    });
    const user = dataset.users.index('ann');
    const cases = [{ user, feedPosition: dataset.targets.validation[user] as number }];
    const scores = await allScores(rank(dataset), cases, dataset.items.ids.length);
    assert.ok(new Set(scores.slice(2)).size > 1, 'all items alike');
  });
