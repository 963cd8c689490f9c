/** What is popular now: training events of a run and live ones. Knows counts; does not know who acted. */
import { at } from '../base/index.js';
import type { LiveCatalogue } from './live-catalogue.js';

/** Live actions by item id. */
export class LiveCounts {
  readonly #counts = new Map<string, number>();
  #version = 0;

  add(item: string, count: number): void {
    this.#counts.set(item, (this.#counts.get(item) ?? 0) + count);
    this.#version++;
  }

  set(item: string, count: number): void {
    this.#counts.set(item, count);
    this.#version++;
  }

  clear(): void {
    this.#counts.clear();
    this.#version++;
  }

  get version(): number {
    return this.#version;
  }

  entries(): Iterable<readonly [string, number]> {
    return this.#counts;
  }
}

/** How long counts may be old: they change with every event, and a list of what is popular need not. */
const FRESH_MILLISECONDS = 1000;

/** Counts of a catalogue by index, brought up to date from time to time. */
export class Popularity {
  readonly #live: LiveCounts;
  readonly #items: LiveCatalogue;
  readonly #training: Float32Array;
  #counts = new Float32Array(0);
  #version = -1;
  #worked = 0;

  constructor(live: LiveCounts, items: LiveCatalogue, training: Float32Array) {
    this.#live = live;
    this.#items = items;
    this.#training = training;
  }

  /** A view: read it before anything else happens. */
  counts(): Float32Array {
    const isStale = this.#version !== this.#live.version && performance.now() - this.#worked > FRESH_MILLISECONDS;
    if (isStale || this.#counts.length !== this.#items.size) {
      const counts = new Float32Array(this.#items.size);
      counts.set(this.#training);
      for (const [item, count] of this.#live.entries()) {
        const index = this.#items.index(item);
        counts[index] = at(counts, index) + count;
      }
      this.#counts = counts;
      this.#version = this.#live.version;
      this.#worked = performance.now();
    }
    return this.#counts;
  }
}
