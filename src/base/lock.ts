/**
 * Locks: files that say which process works on something. Knows processes and hosts; does not know what is locked.
 *
 * A lock does not outlive its process: one whose process is gone (kill -9, power cut) is taken over. On Linux a process
 * is known by its number and its start, since numbers are used again, above all in containers.
 */
import { link, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { UserError } from './errors.js';
import { isRunning } from './processes.js';

/** The process that holds a lock. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** What tells it from a later process of the same number; null where the system does not say. */
  readonly start: string | null;
}

/** Takes a lock, or refuses with a `UserError` that names the process that holds it. `what` is what that process does. */
export async function takeLock(path: string, what: string): Promise<void> {
  const own = JSON.stringify({ pid: process.pid, host: hostname(), start: await startOf(process.pid) });
  for (;;) {
    if (await create(path, own)) return;
    await refuseIfLocked(path, what);
    // Its process is gone. Several may find so at once: whoever moved a lock that was just taken puts it back.
    const aside = `${path}.${process.pid}.gone`;
    await rename(path, aside).catch(ignoreMissing);
    const moved = await read(aside);
    if (moved !== null && (await isAlive(moved))) await link(aside, path).catch(() => undefined);
    await rm(aside, { force: true });
  }
}

/** Lets a lock of this process go; one that another process has taken meanwhile stays. */
export async function releaseLock(path: string): Promise<void> {
  const holder = await read(path);
  if (holder?.pid === process.pid && holder.host === hostname()) await rm(path, { force: true });
}

/** Does some work while holding a lock. */
export async function withLock<Result>(path: string, what: string, work: () => Promise<Result>): Promise<Result> {
  await takeLock(path, what);
  try {
    return await work();
  } finally {
    await releaseLock(path);
  }
}

/** Whether a living process holds the lock, or one on another host, of which nothing can be told. */
export async function isLocked(path: string): Promise<boolean> {
  const holder = await read(path);
  return holder !== null && (holder.host !== hostname() || isAlive(holder));
}

/** Refuses if a living process holds the lock. */
export async function refuseIfLocked(path: string, what: string): Promise<void> {
  const holder = await read(path);
  if (holder === null) return;
  if (holder.host !== hostname())
    throw new UserError(
      `${dirname(path)}: process ${holder.pid} on ${holder.host} ${what}; wait for it, or delete ${path} if it is gone`,
    );
  if (await isAlive(holder))
    throw new UserError(`${dirname(path)}: process ${holder.pid} ${what}; wait for it, or stop it first`);
}

/** Puts a whole file at `path`, unless there is one. */
async function create(path: string, content: string): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw error;
      await writeFile(path, content, { flag: 'wx' }); // a file system without links
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Who holds the lock; null for nobody, and for a file that is no lock of ours and stands in nobody's way. */
async function read(path: string): Promise<Holder | null> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder> | null;
    if (!Number.isSafeInteger(holder?.pid) || (holder?.pid as number) < 1 || typeof holder?.host !== 'string')
      return null;
    return { pid: holder.pid as number, host: holder.host, start: holder.start ?? null };
  } catch {
    return null;
  }
}

async function isAlive({ pid, host, start }: Holder): Promise<boolean> {
  if (host !== hostname()) return true; // nobody here can tell
  if (!isRunning(pid)) return false;
  const now = await startOf(pid);
  return start === null || now === null || now === start;
}

/** When a process was started, in ticks since the system was: field 22 of /proc/PID/stat. One that is dead and not yet buried has none. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on; the name before may hold anything
  return fields[0] === 'Z' ? 'dead' : (fields[19] ?? null);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
