/**
 * A connection to Redis that may be lost and comes back. Knows time limits and when to connect anew; does not know what is asked.
 *
 * Nothing waits for a Redis that is away: what was under way fails, what comes meanwhile fails at once, and a trial tells when it answers again. Nothing is
 * ever sent twice.
 */
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import { ErrorReply, createClient } from '@redis/client';
import { UserError, messageOf, shownUrl } from '../../base/index.js';
import { StoreAwayError } from './store.js';

/** An answer is waited for so long. */
const ANSWER_MILLISECONDS = 3000;
/** A lost connection is tried so often. */
const TRIAL_MILLISECONDS = 250;
/** One that is open and does not answer is given up after so many trials. */
const SILENT_TRIALS = 3;

/** Answers of a Redis that can do nothing now, and could later. */
const UNABLE =
  /^(LOADING|READONLY|MASTERDOWN|MISCONF|OOM|NOREPLICAS|CLUSTERDOWN|TRYAGAIN|BUSY |UNKILLABLE|OTHERSTORE|EXECABORT)/;

const clientFor = (url: string) =>
  createClient({
    url,
    disableOfflineQueue: true,
    disableClientInfo: true,
    socket: { connectTimeout: ANSWER_MILLISECONDS, reconnectStrategy: false }, // `#find` does it
  });
export type Client = ReturnType<typeof clientFor>;

export interface ConnectionOptions {
  /** What must hold whenever it was connected anew; fails where it does not. */
  readonly check?: (client: Client) => Promise<void>;
  /** Lost, and why; null: it answers again. */
  readonly changed?: (reason: string | null) => void;
}

export class RedisConnection {
  readonly #url: string;
  readonly #options: ConnectionOptions;
  #client: Client;
  #away: string | null = null;
  /** Raised whenever it was lost. */
  #epoch = 0;
  #isClosed = false;
  #finding: Promise<void> = Promise.resolve();

  private constructor(url: string, client: Client, options: ConnectionOptions) {
    this.#url = url;
    this.#options = options;
    this.#client = client;
    this.#watch(client);
  }

  /** Connects. Where nothing answers, or refuses, it is a `UserError`. */
  static async open(url: string, options: ConnectionOptions = {}): Promise<RedisConnection> {
    let client: Client | null = null;
    try {
      client = clientFor(url);
      client.on('error', () => undefined); // told by what fails
      await inTime(client.connect());
      return new RedisConnection(url, client, options);
    } catch (error) {
      if (client) end(client);
      throw cannotOpen(url, error);
    }
  }

  /** What is wrong; null while it answers. */
  get away(): string | null {
    return this.#away;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Another connection to the same, as soon as there is one; null where this one was closed before. */
  async another(): Promise<RedisConnection | null> {
    while (!this.#isClosed) {
      const other = await RedisConnection.open(this.#url).catch((error: unknown) => {
        this.lose(toldOf(error));
        return null;
      });
      if (other) return other;
      await this.back();
    }
    return null;
  }

  #watch(client: Client): void {
    const lose = (error: unknown): void => {
      if (client === this.#client) this.lose(toldOf(error));
    };
    client.on('error', lose).on('terminated', lose);
  }

  /**
   * Asks; a `StoreAwayError` where there is no answer.
   * @param milliseconds that it may take beyond the usual time
   */
  async ask<Answer>(work: (client: Client) => Promise<Answer>, milliseconds = 0): Promise<Answer> {
    if (this.#isClosed) throw new StoreAwayError('the live store is closed');
    if (this.#away !== null) throw this.#error();
    const client = this.#client;
    try {
      return await inTime(work(client), milliseconds);
    } catch (error) {
      if (error instanceof UserError || (error instanceof ErrorReply && !UNABLE.test(error.message))) throw error;
      if (client === this.#client) this.lose(toldOf(error));
      throw this.#error(error);
    }
  }

  #error(cause?: unknown): StoreAwayError {
    return new StoreAwayError(`the live store does not answer (${this.#away ?? 'the connection was lost'})`, { cause });
  }

  /** It is away, as somebody noticed. */
  lose(reason: string): void {
    if (this.#away !== null || this.#isClosed) return;
    this.#away = reason;
    this.#epoch++;
    this.#options.changed?.(reason);
    this.#finding = this.#find();
  }

  async #find(): Promise<void> {
    for (let trial = 1; !this.#isClosed; trial++) {
      try {
        if (!this.#client.isReady || trial % SILENT_TRIALS === 0) await this.#connectAnew();
        await inTime(this.#client.ping());
        await inTime(Promise.resolve(this.#options.check?.(this.#client)));
        this.#away = null;
        this.#options.changed?.(null);
        return;
      } catch (error) {
        this.#away = toldOf(error);
      }
      await sleep(TRIAL_MILLISECONDS, undefined, { ref: false });
    }
  }

  async #connectAnew(): Promise<void> {
    end(this.#client);
    const client = clientFor(this.#url);
    this.#client = client;
    this.#watch(client);
    await inTime(client.connect());
    if (this.#isClosed) end(client);
  }

  /** Waits until it answers, or is closed. */
  async back(): Promise<void> {
    await this.#finding;
  }

  /** After what was sent is answered. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#away === null) await inTime(this.#client.close()).catch(() => undefined);
    end(this.#client);
  }

  /** At once. */
  destroy(): void {
    this.#isClosed = true;
    end(this.#client);
  }
}

/** Without its cause, which may know the address with its password. */
export const cannotOpen = (url: string, error: unknown): UserError =>
  new UserError(`${shownUrl(url)} cannot be opened as a live store: ${toldOf(error)}`);

/** At once, if it is not at its end. */
function end(client: Client): void {
  if (client.isOpen) client.destroy();
}

const toldOf = (error: unknown): string => messageOf(error) || (error instanceof Error ? error.name : 'it is gone');

async function inTime<Result>(work: Promise<Result>, more = 0): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // a busy thread may have let the time pass with the answer lying there
      void breathe()
        .then(breathe)
        .then(() => reject(new Error(`no answer within ${ANSWER_MILLISECONDS + more} ms`)));
    }, ANSWER_MILLISECONDS + more);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
