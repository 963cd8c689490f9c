/**
 * The lines of a text file, plain or gzip, in order, a batch at a time. Knows compression, UTF-8 and line ends; does
 * not know what the lines say.
 */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { UserError, messageOf } from '../../base/index.js';

/** A line of a file, counted from 1. */
export interface Line {
  readonly text: string;
  readonly number: number;
}

const LONGEST_LINE = 16 * 1024 * 1024; // characters; more is surely not a table

/** Whether the file begins like gzip, whatever it is called. Refuses what is not a readable file. */
async function isCompressed(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('it is not a file');
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
      return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Reads a text file as UTF-8 text, a piece at a time; a damaged file is a `UserError` that names it. */
export async function* readText(path: string): AsyncGenerator<string> {
  const compressed = await isCompressed(path);
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const stream = compressed ? file.pipe(createGunzip({ chunkSize: 1 << 18 })) : file;
  if (stream !== file) file.on('error', (error) => stream.destroy(error));
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of stream) yield decoder.decode(chunk as Buffer, { stream: true });
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError)
      throw new UserError(`${path} is not UTF-8 text: convert it to UTF-8`, { cause: error });
    throw new UserError(
      `cannot read ${path}: ${compressed ? 'the gzip data is damaged, fetch the file again' : messageOf(error)}`,
      { cause: error },
    );
  } finally {
    file.destroy();
  }
}

/** Reads the lines of a text file in batches, blank lines left out but counted. */
export async function* readLines(path: string): AsyncGenerator<Line[]> {
  let rest = '';
  let number = 0;
  const lineOf = (text: string): Line => ({ text: text.endsWith('\r') ? text.slice(0, -1) : text, number: ++number });
  for await (const text of readText(path)) {
    const parts = (rest + text).split('\n');
    rest = parts.pop() as string;
    if (rest.length > LONGEST_LINE)
      throw new UserError(`${path}, line ${number + parts.length + 1}: the line is longer than 16 million characters`);
    yield parts.map(lineOf).filter((line) => line.text.trim() !== '');
  }
  if (rest.trim() !== '') yield [lineOf(rest)];
}
