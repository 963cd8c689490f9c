/**
 * Collects events and sends them together: after a while, when there are many, and when the page is hidden. Knows queues and pages; does not
 * know HTTP.
 *
 * Every event gets an id and its time when it is tracked, so that sending it twice counts once. What cannot be sent now is kept
 * and sent later; beyond `capacity` the oldest go.
 */
import type { Event, EventsAnswer, Rejection, SessionEvent } from '../serve/schemas/index.js';
import { LIMITS } from '../serve/schemas/limits.js';
import type { WriteOptions } from './call-options.js';
import { SesrecError } from './errors.js';
import { randomId } from './ids.js';

export interface TrackerOptions {
  /** Whose events they are, unless an event says. */
  readonly user?: string;
  /** Milliseconds after which they are sent; 1000 unless told. */
  readonly flushAfter?: number;
  /** So many are sent at once; 50 unless told. */
  readonly flushAt?: number;
  /** How many are kept while they cannot be sent; 1000 unless told. */
  readonly capacity?: number;
  /** Told of events that the server refuses, and of those that had to go. */
  readonly onLost?: (lost: readonly { readonly event: Event; readonly why: string }[]) => void;
}

export type TrackedEvent = SessionEvent & { readonly user?: string };

type Send = (events: readonly Event[], options: WriteOptions) => Promise<EventsAnswer>;

/** Browsers let 64 KiB go on behind a page that is left. */
const KEPT_ALIVE_BYTES = 60_000;

/** The part of a page that is needed; absent outside of browsers. */
interface Page {
  readonly visibilityState: string;
  addEventListener(type: 'visibilitychange', listener: () => void): void;
  removeEventListener(type: 'visibilitychange', listener: () => void): void;
}

export class Tracker {
  readonly #send: Send;
  readonly #options: TrackerOptions;
  readonly #page = (globalThis as { readonly document?: Page }).document;
  #queue: Event[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #sending: Promise<void> | null = null;

  constructor(send: Send, options: TrackerOptions) {
    this.#send = send;
    this.#options = options;
    this.#page?.addEventListener('visibilitychange', this.#onVisibility);
  }

  /** How many wait to be sent. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Takes an event; the id that it has from now on, for events that it leads to. */
  track(event: TrackedEvent): string {
    const { user = this.#options.user, id = randomId(), time = Date.now() } = event;
    if (user === undefined) throw new TypeError('an event needs a user: give one to the tracker or the event');
    this.#queue.push({ ...event, user, id, time });
    this.#keepWithin();
    const { flushAt = 50, flushAfter = 1000 } = this.#options;
    if (this.#queue.length >= flushAt) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), flushAfter);
    return id;
  }

  /** Sends what waits. Never fails: what could not be sent waits on, what the server refuses goes to `onLost`. */
  async flush({ keepalive = false }: { keepalive?: boolean } = {}): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (keepalive) return this.#sendAll(true); // there may be no later
    this.#sending ??= this.#sendAll(false).finally(() => (this.#sending = null));
    return this.#sending;
  }

  /** Sends what waits and listens to the page no more. */
  async close(): Promise<void> {
    this.#page?.removeEventListener('visibilitychange', this.#onVisibility);
    await this.flush();
  }

  readonly #onVisibility = (): void => {
    if (this.#page?.visibilityState === 'hidden') void this.flush({ keepalive: true });
  };

  async #sendAll(keepalive: boolean): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, keepalive ? this.#fitting() : LIMITS.events);
      try {
        const { rejected } = await this.#send(batch, { keepalive });
        this.#refused(batch, rejected);
      } catch (error) {
        if (error instanceof SesrecError && !error.isPassing && error.code !== 'timeout')
          this.#lose(batch, error.message);
        else {
          this.#queue.unshift(...batch);
          this.#keepWithin();
          this.#tryLater();
          return;
        }
      }
    }
  }

  /** The oldest go where there are more than may be kept. */
  #keepWithin(): void {
    const tooMany = this.#queue.length - (this.#options.capacity ?? 1000);
    if (tooMany > 0) this.#lose(this.#queue.splice(0, tooMany), 'too many could not be sent');
  }

  /** Keeps no process of Node.js alive. */
  #tryLater(): void {
    this.#timer ??= setTimeout(() => void this.flush(), 10 * (this.#options.flushAfter ?? 1000));
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** How many of the first ones fit into what may outlive a page; at least one. */
  #fitting(): number {
    let bytes = 2;
    const over = this.#queue.findIndex((event) => (bytes += 1 + 3 * JSON.stringify(event).length) > KEPT_ALIVE_BYTES);
    return over === -1 ? this.#queue.length : Math.max(1, over);
  }

  #refused(batch: readonly Event[], rejected: readonly Rejection[]): void {
    const lost = rejected.flatMap(({ index, message, pointer }) => {
      const event = batch[index];
      return event ? [{ event, why: `${pointer} ${message}`.trim() }] : [];
    });
    if (lost.length > 0) this.#options.onLost?.(lost);
  }

  #lose(events: readonly Event[], why: string): void {
    this.#options.onLost?.(events.map((event) => ({ event, why })));
  }
}
