/**
 * Sentences that tell why, in several languages. Knows which sentences there are; does not know rankers. A language is one file of
 * data.
 *
 * What is put into a sentence is plain text that strangers wrote: it is never markup, and whoever shows it escapes it. Each inserted
 * text stands in an isolate of its own (Unicode FSI … PDI), so that a text of the other direction does not disturb the sentence.
 */
import type { Language } from '../questions.js';
import { ARABIC } from './ar.js';
import { ENGLISH } from './en.js';
import type { Messages } from './messages.js';

const LANGUAGES: Readonly<Record<Language, Messages>> = { en: ENGLISH, ar: ARABIC };

/** First strong isolate, and its end. */
const [ISOLATE, END] = ['\u2068', '\u2069'];
/** What would end an isolate, or change directions, from within. */
const DIRECTIONS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;
const LONGEST = 120;
const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The beginning of a text, no character of it cut. */
function beginning(text: string): string {
  let shown = '';
  for (const { segment } of characters.segment(text.slice(0, 2 * LONGEST))) {
    if (shown.length + segment.length > LONGEST) break;
    shown += segment;
  }
  return shown;
}

/** A sentence with texts put in, each isolated and of bounded length. */
export function sentence(
  language: Language,
  message: keyof Messages,
  texts: Readonly<Record<string, string | number>> = {},
): string {
  return LANGUAGES[language][message].replaceAll(/\{(\w+)\}/gu, (_, name: string) => {
    const text = String(texts[name] ?? '').replaceAll(DIRECTIONS, '');
    return `${ISOLATE}${text.length > LONGEST ? `${beginning(text)}…` : text}${END}`;
  });
}
