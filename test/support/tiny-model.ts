/**
 * Any registered model, small enough to be looked at from all sides: a tiny configuration, a lively data set and lively
 * parameters for it, its batches and its graph. Knows the registry's interface; does not know any one model.
 */
import { Random, range } from '../../src/base/index.js';
import type { Dataset, Vocabulary } from '../../src/data/index.js';
import { type BatchSizes, type Case, lastTrainingCases, trainingCases } from '../../src/features/index.js';
import {
  type CommonConfig,
  type Losses,
  type Model,
  type ModelId,
  type Parameters,
  type RegisteredModel,
  Scope,
  models,
  parametersOf,
  vocabularySizes,
} from '../../src/model/index.js';
import type { NumberArray, Runtime, Tensor } from '../../src/tensor/index.js';
import { BatchMaker, type StepBatch } from '../../src/train/index.js';
import { type TinyEvent, tinyDataset, tinyVocabulary } from './tiny-dataset.js';

/** A model, what it is trained on, and values for its parameters. */
export interface TinyModel {
  readonly model: Model;
  readonly parameters: Parameters;
  readonly dataset: Dataset;
}

/** A model of the registry with one of its presets. */
export interface Entry {
  readonly id: ModelId;
  readonly preset: string;
}

/** Every model with every preset. `name`: how a test calls it. */
export const everyPreset: readonly (Entry & { readonly name: string })[] = (Object.keys(models) as ModelId[]).flatMap(
  (id) =>
    models[id].presets.map((preset) => ({ id, preset, name: models[id].presets.length > 1 ? `${id}, ${preset}` : id })),
);

/**
 * Users with both histories, long and short, with one alone and with none. `u0` to `u6` live a full life. The last search of
 * `led` comes before all that is held out, and led to a part of it.
 */
export function livelyStories(seed: number): Record<string, readonly TinyEvent[]> {
  const random = new Random('lively stories', seed);
  const item = (): string => `i${random.integer(24)}`;
  const search = (): TinyEvent => ({
    query: ['red', 'blue hat', 'red hat', 'tea', 'green tea', 'cup red', 'long blue scarf'][
      random.integer(7)
    ] as string,
    clicked: Array.from({ length: random.integer(3) }, item),
  });
  const full = (length: number): TinyEvent[] =>
    Array.from({ length }, (_, at) => (at % 2 === 0 || random.float() < 0.4 ? item() : search()));
  return {
    ...Object.fromEntries([17, 15, 13, 11, 9, 7, 5].map((length, user) => [`u${user}`, full(length)])),
    led: [item(), search(), { led: 'i3' }, item(), { query: 'tea', clicked: ['i4'] }, item(), { led: 'i4' }],
    searchesFirst: [search(), search(), item(), { query: 'red hat', clicked: ['i5'] }, item(), item(), item()],
    onlyFeed: Array.from({ length: 5 }, item),
    onlySearches: [search(), { query: 'tea', clicked: ['i1', 'i2'] }, search()],
    nothing: [],
  };
}

/** Every item is met by as many users, at as many places and under as many queries as every other: nothing tells items apart. */
export function evenStories(): Record<string, readonly TinyEvent[]> {
  const item = (at: number): string => `i${at % 16}`;
  const query = (at: number): string => ['red', 'blue hat', 'tea', 'cup red'][at % 4] as string;
  return Object.fromEntries(
    Array.from({ length: 16 }, (_, user) => [
      `u${user}`,
      [0, 1, 2, 3, 4, 5].flatMap((step): TinyEvent[] => [
        { query: query(user), clicked: [item(user + step)] },
        item(user + step),
      ]),
    ]),
  );
}

/** The data set of some stories and so many items, with an attribute of items, one of users, and three sources. */
export function livelyDataset(stories = livelyStories(1), items = 24): Dataset {
  const dataset = tinyDataset(stories, { items: Array.from({ length: items }, (_, i) => `i${i}`) });
  const sources = tinyVocabulary(['typed', 'suggested', 'history']);
  const column = (values: Vocabulary, owners: Vocabulary, value: (owner: number) => number) => ({
    values,
    index: Int32Array.from(owners.ids, (_, owner) => value(owner)),
  });
  return {
    ...dataset,
    sources,
    searchSource: dataset.searchSource.map((_, search) => 2 + (search % 3)),
    itemAttributes: new Map([
      ['kind', column(tinyVocabulary(['a', 'b', 'c']), dataset.items, (item) => (3 * item) % 5)],
    ]),
    userAttributes: new Map([
      ['group', column(tinyVocabulary(['x', 'y']), dataset.users, (user) => (2 * user + 1) % 4)],
    ]),
  };
}

/** The data set with three more items that training never met, of known kinds: the first two of the same. */
export function withNewItems(dataset: Dataset): Dataset {
  const { items, itemAttributes } = dataset;
  const { values, index } = itemAttributes.get('kind') as { values: Vocabulary; index: Int32Array };
  const kinds = ['a', 'a', 'b'].map((kind) => values.index(kind));
  return {
    ...dataset,
    items: tinyVocabulary([...items.ids.slice(2), 'new', 'as new', 'of another kind']),
    itemAttributes: new Map([['kind', { values, index: Int32Array.of(...index, ...kinds) }]]),
  };
}

/** Widths that tell one from another: items 8 with their attribute, queries 6, users 3. */
const tinyCommon = {
  itemIdWidth: 6,
  queryIdWidth: 4,
  wordWidth: 2,
  userIdWidth: 2,
  window: { feed: 4, search: 4, clicks: 2, words: 3 },
  dropout: 0,
  negatives: 2,
} as const satisfies Partial<CommonConfig>;

/** What else a model must be told, so that every part of its loss is at work on lively parameters. */
const alive: Partial<Record<ModelId, object>> = {
  sesrec: { margin: 5 }, // else the contrast is nothing, as for a model that has learnt it
  iv4rec: { detachProjector: false }, // else a part of the gradient is left out on purpose
};

/** A setting with every size in it at most `most`; layers that follow one another get different ones. */
function shrunk(value: unknown, most: number): unknown {
  const cut = (size: unknown, to: number): unknown => (Number.isInteger(size) && (size as number) > to ? to : size);
  return Array.isArray(value) ? value.map((size, at) => cut(size, most - 1 - at)) : cut(value, most);
}

/** The settings of a preset at the Amazon shape, for a data set, with every size that allows it cut down, but for what `changes` says. */
export function tinyConfig(
  { rule, settings }: RegisteredModel,
  preset: string,
  dataset: Dataset,
  { most = 8, changes = {} }: { most?: number; changes?: Partial<CommonConfig> } = {},
): CommonConfig {
  const attributes = (known: Dataset['itemAttributes'], width: number) =>
    [...known].map(([name, { values }]) => ({ name, size: values.ids.length, width }));
  let config: CommonConfig = {
    ...settings(preset, 'amazon'),
    sizes: vocabularySizes(dataset),
    itemAttributes: attributes(dataset.itemAttributes, 2),
    userAttributes: attributes(dataset.userAttributes, 1),
    ...tinyCommon,
    ...changes,
  };
  const said = new Set([...Object.keys({ ...tinyCommon, ...changes }), 'sizes', 'itemAttributes', 'userAttributes']);
  for (const [name, value] of Object.entries(config).filter(([name]) => !said.has(name))) {
    const smaller = { ...config, [name]: shrunk(value, most) };
    if (rule(smaller, '') === null) config = smaller;
  }
  const wrong = rule(config, '');
  if (wrong !== null) throw new Error(`no tiny configuration: ${wrong}`);
  return config;
}

/** A tiny model with lively parameters. */
export function tinyModel(
  { id, preset }: Entry,
  {
    dataset = livelyDataset(),
    seed = 1,
    ...options
  }: { dataset?: Dataset; seed?: number; most?: number; changes?: Partial<CommonConfig> } = {},
): TinyModel {
  const changes = { ...alive[id], ...options.changes };
  const model = models[id].build(tinyConfig(models[id], preset, dataset, { ...options, changes }));
  return { model, dataset, parameters: lively(model, seed) };
}

/**
 * Parameters of a size at which every part of a model matters: the usual start is so small that little can go wrong, and where
 * many are summed up, larger ones would drown the rest. What starts at a constant other than 0 (scales, slopes, temperatures)
 * stays near it and keeps its sign.
 */
export function lively(model: Model, seed: number): Parameters {
  const parameters = parametersOf(model);
  parameters.initialise(seed);
  for (const { name, shape, padding, initialiser } of parameters.descriptions) {
    const random = new Random(seed, 'lively', name);
    const start = initialiser.kind === 'constant' ? initialiser.value : 0;
    const deviation = Math.min(0.4, 1.2 / Math.sqrt(shape.at(-1) ?? 1));
    const values = parameters.get(name);
    for (let i = 0; i < values.length; i++)
      values[i] = start === 0 ? deviation * random.normal() : start * Math.exp(0.2 * random.normal());
    if (padding === 'zero') values.fill(0, 0, shape[1]);
  }
  return parameters;
}

/** A user's moment, `back` events of the feed before now. */
export function momentOf(dataset: Dataset, user: string, back = 0): Case {
  const index = dataset.users.index(user);
  return { user: index, feedPosition: (dataset.feedOffsets[index + 1] as number) - back };
}

/** Every user's now, and some moments before it. */
export function moments(dataset: Dataset): Case[] {
  const users = dataset.users.ids.slice(2);
  return [
    ...users.map((user) => momentOf(dataset, user)),
    ...users.slice(0, 4).map((user) => momentOf(dataset, user, 2)),
  ];
}

/** All items that a model may be asked about. */
export const allItems = (dataset: Dataset): Int32Array => range(dataset.items.ids.length - 2).map((item) => item + 2);

/** Which rows a batch is made of: as a shuffle has it, those with the longest histories, or of all lengths from the longest to the shortest. */
type Choice = 'shuffled' | 'longest' | 'allLengths';

/** Some rows as one batch of a training, in parts or whole; everything drawn for it follows from the seed. */
export function trainingBatch(
  { model, dataset }: Pick<TinyModel, 'model' | 'dataset'>,
  {
    rows = 6,
    batchParts = 1,
    seed = 1,
    pick = 'shuffled',
  }: { rows?: number; batchParts?: number; seed?: number; pick?: Choice } = {},
): StepBatch {
  const cases = (model.trainsOn === 'users' ? lastTrainingCases : trainingCases)(dataset, false);
  const maker = new BatchMaker(dataset, model, cases, { batchSize: rows, batchParts });
  const { feed, search } = maker.lengths;
  const length = (row: number): number =>
    8 * Math.min(feed[row] as number, search[row] as number) + (feed[row] as number);
  const order = new Random('rows', seed).shuffle(range(cases.length));
  if (pick !== 'shuffled') order.sort((a, b) => length(b) - length(a));
  const spread = (order.length - 1) / Math.max(1, rows - 1);
  const picked =
    pick === 'allLengths' ? range(rows).map((at) => order[Math.round(at * spread)] as number) : order.slice(0, rows);
  const draw = (length: number, size: number, what: string): Int32Array => {
    const random = new Random(what, seed);
    return Int32Array.from({ length: size > 2 ? length : 0 }, () => 2 + random.integer(size - 2));
  };
  const { alignment, config } = model;
  return maker.make(picked, {
    negativesOf: (row) => new Random('negatives', seed, row),
    alignment: alignment && {
      items: draw(alignment.negatives, config.sizes.items, 'aligned items'),
      queries: draw(alignment.negatives, config.sizes.queries, 'aligned queries'),
    },
    extrasOf: (purpose, row) => new Random(purpose, seed, row),
    extrasOfBatch: (purpose) => new Random(purpose, seed),
  });
}

/** The training graph of one part of a batch, and what it takes. */
export interface TrainingGraph {
  readonly scope: Scope;
  readonly losses: Losses;
  readonly given: Readonly<Record<string, NumberArray>>;
  /** What it can be differentiated by: parameters that it takes whole, and rows of tables. */
  readonly differentiable: readonly string[];
}

export function trainingGraph(
  { model, parameters }: Pick<TinyModel, 'model' | 'parameters'>,
  batch: { readonly sizes: BatchSizes } & StepBatch[0],
): TrainingGraph {
  const scope = new Scope();
  const losses = model.losses(scope, batch.sizes);
  const whole = [...scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name);
  return {
    scope,
    losses,
    given: { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs },
    differentiable: [...whole, ...scope.lookups.keys()],
  };
}

/** Runs a graph once on ONNX Runtime. */
export async function runOnce(
  runtime: Runtime,
  outputs: Readonly<Record<string, Tensor>>,
  given: Readonly<Record<string, NumberArray>>,
): Promise<Record<string, Float32Array>> {
  const program = await runtime.compile(outputs);
  const results = await program.run(
    Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] as NumberArray])),
  );
  await program.dispose();
  return results;
}
