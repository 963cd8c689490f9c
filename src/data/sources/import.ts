/**
 * What all importers share: the directory that appears whole or not at all, the database, the description of the
 * input. Knows their common options; does not know any format of logs.
 */
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError, UserError, hashFile, messageOf, readJson, stageDirectory } from '../../base/index.js';
import { withDatabase, type Database } from '../database.js';
import { prepareDirectory } from '../prepare.js';
import type { DataManifest, Generator } from '../schema.js';
import type { SplitRequest } from '../split.js';

/** Options of every importer. */
export interface ImportOptions {
  /** The data directory to make. */
  readonly out: string;
  /** Replace `out` if it exists. Default: refuse. */
  readonly overwrite?: boolean;
  /** The filter of the paper: only users who searched and acted in the feed. Default: everybody stays. */
  readonly requireBoth?: boolean;
  /** Who is held out. Default: leave-one-out. */
  readonly split?: SplitRequest;
}

/** What an import made, and what its maker should know about the input. */
export interface ImportResult {
  readonly manifest: DataManifest;
  readonly warnings: readonly string[];
}

/** What a source leaves behind, beside its tables in the database. */
export interface FilledTables {
  readonly itemAttributes: readonly string[];
  readonly userAttributes: readonly string[];
  readonly warnings: readonly string[];
  /** Files that `fill` put into the directory and read from there; they stay in it, and are described like the others. */
  readonly files?: readonly string[];
}

/**
 * Runs an import: `fill` puts the tables of a source (see `prepare.ts`) into the database, the rest is the same for all.
 * It is given the directory that will become the data directory, should it want to keep its log there. `generator`: what
 * made the log, when it is simulated.
 */
export async function runImport(
  importer: string,
  paths: readonly string[],
  options: ImportOptions,
  settings: Readonly<Record<string, unknown>>,
  fill: (database: Database, directory: string) => Promise<FilledTables>,
  generator: Generator | null = null,
): Promise<ImportResult> {
  await checkOut(options);
  return keepingParents(options.out, async () =>
    stageDirectory(options.out, { overwrite: options.overwrite ?? false }, async (directory) =>
      withDatabase(async (database) => {
        const { itemAttributes, userAttributes, warnings, files: kept = [] } = await fill(database, directory);
        const files = [];
        for (const path of [...paths, ...kept])
          files.push({ name: basename(path), sha256: await hashFile(path), bytes: (await stat(path)).size });
        const source = {
          importer,
          files,
          options: { ...settings, requireBoth: options.requireBoth ?? false },
          generator,
        };
        const { split = { strategy: 'leave-one-out' } } = options;
        return {
          manifest: await prepareDirectory(database, directory, { source, split, itemAttributes, userAttributes }),
          warnings,
        };
      }),
    ),
  );
}

/** Refuses an `out` that is unusable, and one that would overwrite anything but a data directory. */
async function checkOut({ out, overwrite }: ImportOptions): Promise<void> {
  if (out.trim() === '') throw new UsageError('--out is empty: name the directory to make');
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw new UserError(`cannot write to ${out}: ${error.message}`, { cause: error });
  });
  const isOurs = async (): Promise<boolean> => {
    const manifest = (await readJson(join(out, 'manifest.json')).catch(() => null)) as Partial<DataManifest> | null;
    return manifest?.format === 'sesrec-data';
  };
  if (overwrite && entries.length > 0 && !(await isOurs())) {
    throw new UserError(`${out} is not a data directory, so --overwrite does not delete it: choose another --out`);
  }
}

/** Makes the folders above `out`, and removes those again when `work` fails. */
async function keepingParents<T>(out: string, work: () => Promise<T>): Promise<T> {
  const parent = dirname(resolve(out));
  const first = await mkdir(parent, { recursive: true }).catch((error: unknown) => {
    // the first one that did not exist
    throw new UserError(`cannot make ${parent}: ${messageOf(error)}`, { cause: error });
  });
  try {
    return await work();
  } catch (error) {
    if (first !== undefined) {
      for (let folder = parent; folder.length >= first.length; folder = dirname(folder)) {
        await rmdir(folder).catch(() => undefined); // not ours to remove if somebody put something into it
      }
    }
    throw error;
  }
}

/** The number of things, with their name in singular or plural. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}
