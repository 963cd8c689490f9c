/**
 * The server that the page came from: how it is asked, with which key, and whether it is there. Knows the client; does not know what views
 * ask for.
 */
import { signal } from '@preact/signals';
import { SesrecClient, SesrecError } from '../../client/index.js';
import { PATHS } from '../../serve/schemas/paths.js';
import { keep, kept } from './kept.js';

const KEPT_AS = 'sesrec.key';
/** Milliseconds: a first answer may have to compile something. */
const PATIENCE = 30_000;
const PATIENCE_WITH_FILES = 600_000;
const ASK_AGAIN = 2000;

/** `there`; `away`: nothing answers; `starting`: it answers that it is not ready. */
export type Presence = 'there' | 'away' | 'starting';

export const presence = signal<Presence>('there');
/** Counts returns of the server and changes of the key: what failed before is asked again. */
export const returns = signal(0);
/** Why a key is asked for, and whether one was used that the server does not take. */
export interface KeyWish {
  readonly why: string;
  readonly isRefused: boolean;
}
/** Null while no key is asked for. */
export const keyWanted = signal<KeyWish | null>(null);

/** Whether it makes sense to ask by itself: the server is there, and nobody is being asked for a key. */
export const isAskable = (): boolean => presence.peek() === 'there' && keyWanted.peek() === null;

/** Where the page lies, also behind a proxy that puts it below a path. */
const base = new URL('.', document.baseURI).href.replace(/\/$/, '');
export const address = (path: string): string => base + path;

let key: string | null = null;
let client = clientWith(key);
const before = kept('sessionStorage', KEPT_AS);
if (before !== null) useKey(before);

function clientWith(own: string | null): SesrecClient {
  return new SesrecClient({ url: base, deadline: PATIENCE, ...(own === null ? {} : { key: own }) });
}

/** Headers for what is fetched without the client: a stream. */
export const keyHeaders = (): Record<string, string> => (key === null ? {} : { authorization: `Bearer ${key}` });

/** Uses a key from now on, for as long as the tab lives. One that can be no key is not used: another is asked for. */
export function useKey(next: string): void {
  try {
    client = clientWith(next);
  } catch (error) {
    keyWanted.value = { why: (error as Error).message, isRefused: true };
    return;
  }
  key = next;
  keep('sessionStorage', KEPT_AS, next);
  keyWanted.value = null;
  returns.value++;
}

/**
 * Asks a route of `PATHS`; with a body it is a POST. Notices by the way that the server has gone or wants a key.
 * @throws SesrecError
 */
export async function ask<Answer>(path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
  return watched(async () => client.ask<Answer>(path, body, signal ? { signal } : {}));
}

/** Asks for a file, which may take a while to make. */
export async function askFile(path: string): Promise<Blob> {
  return watched(async () => client.askFile(path, { deadline: PATIENCE_WITH_FILES }));
}

/** Does something with the client itself: what writes. */
export async function write<Answer>(work: (client: SesrecClient) => Promise<Answer>): Promise<Answer> {
  return watched(async () => work(client));
}

/**
 * Loads a part of the page; where it does not come, notices whether the server has gone.
 * @throws SesrecError where it has
 */
export async function load<Part>(work: () => Promise<Part>): Promise<Part> {
  try {
    return await work();
  } catch (error) {
    await watched(async () => client.ready());
    throw error;
  }
}

/** Loads the whole page anew, if the server is there to give it. */
export async function reload(): Promise<void> {
  await watched(async () => client.ready());
  location.reload();
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

/** What an error says of the server itself, which is told beside every view; null for what is told where it was asked. */
export const absenceIn = (error: unknown): Exclude<Presence, 'there'> | null =>
  !(error instanceof SesrecError)
    ? null
    : error.code === 'network'
      ? 'away'
      : error.code === 'not_ready'
        ? 'starting'
        : null;

function notice(error: SesrecError): void {
  const absence = absenceIn(error);
  if (error.status === 401) keyWanted.value ??= { why: error.message, isRefused: key !== null };
  else if (absence !== null) waitFor(absence);
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
