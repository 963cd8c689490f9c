/**
 * Candidates from a catalogue that is too large to be ranked in full, with the ranker's own scores. Knows several sources, each by its
 * name; does not know how a score comes about, nor what may stand in a list.
 *
 * - `co-occurrence`: what others met around the newest items of the history, and what was clicked after its newest queries;
 * - `new`: what came since the run, where the model can tell such items apart;
 * - `popular`;
 * - `vectors`: a user's scores of a fixed sample of items, fitted by a linear function of distilled vectors (pivots.ts; the same ridge
 *   regression for everybody, so that a fit is one product of a matrix and a vector), which is then evaluated on the cells of the
 *   catalogue whose centres it likes best.
 *
 * Lists have one length always: each length is a program.
 */
import { Largest, Random, at, grouped, offsetsOf } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import { recentSearches } from '../features/index.js';
import type { EncodedHistory } from '../model/index.js';
import { LinearFit } from './linear-fit.js';
import type { ItemSource } from './questions.js';
import type { KnownUser, ServedModel } from './served-model.js';
import { pivotVectors } from './pivots.js';
import { VectorCells } from './vector-cells.js';

export interface Candidates {
  /** In ascending order, each once. */
  readonly items: Int32Array;
  /** As the ranker scores them. */
  readonly scores: Float32Array;
  /** The source that named an item first. */
  readonly sources: ReadonlyMap<number, ItemSource>;
}

export interface Retrieval {
  candidates(known: KnownUser, encoded: EncodedHistory, popularity: Float32Array): Promise<Candidates>;
}

/** Items of a history, and queries, that co-occurrence looks at: the newest. */
const RECENT = 10;
/** Meetings of each of them that are looked at, and how far around each. */
const [MEETINGS, AROUND] = [100, 3];
/** At most these shares of the list. */
const SHARES = { 'co-occurrence': 0.3, new: 0.05, popular: 0.15 } as const;
/** Items that a linear fit is made on: popular ones, and as many of any kind; at most this share of all candidates. */
const [SAMPLE, SAMPLE_SHARE] = [384, 0.25];
/** The share of the catalogue whose vectors are looked at, for one user. */
const LOOKED_AT = 0.1;

export class Retrieving implements Retrieval {
  readonly #model: ServedModel;
  readonly #count: number;
  readonly #meetings: Meetings;
  readonly #fit: LinearFit;
  readonly #sample: Int32Array;
  readonly #cells: VectorCells;
  #popular: { readonly counts: Float32Array; readonly items: readonly number[] } | null = null;

  private constructor(
    model: ServedModel,
    count: number,
    parts: { meetings: Meetings; fit: LinearFit; sample: Int32Array; cells: VectorCells },
  ) {
    this.#model = model;
    this.#count = count;
    this.#meetings = parts.meetings;
    this.#fit = parts.fit;
    this.#sample = parts.sample;
    this.#cells = parts.cells;
  }

  /** Makes what it looks things up in. `count`: candidates of a list. */
  static async of(model: ServedModel, count: number): Promise<Retrieving> {
    const { vectors, width } = await pivotVectors(model);
    const known = model.items.firstNew;
    const size = Math.min(SAMPLE, Math.ceil(SAMPLE_SHARE * count), known - FIRST_INDEX);
    const sample = sampleOf(model.trainingCounts, size);
    const fit = new LinearFit(vectors, width, sample);
    const cells = await VectorCells.of(vectors, width);
    const meetings = new Meetings(model);
    return new Retrieving(model, Math.min(count, known - FIRST_INDEX), { meetings, fit, sample, cells });
  }

  async candidates(known: KnownUser, encoded: EncodedHistory, popularity: Float32Array): Promise<Candidates> {
    const all = this.#count;
    const sources = new Map<number, ItemSource>();
    const scores = new Map<number, number>();
    let fresh: number[] = [];
    const add = (items: Iterable<number>, source: ItemSource, most: number): void => {
      let added = 0;
      for (const item of items) {
        if (added >= most || sources.size >= all) return;
        if (sources.has(item)) continue;
        sources.set(item, source);
        fresh.push(item);
        added++;
      }
    };
    const score = async (room: number): Promise<Float32Array> => {
      const items = new Int32Array(room).fill(FIRST_INDEX);
      items.set(fresh);
      const found = await known.ranker.scoreFor(encoded, items);
      fresh.forEach((item, place) => scores.set(item, at(found, place)));
      fresh = [];
      return found;
    };
    add(this.#sample, 'vectors', all);
    const sampled = await score(this.#sample.length);
    const left = all - this.#sample.length;
    const byCount = this.#mostPopular(popularity);
    add(this.#meetings.around(known), 'co-occurrence', Math.floor(SHARES['co-occurrence'] * left));
    if (this.#model.seesAttributes) {
      const most = Math.floor(SHARES.new * left);
      add(this.#model.items.newestFirst(most), 'new', most);
    }
    add(byCount, 'popular', Math.floor(SHARES.popular * left));
    add(this.#cells.best(this.#fit.of(sampled), left + sources.size, LOOKED_AT), 'vectors', left - fresh.length);
    add(byCount, 'popular', left - fresh.length);
    if (left > 0) await score(left);
    const items = Int32Array.from(scores.keys()).sort();
    return { items, scores: Float32Array.from(items, (item) => scores.get(item) as number), sources };
  }

  /** Worked out once for the counts of a moment. */
  #mostPopular(counts: Float32Array): readonly number[] {
    if (this.#popular?.counts !== counts) {
      const largest = new Largest(this.#count);
      largest.offer(counts.subarray(0, this.#model.items.firstNew), 0, (item) => item >= FIRST_INDEX);
      this.#popular = { counts, items: largest.sorted().map(({ index }) => index) };
    }
    return this.#popular.items;
  }
}

/** Popular items and others, each once, in ascending order. */
function sampleOf(counts: Float32Array, size: number): Int32Array {
  const largest = new Largest(Math.ceil(size / 2));
  largest.offer(counts, 0, (item) => item >= FIRST_INDEX);
  const sample = new Set(largest.sorted().map(({ index }) => index));
  const random = new Random('sample of a catalogue', counts.length);
  while (sample.size < size) sample.add(FIRST_INDEX + random.integer(counts.length - FIRST_INDEX));
  return Int32Array.from(sample).sort();
}

/** Who met what, and after which query: looked up, never summed up beforehand. */
class Meetings {
  readonly #dataset: Dataset;
  readonly #erased: ReadonlySet<number>;
  readonly #offsets: Int32Array;
  /** Feed positions, grouped by item. */
  readonly #positions: Int32Array;
  readonly #userOf: Int32Array;
  readonly #queryOffsets: Int32Array;
  /** Searches, grouped by query. */
  readonly #searches: Int32Array;

  constructor({ run: { dataset }, erased }: ServedModel) {
    this.#dataset = dataset;
    this.#erased = erased;
    this.#offsets = offsetsOf(dataset.feedItem, dataset.items.ids.length);
    this.#positions = grouped(dataset.feedItem, this.#offsets);
    this.#userOf = new Int32Array(dataset.feedItem.length);
    for (let user = 0; user + 1 < dataset.feedOffsets.length; user++)
      this.#userOf.fill(user, at(dataset.feedOffsets, user), at(dataset.feedOffsets, user + 1));
    this.#queryOffsets = offsetsOf(dataset.searchQuery, dataset.queries.ids.length);
    this.#searches = grouped(dataset.searchQuery, this.#queryOffsets);
  }

  /** Whose search it is. */
  #searcher(search: number): number {
    const { searchOffsets } = this.#dataset;
    let [low, high] = [0, searchOffsets.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at(searchOffsets, middle) <= search) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Items around what somebody did last, those named most first. */
  around({ history }: KnownUser): number[] {
    const { feedItem, clickOffsets, clickItem, items, queries } = this.#dataset;
    const counts = new Map<number, number>();
    const count = (item: number, weight: number): void => {
      if (item >= FIRST_INDEX) counts.set(item, (counts.get(item) ?? 0) + weight);
    };
    history.recentItems.slice(0, RECENT).forEach((item, step) => {
      if (item >= items.ids.length) return;
      for (const position of newest(this.#positions, this.#offsets, item)) {
        const user = at(this.#userOf, position);
        if (this.#erased.has(user)) continue;
        for (let other = position - AROUND; other <= position + AROUND; other++)
          if (other !== position && this.#userOf[other] === user) count(at(feedItem, other), 1 / (1 + step));
      }
    });
    const searches = recentSearches(history.dataset, history.moment, RECENT).toReversed();
    searches.forEach((searched, step) => {
      const query = at(history.dataset.searchQuery, searched);
      if (query < FIRST_INDEX || query >= queries.ids.length) return;
      for (const search of newest(this.#searches, this.#queryOffsets, query)) {
        if (this.#erased.size > 0 && this.#erased.has(this.#searcher(search))) continue;
        for (let click = at(clickOffsets, search); click < at(clickOffsets, search + 1); click++)
          count(at(clickItem, click), 1 / (1 + step));
      }
    });
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([item]) => item);
  }
}

/** The last entries of a group. */
function newest(entries: Int32Array, offsets: Int32Array, group: number): Int32Array {
  const end = at(offsets, group + 1);
  return entries.subarray(Math.max(at(offsets, group), end - MEETINGS), end);
}
