import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Case, clicksBefore, recentFeed, recentSearches } from '../../src/features/index.js';
import {
  Plain,
  type TinyModel,
  checkModelGradients,
  checkParts,
  checkRanker,
  checkScores,
  dotOf,
  logitsOf,
  mixOf,
  sumOf,
  tinyBatch,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const small = { width: 4, viewWidth: 3, dropout: 0 };

/** Sheet 8. */
function plainScore(tiny: TinyModel, moment: Case, item: number): number {
  const { dataset, config } = tiny;
  const plain = new Plain(tiny);
  const attend = (name: string, vectors: readonly number[][]): number[] => {
    const scores = vectors.map((x) =>
      dotOf(plain.row(`${name}.score.weight`, 0), plain.linear(`${name}.projection`, x).map(Math.tanh)),
    );
    const powers = scores.map(Math.exp);
    return mixOf(
      powers.map((power) => power / sumOf(powers)),
      vectors,
      vectors[0]?.length as number,
    );
  };
  const searches = recentSearches(dataset, moment, config.window.search);
  const clicks = searches.flatMap((search) => clicksBefore(dataset, moment, search, config.window.clicks));
  const views = {
    feed: recentFeed(dataset, moment, config.window.feed)
      .map((position) => dataset.feedItem[position] as number)
      .map((one) => plain.item(one)),
    search: searches.map((search) =>
      plain.linear('query.projection', plain.query(dataset.searchQuery[search] as number)),
    ),
    clicks: clicks.map((one) => plain.item(one)),
  };
  const present = Object.entries(views).filter(([, vectors]) => vectors.length > 0);
  if (present.length === 0) return 0;
  const pooled = present.map(([name, vectors]) =>
    plain.linear('view', attend(`${name}.attention`, vectors)).map(Math.tanh),
  );
  return dotOf(attend('view.attention', pooled), plain.linear('candidate', plain.item(item)).map(Math.tanh));
}

describe('NRHUB', () => {
  test('scores as plain loops do, with views that are empty', () => {
    const tiny = tinyModel('nrhub', small);
    checkScores(tiny, (moment, item) => plainScore(tiny, moment, item));
  });

  test('has the gradients of its loss', async () => {
    const tiny = tinyModel('nrhub', small);
    const cases = tinyCases(tiny.dataset).slice(1, 4);
    const batch = tinyBatch(tiny, cases);
    await checkModelGradients(runtime, trainingGraph(tiny, batch));
  });

  test('has losses and gradients that add up over parts of a batch', () => checkParts(tinyModel('nrhub', small)));

  test('ranks as it trains', async () => checkRanker(runtime, tinyModel('nrhub', small)));

  test('knows nothing of the order of a history', () => {
    const tiny = tinyModel('nrhub', { ...small, window: { feed: 4, search: 4, clicks: 2, words: 2 } });
    const { dataset } = tiny;
    const moment: Case = {
      user: dataset.users.index('dan'),
      feedPosition: (dataset.feedOffsets[dataset.users.index('dan')] as number) + 3,
    };
    const start = dataset.feedOffsets[moment.user] as number;
    const feedItem = dataset.feedItem.slice();
    feedItem.set([...dataset.feedItem.subarray(start, start + 3)].toReversed(), start);
    const [one, other] = [dataset, { ...dataset, feedItem }].map((own) => {
      const batch = tinyBatch({ ...tiny, dataset: own }, [moment], Int32Array.of(5, 6, 7));
      return logitsOf(trainingGraph(tiny, batch));
    }) as [Float64Array, Float64Array];
    one.forEach((logit, at) => assert.ok(Math.abs(logit - (other[at] as number)) < 1e-12));
  });

  test('drops entries of the embeddings in training', () => {
    const tiny = tinyModel('nrhub', small);
    const batch = tinyBatch(tiny);
    const { scope } = trainingGraph(tiny, batch, 0.2);
    assert.deepEqual(
      scope.dropouts.map(({ shape }) => shape.join()).toSorted(),
      [
        [batch.sizes.items, 3],
        [7, 3, 3],
        [7, 3, 3],
        [7, 6, 3],
      ]
        .map((shape) => shape.join())
        .toSorted(),
    );
  });
});
