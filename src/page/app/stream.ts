/** Server-sent events over `fetch`, since an EventSource sends no key. Knows when to ask again; does not know what is told. */
import { type Told, eventsOf } from './events.js';
import { address, keyHeaders } from './server.js';

const ASK_AGAIN = 3000;

/**
 * Tells of every event until the stream says `end`, or the signal. A stream that breaks off is asked for again; what was told before is told
 * again then.
 */
export async function follow(
  path: string,
  signal: AbortSignal,
  onEvent: (told: Told) => void,
  onLost: (isLost: boolean) => void,
): Promise<void> {
  let isEnded = false;
  while (!signal.aborted && !isEnded) {
    try {
      const response = await fetch(address(path), {
        headers: { accept: 'text/event-stream', ...keyHeaders() },
        signal,
      });
      if (!response.ok || !response.body) {
        if (response.status < 500) return; // there is no such thing, or it is not for us: the view says so
        throw new Error(`status ${response.status}`);
      }
      onLost(false);
      for await (const told of eventsOf(piecesOf(response.body))) {
        isEnded = told.event === 'end';
        onEvent(told);
      }
    } catch {
      if (signal.aborted) return;
    }
    if (isEnded || signal.aborted) return;
    onLost(true);
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
  }
}

/** The bytes of a body as they come: not every browser lets one iterate over a stream itself. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}
