/**
 * The bytes of logs: compression, UTF-8 and line ends. Knows text; does not know records. What is no
 * text is told line by line (`BadLine`), so that nothing of a file is lost in silence.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { UserError, messageOf } from '../../base/index.js';

/** A file to read. */
export interface Input {
  /** As it is called in messages and in quarantine. */
  readonly name: string;
  readonly path: string;
  /** Whole lines of a file that is not compressed, by their bytes [from, below): the rest is not there. */
  readonly range?: { readonly from: number; readonly below: number };
}

/** Some whole lines: `first` is the number of the first one, counted from 1; lines are separated by \n. */
export interface Piece {
  readonly first: number;
  readonly text: string;
  /** How many of the lines are not blank (bad ones not counted). */
  readonly filled: number;
}

/** A line that is no text, or too much of it. */
export interface BadLine {
  readonly line: number;
  /** Which of the records that begin on the line; 0 unless told. */
  readonly record?: number;
  readonly reason: string;
  readonly raw: string;
}

const PIECE_BYTES = 1 << 20;
export const LONGEST_LINE = 16 * 1024 * 1024; // bytes; more is surely no record
const KEPT = 2000; // characters of a bad line
const NEWLINE = 10;

type Compression = 'none' | 'gzip' | 'zstd';

/** What a file is, by its first bytes, whatever it is called. */
export async function kindOf({ name, path }: Input): Promise<Compression | 'parquet'> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new UserError(`cannot read ${name}: ${messageOf(error)}`, { cause: error });
  });
  try {
    if (!(await file.stat()).isFile()) throw new UserError(`cannot read ${name}: it is not a file`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const begins = (...bytes: readonly number[]): boolean =>
      bytesRead >= bytes.length && bytes.every((byte, i) => buffer[i] === byte);
    if (begins(0x1f, 0x8b)) return 'gzip';
    if (begins(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
    if (begins(0x50, 0x41, 0x52, 0x31)) return 'parquet';
    if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) throw new UserError(`${name} is UTF-16 text: convert it to UTF-8`);
    return 'none';
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read ${name}: ${messageOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

/** Decompressed bytes. */
async function* bytesOf(input: Input, kind: Compression): AsyncGenerator<Uint8Array> {
  const { path, range } = input;
  if (range && range.from >= range.below) return;
  const within = range ? { start: range.from, end: range.below - 1 } : {};
  const file = createReadStream(path, { highWaterMark: 1 << 18, ...within });
  try {
    if (kind === 'zstd') yield* zstdBytes(file);
    else if (kind === 'none') yield* file as AsyncIterable<Buffer>;
    else {
      const stream = file.pipe(createGunzip({ chunkSize: PIECE_BYTES }));
      file.on('error', (error) => stream.destroy(error));
      yield* stream as AsyncIterable<Buffer>;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `cannot read ${input.name}: ${kind === 'none' ? messageOf(error) : `the ${kind} data is damaged, fetch the file again`}`,
      { cause: error },
    );
  } finally {
    file.destroy();
  }
}

/** Node 20 cannot read zstd; fzstd is small, has no dependencies, and reads a stream without its window growing. */
async function* zstdBytes(file: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const decompress = new Decompress((chunk) => ready.push(chunk));
  for await (const chunk of file) {
    decompress.push(chunk as Uint8Array);
    yield* ready.splice(0);
  }
  decompress.push(new Uint8Array(0), true); // complains about what is missing
  yield* ready.splice(0);
}

/** Reads the text of a file in pieces of whole lines. Line ends are \n, also where they were \r\n; a BOM is left out; bad lines are handed to `bad`, and are empty in the pieces. */
export async function* readPieces(input: Input, bad: (line: BadLine) => void): AsyncGenerator<Piece> {
  const kind = await kindOf(input);
  if (kind === 'parquet') throw new UserError(`${input.name} is a Parquet file: this format is read from text`);
  let line = 1;
  let rest: Uint8Array[] = [];
  let length = 0;
  let skipped: Buffer | null = null; // the beginning of a line that is too long
  const take = (bytes: Buffer): Piece | null => {
    const isFirst = line === 1 && (input.range?.from ?? 0) === 0;
    const start = isFirst && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    const lines = bytes.subarray(start);
    if (lines.length === 0) return null;
    const first = line;
    const counts = countLines(lines);
    line += counts.newlines;
    let { filled } = counts;
    const wrong = (one: BadLine): void => {
      filled--;
      bad(one);
    };
    let text = isUtf8(lines) ? lines.toString('utf8') : repaired(lines, first, wrong);
    if (text.includes('\r')) text = text.replaceAll('\r\n', '\n').replace(/\r$/, '');
    return { first, text, filled };
  };
  for await (const bytes of bytesOf(input, kind)) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let start = 0;
    if (skipped) {
      const end = chunk.indexOf(NEWLINE);
      if (end < 0) continue;
      bad({ line: line++, reason: tooLong, raw: skipped.toString('utf8').slice(0, KEPT) });
      skipped = null;
      start = end + 1;
    }
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < start) {
      rest.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > LONGEST_LINE) {
        // whole lines before it are wanted still
        const joined = Buffer.concat(rest);
        const before = joined.lastIndexOf(NEWLINE);
        if (before >= 0) {
          const piece = take(joined.subarray(0, before));
          line++;
          if (piece) yield piece;
        }
        const tail = joined.subarray(before + 1);
        [rest, length] = [[tail], tail.length];
        if (length > LONGEST_LINE) {
          skipped = Buffer.from(tail.subarray(0, 4 * KEPT));
          [rest, length] = [[], 0];
        }
      }
      continue;
    }
    if (length + end - start < PIECE_BYTES / 2) {
      rest.push(chunk.subarray(start));
      length += chunk.length - start;
      continue;
    }
    const piece = take(Buffer.concat([...rest, chunk.subarray(start, end)]));
    line++;
    [rest, length] = [[Buffer.from(chunk.subarray(end + 1))], chunk.length - end - 1];
    if (piece) yield piece;
  }
  if (skipped) bad({ line, reason: tooLong, raw: skipped.toString('utf8').slice(0, KEPT) });
  const last = Buffer.concat(rest);
  const piece = take(last.at(-1) === NEWLINE ? last.subarray(0, -1) : last);
  if (piece) yield piece;
}

const tooLong = 'the line is longer than 16 MB';

/** Newlines, and lines with anything but blanks. */
function countLines(bytes: Buffer): { newlines: number; filled: number } {
  let [newlines, filled, start] = [0, 0, 0];
  for (;;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start) {
      const byte = bytes[start] as number;
      // a blank begins with one of these bytes; a BOM in the middle is one, too
      if ((byte > 32 && byte < 0xc2) || bytes.toString('utf8', start, end).trim() !== '') filled++;
    }
    if (newline < 0) return { newlines, filled };
    newlines++;
    start = newline + 1;
  }
}

/** The lines that are UTF-8; the others are told, and left empty. */
function repaired(bytes: Buffer, first: number, bad: (line: BadLine) => void): string {
  const lines: string[] = [];
  let start = 0;
  for (let line = first; start <= bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const part = bytes.subarray(start, end);
    const good = isUtf8(part);
    if (!good)
      bad({
        line,
        reason: 'not UTF-8 text: convert the file to UTF-8',
        raw: part
          .subarray(0, 4 * KEPT)
          .toString('latin1')
          .slice(0, KEPT),
      });
    lines.push(good ? part.toString('utf8') : '');
    start = end + 1;
  }
  return lines.join('\n');
}

/** A line of a file, counted from 1. */
export interface Line {
  readonly text: string;
  readonly number: number;
  /** Which of the records that begin on the line; 0 unless told. */
  readonly record?: number;
}

/** Reads the lines of a text file in batches, blank lines left out but counted. */
export async function* readLines(input: Input, bad: (line: BadLine) => void): AsyncGenerator<Line[]> {
  for await (const { first, text } of readPieces(input, bad))
    yield text
      .split('\n')
      .map((line, i) => ({ text: line, number: first + i }))
      .filter((line) => line.text.trim() !== '');
}

/** The beginning of a text file, for recognising it: at least its first lines, as far as they are at most some kilobytes. */
export async function beginningOf(input: Input): Promise<string> {
  const pieces = readPieces(input, () => undefined);
  try {
    const piece = await pieces.next();
    return piece.done ? '' : piece.value.text.slice(0, 1 << 18);
  } finally {
    await pieces.return(undefined);
  }
}
