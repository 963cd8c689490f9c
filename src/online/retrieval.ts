/**
 * Candidates from a catalogue that is too large to be ranked in full, with the ranker's own scores. Knows several sources, each by its
 * name; does not know how a score comes about, nor what may stand in a list.
 *
 * - `co-occurrence`: what others met around the newest items of the history, and what was clicked after its newest queries;
 * - `new`: what came since the run, where the model can tell such items apart;
 * - `popular`;
 * - `vectors`: what a linear function of vectors of the items likes best that was fitted to the user's scores (item-space.ts,
 *   candidate-finder.ts).
 *
 * Lists have one length always: each length is a program.
 */
import { Largest, at, grouped, offsetsOf } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import { recentSearches } from '../features/index.js';
import { CandidateSearch } from '../model/index.js';
import { type FinderParts, type FinderQuestion, type FoundCandidates, open } from './candidate-finder.js';
import { bestSpace } from './item-space.js';
import type { ItemSource } from './questions.js';
import type { KnownUser, ServedModel } from './served-model.js';
import { vectorCells } from './vector-cells.js';

/** Items with the ranker's own scores. */
export interface Candidates extends FoundCandidates {
  /** The source that named an item first. */
  readonly sourceOf: (item: number) => ItemSource;
}

export interface Retrieval {
  candidates(known: KnownUser, popularity: Float32Array): Promise<Candidates>;
}

/** Items of a history, and queries, that co-occurrence looks at: the newest. */
const RECENT = 10;
/** Meetings of each of them that are looked at, and how far around each. */
const [MEETINGS, AROUND] = [100, 3];
/** At most these shares of the list, and at most so many of one source. */
const SHARES = { 'co-occurrence': 0.2, new: 0.05, popular: 0.05 } as const;
const MOST_NAMED = 200;
/** Popular items that everybody's scores are fitted on: so many, and at most this share of all candidates. */
const [SAMPLE, SAMPLE_SHARE] = [384, 0.2];
/** The share of all candidates that are scored when the first fit is known, those named by other sources among them. */
const FIRST_ROUND = 0.3;

const FINDER = new URL('candidate-finder.js', import.meta.url);

export class Retrieving implements Retrieval {
  readonly #model: ServedModel;
  readonly #count: number;
  readonly #meetings: Meetings;
  readonly #sample: ReadonlySet<number>;
  readonly #search: CandidateSearch<FinderQuestion, FoundCandidates>;
  #popular: { readonly counts: Float32Array; readonly items: readonly number[] } | null = null;

  private constructor(
    model: ServedModel,
    parts: { count: number; sample: Int32Array; search: CandidateSearch<FinderQuestion, FoundCandidates> },
  ) {
    this.#model = model;
    this.#count = parts.count;
    this.#sample = new Set(parts.sample);
    this.#search = parts.search;
    this.#meetings = new Meetings(model);
  }

  /** Makes what it looks things up in. `wanted`: candidates of a list. */
  static async of(model: ServedModel, wanted: number): Promise<Retrieving> {
    const count = Math.min(wanted, model.items.firstNew - FIRST_INDEX);
    const sample = Int32Array.from(
      mostOf(model.trainingCounts, Math.min(SAMPLE, Math.ceil(SAMPLE_SHARE * count))),
    ).sort();
    const first = Math.min(count - sample.length, Math.ceil(FIRST_ROUND * count));
    const rounds = [first, count - sample.length - first] as const;
    const { parts } = await bestSpace(model, async ({ vectors, width }) => {
      const own: FinderParts = { cells: await vectorCells(vectors, width), sample, rounds };
      const finder = open(own);
      return { parts: own, find: async (score) => finder({ named: new Int32Array(0) }, score) };
    });
    model.letGo();
    return new Retrieving(model, {
      count,
      sample,
      search: new CandidateSearch(FINDER, parts, [sample.length, ...rounds]),
    });
  }

  async candidates(known: KnownUser, popularity: Float32Array): Promise<Candidates> {
    const sources = new Map<number, ItemSource>();
    const named: number[] = [];
    const add = (items: Iterable<number>, source: keyof typeof SHARES): void => {
      let left = this.#mostNamedBy(source);
      for (const item of items) {
        if (left === 0) return;
        if (sources.has(item)) continue;
        sources.set(item, source);
        left--;
        if (!this.#sample.has(item)) named.push(item);
      }
    };
    add(this.#meetings.around(known), 'co-occurrence');
    if (this.#model.seesAttributes) add(this.#model.items.newestFirst(this.#mostNamed), 'new');
    add(this.#mostPopular(popularity), 'popular');
    const found = await known.search(this.#search, { named: Int32Array.from(named) });
    return { ...found, sourceOf: (item) => sources.get(item) ?? 'vectors' };
  }

  /** By all sources. */
  get #mostNamed(): number {
    const sources = Object.keys(SHARES) as (keyof typeof SHARES)[];
    return sources.reduce((sum, source) => sum + this.#mostNamedBy(source), 0);
  }

  #mostNamedBy(source: keyof typeof SHARES): number {
    return Math.min(MOST_NAMED, Math.floor(SHARES[source] * this.#count));
  }

  /** As many as may be named, whatever others name before; worked out once for the counts of a moment. */
  #mostPopular(counts: Float32Array): readonly number[] {
    if (this.#popular?.counts !== counts)
      this.#popular = { counts, items: mostOf(counts.subarray(0, this.#model.items.firstNew), this.#mostNamed) };
    return this.#popular.items;
  }
}

/** The items with the largest counts, largest first. */
function mostOf(counts: Float32Array, size: number): number[] {
  const largest = new Largest(size);
  largest.offer(counts, 0, (item) => item >= FIRST_INDEX);
  return largest.sorted().map(({ index }) => index);
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
