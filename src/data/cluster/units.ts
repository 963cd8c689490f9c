/**
 * Logs in units that are read apart from one another: whole files, and stretches of those that can be cut anywhere between
 * lines. Knows bytes and lines; does not know records, nor who reads them.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Input } from '../sources/input.js';

/** Bytes of a unit: some seconds of reading, so that losing a machine costs little. */
export const UNIT_BYTES = 128 << 20;

/** What one reader reads at once. */
export interface Unit {
  /** Counted from 0, in order of the files and, in one file, of the places. */
  readonly number: number;
  /** The index of the file. */
  readonly file: number;
  readonly input: Input;
  /** Of a file in more than one unit: lines that begin in these bytes. Null for all of it. */
  readonly within: { readonly from: number; readonly below: number } | null;
}

/** The units of files; `canCut` says which consist of lines that stand for themselves, as they lie on the disk. */
export async function unitsOf(
  inputs: readonly Input[],
  canCut: readonly boolean[],
  unitBytes = UNIT_BYTES,
): Promise<Unit[]> {
  const units: Unit[] = [];
  for (const [file, input] of inputs.entries()) {
    const { size } = await stat(input.path);
    const count = canCut[file] === true ? Math.max(1, Math.ceil(size / unitBytes)) : 1;
    for (let i = 0; i < count; i++) {
      const within = count === 1 ? null : { from: i * unitBytes, below: i === count - 1 ? size : (i + 1) * unitBytes };
      units.push({ number: units.length, file, input, within });
    }
  }
  return units;
}

const CHUNK = 1 << 20;
const NEWLINE = 10;

/** The bytes [from, below) of the lines that begin in the bytes [from, below), and how many line ends are in them. */
export async function linesWithin(
  path: string,
  { from, below }: { readonly from: number; readonly below: number },
): Promise<{ from: number; below: number; lines: number }> {
  const file = await open(path, 'r');
  try {
    const range = { from: await lineFrom(file, from), below: await lineFrom(file, below) };
    let lines = 0;
    for await (const bytes of chunks(file, range.from, range.below))
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
    return { ...range, lines };
  } finally {
    await file.close();
  }
}

/** Where the first line that begins at a place or later begins; the end of the file if there is none. */
async function lineFrom(file: FileHandle, place: number): Promise<number> {
  if (place === 0) return 0;
  const { size } = await file.stat();
  let at = place - 1;
  for await (const bytes of chunks(file, at, size)) {
    const newline = bytes.indexOf(NEWLINE);
    if (newline >= 0) return at + newline + 1;
    at += bytes.length;
  }
  return size;
}

async function* chunks(file: FileHandle, from: number, below: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(CHUNK);
  for (let at = from; at < below;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, below - at), at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
