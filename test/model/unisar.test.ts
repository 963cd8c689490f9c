import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { type Case, clicksBefore, recentFeed, recentSearches } from '../../src/features/index.js';
import { BatchMaker } from '../../src/train/index.js';
import { range } from '../support/layer-check.js';
import {
  Plain,
  type TinyModel,
  checkModelGradients,
  checkParts,
  checkRanker,
  checkScores,
  dotOf,
  lossesOf,
  mixOf,
  sumOf,
  tinyBatch,
  tinyCandidates,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { PlainTransformer, type Vector } from '../support/plain-transformer.js';
import { runtimeForTests } from '../support/runtime.js';
import { trainingBatch } from '../support/tiny-model.js';

const runtime = runtimeForTests();

const small = { width: 4, hidden: [5, 3, 1], contrastRows: 3, contrastWeight: 0.7, alignmentWeight: 0 };
const close = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-7, `${actual} instead of ${expected}`);

/** A lane: fused, and both views of its positions. */
interface PlainLane {
  readonly fused: readonly Vector[];
  readonly cross: readonly Vector[];
  readonly own: readonly Vector[];
}

/** Sheet 13, steps 1 to 5, for one row. */
class PlainUnisar {
  readonly #tiny: TinyModel;
  readonly plain: Plain;
  readonly #transformer: PlainTransformer;

  constructor(tiny: TinyModel) {
    this.#tiny = tiny;
    this.plain = new Plain(tiny);
    const heads = tiny.config['heads'] as number;
    this.#transformer = new PlainTransformer(tiny.parameters.dense(), { heads, epsilon: 1e-5 });
  }

  item(item: number): number[] {
    return this.plain.linear('item.projection', this.plain.item(item)).map(Math.tanh);
  }

  query(query: number): number[] {
    return this.plain.linear('query.projection', this.plain.words(query)).map(Math.tanh);
  }

  user(user: number): number[] {
    return this.plain.linear('userVector', this.plain.user(user)).map(Math.tanh);
  }

  #placed(name: string, vectors: readonly Vector[]): Vector[] {
    return vectors.map((vector, position) =>
      vector.map((value, at) => value + (this.plain.row(`${name}.position`, position)[at] as number)),
    );
  }

  lanes(moment: Case): { readonly feed: PlainLane; readonly search: PlainLane } {
    const { dataset, config } = this.#tiny;
    const feed = recentFeed(dataset, moment, config.window.feed).map((at) => ({
      ordinal: dataset.feedOrdinal[at] as number,
      vector: this.item(dataset.feedItem[at] as number),
    }));
    const search = recentSearches(dataset, moment, config.window.search).map((at) => {
      const clicked = clicksBefore(dataset, moment, at, config.window.clicks).map((item) => this.item(item));
      const query = this.query(dataset.searchQuery[at] as number);
      const vector = query.map(
        (value, entry) => value + sumOf(clicked.map((one) => one[entry] as number)) / Math.max(1, clicked.length),
      );
      return { ordinal: dataset.searchOrdinal[at] as number, vector };
    });
    const all = [
      ...feed.map((token) => ({ ...token, isSearch: false })),
      ...search.map((token) => ({ ...token, isSearch: true })),
    ].sort((a, b) => a.ordinal - b.ordinal);
    const hasBoth = feed.length > 0 && search.length > 0;
    const blocks = config['blocks'] as number;
    const crossed = hasBoth
      ? this.#transformer.blocks(
          'timeline.encoder',
          blocks,
          this.#placed(
            'timeline',
            all.map(({ vector }) => vector),
          ),
          (s) => range(all.length).filter((t) => all[t]?.isSearch !== all[s]?.isSearch),
        )
      : all.map(({ vector }) => vector.map(() => 0));
    const lane = (name: 'feed' | 'search', vectors: readonly Vector[]): PlainLane => {
      const positions = range(vectors.length);
      const own = this.#transformer.blocks(`${name}.encoder`, blocks, this.#placed(name, vectors), () => positions);
      const cross = crossed.filter((_, at) => all[at]?.isSearch === (name === 'search'));
      const fused = this.#transformer.decoder(`${name}.fusion`, blocks, own, cross, {
        own: positions,
        memory: positions,
      });
      return { own, cross, fused };
    };
    const vectorsOf = (tokens: readonly { vector: Vector }[]): Vector[] => tokens.map(({ vector }) => vector);
    return { feed: lane('feed', vectorsOf(feed)), search: lane('search', vectorsOf(search)) };
  }

  /** Steps 6 and 7, with SESRec's perceptron. */
  score(moment: Case, item: number): number {
    const candidate = this.item(item);
    const lanes = this.lanes(moment);
    const interests = (['feed', 'search'] as const).flatMap((name) => {
      const { fused } = lanes[name];
      const query = this.plain.linear(`${name}.interest`, candidate);
      const powers = fused.map((state) => Math.exp(dotOf(query, state)));
      const weights = powers.map((power) => power / sumOf(powers));
      return mixOf(weights, fused, candidate.length);
    });
    const features = [...interests, ...candidate, ...this.user(moment.user)];
    return this.plain.perceptron('prediction', features, (value) => Math.max(0, value))[0] as number;
  }
}

const meanOf = (vectors: readonly Vector[]): number[] =>
  mixOf(
    vectors.map(() => 1 / vectors.length),
    vectors,
    vectors[0]?.length as number,
  );

describe('UniSAR', () => {
  for (const blocks of [1, 2])
    test(`scores as plain loops do, with ${blocks} blocks, whatever histories there are`, () => {
      const tiny = tinyModel('unisar', { ...small, blocks });
      const plain = new PlainUnisar(tiny);
      checkScores(tiny, (moment, item) => plain.score(moment, item));
    });

  test('contrasts the two views of each history within groups of rows', () => {
    const tiny = tinyModel('unisar', small);
    const plain = new PlainUnisar(tiny);
    const cases = tinyCases(tiny.dataset);
    const batch = tinyBatch(tiny, cases);
    const { contrast, loss, prediction } = lossesOf(trainingGraph(tiny, batch));
    const rows = cases.map((moment) => plain.lanes(moment));
    const isPresent = rows.map(({ feed, search }) => feed.own.length > 0 && search.own.length > 0);
    assert.ok(isPresent.some(Boolean) && !isPresent.every(Boolean));
    let expected = 0;
    for (const name of ['feed', 'search'] as const) {
      const bilinear = range(4).map((at) => plain.plain.row(`${name}.contrast.bilinear`, at));
      const temperature = Math.max(0.0125, tiny.parameters.get(`${name}.contrast.temperature`)[0] as number);
      const similarity = (a: Vector, b: Vector): number =>
        Math.tanh(sumOf(a.map((value, i) => value * dotOf(bilinear[i] as number[], b)))) / temperature;
      for (let start = 0; start < cases.length; start += 3) {
        const views = range(Math.min(cases.length, start + 3))
          .slice(start)
          .filter((row) => isPresent[row])
          .flatMap((row) => [meanOf(rows[row]?.[name].cross ?? []), meanOf(rows[row]?.[name].own ?? [])]);
        views.forEach((view, i) => {
          const others = views.flatMap((other, j) => (i === j ? [] : [Math.exp(similarity(view, other))]));
          const partner = similarity(view, views[i % 2 === 0 ? i + 1 : i - 1] as Vector);
          expected += (Math.log(sumOf(others)) - partner) / 2 / isPresent.filter(Boolean).length;
        });
      }
    }
    assert.ok(expected > 0.1);
    close(contrast as number, expected);
    close(loss as number, (prediction as number) + 0.7 * expected);
  });

  test('aligns queries with the items clicked in their results, by the vectors that it reads', () => {
    const tiny = tinyModel('unisar', { ...small, contrastWeight: 0, alignmentWeight: 0.5, alignmentNegatives: 5 });
    const plain = new PlainUnisar(tiny);
    const [batch] = trainingBatch(tiny, { rows: 8 });
    const graph = trainingGraph(tiny, batch);
    const { alignment, loss, prediction } = lossesOf(graph);
    const numbers = (key: string): number[] => graph.given[key] as number[];
    const [items, queries] = [batch.ids.items, batch.ids.queries].map(
      (ids) => (slot: number) => ids[slot] as number,
    ) as [(slot: number) => number, (slot: number) => number];
    const bilinear = range(4).map((at) => plain.plain.row('alignment.bilinear', at));
    const temperature = Math.max(0.0125, tiny.parameters.get('alignment.temperature')[0] as number);
    const power = (left: Vector, right: Vector): number =>
      Math.exp(Math.tanh(sumOf(left.map((value, i) => value * dotOf(bilinear[i] as number[], right)))) / temperature);
    const sumOver = (key: string, count: string, of: (slot: number) => number): number =>
      sumOf(numbers(key).map((slot, at) => (numbers(count)[at] as number) * of(slot)));
    let expected = 0;
    numbers('pairWeight').forEach((weight, pair) => {
      const query = plain.query(queries(numbers('anchorQueries')[numbers('pairQuery')[pair] as number] as number));
      const item = plain.item(items(numbers('anchorItems')[numbers('pairItem')[pair] as number] as number));
      const [toItem, toQuery] = [power(query, item), power(item, query)];
      const otherItems = sumOver('negativeItems', 'negativeItemCount', (slot) => power(query, plain.item(items(slot))));
      const otherQueries = sumOver('negativeQueries', 'negativeQueryCount', (slot) =>
        power(item, plain.query(queries(slot))),
      );
      expected -=
        (weight / 2) * (Math.log(toItem / (toItem + otherItems)) + Math.log(toQuery / (toQuery + otherQueries)));
    });
    assert.ok(expected > 0.1);
    close(alignment as number, expected);
    close(loss as number, (prediction as number) + 0.5 * expected);
  });

  test('has the gradients of its loss', async () => {
    const tiny = tinyModel('unisar', { ...small, hidden: [3, 1], window: { feed: 2, search: 2, clicks: 1, words: 2 } });
    const cases = tinyCases(tiny.dataset).filter((_, row) => row === 0 || row === 2);
    const batch = tinyBatch(tiny, cases, tinyCandidates(tiny.dataset, cases, 2));
    await checkModelGradients(runtime, trainingGraph(tiny, batch));
  });

  test('has losses and gradients that add up over parts of a batch that are cut between groups', () =>
    checkParts(tinyModel('unisar', small)));

  test('has its batches cut between groups only', () => {
    const cuts = (contrastWeight: number, batchParts: number): number[] => {
      const { model, dataset } = tinyModel('unisar', { ...small, contrastWeight });
      const cases = tinyCases(dataset);
      const maker = new BatchMaker(dataset, model, cases, { batchSize: cases.length, batchParts });
      const none = (): never => assert.fail('nothing else is drawn');
      const rows = Int32Array.from(cases.keys()).subarray(0, 7);
      const batch = maker.make(rows, {
        negativesOf: (row) => new Random('negatives', row),
        alignment: null,
        extrasOf: none,
        extrasOfBatch: none,
      });
      return batch.map(({ sizes }) => sizes.rows);
    };
    assert.deepEqual(cuts(1, 2), [3, 4]);
    assert.deepEqual(cuts(1, 3), [3, 3, 1]);
    assert.deepEqual(cuts(1, 7), [3, 3, 1]);
    assert.deepEqual(cuts(0, 7), [1, 1, 1, 1, 1, 1, 1]);
  });

  test('ranks as it trains', async () => checkRanker(runtime, tinyModel('unisar', small)));

  test('has no contrast where nobody has both histories, and only finite gradients', () => {
    const tiny = tinyModel('unisar', small);
    const cases = tinyCases(tiny.dataset).filter(({ user }) => tiny.dataset.users.ids[user] === 'bob');
    const batch = tinyBatch(tiny, cases);
    const { contrast, loss } = lossesOf(trainingGraph(tiny, batch));
    assert.equal(Math.abs(contrast as number), 0);
    assert.ok(Number.isFinite(loss));
  });
});
