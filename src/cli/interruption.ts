/** Ctrl-C as a wish instead of an end. Knows signals of the process; does not know what is interrupted. */
import { note } from './output.js';

/**
 * Does some work while Ctrl-C, and a request to terminate, only abort the signal that the work gets: it stops where it can go
 * on. With `given`, somebody further out hears them already.
 */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  given?: AbortSignal,
): Promise<Result> {
  if (given) return work(given);
  const interrupt = new AbortController();
  const onSignal = (): void => {
    note('\nstopping at the next step or batch…');
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await work(interrupt.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
