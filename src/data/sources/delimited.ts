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

/** What may be wrong with a table that seems to have one column. */
export const separatorHint = (columns: readonly string[]): string => {
  const other = columns.length === 1 ? /[;|]/.exec(columns[0] as string)?.[0] : undefined;
  return other === undefined ? '' : ` (columns are told apart by commas or tabs, not by ${other})`;
};

/** The fields of a row so far. */
interface Reading {
  readonly fields: string[];
  /** What is in a quoted field that goes on; null where none does. */
  open: string | null;
  /** Whether something but blanks follows a quote that closes a field. */
  ragged: boolean;
}

/** Reads the fields of a line. A double quote opens a field at its very start only; elsewhere it is a character like others. */
function readFields(line: string, row: Reading): void {
  for (let at = 0; ;) {
    let field = '';
    const isQuoted = row.open !== null || line[at] === '"';
    if (isQuoted) {
      if (row.open === null) at++;
      else field = `${row.open}\n`;
      row.open = null;
      for (;;) {
        const quote = line.indexOf('"', at);
        if (quote < 0) {
          row.open = field + line.slice(at);
          return;
        }
        field += line.slice(at, quote);
        at = quote + 1;
        if (line[at] !== '"') break;
        field += line[at++];
      }
    }
    const comma = line.indexOf(',', at);
    const end = comma < 0 ? line.length : comma;
    const rest = line.slice(at, end);
    if (isQuoted && rest.trim() !== '') row.ragged = true;
    row.fields.push(field + rest);
    if (comma < 0) return;
    at = comma + 1;
  }
}

/** Splits a comma-separated line that is all of a row. */
export function splitQuoted(line: string): string[] {
  const row: Reading = { fields: [], open: null, ragged: false };
  readFields(line, row);
  return row.open === null ? row.fields : [...row.fields, row.open];
}

/**
 * Rows of comma-separated lines, in which a quoted field may go on over several lines, if that makes a row: with as many fields
 * as there are columns, and nothing but blanks between a closing quote and the comma. Otherwise the quote was never closed, which makes its
 * line a bad one; reading goes on with the next line, so that one quote too many costs no other row.
 */
export class QuotedRows {
  readonly #columns: number;
  readonly #bad: (line: BadLine) => void;
  #open: { readonly lines: Line[]; readonly row: Reading; length: number } | null = null;
  /** Lines, blank ones left out, that begin no row, since they go on with that of a line before them. */
  continued = 0;

  constructor(columns: number, bad: (line: BadLine) => void) {
    this.#columns = columns;
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
    if (!this.#open && isBlank(line)) return;
    const open = (this.#open ??= { lines: [], row: { fields: [], open: null, ragged: false }, length: 0 });
    const { lines, row } = open;
    lines.push(line);
    open.length += line.text.length;
    readFields(line.text, row);
    if (row.open === null && (lines.length === 1 || (row.fields.length === this.#columns && !row.ragged))) {
      this.#open = null;
      this.continued += lines.filter((each) => !isBlank(each)).length - 1;
      rows.push({ fields: row.fields, line: (lines[0] as Line).number });
    } else if (row.open === null || open.length > LONGEST_LINE / 4) this.#giveUp(rows);
  }

  #giveUp(rows: Row[]): void {
    const [first, ...rest] = (this.#open as { lines: Line[] }).lines;
    this.#open = null;
    const { number, text } = first as Line;
    this.#bad({ line: number, reason: 'a double quote is opened and never closed', raw: text.slice(0, 2000) });
    for (const line of rest) this.#line(line, rows);
  }
}

const isBlank = ({ text }: Line): boolean => text.trim() === '';
