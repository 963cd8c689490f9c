/**
 * Compares SESRec `official` with golden vectors: what the authors' PyTorch code computed for given weights and
 * batches. Knows the fixture's files (test/fixtures/golden/README.md) and the official names of parameters; does not
 * know any size in advance.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, Random, UserError, at, messageOf, readJson } from '../base/index.js';
import { BatchAssembler, type Catalogue, type Rows, type TrainingPart } from '../features/index.js';
import {
  type NamedTensor,
  type Parameters,
  type SesrecConfig,
  decodeSafetensors,
  sesrecParameters,
  sesrecPresets,
} from '../model/index.js';
import type { Runtime } from '../tensor/index.js';
import { createOptimizer } from './optimizer.js';
import { type BatchGradients, Stepper } from './step.js';

/** Tolerances that float32 allows (test/fixtures/golden/README.md). */
export const TOLERANCES = {
  scores: 1e-5,
  losses: 1e-5,
  gradients: 1e-4,
  afterStep: 2e-5,
  afterFiveSteps: 1e-4,
  lossesOfSteps: 5e-5,
} as const;
/** Below this size of g = loss gradient + decay * parameter, Adam's direction is rounding noise: an entry may differ by up to the learning rate. */
const NOISE = 1e-7;

export interface ParityReport {
  readonly ok: boolean;
  /** Largest errors. Scores, losses and parameters absolute; gradients relative to each tensor's largest entry. */
  readonly scores: number;
  readonly losses: number;
  readonly gradients: number;
  readonly afterStep: number;
  readonly afterFiveSteps: number;
  readonly lossesOfSteps: number;
  /** Positions whose side (similar, dissimilar) differs. */
  readonly masks: number;
  /** Co-attention of the batch that the fixture recorded it for (see `coattentionStep`). */
  readonly coattention: number;
  /** The step whose co-attention expected.json holds, by the lengths of its rows: 1 is the first batch. */
  readonly coattentionStep: number;
  /** Entries of parameters left out because their gradient is noise, after one and after five steps. */
  readonly noiseEntries: readonly [number, number];
  readonly tolerances: typeof TOLERANCES;
  /** What is out of tolerance. */
  readonly failures: readonly string[];
}

interface GoldenConfig {
  readonly [key: string]: number | readonly number[] | string;
}
interface GoldenBatch {
  readonly user: number[][];
  readonly rec_his: number[][][];
  readonly src_query: number[][];
  readonly src_source: number[][];
  readonly src_click: number[][][][];
  readonly src_words: number[][][];
  readonly pos: number[][];
  readonly neg: number[][][];
  readonly align_neg_item: number[][];
  readonly align_neg_query: number[];
  readonly align_neg_words: number[][];
}
interface GoldenExpected {
  readonly scores: number[][];
  readonly bce: number;
  readonly align: number;
  readonly contrast: number;
  readonly loss: number;
  readonly coattention_rec: number[][];
  readonly coattention_src: number[][];
  readonly mask_rec_similar: number[][];
  readonly mask_rec_dissimilar: number[][];
  readonly mask_src_similar: number[][];
  readonly mask_src_dissimilar: number[][];
  readonly losses_of_five_steps: number[];
}

/** Attributes in the order in which the fixtures' lists hold them, after the id. */
const ITEM_ATTRIBUTES = ['type1', 'cate'];
const USER_ATTRIBUTES = ['gender', 'age', 'src_level'];

function readConfig(golden: GoldenConfig | null): SesrecConfig {
  if (typeof golden !== 'object' || golden === null) throw new CorruptFileError('config.json holds no settings');
  const number = (key: string): number => {
    const value = golden[key];
    if (typeof value !== 'number') throw new CorruptFileError(`config.json has no number ${key}`);
    return value;
  };
  const hidden = golden['pred_hid_units'];
  if (!Array.isArray(hidden) || !hidden.every(Number.isInteger) || hidden.at(-1) !== 1)
    throw new CorruptFileError('config.json has no list pred_hid_units that ends in 1');
  const withAttributes = golden['kind'] === 'commercial';
  const attributes = (owner: string, names: readonly string[]) =>
    withAttributes
      ? names.map((name) => ({ name, size: number(`${owner}_${name}_num`), width: number(`${owner}_${name}_dim`) }))
      : [];
  const itemAttributes = attributes('item', ITEM_ATTRIBUTES);
  return {
    ...sesrecPresets.official,
    sizes: {
      items: number('item_id_num'),
      users: number('user_id_num'),
      queries: number('query_id_num'),
      words: number('query_word_segs_num'),
      sources: number('query_search_source_num'),
    },
    itemAttributes,
    userAttributes: attributes('user', USER_ATTRIBUTES),
    width: number('query_search_source_dim'),
    itemIdWidth: number('item_id_dim'),
    queryIdWidth: number('query_id_dim'),
    wordWidth: number('query_word_segs_dim'),
    userIdWidth: number('user_id_dim'),
    window: {
      feed: number('max_rec_his_len'),
      search: number('max_src_his_len'),
      clicks: number('max_src_click_item'),
      words: number('max_words_of_query'),
    },
    blocks: number('num_blocks'),
    heads: number('num_heads'),
    hidden: hidden as readonly number[],
    temperature: number('infoNCE_temp'),
    margin: number('triplet_margin'),
    alpha: number('alpha'),
    beta: number('beta'),
    dropout: number('dropout'),
    negatives: number('negatives'),
    alignmentNegatives: number('align_negatives'),
  };
}

/** Checks that every list of every batch has the shape that config.json implies. */
function readBatches(content: unknown, config: SesrecConfig): readonly GoldenBatch[] {
  if (!Array.isArray(content) || content.length === 0) throw new CorruptFileError('inputs.json is no list of batches');
  const { window, negatives, alignmentNegatives } = config;
  const [item, user] = [1 + config.itemAttributes.length, 1 + config.userAttributes.length];
  for (const [position, batch] of (content as (Partial<GoldenBatch> | null)[]).entries()) {
    const rows = batch?.src_query?.length ?? 0;
    const sizes: Record<keyof GoldenBatch, number> = {
      user: user * rows,
      rec_his: item * rows * window.feed,
      src_query: rows * window.search,
      src_source: rows * window.search,
      src_click: item * rows * window.search * window.clicks,
      src_words: rows * window.search * window.words,
      pos: item * rows,
      neg: item * rows * negatives,
      align_neg_item: item * alignmentNegatives,
      align_neg_query: alignmentNegatives,
      align_neg_words: alignmentNegatives * window.words,
    };
    for (const [key, size] of Object.entries(sizes) as [keyof GoldenBatch, number][]) {
      const flat = [batch?.[key]].flat(Infinity) as unknown[];
      if (
        size === 0 ||
        flat.length !== size ||
        !flat.every((value) => Number.isInteger(value) && (value as number) >= 0)
      ) {
        throw new CorruptFileError(
          `inputs.json, batch ${position + 1}: ${key} holds ${flat.length} values, not the ${size} whole numbers that config.json implies`,
        );
      }
    }
  }
  return content as readonly GoldenBatch[];
}

/** Checks that all that is compared is there; of what shape it is, the comparison tells. */
function readExpected(content: unknown): GoldenExpected {
  const expected = content as Partial<GoldenExpected> | null;
  const lists = [
    'scores',
    'coattention_rec',
    'coattention_src',
    'mask_rec_similar',
    'mask_rec_dissimilar',
    'mask_src_similar',
    'mask_src_dissimilar',
    'losses_of_five_steps',
  ] as const;
  for (const key of lists)
    if (!Array.isArray(expected?.[key])) throw new CorruptFileError(`expected.json has no list ${key}`);
  for (const key of ['bce', 'align', 'contrast', 'loss'] as const)
    if (typeof expected?.[key] !== 'number') throw new CorruptFileError(`expected.json has no number ${key}`);
  return expected as GoldenExpected;
}

/** Where one of our parameters lies in the official state: a tensor, and which third of its rows for packed q, k, v. */
function officialPlace(name: string): { key: string; third?: number } {
  const encoder = /^(feed|search)\.encoder\.(\d+)\.(.*)$/.exec(name);
  if (encoder) {
    const prefix = `${encoder[1] === 'feed' ? 'rec' : 'src'}_his_transformer_layer.layer.${encoder[2]}`;
    const [, layer, part] = /^(.*)\.(weight|bias)$/.exec(encoder[3] as string) as unknown as [string, string, string];
    const attention = `${prefix}.multi_head_attention`;
    const third = ['attention.query', 'attention.key', 'attention.value'].indexOf(layer);
    if (third >= 0) return { key: `${attention}.multi_head_attention.in_proj_${part}`, third };
    const places: Record<string, string> = {
      'attention.output': `${attention}.multi_head_attention.out_proj`,
      'attention.norm': `${attention}.LayerNorm`,
      'feedForward.inner': `${prefix}.feed_forward.dense_1`,
      'feedForward.outer': `${prefix}.feed_forward.dense_2`,
      'feedForward.norm': `${prefix}.feed_forward.LayerNorm`,
    };
    return { key: `${places[layer]}.${part}` };
  }
  const prediction = /^prediction\.(\d+)\.(weight|bias)$/.exec(name);
  if (prediction) return { key: `fc_layer.fc.${3 * Number(prediction[1])}.${prediction[2]}` };
  const projection = /^(item|query)\.projection\.(weight|bias)$/.exec(name);
  if (projection) return { key: `query_item_feat.${projection[1]}_trans.${projection[2]}` };
  const fixed: Record<string, string> = {
    'query.id': 'query_item_feat.query_id_emb.weight',
    'query.word': 'query_item_feat.query_word_segs_emb.weight',
    'search.source': 'query_item_feat.query_search_source_emb.weight',
    'feed.position': 'rec_pos_emb.pe.weight',
    'search.position': 'src_pos_emb.pe.weight',
    'coAttention.bilinear': 'interest_contrast.co_att.W1',
    'coAttention.feed.weight': 'interest_contrast.co_att.Wq',
    'coAttention.search.weight': 'interest_contrast.co_att.Wd',
    'feed.interest.weight': 'rec_his_att_pooling.W',
    'search.interest.weight': 'src_his_att_pooling.W',
    'alignment.bilinear': 'feature_alignment.infoNCE_loss.weight_matrix',
    'alignment.temperature': 'feature_alignment.infoNCE_loss.temp',
  };
  const [owner, attribute] = name.split('.');
  return {
    key:
      fixed[name] ??
      (owner === 'user'
        ? `user_feat.user_${attribute}_emb.weight`
        : `query_item_feat.item_feat.item_${attribute}_emb.weight`),
  };
}

/** The values that the official state holds for one of our parameters. */
function officialValues(state: ReadonlyMap<string, NamedTensor>, name: string): Float32Array {
  const { key, third } = officialPlace(name);
  const found = state.get(key);
  if (!found) throw new CorruptFileError(`the fixture has no tensor ${key} (our ${name})`);
  const share = found.data.length / 3;
  return third === undefined ? found.data : found.data.subarray(third * share, (third + 1) * share);
}

function loadOfficial(parameters: Parameters, state: ReadonlyMap<string, NamedTensor>): void {
  for (const { name } of parameters.descriptions) {
    const values = officialValues(state, name);
    if (values.length !== parameters.get(name).length)
      throw new CorruptFileError(
        `the fixture's ${officialPlace(name).key} has ${values.length} values, config.json implies ${parameters.get(name).length}`,
      );
    parameters.get(name).set(values);
  }
}

/**
 * The fixtures give words per position, so the same query id may come with different words: every distinct pair of id
 * and words is a query of its own here, and `queryRow` leads back to the id.
 */
class GoldenCatalogue {
  readonly #entries = new Map<string, number>([['0:', 0]]);
  readonly #rows: number[] = [0];
  readonly #words: number[][] = [[]];

  query(id: number, words: readonly number[]): number {
    const kept = words.filter((word) => word !== 0);
    const key = `${id}:${kept.join()}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    this.#entries.set(key, this.#rows.length);
    this.#rows.push(id);
    this.#words.push(kept);
    return this.#rows.length - 1;
  }

  build(config: SesrecConfig, batches: readonly GoldenBatch[]): Catalogue {
    const column = (size: number): Int32Array => new Int32Array(size);
    const itemAttributes = Object.fromEntries(
      config.itemAttributes.map(({ name }) => [name, column(config.sizes.items)]),
    );
    const userAttributes = Object.fromEntries(
      config.userAttributes.map(({ name }) => [name, column(config.sizes.users)]),
    );
    const note = (columns: Record<string, Int32Array>, [ids, ...values]: readonly unknown[]): void => {
      const flatIds = [ids].flat(Infinity) as number[];
      Object.values(columns).forEach((target, attribute) => {
        const flat = [values[attribute]].flat(Infinity) as number[];
        flatIds.forEach((id, position) => {
          target[id] = flat[position] as number;
        });
      });
    };
    for (const batch of batches) {
      for (const items of [batch.rec_his, batch.src_click, batch.pos, batch.neg, batch.align_neg_item])
        note(itemAttributes, items);
      note(userAttributes, batch.user);
    }
    const wordOffsets = Int32Array.from([
      0,
      ...this.#words.map(
        (
          (total) => (words: number[]) =>
            (total += words.length)
        )(0),
      ),
    ]);
    return {
      items: config.sizes.items,
      queries: this.#rows.length,
      words: config.sizes.words,
      itemAttributes,
      userAttributes,
      queryRow: Int32Array.from(this.#rows),
      wordOffsets,
      queryWords: Int32Array.from(this.#words.flat()),
    };
  }
}

function readRows(batch: GoldenBatch, catalogue: GoldenCatalogue): { rows: Rows; training: TrainingPart } {
  const flat = (values: unknown): Int32Array => Int32Array.from([values].flat(Infinity) as number[]);
  const positives = batch.pos[0] as number[];
  const negatives = batch.neg[0] as number[][];
  return {
    rows: {
      count: positives.length,
      users: flat(batch.user[0]),
      feed: flat(batch.rec_his[0]),
      search: Int32Array.from(
        batch.src_query.flatMap((queries, row) =>
          queries.map((id, position) => catalogue.query(id, batch.src_words[row]?.[position] ?? [])),
        ),
      ),
      source: flat(batch.src_source),
      clicks: flat(batch.src_click[0]),
    },
    training: {
      candidates: Int32Array.from(positives.flatMap((positive, row) => [positive, ...(negatives[row] as number[])])),
      negatives: {
        items: flat(batch.align_neg_item[0]),
        queries: Int32Array.from(
          batch.align_neg_query.map((id, position) => catalogue.query(id, batch.align_neg_words[position] ?? [])),
        ),
      },
      pairReduction: 'pairs',
    },
  };
}

function largestDifference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  skip: (entry: number) => boolean = () => false,
): number {
  if (actual.length !== expected.length) return Infinity;
  let error = 0;
  for (let i = 0; i < expected.length; i++)
    if (!skip(i)) error = Math.max(error, Math.abs(at(actual, i) - at(expected, i)));
  return error;
}

/** The gradient of every parameter, whole: rows that the batch did not touch are zero. */
function fullGradients(parameters: Parameters, { dense, rows }: BatchGradients): Map<string, Float32Array> {
  return new Map(
    parameters.descriptions.map(({ name, shape }) => {
      const found = dense.get(name);
      if (found) return [name, found];
      const whole = new Float32Array(parameters.get(name).length);
      const width = shape[1] as number;
      const gradient = rows.get(name);
      gradient?.rows.forEach((row, position) =>
        whole.set(gradient.values.subarray(position * width, (position + 1) * width), row * width),
      );
      return [name, whole];
    }),
  );
}

/** Runs a fixture. */
export async function parity(directory: string, runtime: Runtime): Promise<ParityReport> {
  const file = (name: string): string => join(directory, name);
  const tensors = async (name: string): Promise<Map<string, NamedTensor>> => {
    const bytes = await readFile(file(name)).catch((error: unknown) => {
      throw new UserError(`${directory} is not a golden fixture: ${messageOf(error)}`, { cause: error });
    });
    return decodeSafetensors(bytes, file(name));
  };
  const weights = await tensors('weights.safetensors');
  const golden = (await readJson(file('config.json'))) as GoldenConfig;
  const config = readConfig(golden);
  const batches = readBatches(await readJson(file('inputs.json')), config);
  const expected = readExpected(await readJson(file('expected.json')));

  const queries = new GoldenCatalogue();
  const prepared = batches.map((batch) => readRows(batch, queries));
  const assembler = new BatchAssembler(queries.build(config, batches), config.window, { exact: true });
  const parameters = sesrecParameters(config);
  loadOfficial(parameters, weights);
  const unused = [...weights.keys()].filter(
    (key) => !parameters.descriptions.some(({ name }) => officialPlace(name).key === key),
  );
  if (unused.length > 0)
    throw new UserError(`the fixture's model has parameters that SESRec official lacks: ${unused.join(', ')}`);
  const weightDecay = golden['weight_decay'] as number;
  const stepper = new Stepper(config, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay }));

  // Entries whose effective gradient was noise at any step so far.
  const noise = new Map(parameters.descriptions.map(({ name }) => [name, new Uint8Array(parameters.get(name).length)]));
  const parameterError = async (name: string): Promise<{ error: number; noisy: number }> => {
    const state = await tensors(name);
    let error = 0;
    let noisy = 0;
    for (const { name: parameter } of parameters.descriptions) {
      const marks = noise.get(parameter) as Uint8Array;
      const [actual, wanted] = [parameters.get(parameter), officialValues(state, parameter)];
      error = Math.max(
        error,
        largestDifference(actual, wanted, (entry) => marks[entry] === 1),
      );
      // Noise is excused up to the learning rate per step, not without bound.
      const bound = (golden['lr'] as number) * stepper.steps + TOLERANCES.afterFiveSteps;
      marks.forEach((mark, entry) => {
        if (mark === 0) return;
        noisy++;
        if (Math.abs(at(actual, entry) - at(wanted, entry)) > bound) error = Infinity;
      });
    }
    return { error, noisy };
  };

  const results: BatchGradients[] = [];
  let afterStep = { error: Infinity, noisy: 0 };
  let gradientError = 0;
  for (const { rows, training } of prepared) {
    const result = await stepper.gradients(assembler.assemble(rows, training), new Random('parity'), true);
    const whole = fullGradients(parameters, result);
    if (results.length === 0) {
      const state = await tensors('gradients.safetensors');
      for (const [name, gradient] of whole) {
        const wanted = officialValues(state, name);
        // relative to the whole official tensor: the gradient by the key's bias alone, a third of it, is pure rounding
        const scale = Math.max(
          1e-6,
          (state.get(officialPlace(name).key) as NamedTensor).data.reduce(
            (largest, value) => Math.max(largest, Math.abs(value)),
            0,
          ),
        );
        gradientError = Math.max(gradientError, largestDifference(gradient, wanted) / scale);
      }
    }
    for (const [name, gradient] of whole) {
      const [values, marks] = [parameters.get(name), noise.get(name) as Uint8Array];
      for (let i = 0; i < values.length; i++)
        if (Math.abs(at(gradient, i) + weightDecay * at(values, i)) < NOISE) marks[i] = 1;
    }
    results.push(result);
    stepper.update(result, golden['lr'] as number);
    if (results.length === 1) afterStep = await parameterError('after_one_adam_step.safetensors');
  }
  const afterFiveSteps = await parameterError('after_five_adam_steps.safetensors');

  const [first] = results as [BatchGradients];
  const detail = (result: BatchGradients, key: string): Float32Array => result.details[key] as Float32Array;
  const masks = [
    ['feed similar', expected.mask_rec_similar],
    ['feed dissimilar', expected.mask_rec_dissimilar],
    ['search similar', expected.mask_src_similar],
    ['search dissimilar', expected.mask_src_dissimilar],
  ] as const;
  // The fixtures recorded the co-attention anew at every step, so that expected.json holds that of the last one.
  const coattentionErrors = results.map((result) =>
    Math.max(
      largestDifference(detail(result, 'feed co-attention'), expected.coattention_rec.flat()),
      largestDifference(detail(result, 'search co-attention'), expected.coattention_src.flat()),
    ),
  );
  const coattention = Math.min(...coattentionErrors);
  const errors = {
    scores: largestDifference(
      detail(first, 'logits').map((logit) => 1 / (1 + Math.exp(-logit))),
      expected.scores.flat(),
    ),
    losses: largestDifference(
      [first.losses.prediction, first.losses.alignment, first.losses.contrast, first.losses.loss],
      [expected.bce, expected.align, expected.contrast, expected.loss],
    ),
    gradients: gradientError,
    afterStep: afterStep.error,
    afterFiveSteps: afterFiveSteps.error,
    lossesOfSteps: largestDifference(
      results.map(({ losses }) => losses.loss),
      expected.losses_of_five_steps,
    ),
  };
  const wrongSides = masks.reduce(
    (total, [key, wanted]) => total + detail(first, key).filter((value, i) => value !== wanted.flat()[i]).length,
    0,
  );
  const failures = Object.entries(errors)
    .filter(([name, error]) => !(error <= TOLERANCES[name as keyof typeof TOLERANCES]))
    .map(([name]) => name);
  if (wrongSides > 0) failures.push('masks');
  return {
    ok: failures.length === 0,
    ...errors,
    masks: wrongSides,
    coattention,
    coattentionStep: coattentionErrors.indexOf(coattention) + 1,
    noiseEntries: [afterStep.noisy, afterFiveSteps.noisy],
    tolerances: TOLERANCES,
    failures,
  };
}
