/**
 * A sound store of what can be read of a damaged one. Knows what the tables of a store are made of each other: events are all there is to the rest but
 * attributes and erasures. Does not know files.
 */
import { join } from 'node:path';
import { UserError, assert, isThere, refuseIfLocked } from '../../base/index.js';
import type { LiveEvent } from '../questions.js';
import { salvage } from './damage.js';
import { readJournal } from './journal.js';
import { LmdbStore, eventsOf, openLmdbStore } from './lmdb-store.js';
import { type Erasure, type KeptThing, keyOf } from './lmdb-tables.js';

export interface Recovered {
  readonly events: number;
  readonly items: number;
  readonly users: number;
  readonly erased: number;
  /** Events that had numbers and could not be read, as far as that can be told. */
  readonly missing: number;
  /** What could not be read on, table by table; empty when everything was read. */
  readonly failures: readonly string[];
}

/** Makes the store `out`, with the id of the old one and the numbers of its events, so that runs made of it count nothing twice. */
export async function recoverStore(directory: string, out: string): Promise<Recovered> {
  if (await isThere(out)) throw new UserError(`${out} is there already: name a directory that is not`);
  await refuseIfLocked(join(directory, 'lock'), 'writes to this store');
  const meta = new Map<string, unknown>();
  const events = new Map<number, LiveEvent>();
  const numbers = new Set<number>();
  const things = { items: new Map<string, KeptThing>(), users: new Map<string, KeptThing>() };
  const erased = new Map<string, Erasure>();
  const strange = new Map<string, number>();
  const failures = await salvage(directory, `${out}.recovering`, ({ table, key, value }) => {
    if (table === 'meta') meta.set(String(key), value);
    else if (table === 'order' && typeof key === 'number') numbers.add(key);
    else if (table === 'events' && Array.isArray(key) && isEvent(value)) events.set(key[2] as number, value);
    else if (table === 'erased' && isErasure(value)) erased.set(String(key), value);
    else if ((table === 'items' || table === 'users') && isThing(value)) things[table].set(String(key), value);
    else strange.set(table, (strange.get(table) ?? 0) + 1);
  });
  for (const [table, count] of strange) failures.push(`${table}: ${count} entries were none`);
  // what has no place in the trees yet, or in the part of them that can be read
  for (const { sequence, event } of (await readJournal(directory)).flatMap(eventsOf))
    if (!events.has(sequence)) events.set(sequence, event);
  // an older state may be what can be read, with events in it that went afterwards
  for (const [number, { user }] of events) {
    const erasure = erased.get(keyOf(user));
    if (erasure === undefined) continue;
    const through = typeof erasure === 'number' ? Number(meta.get('erasedUpTo') ?? 0) : erasure[1];
    if (number <= through) events.delete(number);
  }
  const store = await openLmdbStore(out);
  try {
    assert(store instanceof LmdbStore, 'a store of this kind was opened');
    await store.take({ meta, events, things, erased });
  } finally {
    await store.close();
  }
  const missing = [...numbers].filter((number) => !events.has(number)).length;
  return {
    events: events.size,
    items: things.items.size,
    users: things.users.size,
    erased: erased.size,
    missing,
    failures,
  };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isEvent = (value: unknown): value is LiveEvent =>
  isRecord(value) &&
  typeof value['type'] === 'string' &&
  typeof value['user'] === 'string' &&
  typeof value['time'] === 'number';
const isErasure = (value: unknown): value is Erasure =>
  typeof value === 'number' || (Array.isArray(value) && value.length === 2 && value.every(Number.isFinite));
const isThing = (value: unknown): value is KeptThing =>
  isRecord(value) &&
  typeof value['id'] === 'string' &&
  Array.isArray(value['fields']) &&
  typeof value['since'] === 'number';
