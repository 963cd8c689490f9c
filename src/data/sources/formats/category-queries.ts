/**
 * The queries that Ai et al. 2017 (SIGIR, "Learning a Hierarchical Embedding Model for Personalized Product Search") make of a
 * product's categories. Knows their steps, function words and plurals of English; does not know files.
 *
 * Where we differ: their stop words are INQUERY's and their stemmer Krovetz's, which asks a dictionary; ours are below. Terms that
 * no review contains stay. docs/import-formats.md says how far the results agree with theirs.
 */

/** Words that are in no query: articles, pronouns, prepositions, conjunctions and auxiliaries of English. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  `a an the this that these those each every either neither both all any some such no not none
   i me my mine we us our ours you your yours he him his she her hers it its they them their theirs
   who whom whose which what where when why how
   and or but nor so yet if than then as because while although though unless until
   of in on at by for with without within to from into onto upon over under up off out about above below between among
   through during before after since against across along around behind beside besides beyond near toward towards via per
   am is are was were be been being do does did has have had having can could may might must shall should will would
   more most much many few less least own other others another same too very just only also even ever
   etc mr mrs ms vs`.split(/\s+/),
);

/** Words that end in s and are no plural, or have no singular that means the same. */
const NO_PLURALS: ReadonlySet<string> = new Set(
  `binoculars clothes glasses goods headquarters indoors jeans lens means news outdoors pajamas pants pliers scissors series
   shorts species sports supplies tights trousers tweezers`.split(/\s+/),
);

/**
 * The singular of a lower-case English word, by its ending alone: Harman's S-stemmer (JASIS 1991), with -shes, -ches, -xes,
 * -sses and -zzes losing both letters; words in -ics (electronics) and a few others stay.
 */
export function singular(word: string): string {
  if (word.length < 4 || !word.endsWith('s') || /(?:ss|us|is|ics)$/.test(word) || NO_PLURALS.has(word)) return word;
  if (word.endsWith('ies'))
    return /[ae]ies$/.test(word) || word.length < 5 ? word.slice(0, -1) : `${word.slice(0, -3)}y`;
  if (/(?:sh|ch|x|ss|zz)es$/.test(word)) return word.slice(0, -2);
  return word.slice(0, -1);
}

/**
 * The query of one hierarchy of categories, root first: names joined, everything but a-z and blanks deleted, lower case, stop
 * words dropped, words made singular, and of repeated words the last one kept. Empty when nothing is left, and for hierarchies
 * of a single level, as in the original.
 */
export function categoryQuery(names: readonly string[]): string {
  if (names.length < 2) return '';
  const words = names
    .join(' ')
    .replaceAll(/[^a-zA-Z ]/g, '')
    .toLowerCase()
    .split(' ')
    .filter((word) => word !== '' && !STOP_WORDS.has(word))
    .map(singular);
  return words.filter((word, position) => words.lastIndexOf(word) === position).join(' ');
}
