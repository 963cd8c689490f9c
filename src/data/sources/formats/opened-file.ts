/**
 * A file whose first records have been looked at, for formats of several kinds of file. Reads every file once, so that it may be a
 * pipe. Knows records; does not know what they say.
 */
import type { InputFile, SourceRecord } from './format.js';

/** A file of which the first batch of records is known. */
export interface OpenedFile {
  readonly index: number;
  /** Null when the file has no records. */
  readonly first: SourceRecord | null;
  /** All records, the first ones too. To be gone through once. */
  readonly records: () => AsyncIterable<readonly SourceRecord[]>;
}

/** Opens a file and reads its first records. */
export async function openFile(file: InputFile): Promise<OpenedFile> {
  const batches = file.records()[Symbol.asyncIterator]();
  let begun = await batches.next();
  while (!begun.done && begun.value.length === 0) begun = await batches.next();
  const beginning = begun.done ? [] : begun.value;
  return {
    index: file.index,
    first: beginning[0] ?? null,
    async *records() {
      yield beginning;
      for (let batch = await batches.next(); !batch.done; batch = await batches.next()) yield batch.value;
    },
  };
}
