/**
 * Histories that are ranked for may have queries that training never saw: their row is that of the unknown query, and their words
 * are those that training knows. Knows catalogues; training does not come here, since what it may not know is not to teach it.
 */
import { at } from '../base/index.js';
import { type Dataset, UNKNOWN } from '../data/index.js';
import type { Catalogue } from './catalogue.js';

/** The catalogue with further queries behind its own, of which nothing is known but their words. */
export function withQueries(catalogue: Catalogue, words: readonly (readonly number[])[]): Catalogue {
  if (words.length === 0) return catalogue;
  const first = catalogue.queries;
  const wordOffsets = new Int32Array(first + words.length + 1);
  wordOffsets.set(catalogue.wordOffsets.subarray(0, first + 1));
  words.forEach((own, i) => (wordOffsets[first + i + 1] = at(wordOffsets, first + i) + own.length));
  const queryWords = new Int32Array(at(wordOffsets, first + words.length));
  queryWords.set(catalogue.queryWords.subarray(0, at(wordOffsets, first)));
  queryWords.set(words.flat(), at(wordOffsets, first));
  const queryRow = new Int32Array(first + words.length).fill(UNKNOWN);
  queryRow.set(catalogue.queryRow.subarray(0, first));
  return { ...catalogue, queries: first + words.length, wordOffsets, queryWords, queryRow };
}

/** A data set and its catalogue as one ranks with them: queries that training never saw have indices behind those that it did. */
export function withUnseenQueries(
  dataset: Dataset,
  catalogue: Catalogue,
): { readonly dataset: Dataset; readonly catalogue: Catalogue } {
  const { unseenQueries: unseen, searchQuery } = dataset;
  if (!unseen || unseen.ids.length === 0) return { dataset, catalogue };
  const first = catalogue.queries;
  return {
    dataset: {
      ...dataset,
      searchQuery: searchQuery.map((query, search) => {
        const place = at(unseen.ofSearch, search);
        return place < 0 ? query : first + place;
      }),
    },
    catalogue: withQueries(catalogue, unseen.words),
  };
}
