/**
 * Takes events from a stream, beside those that come over HTTP. Knows batches, and what becomes of a message that is no event; does not know which stream it is.
 *
 * At least once: a message is done when the store has answered for its events. Whatever comes again is known by its ids; an event without one gets that of its
 * place in the stream, and one without a time that of its message. No message holds up those behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../base/index.js';
import { StoreAwayError } from '../online/index.js';
import { depthOf } from './bodies.js';
import { RequestProblem, withoutContent } from './problems.js';
import { LIMITS } from './schemas/index.js';
import { reasonOf } from './schemas/rejections.js';
import type { Service } from './service.js';
import { takeEvents } from './taking-events.js';

/** A message of a stream. One of the three must be called. */
export interface StreamMessage {
  /** Tells it from every other one, also when it comes again. */
  readonly id: string;
  /** When the stream took it, milliseconds since 1970. */
  readonly time: number;
  readonly body: Uint8Array;
  /** Messages behind it. */
  readonly pending: number;
  done(): void;
  /** It is to come again, after a while. */
  again(milliseconds: number): void;
  /** It is of no use: these parts of it go where such things go, if they go anywhere, and it does not come again. */
  refuse(parts: readonly Refused[]): Promise<void>;
}

export interface Refused {
  /** The message as it came; where only some events of a list are refused, each as JSON, with numbers as precise as a double is. */
  readonly content: Uint8Array | string;
  readonly reason: string;
}

export interface EventStream {
  /** What has come, at most so many at once; ends when it is closed. */
  batches(most: number): AsyncIterable<readonly StreamMessage[]>;
  /** Null while it delivers; else what is wrong. */
  trouble(): string | null;
  /** No more is taken; `batches` ends after the batch at hand. */
  stop(): Promise<void>;
  /** After what was said of messages has arrived. */
  close(): Promise<void>;
}

/** Messages of one batch. */
const MOST = 500;
/** A message that could not be taken for want of the store comes again after so long, and one that met a bug. */
const AGAIN_MILLISECONDS = 1000;
/** What cannot be moved away comes again after twice as long each time, at most after this. */
const MOST_AGAIN_MILLISECONDS = 60_000;
/** A message that meets a bug so often is refused. */
const MOST_BUGS = 5;

/** A message, and the events in it. */
interface Opened {
  readonly message: StreamMessage;
  readonly isList: boolean;
  readonly values: readonly unknown[];
}

export class Intake {
  readonly #stream: EventStream;
  readonly #service: Service;
  readonly #tell: (what: string, more: object) => void;
  readonly #bugs = new Map<string, number>();
  /** Since what is refused could not be moved: when that is tried again, and how long is waited for it. */
  #unmoved = { until: 0, milliseconds: 0 };
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;

  /** Begins at once. `tell`: says something in the log, never of a person. */
  constructor(stream: EventStream, service: Service, tell: (what: string, more: object) => void) {
    this.#stream = stream;
    this.#service = service;
    this.#tell = tell;
    this.#running = this.#run();
  }

  trouble(): string | null {
    return this.#stream.trouble() ?? (this.#isStuck() ? 'what is no event cannot be moved away' : null);
  }

  async #run(): Promise<void> {
    const { metrics } = this.#service;
    for await (const batch of this.#stream.batches(MOST)) {
      metrics.streamPending.set(batch.at(-1)?.pending ?? 0);
      const opened: Opened[] = [];
      for (const message of batch) {
        const found = open(message);
        if (typeof found === 'string') await this.#refuse(message, [{ content: message.body, reason: found }]);
        else opened.push(found);
      }
      for (const part of inParts(opened)) await this.#take(part);
    }
  }

  /** Takes the events of some messages together; where that meets a bug, one message after another. */
  async #take(opened: readonly Opened[]): Promise<void> {
    const values = opened.flatMap(named);
    try {
      const { rejected } = values.length === 0 ? { rejected: [] } : await takeEvents(this.#service, values);
      const reasons = new Map(rejected.map((rejection) => [rejection.index, reasonOf(rejection)]));
      let index = 0;
      for (const { message, isList, values: own } of opened) {
        const refused = own.flatMap((value): Refused[] => {
          const reason = reasons.get(index++);
          return reason === undefined ? [] : [{ content: isList ? JSON.stringify(value) : message.body, reason }];
        });
        if (refused.length > 0) await this.#refuse(message, refused);
        else this.#done(message);
      }
    } catch (error) {
      if (error instanceof StoreAwayError || (error instanceof RequestProblem && error.code === 'not_ready')) {
        for (const { message } of opened) this.#again(message, AGAIN_MILLISECONDS);
        await sleep(AGAIN_MILLISECONDS, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      } else if (opened.length > 1) for (const one of opened) await this.#take([one]);
      else for (const { message } of opened) await this.#metBug(message, error);
    }
  }

  #done(message: StreamMessage): void {
    message.done();
    this.#bugs.delete(message.id);
    this.#service.metrics.streamMessages.inc({ result: 'taken' });
  }

  #again(message: StreamMessage, milliseconds: number): void {
    message.again(milliseconds);
    this.#service.metrics.streamMessages.inc({ result: 'again' });
  }

  async #metBug(message: StreamMessage, error: unknown): Promise<void> {
    const bugs = (this.#bugs.get(message.id) ?? 0) + 1;
    this.#tell('bug', { message: message.id, error: error instanceof Error ? error.stack : String(error) });
    if (bugs >= MOST_BUGS) return this.#refuse(message, [{ content: message.body, reason: 'a bug; the log has it' }]);
    this.#bugs.set(message.id, bugs);
    this.#again(message, AGAIN_MILLISECONDS);
  }

  /** Moves it away. Once that fails, a message at a time tries it again and the others wait: each try takes time, which what is sound would wait for. */
  async #refuse(message: StreamMessage, refused: readonly Refused[]): Promise<void> {
    const wait = this.#unmoved.until - Date.now();
    if (wait > 0) return this.#again(message, wait);
    try {
      await message.refuse(refused);
      this.#unmoved = { until: 0, milliseconds: 0 };
      this.#bugs.delete(message.id);
      this.#service.metrics.streamMessages.inc({ result: 'refused' });
      for (const { reason } of refused) this.#tell('no event', { message: message.id, reason: withoutContent(reason) });
    } catch (error) {
      const isNew = !this.#isStuck();
      const milliseconds = isNew
        ? AGAIN_MILLISECONDS
        : Math.min(2 * this.#unmoved.milliseconds, MOST_AGAIN_MILLISECONDS);
      this.#unmoved = { until: Date.now() + milliseconds, milliseconds };
      if (isNew)
        this.#tell('what is no event cannot be moved away: it comes again until it can', {
          message: message.id,
          error: messageOf(error),
        });
      this.#again(message, milliseconds);
    }
  }

  /** Until it succeeds, or nothing is left here to try it with: another server may have moved it. */
  #isStuck(): boolean {
    return Date.now() < this.#unmoved.until + MOST_AGAIN_MILLISECONDS;
  }

  /** Takes no more, waits for what is at hand, and says good-bye. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#stream.stop();
    await this.#running;
    await this.#stream.close();
  }
}

/** A message with its events: one, or a list. What it is instead, as a text, where it is neither. */
function open(message: StreamMessage): Opened | string {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(message.body);
    if (depthOf(text) > LIMITS.depth) return `is nested deeper than ${LIMITS.depth} levels`;
    value = JSON.parse(text);
  } catch (error) {
    return `is no JSON: ${error instanceof SyntaxError ? 'it cannot be parsed' : 'it is not valid UTF-8'}`;
  }
  const isList = Array.isArray(value);
  const values: readonly unknown[] = isList ? (value as unknown[]) : [value];
  if (values.length > LIMITS.events) return `has ${values.length} events: at most ${LIMITS.events} are taken at once`;
  return { message, isList, values };
}

/** Its events, with an id and a time where they have none. */
const named = ({ message: { id, time }, values }: Opened): unknown[] =>
  values.map((event, place) => {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
    const isSearch = (event as { readonly type?: unknown }).type === 'search'; // whose id clicks must know
    return { ...(isSearch ? {} : { id: `${id} ${place}` }), time, ...event };
  });

/** Neighbours together, as many as are taken at once. */
function inParts(opened: readonly Opened[]): Opened[][] {
  const parts: Opened[][] = [];
  let events = Infinity;
  for (const one of opened) {
    events += one.values.length;
    if (events > LIMITS.events) {
      parts.push([]);
      events = one.values.length;
    }
    parts.at(-1)?.push(one);
  }
  return parts;
}
