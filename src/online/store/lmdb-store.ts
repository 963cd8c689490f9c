/**
 * The live store on LMDB. Knows keys, batches and flushes; does not know what events mean to a model.
 *
 * One process writes; it holds a lock. A commit includes its fsync (`overlappingSync` off), and the promise of a write is kept after
 * it; whatever is written while a commit is under way shares the next one. Ids may be long and of any characters: keys have
 * their SHA-256.
 *
 *   events   [user, time, sequence] -> event           the history of a user is one range
 *   order    sequence -> the key of the event          all events, as they were taken
 *   ids      event id -> [user, sequence]
 *   counts   item -> [item, count]
 *   items, users   id -> thing
 *   served   [time, id] -> what was served;  servedBy [user, id] -> time;  servedIds id -> time
 *   erased   user -> [time, the newest number then]; stores of before November 28, 2026 have the time alone
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, type Key, type RootDatabase, open } from 'lmdb';
import { CorruptFileError, UserError, assert, messageOf, releaseLock, takeLock } from '../../base/index.js';
import { isActionType } from '../../data/index.js';
import type { Hooks, LiveEvent } from '../questions.js';
import { STORE_FILE, damaged, isDamage, refuseDamagedFile } from './damage.js';
import type { ActiveRun, FieldChanges, LiveStore, Served, StoredEvent, StoredThing } from './store.js';

const FORMAT = 1;
/** Addresses that the map may take; the file grows as it fills. */
const MAP_BYTES = 2 ** 38;
/** Events that are erased at once. */
const ERASE_STEP = 1000;

/** Lists that were served and are not written yet: so many, so long. */
const [MOST_UNWRITTEN, UNWRITTEN_MILLISECONDS] = [1000, 100];

/** Ids as keys: of one length, whatever they are. */
export const keyOf = (id: string): string => createHash('sha256').update(id).digest('base64url');

type EventKey = readonly [user: string, time: number, sequence: number];
/** A thing as it lies in the store. */
export interface KeptThing {
  readonly id: string;
  readonly fields: readonly (readonly [string, string | readonly string[]])[];
  readonly since: number;
}

export interface LmdbOptions {
  /** Reads beside a process that writes; takes no lock. */
  readonly readOnly?: boolean;
  readonly hooks?: Pick<Hooks, 'flushed' | 'failed'>;
}

/** Opens a store, or makes one where there is none. */
export async function openLmdbStore(
  directory: string,
  { readOnly = false, hooks = {} }: LmdbOptions = {},
): Promise<LiveStore> {
  const lock = readOnly ? null : join(directory, 'lock');
  if (lock) {
    await mkdir(directory, { recursive: true });
    await takeLock(lock, 'writes to this store');
  }
  try {
    await refuseDamagedFile(directory);
    return new LmdbStore(directory, openRoot(directory, readOnly), lock, hooks);
  } catch (error) {
    if (lock) await releaseLock(lock);
    throw isDamage(error) ? damaged(directory, messageOf(error).split('\n')[0] ?? '') : error;
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

export type Erasure = number | readonly [time: number, through: number];

/** What a store is filled with that stands for another one; keys as they lie there. */
export interface Contents {
  readonly meta: ReadonlyMap<string, unknown>;
  /** By number. */
  readonly events: ReadonlyMap<number, LiveEvent>;
  readonly things: Readonly<Record<'items' | 'users', ReadonlyMap<string, KeptThing>>>;
  readonly erased: ReadonlyMap<string, Erasure>;
}

export class LmdbStore implements LiveStore {
  readonly id: string;
  readonly sharing = null;
  readonly #path: string;
  readonly #root: RootDatabase;
  readonly #lock: string | null;
  readonly #hooks: Pick<Hooks, 'flushed' | 'failed'>;
  readonly #events: Database<LiveEvent, Key[]>;
  readonly #order: Database<EventKey, number>;
  readonly #ids: Database<readonly [string, number], string>;
  readonly #counts: Database<readonly [string, number], string>;
  readonly #things: Readonly<Record<'items' | 'users', Database<KeptThing, string>>>;
  readonly #served: Database<Served, Key[]>;
  readonly #servedBy: Database<number, Key[]>;
  readonly #servedIds: Database<number, string>;
  readonly #erased: Database<Erasure, string>;
  /** Ids and counts that are being written and cannot be read yet. */
  readonly #writingIds = new Set<string>();
  readonly #writingCounts = new Map<string, { count: number; writes: number }>();
  readonly #writingThings = new Map<string, { thing: KeptThing; writes: number }>();
  /** What was served and is not written yet, and when it will be. */
  #unwritten: Served[] = [];
  #writingServed: NodeJS.Timeout | null = null;
  #sequence: number;
  #underWay = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(path: string, root: RootDatabase, lock: string | null, hooks: Pick<Hooks, 'flushed' | 'failed'>) {
    this.#path = path;
    this.#root = root;
    this.#lock = lock;
    this.#hooks = hooks;
    const meta = this.#open<unknown, string>('meta');
    this.#events = this.#open('events');
    this.#order = this.#open('order');
    this.#ids = this.#open('ids');
    this.#counts = this.#open('counts');
    this.#things = { items: this.#open('items'), users: this.#open('users') };
    this.#served = this.#open('served');
    this.#servedBy = this.#open('servedBy');
    this.#servedIds = this.#open('servedIds');
    this.#erased = this.#open('erased');
    if (meta.get('format') === undefined) {
      meta.putSync('id', randomUUID());
      meta.putSync('format', FORMAT);
    }
    if (meta.get('format') !== FORMAT)
      throw new CorruptFileError(
        `${path} has format version ${JSON.stringify(meta.get('format'))}, this program reads ${FORMAT}`,
      );
    this.id = meta.get('id') as string;
    const [last] = [...this.#order.getKeys({ reverse: true, limit: 1 })];
    // erased events leave gaps, and their numbers must not come again
    this.#sequence = Math.max(last ?? 0, (meta.get('erasedUpTo') as number | undefined) ?? 0);
    this.#meta = meta;
  }
  readonly #meta: Database<unknown, string>;

  #open<Value, OwnKey extends Key>(name: string): Database<Value, OwnKey> {
    const database = this.#root.openDB<Value, OwnKey>({ name, encoding: 'msgpack' }) as
      Database<Value, OwnKey> | undefined;
    if (!database) throw new UserError(`${this.#path} is no live store: it has no table "${name}"`);
    return database;
  }

  sequence(): number {
    return this.#sequence;
  }

  /** Puts together in one commit, and waits for it. */
  async #write(work: () => void): Promise<void> {
    assert(this.#lock !== null, 'a store that was opened for reading is not written to');
    const start = performance.now();
    this.#underWay++;
    const writes = this.#underWay;
    const written = this.#root.batch(work);
    this.#lastWrite = written.catch(() => undefined);
    try {
      if (!(await written)) throw new Error('the live store refused a write');
    } finally {
      this.#underWay--;
    }
    this.#hooks.flushed?.({ milliseconds: performance.now() - start, writes });
  }

  async append(events: readonly LiveEvent[]): Promise<boolean[]> {
    const fresh = new Set<string>();
    const isNew = events.map(({ id }) => {
      if (id === undefined) return true;
      const key = keyOf(id);
      if (fresh.has(key) || this.#writingIds.has(key) || this.#ids.doesExist(key)) return false;
      fresh.add(key);
      return true;
    });
    const kept = events.filter((_, i) => isNew[i]);
    if (kept.length === 0) {
      await this.#lastWrite; // a duplicate of what is being written is not durable before that is
      return isNew;
    }
    for (const key of fresh) this.#writingIds.add(key);
    const counted = kept.filter(({ type, item }) => item !== undefined && isActionType(type));
    const counts = counted.map(({ item }) => this.#count(item as string, 1));
    try {
      await this.#write(() => {
        for (const event of kept) {
          const sequence = ++this.#sequence;
          const user = keyOf(event.user);
          const key: EventKey = [user, event.time, sequence];
          void this.#events.put([...key], event);
          void this.#order.put(sequence, key);
          if (event.id !== undefined) void this.#ids.put(keyOf(event.id), [user, sequence]);
        }
        for (const { key, value } of counts) void this.#counts.put(key, value);
      });
    } finally {
      for (const key of fresh) this.#writingIds.delete(key);
      for (const { key } of counts) this.#countWritten(key);
    }
    return isNew;
  }

  /** A count as it will be. */
  #count(item: string, change: number): { readonly key: string; readonly value: readonly [string, number] } {
    const key = keyOf(item);
    const writing = this.#writingCounts.get(key);
    const count = (writing?.count ?? this.#counts.get(key)?.[1] ?? 0) + change;
    this.#writingCounts.set(key, { count, writes: (writing?.writes ?? 0) + 1 });
    return { key, value: [item, count] };
  }

  #countWritten(key: string): void {
    const writing = this.#writingCounts.get(key);
    if (!writing) return;
    if (writing.writes === 1) this.#writingCounts.delete(key);
    else this.#writingCounts.set(key, { ...writing, writes: writing.writes - 1 });
  }

  async historyOf(user: string, limit: number): Promise<StoredEvent[]> {
    const key = keyOf(user);
    const found = [...this.#events.getRange({ start: [key, Infinity], end: [key], reverse: true, limit })];
    return found.map(({ key: [, , sequence], value }) => ({ sequence: sequence as number, event: value })).toReversed();
  }

  async *events(after = 0): AsyncGenerator<StoredEvent> {
    for (const { key: sequence, value } of this.#order.getRange({ start: after + 1 })) {
      const event = this.#events.get([...value]);
      if (event) yield { sequence, event };
    }
  }

  async upsert(kind: 'items' | 'users', things: readonly FieldChanges[], time: number): Promise<StoredThing[]> {
    const database = this.#things[kind];
    const changed = new Map<string, KeptThing>();
    for (const { id, fields } of things) {
      const key = keyOf(id);
      const known = changed.get(key) ?? this.#writingThings.get(kind + key)?.thing ?? database.get(key);
      const merged = new Map(known?.fields);
      for (const [name, value] of fields) {
        if (value === null) merged.delete(name);
        else merged.set(name, value);
      }
      changed.set(key, { id, fields: [...merged], since: known?.since ?? time });
    }
    for (const [key, thing] of changed) {
      const writes = (this.#writingThings.get(kind + key)?.writes ?? 0) + 1;
      this.#writingThings.set(kind + key, { thing, writes });
    }
    try {
      if (changed.size > 0)
        await this.#write(() => {
          for (const [key, thing] of changed) void database.put(key, thing);
        });
    } finally {
      for (const key of changed.keys()) {
        const writing = this.#writingThings.get(kind + key);
        if (writing && writing.writes > 1)
          this.#writingThings.set(kind + key, { ...writing, writes: writing.writes - 1 });
        else this.#writingThings.delete(kind + key);
      }
    }
    return [...changed.values()].map(asThing);
  }

  async thing(kind: 'items' | 'users', id: string): Promise<StoredThing | null> {
    const found = this.#things[kind].get(keyOf(id));
    return found ? asThing(found) : null;
  }

  async *things(kind: 'items' | 'users'): AsyncGenerator<StoredThing> {
    for (const { value } of this.#things[kind].getRange()) yield asThing(value);
  }

  async *actionCounts(): AsyncGenerator<readonly [item: string, count: number]> {
    for (const { value } of this.#counts.getRange()) yield value;
  }

  recordServed(served: Served): void {
    this.#unwritten.push(served);
    if (this.#unwritten.length >= MOST_UNWRITTEN) void this.#writeServed();
    else this.#writingServed ??= setTimeout(() => void this.#writeServed(), UNWRITTEN_MILLISECONDS).unref();
  }

  /** Writes what was served and is not written yet: many lists share a commit, which events would wait for. A failure is told, and no more. */
  async #writeServed(): Promise<void> {
    clearTimeout(this.#writingServed ?? undefined);
    this.#writingServed = null;
    const all = this.#unwritten;
    if (all.length === 0) {
      await this.#lastWrite; // which may be of some
      return;
    }
    this.#unwritten = [];
    const write = this.#write(() => {
      for (const served of all) {
        const id = keyOf(served.id);
        void this.#served.put([served.time, id], served);
        void this.#servedIds.put(id, served.time);
        if (served.user !== null) void this.#servedBy.put([keyOf(served.user), id], served.time);
      }
    });
    await write.catch((error: unknown) => this.#hooks.failed?.('keeping what was served', error));
  }

  async served(id: string): Promise<Served | null> {
    await this.#writeServed();
    const key = keyOf(id);
    const time = this.#servedIds.get(key);
    return time === undefined ? null : (this.#served.get([time, key]) ?? null);
  }

  async *allServed(): AsyncGenerator<Served> {
    await this.#writeServed();
    for (const { value } of this.#served.getRange()) yield value;
  }

  async *newestServed(): AsyncGenerator<Served> {
    await this.#writeServed();
    for (const { value } of this.#served.getRange({ reverse: true })) yield value;
  }

  async forgetServed(before: number): Promise<number> {
    await this.#writeServed();
    let forgotten = 0;
    for (;;) {
      const old = [...this.#served.getRange({ end: [before], limit: ERASE_STEP })];
      if (old.length === 0) return forgotten;
      await this.#write(() => {
        for (const { value } of old) this.#removeServed(value);
      });
      forgotten += old.length;
    }
  }

  #removeServed(served: Served): void {
    const id = keyOf(served.id);
    void this.#served.remove([served.time, id]);
    void this.#servedIds.remove(id);
    if (served.user !== null) void this.#servedBy.remove([keyOf(served.user), id]);
  }

  async erase(user: string, time: number): Promise<{ readonly events: number; readonly other: number }> {
    await this.#writeServed(); // what was taken before is erased too
    await this.#lastWrite;
    const key = keyOf(user);
    let [events, other] = [0, 0];
    await this.#write(() => {
      void this.#erased.put(key, [time, this.#sequence]);
      void this.#meta.put('erasedUpTo', this.#sequence);
      if (this.#things.users.doesExist(key)) {
        other++;
        void this.#things.users.remove(key);
      }
    });
    for (;;) {
      const own = [...this.#events.getRange({ start: [key], end: [key, Infinity], limit: ERASE_STEP })];
      if (own.length === 0) break;
      events += own.length;
      const changes = own.flatMap(({ value: { type, item } }) =>
        item !== undefined && isActionType(type) ? [this.#count(item, -1)] : [],
      );
      await this.#write(() => {
        for (const {
          key: [, , sequence],
          key: ownKey,
          value,
        } of own) {
          void this.#events.remove(ownKey);
          void this.#order.remove(sequence as number);
          if (value.id !== undefined) void this.#ids.remove(keyOf(value.id));
        }
        for (const { key: item, value } of changes) void this.#counts.put(item, value);
      });
      for (const { key: item } of changes) this.#countWritten(item);
    }
    for (;;) {
      const own = [...this.#servedBy.getRange({ start: [key], end: [key, '\uFFFF'], limit: ERASE_STEP })];
      if (own.length === 0) break;
      other += own.length;
      await this.#write(() => {
        for (const { key: ownKey, value: at } of own) {
          void this.#served.remove([at, ownKey[1] as string]);
          void this.#servedIds.remove(ownKey[1] as string);
          void this.#servedBy.remove(ownKey);
        }
      });
    }
    return { events, other };
  }

  /** Fills an empty store with what was read of another one, and stands for it from then on. */
  async take({ meta, events, things, erased }: Contents): Promise<void> {
    assert(this.#sequence === 0, 'only an empty store is filled');
    for (const name of ['id', 'active', 'erasedUpTo'])
      if (meta.has(name)) await this.#write(() => void this.#meta.put(name, meta.get(name)));
    const entries = [...events].sort(([a], [b]) => a - b);
    for (let start = 0; start < entries.length; start += ERASE_STEP) {
      const counts: { readonly key: string; readonly value: readonly [string, number] }[] = [];
      await this.#write(() => {
        for (const [sequence, event] of entries.slice(start, start + ERASE_STEP)) {
          const user = keyOf(event.user);
          const key: EventKey = [user, event.time, sequence];
          void this.#events.put([...key], event);
          void this.#order.put(sequence, key);
          if (event.id !== undefined) void this.#ids.put(keyOf(event.id), [user, sequence]);
          if (event.item !== undefined && isActionType(event.type)) counts.push(this.#count(event.item, 1));
        }
        for (const { key, value } of counts) void this.#counts.put(key, value);
      });
      for (const { key } of counts) this.#countWritten(key);
    }
    await this.#write(() => {
      for (const kind of ['items', 'users'] as const)
        for (const [key, thing] of things[kind]) void this.#things[kind].put(key, thing);
      for (const [key, erasure] of erased) void this.#erased.put(key, erasure);
    });
  }

  async wasErased(user: string): Promise<boolean> {
    return this.#erased.doesExist(keyOf(user));
  }

  async *erasedUsers(): AsyncGenerator<string> {
    for (const key of this.#erased.getKeys()) yield Buffer.from(key, 'base64url').toString('hex');
  }

  async rememberActive(active: ActiveRun): Promise<number> {
    await this.#write(() => void this.#meta.put('active', active));
    return 0;
  }

  async activeRun(): Promise<ActiveRun | null> {
    return (this.#meta.get('active') as ActiveRun | undefined) ?? null;
  }

  async close(): Promise<void> {
    await this.#writeServed();
    await this.#lastWrite;
    await this.#root.close();
    if (this.#lock) await releaseLock(this.#lock);
  }
}

const asThing = ({ id, fields, since }: KeptThing): StoredThing => ({ id, since, fields: new Map(fields) });
