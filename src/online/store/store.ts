/**
 * What is kept of a live site. Knows what is promised; does not know where it lies. Every store passes the one suite in
 * test/support/store-contract.ts.
 *
 * A promise of a write is kept once what was written is durable: it survives the end of the process (kill -9) and, where the disk
 * keeps its word, of the power. What one call writes is there whole or not at all. What was written is read from then on.
 */
import { UserError } from '../../base/index.js';
import type { LiveEvent } from '../questions.js';

/** The store does not answer, or takes nothing: what was asked of it may be asked again. Whether something was kept is not known. */
export class StoreAwayError extends UserError {
  override readonly name = 'StoreAwayError';
}

/** An event, and its number: events are numbered from 1 in the order in which they were taken. */
export interface StoredEvent {
  readonly sequence: number;
  readonly event: LiveEvent;
}

/** Attributes as they came: texts, or lists of texts. */
export type Fields = ReadonlyMap<string, string | readonly string[]>;

/** An item or a user, as far as it was upserted. */
export interface StoredThing {
  readonly id: string;
  readonly fields: Fields;
  /** When it was first upserted, milliseconds since 1970. */
  readonly since: number;
}

/** An answer that was given. */
export interface Served {
  readonly id: string;
  /** Null where nobody in particular asked. */
  readonly user: string | null;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** SHA-256 of the parameters. */
  readonly version: string;
  readonly source: string;
  readonly items: readonly string[];
  /** With exploration: how likely each was to stand where it stood. */
  readonly probabilities: readonly number[] | null;
}

/** Run directories; where several servers share the store, names in the directory of runs that each of them has. */
export interface ActiveRun {
  readonly active: string;
  /** The one that the server was started with when `active` was activated. */
  readonly started: string;
  /** SHA-256 of its parameters. What was remembered before servers could share a store lacks it, and the one before. */
  readonly version?: string;
  /** What answered before, for `rollback`. */
  readonly previous?: { readonly run: string; readonly version: string } | null;
}

/** What changed in a store, told to everybody who shares it. */
export type Change =
  | { readonly kind: 'items'; readonly ids: readonly string[] }
  /** How many actions there are on some items now. */
  | { readonly kind: 'counts'; readonly counts: readonly (readonly [item: string, count: number])[] }
  /** SHA-256 of the id of a user who was erased, in hexadecimal digits. */
  | { readonly kind: 'erased'; readonly hash: string }
  | { readonly kind: 'model'; readonly number: number; readonly run: ActiveRun }
  /** Some changes were missed: everything has to be read again. */
  | { readonly kind: 'missed' };

/** What a store can do that others write to at the same time. */
export interface Sharing {
  /** As long as the text is the same, nothing has changed about a user. */
  revisionOf(user: string): Promise<string>;
  /**
   * Hands over what changed since the store was opened, whoever changed it: in order, one after another, until it is closed. One that `take` fails on is handed
   * over again. The same may come twice.
   */
  follow(take: (change: Change) => Promise<void>): void;
  /** Null while it answers; else what is wrong. */
  away(): string | null;
}

export interface LiveStore {
  /** Tells this store from every other. */
  readonly id: string;
  /** Null where nobody else writes. */
  readonly sharing: Sharing | null;
  /** The number of the newest event; 0 when there is none. */
  sequence(): number;
  /**
   * Keeps events, in their order. One whose id is kept already, or came earlier in the list, is a duplicate and changes nothing.
   * @returns event by event, whether it is new
   */
  append(events: readonly LiveEvent[]): Promise<boolean[]>;
  /** The newest `limit` events of a user by time, oldest first; of equal times as they were taken. */
  historyOf(user: string, limit: number): Promise<StoredEvent[]>;
  /** All events above a number, in order of their numbers. */
  events(after?: number): AsyncIterable<StoredEvent>;
  /** Changes attributes: those named are replaced, or taken away where null. Unknown things are made. */
  upsert(kind: 'items' | 'users', things: readonly FieldChanges[], time: number): Promise<StoredThing[]>;
  thing(kind: 'items' | 'users', id: string): Promise<StoredThing | null>;
  things(kind: 'items' | 'users'): AsyncIterable<StoredThing>;
  /** How many actions there are on every item that has any: what was erased does not count. */
  actionCounts(): AsyncIterable<readonly [item: string, count: number]>;
  /** Keeps what was served. It need not be durable when this returns. */
  recordServed(served: Served): void;
  served(id: string): Promise<Served | null>;
  /** All that was served, oldest first. */
  allServed(): AsyncIterable<Served>;
  /** The same, newest first. */
  newestServed(): AsyncIterable<Served>;
  /** Forgets what was served before a time. */
  forgetServed(before: number): Promise<number>;
  /** A user's events, attributes and served lists go for good, and that the user was erased is remembered. Tells what there was. */
  erase(user: string, time: number): Promise<{ readonly events: number; readonly other: number }>;
  /**
   * The number that was the newest when the user was erased last: whatever has a higher one is of somebody new under that id. Null for who
   * never was, Infinity where it was not kept.
   */
  erasedThrough(user: string): Promise<number | null>;
  /** SHA-256 of the ids of all who were, in hexadecimal digits, each with that number. */
  erasedUsers(): AsyncIterable<readonly [hash: string, through: number]>;
  /** Remembers which run answers, and with which one the server was started then. The number of the change, where others are told of it; else 0. */
  rememberActive(active: ActiveRun): Promise<number>;
  /** Null where none was ever activated. */
  activeRun(): Promise<ActiveRun | null>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

/** Attributes that change. */
export interface FieldChanges {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string | readonly string[] | null>;
}
