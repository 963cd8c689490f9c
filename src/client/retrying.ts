/** Tries again what may pass. Knows waiting and deadlines; does not know what is tried. */
import { SesrecError } from './errors.js';

export interface Patience {
  /** Milliseconds for all tries together. */
  readonly deadline: number;
  /** How often it is tried again. */
  readonly retries: number;
  /** Aborts everything. */
  readonly signal?: AbortSignal | undefined;
}

/** Later ones come at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A timer that comes after some time, or after 24 days where that is longer. */
export const timerOf = (work: () => void, milliseconds: number): ReturnType<typeof setTimeout> =>
  setTimeout(work, Math.min(milliseconds, LONGEST_TIMER));

/** Before the first, second, … further try: at most so long, in milliseconds. */
const longestWait = (attempt: number): number => Math.min(5000, 100 * 2 ** attempt);

/**
 * Tries until it works, cannot work, or the deadline comes. Waits a random time that doubles at most, or as long as the server asks; where
 * that would be too late it fails at once.
 * @param attempt gets a signal, and the milliseconds that are left
 */
export async function retrying<Result>(
  { deadline, retries, signal }: Patience,
  attempt: (signal: AbortSignal, left: number) => Promise<Result>,
): Promise<Result> {
  const end = Date.now() + deadline;
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal?.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const late = timerOf(
    () => stop.abort(new SesrecError(`no answer within ${deadline} ms`, { code: 'timeout' })),
    deadline,
  );
  try {
    for (let tries = 0; ; tries++) {
      stop.signal.throwIfAborted();
      try {
        return await attempt(stop.signal, Math.max(1, end - Date.now()));
      } catch (error) {
        stop.signal.throwIfAborted();
        if (!(error instanceof SesrecError) || !error.isPassing || tries >= retries) throw error;
        const wait = error.retryAfter ?? Math.random() * longestWait(tries);
        if (Date.now() + wait >= end) throw error;
        await pause(wait, stop.signal);
      }
    }
  } finally {
    clearTimeout(late);
    signal?.removeEventListener('abort', onAbort);
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = timerOf(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
