/**
 * Queries that training never saw, and what is left of them: the words that it knows. Knows texts and words; does not know
 * which searches are training, nor models.
 */
import type { UnseenQueries, Vocabulary } from './schema.js';
import { normaliseQuery, splitWords } from './vocabulary.js';

/** The words of a query that the vocabulary has, in order; the others are nothing. */
export function knownWords(query: string, words: Vocabulary): number[] {
  return splitWords(query)
    .filter((word) => words.has(word))
    .map((word) => words.index(word));
}

/**
 * The queries among `texts` that `queries` lacks and some of whose words `words` has. `textOf`: for every search its text, by
 * number; -1 for none.
 */
export function unseenQueries(
  texts: readonly string[],
  textOf: Int32Array,
  queries: Vocabulary,
  words: Vocabulary,
): UnseenQueries {
  const places = new Map<string, number>();
  const ids: string[] = [];
  const own: number[][] = [];
  const placeOf = Int32Array.from(texts, (text) => {
    const query = normaliseQuery(text);
    if (queries.has(query)) return -1;
    const known = places.get(query);
    if (known !== undefined) return known;
    const found = knownWords(query, words);
    const place = found.length === 0 ? -1 : ids.push(query) - 1;
    if (place >= 0) own.push(found);
    places.set(query, place);
    return place;
  });
  return { ids, words: own, ofSearch: textOf.map((text) => (text < 0 ? -1 : (placeOf[text] as number))) };
}
