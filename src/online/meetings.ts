/**
 * Who met what, and after which query: looked up, never summed up beforehand. Knows the run's log; does not know what a list needs.
 */
import { at, firstWhere, grouped, nthLargest, offsetsOf } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import { recentSearches } from '../features/index.js';
import type { LiveHistory } from './live-history.js';

/** Items of a history, and queries, that are looked up: the newest. */
const RECENT = 10;
/** Meetings of each of them that are looked at, and how far around each. */
const [MEETINGS, AROUND] = [100, 3];

export class Meetings {
  readonly #dataset: Dataset;
  readonly #erased: ReadonlySet<number>;
  readonly #offsets: Int32Array;
  /** Feed positions, grouped by item. */
  readonly #positions: Int32Array;
  readonly #userOf: Int32Array;
  readonly #queryOffsets: Int32Array;
  /** Searches, grouped by query. */
  readonly #searches: Int32Array;
  readonly #tally: Tally;

  /** @param erased users whose log counts no longer; asked each time */
  constructor(dataset: Dataset, erased: ReadonlySet<number>) {
    this.#dataset = dataset;
    this.#erased = erased;
    this.#offsets = offsetsOf(dataset.feedItem, dataset.items.ids.length);
    this.#positions = grouped(dataset.feedItem, this.#offsets);
    this.#userOf = new Int32Array(dataset.feedItem.length);
    for (let user = 0; user + 1 < dataset.feedOffsets.length; user++)
      this.#userOf.fill(user, at(dataset.feedOffsets, user), at(dataset.feedOffsets, user + 1));
    this.#queryOffsets = offsetsOf(dataset.searchQuery, dataset.queries.ids.length);
    this.#searches = grouped(dataset.searchQuery, this.#queryOffsets);
    this.#tally = new Tally(dataset.items.ids.length);
  }

  /** The `most` items that stand most often around what somebody did last, those first. */
  around({ dataset, moment, recentItems }: LiveHistory, most: number): Int32Array {
    const newestItems = recentItems.slice(0, RECENT);
    for (let step = 0; step < newestItems.length; step++) this.#countAround(at(newestItems, step), 1 / (1 + step));
    const searches = recentSearches(dataset, moment, RECENT).toReversed();
    for (let step = 0; step < searches.length; step++)
      this.#countClicked(at(dataset.searchQuery, at(searches, step)), 1 / (1 + step));
    return this.#tally.take(most);
  }

  /** What stands in the feed near an item, for those who met it last. */
  #countAround(item: number, weight: number): void {
    if (item + 1 >= this.#offsets.length) return;
    const end = at(this.#offsets, item + 1);
    for (let meeting = Math.max(at(this.#offsets, item), end - MEETINGS); meeting < end; meeting++) {
      const position = at(this.#positions, meeting);
      const user = at(this.#userOf, position);
      if (this.#erased.has(user)) continue;
      for (let other = position - AROUND; other <= position + AROUND; other++)
        if (other !== position && this.#userOf[other] === user)
          this.#tally.add(at(this.#dataset.feedItem, other), weight);
    }
  }

  /** What was clicked after a query, the last times. */
  #countClicked(query: number, weight: number): void {
    if (query < FIRST_INDEX || query + 1 >= this.#queryOffsets.length) return;
    const { clickOffsets, clickItem } = this.#dataset;
    const end = at(this.#queryOffsets, query + 1);
    for (let asked = Math.max(at(this.#queryOffsets, query), end - MEETINGS); asked < end; asked++) {
      const search = at(this.#searches, asked);
      if (this.#erased.size > 0 && this.#erased.has(this.#searcher(search))) continue;
      for (let click = at(clickOffsets, search); click < at(clickOffsets, search + 1); click++)
        this.#tally.add(at(clickItem, click), weight);
    }
  }

  /** Whose search it is. */
  #searcher(search: number): number {
    const { searchOffsets } = this.#dataset;
    return firstWhere(0, searchOffsets.length, (user) => at(searchOffsets, user) > search) - 1;
  }
}

/** Weights of items, summed up in room that is there for all questions: what a map would leave behind, somebody would have to collect. */
class Tally {
  /** By item; nothing but zeros between two questions. */
  readonly #weights: Float64Array;
  readonly #named: Int32Array;
  #count = 0;

  constructor(items: number) {
    this.#weights = new Float64Array(items);
    this.#named = new Int32Array(items);
  }

  /** @param weight above 0 */
  add(item: number, weight: number): void {
    if (item < FIRST_INDEX) return;
    const before = at(this.#weights, item);
    if (before === 0) this.#named[this.#count++] = item;
    this.#weights[item] = before + weight;
  }

  /** The heaviest, heaviest first, equal ones by smaller index; everything is forgotten. */
  take(most: number): Int32Array {
    const weights = this.#weights;
    const named = this.#named.subarray(0, this.#count);
    const first = named.filter(this.#isAmong(most)).sort((a, b) => at(weights, b) - at(weights, a) || a - b);
    for (let i = 0; i < this.#count; i++) weights[at(named, i)] = 0;
    this.#count = 0;
    return first.subarray(0, most);
  }

  /** Whether an item may be among the heaviest. */
  #isAmong(most: number): (item: number) => boolean {
    if (this.#count <= most) return () => true;
    const weights = new Float64Array(this.#count);
    for (let i = 0; i < this.#count; i++) weights[i] = at(this.#weights, at(this.#named, i));
    const least = nthLargest(weights, most);
    return (item) => at(this.#weights, item) >= least;
  }
}
