/**
 * The tables of a live store on LMDB. Knows keys, what is put together, and commits; does not know who waits for them, locks, or what events mean to a
 * model.
 *
 * A commit includes its fsync (`overlappingSync` off). Ids may be long and of any characters: keys have their SHA-256.
 *
 *   events   [user, time, sequence] -> event           the history of a user is one range
 *   order    sequence -> the key of the event          all events, as they were taken
 *   ids      event id -> [user, sequence]
 *   counts   item -> [item, count]
 *   items, users   id -> thing
 *   served   [time, id] -> what was served;  servedBy [user, id] -> time;  servedIds id -> time
 *   erased   user -> [time, the newest number then]; stores of before November 28, 2026 have the time alone
 *   meta     id, format, active (the run), erasedUpTo (a number that was given away), placed (see there)
 */
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Database, type Key, type RootDatabase, open } from 'lmdb';
import { CorruptFileError, UserError, messageOf } from '../../base/index.js';
import { isActionType } from '../../data/index.js';
import type { LiveEvent } from '../questions.js';
import { STORE_FILE, isDamage } from './damage.js';
import type { ActiveRun, Served, StoredEvent, StoredThing } from './store.js';

const FORMAT = 2;
/** Without a journal. */
const FORMAT_BEFORE = 1;
/** Addresses that the map may take; the file grows as it fills. */
const MAP_BYTES = 2 ** 38;

/** Ids as keys: of one length, whatever they are. */
export const keyOf = (id: string): string => createHash('sha256').update(id).digest('base64url');

type EventKey = readonly [user: string, time: number, sequence: number];
export type Kind = 'items' | 'users';

/** A thing as it lies in the store. */
export interface KeptThing {
  readonly id: string;
  readonly fields: readonly (readonly [string, string | readonly string[]])[];
  readonly since: number;
}
export const asThing = ({ id, fields, since }: KeptThing): StoredThing => ({ id, since, fields: new Map(fields) });

export type Erasure = number | readonly [time: number, through: number];

const throughOf = (erasure: Erasure): number => (typeof erasure === 'number' ? Infinity : erasure[1]);

/** An event with a number and the key of its id. */
export interface KeyedEvent extends StoredEvent {
  /** Null where it has no id. */
  readonly id: string | null;
}
export const keyed = ({ sequence, event }: StoredEvent): KeyedEvent => ({
  sequence,
  event,
  id: event.id === undefined ? null : keyOf(event.id),
});

export class LmdbTables {
  readonly id: string;
  readonly #path: string;
  readonly #root: RootDatabase;
  readonly #meta: Database<unknown, string>;
  readonly #events: Database<LiveEvent, Key[]>;
  readonly #order: Database<EventKey, number>;
  readonly #ids: Database<readonly [string, number], string>;
  readonly #counts: Database<readonly [string, number], string>;
  readonly #things: Readonly<Record<Kind, Database<KeptThing, string>>>;
  readonly #served: Database<Served, Key[]>;
  readonly #servedBy: Database<number, Key[]>;
  readonly #servedIds: Database<number, string>;
  readonly #erased: Database<Erasure, string>;

  private constructor(directory: string, root: RootDatabase) {
    this.#path = directory;
    this.#root = root;
    this.#meta = this.#open('meta');
    this.#events = this.#open('events');
    this.#order = this.#open('order');
    this.#ids = this.#open('ids');
    this.#counts = this.#open('counts');
    this.#things = { items: this.#open('items'), users: this.#open('users') };
    this.#served = this.#open('served');
    this.#servedBy = this.#open('servedBy');
    this.#servedIds = this.#open('servedIds');
    this.#erased = this.#open('erased');
    if (this.#meta.get('format') === undefined) {
      this.#meta.putSync('id', randomUUID());
      this.#meta.putSync('placed', 0);
      this.#meta.putSync('format', FORMAT);
    }
    const format = this.#meta.get('format');
    if (format !== FORMAT && format !== FORMAT_BEFORE)
      throw new CorruptFileError(
        `${directory} has format version ${JSON.stringify(format)}, this program reads ${FORMAT_BEFORE} and ${FORMAT}`,
      );
    this.id = this.#meta.get('id') as string;
  }

  /** Opens them, or makes them unless they are only read. */
  static async open(directory: string, readOnly: boolean): Promise<LmdbTables> {
    const root = openRoot(directory, readOnly);
    try {
      return new LmdbTables(directory, root);
    } catch (error) {
      await root.close();
      throw error;
    }
  }

  #open<Value, OwnKey extends Key>(name: string): Database<Value, OwnKey> {
    const database = this.#root.openDB<Value, OwnKey>({ name, encoding: 'msgpack' }) as
      Database<Value, OwnKey> | undefined;
    if (!database) throw new UserError(`${this.#path} is no live store: it has no table "${name}"`);
    return database;
  }

  /** Puts and removes what `work` does, all of it or nothing, and waits until that is on the disk. */
  async commit(work: () => void): Promise<void> {
    if (!(await this.#root.batch(work))) throw new Error('the live store refused a write');
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** The highest number that an event has, or had. */
  sequence(): number {
    const [last] = [...this.#order.getKeys({ reverse: true, limit: 1 })];
    // erased events leave gaps, and their numbers must not come again
    return Math.max(last ?? 0, (this.#meta.get('erasedUpTo') as number | undefined) ?? 0);
  }

  /** Events through this number are here, and counted; those above it may be in the journal. */
  placed(): number {
    return (this.#meta.get('placed') as number | undefined) ?? this.sequence();
  }

  /** From now on events may be in a journal: programs that know of none refuse the store. */
  useJournal(): void {
    if (this.#meta.get('format') === FORMAT) return;
    this.#meta.putSync('placed', this.placed());
    this.#meta.putSync('format', FORMAT);
  }

  hasId(key: string): boolean {
    return this.#ids.doesExist(key);
  }

  /** The newest events of a user, newest first. */
  newestOf(user: string, limit: number): StoredEvent[] {
    const key = keyOf(user);
    const range = this.#events.getRange({ start: [key, Infinity], end: [key], reverse: true, limit });
    return [...range].map(({ key: [, , sequence], value }) => ({ sequence: sequence as number, event: value }));
  }

  *eventsAfter(after: number): Generator<StoredEvent> {
    for (const { key: sequence, value } of this.#order.getRange({ start: after + 1 })) {
      const event = this.#events.get([...value]);
      if (event) yield { sequence, event };
    }
  }

  counts(): Iterable<readonly [item: string, count: number]> {
    return this.#counts.getRange().map(({ value }) => value);
  }

  /** Counts of items as they are with the actions among these events, or without them, by key. */
  countsWith(events: Iterable<{ readonly event: LiveEvent }>, change: 1 | -1): Map<string, readonly [string, number]> {
    const counts = new Map<string, readonly [string, number]>();
    for (const { event } of events) {
      if (event.item === undefined || !isActionType(event.type)) continue;
      const key = keyOf(event.item);
      const [item, count] = counts.get(key) ?? this.#counts.get(key) ?? [event.item, 0];
      counts.set(key, [item, count + change]);
    }
    return counts;
  }

  #putCounts(events: Iterable<{ readonly event: LiveEvent }>, change: 1 | -1): void {
    for (const [key, counted] of this.countsWith(events, change)) void this.#counts.put(key, counted);
  }

  /** Within a commit, which nothing else that changes counts may be under way beside: events, in order of their numbers, which are placed by that. */
  putEvents(events: readonly KeyedEvent[]): void {
    for (const { sequence, event, id } of events) {
      const user = keyOf(event.user);
      const key: EventKey = [user, event.time, sequence];
      void this.#events.put([...key], event);
      void this.#order.put(sequence, key);
      if (id !== null) void this.#ids.put(id, [user, sequence]);
    }
    this.#putCounts(events, 1);
    void this.#meta.put('placed', events.at(-1)?.sequence);
  }

  /** Like `putEvents`: removes some events of a user, `limit` at most. Says how many. */
  async removeEventsOf(user: string, limit: number): Promise<number> {
    const key = keyOf(user);
    const own = [...this.#events.getRange({ start: [key], end: [key, Infinity], limit })];
    if (own.length === 0) return 0;
    await this.commit(() => {
      for (const { key: ownKey, value } of own) {
        void this.#events.remove(ownKey);
        void this.#order.remove(ownKey[2] as number);
        if (value.id !== undefined) void this.#ids.remove(keyOf(value.id));
      }
      this.#putCounts(
        own.map(({ value }) => ({ event: value })),
        -1,
      );
    });
    return own.length;
  }

  thing(kind: Kind, key: string): KeptThing | undefined {
    return this.#things[kind].get(key);
  }

  things(kind: Kind): Iterable<KeptThing> {
    return this.#things[kind].getRange().map(({ value }) => value);
  }

  /** Within a commit. */
  putThing(kind: Kind, key: string, thing: KeptThing): void {
    void this.#things[kind].put(key, thing);
  }

  /** Within a commit. */
  putServed(served: Served): void {
    const id = keyOf(served.id);
    void this.#served.put([served.time, id], served);
    void this.#servedIds.put(id, served.time);
    if (served.user !== null) void this.#servedBy.put([keyOf(served.user), id], served.time);
  }

  servedById(id: string): Served | null {
    const key = keyOf(id);
    const time = this.#servedIds.get(key);
    return time === undefined ? null : (this.#served.get([time, key]) ?? null);
  }

  served(reverse: boolean): Iterable<Served> {
    return this.#served.getRange({ reverse }).map(({ value }) => value);
  }

  /** Removes some of what was served before a time, `limit` at most. Says how many. */
  async removeServedBefore(before: number, limit: number): Promise<number> {
    const old = [...this.#served.getRange({ end: [before], limit })];
    if (old.length > 0)
      await this.commit(() => {
        for (const { value } of old) this.#removeServed(value.time, keyOf(value.id), value.user && keyOf(value.user));
      });
    return old.length;
  }

  /** Removes some of what was served to a user. */
  async removeServedTo(user: string, limit: number): Promise<number> {
    const key = keyOf(user);
    const own = [...this.#servedBy.getRange({ start: [key], end: [key, '\uFFFF'], limit })];
    if (own.length > 0)
      await this.commit(() => {
        for (const { key: ownKey, value: time } of own) this.#removeServed(time, ownKey[1] as string, key);
      });
    return own.length;
  }

  #removeServed(time: number, id: string, user: string | null): void {
    void this.#served.remove([time, id]);
    void this.#servedIds.remove(id);
    if (user !== null) void this.#servedBy.remove([user, id]);
  }

  /** Notes that a user was erased, when and through which number, and removes the attributes. Says whether there were any. */
  async noteErased(user: string, time: number, through: number): Promise<boolean> {
    const key = keyOf(user);
    const hadAttributes = this.#things.users.doesExist(key);
    await this.commit(() => {
      this.putErasure(key, [time, through]);
      void this.#meta.put('erasedUpTo', through);
      void this.#things.users.remove(key);
    });
    return hadAttributes;
  }

  /** Within a commit. */
  putErasure(key: string, erasure: Erasure): void {
    void this.#erased.put(key, erasure);
  }

  erasedThrough(user: string): number | null {
    const erasure = this.#erased.get(keyOf(user));
    return erasure === undefined ? null : throughOf(erasure);
  }

  /** SHA-256 of those who were, in hexadecimal digits, and through which number. */
  erasedUsers(): Iterable<readonly [hash: string, through: number]> {
    return this.#erased
      .getRange()
      .map(({ key, value }) => [Buffer.from(key, 'base64url').toString('hex'), throughOf(value)] as const);
  }

  activeRun(): ActiveRun | null {
    return (this.#meta.get('active') as ActiveRun | undefined) ?? null;
  }

  /** Within a commit. */
  putMeta(name: 'id' | 'active' | 'erasedUpTo', value: unknown): void {
    void this.#meta.put(name, value);
  }
}

function openRoot(directory: string, readOnly: boolean): RootDatabase {
  try {
    return open({
      path: join(directory, STORE_FILE),
      maxDbs: 16,
      mapSize: MAP_BYTES,
      overlappingSync: false,
      readOnly,
      encoding: 'msgpack',
    });
  } catch (error) {
    if (isDamage(error)) throw error; // told by whoever called
    throw new UserError(`${directory} cannot be opened as a live store: ${messageOf(error)}`, { cause: error });
  }
}
