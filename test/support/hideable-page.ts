/** A page that can be hidden and shown, as a tracker sees it; it is there while something is done. Knows no browser. */

export async function withPage(
  work: (turn: (state: 'hidden' | 'visible') => void, listeners: ReadonlySet<() => void>) => Promise<void>,
): Promise<void> {
  const listeners = new Set<() => void>();
  const page = {
    visibilityState: 'visible',
    addEventListener: (_: string, listener: () => void) => void listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => void listeners.delete(listener),
  };
  Object.assign(globalThis, { document: page });
  try {
    await work((state) => {
      page.visibilityState = state;
      for (const listener of listeners) listener();
    }, listeners);
  } finally {
    delete (globalThis as { document?: unknown }).document;
  }
}
