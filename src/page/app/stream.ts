/**
 * Server-sent events over `fetch`, since an EventSource sends no key. Knows the format (HTML standard, server-sent events) as far as this
 * server writes it; does not know what is told.
 */
import { address, keyHeaders } from './server.js';

export interface Told {
  readonly event: string;
  readonly data: string;
}

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
      for await (const told of eventsOf(response.body)) {
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

/** Events of a stream. What is no event (comments, times) is left out. */
export async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Told> {
  const reader = stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const lines = part.split('\n');
      const of = (name: string): string =>
        lines
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join('\n');
      if (of('data') !== '') yield { event: of('event') || 'message', data: of('data') };
    }
  }
}
