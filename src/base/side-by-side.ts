/** Several pieces of work at once. Knows how many may go on together and that a failure ends all; does not know what they do. */

/**
 * Does `work` on each of some things, at most `most` at once, begun in their order, and gives what came of each, in that order too.
 * The first that fails ends it all: nothing more is begun, the signal that the others have is aborted, and what it threw is thrown when
 * they have stopped.
 */
export async function sideBySide<Thing, Result>(
  things: readonly Thing[],
  { most, signal }: { readonly most: number; readonly signal: AbortSignal },
  work: (thing: Thing, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const stop = new AbortController();
  const passOn = (): void => stop.abort();
  if (signal.aborted) passOn();
  signal.addEventListener('abort', passOn);
  const results: Result[] = [];
  const failures: unknown[] = [];
  const left = things.entries();
  const worker = async (): Promise<void> => {
    for (const [i, thing] of left) {
      try {
        results[i] = await work(thing, stop.signal);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, things.length) }, worker));
  signal.removeEventListener('abort', passOn);
  if (failures.length > 0) throw failures[0];
  return results;
}
