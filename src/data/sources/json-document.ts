/**
 * JSON that is not a record per line: a list of records, or records that span lines. Knows where a value begins and ends;
 * does not know what it means, nor whether it is valid inside.
 */
import { type BadLine, LONGEST_LINE, type Line, type Piece } from './input.js';

/** Whether the beginning of a file is such JSON: a list, or an object whose first line is not all of it. */
export function isDocument(beginning: string): boolean {
  const text = beginning.trimStart();
  if (text.startsWith('[')) return true;
  if (!text.startsWith('{')) return false;
  const first = (text.split('\n', 1)[0] as string).trimEnd();
  return first === '{' || /[,{[]$/.test(first);
}

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, LINE_END] = [
  0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d, 0x0a,
];

const placeOf = ({ line, record }: { line: number; record: number }) => ({ line, record });

/** The records, each on one line, with the line that it began on; white space that JSON does not know is none. What is left open at the end is told to `bad`. */
export async function* recordsOf(
  pieces: AsyncIterable<Pick<Piece, 'first' | 'text'>>,
  bad: (line: BadLine) => void,
): AsyncGenerator<Line[]> {
  let [depth, inText, escaped, inList] = [0, false, false, false];
  let open: { parts: string[]; line: number; record: number; length: number } | null = null;
  /** The line that the last record began on, and which of its records that was. */
  let [lastLine, record] = [-1, 0];
  for await (const { first, text } of pieces) {
    const records: Line[] = [];
    let line = first;
    let start = 0; // of what of the open record lies in this piece
    const close = (end: number): void => {
      if (!open) return;
      open.parts.push(text.slice(start, end));
      const whole = open.parts.join('');
      if (open.length > LONGEST_LINE)
        bad({ ...placeOf(open), reason: 'the record is longer than 16 MB', raw: whole.slice(0, 2000) });
      else if (whole.trim() !== '')
        records.push({ text: whole.replaceAll('\n', ' '), number: open.line, record: open.record });
      open = null;
    };
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === LINE_END) line++;
      if (inText) {
        if (escaped) escaped = false;
        else if (code === BACKSLASH) escaped = true;
        else if (code === QUOTE) inText = false;
        continue;
      }
      const isBlank = code === 0x20 || code === LINE_END || code === 9 || code === 13;
      if (!open) {
        if (isBlank || (code === COMMA && inList)) continue;
        if (code === OPEN_LIST && !inList) {
          inList = true;
          continue;
        }
        if (code === CLOSE_LIST && inList) {
          inList = false;
          continue;
        }
        record = line === lastLine ? record + 1 : 0;
        lastLine = line;
        open = { parts: [], line, record, length: 0 };
        start = i;
      }
      if (code === QUOTE) inText = true;
      else if (code === OPEN_OBJECT || code === OPEN_LIST) depth++;
      else if (code === CLOSE_OBJECT || (code === CLOSE_LIST && depth > 0)) {
        depth--;
        if (depth <= 0) {
          depth = 0;
          close(i + 1);
        }
      } else if (depth === 0 && (code === COMMA || code === CLOSE_LIST || (code === LINE_END && !inList))) {
        close(i); // a bare value ends here
        if (code === CLOSE_LIST) inList = false;
      }
    }
    if (open) {
      if (open.length <= LONGEST_LINE) open.parts.push(text.slice(start), '\n');
      open.length += text.length - start;
    }
    yield records;
  }
  const rest = open?.parts.join('') ?? '';
  if (open && rest.trim() !== '')
    bad({ ...placeOf(open), reason: 'the JSON ends in the middle of a record', raw: rest.slice(0, 2000) });
}
