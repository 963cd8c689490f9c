/**
 * The live store of one machine: a directory with a journal and the tables of LMDB. Knows in which order things are written, who waits for what, and what is
 * read meanwhile; does not know keys, nor what events mean to a model.
 *
 * One process writes; it holds a lock. The promise of events is kept once they are in the journal. They get their place in the tables behind that, many in one
 * commit: one of few events scatters nearly as many pages over the disk. Until then they are read from memory, and after a crash from the journal. Everything
 * else waits for its commit, but what was served, which is written behind.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Turns, assert, messageOf, releaseLock, takeLock } from '../../base/index.js';
import type { Hooks } from '../engine-interface.js';
import type { LiveEvent } from '../questions.js';
import { damaged, isDamage, refuseDamagedFile } from './damage.js';
import { Journal, type Noted, followingOf, readJournal } from './journal.js';
import {
  type Erasure,
  type KeptThing,
  type KeyedEvent,
  type Kind,
  LmdbTables,
  asThing,
  keyOf,
  keyed,
} from './lmdb-tables.js';
import { PendingEvents } from './pending-events.js';
import type { ActiveRun, FieldChanges, LiveStore, Served, StoredEvent, StoredThing } from './store.js';

/** Events and served lists wait so long for their place in the tables; after a failure, so long. */
const [BEHIND_MILLISECONDS, AFTER_FAILURE] = [500, 5000];
/** So many are put in place before others have a turn, or such a share of all where they are more. */
const [PUT_STEP, PUT_SHARE] = [16, 1 / 32];
/** Things that are removed, or taken over from another store, at once. */
const AT_ONCE = 1000;

export interface LmdbOptions {
  /** Reads beside a process that writes; takes no lock. */
  readonly readOnly?: boolean;
  readonly hooks?: Pick<Hooks, 'flushed' | 'failed'>;
  /** Bytes of the journal of a new store. */
  readonly ringBytes?: number;
}

/** Opens a store, or makes one where there is none. */
export async function openLmdbStore(directory: string, options: LmdbOptions = {}): Promise<LiveStore> {
  const lock = options.readOnly ? null : join(directory, 'lock');
  if (lock) {
    await mkdir(directory, { recursive: true });
    await takeLock(lock, 'writes to this store');
  }
  let tables: LmdbTables | null = null;
  try {
    await refuseDamagedFile(directory);
    let noted = await readJournal(directory); // before the tables: what leaves it meanwhile is in them
    tables = await LmdbTables.open(directory, lock === null);
    // one that is written to while it is read may seem to lack a record, once
    if (lock === null && !followingOf(noted, tables.placed())) noted = await readJournal(directory);
    const store = new LmdbStore(directory, tables, lock, options);
    await store.begin(noted);
    return store;
  } catch (error) {
    await tables?.close();
    if (lock) await releaseLock(lock);
    throw isDamage(error) ? damaged(directory, messageOf(error).split('\n')[0] ?? '') : error;
  }
}

/** What a store is filled with that stands for another one; keys as they lie there. */
export interface Contents {
  readonly meta: ReadonlyMap<string, unknown>;
  /** By number. */
  readonly events: ReadonlyMap<number, LiveEvent>;
  readonly things: Readonly<Record<Kind, ReadonlyMap<string, KeptThing>>>;
  readonly erased: ReadonlyMap<string, Erasure>;
}

export class LmdbStore implements LiveStore {
  readonly id: string;
  readonly sharing = null;
  readonly #path: string;
  readonly #tables: LmdbTables;
  readonly #lock: string | null;
  readonly #options: LmdbOptions;
  /** Null where it is only read. */
  #journal: Journal | null = null;
  /** What is in the journal and not in the tables; where it is only read, what was when it was opened. */
  readonly #pending = new PendingEvents();
  /** Things that are being written and cannot be read yet. */
  readonly #writingThings = new Map<string, { thing: KeptThing; writes: number }>();
  /** What was served and is not written yet. */
  #unwritten: Served[] = [];
  #placing: NodeJS.Timeout | null = null;
  /** What changes events and counts in the tables. */
  readonly #turns = new Turns();
  #sequence: number;
  #underWay = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(path: string, tables: LmdbTables, lock: string | null, options: LmdbOptions) {
    this.#path = path;
    this.#tables = tables;
    this.#lock = lock;
    this.#options = options;
    this.id = tables.id;
    this.#sequence = tables.sequence();
  }

  /** Takes over what the journal has and the tables lack. */
  async begin(noted: readonly Noted[]): Promise<void> {
    const placed = this.#tables.placed();
    const following = followingOf(noted, placed);
    if (!following) throw damaged(this.#path, `its journal lacks a record after event ${placed}`);
    this.#pending.add(following.flatMap(eventsOf).map(keyed));
    this.#sequence = Math.max(this.#sequence, this.#pending.all().at(-1)?.sequence ?? 0);
    if (this.#lock === null) return;
    const { hooks = {}, ringBytes } = this.#options;
    this.#tables.useJournal();
    this.#journal = await Journal.open(this.#path, Math.max(placed, noted.at(-1)?.through ?? 0), {
      makeRoom: async () => this.#place(),
      ...(hooks.flushed ? { flushed: hooks.flushed } : {}),
      ...(ringBytes === undefined ? {} : { ringBytes }),
    });
    await this.#place();
  }

  sequence(): number {
    return this.#sequence;
  }

  /** The journal of what is written to. */
  #writer(): Journal {
    assert(this.#journal, 'a store that was opened for reading is not written to');
    return this.#journal;
  }

  /** A commit that somebody waits for. */
  async #write(work: () => void): Promise<void> {
    this.#writer();
    const start = performance.now();
    const writes = ++this.#underWay;
    const written = this.#tables.commit(work);
    this.#lastWrite = written.catch(() => undefined);
    try {
      await written;
    } finally {
      this.#underWay--;
    }
    this.#options.hooks?.flushed?.({ milliseconds: performance.now() - start, writes });
  }

  async append(events: readonly LiveEvent[]): Promise<boolean[]> {
    const journal = this.#writer();
    const fresh = new Set<string>();
    const kept: KeyedEvent[] = [];
    const isNew = events.map((event) => {
      const id = event.id === undefined ? null : keyOf(event.id);
      if (id !== null && (fresh.has(id) || this.#pending.hasId(id) || this.#tables.hasId(id))) return false;
      if (id !== null) fresh.add(id);
      kept.push({ sequence: ++this.#sequence, event, id });
      return true;
    });
    const last = kept.at(-1);
    if (!last) {
      await journal.idle(); // a duplicate of what is being written is not durable before that is
      return isNew;
    }
    this.#pending.takeIds(fresh);
    try {
      await journal.note(last.sequence, lineOf(kept), () => this.#pending.add(kept));
    } catch (error) {
      this.#pending.giveBackIds(fresh);
      throw error;
    }
    this.#placeSoon();
    return isNew;
  }

  #placeSoon(milliseconds = BEHIND_MILLISECONDS): void {
    this.#placing ??= setTimeout(() => {
      void this.#place().catch((error: unknown) => {
        this.#options.hooks?.failed?.('putting events in their place', error);
        this.#placeSoon(AFTER_FAILURE);
      });
    }, milliseconds).unref();
  }

  /** Puts into the tables what was taken until now. */
  async #settle(): Promise<void> {
    if (!this.#journal) return;
    await this.#journal.idle();
    await this.#place();
  }

  /** Puts into the tables what is in the journal, and what was served. */
  async #place(): Promise<void> {
    return this.#turns.take(async () => {
      clearTimeout(this.#placing ?? undefined);
      this.#placing = null;
      const all = this.#pending.all().slice();
      const step = Math.max(PUT_STEP, Math.ceil(PUT_SHARE * all.length));
      for (let start = 0; start < all.length; start += step) {
        const events = all.slice(start, start + step);
        const { sequence } = events.at(-1) as KeyedEvent;
        await this.#tables.commit(() => this.#tables.putEvents(events));
        this.#pending.drop(sequence);
        this.#journal?.release(sequence);
      }
      await this.#writeServed();
    });
  }

  async historyOf(user: string, limit: number): Promise<StoredEvent[]> {
    const placed = this.#tables.newestOf(user, limit);
    const pending = this.#pending.of(user);
    if (pending.length === 0) return placed.toReversed();
    const bySequence = new Map([...placed, ...pending].map((stored) => [stored.sequence, stored]));
    return [...bySequence.values()]
      .sort((a, b) => a.event.time - b.event.time || a.sequence - b.sequence)
      .slice(-limit);
  }

  async *events(after = 0): AsyncGenerator<StoredEvent> {
    await this.#settle();
    let last = after;
    for (const stored of this.#tables.eventsAfter(after)) {
      yield stored;
      last = stored.sequence;
    }
    for (const stored of this.#onlyNoted()) if (stored.sequence > last) yield stored;
  }

  /** Where it is only read: what is to be read of the journal. What writes has put it into the tables. */
  #onlyNoted(): readonly KeyedEvent[] {
    return this.#journal ? [] : this.#pending.all();
  }

  async upsert(kind: Kind, things: readonly FieldChanges[], time: number): Promise<StoredThing[]> {
    const changed = new Map<string, KeptThing>();
    for (const { id, fields } of things) {
      const key = keyOf(id);
      const known = changed.get(key) ?? this.#writingThings.get(kind + key)?.thing ?? this.#tables.thing(kind, key);
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
          for (const [key, thing] of changed) this.#tables.putThing(kind, key, thing);
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

  async thing(kind: Kind, id: string): Promise<StoredThing | null> {
    const found = this.#tables.thing(kind, keyOf(id));
    return found ? asThing(found) : null;
  }

  async *things(kind: Kind): AsyncGenerator<StoredThing> {
    for (const thing of this.#tables.things(kind)) yield asThing(thing);
  }

  async *actionCounts(): AsyncGenerator<readonly [item: string, count: number]> {
    await this.#settle();
    const noted = new Map(this.#tables.countsWith(this.#onlyNoted(), 1).values());
    for (const counted of this.#tables.counts()) if (!noted.has(counted[0])) yield counted;
    yield* noted;
  }

  recordServed(served: Served): void {
    this.#unwritten.push(served);
    this.#placeSoon();
  }

  /** Writes what was served and is not written yet. A failure is told, and no more. */
  async #writeServed(): Promise<void> {
    const all = this.#unwritten;
    this.#unwritten = [];
    try {
      for (let start = 0; start < all.length; start += PUT_STEP)
        await this.#tables.commit(() => {
          for (const served of all.slice(start, start + PUT_STEP)) this.#tables.putServed(served);
        });
    } catch (error) {
      this.#options.hooks?.failed?.('keeping what was served', error);
    }
  }

  async served(id: string): Promise<Served | null> {
    await this.#settle();
    return this.#tables.servedById(id);
  }

  async *allServed(): AsyncGenerator<Served> {
    await this.#settle();
    yield* this.#tables.served(false);
  }

  async *newestServed(): AsyncGenerator<Served> {
    await this.#settle();
    yield* this.#tables.served(true);
  }

  async forgetServed(before: number): Promise<number> {
    await this.#settle();
    return allOf(async () => this.#tables.removeServedBefore(before, AT_ONCE));
  }

  async erase(user: string, time: number): Promise<{ readonly events: number; readonly other: number }> {
    const journal = this.#writer();
    const through = this.#sequence;
    await this.#settle(); // what was taken before is erased too
    const erased = await this.#turns.take(async () => {
      const hadAttributes = await this.#tables.noteErased(user, time, through);
      const events = await allOf(async () => this.#tables.removeEventsOf(user, AT_ONCE));
      const served = await allOf(async () => this.#tables.removeServedTo(user, AT_ONCE));
      return { events, other: served + (hadAttributes ? 1 : 0) };
    });
    await journal.wipe(); // it may have something of the user
    return erased;
  }

  /** Fills an empty store with what was read of another one, and stands for it from then on. */
  async take({ meta, events, things, erased }: Contents): Promise<void> {
    assert(this.#sequence === 0, 'only an empty store is filled');
    for (const name of ['id', 'active', 'erasedUpTo'] as const)
      if (meta.has(name)) await this.#write(() => this.#tables.putMeta(name, meta.get(name)));
    const entries = [...events].sort(([a], [b]) => a - b).map(([sequence, event]) => keyed({ sequence, event }));
    for (let start = 0; start < entries.length; start += AT_ONCE)
      await this.#write(() => this.#tables.putEvents(entries.slice(start, start + AT_ONCE)));
    await this.#write(() => {
      for (const kind of ['items', 'users'] as const)
        for (const [key, thing] of things[kind]) this.#tables.putThing(kind, key, thing);
      for (const [key, erasure] of erased) this.#tables.putErasure(key, erasure);
    });
  }

  async erasedThrough(user: string): Promise<number | null> {
    return this.#tables.erasedThrough(user);
  }

  async *erasedUsers(): AsyncGenerator<readonly [hash: string, through: number]> {
    yield* this.#tables.erasedUsers();
  }

  async rememberActive(active: ActiveRun): Promise<number> {
    await this.#write(() => this.#tables.putMeta('active', active));
    return 0;
  }

  async activeRun(): Promise<ActiveRun | null> {
    return this.#tables.activeRun();
  }

  async close(): Promise<void> {
    // what cannot be put in its place now is in the journal, for the next start
    await this.#settle().catch((error: unknown) =>
      this.#options.hooks?.failed?.('putting events in their place', error),
    );
    clearTimeout(this.#placing ?? undefined);
    await this.#lastWrite;
    await this.#journal?.close();
    await this.#tables.close();
    if (this.#lock) await releaseLock(this.#lock);
  }
}

/** Does something again until there is nothing left to do, and adds up what it was. */
async function allOf(step: () => Promise<number>): Promise<number> {
  let all = 0;
  for (let some = await step(); some > 0; some = await step()) all += some;
  return all;
}

/** Events as a line of the journal, and back. */
const lineOf = (events: readonly StoredEvent[]): string =>
  JSON.stringify(events.map(({ sequence, event }) => [sequence, event]));
export const eventsOf = ({ lines }: Noted): StoredEvent[] =>
  lines.flatMap((line) =>
    (JSON.parse(line) as [number, LiveEvent][]).map(([sequence, event]) => ({ sequence, event })),
  );
