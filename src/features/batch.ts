/**
 * From rows to the arrays a graph takes. Knows padding, windows and that a batch repeats its items and queries many
 * times; does not know models.
 *
 * Every distinct item, query and word of a batch is embedded once; positions refer to it by its slot in the batch.
 * Slot 0 is always padding (index 0). Histories are padded on the right: position 0 is the oldest kept action.
 *
 * Shapes: B rows, C candidates (the positive first), T_r feed window, T_s search window, K clicks per query, W words
 * per query; I, Q, V slots of distinct items, queries, words; P query-click pairs.
 */
import { type Random, assert, at, getOrCreate, isDictionaryOf, isWhole } from '../base/index.js';
import { type Dataset, UNKNOWN } from '../data/index.js';
import { type Case, clicksBefore, recentFeed, recentSearches } from './histories.js';
import type { AlignmentNegatives } from './negatives.js';

/** How much of a history is kept. */
export interface Window {
  /** T_r, feed events. */
  readonly feed: number;
  /** T_s, searches. */
  readonly search: number;
  /** K, clicked items per search, the first ones. */
  readonly clicks: number;
  /** W, words per query, the first ones. */
  readonly words: number;
}

/** Room for the histories of a batch: at most the window, less where all of them are shorter. */
export interface Extent {
  /** Feed events. */
  readonly feed: number;
  /** Searches. */
  readonly search: number;
}

/** Padded histories, row-major; 0 pads. T_r and T_s are those of the extent. */
export interface Rows {
  readonly count: number;
  /** The moments that the histories end at; absent where rows come from elsewhere than a data set. */
  readonly cases?: readonly Case[];
  readonly extent: Extent;
  /** (B) user indices. */
  readonly users: Int32Array;
  /** (B,T_r) item indices. */
  readonly feed: Int32Array;
  /** (B,T_s) query indices. */
  readonly search: Int32Array;
  /** (B,T_s) source indices. */
  readonly source: Int32Array;
  /** (B,T_s,K) item indices. */
  readonly clicks: Int32Array;
}

/** What is known about items, users and queries, by index. */
export interface Catalogue {
  readonly items: number;
  readonly queries: number;
  readonly words: number;
  /** Items from this index on have come since a model was trained: their embedding row is that of the unknown item. Absent: none. */
  readonly knownItems?: number;
  /** Attribute value per item index. */
  readonly itemAttributes: Readonly<Record<string, Int32Array>>;
  readonly userAttributes: Readonly<Record<string, Int32Array>>;
  /** The embedding row of each user index: the index itself, and unknown for users without training events. */
  readonly userRow: Int32Array;
  /** The embedding row of each query index; usually the index itself. */
  readonly queryRow: Int32Array;
  /** Words of query q: `queryWords[wordOffsets[q]]` … */
  readonly wordOffsets: Int32Array;
  readonly queryWords: Int32Array;
}

/** Shapes of a batch: what a program is compiled for. */
export interface BatchSizes extends Extent {
  readonly rows: number;
  readonly items: number;
  readonly queries: number;
  readonly words: number;
  /** Zero when the batch holds no training part. */
  readonly candidates: number;
  readonly pairs: number;
  readonly anchorQueries: number;
  readonly anchorItems: number;
  readonly negativeItems: number;
  readonly negativeQueries: number;
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

/** Numbers that the means of the losses are over. */
export interface Totals {
  readonly rows: number;
  /** Rows with feed events and searches. */
  readonly both: number;
  /** Pairs of a search and an item clicked in its results. */
  readonly pairs: number;
  /** Feed events of the histories, and those of them that have another one before them. */
  readonly feedEvents: number;
  readonly transitions: number;
}

/** The totals of the parts of a batch. */
export function totalsOf(parts: readonly Rows[]): Totals {
  const total = { rows: 0, both: 0, pairs: 0, feedEvents: 0, transitions: 0 };
  for (const { count, extent, feed, search, clicks } of parts) {
    const has = (values: Int32Array, row: number, length: number): boolean =>
      values.subarray(row * length, (row + 1) * length).some((value) => value !== 0);
    for (let row = 0; row < count; row++)
      if (has(feed, row, extent.feed) && has(search, row, extent.search)) total.both++;
    const perSearch = clicks.length / search.length;
    clicks.forEach((item, position) => {
      if (item !== 0 && at(search, Math.floor(position / perSearch)) !== 0) total.pairs++;
    });
    feed.forEach((item, position) => {
      if (item === 0) return;
      total.feedEvents++;
      if (position % extent.feed > 0) total.transitions++;
    });
    total.rows += count;
  }
  return total;
}

/** Cuts the histories of some cases to the window. `extent`: the room they get; it must hold the longest of them. */
export function gatherRows(
  dataset: Dataset,
  cases: readonly Case[],
  window: Window,
  { feed, search }: Extent = window,
): Rows {
  const count = cases.length;
  const rows = {
    count,
    cases,
    extent: { feed, search },
    users: Int32Array.from(cases, ({ user }) => user),
    feed: new Int32Array(count * feed),
    search: new Int32Array(count * search),
    source: new Int32Array(count * search),
    clicks: new Int32Array(count * search * window.clicks),
  };
  cases.forEach((moment, row) => {
    const fed = recentFeed(dataset, moment, window.feed);
    assert(fed.length <= feed, `${fed.length} feed events do not fit into ${feed}`);
    fed.forEach((position, place) => {
      rows.feed[row * feed + place] = at(dataset.feedItem, position);
    });
    const searches = recentSearches(dataset, moment, window.search);
    assert(searches.length <= search, `${searches.length} searches do not fit into ${search}`);
    searches.forEach((searched, position) => {
      const target = row * search + position;
      rows.search[target] = at(dataset.searchQuery, searched);
      rows.source[target] = at(dataset.searchSource, searched);
      clicksBefore(dataset, moment, searched, window.clicks).forEach((item, click) => {
        rows.clicks[target * window.clicks + click] = item;
      });
    });
  });
  return rows;
}

/** Numbers distinct indices in order of appearance; slot 0 is padding. */
export class Slots {
  readonly indices: number[] = [0];
  #slotOf: Int32Array;

  constructor(size: number) {
    this.#slotOf = new Int32Array(size);
  }
  slot(index: number): number {
    if (index === 0) return 0;
    if (index >= this.#slotOf.length) {
      const longer = new Int32Array(2 * index);
      longer.set(this.#slotOf);
      this.#slotOf = longer;
    }
    let slot = at(this.#slotOf, index);
    if (slot === 0) {
      slot = this.indices.length;
      this.indices.push(index);
      this.#slotOf[index] = slot;
    }
    return slot;
  }
  slots(values: Int32Array): Int32Array {
    const slots = new Int32Array(values.length);
    for (let i = 0; i < values.length; i++) slots[i] = this.slot(values[i] as number);
    return slots;
  }
  clear(): void {
    for (const index of this.indices) this.#slotOf[index] = 0;
    this.indices.length = 1;
  }
}

/** A size rounded up so that few different ones occur: to a multiple of 16, and above 64 by less than a quarter. */
function sizeClass(size: number): number {
  const step = Math.max(16, 2 ** (Math.floor(Math.log2(Math.max(1, size))) - 2));
  return Math.ceil(size / step) * step;
}

/** 1 where there is something. Loops, here and below: a batch has tens of thousands of positions. */
export function maskOf(values: Int32Array): Float32Array {
  const mask = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) mask[i] = 1;
  return mask;
}

/** Distinct values from 0 to `most`, in order of appearance, and how often each occurs. */
function counted(values: Int32Array, most: number): [Int32Array, Float32Array] {
  const counts = new Int32Array(most + 1);
  const distinct: number[] = [];
  for (const value of values) {
    if (counts[value] === 0) distinct.push(value);
    counts[value] = at(counts, value) + 1;
  }
  return [Int32Array.from(distinct), Float32Array.from(distinct, (value) => at(counts, value))];
}

const padded = (values: ArrayLike<number>, size: number): Int32Array => {
  const result = new Int32Array(size);
  result.set(values);
  return result;
};

/**
 * The largest sizes so far of what depends on the content of a batch, by the rows and the extent of the batch (see
 * `kindOf`). The kind `*` is where all others start from: states of older versions have no other.
 */
export type ReachedSizes = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What reached sizes read from a file must be. */
export const reachedSizesRule = isDictionaryOf(isDictionaryOf(isWhole(0, 2 ** 24)));

/** What a batch has of pairs to align. */
type AlignedSizes = Pick<BatchSizes, 'pairs' | 'anchorQueries' | 'anchorItems' | 'negativeItems' | 'negativeQueries'>;

const nothingAligned: AlignedSizes = {
  pairs: 0,
  anchorQueries: 0,
  anchorItems: 0,
  negativeItems: 0,
  negativeQueries: 0,
};

/** The room that is made for so much of something. */
type Capacity = (what: string, needed: number) => number;

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
  readonly #items: Slots;
  readonly #queries: Slots;
  readonly #words: Slots;
  readonly #users: Slots;
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
    this.#items = beside ? beside.#items : new Slots(catalogue.items);
    this.#queries = beside ? beside.#queries : new Slots(catalogue.queries);
    this.#words = beside ? beside.#words : new Slots(catalogue.words);
    this.#users = beside ? beside.#users : new Slots(catalogue.userRow.length);
    if (beside) {
      this.#reached = beside.#reached;
      return;
    }
    this.#reached = new Map(Object.entries(reached).map(([kind, sizes]) => [kind, { ...sizes }]));
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
    const inputs: Record<string, Float32Array | Int32Array> = {
      feed: this.#items.slots(rows.feed),
      feedMask: maskOf(rows.feed),
      search: this.#queries.slots(rows.search),
      searchMask: maskOf(rows.search),
      searchSource: rows.source,
      clicks: this.#items.slots(rows.clicks),
      clickMask: maskOf(rows.clicks),
    };
    const capacity = this.#capacityOf(rows);
    const aligned = training?.negatives
      ? this.#alignment(rows, training, training.negatives, inputs, capacity)
      : nothingAligned;
    if (training) {
      const totals = training.totals ?? totalsOf([rows]);
      inputs['rowShare'] = Float32Array.of(rows.count / totals.rows);
      inputs['contrastScale'] = Float32Array.of(1 / Math.max(1, totals.both));
      inputs['candidates'] = this.#items.slots(training.candidates);
    }
    return this.#finished(rows, training ?? null, inputs, capacity, aligned);
  }

  /** Items alone: what a graph takes that works out what is known of items. `itemSlots`: the slot of each. */
  assembleItems(items: Int32Array): Batch {
    const inputs = { itemSlots: this.#items.slots(items) };
    return this.#finished(nobody, null, inputs, this.#capacityOf(nobody), nothingAligned);
  }

  /** What is left to do when histories and candidates have their slots. */
  #finished(
    rows: Rows,
    training: TrainingPart | null,
    inputs: Record<string, Float32Array | Int32Array>,
    capacity: Capacity,
    aligned: AlignedSizes,
  ): Batch {
    const { itemAttributes, userAttributes, userRow, queryRow, knownItems = Infinity } = this.#catalogue;
    const extras: Record<string, number> = {};
    const assembly: Assembly = {
      rows,
      training,
      inputs,
      items: this.#items,
      queries: this.#queries,
      words: this.#words,
      users: this.#users,
      capacity: (name, needed) => (extras[name] = capacity(name, needed)),
    };
    if (rows !== nobody) for (const extra of this.#extras) extra.add?.(assembly);
    for (const extra of this.#extras) extra.complete?.(assembly);

    const users = new Int32Array(rows.count + (extras['users'] ?? 0));
    users.set(rows.users);
    if (extras['users']) users.set(this.#users.indices, rows.count);
    const queries = capacity('queries', this.#queries.indices.length);
    this.#wordInputs(queries, inputs);
    const sizes: BatchSizes = {
      rows: rows.count,
      ...rows.extent,
      candidates: training ? training.candidates.length / rows.count : 0,
      items: capacity('items', this.#items.indices.length),
      queries,
      words: capacity('words', this.#words.indices.length),
      ...aligned,
      extras,
    };
    const items = padded(this.#items.indices, sizes.items);
    const ids = {
      items: items.map((item) => (item < knownItems ? item : UNKNOWN)),
      queries: padded(
        this.#queries.indices.map((query) => at(queryRow, query)),
        sizes.queries,
      ),
      words: padded(this.#words.indices, sizes.words),
      users: users.map((user) => at(userRow, user)),
    };
    for (const [name, column] of Object.entries(itemAttributes))
      inputs[`itemAttribute.${name}`] = items.map((item) => at(column, item));
    for (const [name, column] of Object.entries(userAttributes))
      inputs[`userAttribute.${name}`] = users.map((user) => at(column, user));
    this.#items.clear();
    this.#queries.clear();
    this.#words.clear();
    this.#users.clear();
    return { sizes, ids, inputs };
  }

  /** (Q,W) slots of the words of each distinct query. */
  #wordInputs(queries: number, inputs: Record<string, Float32Array | Int32Array>): void {
    const { wordOffsets, queryWords } = this.#catalogue;
    const words = new Int32Array(queries * this.#window.words);
    this.#queries.indices.forEach((query, slot) => {
      const start = at(wordOffsets, query);
      const end = Math.min(at(wordOffsets, query + 1), start + this.#window.words);
      for (let position = start; position < end; position++) {
        words[slot * this.#window.words + position - start] = this.#words.slot(at(queryWords, position));
      }
    });
    inputs['queryWords'] = words;
    inputs['wordMask'] = maskOf(words);
  }

  /**
   * What queries and clicked items are aligned with. The alignment loss needs each distinct query (item) against the negatives once,
   * however many pairs it is in, and each distinct negative once, with its multiplicity.
   */
  #alignment(
    rows: Rows,
    { pairReduction = 'pairs', totals = totalsOf([rows]) }: TrainingPart,
    negatives: AlignmentNegatives,
    inputs: Record<string, Float32Array | Int32Array>,
    capacity: Capacity,
  ): AlignedSizes {
    const weights = new Map<number, number>(); // key: anchor query slot * 2^26 + anchor item slot
    const anchorQueries = new Map<number, number>();
    const anchorItems = new Map<number, number>();
    const number = (slots: Map<number, number>, slot: number): number => {
      const known = slots.get(slot) ?? slots.size;
      slots.set(slot, known);
      return known;
    };
    const clicks = inputs['clicks'] as Int32Array;
    const search = inputs['search'] as Int32Array;
    const perQuery = this.#window.clicks;
    for (let position = 0; position < clicks.length; position++) {
      const query = at(search, Math.floor(position / perQuery));
      if (at(clicks, position) === 0 || query === 0) continue;
      const key = number(anchorQueries, query) * 2 ** 26 + number(anchorItems, at(clicks, position));
      weights.set(key, (weights.get(key) ?? 0) + 1);
    }
    const scale = 1 / (pairReduction === 'pairs' ? Math.max(1, totals.pairs) : totals.rows);
    const countedSlots = (slots: Slots, indices: Int32Array): [Int32Array, Float32Array] =>
      counted(slots.slots(indices), slots.indices.length);
    const [negativeItems, itemCounts] = countedSlots(this.#items, negatives.items);
    const [negativeQueries, queryCounts] = countedSlots(this.#queries, negatives.queries);
    const sizes = {
      pairs: capacity('pairs', Math.max(1, weights.size)),
      anchorQueries: capacity('anchorQueries', Math.max(1, anchorQueries.size)),
      anchorItems: capacity('anchorItems', Math.max(1, anchorItems.size)),
      negativeItems: capacity('negativeItems', Math.max(1, negativeItems.length)),
      negativeQueries: capacity('negativeQueries', Math.max(1, negativeQueries.length)),
    };
    const keys = [...weights.keys()];
    const floats = (values: ArrayLike<number>, size: number): Float32Array => {
      const result = new Float32Array(size);
      result.set(values);
      return result;
    };
    Object.assign(inputs, {
      pairQuery: padded(
        keys.map((key) => Math.floor(key / 2 ** 26)),
        sizes.pairs,
      ),
      pairItem: padded(
        keys.map((key) => key % 2 ** 26),
        sizes.pairs,
      ),
      pairWeight: floats(
        [...weights.values()].map((weight) => weight * scale),
        sizes.pairs,
      ),
      anchorQueries: padded([...anchorQueries.keys()], sizes.anchorQueries),
      anchorItems: padded([...anchorItems.keys()], sizes.anchorItems),
      negativeItems: padded(negativeItems, sizes.negativeItems),
      negativeItemCount: floats(itemCounts, sizes.negativeItems),
      negativeQueries: padded(negativeQueries, sizes.negativeQueries),
      negativeQueryCount: floats(queryCounts, sizes.negativeQueries),
    });
    return sizes;
  }
}

/** The catalogue of a data set, with the item and user attributes that a model uses. */
export function catalogueOf(
  dataset: Dataset,
  itemAttributes: readonly { readonly name: string }[] = [],
  userAttributes: readonly { readonly name: string }[] = [],
): Catalogue {
  const columns = (
    used: readonly { readonly name: string }[],
    known: Dataset['itemAttributes'],
  ): Record<string, Int32Array> =>
    Object.fromEntries(used.map(({ name }) => [name, (known.get(name) as { index: Int32Array }).index]));
  return {
    items: dataset.items.ids.length,
    queries: dataset.queries.ids.length,
    words: dataset.words.ids.length,
    itemAttributes: columns(itemAttributes, dataset.itemAttributes),
    userAttributes: columns(userAttributes, dataset.userAttributes),
    userRow: Int32Array.from(dataset.users.ids, (_, user) => (user < dataset.trainedUsers ? user : UNKNOWN)),
    queryRow: Int32Array.from({ length: dataset.queries.ids.length }, (_, query) => query),
    wordOffsets: dataset.wordOffsets,
    queryWords: dataset.queryWords,
  };
}
