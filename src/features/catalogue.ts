/** What batches know of items, users, queries and words, whoever did what: columns by index. Knows data sets; does not know batches. */
import { type Dataset, UNKNOWN } from '../data/index.js';

/** What is known about items, users and queries, by index. */
export interface Catalogue {
  readonly items: number;
  readonly queries: number;
  readonly words: number;
  /** Items from this index on are new to a model, see `Dataset.trainedItems`: their embedding row is that of the unknown item. */
  readonly trainedItems: number;
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

/** The embedding row of an item: the item itself, and unknown for one that is new. */
export const rowOfItem = ({ trainedItems }: Catalogue, item: number): number => (item < trainedItems ? item : UNKNOWN);

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
    trainedItems: dataset.trainedItems,
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
