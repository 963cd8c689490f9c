/**
 * Queries and items, joined by the clicks of the training: which items a query led to and which queries led to an item. Knows
 * counts; does not know what a model makes of them.
 */
import { type Random, at, grouped, offsetsOf } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { trainingPairs } from './search-pairs.js';

/** For each index of one side, the indices of the other side that it was joined to, one entry per click. */
interface Neighbours {
  readonly offsets: Int32Array;
  readonly indices: Int32Array;
}

export class ClickGraph {
  readonly #itemsOfQueries: Neighbours;
  readonly #queriesOfItems: Neighbours;

  constructor(dataset: Dataset) {
    const { queries, items } = trainingPairs(dataset);
    this.#itemsOfQueries = joined(queries, items, dataset.queries.ids.length);
    this.#queriesOfItems = joined(items, queries, dataset.items.ids.length);
  }

  /** The items clicked in the results of a query, as often as they were. */
  itemsOf(query: number): Int32Array {
    return neighboursOf(this.#itemsOfQueries, query);
  }

  /** The queries that led to a click on an item, as often as they did. */
  queriesOf(item: number): Int32Array {
    return neighboursOf(this.#queriesOfItems, item);
  }

  /** An item that was clicked under the same query, two clicks away; the item itself may be drawn too. Null where it was never clicked. */
  itemLike(item: number, random: Random): number | null {
    const queries = this.queriesOf(item);
    return queries.length === 0 ? null : drawn(this.itemsOf(drawn(queries, random)), random);
  }

  /** A query that led to the same item, two clicks away; the query itself may be drawn too. Null where it led to none. */
  queryLike(query: number, random: Random): number | null {
    const items = this.itemsOf(query);
    return items.length === 0 ? null : drawn(this.queriesOf(drawn(items, random)), random);
  }
}

const drawn = (from: Int32Array, random: Random): number => at(from, random.integer(from.length));

const neighboursOf = ({ offsets, indices }: Neighbours, index: number): Int32Array =>
  indices.subarray(at(offsets, index), at(offsets, index + 1));

/** Pairs by their first side. */
function joined(from: Int32Array, to: Int32Array, size: number): Neighbours {
  const offsets = offsetsOf(from, size);
  return { offsets, indices: grouped(from, offsets).map((pair) => at(to, pair)) };
}
