/**
 * Raw ids and their dense indices, and what makes two queries the same. Knows text; does not know tables, files or
 * which events a vocabulary is fitted on.
 */
import { FIRST_INDEX, UNKNOWN, type Vocabulary } from './schema.js';

/** A vocabulary of `raw` ids, in order, after padding and unknown. The ids must differ from one another. */
export function vocabularyOf(raw: readonly string[]): Vocabulary {
  const ids = ['', '', ...raw];
  const indices = new Map<string, number>();
  for (let i = FIRST_INDEX; i < ids.length; i++) indices.set(ids[i] as string, i);
  return {
    ids,
    index: (id) => indices.get(id) ?? UNKNOWN,
    has: (id) => indices.has(id),
  };
}

/**
 * The form in which queries are compared: NFC, lower case (of no particular language), trimmed, single spaces.
 * Applying it twice changes nothing.
 */
export function normaliseQuery(text: string): string {
  return text.normalize('NFC').toLowerCase().normalize('NFC').replaceAll(/\s+/gu, ' ').trim();
}

// The language is fixed, so that words do not depend on the machine; Chinese and Japanese are split by dictionary anyway.
const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

/** The words of a normalised query, in order, repeats kept. Punctuation and emoji are no words. */
export function splitWords(query: string): string[] {
  const words: string[] = [];
  for (const { segment, isWordLike } of segmenter.segment(query)) if (isWordLike) words.push(segment);
  return words;
}

/** The rules of the two functions above, for programs in other languages. */
export const TEXT_RULES = {
  queries: 'NFC, lower case, NFC again, each run of white space one space, trimmed',
  words:
    'the segments of a query, in that form, between Unicode word boundaries (UAX #29 with the dictionaries of ICU, locale en), but for ' +
    'spaces, punctuation and emoji; in order, repeats kept',
} as const;
