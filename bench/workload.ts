/**
 * What the benches train on: seeded synthetic data sets with the published shapes, in memory, and the rows and draws of each
 * step, by the same assembler and samplers as in training. Knows the shapes of the data; does not know what is timed, and
 * means nothing: items are drawn without regard to users.
 *
 * amazon    sizes of Beauty: users, items, 250 queries; histories as long as its own (shares below, 60 % of positions are
 *           padding); every purchase was led to by a search whose one click it is, so both histories are equally long.
 * kuaishou  vocabularies of the paper's table, 43 M parameters; feed and search lengths log-normal (medians 60 and 8, sigma
 *           1), clipped to the windows of 150 and 25; clicks of a search: none in 40 %, else geometric with mean 1.5.
 *
 * An item of popularity rank r occurs in proportion to r^-1/2, as on Beauty within a fifth or so.
 */
import { Random, UserError, at } from '../src/base/index.js';
import { type Dataset, FIRST_INDEX, type Vocabulary, vocabularyOf } from '../src/data/index.js';
import {
  AlignmentSampler,
  type Case,
  type Rows,
  gatherRows,
  trainingCases,
  trainingQueries,
  type AlignedPart,
} from '../src/features/index.js';
import {
  type AttributeConfig,
  type SesrecConfig,
  type ShapeName,
  sesrecPresets,
  sesrecShapes,
  vocabularySizes,
  publishedShapes,
  sesrecModel,
} from '../src/model/index.js';
import { BatchMaker, type BatchOptions, type StepBatch } from '../src/train/index.js';
import { memoryDataset } from '../test/support/memory-dataset.js';

export const BATCH_SIZE = 256;
export const FORMS = ['masked', 'official'] as const;
/** `masked`: preset official with a co-attention that does not see padding; `official`: as the authors' code, which does. */
export type Form = (typeof FORMS)[number];

export interface Workload {
  readonly name: ShapeName;
  readonly dataset: Dataset;
  /** The training rows that steps are made of. */
  readonly cases: readonly Case[];
  readonly weightDecay: number;
  /** How batches are formed and cut. */
  readonly cut: Required<BatchOptions>;
  readonly config: (form: Form) => SesrecConfig;
}

/** On Beauty: numbers of purchases, and the share of users who have so many or fewer. */
const BEAUTY_PURCHASES = [
  [4, 0],
  [5, 0.3203],
  [6, 0.509],
  [7, 0.6289],
  [8, 0.7098],
  [9, 0.7709],
  [10, 0.8103],
  [12, 0.8663],
  [14, 0.9021],
  [16, 0.9231],
  [20, 0.9492],
  [30, 0.9785],
  [40, 0.9888],
  [50, 0.9932],
  [70, 0.997],
  [100, 0.9992],
  [204, 1],
] as const;

/** The workload of a shape; the same for the same seed. */
export function makeWorkload(name: ShapeName, batchParts = 2, seed = 1): Workload {
  const random = new Random(seed, 'workload', name);
  const { weightDecay } = publishedShapes[name];
  const dataset = name === 'amazon' ? amazonDataset(random) : kuaishouDataset(random);
  const attributes = (known: Dataset['itemAttributes'], width: number): AttributeConfig[] =>
    [...known].map(([attribute, { values }]) => ({ name: attribute, size: values.ids.length, width }));
  return {
    name,
    dataset,
    // one row per user there: the moment with the history whose length was drawn
    cases: name === 'amazon' ? trainingCases(dataset, false) : lastTrainingCases(dataset),
    weightDecay,
    cut: { batchSize: BATCH_SIZE, bucketBatches: BUCKET_BATCHES, batchParts },
    config: (form) => ({
      ...sesrecPresets.official,
      ...sesrecShapes[name],
      maskCoAttention: form === 'masked',
      itemAttributes: attributes(dataset.itemAttributes, 8),
      userAttributes: attributes(dataset.userAttributes, 4),
      sizes: vocabularySizes(dataset),
    }),
  };
}

/** Batches per pool, within which rows are sorted by the length of their histories (see features/buckets.ts). */
export const BUCKET_BATCHES = 16;

/** Which cases make up each step: here, and nowhere else, batches are formed. Whole batches, of one epoch. */
export function batchesOf({ cases, dataset, config, cut }: Workload, count: number, seed = 1): Int32Array[] {
  const random = new Random(seed, 'order');
  const rows = random.shuffle(Int32Array.from(cases.keys())).subarray(0, count * BATCH_SIZE);
  const batches = new BatchMaker(dataset, sesrecModel(config('masked')), cases, cut).order(rows, random);
  if (batches.length < count || (batches.at(-1)?.length ?? 0) < BATCH_SIZE)
    throw new UserError(`the workload has rows for ${Math.floor(cases.length / BATCH_SIZE)} batches, not for ${count}`);
  return batches;
}

/** The batches of any step: the same whenever they are asked for. */
export class StepMaker {
  readonly #workload: Workload;
  readonly #config: SesrecConfig;
  readonly #batches: readonly Int32Array[];
  readonly #maker: BatchMaker;
  readonly #alignment: AlignmentSampler;

  constructor(workload: Workload, config: SesrecConfig, batches: readonly Int32Array[]) {
    const { dataset, cases } = workload;
    this.#workload = workload;
    this.#config = config;
    this.#batches = batches;
    this.#maker = new BatchMaker(dataset, sesrecModel(config), cases, workload.cut);
    const random = new Random(1, 'alignment');
    this.#alignment = new AlignmentSampler(dataset, trainingQueries(dataset), config.alignmentNegatives, random);
  }

  #draws(step: number) {
    const random = new Random(1, 'negatives', step);
    return { randomOf: () => random, negatives: this.#alignment.block(step) };
  }

  batch(step: number): StepBatch {
    const { randomOf, negatives } = this.#draws(step);
    const draws = { negativesOf: randomOf, alignment: negatives, extrasOf: randomOf, extrasOfBatch: randomOf };
    return this.#maker.make(this.#batches[step] as Int32Array, draws);
  }

  /** What is in a batch, before it is cut into parts and made graph inputs, at the full window. */
  content(step: number): { rows: Rows } & Pick<AlignedPart, 'candidates' | 'negatives'> {
    const { randomOf, negatives } = this.#draws(step);
    const chosen = this.#batches[step] as Int32Array;
    const moments = Array.from(chosen, (row) => this.#workload.cases[row] as Case);
    const rows = gatherRows(this.#workload.dataset, moments, this.#config.window);
    return { rows, candidates: this.#maker.candidates(chosen, randomOf), negatives };
  }

  /** Shares of history positions that are padding, at the full window and in the batches as they are. */
  paddedShares(): { fullWindow: number; cut: number } {
    const { lengths } = this.#maker;
    const { window } = this.#config;
    let [actions, whole, cut] = [0, 0, 0];
    this.#batches.forEach((batch, step) => {
      for (const row of batch) actions += at(lengths.feed, row) + at(lengths.search, row);
      whole += batch.length * (window.feed + window.search);
      for (const { sizes } of this.batch(step)) cut += sizes.rows * (sizes.feed + sizes.search);
    });
    return { fullWindow: 1 - actions / whole, cut: 1 - actions / cut };
  }
}

function lastTrainingCases({ feedOffsets, heldOutStart }: Dataset): Case[] {
  return Array.from({ length: feedOffsets.length - 1 }, (_, user) => ({
    user,
    feedPosition: at(heldOutStart, user) - 1,
  })).filter(({ user, feedPosition }) => feedPosition > at(feedOffsets, user));
}

/** A vocabulary of `size` indices, padding and unknown included. */
const anonymous = (prefix: string, size: number): Vocabulary =>
  vocabularyOf(Array.from({ length: size - FIRST_INDEX }, (_, i) => `${prefix}${i}`));

/** An index of a vocabulary of `size`, in proportion to rank^-1/2. */
const popular = (random: Random, size: number): number =>
  FIRST_INDEX + Math.floor((size - FIRST_INDEX) * random.float() ** 2);

/** The words of every query: from `least` to `most` of them. */
function drawWords(random: Random, queries: number, words: number, [least, most]: readonly [number, number]) {
  const wordOffsets = new Int32Array(queries + 1);
  for (let query = FIRST_INDEX; query < queries; query++)
    wordOffsets[query + 1] = at(wordOffsets, query) + least + random.integer(most - least + 1);
  const queryWords = new Int32Array(at(wordOffsets, queries)).map(() => popular(random, words));
  return { wordOffsets, queryWords };
}

const noUser = [0, 0]; // padding and unknown have no events

function amazonDataset(random: Random): Dataset {
  const [users, items, queries, words] = [22_365, 12_103, 252, 256];
  const purchases = (share: number): number => {
    const place = BEAUTY_PURCHASES.findIndex(([, upTo]) => share < upTo);
    const [fewer, low] = BEAUTY_PURCHASES[place - 1] as readonly [number, number];
    const [more, high] = BEAUTY_PURCHASES[place] as readonly [number, number];
    return Math.min(more, 1 + Math.floor(fewer + ((more - fewer) * (share - low)) / (high - low)));
  };
  const counts = [...noUser, ...Array.from({ length: users - FIRST_INDEX }, () => purchases(random.float()))];
  const offsets = new Int32Array(users + 1);
  counts.forEach((count, user) => (offsets[user + 1] = at(offsets, user) + count));
  const events = at(offsets, users);
  const feedItem = new Int32Array(events).map(() => popular(random, items));
  // a category's share falls by a factor of e every 35 categories, as on Beauty
  const category = (): number =>
    FIRST_INDEX + (Math.floor(-35 * Math.log(1 - random.float())) % (queries - FIRST_INDEX));
  const queryOf = new Int32Array(items).map(category);
  const numbered = (step: number): Float64Array => Float64Array.from({ length: events }, (_, i) => 3 * i + step);
  return memoryDataset('bench amazon', {
    users: anonymous('u', users),
    items: anonymous('i', items),
    queries: anonymous('q', queries),
    words: anonymous('w', words),
    sources: anonymous('s', 3),
    ...drawWords(random, queries, words, [2, 10]),
    itemAttributes: new Map(),
    userAttributes: new Map(),
    feedOffsets: offsets,
    feedItem,
    feedOrdinal: numbered(2),
    feedSearch: Int32Array.from({ length: events }, (_, i) => i),
    searchOffsets: offsets,
    searchQuery: feedItem.map((item) => at(queryOf, item)),
    searchSource: new Int32Array(events).fill(FIRST_INDEX),
    searchOrdinal: numbered(0),
    clickOffsets: Int32Array.from({ length: events + 1 }, (_, i) => i),
    clickItem: feedItem,
    clickOrdinal: numbered(1),
  });
}

function kuaishouDataset(random: Random): Dataset {
  const [users, items, queries, words, sources] = [35_721, 822_833, 398_925, 116_570, 4];
  const { window } = sesrecShapes.kuaishou;
  const length = (median: number, most: number): number =>
    Math.min(most, Math.max(1, Math.round(median * Math.exp(random.normal()))));
  const feedOffsets = new Int32Array(users + 1);
  const searchOffsets = new Int32Array(users + 1);
  for (let user = FIRST_INDEX; user < users; user++) {
    // behind the history: the target of the training row and the two events that are held out
    feedOffsets[user + 1] = at(feedOffsets, user) + length(60, window.feed) + 3;
    searchOffsets[user + 1] = at(searchOffsets, user) + length(8, window.search);
  }
  const events = at(feedOffsets, users);
  const searches = at(searchOffsets, users);
  const clickOffsets = new Int32Array(searches + 1);
  for (let search = 0; search < searches; search++) {
    let clicks = random.float() < 0.4 ? 0 : 1;
    if (clicks > 0) while (random.float() < 1 / 3) clicks++; // mean 1.5
    clickOffsets[search + 1] = at(clickOffsets, search) + clicks;
  }
  const clicks = at(clickOffsets, searches);
  const numbered = (count: number, start: number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => start + i);
  const column = (size: number, values: number) => ({
    values: anonymous('v', values),
    index: new Int32Array(size).map((_, i) => (i < FIRST_INDEX ? 0 : popular(random, values))),
  });
  return memoryDataset('bench kuaishou', {
    users: anonymous('u', users),
    items: anonymous('i', items),
    queries: anonymous('q', queries),
    words: anonymous('w', words),
    sources: anonymous('s', sources),
    ...drawWords(random, queries, words, [1, window.words]),
    itemAttributes: new Map([
      ['type', column(items, 38)],
      ['category', column(items, 37)],
    ]),
    userAttributes: new Map([
      ['gender', column(users, 3)],
      ['age', column(users, 8)],
      ['searches', column(users, 4)],
    ]),
    // all searches come before all of the feed: only what is before the target counts
    feedOffsets,
    feedItem: new Int32Array(events).map(() => popular(random, items)),
    feedOrdinal: numbered(events, searches + clicks),
    feedSearch: new Int32Array(events).fill(-1),
    searchOffsets,
    searchQuery: new Int32Array(searches).map(() => popular(random, queries)),
    searchSource: new Int32Array(searches).map(() => FIRST_INDEX + random.integer(sources - FIRST_INDEX)),
    searchOrdinal: Float64Array.from({ length: searches }, (_, search) => search + at(clickOffsets, search)),
    clickOffsets,
    clickItem: new Int32Array(clicks).map(() => popular(random, items)),
    clickOrdinal: clickOrdinals(clickOffsets, clicks),
  });
}

/** Clicks come right after their search. */
function clickOrdinals(clickOffsets: Int32Array, clicks: number): Float64Array {
  const ordinals = new Float64Array(clicks);
  for (let search = 0; search + 1 < clickOffsets.length; search++)
    for (let click = at(clickOffsets, search); click < at(clickOffsets, search + 1); click++)
      ordinals[click] = search + click + 1;
  return ordinals;
}
