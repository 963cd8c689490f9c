import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random, range } from '../../src/base/index.js';
import {
  type Batch,
  BatchAssembler,
  type Case,
  SearchPairDraws,
  catalogueOf,
  gatherRows,
  trainingCases,
} from '../../src/features/index.js';
import { GraphRanker, models, parametersOf, vocabularySizes } from '../../src/model/index.js';
import { BatchMaker, Stepper, createOptimizer } from '../../src/train/index.js';
import { largestError } from '../support/gradient-check.js';
import { type Surrounded, contextsOf, meetersOf } from '../support/neighbourhoods.js';
import {
  Plain,
  type TinyModel,
  checkModelGradients,
  checkParts,
  dotOf,
  logitsOf,
  lossesOf,
  mixOf,
  sumOf,
  tinyBatch,
  tinyCandidates,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { allScores } from '../support/rankers.js';
import { runtimeForTests } from '../support/runtime.js';
import { tinyDataset } from '../support/tiny-dataset.js';

const runtime = runtimeForTests();

const counts = { context: 2, neighbours: 2 };
const small = { width: 3, contextItems: 2, neighbours: 2, hidden: [4, 3, 1], searchWeight: 0.7, searchNegatives: 2 };

const relu = (x: readonly number[]): number[] => x.map((value) => Math.max(value, 0));
const product = (a: readonly number[], b: readonly number[]): number[] =>
  a.map((value, at) => value * (b[at] as number));
const softplus = (x: number): number => Math.log1p(Math.exp(x));

/** Sheet 12 with no upstream node, by plain loops over neighbourhoods that are given. A query of 0 is none. */
class PlainGraph extends Plain {
  intention(query: number): number[] {
    return query === 0 ? this.row('intention.none', 0) : this.linear('projection.query', this.query(query));
  }

  /** h'_x of node x with its neighbours, each by a query. */
  aggregate(
    name: string,
    x: readonly number[],
    neighbours: readonly { readonly vector: readonly number[]; readonly query: number }[],
    task: number,
  ): number[] {
    const messages = neighbours.map(({ vector, query }) => {
      const edge = this.intention(query);
      return relu(this.linear(`${name}.message`, [...vector, ...edge, ...product(vector, edge)]));
    });
    const scores = neighbours.map(({ query }, at) => {
      const fit = product(this.intention(query), this.intention(task));
      const looks = this.linear(`${name}.attention`, [...x, ...(messages[at] as number[]), ...fit]);
      return dotOf(
        this.row(`${name}.score.weight`, 0),
        looks.map((value) => (value > 0 ? value : 0.01 * value)),
      );
    });
    const powers = scores.map(Math.exp);
    const taken = mixOf(
      powers.map((power) => power / sumOf(powers)),
      messages,
      x.length,
    );
    const update = relu(this.linear(`${name}.update`, [...x, ...taken]));
    return this.norm(
      `${name}.norm`,
      x.map((value, at) => value + (update[at] as number)),
    );
  }

  norm(name: string, x: readonly number[]): number[] {
    const { parameters } = this.tiny;
    const mean = sumOf(x) / x.length;
    const variance = sumOf(x.map((value) => (value - mean) ** 2)) / x.length;
    return x.map(
      (value, at) =>
        ((value - mean) / Math.sqrt(variance + 1e-5)) * (parameters.get(`${name}.weight`)[at] as number) +
        (parameters.get(`${name}.bias`)[at] as number),
    );
  }

  userNode = (user: number): number[] => this.linear('projection.user', this.user(user));
  itemNode = (item: number): number[] => this.linear('projection.item', this.item(item));

  userSide(user: number, context: readonly Surrounded[], task: number): number[] {
    const met = context.map(({ node, query, around }) => {
      const others = around.map((other) => ({ vector: this.userNode(other.node), query: other.query }));
      return { vector: this.aggregate('aggregation.inner.item', this.itemNode(node), others, task), query };
    });
    return this.aggregate('aggregation.root.user', this.userNode(user), met, task);
  }

  itemSide(item: number, meeters: readonly Surrounded[], task: number): number[] {
    const met = meeters.map(({ node, query, around }) => {
      const others = around.map((other) => ({ vector: this.itemNode(other.node), query: other.query }));
      return { vector: this.aggregate('aggregation.inner.user', this.userNode(node), others, task), query };
    });
    return this.aggregate('aggregation.root.item', this.itemNode(item), met, task);
  }

  logit(user: number, context: readonly Surrounded[], item: number, meeters: readonly Surrounded[], task = 0): number {
    const u = this.userSide(user, context, task);
    const v = this.itemSide(item, meeters, task);
    const pair = [...u, ...v, ...product(u, v), ...this.intention(task), ...this.user(user), ...this.item(item)];
    return this.perceptron('prediction', pair, (value) => Math.max(value, 0))[0] as number;
  }
}

function batchOf(tiny: TinyModel): { batch: Batch; cases: readonly Case[]; candidates: Int32Array } {
  const cases = tinyCases(tiny.dataset);
  const candidates = tinyCandidates(tiny.dataset, cases);
  return { batch: tinyBatch(tiny, cases, candidates), cases, candidates };
}

describe('SRJGraph', () => {
  test('scores candidates and search pairs as plain loops do', () => {
    const tiny = tinyModel('srjgraph', small);
    const plain = new PlainGraph(tiny);
    const { batch, cases, candidates } = batchOf(tiny);
    const graph = trainingGraph(tiny, batch);
    const contexts = contextsOf(batch, counts, 'context');
    const meeters = meetersOf(batch, counts, 'candidate');
    const width = candidates.length / cases.length;
    const wanted = Array.from(candidates, (item, place) => {
      const row = Math.floor(place / width);
      return plain.logit(
        cases[row]?.user as number,
        contexts[row] as Surrounded[],
        item,
        meeters[place] as Surrounded[],
      );
    });
    assert.ok(new Set(wanted).size > wanted.length / 2);
    assert.ok(meeters.some((found) => found.length === 0) && contexts.some((found) => found.length === 0));
    assert.ok(largestError(logitsOf(graph), wanted) < 1e-9);

    const draws = new SearchPairDraws(tiny.dataset, small.searchNegatives);
    const searchContexts = contextsOf(batch, counts, 'searchContext');
    const searchMeeters = meetersOf(batch, counts, 'searchCandidate');
    const terms = cases.flatMap((_, row) => {
      const pair = draws.draw(new Random('tiny draws', 'search pairs', row));
      return pair.candidates.map((item, column) => {
        const found = searchMeeters[row * pair.candidates.length + column] as Surrounded[];
        const logit = plain.logit(pair.user, searchContexts[row] as Surrounded[], item, found, pair.query);
        return softplus(logit) - (column === 0 ? logit : 0);
      });
    });
    const { loss, prediction, search } = lossesOf(graph) as Record<'loss' | 'prediction' | 'search', number>;
    assert.ok(Math.abs(search - sumOf(terms) / terms.length) < 1e-9);
    assert.ok(Math.abs(loss - prediction - 0.7 * search) < 1e-9);
  });

  test('ranks by the same loops over what is drawn for scoring', async () => {
    const tiny = tinyModel('srjgraph', small);
    const { dataset, config, model, parameters } = tiny;
    const plain = new PlainGraph(tiny);
    const cases = tinyCases(dataset);
    const items = range(dataset.items.ids.length - 2).map((item) => item + 2);
    const assembler = new BatchAssembler(catalogueOf(dataset), config.window, { extras: model.extras(dataset) });
    const contexts = contextsOf(assembler.assemble(gatherRows(dataset, cases, config.window)), counts, 'context');
    const ofItems = assembler.assembleItems(items);
    const meeters = meetersOf(ofItems, counts, 'item');
    const slots = ofItems.inputs['itemSlots'] as Int32Array;
    const wanted = cases.flatMap(({ user }, row) =>
      Array.from(items, (item, at) =>
        plain.logit(user, contexts[row] as Surrounded[], item, meeters[slots[at] as number] as Surrounded[]),
      ),
    );
    const lists = Int32Array.from(cases.flatMap(() => [...items]));
    const ranker = new GraphRanker(model, parameters, dataset, runtime);
    assert.ok(largestError(await ranker.score(cases, lists, items.length), wanted) < 1e-5);
    const total = dataset.items.ids.length;
    const all = await allScores(ranker, cases, total);
    assert.ok(
      largestError(
        all.filter((_, at) => at % total >= 2),
        wanted,
      ) < 1e-5,
    );
  });

  test('has the gradients of its loss', async () => {
    const tiny = tinyModel('srjgraph', { ...small, width: 2, hidden: [3, 2, 1] });
    const cases = tinyCases(tiny.dataset).slice(2, 4);
    const batch = tinyBatch(tiny, cases);
    await checkModelGradients(runtime, trainingGraph(tiny, batch));
  });

  test('has losses and gradients that add up over parts of a batch', () => checkParts(tinyModel('srjgraph', small)));

  test('without the search task draws no pairs, has one loss, and needs no searches', () => {
    const changes = { ...small, searchWeight: 0, itemAttributes: [], userAttributes: [] };
    const dataset = tinyDataset({ ann: ['a', 'b', 'c', 'a', 'd'], bob: ['b', 'd', 'a', 'c'] });
    const tiny = tinyModel('srjgraph', changes, dataset);
    assert.deepEqual([tiny.model.needsSearches, tinyModel('srjgraph', small).model.needsSearches], [false, true]);
    const cases = trainingCases(dataset, false);
    const batch = tinyBatch(tiny, cases);
    assert.equal('searchPairQuery' in batch.inputs || 'searchUser' in batch.inputs, false);
    const graph = trainingGraph(tiny, batch);
    assert.equal(graph.losses.loss, graph.losses.prediction);
    assert.ok(Number.isFinite(lossesOf(graph)['loss']));
  });

  test('scores somebody whom training does not know, and a batch in which nobody has a neighbour', async () => {
    const stories = { ann: [{ query: 'red', clicked: ['a'] }, 'b'], bob: ['c'] } as const;
    const dataset = tinyDataset(stories, { items: ['a', 'b', 'c', 'd'] });
    const changes = { ...small, hidden: [16, 1], itemAttributes: [], userAttributes: [] };
    const tiny = tinyModel('srjgraph', changes, dataset);
    const ranker = new GraphRanker(tiny.model, tiny.parameters, dataset, runtime);
    const nobody = { user: 1, feedPosition: dataset.feedOffsets[2] as number };
    const scores = await ranker.score(
      [nobody],
      range(4).map((item) => item + 2),
      4,
    );
    assert.ok(scores.every(Number.isFinite));
    assert.equal(new Set(scores).size, 4);
  });
});

describe('SRJGraph on labels without a reason', () => {
  const USERS = 500;
  /** So many that an item has two or three users, all of whom are drawn. */
  const ITEMS = 1500;
  const CANDIDATES = 5;
  /** What a loss is that knows no more than how many candidates there are. */
  const chance = -Math.log(1 / CANDIDATES) / CANDIDATES - (1 - 1 / CANDIDATES) * Math.log(1 - 1 / CANDIDATES);
  const random = new Random('labels without a reason');
  const story = (): string[] => Array.from(random.shuffle(range(ITEMS)).subarray(0, 10), (item) => `i${item}`);
  const dataset = tinyDataset(
    Object.fromEntries(
      Array.from({ length: USERS }, (_, user) => {
        const [first = '', ...others] = story();
        return [`u${user}`, [first, { query: 'any', clicked: [first] }, ...others]];
      }),
    ),
  );
  const entry = models.srjgraph;
  const model = entry.build({
    ...entry.settings('default', 'amazon'),
    sizes: vocabularySizes(dataset),
    itemAttributes: [],
    userAttributes: [],
    itemIdWidth: 8,
    userIdWidth: 8,
    width: 8,
    hidden: [16, 1],
    searchWeight: 0,
  } as Parameters<typeof entry.build>[0]);

  test('finds no way to tell them: nothing of the target can be seen', async () => {
    const parameters = parametersOf(model);
    parameters.initialise(1);
    const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
    const cases = trainingCases(dataset, false);
    const maker = new BatchMaker(dataset, model, cases, { batchSize: 100 });
    const losses: number[] = [];
    for (const [step, rows] of maker.order(range(cases.length), new Random('order')).entries()) {
      const draws = (purpose: string, row: number): Random => new Random(purpose, row);
      const batch = maker.make(rows, {
        negativesOf: (row) => draws('negatives', row),
        alignment: null,
        extrasOf: draws,
        extrasOfBatch: (purpose) => draws(purpose, 0),
      });
      const result = await stepper.gradients(batch, new Random('dropout', step));
      losses.push(result.losses.prediction);
      stepper.update(result, 0.01);
    }
    stepper.level();
    // rows that have not been learned from yet: once the rate of one in five is known, the loss is chance
    const later = losses.slice(losses.length / 2);
    const mean = sumOf(later) / later.length;
    assert.ok(Math.abs(mean - chance) < 0.01, `the loss is ${mean}, chance ${chance}`);

    const held = range(USERS).map((user) => user + 2);
    const targets = Array.from(held, (user) => dataset.targets.validation[user] as number);
    const lists = Int32Array.from(
      [...held].flatMap((user, row) => {
        const met = new Set(dataset.feedItem.subarray(dataset.feedOffsets[user], dataset.feedOffsets[user + 1]));
        const others = random.shuffle(range(ITEMS).map((item) => item + 2)).filter((item) => !met.has(item));
        return [dataset.feedItem[targets[row] as number] as number, ...others.subarray(0, CANDIDATES - 1)];
      }),
    );
    const moments = [...held].map((user, row) => ({ user, feedPosition: targets[row] as number }));
    const scores = await new GraphRanker(model, parameters, dataset, runtime).score(moments, lists, CANDIDATES);
    const hits =
      moments.filter((_, row) => {
        const [own = 0, ...others] = scores.subarray(row * CANDIDATES, (row + 1) * CANDIDATES);
        return others.every((score) => score < own);
      }).length / USERS;
    const deviation = Math.sqrt(((1 / CANDIDATES) * (1 - 1 / CANDIDATES)) / USERS);
    assert.ok(Math.abs(hits - 1 / CANDIDATES) < 4 * deviation, `HIT@1 ${hits}`);
  });
});
