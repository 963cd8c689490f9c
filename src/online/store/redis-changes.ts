/**
 * Follows what changes in a store on Redis. Knows the stream of changes, its numbers and its gaps; does not know what a change means.
 *
 * Blocking commands have a connection of their own. Changes have numbers without a gap: one that is missing was cut off, or lost with the Redis that had it, and
 * so everything is to be read again. The same goes for a Redis that is another process than before, which may have lost something without a gap to be seen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreAwayError, type ActiveRun, type Change } from './store.js';
import type { Client, RedisConnection } from './redis-connection.js';

/** Changes that are read at once, and how long the first is waited for. */
const [STEP, WAIT_MILLISECONDS] = [200, 1000];

export interface ChangesOptions {
  /** Numbers of changes, and the stream. */
  readonly keys: { readonly change: string; readonly changes: string };
  /** The last change that is known. */
  readonly position: number;
  /** The Redis that it was read from; null where that cannot be told. */
  readonly process: string | null;
  /** Something is wrong with a change, and is none of the connection's. */
  readonly failed: (error: unknown) => void;
  /** No change could be read. */
  readonly lost: () => void;
}

/** Which process of Redis answers: another one may know less. Null where it does not tell. */
export async function processOf(client: Client): Promise<string | null> {
  const told = await client.info('server').catch(() => '');
  return /^run_id:(\S+)/m.exec(told)?.[1] ?? null;
}

export class RedisChanges {
  readonly #connection: RedisConnection;
  readonly #options: ChangesOptions;
  #position: number;
  #process: string | null;
  #isClosed = false;
  readonly #following: Promise<void>;

  constructor(connection: RedisConnection, options: ChangesOptions, take: (change: Change) => Promise<void>) {
    this.#connection = connection;
    this.#options = options;
    this.#position = options.position;
    this.#process = options.process;
    this.#following = this.#follow(take);
  }

  async #follow(take: (change: Change) => Promise<void>): Promise<void> {
    let epoch = -1;
    while (!this.#isClosed) {
      try {
        if (epoch !== this.#connection.epoch) {
          const { epoch: now } = this.#connection;
          const process = await this.#connection.ask(processOf);
          const isOther = process === null ? epoch >= 0 : process !== this.#process;
          if (isOther) await this.#readAgain(take);
          this.#process = process;
          epoch = now;
        }
        await this.#read(take);
      } catch (error) {
        if (this.#isClosed) return;
        if (error instanceof StoreAwayError) {
          this.#options.lost();
          await this.#connection.back();
        } else {
          this.#options.failed(error);
          await sleep(WAIT_MILLISECONDS);
        }
      }
    }
  }

  /** What came since; nothing, after a while. */
  async #read(take: (change: Change) => Promise<void>): Promise<void> {
    const { changes, change } = this.#options.keys;
    const from = { key: changes, id: `${this.#position}-0` };
    const found = await this.#connection.ask(
      async (client) => client.xRead(from, { COUNT: STEP, BLOCK: WAIT_MILLISECONDS }),
      WAIT_MILLISECONDS,
    );
    const messages = found?.[0]?.messages ?? [];
    if (messages.length === 0) {
      const newest = Number((await this.#connection.ask(async (client) => client.get(change))) ?? 0);
      if (newest < this.#position) await this.#readAgain(take);
      return;
    }
    for (const { id, message } of messages) {
      if (this.#isClosed) return;
      const number = Number(id.split('-')[0]);
      if (number !== this.#position + 1) return this.#readAgain(take);
      try {
        await take(changeOf(number, message));
      } catch (error) {
        if (error instanceof StoreAwayError) throw error; // it comes again
        this.#options.failed(error);
      }
      this.#position = number;
    }
  }

  async #readAgain(take: (change: Change) => Promise<void>): Promise<void> {
    const { change } = this.#options.keys;
    const newest = Number((await this.#connection.ask(async (client) => client.get(change))) ?? 0);
    await take({ kind: 'missed' });
    this.#position = newest;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#connection.destroy();
    await this.#following;
  }
}

function changeOf(number: number, { kind, data = '' }: Readonly<Record<string, string>>): Change {
  if (kind === 'erased') return { kind, hash: data };
  const told = JSON.parse(data) as unknown;
  if (kind === 'items') return { kind, ids: told as string[] };
  if (kind === 'model') return { kind, number, run: told as ActiveRun };
  if (kind !== 'counts') throw new Error(`a change of an unknown kind: ${kind}`);
  const flat = told as (string | number)[];
  const counts: [string, number][] = [];
  for (let i = 0; i < flat.length; i += 2) counts.push([JSON.parse(flat[i] as string) as string, Number(flat[i + 1])]);
  return { kind, counts };
}
