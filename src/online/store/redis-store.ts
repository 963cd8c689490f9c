/**
 * The live store on Redis, for several servers that share it. Knows keys and scripts; does not know what events mean to a model, nor who
 * else is connected.
 *
 * What one call writes is one script: there whole or not at all, whoever else writes. A promise is kept when Redis has answered; what that is
 * worth after a power cut is `appendfsync`, and a Redis that keeps no log of its writes is refused. All keys share a hash tag, so that
 * a cluster has them in one place.
 *
 *   sequence   the number of the newest event        events   number -> event
 *   user:U     number by time: the history of a user          ids   event id -> user and number
 *   counts     item -> actions
 *   items, users   ids of things                     thing:KIND:ID   name -> value, and when it was first upserted
 *   served     id by time                            lists    id -> what was served;  servedTo:U   ids
 *   erased     users                                 meta     what this store is, and which run answers
 *
 * Ids of users and events are kept as their SHA-256, as in the store on LMDB; numbers as digits of one length, so that equal times are in order.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createClient } from '@redis/client';
import { CorruptFileError, UserError, messageOf } from '../../base/index.js';
import { isActionType } from '../../data/index.js';
import type { Hooks, LiveEvent } from '../questions.js';
import type { ActiveRun, FieldChanges, Fields, LiveStore, Served, StoredEvent, StoredThing } from './store.js';

const FORMAT = '1';
/** Entries that one command reads or erases. */
const STEP = 1000;
/** Digits of a number as it lies there. */
const DIGITS = 16;

const hashOf = (id: string): string => createHash('sha256').update(id).digest('hex');
const digitsOf = (sequence: number): string => String(sequence).padStart(DIGITS, '0');

/** The field of a thing with when it was first upserted: no name, which are all in quotes. */
const SINCE = 'since';

/** KEYS: sequence, events, ids, counts, and the prefix of histories; ARGV: five of each event: id, user, time, event, item that counts. */
const APPEND = `
local isNew = {}
for i = 1, #ARGV, 5 do
  local id, user, time, event, item = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if id ~= '' and redis.call('HEXISTS', KEYS[3], id) == 1 then
    isNew[#isNew + 1] = 0
  else
    local number = string.format('%0${DIGITS}d', redis.call('INCR', KEYS[1]))
    redis.call('HSET', KEYS[2], number, event)
    redis.call('ZADD', KEYS[5] .. user, time, number)
    if id ~= '' then redis.call('HSET', KEYS[3], id, number) end
    if item ~= '' then redis.call('HINCRBY', KEYS[4], item, 1) end
    isNew[#isNew + 1] = 1
  end
end
isNew[#isNew + 1] = tonumber(redis.call('GET', KEYS[1]))
return isNew`;

/** KEYS: events, ids, counts, history; ARGV: three of each event: number, id, item that counts. */
const ERASE = `
for i = 1, #ARGV, 3 do
  if redis.call('HDEL', KEYS[1], ARGV[i]) == 1 and ARGV[i + 2] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[i + 2], -1) end
  redis.call('ZREM', KEYS[4], ARGV[i])
  if ARGV[i + 1] ~= '' then redis.call('HDEL', KEYS[2], ARGV[i + 1]) end
end
return 1`;

/** Milliseconds before a connection that was lost is tried again, at most. */
const LONGEST_WAIT = 2000;

/** @param wasOpen whether it was ever connected: one that never was is not tried again and again */
const clientFor = (url: string, wasOpen: () => boolean) =>
  createClient({
    url,
    socket: {
      reconnectStrategy: (tries) => (wasOpen() ? Math.min(LONGEST_WAIT, 50 * 2 ** Math.min(tries, 10)) : false),
    },
  });
type Client = ReturnType<typeof clientFor>;

export interface RedisOptions {
  /** Before every key: stores of several sites in one Redis. */
  readonly prefix?: string;
  readonly hooks?: Pick<Hooks, 'flushed' | 'failed'>;
}

/** Opens a store at redis://host:port/database, or makes one where there is none. */
export async function openRedisStore(
  url: string,
  { prefix = 'sesrec', hooks = {} }: RedisOptions = {},
): Promise<LiveStore> {
  let wasOpen = false;
  const client = clientFor(url, () => wasOpen);
  client.on('error', (error: unknown) => hooks.failed?.('talking to Redis', error));
  try {
    await client.connect();
    wasOpen = true;
    await refuseForgetful(client, url);
    return await RedisStore.open(client, prefix, hooks);
  } catch (error) {
    client.destroy();
    if (error instanceof UserError) throw error;
    throw new UserError(`${url} cannot be opened as a live store: ${messageOf(error)}`, { cause: error });
  }
}

/** A store that forgets what it has answered for is none. Where the settings may not be read, nobody knows. */
async function refuseForgetful(client: Client, url: string): Promise<void> {
  const { appendonly } = await client.configGet('appendonly').catch(() => ({ appendonly: 'unknown' }));
  if (appendonly === 'no')
    throw new UserError(
      `${url} keeps no log of its writes, so that what was acknowledged would be lost: set appendonly yes, and appendfsync always`,
    );
}

/** Ids as fields of a hash: any text, without loss. */
const fieldOf = (id: string): string => JSON.stringify(id);
const idOf = (field: string): string => JSON.parse(field) as string;

export class RedisStore implements LiveStore {
  readonly id: string;
  readonly #client: Client;
  readonly #prefix: string;
  readonly #hooks: Pick<Hooks, 'flushed' | 'failed'>;
  #sequence: number;

  private constructor(client: Client, prefix: string, hooks: RedisOptions['hooks'], id: string, sequence: number) {
    this.#client = client;
    this.#prefix = prefix;
    this.#hooks = hooks ?? {};
    this.id = id;
    this.#sequence = sequence;
  }

  static async open(client: Client, tag: string, hooks: RedisOptions['hooks']): Promise<RedisStore> {
    const prefix = `{${tag}}:`;
    const meta = `${prefix}meta`;
    await client.hSetNX(meta, 'id', randomUUID());
    await client.hSetNX(meta, 'format', FORMAT);
    const { id, format } = await client.hGetAll(meta);
    if (id === undefined || format !== FORMAT)
      throw new CorruptFileError(`the store ${tag} has format version ${format}, this program reads ${FORMAT}`);
    return new RedisStore(client, prefix, hooks, id, Number((await client.get(`${prefix}sequence`)) ?? 0));
  }

  #key(...parts: readonly string[]): string {
    return this.#prefix + parts.join(':');
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
    const keys = [...['sequence', 'events', 'ids', 'counts'].map((name) => this.#key(name)), this.#key('user', '')];
    const told = (await this.#client.eval(APPEND, { keys, arguments: given })) as number[];
    this.#sequence = Math.max(this.#sequence, told.at(-1) ?? 0);
    this.#hooks.flushed?.({ milliseconds: performance.now() - start, writes: 1 });
    return events.map((_, i) => told[i] === 1);
  }

  async historyOf(user: string, limit: number): Promise<StoredEvent[]> {
    const numbers = await this.#client.zRange(this.#key('user', hashOf(user)), 0, limit - 1, { REV: true });
    return this.#eventsOf(numbers.toReversed());
  }

  /** Those of some numbers that are there. */
  async #eventsOf(numbers: readonly string[]): Promise<StoredEvent[]> {
    if (numbers.length === 0) return [];
    const found = await this.#client.hmGet(this.#key('events'), [...numbers]);
    return numbers.flatMap((number, i) => {
      const text = found[i];
      return text == null ? [] : [{ sequence: Number(number), event: JSON.parse(text) as LiveEvent }];
    });
  }

  async *events(after = 0): AsyncGenerator<StoredEvent> {
    const last = Number((await this.#client.get(this.#key('sequence'))) ?? 0);
    for (let from = after + 1; from <= last; from += STEP) {
      const count = Math.min(STEP, last - from + 1);
      yield* await this.#eventsOf(Array.from({ length: count }, (_, i) => digitsOf(from + i)));
    }
  }

  async upsert(kind: 'items' | 'users', things: readonly FieldChanges[], time: number): Promise<StoredThing[]> {
    if (things.length > 0) {
      const writes = this.#client.multi();
      for (const { id, fields } of things) {
        const key = this.#thingKey(kind, id);
        writes.sAdd(this.#key(kind), fieldOf(id)).hSetNX(key, SINCE, String(time));
        for (const [name, value] of fields) {
          if (value === null) writes.hDel(key, fieldOf(name));
          else writes.hSet(key, fieldOf(name), JSON.stringify(value));
        }
      }
      await writes.exec();
    }
    const ids = [...new Set(things.map(({ id }) => id))];
    return (await Promise.all(ids.map(async (id) => this.thing(kind, id)))).filter((thing) => thing !== null);
  }

  #thingKey(kind: 'items' | 'users', id: string): string {
    return this.#key('thing', kind, hashOf(id));
  }

  async thing(kind: 'items' | 'users', id: string): Promise<StoredThing | null> {
    const { [SINCE]: since, ...fields } = await this.#client.hGetAll(this.#thingKey(kind, id));
    if (since === undefined) return null;
    const known: Fields = new Map(
      Object.entries(fields).map(([name, value]) => [idOf(name), JSON.parse(value) as string | readonly string[]]),
    );
    return { id, since: Number(since), fields: known };
  }

  async *things(kind: 'items' | 'users'): AsyncGenerator<StoredThing> {
    const seen = new Set<string>(); // a scan may tell of one twice
    for await (const fields of this.#client.sScanIterator(this.#key(kind), { COUNT: STEP })) {
      for (const field of fields) {
        if (seen.has(field)) continue;
        seen.add(field);
        const thing = await this.thing(kind, idOf(field));
        if (thing) yield thing;
      }
    }
  }

  async *actionCounts(): AsyncGenerator<readonly [item: string, count: number]> {
    const seen = new Set<string>();
    for await (const entries of this.#client.hScanIterator(this.#key('counts'), { COUNT: STEP })) {
      for (const { field, value } of entries) {
        if (seen.has(field)) continue;
        seen.add(field);
        yield [idOf(field), Number(value)];
      }
    }
  }

  recordServed(served: Served): void {
    const id = fieldOf(served.id);
    const writes = this.#client
      .multi()
      .hSet(this.#key('lists'), id, JSON.stringify(served))
      .zAdd(this.#key('served'), { score: served.time, value: id });
    if (served.user !== null) writes.sAdd(this.#key('servedTo', hashOf(served.user)), id);
    writes.exec().catch((error: unknown) => this.#hooks.failed?.('keeping what was served', error));
  }

  async served(id: string): Promise<Served | null> {
    const text = await this.#client.hGet(this.#key('lists'), fieldOf(id));
    return text == null ? null : (JSON.parse(text) as Served);
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
      const ids = await this.#client.zRange(this.#key('served'), from, from + STEP - 1, order);
      if (ids.length === 0) return;
      const lists = await this.#client.hmGet(this.#key('lists'), ids);
      for (const text of lists) if (text != null) yield JSON.parse(text) as Served;
    }
  }

  async forgetServed(before: number): Promise<number> {
    let forgotten = 0;
    for (;;) {
      const range = { BY: 'SCORE', LIMIT: { offset: 0, count: STEP } } as const;
      const ids = await this.#client.zRange(this.#key('served'), '-inf', `(${before}`, range);
      if (ids.length === 0) return forgotten;
      await this.#forget(ids);
      forgotten += ids.length;
    }
  }

  /** Lists that were served go. */
  async #forget(ids: readonly string[]): Promise<void> {
    const lists = await this.#client.hmGet(this.#key('lists'), [...ids]);
    const writes = this.#client
      .multi()
      .hDel(this.#key('lists'), [...ids])
      .zRem(this.#key('served'), [...ids]);
    ids.forEach((id, i) => {
      const user = lists[i] == null ? null : (JSON.parse(lists[i]) as Served).user;
      if (user !== null) writes.sRem(this.#key('servedTo', hashOf(user)), id);
    });
    await writes.exec();
  }

  async erase(user: string, time: number): Promise<{ readonly events: number; readonly other: number }> {
    const hash = hashOf(user);
    let [events, other] = [0, 0];
    await this.#client.hSet(this.#key('erased'), hash, String(time));
    const gone = await this.#client
      .multi()
      .del(this.#thingKey('users', user))
      .sRem(this.#key('users'), fieldOf(user))
      .exec();
    other += Number(gone[0]);
    const history = this.#key('user', hash);
    for (;;) {
      const numbers = await this.#client.zRange(history, 0, STEP - 1);
      if (numbers.length === 0) break;
      const found = new Map((await this.#eventsOf(numbers)).map(({ sequence, event }) => [sequence, event]));
      const given = numbers.flatMap((number) => {
        const event = found.get(Number(number));
        const counts = event?.item !== undefined && isActionType(event.type);
        return [number, event?.id === undefined ? '' : hashOf(event.id), counts ? fieldOf(event.item as string) : ''];
      });
      const keys = [...['events', 'ids', 'counts'].map((name) => this.#key(name)), history];
      await this.#client.eval(ERASE, { keys, arguments: given });
      events += numbers.length;
    }
    const served = await this.#client.sMembers(this.#key('servedTo', hash));
    if (served.length > 0) await this.#forget(served);
    return { events, other: other + served.length };
  }

  async wasErased(user: string): Promise<boolean> {
    return (await this.#client.hExists(this.#key('erased'), hashOf(user))) === 1;
  }

  async *erasedUsers(): AsyncGenerator<string> {
    for (const hash of await this.#client.hKeys(this.#key('erased'))) yield hash;
  }

  async rememberActive({ active, started }: ActiveRun): Promise<void> {
    await this.#client.hSet(this.#key('meta'), 'active', JSON.stringify({ active, started }));
  }

  async activeRun(): Promise<ActiveRun | null> {
    const text = await this.#client.hGet(this.#key('meta'), 'active');
    return text == null ? null : (JSON.parse(text) as ActiveRun);
  }

  async close(): Promise<void> {
    await this.#client.close(); // after what was sent is answered
  }
}
