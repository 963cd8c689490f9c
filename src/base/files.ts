/** Files that are either whole or absent. Knows hashes, fsync and rename; does not know formats. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { CorruptFileError, UserError, messageOf } from './errors.js';
import { isRunning } from './processes.js';

/** SHA-256 of some bytes or text, in hexadecimal. */
export function hashOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Whether there is a file or directory of this name. */
export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Refuses a file to be written that is there, unless it may be replaced. */
export async function refuseExisting(path: string, overwrite = false): Promise<void> {
  if (!overwrite && (await isThere(path)))
    throw new UserError(`${path} already exists: choose another --out, or pass --overwrite to replace it`);
}

/** Makes a rename inside a directory survive a power cut. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (error) {
    if (process.platform !== 'win32') throw error; // Windows cannot sync a directory and does not need it
  } finally {
    await directory.close();
  }
}

/**
 * Writes a file so that a reader, whatever happens, sees the old content or the new one: temporary file, fsync, rename. Content may come in
 * parts, and then be larger than any buffer.
 */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
  const file = await open(temporary, 'w').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new UserError(`cannot write ${path}: ${dirname(path)} is not a directory`, { cause: error });
  });
  try {
    try {
      for (const part of parts) await file.writeFile(part); // each behind the one before
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }); // what a full disk cut off would only make it fuller
    throw error;
  }
  await syncDirectory(dirname(path));
}

const REPLACED = 'replaced';
/** Where a directory keeps the one that it replaced. */
export const replacedIn = (path: string): string => join(path, REPLACED);

/**
 * Lets `fill` write into a temporary directory beside `path`, then renames it to `path`: the directory appears whole
 * or not at all. Refuses, before any work, when `path` exists, unless `overwrite` is set: what is replaced is removed then, or, with
 * `keep`, stays inside of what replaces it (`replacedIn`), for whoever fills it to remove or to bring back.
 */
export async function stageDirectory<T>(
  path: string,
  options: { overwrite?: boolean; keep?: boolean },
  fill: (directory: string) => Promise<T>,
): Promise<T> {
  const exists = await isThere(path);
  if (exists && !options.overwrite)
    throw new UserError(`${path} already exists: choose another --out, or pass --overwrite`);
  const temporary = `${path.replace(/[/\\]+$/, '')}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await removeAbandoned(path);
  await mkdir(temporary, { recursive: true });
  try {
    const result = await fill(temporary);
    // what is replaced is moved aside first: between the two renames is no time to speak of, while removing takes some
    const aside = options.keep ? replacedIn(temporary) : `${temporary}.${REPLACED}`;
    if (exists) await rename(path, aside);
    await rename(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (exists) await rename(aside, path);
      if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')
        throw new UserError(`another process has made ${path} meanwhile: choose another --out, or wait for it`);
      throw error;
    });
    await syncDirectory(dirname(path));
    if (exists && !options.keep) await rm(aside, { recursive: true });
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Removes what a killed process left beside `path`: temporary directories of its name whose process is not here any more
 * and that nothing was put into for an hour (the process may be on another machine that shares the disk). What was being replaced stays where
 * nothing has taken its place.
 */
async function removeAbandoned(path: string): Promise<void> {
  const { dir, base } = parse(resolve(path));
  for (const name of await readdir(dir).catch(() => [])) {
    const pid = name.startsWith(`${base}.`)
      ? /^(\d+)\.tmp(\.replaced)?$/.exec(name.slice(base.length + 1))?.[1]
      : undefined;
    if (pid === undefined || isRunning(Number(pid))) continue;
    const place = join(dir, name);
    const holdsReplaced = name.endsWith(REPLACED) || (await isThere(replacedIn(place)));
    if (holdsReplaced && !(await isThere(path))) continue;
    const touched = await stat(place).catch(() => null); // somebody else may have removed it just now
    if (touched && Date.now() - touched.mtimeMs > 3_600_000) await rm(place, { recursive: true, force: true });
  }
}

/** Bytes that a JSON file of ours has at most: parsed it may take fifty times as much. */
const MOST_JSON_BYTES = 16 << 20;
/** Bytes that a compressed file of ours unpacks to at most. */
const MOST_UNPACKED_BYTES = 2 ** 31;

/** Unpacks gzip; more than `most` bytes are an error, before they are allocated. */
export async function unpack(bytes: Uint8Array, most = MOST_UNPACKED_BYTES): Promise<Uint8Array> {
  return promisify(gunzip)(bytes, { maxOutputLength: most });
}

/** Reads a JSON file of ours. A missing or damaged file, or one of more than 16 MiB, is a `CorruptFileError` that names it. */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MOST_JSON_BYTES)
      throw new Error(`it has ${size} bytes, more than the ${MOST_JSON_BYTES} that such a file has at most`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CorruptFileError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // what it quotes may have line ends
    const why = messageOf(error).replaceAll(/\s*\n\s*/g, ' ');
    throw new CorruptFileError(`${path} is not valid JSON: ${why}`, { cause: error });
  }
}
