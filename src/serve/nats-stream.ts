/**
 * A stream of NATS JetStream to take events from. Knows connections, the durable consumer and acknowledgements; does not know what messages mean.
 *
 * The stream is whoever runs NATS'; the consumer is made where there is none. How much may be under way is bounded by the consumer and by what is pulled,
 * so that a slow store is waited for and memory stays as it is. Lost connections and consumers come back by themselves.
 */
import { readFile } from 'node:fs/promises';
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import {
  type ConnectionOptions,
  type NatsConnection,
  connect,
  credsAuthenticator,
  headers,
} from '@nats-io/transport-node';
import { UserError, messageOf, shownUrl } from '../base/index.js';
import type { EventStream, Refused, StreamMessage } from './intake.js';

/** Messages that lie here unlooked at, and those that are neither done nor given back, on all servers. */
const [PULLED, UNDER_WAY] = [500, 5000];
/** A message that nothing is heard of comes again. */
const ACKNOWLEDGED_WITHIN_NANOSECONDS = 30e9;
/** After a loss. */
const AGAIN_MILLISECONDS = 1000;
/** What a stream that is away or hangs is waited for at the end. */
const CLOSED_WITHIN_MILLISECONDS = 3000;

export interface NatsOptions {
  /** `nats://[user:password@|token@]host[:port]`, or `tls://…`; `?creds=FILE` for a file of credentials. */
  readonly url: string;
  readonly stream: string;
  readonly consumer: string;
  /** Where what is of no use is moved to; empty: nowhere. */
  readonly deadLetters: string;
}

/** Connects. What is not there, or not as it should be, is a `UserError`. */
export async function openNatsStream(options: NatsOptions): Promise<EventStream> {
  const { url, stream, consumer, deadLetters } = options;
  const shown = shownUrl(url);
  const settings = await settingsOf(url);
  let connection: NatsConnection;
  try {
    connection = await connect(settings);
  } catch (error) {
    throw new UserError(`events cannot be taken from ${shown}: ${messageOf(error)}`);
  }
  try {
    const manager = await jetstreamManager(connection);
    const config = await ensureConsumer(manager, stream, consumer);
    if (deadLetters !== '') {
      const keeper = await manager.streams.find(deadLetters).catch(() => {
        throw new UserError(
          `no stream at ${shown} keeps the subject ${deadLetters}, where what is no event should go: make one`,
        );
      });
      if (keeper === stream && isDelivered(deadLetters, config))
        throw new UserError(
          `what is no event would come back from ${deadLetters}: the consumer ${consumer} of ${stream} delivers that subject too; name one that another stream keeps, or give the consumer a filter without it`,
        );
    }
    return new NatsStream(connection, manager, options);
  } catch (error) {
    await connection.close();
    if (error instanceof UserError) throw error;
    const reason = isCode(error, JetStreamApiCodes.StreamNotFound)
      ? `there is no stream ${stream}: make it (nats stream add)`
      : messageOf(error);
    throw new UserError(`events cannot be taken from ${shown}: ${reason}`);
  }
}

async function settingsOf(url: string): Promise<ConnectionOptions> {
  if (!/^(nats|tls):\/\//i.test(url) || !URL.canParse(url))
    throw new UserError(`${shownUrl(url)} is no stream of events: nats://host:port or tls://host:port is wanted`);
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const creds = searchParams.get('creds');
  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw new UserError(`${shownUrl(url)} cannot be read: a % in a user, password or token is written %25`);
    }
  };
  const [user, pass] = [decoded(username), decoded(password)];
  return {
    servers: `${hostname}:${port || '4222'}`,
    name: 'sesrec',
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true, // a password that is changed here and there may differ for a while
    reconnectTimeWait: AGAIN_MILLISECONDS,
    ...(protocol === 'tls:' ? { tls: {} } : {}),
    ...(user === '' ? {} : pass === '' ? { token: user } : { user, pass }),
    ...(creds === null ? {} : { authenticator: credsAuthenticator(await credentialsIn(creds)) }),
  };
}

async function credentialsIn(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new UserError(`${file} cannot be read: ${messageOf(error)}`);
  }
}

const isCode = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;

async function ensureConsumer(manager: JetStreamManager, stream: string, consumer: string): Promise<ConsumerConfig> {
  try {
    const { config } = await manager.consumers.info(stream, consumer);
    if (config.ack_policy !== AckPolicy.Explicit || config.deliver_subject !== undefined)
      throw new UserError(
        `the consumer ${consumer} of ${stream} must be pulled from, with acknowledgements of each message`,
      );
    return config;
  } catch (error) {
    if (!isCode(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
    const { config } = await manager.consumers.add(stream, {
      durable_name: consumer,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ACKNOWLEDGED_WITHIN_NANOSECONDS,
      max_ack_pending: UNDER_WAY,
      max_deliver: -1,
    });
    return config;
  }
}

/** Whether a subject of its stream passes a consumer's filters. */
function isDelivered(subject: string, { filter_subject = '', filter_subjects = [] }: ConsumerConfig): boolean {
  const filters = [filter_subject, ...filter_subjects].filter((filter) => filter !== '');
  const parts = subject.split('.');
  const passes = (filter: string): boolean => {
    const wanted = filter.split('.');
    return (
      (wanted.at(-1) === '>' ? parts.length >= wanted.length : parts.length === wanted.length) &&
      wanted.every((part, place) => part === '>' || part === '*' || part === parts[place])
    );
  };
  return filters.length === 0 || filters.some(passes);
}

class NatsStream implements EventStream {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #client: JetStreamClient;
  readonly #options: NatsOptions;
  readonly #ending = new AbortController();
  #isConnected = true;
  #lost: string | null = null;
  #messages: ConsumerMessages | null = null;

  constructor(connection: NatsConnection, manager: JetStreamManager, options: NatsOptions) {
    this.#connection = connection;
    this.#manager = manager;
    this.#client = jetstream(connection);
    this.#options = options;
    void this.#watch();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') this.#isConnected = false;
      if (type === 'reconnect') this.#isConnected = true;
    }
  }

  trouble(): string | null {
    return this.#isConnected && this.#lost === null ? null : 'events from the stream do not arrive';
  }

  async *batches(most: number): AsyncGenerator<StreamMessage[]> {
    while (!this.#ending.signal.aborted) {
      try {
        const consumer = await this.#consumer();
        const messages = await consumer.consume({ max_messages: PULLED, abort_on_missing_resource: true });
        this.#messages = messages;
        this.#lost = null;
        if (this.#ending.signal.aborted) messages.stop();
        for await (const batch of gathered(messages, most)) yield batch.map((message) => this.#told(message));
        if (!this.#ending.signal.aborted) this.#lost = 'it ended';
      } catch (error) {
        this.#lost = messageOf(error);
      }
      await sleep(AGAIN_MILLISECONDS, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  async #consumer(): Promise<Consumer> {
    const { stream, consumer } = this.#options;
    if (this.#lost !== null) await ensureConsumer(this.#manager, stream, consumer);
    return this.#client.consumers.get(stream, consumer);
  }

  #told(message: JsMsg): StreamMessage {
    const { streamSequence, timestampNanos, pending } = message.info;
    // a stream that is made anew counts from 1 again
    const id = `${this.#options.stream} ${streamSequence} ${timestampNanos}`;
    return {
      id,
      time: Math.floor(timestampNanos / 1e6),
      body: message.data,
      pending,
      done: () => message.ack(),
      again: (milliseconds) => message.nak(milliseconds),
      refuse: async (parts) => this.#refuse(message, id, parts),
    };
  }

  async #refuse(message: JsMsg, id: string, parts: readonly Refused[]): Promise<void> {
    const { deadLetters } = this.#options;
    // what is there already, for a filter was changed meanwhile, would come again for ever
    if (deadLetters !== '' && message.subject !== deadLetters)
      for (const [place, { content, reason }] of parts.entries()) {
        const more = headers();
        more.set('Sesrec-Reason', reason);
        more.set('Sesrec-Subject', message.subject);
        more.set('Sesrec-Message', id);
        // told twice, it is kept once
        await this.#client.publish(deadLetters, content, { headers: more, msgID: `${id} ${place}` });
      }
    message.term();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#messages?.stop();
  }

  async close(): Promise<void> {
    const drained = this.#connection.drain().catch(() => undefined);
    await Promise.race([drained, sleep(CLOSED_WITHIN_MILLISECONDS, undefined, { ref: false })]);
    await this.#connection.close(); // or it would try to connect for ever
  }
}

/** What has come already comes together. */
async function* gathered(messages: ConsumerMessages, most: number): AsyncGenerator<JsMsg[]> {
  const iterator = messages[Symbol.asyncIterator]();
  let next = iterator.next();
  for (;;) {
    const first = await next;
    if (first.done) return;
    const batch = [first.value];
    next = iterator.next();
    next.catch(() => undefined); // thrown when it is waited for
    while (batch.length < most) {
      const found = await Promise.race([next, breathe(null)]);
      if (!found || found.done) break;
      batch.push(found.value);
      next = iterator.next();
      next.catch(() => undefined);
    }
    yield batch;
  }
}
