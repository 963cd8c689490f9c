/**
 * A store that is damaged: how that is told before LMDB maps the file, and what can be read of it all the same. Knows LMDB's two head pages, and that it reads
 * a map, so that a page that is missing ends the process; so it reads in processes of their own. Does not know what events mean.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CorruptFileError, UserError, isThere, messageOf } from '../../base/index.js';

export const STORE_FILE = 'live.mdb';
const PAGE = 4096;
/** Bytes of a head page: where the magic number, the size of a page, the last page and the transaction stand, and the number. */
const HEAD = { magic: 24, pageSize: 48, lastPage: 144, transaction: 152, length: 160 } as const;
const MAGIC = 0xbeefc0de;

/** What is read of a damaged store, table by table. */
export const SALVAGED = ['meta', 'order', 'events', 'items', 'users', 'erased'] as const;
export type Salvaged = (typeof SALVAGED)[number];

export interface Entry {
  readonly table: Salvaged;
  readonly key: unknown;
  readonly value: unknown;
}

/** The sound head pages of a store's file, and the bytes that it must have. */
async function headsOf(
  path: string,
): Promise<{ readonly sound: readonly Buffer[]; readonly bytes: number; readonly needed: number }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const heads: Buffer[] = [];
    for (const start of [0, PAGE]) {
      const head = Buffer.alloc(PAGE);
      const { bytesRead } = await file.read(head, 0, PAGE, start);
      const isSound =
        bytesRead >= HEAD.length &&
        head.readUInt32LE(HEAD.magic) === MAGIC &&
        head.readUInt32LE(HEAD.pageSize) === PAGE;
      if (isSound) heads.push(head);
    }
    const newest = heads.reduce<Buffer | null>(
      (best, head) =>
        !best || head.readBigUInt64LE(HEAD.transaction) > best.readBigUInt64LE(HEAD.transaction) ? head : best,
      null,
    );
    return {
      sound: heads,
      bytes: size,
      needed: newest ? (Number(newest.readBigUInt64LE(HEAD.lastPage)) + 1) * PAGE : 0,
    };
  } finally {
    await file.close();
  }
}

/** How a damaged store is told, with what can be done. */
export const damaged = (directory: string, what: string): CorruptFileError =>
  new CorruptFileError(
    `${directory} is damaged (${what}): sesrec recover ${directory} --out NEW makes a store of what can be read of it; a copy that you have kept may hold more`,
  );

/** Whether LMDB found that what it read is none of its own. */
export const isDamage = (error: unknown): boolean =>
  /MDB_(CORRUPTED|INVALID|PAGE_NOTFOUND|VERSION_MISMATCH)/.test(messageOf(error));

/** Refuses a store whose file LMDB could not read, or that would end the process. None at all is no damage. */
export async function refuseDamagedFile(directory: string): Promise<void> {
  const path = join(directory, STORE_FILE);
  if (!(await isThere(path))) return;
  const { sound, bytes, needed } = await headsOf(path);
  if (bytes === 0) throw damaged(directory, 'its file is empty');
  if (sound.length < 2) throw damaged(directory, 'a head page is not one');
  if (bytes < needed) throw damaged(directory, `its file ends after ${bytes} of ${needed} bytes`);
}

/**
 * Reads a damaged store: of a copy that is as long as it should be, every table forwards and backwards until that fails, each in a process of its own.
 * `onEntry` may be called twice for one entry. Returns what failed.
 */
export async function salvage(directory: string, folder: string, onEntry: (entry: Entry) => void): Promise<string[]> {
  const path = join(directory, STORE_FILE);
  if (!(await isThere(path))) throw new UserError(`${directory} has no ${STORE_FILE}: it is no live store`);
  const { sound, bytes, needed } = await headsOf(path);
  const [head] = sound;
  if (!head) throw new CorruptFileError(`${directory} cannot be recovered: neither of its head pages can be read`);
  await mkdir(folder, { recursive: true });
  const copy = join(folder, STORE_FILE);
  try {
    await copyFile(path, copy);
    const file = await open(copy, 'r+');
    if (sound.length < 2) for (const start of [0, PAGE]) await file.write(head, 0, PAGE, start);
    if (bytes < needed) await file.truncate(needed); // pages of zeros, which are told instead of ending the process
    await file.close();
    const failed: string[] = [];
    for (const table of SALVAGED)
      for (const direction of ['forwards', 'backwards'] as const) {
        const failure = await readTable(folder, table, direction, onEntry);
        // a damaged page may seem an end: what is behind it is met from the other side
        if (failure !== null) failed.push(`${table}, ${direction}: ${failure}`);
      }
    return failed;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readTable(
  folder: string,
  table: Salvaged,
  direction: 'forwards' | 'backwards',
  onEntry: (entry: Entry) => void,
): Promise<string | null> {
  const reader = fileURLToPath(new URL('damage-reader.js', import.meta.url));
  const child = spawn(process.execPath, [reader, folder, table, direction], { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  let end: string | null = 'it could not be read on';
  for await (const line of createInterface({ input: child.stdout })) {
    let told: { readonly key?: unknown; readonly value?: unknown; readonly end?: string | null };
    try {
      told = JSON.parse(line) as typeof told;
    } catch {
      continue; // cut off with the process
    }
    if (told.end !== undefined) end = told.end;
    else onEntry({ table, key: told.key, value: told.value });
  }
  const [, signal] = (await closed) as [number | null, string | null];
  return signal === null ? end : `the reading process ended with ${signal}`;
}
