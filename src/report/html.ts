/**
 * Pieces of HTML. Knows how text becomes part of a page, and is the one place where it does; does not know pages.
 *
 * Whatever is put into a template is text, and is escaped, unless it is a piece of HTML itself. Templates write attributes in double
 * quotes and put no values into addresses, style sheets or scripts, where escaping would not be enough.
 */

/** A piece of HTML. Only this file and drawings make one from a string. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** What a template takes: text and numbers, pieces, lists of them; null and false for nothing. */
export type Content = Html | string | number | null | false | readonly Content[];

/** A piece of HTML from a template: html`<p>${text}</p>`. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(
    strings.map((string, i) => string + (i < values.length ? written(values[i] as Content) : '')).join(''),
  );
}

/** Text that somebody else wrote, such as a query or a title: whatever direction it is written in, its neighbours keep theirs. */
export const given = (text: string): Html => html`<bdi>${text}</bdi>`;

function written(value: Content): string {
  if (value === null || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(written).join('');
  return escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** What no document may contain as text: control characters but white space, halves of characters, and what stands for none. */
const NOT_TEXT = /[^\t\n\r\u{20}-\u{7E}\u{A0}-\u{D7FF}\u{E000}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

const escaped = (text: string): string =>
  text.replaceAll(NOT_TEXT, '\u{FFFD}').replaceAll(/[&<>"']/g, (character) => ENTITIES[character] as string);
