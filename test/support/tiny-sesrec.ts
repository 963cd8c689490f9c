/** A SESRec small enough to check by hand. Knows configurations, random rows and how to run a graph once. */
import { Random } from '../../src/base/index.js';
import { type Batch, BatchAssembler, type Catalogue, type Rows, type AlignedPart } from '../../src/features/index.js';
import {
  type Parameters,
  Scope,
  type SesrecConfig,
  type SesrecPreset,
  sesrecLosses,
  sesrecParameters,
  sesrecPresets,
} from '../../src/model/index.js';
import type { Runtime, Tensor } from '../../src/tensor/index.js';

export const tinySizes = { items: 14, users: 5, queries: 8, words: 9, sources: 4 } as const;

/** Width 4, window 3 x 3, one attribute each of items and users, no dropout. */
export function tinyConfig(preset: SesrecPreset, changes: Partial<SesrecConfig> = {}): SesrecConfig {
  return {
    ...sesrecPresets[preset],
    fixedNegatives: false,
    sizes: tinySizes,
    itemAttributes: [{ name: 'kind', size: 5, width: 2 }],
    userAttributes: [{ name: 'group', size: 4, width: 1 }],
    width: 4,
    itemIdWidth: 3,
    queryIdWidth: 3,
    wordWidth: 2,
    userIdWidth: 2,
    window: { feed: 3, search: 3, clicks: 2, words: 2 },
    blocks: 1,
    heads: 2,
    hidden: [5, 3, 1],
    temperature: 0.3,
    margin: 0.1,
    alpha: 0.1,
    beta: 0.1,
    dropout: 0,
    negatives: 2,
    alignmentNegatives: 5,
    ...changes,
  };
}

/** Query q has q % 3 words. */
export const wordsOfQuery: readonly (readonly number[])[] = Array.from({ length: tinySizes.queries }, (_, query) =>
  Array.from({ length: query % 3 }, (__, i) => 1 + ((3 * query + i) % (tinySizes.words - 1))),
);
export const kindOf = (item: number): number => (3 * item) % 5;
export const groupOf = (user: number): number => (2 * user + 1) % 4;

export function tinyCatalogue({ sizes }: SesrecConfig): Catalogue {
  const words = Array.from({ length: sizes.queries }, (_, query) => wordsOfQuery[query % tinySizes.queries] ?? []);
  return {
    items: sizes.items,
    trainedItems: sizes.items,
    queries: sizes.queries,
    words: sizes.words,
    itemAttributes: { kind: Int32Array.from({ length: sizes.items }, (_, item) => kindOf(item)) },
    userAttributes: { group: Int32Array.from({ length: sizes.users }, (_, user) => groupOf(user)) },
    userRow: Int32Array.from({ length: sizes.users }, (_, user) => user),
    queryRow: Int32Array.from({ length: sizes.queries }, (_, query) => query),
    wordOffsets: Int32Array.from([
      0,
      ...words.map(
        (
          (total) => (own: readonly number[]) =>
            (total += own.length)
        )(0),
      ),
    ]),
    queryWords: Int32Array.from(words.flat()),
  };
}

/** How long the histories of a row are. */
export type Lengths = readonly [feed: number, search: number];

/** Rows of random content with histories of given lengths; about half of the searches have a click. */
export function randomRows(config: SesrecConfig, lengths: readonly Lengths[], random: Random): Rows {
  const { window, sizes } = config;
  const rows = {
    count: lengths.length,
    extent: { feed: window.feed, search: window.search },
    users: Int32Array.from(lengths, () => random.integer(sizes.users)),
    feed: new Int32Array(lengths.length * window.feed),
    search: new Int32Array(lengths.length * window.search),
    source: new Int32Array(lengths.length * window.search),
    clicks: new Int32Array(lengths.length * window.search * window.clicks),
  };
  const real = (size: number): number => 1 + random.integer(size - 1);
  lengths.forEach(([feed, search], row) => {
    for (let i = 0; i < feed; i++) rows.feed[row * window.feed + i] = real(sizes.items);
    for (let i = 0; i < search; i++) {
      const position = row * window.search + i;
      rows.search[position] = real(sizes.queries);
      rows.source[position] = real(sizes.sources);
      for (let click = 0; click < random.integer(window.clicks + 1); click++)
        rows.clicks[position * window.clicks + click] = real(sizes.items);
    }
  });
  return rows;
}

export function randomTraining(config: SesrecConfig, count: number, random: Random): AlignedPart {
  const draw = (length: number, size: number): Int32Array =>
    Int32Array.from({ length }, () => 1 + random.integer(size - 1));
  return {
    candidates: draw(count * (1 + config.negatives), config.sizes.items),
    negatives: {
      items: draw(config.alignmentNegatives, config.sizes.items),
      queries: draw(config.alignmentNegatives, config.sizes.queries),
    },
    pairReduction: config.alignmentReduction,
  };
}

/** Parameters of a size at which every part of the model matters: the usual start is so small that little can go wrong. */
export function lively(config: SesrecConfig, seed = 1): Parameters {
  const parameters = sesrecParameters(config);
  parameters.initialise(seed);
  for (const { name, shape, padding } of parameters.descriptions) {
    if (name === 'alignment.temperature') continue;
    const random = new Random(seed, 'lively', name);
    const values = parameters.get(name);
    for (let i = 0; i < values.length; i++) values[i] = 0.6 * random.normal() + (name.endsWith('norm.weight') ? 1 : 0);
    if (padding === 'zero') values.fill(0, 0, shape[1]);
  }
  return parameters;
}

export interface Built {
  readonly scope: Scope;
  readonly losses: Record<'loss' | 'prediction' | 'alignment' | 'contrast', Tensor>;
  /** What the tests look at, by name. */
  readonly outputs: Record<string, Tensor>;
  /** Every input of the graph. */
  readonly given: Record<string, Float32Array | Int32Array>;
}

/** The training graph of some rows, and what it takes. */
export function build(config: SesrecConfig, parameters: Parameters, rows: Rows, training: AlignedPart): Built {
  const batch: Batch = new BatchAssembler(tinyCatalogue(config), config.window, { exact: true }).assemble(
    rows,
    training,
  );
  const scope = new Scope();
  const { loss, prediction, others, logits, details = {} } = sesrecLosses(scope, config, batch.sizes);
  const losses = { loss, prediction, ...others } as Built['losses'];
  const outputs: Record<string, Tensor> = { logits, ...losses, ...details };
  return {
    scope,
    losses,
    outputs,
    given: { ...parameters.dense(), ...parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs },
  };
}

/** Runs a graph on ONNX Runtime. */
export async function run(
  runtime: Runtime,
  { outputs, given }: Pick<Built, 'outputs' | 'given'>,
): Promise<Record<string, Float32Array>> {
  const program = await runtime.compile(outputs);
  const results = await program.run(
    Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] as Float32Array])),
  );
  await program.dispose();
  return results;
}

export async function forward(
  runtime: Runtime,
  config: SesrecConfig,
  parameters: Parameters,
  rows: Rows,
  training: AlignedPart,
): Promise<Record<string, Float32Array>> {
  return run(runtime, build(config, parameters, rows, training));
}

/** One row of some rows. */
export function rowOf(rows: Rows, row: number): Rows {
  const part = (values: Int32Array): Int32Array =>
    values.slice((row * values.length) / rows.count, ((row + 1) * values.length) / rows.count);
  return {
    count: 1,
    extent: rows.extent,
    users: part(rows.users),
    feed: part(rows.feed),
    search: part(rows.search),
    source: part(rows.source),
    clicks: part(rows.clicks),
  };
}
