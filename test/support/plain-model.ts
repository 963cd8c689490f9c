/**
 * Any model of the registry, small, on a log told as stories: its training graph with values for all that it takes, and its
 * embeddings by plain loops. Knows no one model.
 */
import assert from 'node:assert/strict';
import { Random } from '../../src/base/index.js';
import { type AttributeColumn, type Dataset, FIRST_INDEX } from '../../src/data/index.js';
import {
  type Batch,
  BatchAssembler,
  type Case,
  catalogueOf,
  gatherRows,
  recentFeed,
  totalsOf,
} from '../../src/features/index.js';
import {
  type CommonConfig,
  GraphRanker,
  type Losses,
  type Model,
  type ModelId,
  type Parameters,
  Scope,
  models,
  parametersOf,
  vocabularySizes,
} from '../../src/model/index.js';
import { type Runtime, gradients } from '../../src/tensor/index.js';
import { type Given, checkGradients, largestError } from './gradient-check.js';
import { evaluate } from './interpreter.js';
import { allScores } from './rankers.js';
import { type TinyEvent, tinyDataset, tinyVocabulary } from './tiny-dataset.js';

/** Users with both histories, one, and none; queries of one word and two; an item that no query led to, and late clicks. */
export const tinyStories: Readonly<Record<string, readonly TinyEvent[]>> = {
  ann: [
    'i0',
    { query: 'red', clicked: ['i3'] },
    'i1',
    { query: 'blue hat' },
    'i2',
    { query: 'hat', clicked: ['i4', 'i5'] },
    { led: 'i4' },
    'i6',
    { query: 'red' },
    'i7',
  ],
  bob: ['i5', 'i1', 'i0', 'i2'],
  cat: [{ query: 'red', clicked: ['i1'] }, { query: 'hat', clicked: ['i1'] }, 'i7'],
  dan: [{ query: 'blue hat', clicked: ['i0', 'i1'] }, 'i8', { query: 'red', clicked: ['i3'] }, 'i9', 'i3', 'i0', 'i5'],
  eve: [{ query: 'red hat', clicked: ['i1'] }, 'i3', { query: 'blue', clicked: ['i4'] }, 'i4'],
};

const attribute = (owners: number, values: number, of: (owner: number) => number): AttributeColumn => ({
  values: tinyVocabulary(Array.from({ length: values - FIRST_INDEX }, (_, value) => `value ${value}`)),
  index: Int32Array.from({ length: owners }, (_, owner) => (owner < FIRST_INDEX ? 0 : of(owner))),
});

/** The stories as a data set, with an attribute each of items and users. */
export function tinyLog(stories = tinyStories): Dataset {
  const dataset = tinyDataset(stories, { items: Array.from({ length: 12 }, (_, i) => `i${i}`) });
  return {
    ...dataset,
    itemAttributes: new Map([['kind', attribute(dataset.items.ids.length, 5, (item) => (3 * item) % 5)]]),
    userAttributes: new Map([['group', attribute(dataset.users.ids.length, 4, (user) => (2 * user + 1) % 4)]]),
  };
}

export interface TinyModel {
  readonly dataset: Dataset;
  readonly config: CommonConfig & Readonly<Record<string, unknown>>;
  readonly model: Model;
  /** Of a size at which every part of the model matters; the rows of padding are zero. */
  readonly parameters: Parameters;
}

/** A model with small widths and a window of 3. */
export function tinyModel(
  id: ModelId,
  changes: Readonly<Record<string, unknown>> = {},
  dataset = tinyLog(),
): TinyModel {
  const { settings, presets, rule, build } = models[id];
  const config = {
    ...settings(presets[0], 'amazon'),
    sizes: vocabularySizes(dataset),
    itemAttributes: [{ name: 'kind', size: 5, width: 1 }],
    userAttributes: [{ name: 'group', size: 4, width: 1 }],
    itemIdWidth: 2,
    queryIdWidth: 2,
    wordWidth: 2,
    userIdWidth: 2,
    window: { feed: 3, search: 3, clicks: 2, words: 2 },
    negatives: 2,
    dropout: 0,
    ...changes,
  } as TinyModel['config'];
  assert.equal(rule(config, ''), null);
  const model = build(config);
  const parameters = parametersOf(model);
  for (const { name, shape, padding } of parameters.descriptions) {
    const random = new Random('tiny model', name);
    const values = parameters.get(name);
    for (let i = 0; i < values.length; i++) values[i] = 0.7 * random.normal();
    if (padding === 'zero') values.fill(0, 0, shape[1]);
  }
  return { dataset, config, model, parameters };
}

/** Some moments: now, before targets, with one history and with none. */
export function tinyCases(dataset: Dataset): Case[] {
  const moment = (name: string, back: number): Case => {
    const user = dataset.users.index(name);
    return { user, feedPosition: (dataset.feedOffsets[user + 1] as number) - back };
  };
  return [
    moment('ann', 3),
    moment('bob', 2),
    moment('dan', 3),
    moment('ann', 4),
    moment('cat', 1),
    moment('bob', 4),
    moment('eve', 1),
  ];
}

/** What is drawn for a row of a batch. */
const drawsOf = (purpose: string, row: number): Random => new Random('tiny draws', purpose, row);

/** Training batches of some cases, one for each part; `parts` says how many rows each has. Candidates: (cases, C), the first one the target. */
export function tinyBatches(
  { dataset, config, model }: TinyModel,
  cases: readonly Case[],
  candidates: Int32Array,
  { parts = [cases.length], exact = true, draws = drawsOf } = {},
): Batch[] {
  const catalogue = catalogueOf(dataset, config.itemAttributes, config.userAttributes);
  const assembler = new BatchAssembler(catalogue, config.window, { exact, extras: model.extras(dataset) });
  const width = candidates.length / cases.length;
  let start = 0;
  const cut = parts.map((count) => {
    const from = start;
    start += count;
    return { from, rows: gatherRows(dataset, cases.slice(from, start), config.window) };
  });
  const totals = totalsOf(cut.map(({ rows }) => rows));
  return cut.map(({ from, rows }) =>
    assembler.assemble(rows, {
      candidates: candidates.slice(from * width, (from + rows.count) * width),
      totals,
      randomOf: (purpose, row) => draws(purpose, from + row),
    }),
  );
}

/** One training batch of some cases. */
export function tinyBatch(
  tiny: TinyModel,
  cases: readonly Case[] = tinyCases(tiny.dataset),
  candidates = tinyCandidates(tiny.dataset, cases),
  { draws = drawsOf } = {},
): Batch {
  return tinyBatches(tiny, cases, candidates, { draws })[0] as Batch;
}

/** Candidates for some cases: each case's target, or the first item where it is "now", and others. */
export function tinyCandidates(dataset: Dataset, cases: readonly Case[], count = 3): Int32Array {
  return Int32Array.from(
    cases.flatMap(({ feedPosition, user }, row) => [
      feedPosition < (dataset.feedOffsets[user + 1] as number)
        ? (dataset.feedItem[feedPosition] as number)
        : FIRST_INDEX,
      ...Array.from(
        { length: count - 1 },
        (_, i) => FIRST_INDEX + ((5 * row + 7 * i + 1) % (dataset.items.ids.length - FIRST_INDEX)),
      ),
    ]),
  );
}

export interface TinyGraph {
  readonly scope: Scope;
  readonly losses: Losses;
  readonly given: Given;
}

/** The training graph of a batch, and all that it takes. */
export function trainingGraph({ model, parameters }: TinyModel, batch: Batch, dropout = 0): TinyGraph {
  const scope = new Scope(dropout);
  const losses = model.losses(scope, batch.sizes);
  const all = { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs };
  return { scope, losses, given: Object.fromEntries(Object.entries(all).map(([key, values]) => [key, [...values]])) };
}

/** Loss, prediction and other losses by name, and logits, in float64. */
export function lossesOf({ losses, given }: TinyGraph): Record<string, number> {
  const named = { loss: losses.loss, prediction: losses.prediction, ...losses.others };
  const values = evaluate(Object.values(named), given);
  return Object.fromEntries(Object.keys(named).map((name, at) => [name, values[at]?.[0] as number]));
}

export const logitsOf = ({ losses, given }: TinyGraph): Float64Array =>
  evaluate([losses.logits], given)[0] as Float64Array;

/** Keys of all that is differentiated: parameters taken whole, and rows of tables. */
const differentiated = ({ scope }: TinyGraph): string[] => [
  ...[...scope.parameters.values()].flatMap(({ name, table }) => (table ? [] : [name])),
  ...scope.lookups.keys(),
];

/** Checks the gradients of the whole loss by finite differences, and on ONNX Runtime. */
export async function checkModelGradients(runtime: Runtime, graph: TinyGraph): Promise<void> {
  const inputs = differentiated(graph).map((key) => graph.scope.known(key));
  await checkGradients(runtime, graph.losses.loss, inputs, graph.given);
}

/** The gradient by each parameter, those of tables row by row of the table. */
export function gradientsOf(tiny: TinyModel, batch: Batch): Map<string, Float64Array> {
  const graph = trainingGraph(tiny, batch);
  const keys = differentiated(graph);
  const values = evaluate(
    gradients(
      graph.losses.loss,
      keys.map((key) => graph.scope.known(key)),
    ),
    graph.given,
  );
  const found = new Map<string, Float64Array>();
  keys.forEach((key, at) => {
    const gradient = values[at] as Float64Array;
    const lookup = graph.scope.lookups.get(key);
    if (!lookup) return void found.set(key, gradient);
    const whole = new Float64Array(tiny.parameters.get(lookup.table).length);
    const ids = batch.ids[lookup.ids];
    const width = gradient.length / ids.length;
    gradient.forEach((value, entry) => {
      const place = (ids[Math.floor(entry / width)] as number) * width + (entry % width);
      whole[place] = (whole[place] as number) + value;
    });
    found.set(lookup.table, whole);
  });
  return found;
}

/** Losses and gradients of a batch must be the sums of those of its parts. */
export function checkParts(tiny: TinyModel): void {
  const cases = tinyCases(tiny.dataset);
  const candidates = tinyCandidates(tiny.dataset, cases);
  const whole = tinyBatch(tiny, cases, candidates);
  const parts = tinyBatches(tiny, cases, candidates, { parts: [3, cases.length - 3] });
  const wanted = lossesOf(trainingGraph(tiny, whole));
  const found = parts.map((part) => lossesOf(trainingGraph(tiny, part)));
  const names = Object.keys(wanted);
  const sums = names.map((name) => found.reduce((sum, one) => sum + (one[name] as number), 0));
  const error = largestError(
    sums,
    names.map((name) => wanted[name] as number),
  );
  assert.ok(error < 1e-7, `losses of parts differ by ${error}`); // shares of rows come as float32
  const ofParts = parts.map((part) => gradientsOf(tiny, part));
  for (const [name, gradient] of gradientsOf(tiny, whole)) {
    const sum = gradient.map((_, at) => ofParts.reduce((total, one) => total + (one.get(name)?.[at] as number), 0));
    assert.ok(largestError(sum, gradient) < 1e-7, `gradients of parts by ${name} differ`);
  }
}

/** A ranker must score as the training graph does, whatever the candidates, the company of a case and its padding. */
export async function checkRanker(runtime: Runtime, tiny: TinyModel): Promise<void> {
  const { dataset, model, parameters } = tiny;
  const ranker = new GraphRanker(model, parameters, dataset, runtime);
  const cases = tinyCases(dataset);
  const candidates = tinyCandidates(dataset, cases, 4);
  const batch = tinyBatch(tiny, cases, candidates);
  const expected = logitsOf(trainingGraph(tiny, batch));
  const close = (found: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void => {
    const error = largestError(found, wanted);
    assert.ok(error < 1e-5, `${what}: differs by ${error}`);
  };
  assert.ok(new Set(expected).size > expected.length / 2, 'candidates differ');
  close(await ranker.score(cases, candidates, 4), expected, 'own candidates');
  const total = dataset.items.ids.length;
  const all = await allScores(ranker, cases, total);
  assert.ok(all.every(Number.isFinite));
  close(
    Float32Array.from(candidates, (item, i) => all[Math.floor(i / 4) * total + item] as number),
    expected,
    'all items',
  );
  for (const [row, moment] of cases.entries()) {
    const own = candidates.slice(row * 4, row * 4 + 4).toReversed();
    close(await ranker.score([moment], own, 4), expected.slice(row * 4, row * 4 + 4).toReversed(), `case ${row} alone`);
  }
}

/** A model's embeddings and layers of one vector each, written as plain loops. */
export class Plain {
  readonly tiny: TinyModel;

  constructor(tiny: TinyModel) {
    this.tiny = tiny;
  }

  /** Row of a table, or of a matrix. */
  row(name: string, at: number): number[] {
    const { parameters } = this.tiny;
    const { shape } = parameters.descriptions.find((one) => one.name === name) as { shape: readonly number[] };
    const width = shape[1] as number;
    return [...parameters.get(name).subarray(at * width, (at + 1) * width)];
  }

  item(item: number): number[] {
    return [...this.row('item.id', item), ...this.row('item.kind', this.#valueOf('itemAttributes', 'kind', item))];
  }

  user(user: number): number[] {
    return [...this.row('user.id', user), ...this.row('user.group', this.#valueOf('userAttributes', 'group', user))];
  }

  query(query: number): number[] {
    return [...this.row('query.id', query), ...this.words(query)];
  }

  /** The mean of a query's words. */
  words(query: number): number[] {
    const { wordOffsets, queryWords } = this.tiny.dataset;
    const words = queryWords.slice(wordOffsets[query], wordOffsets[query + 1]).slice(0, this.tiny.config.window.words);
    const vectors = Array.from(words, (word) => this.row('query.word', word));
    return this.row('query.word', 0).map(
      (_, at) => sumOf(vectors.map((one) => one[at] as number)) / Math.max(1, vectors.length),
    );
  }

  linear(name: string, x: readonly number[]): number[] {
    const { parameters } = this.tiny;
    const bias = parameters.descriptions.some((one) => one.name === `${name}.bias`)
      ? parameters.get(`${name}.bias`)
      : null;
    const units = parameters.get(`${name}.weight`).length / x.length;
    return Array.from({ length: units }, (_, unit) => dotOf(this.row(`${name}.weight`, unit), x) + (bias?.[unit] ?? 0));
  }

  /** Linear layers `name.0` … with an activation between them: (value, name of the layer before, unit). */
  perceptron(
    name: string,
    x: readonly number[],
    activation: (value: number, layer: string, unit: number) => number,
  ): number[] {
    let hidden = this.linear(`${name}.0`, x);
    for (let at = 1; this.tiny.parameters.descriptions.some((one) => one.name === `${name}.${at}.weight`); at++)
      hidden = this.linear(
        `${name}.${at}`,
        hidden.map((value, unit) => activation(value, `${name}.${at - 1}`, unit)),
      );
    return hidden;
  }

  /** DIN's activation with learned scale and shift. */
  readonly dice = (value: number, layer: string, unit: number): number => {
    const of = (part: string): number => this.tiny.parameters.get(`${layer}.${part}`)[unit] as number;
    const p = 1 / (1 + Math.exp(-(of('scale') * value + of('shift'))));
    return value * (p + (1 - p) * of('alpha'));
  };

  #valueOf(owner: 'itemAttributes' | 'userAttributes', name: string, at: number): number {
    return this.tiny.dataset[owner].get(name)?.index[at] as number;
  }
}

export const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const dotOf = (a: readonly number[], b: readonly number[]): number => {
  assert.equal(a.length, b.length);
  return sumOf(a.map((value, at) => value * (b[at] as number)));
};
/** Sum of vectors, each with its weight. */
export const mixOf = (weights: readonly number[], vectors: readonly (readonly number[])[], width: number): number[] =>
  Array.from({ length: width }, (_, at) =>
    sumOf(vectors.map((one, i) => (weights[i] as number) * (one[at] as number))),
  );

/** Logits of some cases' candidates by a function of plain loops must be those of the training graph, in float64. */
export function checkScores(tiny: TinyModel, scoreOf: (moment: Case, item: number) => number): void {
  const cases = tinyCases(tiny.dataset);
  const candidates = tinyCandidates(tiny.dataset, cases);
  const batch = tinyBatch(tiny, cases, candidates);
  const expected = Float64Array.from(candidates, (item, i) =>
    scoreOf(cases[Math.floor((i * cases.length) / candidates.length)] as Case, item),
  );
  const error = largestError(logitsOf(trainingGraph(tiny, batch)), expected);
  assert.ok(error < 1e-9, `differs from plain loops by ${error}`);
}

/** DIN's score: a weight for each position, no softmax, and a perceptron of user, candidate, interest and their product. */
export function plainDin(
  tiny: TinyModel,
  moment: Case,
  item: number,
  vectorOf: (item: number) => readonly number[],
): number {
  const plain = new Plain(tiny);
  const { dataset, config } = tiny;
  const q = vectorOf(item);
  const history = recentFeed(dataset, moment, config.window.feed).map((position) =>
    vectorOf(dataset.feedItem[position] as number),
  );
  const divisor = config['scaleAttention'] ? Math.sqrt(q.length) : 1;
  const weights = history.map((x) => {
    const features = [
      ...q,
      ...x,
      ...q.map((value, at) => value - (x[at] as number)),
      ...q.map((value, at) => value * (x[at] as number)),
    ];
    return (plain.perceptron('attention', features, plain.dice)[0] as number) / divisor;
  });
  const interest = mixOf(weights, history, q.length);
  const user = config['useUser'] ? plain.user(moment.user) : [];
  const product = q.map((value, at) => value * (interest[at] as number));
  return plain.perceptron('prediction', [...user, ...q, ...interest, ...product], plain.dice)[0] as number;
}
