/** What is popular now: training events of a run and live ones. Knows counts; does not know who acted. */
import { at } from '../base/index.js';
import type { LiveCatalogue } from './live-catalogue.js';

/** Changes that are remembered one by one, at most; who has not asked for so long counts anew. */
const MOST_CHANGES = 100_000;

/** A moment in the life of counts. */
export interface CountsMoment {
  readonly era: number;
  readonly changes: number;
}

/** Live actions by item id. */
export class LiveCounts {
  readonly #counts = new Map<string, number>();
  /** Items in the order in which their counts changed, in this era. */
  #changes: string[] = [];
  #era = 0;

  add(item: string, count: number): void {
    this.set(item, this.of(item) + count);
  }

  set(item: string, count: number): void {
    this.#counts.set(item, count);
    if (this.#changes.length === MOST_CHANGES) this.beginEra();
    this.#changes.push(item);
  }

  clear(): void {
    this.#counts.clear();
    this.beginEra();
  }

  /** What they are added to has changed as well: all is counted anew. */
  beginEra(): void {
    this.#era++;
    this.#changes = [];
  }

  of(item: string): number {
    return this.#counts.get(item) ?? 0;
  }

  get now(): CountsMoment {
    return { era: this.#era, changes: this.#changes.length };
  }

  /** Items whose counts changed after a moment, some of them again and again; null where nobody knows which. */
  changedSince({ era, changes }: CountsMoment): readonly string[] | null {
    return era === this.#era ? this.#changes.slice(changes) : null;
  }

  items(): Iterable<string> {
    return this.#counts.keys();
  }
}

/** How long counts may be old: they change with every event, and a list of what is popular need not. */
const FRESH_MILLISECONDS = 1000;

/** Counts of a catalogue by index, brought up to date from time to time: the cost is that of what changed, however many items there are counts of. */
export class Popularity {
  readonly #live: LiveCounts;
  readonly #items: Pick<LiveCatalogue, 'index' | 'size'>;
  readonly #training: Float32Array;
  #counts = new Float32Array(0);
  #moment: CountsMoment = { era: -1, changes: 0 };
  #worked = -Infinity;

  readonly #fresh: number;

  /**
   * @param training by item of the run; who changes it begins an era of the live counts
   * @param fresh milliseconds that counts may be old
   */
  constructor(
    live: LiveCounts,
    items: Pick<LiveCatalogue, 'index' | 'size'>,
    training: Float32Array,
    fresh = FRESH_MILLISECONDS,
  ) {
    this.#live = live;
    this.#items = items;
    this.#training = training;
    this.#fresh = fresh;
  }

  /** Others when anything has changed, which these do not show. */
  counts(): Float32Array {
    const { era, changes } = this.#live.now;
    const isSame = era === this.#moment.era && changes === this.#moment.changes;
    const hasGrown = this.#counts.length !== this.#items.size;
    if (hasGrown || (!isSame && performance.now() - this.#worked > this.#fresh)) {
      const changed = hasGrown ? null : this.#live.changedSince(this.#moment);
      const counts = changed ? this.#counts.slice() : new Float32Array(this.#items.size);
      if (!changed) counts.set(this.#training);
      for (const item of changed ?? this.#live.items()) {
        const index = this.#items.index(item);
        counts[index] = (index < this.#training.length ? at(this.#training, index) : 0) + this.#live.of(item);
      }
      this.#counts = counts;
      this.#moment = { era, changes };
      this.#worked = performance.now();
    }
    return this.#counts;
  }
}
