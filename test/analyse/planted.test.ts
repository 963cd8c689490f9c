import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Cause,
  type PlantedWindow,
  type Scorer,
  planted,
  plantedCategoryScorers,
  plantedWindows,
  ruleScorers,
  similarityScorer,
  splitScorer,
  testMoments,
  trueSides,
} from '../../src/analyse/index.js';
import { UserError, at } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import type { SidedAction } from '../../src/model/index.js';
import { answers } from '../support/analyses.js';
import { type TinyEvent, tinyDataset, tinyVocabulary } from '../support/tiny-dataset.js';

type Lane = 'feed' | 'search';
/** An action and its cause, in short: lane, category, interest. */
type Told = readonly [lane: Lane, category: string, interest: string];

/** A window of such actions; positions count within the lane. */
function windowOf(told: readonly Told[], row = 0): PlantedWindow {
  const next = { feed: 0, search: 0 };
  return {
    row,
    moment: { user: 2 + row, feedPosition: 0 },
    actions: told.map(([lane]) => ({ lane, position: next[lane]++, side: 'similar', coAttention: 0 })),
    causes: told.map(([lane, category, interest], ordinal) => ({ lane, category, interest, ordinal, user: 'u' })),
  };
}

describe('what is truly similar', () => {
  const window = windowOf([
    ['feed', 'tea', 'shared'], // searched for
    ['feed', 'lamps', 'shared'], // not searched for in the window
    ['feed', 'boots', 'feed-only'], // searched for by chance, with another interest behind it
    ['feed', 'tea', 'exploration'], // nothing behind it
    ['search', 'tea', 'shared'],
    ['search', 'boots', 'search-only'],
    ['search', 'hats', 'shared'], // announces what the window does not have
  ]);

  test('by interest: kind and category act on the other side, too', () => {
    assert.deepEqual(trueSides(window, 'interest'), [true, false, false, false, true, false, false]);
  });

  test('by category: whatever is behind it', () => {
    assert.deepEqual(trueSides(window, 'category'), [true, false, true, true, true, true, false]);
  });

  test('by kind: whether or not it occurs in the window', () => {
    assert.deepEqual(trueSides(window, 'kind'), [true, true, false, false, true, false, true]);
  });

  test('an exploration is no interest, even where it is searched for again', () => {
    const chance = windowOf([
      ['feed', 'tea', 'exploration'],
      ['search', 'tea', 'shared'],
    ]);
    assert.deepEqual(trueSides(chance, 'interest'), [false, false]);
  });
});

/** Three people whose interests are known. */
const windows = [
  windowOf([
    ['feed', 'tea', 'shared'],
    ['feed', 'lamps', 'feed-only'],
    ['feed', 'boots', 'feed-only'],
    ['search', 'tea', 'shared'],
    ['search', 'hats', 'search-only'],
  ]),
  windowOf(
    [
      ['feed', 'tea', 'shared'],
      ['feed', 'hats', 'shared'],
      ['feed', 'lamps', 'exploration'],
      ['search', 'tea', 'shared'],
      ['search', 'hats', 'shared'],
      ['search', 'boots', 'search-only'],
    ],
    1,
  ),
  windowOf(
    [
      ['feed', 'tea', 'shared'],
      ['search', 'tea', 'shared'],
    ],
    2,
  ),
];
const truth = windows.map((window) => trueSides(window, 'interest'));
const scorerOf = (name: string, score: (isTrue: boolean) => number): Scorer => ({
  name,
  scores: truth.map((ofWindow) => ofWindow.map(score)),
  isSimilar: truth.map((ofWindow) => ofWindow.map((isTrue) => score(isTrue) > 0.5)),
});

describe('a split against the planted truth', () => {
  test('a perfect one has AUC 1, an inverted one 0, a constant one .5', () => {
    const perfect = scorerOf('perfect', (isTrue) => (isTrue ? 0.9 : 0.1));
    const inverted = scorerOf('inverted', (isTrue) => (isTrue ? 0.1 : 0.9));
    const constant = scorerOf('constant', () => 1);
    const { interest } = planted(windows, [perfect, inverted, constant], { resamples: 200 });
    for (const lane of ['feed', 'search'] as const) {
      const found = interest[lane];
      assert.equal(found.withoutBothClasses, 1, 'the third person has only similar actions');
      const tell = (what: 'auc' | 'precision' | 'recall') =>
        found.scorers.map((scorer) => [scorer[what]?.perUser.value, scorer[what]?.pooled.value]);
      assert.deepEqual(tell('auc'), [
        [1, 1],
        [0, 0],
        [0.5, 0.5],
      ]);
      assert.deepEqual(tell('recall'), [
        [1, 1],
        [0, 0],
        [1, 1],
      ]);
      assert.deepEqual(tell('precision').slice(0, 2), [
        [1, 1],
        [0, 0],
      ]);
      assert.deepEqual(
        found.scorers.map(({ behindFirst }) => behindFirst?.value ?? null),
        [null, 1, 0.5],
      );
      assert.equal(found.scorers[2]?.called, 1);
      // calling everything similar is as precise as there are similar ones
      assert.equal(found.scorers[2]?.precision?.pooled.value, found.similar);
    }
    assert.equal(interest.feed.actions, 7);
    assert.equal(interest.feed.similar, 4 / 7);
  });

  test('per user and pooled are two numbers', () => {
    // feed of the first: 1 of 3 similar, called 3; of the second: 2 of 3, called 1; of the third: 1 of 1, called none
    const called = [
      [true, true, true, false, false],
      [true, false, false, false, false, false],
      [false, false],
    ];
    const scorer = { name: 'some', scores: called.map((own) => own.map(Number)), isSimilar: called };
    const { precision, recall } = planted(windows, [scorer], { resamples: 39 }).interest.feed.scorers[0] ?? {};
    assert.deepEqual(
      [precision?.perUser.value, precision?.users, precision?.pooled.value],
      [(1 / 3 + 1) / 2, 2, 2 / 4],
    );
    assert.deepEqual([recall?.perUser.value, recall?.users, recall?.pooled.value], [(1 + 1 / 2 + 0) / 3, 3, 2 / 4]);
  });

  test('is what numpy counts, in every reading and lane', () => {
    const told = answers.planted.windows.map((actions, row) =>
      windowOf(
        actions.map(({ lane, category, interest }): Told => [lane, category, interest]),
        row,
      ),
    );
    const scorer = {
      name: 'made up',
      scores: answers.planted.windows.map((actions) => actions.map(({ score }) => score)),
      isSimilar: answers.planted.windows.map((actions) => actions.map(({ isSimilar }) => isSimilar)),
    };
    const found = planted(told, [scorer], { resamples: 39 });
    for (const reading of ['interest', 'category', 'kind'] as const)
      for (const lane of ['feed', 'search'] as const) {
        const [actual, expected] = [found[reading][lane], answers.planted.answers[reading][lane]];
        assert.equal(actual.actions, expected.actions);
        assert.ok(Math.abs(actual.similar - expected.similar) < 1e-12);
        for (const what of ['auc', 'precision', 'recall'] as const) {
          const figures = actual.scorers[0]?.[what];
          assert.equal(figures?.users, expected[what].users, `${reading} ${lane} ${what}`);
          for (const over of ['perUser', 'pooled'] as const)
            assert.ok(
              Math.abs((figures?.[over].value ?? Number.NaN) - expected[what][over]) < 1e-12,
              `${reading} ${lane} ${what} ${over}`,
            );
        }
      }
  });

  test('the interval has users for its unit', () => {
    // five of ten people perfectly told, five not at all: a mean of .5 whose error is half over the root of ten
    const many = Array.from({ length: 10 }, (_, row) =>
      windowOf(
        Array.from({ length: 20 }, (__, i): Told[] => [
          ['feed', i < 10 ? 'tea' : 'lamps', 'shared'],
          ['search', 'tea', 'shared'],
        ]).flat(),
        row,
      ),
    );
    const scores = many.map((window, row) =>
      trueSides(window, 'interest').map((isTrue) => (isTrue === row < 5 ? 1 : 0)),
    );
    const { auc } = planted(many, [{ name: 'half', scores, isSimilar: null }], { resamples: 2000 }).interest.feed
      .scorers[0] as { auc: { perUser: { value: number; interval: readonly [number, number] } } };
    assert.equal(auc.perUser.value, 0.5);
    assert.ok(Math.abs(auc.perUser.interval[0] - 0.2) < 0.05, `${auc.perUser.interval}`);
  });
});

/** A log with its truth: `tea1` … have the category that their name begins with. */
function site(): { dataset: Dataset; truth: Cause[]; splits: SidedAction[][] } {
  const ann: TinyEvent[] = [
    'tea1',
    { query: 'tea', clicked: ['tea2', 'lamp1'] },
    'lamp1',
    { query: 'some tea' }, // no click, so nobody sees its category
    'boot1',
    'lamp2',
    'tea2',
  ];
  const bob: TinyEvent[] = ['tea1', 'tea2', 'boot1'];
  const told = tinyDataset({ ann, bob });
  const values = tinyVocabulary(['tea', 'lamp', 'boot']);
  const index = Int32Array.from(told.items.ids, (id) => (id === '' ? 0 : values.index(id.slice(0, -1))));
  const dataset = { ...told, itemAttributes: new Map([['category', { values, index }]]) };
  const causes = (user: string, lane: Lane, ordinals: readonly number[], categories: readonly string[]): Cause[] =>
    ordinals.map((ordinal, i) => ({ ordinal, user, lane, category: categories[i] as string, interest: 'shared' }));
  const side = (lane: Lane, position: number, coAttention: number): SidedAction => ({
    lane,
    position,
    side: coAttention > 0.5 ? 'similar' : 'dissimilar',
    coAttention,
  });
  return {
    dataset,
    truth: [
      ...causes('ann', 'feed', [0, 4, 6, 7, 8], ['tea', 'lamp', 'boot', 'lamp', 'tea']),
      ...causes('ann', 'search', [1, 5], ['tea', 'tea']),
      ...causes('bob', 'feed', [9, 10, 11], ['tea', 'tea', 'boot']),
    ],
    splits: [
      [
        side('feed', 0, 0.1),
        side('feed', 1, 0.2),
        side('feed', 2, 0.6),
        side('feed', 3, 0.1),
        side('search', 0, 0.7),
        side('search', 1, 0.3),
      ],
      [{ lane: 'feed', position: 5, side: null, coAttention: null }],
    ],
  };
}

describe('the windows of a log', () => {
  test('bring the cause of each action; who has one history has none', () => {
    const { dataset, truth: causes, splits } = site();
    const found = plantedWindows(dataset, testMoments(dataset), splits, causes);
    assert.equal(found.length, 1);
    assert.deepEqual(
      found[0]?.causes.map(({ category }) => category),
      ['tea', 'lamp', 'boot', 'lamp', 'tea', 'tea'],
    );
  });

  test('of another log than the truth are refused', () => {
    const { dataset, truth: causes, splits } = site();
    for (const wrong of [
      causes.slice(1),
      causes.map((cause) => ({ ...cause, user: 'bob' })),
      causes.map((cause) => ({ ...cause, lane: 'click' as const })),
    ])
      assert.throws(
        () => plantedWindows(dataset, testMoments(dataset), splits, wrong),
        (error) =>
          error instanceof UserError && /the truth tells another story than the data: event 0/.test(error.message),
      );
  });
});

describe('scorers', () => {
  const { dataset, truth: causes, splits } = site();
  const found = plantedWindows(dataset, testMoments(dataset), splits, causes);

  test('the split scores by co-attention times the length of the lane', () => {
    const { scores, isSimilar } = splitScorer('model', found, splits);
    assert.deepEqual(scores, [[4 * 0.1, 4 * 0.2, 4 * 0.6, 4 * 0.1, 2 * 0.7, 2 * 0.3]]);
    assert.deepEqual(isSimilar, [[false, false, true, false, true, false]]);
  });

  test('the rule goes by the categories of items and of clicked items', () => {
    const { index } = dataset.itemAttributes.get('category') as { index: Int32Array };
    const [rule, share] = ruleScorers(dataset, index, found);
    // the search clicked on tea and a lamp; the other one on nothing
    assert.deepEqual(rule?.isSimilar, [[true, true, false, true, true, false]]);
    assert.deepEqual(rule?.scores, [[1, 1, 0, 1, 1, 0]]);
    assert.deepEqual(share?.scores, [[1 / 2, 1 / 2, 0, 1 / 2, 3 / 4, 0]]);
  });

  test('the planted categories are seen without a click', () => {
    const [rule, share] = plantedCategoryScorers(found);
    assert.deepEqual(rule?.isSimilar, [[true, false, false, false, true, true]]);
    assert.deepEqual(share?.scores, [[1, 0, 0, 0, 1 / 4, 1 / 4]]);
  });

  test('similarity is the greatest cosine of a mapped query and an item of the other lane', () => {
    const unit = (angle: number): number[] => [Math.cos(angle), Math.sin(angle)];
    const items = dataset.items.ids.flatMap((_, item) => unit(item));
    const queries = dataset.queries.ids.flatMap((_, query) => unit(-10 * query));
    // W^T q for a W that turns queries by 1
    const turn = Float32Array.of(Math.cos(1), Math.sin(1), -Math.sin(1), Math.cos(1));
    const { scores } = similarityScorer(
      'similarity',
      dataset,
      { width: 2, items: Float32Array.from(items), queries: Float32Array.from(queries), bilinear: turn },
      found,
    );
    const angles = found[0]?.actions.map(({ lane, position }) =>
      lane === 'feed' ? at(dataset.feedItem, position) : 1 - 10 * at(dataset.searchQuery, position),
    ) as number[];
    found[0]?.actions.forEach(({ lane }, i) => {
      const others = angles.filter((_, other) => found[0]?.actions[other]?.lane !== lane);
      const expected = Math.max(...others.map((angle) => Math.cos(angle - (angles[i] as number))));
      assert.ok(Math.abs((scores[0]?.[i] as number) - expected) < 1e-5);
    });
  });
});
