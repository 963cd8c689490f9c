/** Waiting for what happens by itself. Does not know what. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for something to become true; a minute at most unless told, so that a test that waits for ever fails. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  milliseconds = 60_000,
): Promise<void> {
  for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(20)) if (await isSo()) return;
  throw new Error(`waited in vain: ${what}`);
}
