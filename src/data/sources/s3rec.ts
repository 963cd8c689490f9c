/** Imports sequences of S3-Rec. Knows that attributes are a file of their own; the format does the rest. */
import { s3rec } from './formats/s3rec.js';
import { fillFromFormat, refuseNothing, runImport, type ImportOptions, type ImportResult } from './import.js';

/** Options of `importS3rec`. */
export interface S3recOptions extends ImportOptions {
  /** The file of sequences. */
  readonly sequences: string;
  /** The JSON file `{"item": [attribute, …]}`; kept as one attribute named `attributes`, joined by spaces. */
  readonly attributes?: string;
}

/** Imports a file of sequences into a data directory. */
export async function importS3rec(options: S3recOptions): Promise<ImportResult> {
  const paths = [options.sequences, options.attributes].filter((path) => path !== undefined);
  return runImport('s3rec', paths, options, {}, async (workshop, inputs) => {
    const filled = await fillFromFormat(
      workshop,
      s3rec,
      inputs.map((input) => ({ input })),
      options,
    );
    await refuseNothing(
      workshop.database,
      paths,
      `${options.sequences} is empty: it needs lines of the form "user item item …"`,
    );
    return filled;
  });
}
