/**
 * The live store on Redis, for several servers that share it. Knows keys; does not know what events mean to a model, nor who else is connected.
 *
 * What one call writes is one script or one transaction: there whole or not at all, whoever else writes. A promise is kept when Redis has answered; what that is
 * worth after a power cut is `appendfsync`, and a Redis that keeps no log of its writes is refused. All keys share a hash tag.
 *
 *   sequence   the number of the newest event        events   number -> event
 *   user:U     number by time: the history of a user          ids   event id -> number
 *   counts     item -> actions                       revisions   user -> how often something about the user has changed
 *   items, users   ids of things                     thing:KIND:ID   name -> value, and when it was first upserted
 *   served     id by time                            lists    id -> what was served;  servedTo:U   ids
 *   erased     user -> time, and the newest number then       meta     what this store is, and which run answers
 *   change     the number of the newest change that others hear of;  changes   those changes, a stream
 *
 * Ids of users and events are kept as their SHA-256, as in the store on LMDB; numbers as digits of one length, so that equal times are in order.
 */
import { hashOf } from '../../base/index.js';
import { isActionType } from '../../data/index.js';
import type { Hooks } from '../engine-interface.js';
import type { LiveEvent } from '../questions.js';
import { RedisChanges } from './redis-changes.js';
import type { Client, RedisConnection } from './redis-connection.js';
import { ANNOUNCE, APPEND, DIGITS, ERASE, NOTE_ERASED, REPLACED } from './redis-scripts.js';
import {
  type ActiveRun,
  type Change,
  type FieldChanges,
  type Fields,
  type LiveStore,
  type Served,
  type Sharing,
  StoreAwayError,
  type StoredEvent,
  type StoredThing,
} from './store.js';

/** Entries that one command reads or erases. */
const STEP = 1000;

/** What an erasure has after its time; none in stores of before November 30, 2026. */
const throughOf = (erasure: string): number => Number(erasure.split(' ')[1] ?? Infinity);

const digitsOf = (sequence: number): string => String(sequence).padStart(DIGITS, '0');

/** The field of a thing with when it was first upserted: no name, which are all in quotes. */
const SINCE = 'since';

/** Ids as fields of a hash: any text, without loss. */
const fieldOf = (id: string): string => JSON.stringify(id);
const idOf = (field: string): string => JSON.parse(field) as string;

/** What a store begins with. */
export interface Beginning {
  readonly id: string;
  readonly sequence: number;
  readonly change: number;
  readonly process: string | null;
}

/** What a store tells whoever counts. */
export type StoreHooks = Pick<Hooks, 'flushed' | 'failed' | 'warned' | 'storeAway'>;

export class RedisStore implements LiveStore, Sharing {
  readonly id: string;
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #hooks: StoreHooks;
  readonly #beginning: Beginning;
  #sequence: number;
  #changes: Promise<RedisChanges | null> | null = null;

  constructor(connection: RedisConnection, tag: string, beginning: Beginning, hooks: StoreHooks) {
    this.#connection = connection;
    this.#prefix = `{${tag}}:`;
    this.#hooks = hooks;
    this.#beginning = beginning;
    this.id = beginning.id;
    this.#sequence = beginning.sequence;
  }

  get sharing(): Sharing {
    return this;
  }

  away(): string | null {
    return this.#connection.away;
  }

  async revisionOf(user: string): Promise<string> {
    const revision = await this.#ask(async (client) => client.hGet(this.#key('revisions'), hashOf(user)));
    // what was known before the connection was lost may be more than there is now
    return `${this.#connection.epoch} ${revision ?? 0}`;
  }

  follow(take: (change: Change) => Promise<void>): void {
    const { change: position, process } = this.#beginning;
    const options = {
      keys: { change: this.#key('change'), changes: this.#key('changes') },
      position,
      process,
      failed: (error: unknown) => this.#hooks.failed?.('hearing of changes', error),
      lost: () => void this.#ask(async (client) => client.ping()).catch(() => undefined), // is it away altogether?
    };
    this.#changes = this.#connection
      .another()
      .then((connection) => connection && new RedisChanges(connection, options, take));
  }

  async #ask<Answer>(work: (client: Client) => Promise<Answer>): Promise<Answer> {
    return this.#connection.ask(work);
  }

  /** The same, of what is to be kept: a Redis that was emptied would keep it for nobody. What `APPEND` does looks for itself. */
  async #write<Answer>(work: (client: Client) => Promise<Answer>): Promise<Answer> {
    return this.#ask(async (client) => {
      if ((await client.hGet(this.#key('meta'), 'id')) !== this.id) throw new Error(REPLACED);
      return work(client);
    });
  }

  #key(...parts: readonly string[]): string {
    return this.#prefix + parts.join(':');
  }

  #keys(...names: readonly string[]): string[] {
    return names.map((name) => this.#key(name));
  }

  sequence(): number {
    return this.#sequence;
  }

  async append(events: readonly LiveEvent[]): Promise<boolean[]> {
    if (events.length === 0) return [];
    const start = performance.now();
    const given = events.flatMap((event) => [
      event.id === undefined ? '' : hashOf(event.id),
      hashOf(event.user),
      String(event.time),
      JSON.stringify(event),
      event.item !== undefined && isActionType(event.type) ? fieldOf(event.item) : '',
    ]);
    const keys = [
      ...this.#keys('change', 'changes', 'sequence', 'events', 'ids', 'counts', 'revisions', 'meta'),
      this.#key('user', ''),
    ];
    const told = (await this.#ask(async (client) =>
      client.eval(APPEND, { keys, arguments: [this.id, ...given] }),
    )) as number[];
    this.#sequence = Math.max(this.#sequence, told.at(-1) ?? 0);
    this.#hooks.flushed?.({ milliseconds: performance.now() - start, writes: 1 });
    return events.map((_, i) => told[i] === 1);
  }

  async historyOf(user: string, limit: number): Promise<StoredEvent[]> {
    const key = this.#key('user', hashOf(user));
    const numbers = await this.#ask(async (client) => client.zRange(key, 0, limit - 1, { REV: true }));
    return this.#eventsOf(numbers.toReversed());
  }

  /** Those of some numbers that are there. */
  async #eventsOf(numbers: readonly string[]): Promise<StoredEvent[]> {
    if (numbers.length === 0) return [];
    const found = await this.#ask(async (client) => client.hmGet(this.#key('events'), [...numbers]));
    return numbers.flatMap((number, i) => {
      const text = found[i];
      return typeof text !== 'string' ? [] : [{ sequence: Number(number), event: JSON.parse(text) as LiveEvent }];
    });
  }

  async *events(after = 0): AsyncGenerator<StoredEvent> {
    const last = Number((await this.#ask(async (client) => client.get(this.#key('sequence')))) ?? 0);
    for (let from = after + 1; from <= last; from += STEP) {
      const count = Math.min(STEP, last - from + 1);
      yield* await this.#eventsOf(Array.from({ length: count }, (_, i) => digitsOf(from + i)));
    }
  }

  async upsert(kind: 'items' | 'users', things: readonly FieldChanges[], time: number): Promise<StoredThing[]> {
    const ids = [...new Set(things.map(({ id }) => id))];
    if (things.length > 0) {
      await this.#write(async (client) => {
        const writes = client.multi();
        for (const { id, fields } of things) {
          const key = this.#thingKey(kind, id);
          writes.sAdd(this.#key(kind), fieldOf(id)).hSetNX(key, SINCE, String(time));
          for (const [name, value] of fields) {
            if (value === null) writes.hDel(key, fieldOf(name));
            else writes.hSet(key, fieldOf(name), JSON.stringify(value));
          }
          if (kind === 'users') writes.hIncrBy(this.#key('revisions'), hashOf(id), 1);
        }
        if (kind === 'items') writes.eval(ANNOUNCE, this.#announcement('items', JSON.stringify(ids)));
        await writes.exec();
      });
    }
    return (await Promise.all(ids.map(async (id) => this.thing(kind, id)))).filter((thing) => thing !== null);
  }

  /** What `ANNOUNCE` is given. */
  #announcement(kind: Change['kind'], data: string): { keys: string[]; arguments: string[] } {
    return { keys: this.#keys('change', 'changes'), arguments: [kind, data] };
  }

  #thingKey(kind: 'items' | 'users', id: string): string {
    return this.#key('thing', kind, hashOf(id));
  }

  async thing(kind: 'items' | 'users', id: string): Promise<StoredThing | null> {
    const { [SINCE]: since, ...fields } = await this.#ask(async (client) => client.hGetAll(this.#thingKey(kind, id)));
    if (since === undefined) return null;
    const known: Fields = new Map(
      Object.entries(fields).map(([name, value]) => [idOf(name), JSON.parse(value) as string | readonly string[]]),
    );
    return { id, since: Number(since), fields: known };
  }

  async *things(kind: 'items' | 'users'): AsyncGenerator<StoredThing> {
    const seen = new Set<string>(); // a scan may tell of one twice
    let cursor = '0';
    do {
      const found = await this.#ask(async (client) => client.sScan(this.#key(kind), cursor, { COUNT: STEP }));
      ({ cursor } = found);
      const fresh = found.members.filter((field) => !seen.has(field));
      for (const field of fresh) seen.add(field);
      const things = await Promise.all([...new Set(fresh)].map(async (field) => this.thing(kind, idOf(field))));
      yield* things.filter((thing) => thing !== null);
    } while (cursor !== '0');
  }

  async *actionCounts(): AsyncGenerator<readonly [item: string, count: number]> {
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const found = await this.#ask(async (client) => client.hScan(this.#key('counts'), cursor, { COUNT: STEP }));
      ({ cursor } = found);
      for (const { field, value } of found.entries) {
        if (seen.has(field)) continue;
        seen.add(field);
        yield [idOf(field), Number(value)];
      }
    } while (cursor !== '0');
  }

  recordServed(served: Served): void {
    const id = fieldOf(served.id);
    const writing = this.#ask(async (client) => {
      const writes = client
        .multi()
        .hSet(this.#key('lists'), id, JSON.stringify(served))
        .zAdd(this.#key('served'), { score: served.time, value: id });
      if (served.user !== null) writes.sAdd(this.#key('servedTo', hashOf(served.user)), id);
      return writes.exec();
    });
    writing.catch((error: unknown) => {
      if (!(error instanceof StoreAwayError)) this.#hooks.failed?.('keeping what was served', error);
    });
  }

  async served(id: string): Promise<Served | null> {
    const text = await this.#ask(async (client) => client.hGet(this.#key('lists'), fieldOf(id)));
    return text === null ? null : (JSON.parse(text) as Served);
  }

  allServed(): AsyncGenerator<Served> {
    return this.#servedInOrder(false);
  }

  newestServed(): AsyncGenerator<Served> {
    return this.#servedInOrder(true);
  }

  async *#servedInOrder(isNewestFirst: boolean): AsyncGenerator<Served> {
    for (let from = 0; ; from += STEP) {
      const order = isNewestFirst ? { REV: true as const } : {};
      const ids = await this.#ask(async (client) => client.zRange(this.#key('served'), from, from + STEP - 1, order));
      if (ids.length === 0) return;
      const lists = await this.#ask(async (client) => client.hmGet(this.#key('lists'), ids));
      for (const text of lists) if (text !== null) yield JSON.parse(text) as Served;
    }
  }

  async forgetServed(before: number): Promise<number> {
    let forgotten = 0;
    for (;;) {
      const range = { BY: 'SCORE', LIMIT: { offset: 0, count: STEP } } as const;
      const ids = await this.#ask(async (client) => client.zRange(this.#key('served'), '-inf', `(${before}`, range));
      if (ids.length === 0) return forgotten;
      await this.#forget(ids);
      forgotten += ids.length;
    }
  }

  /** Lists that were served go. */
  async #forget(ids: readonly string[]): Promise<void> {
    const lists = await this.#ask(async (client) => client.hmGet(this.#key('lists'), [...ids]));
    await this.#ask(async (client) => {
      const writes = client
        .multi()
        .hDel(this.#key('lists'), [...ids])
        .zRem(this.#key('served'), [...ids]);
      ids.forEach((id, i) => {
        const text = lists[i];
        const user = typeof text === 'string' ? (JSON.parse(text) as Served).user : null;
        if (user !== null) writes.sRem(this.#key('servedTo', hashOf(user)), id);
      });
      await writes.exec();
    });
  }

  async erase(user: string, time: number): Promise<{ readonly events: number; readonly other: number }> {
    const hash = hashOf(user);
    let [events, other] = [0, 0];
    const erased = this.#announcement('erased', hash);
    const gone = await this.#write(async (client) =>
      client
        .multi()
        .del(this.#thingKey('users', user))
        .sRem(this.#key('users'), fieldOf(user))
        .eval(NOTE_ERASED, { keys: this.#keys('erased', 'sequence'), arguments: [hash, String(time)] })
        .hIncrBy(this.#key('revisions'), hash, 1)
        .eval(ANNOUNCE, erased)
        .exec(),
    );
    other += Number(gone[0]);
    const history = this.#key('user', hash);
    for (;;) {
      const numbers = await this.#ask(async (client) => client.zRange(history, 0, STEP - 1));
      if (numbers.length === 0) break;
      const found = new Map((await this.#eventsOf(numbers)).map(({ sequence, event }) => [sequence, event]));
      const given = numbers.flatMap((number) => {
        const event = found.get(Number(number));
        const counts = event?.item !== undefined && isActionType(event.type);
        return [number, event?.id === undefined ? '' : hashOf(event.id), counts ? fieldOf(event.item) : ''];
      });
      const keys = [...this.#keys('change', 'changes', 'events', 'ids', 'counts'), history];
      await this.#ask(async (client) => client.eval(ERASE, { keys, arguments: given }));
      events += numbers.length;
    }
    const served = await this.#ask(async (client) => client.sMembers(this.#key('servedTo', hash)));
    if (served.length > 0) await this.#forget(served);
    // what was read while it went is not kept either
    await this.#ask(async (client) =>
      client.multi().hIncrBy(this.#key('revisions'), hash, 1).eval(ANNOUNCE, erased).exec(),
    );
    return { events, other: other + served.length };
  }

  async erasedThrough(user: string): Promise<number | null> {
    const erasure = await this.#ask(async (client) => client.hGet(this.#key('erased'), hashOf(user)));
    return typeof erasure === 'string' ? throughOf(erasure) : null;
  }

  async *erasedUsers(): AsyncGenerator<readonly [hash: string, through: number]> {
    const all = await this.#ask(async (client) => client.hGetAll(this.#key('erased')));
    for (const [hash, erasure] of Object.entries(all)) yield [hash, throughOf(erasure)];
  }

  async rememberActive(active: ActiveRun): Promise<number> {
    const text = JSON.stringify(active);
    const done = await this.#write(async (client) =>
      client.multi().hSet(this.#key('meta'), 'active', text).eval(ANNOUNCE, this.#announcement('model', text)).exec(),
    );
    return Number(done[1]);
  }

  async activeRun(): Promise<ActiveRun | null> {
    const text = await this.#ask(async (client) => client.hGet(this.#key('meta'), 'active'));
    return text === null ? null : (JSON.parse(text) as ActiveRun);
  }

  async close(): Promise<void> {
    const closing = this.#connection.close(); // after what was sent is answered
    await (await this.#changes)?.close();
    await closing;
  }
}
