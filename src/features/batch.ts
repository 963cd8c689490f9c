/**
 * From rows to the arrays a graph takes. Knows that a batch repeats its items and queries many times; does not know models.
 *
 * Every distinct item, query and word of a batch is embedded once; positions refer to it by its slot in the batch.
 * Slot 0 is always padding (index 0).
 *
 * Shapes: B rows, C candidates (the positive first), T_r feed window, T_s search window, K clicks per query, W words
 * per query; I, Q, V slots of distinct items, queries, words; P query-click pairs.
 */
import { type Random, at, getOrCreate, isDictionaryOf, isWhole } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { type AlignedSizes, type Capacity, NOTHING_ALIGNED, alignedPairs } from './aligned-pairs.js';
import { type Catalogue, rowOfItem } from './catalogue.js';
import type { AlignmentNegatives } from './negatives.js';
import { type Extent, type Rows, type Totals, type Window, totalsOf } from './rows.js';
import { Slots, maskOf, padded } from './slots.js';

/** Shapes of a batch: what a program is compiled for. */
export interface BatchSizes extends Extent, AlignedSizes {
  readonly rows: number;
  readonly items: number;
  readonly queries: number;
  readonly words: number;
  /** Zero when the batch holds no training part. */
  readonly candidates: number;
  /** What the extras of the model brought along, by name. */
  readonly extras: Readonly<Record<string, number>>;
}

/** Shapes as one word: batches that share it share a program. */
export const sizesKey = ({ extras, ...sizes }: BatchSizes): string =>
  [...Object.values(sizes), ...Object.entries(extras).flat()].join(' ');

export interface Batch {
  readonly sizes: BatchSizes;
  /**
   * Embedding rows to gather: indices of the distinct items (I), queries (Q), words (V), and the users of the rows (B), behind
   * them those that an extra numbered, `sizes.extras.users` of them.
   */
  readonly ids: {
    readonly items: Int32Array;
    readonly queries: Int32Array;
    readonly words: Int32Array;
    readonly users: Int32Array;
  };
  /** Graph inputs by key; see `SesrecInputs` for their shapes. */
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
}

/** The training part of a batch. */
export interface TrainingPart {
  /** (B,C) item indices, the positive first. */
  readonly candidates: Int32Array;
  /** What queries and clicked items are aligned against, for models that align them. */
  readonly negatives?: AlignmentNegatives | null;
  /** `pairs`: every query-click pair of the batch weighs the same (mean over pairs); `rows`: pairs add up within a row, rows are averaged. */
  readonly pairReduction?: 'pairs' | 'rows';
  /** What the losses are means over, where the rows are only a part of what a step learns from; else their own. */
  readonly totals?: Totals;
  /** A stream of its own for whatever an extra draws for one row of the part; the same however the batch is cut. */
  readonly randomOf?: (purpose: string, row: number) => Random;
  /** The same for what is drawn once for the whole batch, whichever part this is. */
  readonly randomOfBatch?: (purpose: string) => Random;
}

/** A training part whose queries and clicked items are aligned. */
export type AlignedPart = TrainingPart &
  Required<Pick<TrainingPart, 'pairReduction'>> & { readonly negatives: AlignmentNegatives };

/** What a model wants to know beyond histories and candidates: further inputs of its graphs, made batch by batch. */
export interface BatchExtra {
  /** Called when the histories have their slots: may number further items, queries, words and users. */
  add?(assembly: Assembly): void;
  /** Called when all items have their slots: may number further queries, words and users. */
  complete?(assembly: Assembly): void;
  /**
   * The same for histories that are not those of the data set it was made for. Absent: it does not look at histories. One that
   * cannot refuses with a `UserError`.
   */
  forHistories?(dataset: Dataset): BatchExtra;
}

/** A batch while it is put together. */
export interface Assembly {
  readonly rows: Rows;
  /** Null when the batch is only scored. */
  readonly training: TrainingPart | null;
  /** What is there so far; an extra adds its own. */
  readonly inputs: Record<string, Float32Array | Int32Array>;
  /** Slots of the distinct items, queries and words. Those of queries bring their words along. */
  readonly items: Slots;
  readonly queries: Slots;
  readonly words: Slots;
  /**
   * Slots of the distinct users beside those of the rows, behind which they come: slot s is row B + s of what is gathered. Who
   * numbers any asks for their room, `capacity('users', users.indices.length)`.
   */
  readonly users: Slots;
  /** The room for so much of something that depends on the content: a size, `sizes.extras[name]`. */
  readonly capacity: (name: string, needed: number) => number;
}

/** A size rounded up so that few different ones occur: to a multiple of 16, and above 64 by less than a quarter. */
function sizeClass(size: number): number {
  const step = Math.max(16, 2 ** (Math.floor(Math.log2(Math.max(1, size))) - 2));
  return Math.ceil(size / step) * step;
}

/**
 * The largest sizes so far of what depends on the content of a batch, by the rows and the extent of the batch (see
 * `kindOf`). The kind `*` is where all others start from: states of older versions have no other.
 */
export type ReachedSizes = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What reached sizes read from a file must be. */
export const reachedSizesRule = isDictionaryOf(isDictionaryOf(isWhole(0, 2 ** 24)));

const nothing = new Int32Array(0);

/** The rows of a batch of items alone: a single one, of no user and without a history. */
const nobody: Rows = {
  count: 1,
  extent: { feed: 0, search: 0 },
  users: Int32Array.of(0),
  feed: nothing,
  search: nothing,
  source: nothing,
  clicks: nothing,
};

/** Batches of one kind share a program: sizes of their content never shrink. */
const kindOf = ({ count, extent }: Rows): string => `${count} ${extent.feed} ${extent.search}`;

/**
 * Assembles batches. Sizes that depend on the content (distinct items, pairs, …) are rounded up and, for batches of the
 * same rows and extent, never shrink, so that few programs are compiled; they are part of a resumable state, because
 * padding may change the last bit of a sum.
 */
export class BatchAssembler {
  readonly #catalogue: Catalogue;
  readonly #window: Window;
  readonly #exact: boolean;
  readonly #slots: Pick<Assembly, 'items' | 'queries' | 'words' | 'users'>;
  readonly #reached: Map<string, Record<string, number>>;
  readonly #extras: readonly BatchExtra[];

  /**
   * @param options.exact no rounding: sizes are what the content needs. `reached`: sizes to start from, on resuming. `extras`: what
   * else the model takes. `beside`: one of another catalogue or other extras, whose sizes this one shares, so that programs fit both
   */
  constructor(
    catalogue: Catalogue,
    window: Window,
    {
      exact = false,
      reached = {},
      extras = [],
      beside,
    }: { exact?: boolean; reached?: ReachedSizes; extras?: readonly BatchExtra[]; beside?: BatchAssembler } = {},
  ) {
    this.#extras = extras;
    this.#catalogue = catalogue;
    this.#window = window;
    this.#exact = exact;
    this.#slots = beside
      ? beside.#slots
      : {
          items: new Slots(catalogue.items),
          queries: new Slots(catalogue.queries),
          words: new Slots(catalogue.words),
          users: new Slots(catalogue.userRow.length),
        };
    this.#reached = beside
      ? beside.#reached
      : new Map(Object.entries(reached).map(([kind, sizes]) => [kind, { ...sizes }]));
  }

  /** The largest sizes so far. */
  get reached(): ReachedSizes {
    return Object.fromEntries([...this.#reached].map(([kind, sizes]) => [kind, { ...sizes }]));
  }

  /** The room for the content of a batch, rounded up; from now on no batch of the kind gets less. */
  #capacityOf(rows: Rows): Capacity {
    if (this.#exact) return (_, needed) => needed;
    const reached = getOrCreate(this.#reached, kindOf(rows), (): Record<string, number> => ({
      ...this.#reached.get('*'),
    }));
    return (what, needed) => (reached[what] = Math.max(reached[what] ?? 0, sizeClass(needed)));
  }

  /** Makes room for whatever rows of a count and an extent may hold, so that all such batches share a program. */
  makeRoom({ count, extent }: Pick<Rows, 'count' | 'extent'>): void {
    const { clicks, words } = this.#window;
    const capacity = this.#capacityOf({ ...nobody, count, extent });
    const searches = count * extent.search;
    capacity('items', 1 + count * extent.feed + searches * clicks);
    capacity('queries', 1 + searches);
    capacity('words', 1 + searches * words);
  }

  assemble(rows: Rows, training?: TrainingPart): Batch {
    const { items, queries } = this.#slots;
    const [feed, search, clicks] = [items.slots(rows.feed), queries.slots(rows.search), items.slots(rows.clicks)];
    const inputs: Record<string, Float32Array | Int32Array> = {
      feed,
      feedMask: maskOf(rows.feed),
      search,
      searchMask: maskOf(rows.search),
      searchSource: rows.source,
      clicks,
      clickMask: maskOf(rows.clicks),
    };
    const capacity = this.#capacityOf(rows);
    let aligned = NOTHING_ALIGNED;
    if (training) {
      const { negatives, pairReduction = 'pairs', totals = totalsOf([rows]) } = training;
      if (negatives) {
        const weight = 1 / (pairReduction === 'pairs' ? Math.max(1, totals.pairs) : totals.rows);
        const made = alignedPairs({ search, clicks, negatives, weight }, this.#slots, capacity);
        aligned = made.sizes;
        Object.assign(inputs, made.inputs);
      }
      inputs['rowShare'] = Float32Array.of(rows.count / totals.rows);
      inputs['contrastScale'] = Float32Array.of(1 / Math.max(1, totals.both));
      inputs['candidates'] = items.slots(training.candidates);
    }
    return this.#finished(rows, training ?? null, inputs, capacity, aligned);
  }

  /** Items alone: what a graph takes that works out what is known of items. `itemSlots`: the slot of each. */
  assembleItems(items: Int32Array): Batch {
    const inputs = { itemSlots: this.#slots.items.slots(items) };
    return this.#finished(nobody, null, inputs, this.#capacityOf(nobody), NOTHING_ALIGNED);
  }

  /** What is left to do when histories and candidates have their slots. */
  #finished(
    rows: Rows,
    training: TrainingPart | null,
    inputs: Record<string, Float32Array | Int32Array>,
    capacity: Capacity,
    aligned: AlignedSizes,
  ): Batch {
    const { itemAttributes, userAttributes, userRow, queryRow } = this.#catalogue;
    const extras: Record<string, number> = {};
    const assembly: Assembly = {
      rows,
      training,
      inputs,
      ...this.#slots,
      capacity: (name, needed) => (extras[name] = capacity(name, needed)),
    };
    if (rows !== nobody) for (const extra of this.#extras) extra.add?.(assembly);
    for (const extra of this.#extras) extra.complete?.(assembly);

    const users = new Int32Array(rows.count + (extras['users'] ?? 0));
    users.set(rows.users);
    if (extras['users']) users.set(this.#slots.users.indices, rows.count);
    const queries = capacity('queries', this.#slots.queries.indices.length);
    this.#wordInputs(queries, inputs);
    const sizes: BatchSizes = {
      rows: rows.count,
      ...rows.extent,
      candidates: training ? training.candidates.length / rows.count : 0,
      items: capacity('items', this.#slots.items.indices.length),
      queries,
      words: capacity('words', this.#slots.words.indices.length),
      ...aligned,
      extras,
    };
    const items = padded(this.#slots.items.indices, sizes.items);
    const ids = {
      items: items.map((item) => rowOfItem(this.#catalogue, item)),
      queries: padded(
        this.#slots.queries.indices.map((query) => at(queryRow, query)),
        sizes.queries,
      ),
      words: padded(this.#slots.words.indices, sizes.words),
      users: users.map((user) => at(userRow, user)),
    };
    for (const [name, column] of Object.entries(itemAttributes))
      inputs[`itemAttribute.${name}`] = items.map((item) => at(column, item));
    for (const [name, column] of Object.entries(userAttributes))
      inputs[`userAttribute.${name}`] = users.map((user) => at(column, user));
    for (const slots of Object.values(this.#slots)) slots.clear();
    return { sizes, ids, inputs };
  }

  /** (Q,W) slots of the words of each distinct query. */
  #wordInputs(queries: number, inputs: Record<string, Float32Array | Int32Array>): void {
    const { wordOffsets, queryWords } = this.#catalogue;
    const words = new Int32Array(queries * this.#window.words);
    this.#slots.queries.indices.forEach((query, slot) => {
      const start = at(wordOffsets, query);
      const end = Math.min(at(wordOffsets, query + 1), start + this.#window.words);
      for (let position = start; position < end; position++) {
        words[slot * this.#window.words + position - start] = this.#slots.words.slot(at(queryWords, position));
      }
    });
    inputs['queryWords'] = words;
    inputs['wordMask'] = maskOf(words);
  }
}
