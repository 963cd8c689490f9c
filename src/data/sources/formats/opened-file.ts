/**
 * A file whose first lines have been looked at, for formats of several kinds of file. Reads every file once, so that it may be a
 * pipe. Knows lines; does not know what they say.
 */
import type { InputFile } from './format.js';

/** A line, its number counted from 1. */
export interface NumberedLine {
  readonly text: string;
  readonly number: number;
}

/** A file of which the first batch of lines is known. */
export interface OpenedFile {
  readonly index: number;
  /** Null when the file has no lines. */
  readonly first: NumberedLine | null;
  /** All lines, the first ones too. To be gone through once. */
  readonly lines: () => AsyncIterable<readonly NumberedLine[]>;
}

/** Opens a file and reads its first lines. */
export async function openFile(file: InputFile): Promise<OpenedFile> {
  const batches = file.lines()[Symbol.asyncIterator]();
  let begun = await batches.next();
  while (!begun.done && begun.value.length === 0) begun = await batches.next();
  const beginning = begun.done ? [] : begun.value;
  return {
    index: file.index,
    first: beginning[0] ?? null,
    async *lines() {
      yield beginning;
      for (let batch = await batches.next(); !batch.done; batch = await batches.next()) yield batch.value;
    },
  };
}
