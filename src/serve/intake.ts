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
import { RequestProblem } from './problems.js';
import { LIMITS } from './schemas/index.js';
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
  /** As it came. */
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
/** A message that meets a bug so often is refused. */
const MOST_BUGS = 5;

/** A message, and the events in it. */
interface Opened {
  readonly message: StreamMessage;
  readonly values: readonly unknown[];
}

export class Intake {
  readonly #stream: EventStream;
  readonly #service: Service;
  readonly #tell: (what: string, more: object) => void;
  readonly #bugs = new Map<string, number>();
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
    return this.#stream.trouble();
  }

  async #run(): Promise<void> {
    const { metrics } = this.#service;
    for await (const batch of this.#stream.batches(MOST)) {
      metrics.streamPending.set(batch.at(-1)?.pending ?? 0);
      const opened: Opened[] = [];
      for (const message of batch) {
        const values = eventsIn(message);
        if (typeof values === 'string') await this.#refuse(message, [{ content: message.body, reason: values }]);
        else opened.push({ message, values });
      }
      for (const part of inParts(opened)) await this.#take(part);
    }
  }

  /** Takes the events of some messages together; where that meets a bug, one message after another. */
  async #take(opened: readonly Opened[]): Promise<void> {
    const values = opened.flatMap((one) => one.values);
    try {
      const { rejected } = values.length === 0 ? { rejected: [] } : await takeEvents(this.#service, values);
      const reasons = new Map(rejected.map(({ index, pointer, message }) => [index, `${pointer} ${message}`.trim()]));
      let index = 0;
      for (const { message, values: own } of opened) {
        const refused = own.flatMap((value): Refused[] => {
          const reason = reasons.get(index++);
          return reason === undefined ? [] : [{ content: JSON.stringify(value), reason }];
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

  async #refuse(message: StreamMessage, refused: readonly Refused[]): Promise<void> {
    try {
      await message.refuse(refused);
      this.#bugs.delete(message.id);
      this.#service.metrics.streamMessages.inc({ result: 'refused' });
      for (const { reason } of refused) this.#tell('no event', { message: message.id, reason });
    } catch (error) {
      this.#tell('what is no event could not be moved: it comes again', {
        message: message.id,
        error: messageOf(error),
      });
      this.#again(message, AGAIN_MILLISECONDS);
    }
  }

  /** Takes no more, waits for what is at hand, and says good-bye. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#stream.stop();
    await this.#running;
    await this.#stream.close();
  }
}

/** The events of a message: one, or a list. What it is instead, as a text, where it is neither. */
function eventsIn({ id, time, body }: StreamMessage): readonly unknown[] | string {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    if (depthOf(text) > LIMITS.depth) return `is nested deeper than ${LIMITS.depth} levels`;
    value = JSON.parse(text);
  } catch (error) {
    return `is no JSON: ${error instanceof SyntaxError ? 'it cannot be parsed' : 'it is not valid UTF-8'}`;
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > LIMITS.events) return `has ${values.length} events: at most ${LIMITS.events} are taken at once`;
  return values.map((event, place) => {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
    const isSearch = (event as { readonly type?: unknown }).type === 'search'; // whose id clicks must know
    return { ...(isSearch ? {} : { id: `${id} ${place}` }), time, ...event };
  });
}

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
