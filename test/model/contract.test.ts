/**
 * What every registered model must pass, whatever it is. A new line in the registry is a new subject here. Knows what is asked
 * of models alike; whether their equations are right, their own tests and the oracles (oracles.test.ts) say.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import type { Dataset, HeldOut } from '../../src/data/index.js';
import { type MetricName, drawCandidates, evaluate } from '../../src/evaluate/index.js';
import { type Case, historyLengths, recentSearches } from '../../src/features/index.js';
import {
  GraphRanker,
  MODEL_IDS,
  type ModelId,
  buildModel,
  loadCheckpoint,
  loadRun,
  models,
  parametersOf,
  saveCheckpoint,
} from '../../src/model/index.js';
import { Runtime, type Shape } from '../../src/tensor/index.js';
import { type StepBatch, Stepper, createOptimizer } from '../../src/train/index.js';
import { scratchFolder } from '../data/folders.js';
import { inProcess, tinyWorld } from '../support/command-line.js';
import { checkSampledGradients, largestError } from '../support/gradient-check.js';
import { allScores } from '../support/rankers.js';
import {
  type TinyModel,
  allItems,
  evenStories,
  everyPreset,
  lively,
  livelyDataset,
  livelyStories,
  moments,
  tinyModel,
  trainingBatch,
  trainingGraph,
  withNewItems,
} from '../support/tiny-model.js';

/**
 * How far scores, losses and gradients may differ that are the same but for the order of sums, relative to the largest of them
 * or to 1. A float32 holds 24 bits; what stands here is behind some ten layers of sums of at most a hundred terms, each of
 * which may lose a bit or two: 2^-24 x 64. A real dependence shows in the first three digits.
 */
const ROUNDING = 2 ** -18;
/** By less than this, nothing real differs. */
const REAL = 1e-4;

/** What no loss can depend on: a softmax does not see what all its scores have in common. */
const WITHOUT_GRADIENT = /attention\.key\.bias$/;

const optimizer = () => createOptimizer({ kind: 'adam', weightDecay: 1e-3 });

let runtime: Runtime;
let twoThreads: Runtime;
before(() => {
  runtime = new Runtime({ threads: 1 });
  twoThreads = new Runtime({ threads: 2 });
});
after(async () => Promise.all([runtime.dispose(), twoThreads.dispose()]));

/** Scores of some items, all unless told, for each case: (cases, items). */
async function scores(
  { model, parameters, dataset }: TinyModel,
  cases: readonly Case[] = moments(dataset),
  items: Int32Array = allItems(dataset),
): Promise<Float32Array> {
  const lists = new Int32Array(cases.length * items.length);
  cases.forEach((_, row) => lists.set(items, row * items.length));
  return new GraphRanker(model, parameters, dataset, runtime).score(cases, lists, items.length);
}
const rowOf = (all: Float32Array, row: number, width: number): Float32Array =>
  all.subarray(row * width, (row + 1) * width);

/** Gradients of a batch by a stepper of its own. */
async function gradientsOf(
  { model, parameters }: TinyModel,
  batch: StepBatch,
  on = runtime,
): Promise<Map<string, Float32Array>> {
  const stepper = new Stepper(model, parameters, on, optimizer());
  const { losses, dense, rows } = await stepper.gradients(batch, new Random('dropout'));
  return new Map([
    ...Object.entries(losses).map(([name, value]) => [`loss ${name}`, Float32Array.of(value)] as const),
    ...dense,
    ...[...rows].map(([name, { values }]) => [`rows of ${name}`, values] as const),
  ]);
}

function sameBits(one: ReadonlyMap<string, Float32Array>, other: ReadonlyMap<string, Float32Array>): void {
  const bits = (values: Float32Array | undefined): Uint32Array =>
    new Uint32Array(Float32Array.from(values ?? []).buffer);
  assert.deepEqual([...one.keys()], [...other.keys()]);
  for (const [name, values] of one) assert.deepEqual(bits(values), bits(other.get(name)), name);
}

/** The same model with every history padded to the window, or to no more than a batch needs. */
const padded = (tiny: TinyModel, seesPadding: boolean): TinyModel => ({
  ...tiny,
  model: { ...tiny.model, seesPadding },
});

/** Moments with at most half a window of history. */
function shortMoments({ dataset, model }: TinyModel): Case[] {
  const { window } = model.config;
  const early = dataset.users.ids
    .slice(2)
    .flatMap((id) => [0, 1, 2].map((feed) => ({ user: dataset.users.index(id), feed })))
    .map(({ user, feed }) => ({ user, feedPosition: (dataset.feedOffsets[user] as number) + feed }))
    .filter(({ user, feedPosition }) => feedPosition < (dataset.feedOffsets[user + 1] as number));
  const { feed, search } = historyLengths(dataset, early, window);
  return early.filter(
    (_, at) => 2 * (feed[at] as number) <= window.feed && 2 * (search[at] as number) <= window.search,
  );
}

/** The model with a wider window. A parameter that grows with it begins with the old values; what is new is lively. */
function widened({ model, parameters, dataset }: TinyModel): TinyModel {
  const { feed, search, clicks, words } = model.config.window;
  const window = { feed: 2 * feed, search: 2 * search, clicks: clicks + 1, words: words + 1 };
  const wide = buildModel(model.card.id as ModelId, { ...model.config, window });
  const values = lively(wide, 2);
  const shapes = new Map(values.descriptions.map(({ name, shape }) => [name, shape]));
  for (const { name, shape } of parameters.descriptions) {
    const wideShape = shapes.get(name) as Shape;
    const target = values.get(name);
    parameters.get(name).forEach((value, at) => {
      let [rest, place, stride] = [at, 0, 1];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        place += (rest % (shape[axis] as number)) * stride;
        rest = Math.floor(rest / (shape[axis] as number));
        stride *= wideShape[axis] as number;
      }
      target[place] = value;
    });
  }
  return { model: wide, parameters: values, dataset };
}

/** The data set with other items, queries and clicks in everything that is held out. */
function otherFuture(dataset: Dataset): Dataset {
  const other = (index: number, size: number): number => (index < 2 ? index : 2 + ((index + 3) % (size - 2)));
  const { items, queries, heldOutStart, feedOffsets, searchIsTraining, clickOffsets } = dataset;
  const feedItem = dataset.feedItem.slice();
  heldOutStart.forEach((start, user) => {
    for (let at = start; at < (feedOffsets[user + 1] as number); at++)
      feedItem[at] = other(feedItem[at] as number, items.ids.length);
  });
  const clickItem = dataset.clickItem.slice();
  searchIsTraining.forEach((isTraining, search) => {
    if (isTraining) return;
    for (let at = clickOffsets[search] as number; at < (clickOffsets[search + 1] as number); at++)
      clickItem[at] = other(clickItem[at] as number, items.ids.length);
  });
  const searchQuery = dataset.searchQuery.map((query, search) =>
    searchIsTraining[search] ? query : other(query, queries.ids.length),
  );
  return { ...dataset, feedItem, clickItem, searchQuery };
}

/** The moments that validation, or the test, asks about. */
const targetsOf = (dataset: Dataset, on: HeldOut): Case[] =>
  [...dataset.targets[on]].flatMap((feedPosition, user) => (feedPosition < 0 ? [] : [{ user, feedPosition }]));

for (const entry of everyPreset) {
  describe(`${entry.name}: scores`, () => {
    test('are the same whatever room a history has, unless the model says that it sees its padding', async () => {
      const tiny = tinyModel(entry);
      const cases = shortMoments(tiny);
      assert.ok(cases.length >= 8);
      const usual = await scores(padded(tiny, true), cases);
      const wider = largestError(await scores(padded(widened(tiny), true), cases), usual);
      if (tiny.model.seesPadding) {
        assert.ok(wider > REAL, 'it says that it sees its padding, and does not');
        return;
      }
      assert.ok(wider < ROUNDING, `a wider window: ${wider}`);
      const tighter = largestError(await scores(padded(tiny, false), cases), usual);
      assert.ok(tighter < ROUNDING, `less room: ${tighter}`);
    });

    test('move with their candidates', async () => {
      const tiny = tinyModel(entry);
      const items = allItems(tiny.dataset);
      const order = new Random('order of candidates').shuffle(Int32Array.from(items.keys()));
      const usual = await scores(tiny);
      const moved = await scores(
        tiny,
        moments(tiny.dataset),
        order.map((at) => items[at] as number),
      );
      const expected = usual.map(
        (_, at) => usual[at - (at % items.length) + (order[at % items.length] as number)] as number,
      );
      assert.ok(largestError(moved, expected) < ROUNDING, `${largestError(moved, expected)}`);
      assert.ok(largestError(moved, usual) > REAL, 'all items score the same');
    });

    test('do not depend on company: a user alone, an item alone, a whole catalogue', async () => {
      const tiny = tinyModel(entry);
      const { model, parameters, dataset } = tiny;
      const [cases, items] = [moments(dataset), allItems(dataset)];
      const together = await scores(tiny);
      const total = dataset.items.ids.length;
      const all = await allScores(new GraphRanker(model, parameters, dataset, runtime), cases, total);
      cases.forEach((_, row) => {
        const error = largestError(rowOf(all, row, total).subarray(2), rowOf(together, row, items.length));
        assert.ok(error < ROUNDING, `the whole catalogue for case ${row}: ${error}`);
      });
      for (const row of [0, cases.length - 1]) {
        const own = rowOf(together, row, items.length);
        const alone = largestError(await scores(tiny, [cases[row] as Case]), own);
        assert.ok(alone < ROUNDING, `case ${row} alone: ${alone}`);
        const one = largestError(await scores(tiny, [cases[row] as Case], items.subarray(3, 4)), own.subarray(3, 4));
        assert.ok(one < ROUNDING, `an item alone for case ${row}: ${one}`);
      }
    });

    test('follow the searches of the user if the model says that it sees them, and only then', async () => {
      const tiny = tinyModel(entry);
      const other = otherFuture(tiny.dataset);
      // what is held out is no training, but it is the history of "now"
      const searched = { ...tiny.dataset, searchQuery: other.searchQuery, clickItem: other.clickItem };
      const [usual, changed] = [await scores(tiny), await scores({ ...tiny, dataset: searched })];
      if (tiny.model.seesSearches) assert.ok(largestError(changed, usual) > REAL, 'the searches change nothing');
      else assert.deepEqual(changed, usual);
    });

    test('come back bit for bit with a checkpoint', async (t) => {
      const folder = await scratchFolder(t);
      const tiny = tinyModel(entry);
      await saveCheckpoint(folder, 'model', tiny.parameters.tensors(), {});
      const parameters = parametersOf(tiny.model);
      parameters.load((await loadCheckpoint(folder, 'model')).tensors, folder);
      assert.deepEqual(await scores({ ...tiny, parameters }), await scores(tiny));
    });

    test('of items that training never met are told by their attributes, and change no others', async () => {
      const tiny = tinyModel(entry);
      const dataset = withNewItems(tiny.dataset);
      const [before, items] = [tiny.dataset.items.ids.length - 2, allItems(dataset)];
      const [usual, all] = [await scores(tiny), await scores({ ...tiny, dataset })];
      let apart = 0; // for somebody without a history a model may have nothing to go by
      moments(dataset).forEach((_, row) => {
        const own = rowOf(all, row, items.length);
        const error = largestError(own.subarray(0, before), rowOf(usual, row, before));
        assert.ok(error < ROUNDING, `case ${row}: ${error}`);
        const [first, second, other] = own.subarray(before) as unknown as [number, number, number];
        assert.ok(Number.isFinite(first) && Math.abs(first - second) < ROUNDING, `case ${row}: ${first}, ${second}`);
        if (Math.abs(first - other) > REAL) apart++;
      });
      assert.ok(apart >= 8, `told apart for ${apart}`);
      assert.deepEqual(
        trainingBatch({ ...tiny, dataset }, { rows: 100 }),
        trainingBatch(tiny, { rows: 100 }),
        'training never meets them, as negatives either',
      );
    });

    test('of items that nothing tells apart are equal, and rank as chance does', async () => {
      const dataset = livelyDataset(evenStories(), 16);
      const { model, parameters } = tinyModel(entry, { dataset });
      for (const { name, table, shape, padding } of parameters.descriptions) {
        if (!table && !/^(item|user|query)\.[^.]+$/.test(name)) continue;
        const values = parameters.get(name);
        const row = values.slice(shape[1], 2 * (shape[1] as number));
        for (let start = padding === 'zero' ? row.length : 0; start < values.length; start += row.length)
          values.set(row, start);
      }
      const ranker = new GraphRanker(model, parameters, dataset, runtime);
      for (const protocol of ['full', 'sampled'] as const) {
        const options = protocol === 'sampled' ? { candidates: drawCandidates(dataset, { count: 4 }) } : {};
        const { metrics, chance } = await evaluate(ranker, dataset, { on: 'test', protocol, ...options });
        for (const [name, value] of Object.entries(metrics))
          assert.ok(Math.abs(value - chance[name as MetricName]) < 1e-12, `${protocol} ${name}: ${value}`);
      }
    });
  });

  describe(`${entry.name}: a step of training`, () => {
    test('has the gradients of finite differences, by every parameter and table', async () => {
      const tiny = tinyModel(entry);
      const [batch] = trainingBatch(tiny, { rows: 3, pick: 'longest' });
      const { scope, losses, given, differentiable } = trainingGraph(tiny, batch);
      const inputs = new Map(differentiable.map((key) => [key, scope.known(key)]));
      const options = { random: new Random('sampled gradients'), least: 8 };
      const largest = await checkSampledGradients(runtime, losses.loss, inputs, given, options);
      const idle = [...largest].filter(([key, most]) => most < 1e-9 && !WITHOUT_GRADIENT.test(key));
      assert.deepEqual(idle, [], 'what is learnt has a gradient');
    });

    test('knows nothing of what is held out', async () => {
      const tiny = tinyModel(entry);
      const other = { ...tiny, dataset: otherFuture(tiny.dataset) };
      assert.deepEqual(trainingBatch(other, { rows: 100 }), trainingBatch(tiny, { rows: 100 }));
      // a search that led to the test event may lie before the validation event: there it is history
      const { searchQuery } = tiny.dataset;
      const cases = targetsOf(tiny.dataset, 'validation').filter((moment) =>
        recentSearches(tiny.dataset, moment).every((at) => other.dataset.searchQuery[at] === searchQuery[at]),
      );
      assert.equal(cases.length, targetsOf(tiny.dataset, 'validation').length - 1);
      assert.deepEqual(await scores(other, cases), await scores(tiny, cases));
    });

    test('is finite, and so are scores, without a history, with one of the two, and where nobody searches', async () => {
      const stories = livelyStories(1);
      const onlyFeeds = Object.fromEntries(
        Object.entries(stories).map(([user, events]) => [user, events.filter((event) => typeof event === 'string')]),
      );
      const onlyOneEach = {
        onlyFeed: ['i1', 'i2', 'i3', 'i4'],
        onlySearches: stories['onlySearches'] ?? [],
        nothing: [],
      };
      const firstEvents = { one: [{ query: 'red', clicked: ['i1'] }, 'i2'], other: [{ query: 'tea' }, 'i3'] };
      for (const told of [stories, onlyFeeds, onlyOneEach, firstEvents]) {
        const tiny = tinyModel(entry, { dataset: livelyDataset(told), changes: { negativeSampling: 'uniform' } });
        const all = await scores(tiny);
        assert.ok(all.length > 0 && all.every(Number.isFinite), 'scores');
        if (told === onlyFeeds && tiny.model.needsSearches) continue; // its training is refused
        for (const [name, values] of await gradientsOf(tiny, trainingBatch(tiny, { rows: 100 })))
          assert.ok(values.every(Number.isFinite), name);
      }
    });

    test('says in two parts what it says in one', async () => {
      const tiny = tinyModel(entry);
      const batch = trainingBatch(tiny, { rows: 11, batchParts: 2 });
      assert.equal(batch.length, 2); // models that compare rows are cut between groups of `rowsTogether`, 8 here
      const whole = await gradientsOf(tiny, trainingBatch(tiny, { rows: 11 }));
      const parts = await gradientsOf(tiny, batch);
      assert.deepEqual([...parts.keys()], [...whole.keys()]);
      for (const [name, values] of whole) {
        const error = largestError(parts.get(name) as Float32Array, values);
        assert.ok(error < ROUNDING, `${name}: ${error}`);
      }
    });

    test('differs with whatever tuning tries', async () => {
      const trials = models[entry.id].tuning(entry.preset);
      const tried = new Map(
        trials.map(({ learningRate: _ofNoStep, ...changes }) => [JSON.stringify(changes), changes] as const),
      );
      const seen = new Set<string>();
      for (const changes of tried.values()) {
        const tiny = tinyModel(entry, { changes });
        seen.add([...(await gradientsOf(tiny, trainingBatch(tiny, { rows: 8 }))).values()].join());
      }
      assert.equal(seen.size, tried.size);
    });

    test('has the same bits every time, on one thread and on two, in parts or whole', async () => {
      const train = async (on: Runtime, batchParts: number): Promise<Map<string, Float32Array>> => {
        const { model, parameters, dataset } = tinyModel(entry, { changes: { dropout: 0.2 } });
        const stepper = new Stepper(model, parameters, on, optimizer());
        const losses: number[] = [];
        for (const step of [1, 2]) {
          const batch = trainingBatch({ model, dataset }, { rows: 8, batchParts, seed: step });
          const result = await stepper.gradients(batch, new Random('dropout', step));
          stepper.update(result, 0.01);
          losses.push(...Object.values(result.losses));
        }
        stepper.level();
        const tensors = [...parameters.tensors(), ...stepper.momentTensors()];
        return new Map([
          ['losses', Float32Array.from(losses)],
          ...tensors.map(([name, { data }]) => [name, data] as const),
        ]);
      };
      const [whole, parts] = [await train(runtime, 1), await train(runtime, 2)];
      sameBits(await train(runtime, 2), parts);
      sameBits(await train(twoThreads, 2), parts);
      sameBits(await train(twoThreads, 1), whole);
    });
  });
}

test('a run of the command line scores as it did while it was trained', async (t) => {
  const folder = await scratchFolder(t);
  const { data } = await tinyWorld(folder, 0);
  const id = MODEL_IDS.find((id) => id !== 'sesrec') ?? 'sesrec';
  const out = join(folder, 'run');
  const flags = ['--model', id, '--epochs', '1', '--batch-size', '64', '--threads', '1'];
  const trained = await inProcess('train', data, '--out', out, ...flags);
  assert.equal(trained.code, 0, trained.err);
  const lines = (await readFile(join(out, 'log.jsonl'), 'utf8')).trim().split('\n');
  const { validation } = JSON.parse(lines.at(-1) as string) as { validation: { metrics: object } };
  const evaluated = await inProcess('evaluate', out, '--on', 'validation', '--json');
  assert.equal(evaluated.code, 0, evaluated.err);
  assert.deepEqual((JSON.parse(evaluated.out) as { metrics: object }).metrics, validation.metrics);

  const [one, other] = [await loadRun(out), await loadRun(out)];
  assert.equal(one.model.card.id, id);
  const cases = targetsOf(one.dataset, 'test');
  const first = await scores(one, cases);
  assert.ok(new Set(first).size > cases.length);
  assert.deepEqual(await scores(other, cases), first);
});
