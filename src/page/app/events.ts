/** Server-sent events from bytes (HTML standard, server-sent events), as far as this server writes them. Knows the format; does not know fetch. */

export interface Told {
  readonly event: string;
  readonly data: string;
}

/** Events of a stream. What is no event (comments, times to try again) is left out. */
export async function* eventsOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Told> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of bytes) {
    const parts = (rest + decoder.decode(piece, { stream: true })).split('\n\n');
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
