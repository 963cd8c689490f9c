/**
 * Simulated sites on disk: a data directory with the log that it was made of, and the truth beside it. Knows files;
 * does not know how a site is made up.
 */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type ImportOptions, type ImportResult, importGenerated } from '../data/index.js';
import { SIMULATOR_VERSION, type SimulatorOptions, simulate } from './simulate.js';

const NAME = 'simulate';
/** Where the log and the truth lie in a data directory. Neither is copied with the data. */
export const LOG_FILE = join('log', 'events.jsonl.gz');
export const TRUTH_FILE = join('log', 'truth.jsonl.gz');

/** Simulates a site and makes a data directory of its log, as if the log had been imported; `LOG_FILE` and `TRUTH_FILE` stay in it. */
export async function simulateData({
  users,
  items,
  seed,
  searchSignal,
  ...options
}: SimulatorOptions & ImportOptions): Promise<ImportResult> {
  const chosen = { users, items, seed, searchSignal };
  const site = simulate(chosen); // refuses before anything is written
  return importGenerated(
    options,
    { name: NAME, version: String(SIMULATOR_VERSION), options: chosen },
    async (directory) => {
      await mkdir(join(directory, 'log'));
      await writeLines(join(directory, LOG_FILE), site.log);
      await writeLines(join(directory, TRUTH_FILE), site.truth);
      return [join(directory, LOG_FILE)];
    },
  );
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
