/**
 * A directory of lists for all users: Parquet files, and what they were made of. Knows its files; does not know how lists are made.
 *
 *   part-*.parquet   user, rank, item, score, source: a row per place of a list; a user's rows are in one file
 *   _sesrec.json     what the lists come from, and how many there are once all are there
 *
 * Readers of Parquet pass over names that begin with an underscore.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CorruptFileError,
  UserError,
  isEither,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isTrueOrFalse,
  isWhole,
  readJson,
  writeAtomically,
} from '../../base/index.js';
import type { Run } from '../../model/index.js';
import type { ListOptions } from './lists.js';

const FORMAT = 'sesrec-lists';
const VERSION = 1;

/** What lists are made of. */
export interface Origin extends ListOptions {
  readonly model: { readonly name: string; readonly preset: string; readonly version: string };
  /** The data whose users these are. */
  readonly dataHash: string;
  readonly users: number;
  /** Users whose lists are made as one piece. */
  readonly partUsers: number;
}

/** What lies in `_sesrec.json`. */
export interface ListsManifest extends Origin {
  readonly engine: 'local' | 'spark';
  /** The number of rows; null while some are missing. */
  readonly rows: number | null;
}

const manifestRule = isRecordOf({
  format: isOneOf(FORMAT),
  version: isOneOf(VERSION),
  model: isRecordOf({ name: isText, preset: isText, version: isText }),
  dataHash: isText,
  users: isWhole(0),
  partUsers: isWhole(1),
  k: isWhole(1),
  includeSeen: isTrueOrFalse,
  engine: isOneOf('local', 'spark'),
  rows: isEither(isOneOf(null), isWhole(0)),
});

const manifestOf = (directory: string): string => join(directory, '_sesrec.json');
export const lockOfLists = (directory: string): string => join(directory, '_lock');
export const partOf = (directory: string, part: number): string =>
  join(directory, `part-${String(part).padStart(5, '0')}.parquet`);

export function originOf(run: Run, options: ListOptions, users: number, partUsers: number): Origin {
  const { model: name, preset } = run.manifest;
  return {
    model: { name, preset, version: run.version },
    dataHash: run.dataset.manifest.hash,
    users,
    partUsers,
    k: options.k,
    includeSeen: options.includeSeen,
  };
}

export async function writeListsManifest(directory: string, manifest: ListsManifest): Promise<void> {
  await writeAtomically(
    manifestOf(directory),
    `${JSON.stringify({ format: FORMAT, version: VERSION, ...manifest }, null, 2)}\n`,
  );
}

/** What a directory of lists was made of. A directory of something else is a `UserError`. */
export async function readListsManifest(directory: string): Promise<ListsManifest> {
  const path = manifestOf(directory);
  if (!(await isThere(path))) throw new UserError(`${directory} holds no lists of sesrec recommend --all-users`);
  const found = await readJson(path);
  const wrong = manifestRule(found, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}`);
  const { format: _format, version: _version, ...manifest } = found as ListsManifest & Record<string, unknown>;
  return manifest;
}

/** Refuses, before any work, to write lists where something is; with `overwrite`, where something other than lists is. */
export async function refuseDirectory(directory: string, overwrite: boolean): Promise<void> {
  if (!(await isThere(directory))) return;
  if (!overwrite)
    throw new UserError(
      `${directory} already exists: choose another --out, pass --resume to go on with it, or --overwrite to replace it`,
    );
  await readListsManifest(directory); // never delete a directory that is something else
}

/** What is different about lists that were begun; null if nothing is. */
export function differenceOf(begun: ListsManifest, now: Origin): string | null {
  if (begun.model.version !== now.model.version) return 'another model';
  if (begun.dataHash !== now.dataHash) return 'other data';
  for (const [name, option] of [
    ['k', '--k'],
    ['partUsers', '--part-users'],
    ['includeSeen', '--include-seen'],
  ] as const)
    if (begun[name] !== now[name]) return `${option} ${String(begun[name])}`;
  return null;
}

/** Removes what a killed process left half written. */
export async function removeHalves(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.startsWith('.') && name.endsWith('.tmp')) await rm(join(directory, name), { force: true });
}
