/**
 * Rows of tables in text: tab-separated when the header has a tab (then quotes are plain characters), otherwise
 * comma-separated with the usual double quotes. Knows rows; does not know columns' meaning.
 */
import { type BadLine, LONGEST_LINE, type Line } from './input.js';

/** A row and the line it began on. */
export interface Row {
  readonly fields: readonly string[];
  readonly line: number;
}

/** What separates the fields of a table, by its header. */
export const separatorOf = (header: string): '\t' | ',' => (header.includes('\t') ? '\t' : ',');

/** Splits a comma-separated record whose quotes are balanced. */
export function splitQuoted(record: string): string[] {
  if (!record.includes('"')) return record.split(',');
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < record.length; i++) {
    const character = record[i] as string;
    if (character === '"') {
      if (quoted && record[i + 1] === '"') {
        field += '"';
        i++;
      } else quoted = !quoted;
    } else if (character === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else field += character;
  }
  fields.push(field);
  return fields;
}

function countQuotes(text: string): number {
  let count = 0;
  for (let i = text.indexOf('"'); i >= 0; i = text.indexOf('"', i + 1)) count++;
  return count;
}

/**
 * Rows of comma-separated lines, in which a quoted field may go on over several lines. A quote that is never closed makes
 * its line a bad one; reading goes on with the next line.
 */
export class QuotedRows {
  #open: { lines: Line[]; length: number } | null = null;
  readonly #bad: (line: BadLine) => void;

  constructor(bad: (line: BadLine) => void) {
    this.#bad = bad;
  }

  push(lines: readonly Line[]): Row[] {
    const rows: Row[] = [];
    for (const line of lines) this.#line(line, rows);
    return rows;
  }

  /** What is left open at the end. */
  finish(): Row[] {
    const rows: Row[] = [];
    while (this.#open) this.#giveUp(rows);
    return rows;
  }

  #line(line: Line, rows: Row[]): void {
    const odd = countQuotes(line.text) % 2 === 1;
    if (!this.#open) {
      if (line.text.trim() === '') return;
      if (odd) this.#open = { lines: [line], length: line.text.length };
      else rows.push({ fields: splitQuoted(line.text), line: line.number });
      return;
    }
    this.#open.lines.push(line);
    this.#open.length += line.text.length;
    if (odd) {
      const { lines } = this.#open;
      this.#open = null;
      rows.push({ fields: splitQuoted(lines.map(({ text }) => text).join('\n')), line: (lines[0] as Line).number });
    } else if (this.#open.length > LONGEST_LINE / 4) this.#giveUp(rows);
  }

  #giveUp(rows: Row[]): void {
    const [first, ...rest] = (this.#open as { lines: Line[] }).lines;
    this.#open = null;
    const { number, text } = first as Line;
    this.#bad({ line: number, reason: 'a double quote is opened and never closed', raw: text.slice(0, 2000) });
    for (const line of rest) this.#line(line, rows);
  }
}
