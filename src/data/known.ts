/**
 * A data set that has grown, as a model sees it that was trained on the data set before: what is new is unknown. Knows that
 * vocabularies only grow; does not know models.
 */
import { UserError, at } from '../base/index.js';
import { UNKNOWN, type AttributeColumn, type Dataset, type Vocabulary } from './schema.js';
import { unseenQueries } from './unseen-queries.js';

/**
 * The events of `grown` in the vocabularies of `known`: items, queries, words, sources and attribute values that these lack are
 * unknown (of a query those words are left that they have), and users that they lack have their history and are the unknown
 * user. The vocabularies of `grown` must begin with those of `known`, as they do when it was imported with `append`; otherwise it
 * is a `UserError`.
 */
export function asKnownBy(grown: Dataset, known: Dataset): Dataset {
  const trained: { readonly [name: string]: number } = { items: known.trainedItems, users: known.trainedUsers };
  for (const name of ['items', 'users', 'queries', 'words', 'sources'] as const) {
    if (!beginsWith(grown[name], known[name], trained[name] ?? known[name].ids.length))
      throw new UserError(
        `the data has other ${name} than the model was trained with: make it with sesrec import --append`,
      );
  }
  const clamped = (column: Int32Array, { ids }: Vocabulary): Int32Array =>
    column.map((index) => (index < ids.length ? index : UNKNOWN));
  // behind the items that training knew stand new ones, and these may have been trained since
  const itemAs = (from: Dataset, to: Dataset): Int32Array =>
    Int32Array.from(from.items.ids, (id, item) => (item < known.trainedItems ? item : to.items.index(id)));
  const knownItem = itemAs(grown, known);
  return {
    ...grown,
    items: known.items,
    queries: known.queries,
    words: known.words,
    sources: known.sources,
    wordOffsets: known.wordOffsets,
    queryWords: known.queryWords,
    itemAttributes: attributesAs(grown.itemAttributes, known.itemAttributes, itemAs(known, grown)),
    userAttributes: attributesAs(grown.userAttributes, known.userAttributes, Int32Array.from(grown.users.ids.keys())),
    feedItem: grown.feedItem.map((item) => at(knownItem, item)),
    clickItem: grown.clickItem.map((item) => at(knownItem, item)),
    searchQuery: clamped(grown.searchQuery, known.queries),
    unseenQueries: unseenBy(grown, known),
    searchSource: clamped(grown.searchSource, known.sources),
    trainedUsers: known.trainedUsers,
    trainedItems: known.trainedItems,
  };
}

const beginsWith = (grown: Vocabulary, { ids }: Vocabulary, count: number): boolean =>
  grown.ids.length >= count && ids.slice(0, count).every((id, index) => grown.ids[index] === id);

function unseenBy({ queries, searchQuery, unseenQueries: before }: Dataset, known: Dataset) {
  const texts = [...queries.ids, ...(before?.ids ?? [])];
  const textOf = searchQuery.map((query, search) => {
    if (query !== UNKNOWN) return query;
    const place = before ? at(before.ofSearch, search) : -1;
    return place < 0 ? -1 : queries.ids.length + place;
  });
  return unseenQueries(texts, textOf, known.queries, known.words);
}

/** Attribute values of some rows of `grown`, by name: their indices are those of the known ones, whatever the order in which they came up. */
function attributesAs(
  grown: Dataset['itemAttributes'],
  known: Dataset['itemAttributes'],
  rows: Int32Array,
): ReadonlyMap<string, AttributeColumn> {
  return new Map(
    [...known].map(([name, { values }]) => {
      const column = grown.get(name);
      const index = rows.map((row) => {
        const value = column?.index[row] ?? 0;
        if (value <= UNKNOWN) return value;
        return values.index(column?.values.ids[value] as string);
      });
      return [name, { values, index }];
    }),
  );
}
