/**
 * Golden vectors as files: what the authors' PyTorch code was given and computed (test/fixtures/golden/README.md).
 * Knows their layout and the official names of parameters; assumes no size, and does not know what is compared.
 */
import { CorruptFileError, range } from '../base/index.js';
import type { Catalogue, Rows, AlignedPart, Window } from '../features/index.js';
import { type NamedTensor, type Parameters, type SesrecConfig, sesrecPresets } from '../model/index.js';

export interface GoldenConfig {
  readonly [key: string]: number | readonly number[] | string;
}
export interface GoldenBatch {
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
export interface GoldenExpected {
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

/** The format of golden files that this program reads. */
const VERSION = 1;
/** Attributes in the order in which the fixtures' lists hold them, after the id. */
const ITEM_ATTRIBUTES = ['type1', 'cate'];
const USER_ATTRIBUTES = ['gender', 'age', 'src_level'];

export function readConfig(golden: GoldenConfig | null): SesrecConfig {
  if (typeof golden !== 'object' || golden === null) throw new CorruptFileError('config.json holds no settings');
  const { version = VERSION } = golden; // the files of the authors' code have none
  if (version !== VERSION)
    throw new CorruptFileError(
      `config.json has format version ${JSON.stringify(version)}, this program reads ${VERSION}`,
    );
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
    fixedNegatives: false,
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
export function readBatches(content: unknown, config: SesrecConfig): readonly GoldenBatch[] {
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
export function readExpected(content: unknown): GoldenExpected {
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
export function officialPlace(name: string): { key: string; third?: number } {
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
export function officialValues(state: ReadonlyMap<string, NamedTensor>, name: string): Float32Array {
  const { key, third } = officialPlace(name);
  const found = state.get(key);
  if (!found) throw new CorruptFileError(`the fixture has no tensor ${key} (our ${name})`);
  const share = found.data.length / 3;
  return third === undefined ? found.data : found.data.subarray(third * share, (third + 1) * share);
}

export function loadOfficial(parameters: Parameters, state: ReadonlyMap<string, NamedTensor>): void {
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
export class GoldenCatalogue {
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
      trainedItems: config.sizes.items,
      queries: this.#rows.length,
      words: config.sizes.words,
      itemAttributes,
      userAttributes,
      userRow: range(config.sizes.users),
      queryRow: Int32Array.from(this.#rows),
      wordOffsets,
      queryWords: Int32Array.from(this.#words.flat()),
    };
  }
}

export function readRows(
  batch: GoldenBatch,
  catalogue: GoldenCatalogue,
  window: Window,
): { rows: Rows; training: AlignedPart } {
  const flat = (values: unknown): Int32Array => Int32Array.from([values].flat(Infinity) as number[]);
  const positives = batch.pos[0] as number[];
  const negatives = batch.neg[0] as number[][];
  return {
    rows: {
      count: positives.length,
      extent: { feed: window.feed, search: window.search },
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
