/** Waiting that ends. Knows time and signals; does not know what is waited for. */

/** What work comes to, unless nobody waits that long: undefined. The work goes on, and what it fails with is not looked at then. */
export async function inTime<Result>(
  work: Promise<Result>,
  milliseconds: number | undefined,
  signal?: AbortSignal,
): Promise<Result | undefined> {
  if (milliseconds === undefined && !signal) return work;
  let timer: NodeJS.Timeout | undefined;
  let abandon: (() => void) | undefined;
  const late = new Promise<undefined>((resolve) => {
    abandon = () => resolve(undefined);
    if (milliseconds !== undefined) timer = setTimeout(abandon, milliseconds);
    signal?.addEventListener('abort', abandon, { once: true });
    if (signal?.aborted) abandon();
  });
  work.catch(() => undefined); // when it is late, nobody looks at it
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    if (abandon) signal?.removeEventListener('abort', abandon);
  }
}
