/**
 * Collects events and sends them together: after a while, when there are many, and when the page is hidden. Knows queues and pages; does not
 * know HTTP.
 *
 * Every event gets an id and its time when it is tracked, so that sending it twice counts once. It waits until the server has answered, also
 * while it is under way: a page that is left sends it again, for what was under way breaks off with the page. What cannot be sent now is sent
 * later; beyond `capacity` the oldest go.
 */
import type { Event, EventsAnswer, SessionEvent } from '../serve/schemas/index.js';
import { LIMITS } from '../serve/schemas/limits.js';
import { reasonOf } from '../serve/schemas/rejections.js';
import type { WriteOptions } from './call-options.js';
import { SesrecError } from './errors.js';
import { randomId } from './ids.js';
import { timerOf } from './retrying.js';

export interface TrackerOptions {
  /** Whose events they are, unless an event says. */
  readonly user?: string;
  /** Milliseconds after which they are sent; 1000 unless told. */
  readonly flushAfter?: number;
  /** So many are sent at once; 50 unless told. */
  readonly flushAt?: number;
  /** How many are kept when they could not be sent; 1000, or `flushAt` where that is more, unless told. */
  readonly capacity?: number;
  /** Told of events that the server refuses, and of those that had to go. */
  readonly onLost?: (lost: readonly { readonly event: Event; readonly why: string }[]) => void;
}

export type TrackedEvent = SessionEvent & { readonly user?: string };

type Send = (events: readonly Event[], options: WriteOptions) => Promise<EventsAnswer>;

interface Waiting {
  readonly event: Event;
  /** As they are sent, with a comma. */
  readonly bytes: number;
  /** It is under way in a call that outlives the page. */
  isOutliving: boolean;
  /** How many calls had got through when it failed by itself, for a reason that may not be its own; null where it did not. */
  failedAfter: number | null;
}

const UTF_8 = new TextEncoder();

/** Browsers let 64 KiB go on behind a page that is left, all calls together. */
const KEPT_ALIVE_BYTES = 60_000;

/** Of one call otherwise: less than what servers and the proxies before them usually take. */
const BATCH_BYTES = 1_000_000;

/** How many may wait that nobody has tried to send: more than any page has. */
const MOST_UNTRIED = 100_000;

/** Something is wrong with what was sent, perhaps with one event. */
const OF_THE_EVENTS: readonly number[] = [400, 413, 422];

/** After a call that got through, the next may have so many times as many. */
const GROWTH = 1.25;

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
  #queue: Waiting[] = [];
  /** How many go into one call: halved where fewer may get through. */
  #most: number = LIMITS.events;
  /** How many calls got through. */
  #through = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Something could not be sent: many new events are no reason to ask earlier. */
  #isPatient = false;
  #sending: Promise<void> | null = null;

  constructor(send: Send, options: TrackerOptions) {
    this.#send = send;
    this.#options = options;
    this.#page?.addEventListener('visibilitychange', this.#onVisibility);
  }

  /** How many the server has not answered for. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Takes an event as it is now; the id that it has from now on, for events that it leads to. */
  track(event: TrackedEvent): string {
    const { user = this.#options.user, id = randomId(), time = Date.now() } = event;
    if (user === undefined) throw new TypeError('an event needs a user: give one to the tracker or the event');
    const text = written({ ...event, user, id, time });
    const bytes = UTF_8.encode(text).length + 1;
    this.#queue.push({ event: JSON.parse(text) as Event, bytes, isOutliving: false, failedAfter: null });
    const { flushAt = 50, flushAfter = 1000, capacity = 0 } = this.#options;
    this.#keepWithin(Math.max(capacity, MOST_UNTRIED), 'too many wait to be sent');
    if (this.#queue.length >= flushAt && !this.#isPatient) void this.flush();
    else this.#timer ??= timerOf(() => void this.flush(), flushAfter);
    return id;
  }

  /** Sends what waits. Never fails: what could not be sent waits on, what the server refuses goes to `onLost`. */
  async flush({ keepalive = false }: { keepalive?: boolean } = {}): Promise<void> {
    this.#stopWaiting();
    if (keepalive) return this.#sendAll(true); // there may be no later
    this.#sending ??= this.#sendAll(false).finally(() => (this.#sending = null));
    return this.#sending;
  }

  /** Sends what waits and listens to the page no more. */
  async close(): Promise<void> {
    this.#page?.removeEventListener('visibilitychange', this.#onVisibility);
    await this.flush();
  }

  readonly #onVisibility = (): void => void this.flush({ keepalive: this.#isHidden });

  get #isHidden(): boolean {
    return this.#page?.visibilityState === 'hidden';
  }

  /** @param isLast there may be no later: as many as can go, at once */
  async #sendAll(isLast: boolean): Promise<void> {
    let most = isLast ? LIMITS.events : this.#most;
    while (this.#queue.length > 0) {
      const keepalive = isLast || this.#isHidden;
      const batch = keepalive ? this.#outliving(most) : this.#oldest(most);
      if (batch.length === 0) this.#tryLater();
      if (batch.length === 0 || !(await this.#attempt(batch, keepalive))) return;
      most = this.#most;
    }
  }

  /** Whether to go on at once. */
  async #attempt(batch: readonly Waiting[], keepalive: boolean): Promise<boolean> {
    try {
      for (const waiting of batch) waiting.isOutliving ||= keepalive;
      // In a page that is hidden nothing may happen between two tries: what fails waits where the next call finds it.
      const options = keepalive ? { keepalive, retries: 0 } : {};
      const { rejected } = await this.#send(
        batch.map(({ event }) => event),
        options,
      );
      const whys = new Map(rejected.map((rejection) => [batch[rejection.index], reasonOf(rejection)]));
      this.#tellLost(this.#leave(batch), (waiting) => whys.get(waiting));
      this.#through++;
      this.#most = Math.min(LIMITS.events, Math.ceil(GROWTH * this.#most));
      return true;
    } catch (error) {
      return this.#failed(batch, error);
    } finally {
      if (keepalive) for (const waiting of batch) waiting.isOutliving = false;
    }
  }

  /** Whether to go on at once. What is wrong with one event costs no other; what is wrong with the server or the key costs none. */
  #failed(batch: readonly Waiting[], error: unknown): boolean {
    const alone = batch.length === 1 ? batch[0] : undefined;
    const { status, code, isPassing, retryAfter, message } =
      error instanceof SesrecError ? error : new SesrecError(String(error), { code: 'network' });
    const isOfTheEvents = OF_THE_EVENTS.includes(status);
    const isSlow = code === 'timeout' || status === 408;
    const isUnclear = !isOfTheEvents && !isSlow && !isPassing;
    if (isOfTheEvents || isUnclear || isSlow) this.#most = Math.max(1, Math.floor(batch.length / 2));
    if (alone && (isOfTheEvents || (isUnclear && this.#isItself(alone))))
      this.#tellLost(this.#leave(batch), () => message);
    else if (alone && isUnclear) {
      alone.failedAfter = this.#through;
      const left = this.#leave(batch);
      this.#queue.push(...left); // others have their turn
    }
    if (isOfTheEvents) return true;
    const { flushAt = 50, capacity = Math.max(1000, flushAt) } = this.#options;
    this.#keepWithin(capacity, `too many could not be sent: ${message}`);
    this.#tryLater(retryAfter);
    return false;
  }

  /** Whether the event is what is wrong: it failed by itself before, and others got through since. */
  #isItself({ failedAfter }: Waiting): boolean {
    return failedAfter !== null && failedAfter < this.#through;
  }

  /** The oldest go where there are more than may be kept. */
  #keepWithin(most: number, why: string): void {
    const tooMany = this.#queue.length - most;
    if (tooMany > 0) this.#tellLost(this.#queue.splice(0, tooMany), () => why);
  }

  /** Keeps no process of Node.js alive. */
  #tryLater(retryAfter: number | null = null): void {
    this.#stopWaiting();
    this.#isPatient = true;
    this.#timer = timerOf(() => void this.flush(), Math.max(10 * (this.#options.flushAfter ?? 1000), retryAfter ?? 0));
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isPatient = false;
  }

  /** The oldest ones for a call, at least one. */
  #oldest(most: number): Waiting[] {
    let bytes = 0;
    const over = this.#queue.slice(0, most).findIndex((waiting) => (bytes += waiting.bytes) > BATCH_BYTES);
    return this.#queue.slice(0, over === -1 ? most : Math.max(1, over));
  }

  /** The oldest ones for which there is room in what may outlive a page, and which are in no such call yet. */
  #outliving(most: number): Waiting[] {
    let room = KEPT_ALIVE_BYTES;
    for (const { isOutliving, bytes } of this.#queue) if (isOutliving) room -= bytes;
    const fits = ({ isOutliving, bytes }: Waiting): boolean => !isOutliving && bytes <= room && (room -= bytes) >= 0;
    return this.#queue.filter(fits).slice(0, most);
  }

  /** Takes events out of the queue; those of them that were in it. */
  #leave(batch: readonly Waiting[]): Waiting[] {
    const leaving = new Set(batch);
    const left = this.#queue.filter((waiting) => leaving.has(waiting));
    this.#queue = this.#queue.filter((waiting) => !leaving.has(waiting));
    return left;
  }

  #tellLost(left: readonly Waiting[], whyOf: (waiting: Waiting) => string | undefined): void {
    const lost = left.flatMap((waiting) => {
      const why = whyOf(waiting);
      return why === undefined ? [] : [{ event: waiting.event, why }];
    });
    if (lost.length > 0) this.#options.onLost?.(lost);
  }
}

/** An event as it is sent. */
function written(event: Event): string {
  try {
    return JSON.stringify(event);
  } catch (error) {
    throw new TypeError(`JSON cannot hold this event: ${(error as Error).message}`, { cause: error });
  }
}
