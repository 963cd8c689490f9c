/**
 * Tables in text files: a header line, then one row a line. Tab-separated when the header has a tab (then quotes are
 * plain characters), otherwise comma-separated with the usual double quotes. Knows rows and columns; does not know
 * what they mean.
 */
import { UserError } from '../../base/index.js';
import { readLines } from './lines.js';

/** A row and the line it began on. */
export interface Row {
  readonly fields: readonly string[];
  readonly line: number;
}

/** An open table: its columns, and its rows in the order of the file. */
export interface DelimitedTable {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: AsyncGenerator<Row[]>;
}

const LONGEST_FIELD = 16 * 1024 * 1024;

/** Splits a comma-separated record whose quotes are balanced. */
function splitQuoted(record: string): string[] {
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

/** Lines to rows. A quoted field may go on over several lines. */
async function* readRows(path: string): AsyncGenerator<Row[]> {
  let tabs: boolean | null = null;
  let open: { parts: string[]; line: number; length: number } | null = null;
  for await (const lines of readLines(path)) {
    const rows: Row[] = [];
    for (const { text, number } of lines) {
      tabs ??= text.includes('\t');
      if (tabs) {
        rows.push({ fields: text.split('\t'), line: number });
        continue;
      }
      const odd = countQuotes(text) % 2 === 1;
      if (!open && !odd) rows.push({ fields: splitQuoted(text), line: number });
      else if (!open) open = { parts: [text], line: number, length: text.length };
      else {
        open.parts.push(text);
        open.length += text.length;
        if (odd) {
          rows.push({ fields: splitQuoted(open.parts.join('\n')), line: open.line });
          open = null;
        } else if (open.length > LONGEST_FIELD) break;
      }
    }
    yield rows;
    if (open && open.length > LONGEST_FIELD) break;
  }
  if (open) throw new UserError(`${path}, line ${open.line}: a double quote is opened and never closed`);
}

/** Checks that every row has a field for every column. */
async function* checked(
  path: string,
  columns: readonly string[],
  first: readonly Row[],
  rest: AsyncGenerator<Row[]>,
): AsyncGenerator<Row[]> {
  const check = (rows: readonly Row[]): Row[] =>
    rows.map((row) => {
      if (row.fields.length === columns.length) return row;
      throw new UserError(
        `${path}, line ${row.line}: ${row.fields.length} fields where the header has ${columns.length} columns`,
      );
    });
  yield check(first);
  for await (const rows of rest) yield check(rows);
}

/** Opens a table and reads its header. */
export async function openTable(path: string): Promise<DelimitedTable> {
  const batches = readRows(path);
  for (;;) {
    const batch = await batches.next();
    if (batch.done) throw new UserError(`${path} is empty: it needs a header line and rows`);
    const [header, ...rows] = batch.value;
    if (!header) continue;
    const columns = header.fields.map((name) => name.trim());
    const repeated = columns.find((name, i) => name !== '' && columns.indexOf(name) !== i);
    if (repeated !== undefined)
      throw new UserError(`${path}: the header names the column ${JSON.stringify(repeated)} twice`);
    return { path, columns, rows: checked(path, columns, rows, batches) };
  }
}

/** The position of a column. A column that the header lacks is a `UserError` that lists those it has. */
export function columnOf(table: DelimitedTable, name: string, option: string): number {
  const position = table.columns.indexOf(name);
  if (position >= 0 && name !== '') return position;
  const present = table.columns
    .slice(0, 30)
    .map((column) => column.slice(0, 80))
    .join(', ')
    .replaceAll(/\p{Cc}/gu, '?');
  throw new UserError(
    `${table.path} has no column ${JSON.stringify(name)}: it has ${present}; name the right one with ${option}`,
  );
}
