/**
 * Simulated sites on disk: a data directory with the log that it was made of, and the truth beside it. Knows files;
 * does not know how a site is made up.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { CorruptFileError, UserError, isThere, messageOf, unpack } from '../base/index.js';
import { type ImportOptions, type ImportResult, importGenerated } from '../data/index.js';
import { ga4Export } from './ga4.js';
import { SIMULATOR_VERSION, type SimulatorOptions, type Truth, simulate } from './simulate.js';

const NAME = 'simulate';
/** Where the log and the truth lie in a data directory. Neither is copied with the data. */
export const LOG_FILE = join('log', 'events.jsonl.gz');
export const TRUTH_FILE = join('log', 'truth.jsonl.gz');
/** Where the log lies a second time, as a tracker would have exported it. */
export const EXPORT_FOLDERS = { ga4: join('log', 'ga4') } as const;

/** How a simulated log can be written a second time. */
export type ExportFormat = keyof typeof EXPORT_FOLDERS;

/** Options of `simulateData`. */
export interface SimulateOptions extends SimulatorOptions, ImportOptions {
  /** Write the log as this tracker would export it, too. Default: no. */
  readonly as?: ExportFormat;
}

/** Simulates a site and makes a data directory of its log, as if the log had been imported; `LOG_FILE` and `TRUTH_FILE` stay in it. */
export async function simulateData({
  users,
  items,
  seed,
  searchSignal,
  as,
  ...options
}: SimulateOptions): Promise<ImportResult> {
  const chosen = { users, items, seed, searchSignal };
  const site = simulate(chosen); // refuses before anything is written
  return importGenerated(
    options,
    { name: NAME, version: String(SIMULATOR_VERSION), options: chosen },
    async (directory) => {
      await mkdir(join(directory, 'log'));
      await writeLines(join(directory, LOG_FILE), site.log);
      await writeLines(join(directory, TRUTH_FILE), site.truth);
      if (as === 'ga4') {
        await mkdir(join(directory, EXPORT_FOLDERS.ga4));
        for (const [table, rows] of ga4Export(site.log))
          await writeLines(join(directory, EXPORT_FOLDERS.ga4, `${table}.jsonl.gz`), rows);
      }
      return [join(directory, LOG_FILE)];
    },
  );
}

/** Reads the truth that lies beside a simulated data set. A data directory without one is a `UserError`, a damaged one a `CorruptFileError`. */
export async function readTruth(directory: string): Promise<Truth[]> {
  const path = join(directory, TRUTH_FILE);
  if (!(await isThere(path)))
    throw new UserError(`${directory} has no truth: there is no ${path}; only sesrec simulate writes one`);
  try {
    const text = Buffer.from(await unpack(await readFile(path))).toString('utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Truth);
  } catch (error) {
    throw new CorruptFileError(`${path} is damaged (${messageOf(error)}): simulate the data again`, { cause: error });
  }
}

/** JSON lines, gzipped. */
async function writeLines(path: string, values: readonly unknown[]): Promise<void> {
  const chunks = function* (): Generator<string> {
    for (let start = 0; start < values.length; start += 1000)
      yield values
        .slice(start, start + 1000)
        .map((value) => `${JSON.stringify(value)}\n`)
        .join('');
  };
  await pipeline(Readable.from(chunks()), createGzip(), createWriteStream(path));
}
