/**
 * What people searched for when they found an item: for each item, the queries that most often led to a click on it in
 * training. Knows counts; does not know what a model makes of them.
 */
import { at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';
import { maskOf } from './slots.js';
import { trainingPairs } from './search-pairs.js';

/**
 * The `most` most frequent queries of each item, the most frequent first, of equally frequent ones that of the smaller
 * index: (items, most), 0 where an item has fewer. The same for everybody and every moment.
 */
export function frequentQueries(dataset: Dataset, most: number): Int32Array {
  const queryCount = dataset.queries.ids.length;
  const { items, queries } = trainingPairs(dataset);
  // by item, then query: equal pairs lie side by side
  const keys = Float64Array.from(items, (item, pair) => item * queryCount + at(queries, pair)).sort();
  const kept = new Int32Array(dataset.items.ids.length * most);
  const counts = new Int32Array(kept.length);
  for (let start = 0, end = 0; start < keys.length; start = end) {
    const key = at(keys, start);
    while (end < keys.length && keys[end] === key) end++;
    const item = Math.floor(key / queryCount);
    insert(kept, counts, [item * most, (item + 1) * most], key % queryCount, end - start);
  }
  return kept;
}

/** Puts a query where its count belongs among places that are sorted by descending count; what falls off the end is gone. */
function insert(
  queries: Int32Array,
  counts: Int32Array,
  [first, end]: readonly [number, number],
  query: number,
  count: number,
): void {
  let place = end;
  while (place > first && at(counts, place - 1) < count) place--;
  if (place === end) return;
  queries.copyWithin(place + 1, place, end - 1);
  counts.copyWithin(place + 1, place, end - 1);
  queries[place] = query;
  counts[place] = count;
}

/**
 * Brings every item of a batch its most frequent queries, whether the batch trains or scores.
 *
 *   itemQueries      (I,N) query slots
 *   itemQueryMask    (I,N) 1 where there is one
 */
export class ItemQueries implements BatchExtra {
  readonly #most: number;
  readonly #queriesOf: Int32Array;

  constructor(dataset: Dataset, most: number) {
    this.#most = most;
    this.#queriesOf = frequentQueries(dataset, most);
  }

  complete({ inputs, items, queries, capacity }: Assembly): void {
    const most = this.#most;
    // the room that the batch itself gives its items
    const slots = new Int32Array(capacity('items', items.indices.length) * most);
    items.indices.forEach((item, slot) => {
      for (let place = 0; place < most; place++) {
        const query = this.#queriesOf[item * most + place];
        if (!query) break; // items that have come since have none
        slots[slot * most + place] = queries.slot(query);
      }
    });
    inputs['itemQueries'] = slots;
    inputs['itemQueryMask'] = maskOf(slots);
  }
}
