/**
 * The server that the page came from: how it is asked, with which key, and whether it is there. Knows the client; does not know what views
 * ask for.
 */
import { signal } from '@preact/signals';
import { SesrecClient, SesrecError } from '../../client/index.js';
import { PATHS } from '../../serve/schemas/paths.js';

const KEPT_AS = 'sesrec.key';
/** Milliseconds: a first answer may have to compile something. */
const PATIENCE = 30_000;
const ASK_AGAIN = 2000;

/** `there`; `away`: nothing answers; `starting`: it answers that it is not ready. */
export type Presence = 'there' | 'away' | 'starting';

export const presence = signal<Presence>('there');
/** Counts returns of the server and changes of the key: what failed before is asked again. */
export const returns = signal(0);
/** Counts switches of the model that answers: what names it is asked for anew. */
export const modelChanges = signal(0);
/** Why a key is asked for: null while none is. */
export const keyWanted = signal<string | null>(null);

/** Where the page lies, also behind a proxy that puts it below a path. */
const base = new URL('.', document.baseURI).href.replace(/\/$/, '');
export const address = (path: string): string => base + path;

let client = clientWith(sessionStorage.getItem(KEPT_AS));

function clientWith(key: string | null): SesrecClient {
  return new SesrecClient({ url: base, deadline: PATIENCE, ...(key === null ? {} : { key }) });
}

/** Headers for what is fetched without the client: a stream. */
export function keyHeaders(): Record<string, string> {
  const key = sessionStorage.getItem(KEPT_AS);
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

/** Uses a key from now on, for as long as the tab lives; null forgets it. */
export function useKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(KEPT_AS);
  else sessionStorage.setItem(KEPT_AS, key);
  client = clientWith(key);
  keyWanted.value = null;
  returns.value++;
}

export const hasKey = (): boolean => sessionStorage.getItem(KEPT_AS) !== null;

/**
 * Asks a route of `PATHS`; with a body it is a POST. Notices by the way that the server has gone or wants a key.
 * @throws SesrecError
 */
export async function ask<Answer>(path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
  return watched(async () => client.ask<Answer>(path, body, signal ? { signal } : {}));
}

/** Does something with the client itself: what writes. */
export async function write<Answer>(work: (client: SesrecClient) => Promise<Answer>): Promise<Answer> {
  return watched(async () => work(client));
}

async function watched<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  try {
    const answer = await work();
    if (presence.peek() !== 'there') presence.value = 'there';
    return answer;
  } catch (error) {
    if (error instanceof SesrecError) notice(error);
    throw error;
  }
}

function notice({ code, status, message }: SesrecError): void {
  if (status === 401) keyWanted.value = message;
  else if (code === 'network') waitFor('away');
  else if (code === 'not_ready') waitFor('starting');
}

let waiting = false;

/** Asks whether it is ready until it is. */
function waitFor(why: Presence): void {
  presence.value = why;
  if (waiting) return;
  waiting = true;
  const again = async (): Promise<void> => {
    const found = await fetch(address(PATHS.ready)).then(
      ({ ok }): Presence => (ok ? 'there' : 'starting'),
      (): Presence => 'away',
    );
    presence.value = found;
    waiting = found !== 'there';
    if (waiting) setTimeout(() => void again(), ASK_AGAIN);
    else returns.value++;
  };
  setTimeout(() => void again(), ASK_AGAIN);
}
