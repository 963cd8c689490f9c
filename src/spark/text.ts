/** Text in Spark's SQL. Knows how literals and names are written; does not know statements. */

/**
 * A text as a literal. All but plain ASCII is written by its number, so that neither encodings, escapes nor the variables of
 * the shell (`${…}`) can change it. Half a surrogate pair cannot be said: it becomes the character U+FFFD.
 */
export function sparkText(text: string): string {
  const escaped = text.replaceAll(/\p{Surrogate}/gu, '\uFFFD').replaceAll(/[^ !#%&(-[\]-~]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => {
      const unit = character.charCodeAt(i);
      return `\\u${unit.toString(16).padStart(4, '0')}`;
    }).join(''),
  );
  return `'${escaped}'`;
}

/** A name as an identifier. */
export function sparkIdentifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
