/**
 * What all importers share: the directory that appears whole or not at all, the database, the description of the input,
 * quarantine. Knows their common options; does not know any format of logs.
 */
import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError, UserError, hashFile, messageOf, readJson, stageDirectory, countOf } from '../../base/index.js';
import { withDatabase, type Database } from '../database.js';
import type { Engine } from '../engine.js';
import { readEventIds, writeEventIds } from '../event-ids.js';
import { growFrom } from '../grow.js';
import { readManifest } from '../load.js';
import { prepareDirectory } from '../prepare.js';
import type { DataManifest, Generator, ReadCounts } from '../schema.js';
import type { SplitRequest } from '../split.js';
import { oneEntryEach } from './compile.js';
import type { Format } from './formats/format.js';
import type { ImportOptions, ImportResult, WrittenLog } from './import-options.js';
import type { Input } from './input.js';
import { ignoreUsers, refuseRejected, rememberIds, settle, writeQuarantine, type SettleOptions } from './settle.js';
import { PLACE } from './staged.js';
import { EARLIEST, LATEST } from './times.js';
import type { Assigned } from './stage.js';
import { onEngine, type Workplace, type Workshop } from './workshop.js';

export type { ImportOptions, ImportResult } from './import-options.js';
export type { Workshop } from './workshop.js';

/** What a source leaves behind, beside its tables in the database. */
export interface FilledTables {
  readonly itemAttributes: readonly string[];
  readonly userAttributes: readonly string[];
  readonly warnings: readonly string[];
  /** How the events are ordered: in order of time, or of the files. Default: `file`. */
  readonly order?: 'time' | 'file';
  /** What became of the records. Null for sources that do not say. */
  readonly read?: ReadCounts | null;
  /** The format that the log was recognised as, where it was not named. */
  readonly recognised?: string;
  /** Files that were read, beyond those named beforehand; for those that `fill` put into the directory they stay in it. */
  readonly files?: readonly (Input | string)[];
}

/** The name of the file of rejected records in a data directory. */
export const QUARANTINE = 'quarantine.jsonl';

const [THREADS, MEMORY] = [2, 1500];

/**
 * Runs an import: `fill` puts the tables of a source (see `prepare.ts`) into the database, the rest is the same for all.
 * `inputs` finds the files, once there is a place for temporary ones. `generator`: what made the log, when it is simulated.
 */
export async function runImport(
  importer: string,
  inputs: readonly string[] | ((temporary: string) => Promise<readonly Input[]>),
  options: ImportOptions,
  settings: Readonly<Record<string, unknown>>,
  fill: (workshop: Workshop, inputs: readonly Input[]) => Promise<FilledTables>,
  generator: Generator | null = null,
): Promise<ImportResult> {
  await checkOut(options);
  const { spark, append } = options;
  if (spark && options.live)
    throw new UsageError('people who were erased are left out on one machine only: import without --engine spark');
  if (spark && append !== undefined)
    throw new UsageError('--append is not there with --engine spark: grow on one machine, or import all logs at once');
  if (options.append !== undefined && (options.kCore || options.requireBoth))
    throw new UsageError('a data directory that grows loses nothing: leave out --k-core and --require-both');
  return keepingParents(options.out, async () =>
    stageDirectory(options.out, { overwrite: options.overwrite ?? false }, async (directory) => {
      const temporary = join(directory, '.work');
      await mkdir(temporary);
      const found =
        typeof inputs === 'function' ? await inputs(temporary) : inputs.map((path) => ({ name: path, path }));
      for (const { name, path } of found)
        await stat(path).catch((error: unknown) => {
          throw new UserError(`cannot read ${name}: ${messageOf(error)}`, { cause: error });
        });
      const base = options.append === undefined ? null : await readManifest(options.append);
      const { fresh, known } = await notYetIn(base, found);
      if (base && fresh.length === 0 && found.length > 0)
        throw new UserError(`${known.join(', ')}: every file is in ${options.append} already`);
      const prepare = async (database: Database, on: Workplace): Promise<ImportResult> => {
        const forgotten =
          base && options.append !== undefined
            ? await readEventIds(database, options.append, base)
            : await database.run('CREATE TABLE earlier_ids (id BLOB)').then(() => null);
        const hasEarlierIds = (await database.number('SELECT count(*) FROM earlier_ids')) > 0;
        const own = await fill({ ...on, database, directory, temporary, hasEarlierIds }, fresh);
        // a source of its own may have none
        if (!spark) await database.run('CREATE TABLE IF NOT EXISTS event_ids (id BLOB)');
        const isForgotten = forgotten !== null && (await database.number('SELECT count(*) FROM event_ids')) > 0;
        const filled = options.append === undefined ? own : await grown(database, options.append, own);
        const files: DataManifest['source']['files'][number][] = [...(base?.source.files ?? [])];
        for (const file of [...fresh, ...(filled.files ?? [])]) {
          const path = typeof file === 'string' ? file : file.path;
          const name = typeof file === 'string' ? file : file.name;
          files.push({ name: basename(name), sha256: await hashFile(path), bytes: (await stat(path)).size });
        }
        const source = {
          importer: filled.recognised ?? importer,
          files,
          options: {
            ...settings,
            requireBoth: options.requireBoth ?? false,
            ...(options.kCore ? { kCore: options.kCore } : {}),
            ...(options.dropRepeats ? { dropRepeats: true } : {}),
          },
          generator,
        };
        const { split = splitLike(base) } = options;
        const { itemAttributes, userAttributes, read = null, warnings } = filled;
        return {
          manifest: await prepareDirectory(on.engine, database, directory, {
            source,
            split,
            itemAttributes,
            userAttributes,
            read,
            kCore: options.kCore ?? 0,
            eventIds: await writeEventIds(database, directory),
            grownFrom: base?.hash ?? null,
          }),
          warnings: [
            ...warnings,
            ...(isForgotten ? [forgotten] : []),
            ...known.map((name) => `${name} is in ${options.append} already, and left out`),
          ],
        };
      };
      const { threads = THREADS, memory = MEMORY } = options;
      const result = await withDatabase(
        async (database) =>
          onEngine(database, temporary, importer, { spark, memory }, async (on) => prepare(database, on)),
        { directory: temporary, threads, memory },
      );
      await rm(temporary, { recursive: true });
      return result;
    }),
  );
}

/** The files that a data directory was not made of yet, told by their hashes; and the names of the others. */
async function notYetIn(
  base: DataManifest | null,
  inputs: readonly Input[],
): Promise<{ fresh: Input[]; known: string[] }> {
  const hashes = new Set(base?.source.files.map(({ sha256 }) => sha256));
  const [fresh, known]: [Input[], string[]] = [[], []];
  for (const input of inputs) {
    if (base && hashes.has(await hashFile(input.path))) known.push(input.name);
    else fresh.push(input);
  }
  return { fresh, known };
}

/** Data that grow are divided as they were, with cuts of their own. */
function splitLike(base: DataManifest | null): SplitRequest {
  if (base?.split.strategy !== 'global-time') return { strategy: 'leave-one-out' };
  return { strategy: 'global-time', ...(base.split.newItems ? { newItems: true } : {}) };
}

/** The tables of a source with those of an earlier data directory. */
async function grown(database: Database, base: string, filled: FilledTables): Promise<FilledTables> {
  const { itemAttributes: items, userAttributes: users, order = 'file' } = filled;
  return { ...filled, ...(await growFrom(database, base, order, { items, users })) };
}

/** What is asked of reading files, and the log of a live site that is among them. */
export type FillOptions = Pick<ImportOptions, 'strict' | 'dropRepeats'> & { readonly written?: WrittenLog | undefined };

/** Reads files of a format into the tables of `prepare.ts`. Rejected records go to quarantine, or are refused with `strict`. */
export async function fillFromFormat(
  { database, engine, stage: read, directory, hasEarlierIds }: Workshop,
  format: Format,
  files: readonly Assigned[],
  { strict = false, dropRepeats = false, written }: FillOptions,
  options: Omit<SettleOptions, 'dropRepeats' | 'hasEarlierIds'> = {},
): Promise<FilledTables & { readonly read: ReadCounts }> {
  const records = await read(format, files);
  const liveLog = written ? files.findIndex(({ input }) => input.path === written.path) : -1;
  if (written) {
    await ignoreUsers(database, written.erased, liveLog);
    await ignoreUsers(database, written.erasedMeanwhile);
  }
  const simple = 'tables' in format && oneEntryEach(format.tables);
  const { counts, itemAttributes, userAttributes, leftOut, unmatched } = await settle(engine, format, records, simple, {
    ...options,
    dropRepeats,
    hasEarlierIds,
    changesIn: liveLog < 0 ? null : liveLog,
  });
  await rememberIds(engine);
  await engine.handOver(['event_ids']);
  await engine.drop('staged'); // most of what is in memory, or on the disk
  const names = files.map(({ input }) => basename(input.name));
  if (strict && counts.rejected > 0)
    await refuseRejected(
      engine,
      files.map(({ input }) => input.name),
    );
  if (counts.rejected > 0) await engine.handOver(['rejected']);
  if (counts.rejected > 0) await writeQuarantine(database, names, join(directory, QUARANTINE));
  const warnings: string[] = format.caveat === undefined ? [] : [format.caveat];
  if (counts.rejected > 0) {
    const { reason, file, line } = await engine.read(
      `SELECT reason, file, line FROM rejected ORDER BY ${PLACE} LIMIT 1`,
      { reason: 'text', file: 'integer', line: 'number' },
    );
    warnings.push(
      `${countOf(counts.rejected, 'record')} rejected, see ${QUARANTINE}; the first is ${files[file[0] as number]?.input.name}, line ${line[0]}: ${reason[0]}`,
    );
  }
  if (counts.duplicates > 0)
    warnings.push(
      `${countOf(counts.duplicates, 'event')} left out: ${dropRepeats ? 'repeated, or ' : ''}the id of an earlier line${hasEarlierIds ? ', or of an event that came before' : ''}`,
    );
  if (counts.ignored > 0)
    warnings.push(
      `${countOf(counts.ignored, 'record')} left out: they show no interest (impressions, dislikes, …)${written && written.erased.length > 0 ? ', or are of people who were erased' : ''}`,
    );
  for (const { key, name } of leftOut)
    warnings.push(
      `the attribute ${JSON.stringify(name)} of ${key}s is left out: it has the name of another column (case aside, and "index" and "${key}" are ours); the site should call it otherwise`,
    );
  const strange = await strangeTimes(engine, format);
  if (strange !== null) warnings.push(strange);
  if (unmatched > 0)
    warnings.push(`${countOf(unmatched, 'action')} without the search that they name: kept as events of the feed`);
  return { itemAttributes, userAttributes, warnings, order: format.order, read: counts };
}

/** Says that times are hardly those of events; null where they may be. */
async function strangeTimes(engine: Engine, { name }: Format): Promise<string | null> {
  const { events, first, last } = await engine.read(
    `SELECT count(*), min(time), max(time) FROM (SELECT time FROM feed UNION ALL SELECT time FROM searches) AS happened
      WHERE time < ${EARLIEST} OR time >= ${LATEST}`,
    { events: 'number', first: 'number', last: 'number' },
  );
  const [count, earliest, latest] = [events[0] as number, first[0] as number, last[0] as number];
  if (count === 0) return null;
  const example = new Date(earliest < EARLIEST ? earliest : latest).toISOString();
  return `${countOf(count, 'event')} before 1995 or after 2100, such as ${example}: ${name === 'interactions' ? 'is --time-unit right, or does the log have placeholders' : 'are times in another unit than this format has (docs/import-formats.md), or placeholders'}?`;
}

/** That a log has no event, and what may be the cause. */
export function nothingIn(names: readonly string[], { name }: Format, { ignored }: ReadCounts): string {
  const why = ignored > 0 ? `; as ${name}, ${countOf(ignored, 'record')} left out: is it of another format?` : '';
  return `${names.join(', ')}: there are no searches, clicks or other actions${why}`;
}

/** Refuses tables without any event, with the reason of the first rejected record if there is one. */
export async function refuseNothing(engine: Engine, names: readonly string[], nothing: string): Promise<void> {
  const events = await engine.number(
    'SELECT (SELECT count(*) FROM feed) + (SELECT count(*) FROM searches) + (SELECT count(*) FROM clicks)',
  );
  if (events > 0) return;
  await refuseRejected(engine, names);
  throw new UserError(nothing);
}

/** Refuses an `out` that is unusable, and one that would overwrite anything but a data directory. */
async function checkOut({ out, overwrite }: ImportOptions): Promise<void> {
  if (out.trim() === '') throw new UsageError('--out is empty: name the directory to make');
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    if (error.code === 'ENOTDIR')
      throw new UserError(`cannot write to ${out}: it is not a directory, or lies below what is none`);
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
