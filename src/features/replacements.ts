/**
 * Training histories in which some items and queries are replaced by others, so that a model learns not to lean on any one
 * of them (He et al., "Query-Aware Sequential Recommendation", CIKM 2022). Knows where a batch keeps its histories; does not
 * know the model.
 */
import { type Random, assert, at } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';
import { ClickGraph } from './click-graph.js';

export interface ReplacementRates {
  /** How likely an item is replaced, p_i. */
  readonly items: number;
  /** How likely a query is replaced, p_q. */
  readonly queries: number;
  /** How likely the replacement comes from the click graph, if it has one, and not from the whole vocabulary, p_g. */
  readonly graph: number;
}

/**
 * Replaces items of the feed, items clicked in searches, and queries, each by itself, in the histories of training batches.
 * The masks, the candidates, and what queries and items are aligned with stay as they are; batches that are only scored stay so
 * too. From the click graph comes an item clicked under the same query, or a query that led to the same item.
 */
export class Replacements implements BatchExtra {
  readonly #dataset: Dataset;
  readonly #rates: ReplacementRates;
  #graph: ClickGraph | null = null;

  constructor(dataset: Dataset, rates: ReplacementRates) {
    this.#dataset = dataset;
    this.#rates = rates;
  }

  add({ rows, training, inputs, items, queries }: Assembly): void {
    if (!training) return;
    const { randomOf } = training;
    assert(randomOf, 'replacements are drawn');
    this.#graph ??= new ClickGraph(this.#dataset); // those who only score need none
    const lanes = [
      { history: rows.feed, slots: inputs['feed'] as Int32Array, replace: this.#item, of: items },
      { history: rows.clicks, slots: inputs['clicks'] as Int32Array, replace: this.#item, of: items },
      { history: rows.search, slots: inputs['search'] as Int32Array, replace: this.#query, of: queries },
    ];
    for (let row = 0; row < rows.count; row++) {
      const random = randomOf('replacements', row);
      for (const { history, slots, replace, of } of lanes) {
        const length = history.length / rows.count;
        for (let position = row * length; position < (row + 1) * length; position++) {
          const index = at(history, position);
          const other = index === 0 ? null : replace(index, random);
          if (other !== null) slots[position] = of.slot(other);
        }
      }
    }
  }

  /** What takes the place of an item; null when it stays. */
  readonly #item = (item: number, random: Random): number | null => {
    if (random.float() >= this.#rates.items) return null;
    const like = random.float() < this.#rates.graph ? this.#graph?.itemLike(item, random) : null;
    return like ?? anyOf(this.#dataset.trainedItems, random);
  };

  /** What takes the place of a query; null when it stays. */
  readonly #query = (query: number, random: Random): number | null => {
    if (random.float() >= this.#rates.queries) return null;
    const like = random.float() < this.#rates.graph ? this.#graph?.queryLike(query, random) : null;
    return like ?? anyOf(this.#dataset.queries.ids.length, random);
  };
}

/** A real thing of a vocabulary, all alike. */
const anyOf = (size: number, random: Random): number =>
  size > FIRST_INDEX ? FIRST_INDEX + random.integer(size - FIRST_INDEX) : FIRST_INDEX - 1;
