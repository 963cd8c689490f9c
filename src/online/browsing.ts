/**
 * The catalogue of one model, to be looked through: items and queries by text, what they lie near, what led where. Knows a run, its
 * vectors and what was served; does not know people's histories.
 *
 * Queries are those that the run knows. What takes long is worked out once, when it is first asked for.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Largest, at, inTime } from '../base/index.js';
import { FIRST_INDEX, UNKNOWN, normaliseQuery } from '../data/index.js';
import { type AlignedVectors } from '../model/index.js';
import type {
  FoundItem,
  FoundQuery,
  ItemAnswer,
  ItemsAnswer,
  Listing,
  Near,
  QueriesAnswer,
  QueryAnswer,
} from './inspection.js';
import { amongItems, amongQueries, nearest } from './near.js';
import type { Popularity } from './popularity.js';
import type { ServedModel } from './served-model.js';
import { itemsNear } from './similar.js';
import type { LiveStore } from './store/store.js';
import { TextIndex, comparable } from './text-index.js';

/** Neighbours, queries and lists of one answer. */
const TOLD = 12;
/** So many of the lists served last are looked at. */
const LISTS = 2000;
/** Clicks that are looked at before others have their turn. */
const STRETCH = 1_000_000;
/** An answer waits so long for vectors; then it says that they are being worked out. */
const PATIENCE_MILLISECONDS = 1500;
/** More queries and items than that are not drawn into one space: it would take gigabytes. */
const MOST_ALIGNED = 4_000_000;

export class Browsing {
  readonly #model: ServedModel;
  readonly #popularity: Popularity;
  readonly #store: LiveStore;
  readonly #ending: AbortSignal;
  #items: Promise<TextIndex> | null = null;
  #queries: Promise<TextIndex> | null = null;
  #aligned: Promise<AlignedVectors | null> | null = null;
  /** How often each query of the run was searched for, when so many users had been erased. */
  #queryCounts: { readonly counts: Float32Array; readonly erased: number } | null = null;

  /** @param ending aborted when nobody will ask any more */
  constructor(model: ServedModel, popularity: Popularity, store: LiveStore, ending: AbortSignal) {
    this.#model = model;
    this.#popularity = popularity;
    this.#store = store;
    this.#ending = ending;
  }

  async items({ search = '', limit, offset }: Listing, signal?: AbortSignal): Promise<ItemsAnswer> {
    const { items } = this.#model;
    const textOf = (item: number): string => {
      const [id, title] = [items.id(item), items.title(item)];
      return title === id ? id : `${id} ${title}`;
    };
    const wanted = search.trim();
    let [found, exact] = [null as Int32Array | null, UNKNOWN];
    if (wanted !== '') {
      this.#items ??= TextIndex.of(FIRST_INDEX, this.#model.run.dataset.items.ids.length, textOf);
      const part = comparable(wanted);
      const holds = (item: number): boolean => comparable(textOf(item)).includes(part);
      // titles may have changed since, and items may have come
      const revised = new Set(items.revised());
      const known = await (await this.#items).find(wanted, signal);
      const live = [...revised].filter(holds);
      const still = revised.size === 0 ? known : known.filter((item) => !revised.has(item));
      found = live.length === 0 ? Int32Array.from(still) : Int32Array.from([...still, ...live]).sort();
      exact = items.index(wanted);
    }
    const counts = this.#popularity.counts(); // once: they may be others a moment later, and no longer in this order
    const { total, best } = mostFrequent(counts, found, exact, offset + limit);
    return { total, items: best.slice(offset).map((item) => this.#item(item, counts)) };
  }

  #item(item: number, counts: Float32Array): FoundItem {
    const { items } = this.#model;
    return { item: items.id(item), title: items.title(item), count: at(counts, item) };
  }

  async queries({ search = '', limit, offset }: Listing, signal?: AbortSignal): Promise<QueriesAnswer> {
    const { queries } = this.#model.run.dataset;
    const wanted = search.trim();
    let [found, exact] = [null as Int32Array | null, UNKNOWN];
    if (wanted !== '') {
      this.#queries ??= TextIndex.of(FIRST_INDEX, queries.ids.length, (query) => queries.ids[query] ?? '');
      found = Int32Array.from(await (await this.#queries).find(normaliseQuery(wanted) || wanted, signal));
      exact = queries.index(normaliseQuery(wanted));
    }
    const { total, best } = mostFrequent(this.#countsOfQueries(), found, exact, offset + limit);
    return { total, queries: best.slice(offset).map((query) => this.#query(query)) };
  }

  #query(query: number): FoundQuery {
    return { query: this.#model.run.dataset.queries.ids[query] ?? '', count: at(this.#countsOfQueries(), query) };
  }

  /** Where the searches lie in the data of the run, in as few stretches as leave out those of people who were erased. */
  *#stretches(): Generator<readonly [start: number, end: number]> {
    const { erased, run } = this.#model;
    const { searchOffsets, searchQuery } = run.dataset;
    let start = 0;
    for (const user of [...erased].sort((one, other) => one - other)) {
      yield [start, at(searchOffsets, user)];
      start = at(searchOffsets, user + 1);
    }
    yield [start, searchQuery.length];
  }

  #countsOfQueries(): Float32Array {
    const { erased, run } = this.#model;
    if (this.#queryCounts?.erased !== erased.size) {
      const { queries, searchQuery } = run.dataset;
      const counts = new Float32Array(queries.ids.length);
      for (const [start, end] of this.#stretches())
        for (const query of searchQuery.subarray(start, end)) counts[query] = at(counts, query) + 1;
      this.#queryCounts = { counts, erased: erased.size };
    }
    return this.#queryCounts.counts;
  }

  async item(id: string, signal?: AbortSignal): Promise<ItemAnswer | null> {
    const { items, name, run } = this.#model;
    const item = items.index(id);
    if (item === UNKNOWN) return null;
    const near = await this.#nearItem(item, signal);
    const { served, among } = await this.#servedWith(id, signal);
    const counts = this.#popularity.counts();
    const clicks = await this.#clicks((_, clicked) => clicked === item, signal);
    return {
      item: id,
      title: items.title(item),
      model: name,
      attributes: items.attributes(item).map(([attribute, values]) => ({ name: attribute, values: [...values] })),
      count: at(counts, item),
      popularity: rankOf(counts, item),
      items: items.size - FIRST_INDEX,
      is_new: item >= items.firstNew,
      near,
      led_by: tally(clicks.map(({ query }) => query)).map(([query, count]) => ({
        query: run.dataset.queries.ids[query] ?? '',
        clicks: count,
      })),
      served,
      served_among: among,
    };
  }

  async query(text: string, signal?: AbortSignal): Promise<QueryAnswer | null> {
    const { items, name, run } = this.#model;
    const { queries } = run.dataset;
    const query = queries.index(normaliseQuery(text));
    if (query < FIRST_INDEX) return null;
    const near = await this.#nearQuery(query, signal);
    const counts = this.#countsOfQueries();
    const clicks = await this.#clicks((other) => other === query, signal);
    return {
      query: queries.ids[query] ?? '',
      model: name,
      count: at(counts, query),
      popularity: rankOf(counts, query),
      queries: queries.ids.length - FIRST_INDEX,
      near,
      led_to: tally(clicks.map(({ item }) => item)).map(([item, count]) => ({
        item: items.id(item),
        title: items.title(item),
        clicks: count,
      })),
    };
  }

  /** Clicks on search results in the data of the run that are wanted, without those on what is unknown. */
  async #clicks(
    isWanted: (query: number, item: number) => boolean,
    signal?: AbortSignal,
  ): Promise<{ readonly query: number; readonly item: number }[]> {
    const { searchQuery, clickOffsets, clickItem } = this.#model.run.dataset;
    const found: { query: number; item: number }[] = [];
    let left = STRETCH;
    for (const [start, end] of this.#stretches())
      for (let search = start; search < end; search++) {
        const query = at(searchQuery, search);
        for (let click = at(clickOffsets, search); click < at(clickOffsets, search + 1); click++) {
          const item = at(clickItem, click);
          if (isWanted(query, item) && query >= FIRST_INDEX && item >= FIRST_INDEX) found.push({ query, item });
        }
        if (--left === 0) {
          left = STRETCH;
          await breathe();
          signal?.throwIfAborted();
        }
      }
    return found;
  }

  async #servedWith(item: string, signal?: AbortSignal): Promise<{ served: ItemAnswer['served']; among: number }> {
    const served: ItemAnswer['served'] = [];
    let among = 0;
    for await (const list of this.#store.newestServed()) {
      if (among === LISTS) break;
      among++;
      const place = list.items.indexOf(item);
      if (place >= 0 && served.length < TOLD)
        served.push({
          user: list.user,
          rank: place + 1,
          time: new Date(list.time).toISOString(),
          source: list.source,
          version: list.version,
        });
      if (among % 100 === 0) {
        await breathe();
        signal?.throwIfAborted();
      }
    }
    return { served, among };
  }

  async #nearItem(item: number, signal?: AbortSignal): Promise<Near> {
    const { items } = this.#model;
    const aligned = item < items.firstNew ? await this.#alignedSoon() : null;
    if (aligned === 'working') return WORKING;
    if (aligned) {
      const own = aligned.items.slice(item * aligned.width, (item + 1) * aligned.width);
      return this.#inAligned(aligned, own, amongQueries(aligned, own), { item }, signal);
    }
    if (item >= items.firstNew && !this.#model.seesAttributes) return NONE;
    const best = await itemsNear(this.#model, item, TOLD, signal);
    const counts = this.#popularity.counts();
    return {
      state: 'ready',
      space: 'ranking',
      items: best.map(({ index, value }) => ({ ...this.#item(index, counts), nearness: value })),
      queries: [],
    };
  }

  async #nearQuery(query: number, signal?: AbortSignal): Promise<Near> {
    const aligned = await this.#alignedSoon();
    if (aligned === 'working') return WORKING;
    if (!aligned) return NONE;
    const own = aligned.queries.slice(query * aligned.width, (query + 1) * aligned.width);
    return this.#inAligned(aligned, amongItems(aligned, own), own, { query }, signal);
  }

  /** Items near one vector and queries near another, without what they are of. */
  async #inAligned(
    { width, items, queries }: AlignedVectors,
    amongItems: Float32Array,
    amongQueries: Float32Array,
    own: { readonly item?: number; readonly query?: number },
    signal?: AbortSignal,
  ): Promise<Near> {
    const common = { width, count: TOLD };
    const nearItems = await nearest(
      amongItems,
      items,
      { ...common, end: items.length / width, allows: (item) => item !== own.item },
      signal,
    );
    const nearQueries = await nearest(
      amongQueries,
      queries,
      { ...common, end: queries.length / width, allows: (query) => query !== own.query },
      signal,
    );
    const counts = this.#popularity.counts();
    return {
      state: 'ready',
      space: 'aligned',
      items: nearItems.map(({ index, value }) => ({ ...this.#item(index, counts), nearness: value })),
      queries: nearQueries.map(({ index, value }) => ({ ...this.#query(index), nearness: value })),
    };
  }

  /** Null where the model has none. */
  async #alignedSoon(): Promise<AlignedVectors | 'working' | null> {
    const { items, queries } = this.#model.run.dataset;
    if (items.ids.length + queries.ids.length > MOST_ALIGNED) return null;
    if (!this.#aligned) {
      const working = this.#model.use(async () => this.#model.aligned(this.#ending));
      working.catch(() => (this.#aligned = null)); // told now, tried again later
      this.#aligned = working;
    }
    const soon = await inTime(this.#aligned, PATIENCE_MILLISECONDS);
    return soon === undefined ? 'working' : soon;
  }
}

const WORKING: Near = { state: 'working', space: null, items: [], queries: [] };
const NONE: Near = { state: 'none', space: null, items: [], queries: [] };

/** The most frequent of some numbers, all where null, `exact` before the others if it is among them. */
function mostFrequent(
  counts: Float32Array,
  found: Int32Array | null,
  exact: number,
  count: number,
): { readonly total: number; readonly best: number[] } {
  const total = found ? found.length : counts.length - FIRST_INDEX;
  const largest = new Largest(count);
  const own = exact >= FIRST_INDEX && exact < counts.length && (!found || found.includes(exact)) ? exact : UNKNOWN;
  if (found)
    largest.offer(
      Float32Array.from(found, (index) => at(counts, index)),
      0,
      (place) => found[place] !== own,
    );
  else largest.offer(counts.subarray(FIRST_INDEX), FIRST_INDEX, (index) => index !== own);
  const best = largest.sorted().map(({ index }) => (found ? at(found, index) : index));
  return { total, best: (own === UNKNOWN ? best : [own, ...best]).slice(0, count) };
}

/** 1 for what is counted most. */
function rankOf(counts: Float32Array, own: number): number {
  const value = at(counts, own);
  let rank = 1;
  for (let index = FIRST_INDEX; index < counts.length; index++) if (at(counts, index) > value) rank++;
  return rank;
}

/** What comes most often, with how often. */
function tally(numbers: readonly number[]): [number, number][] {
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, TOLD);
}
