/**
 * Events that are on the disk and not in their place in the tables yet, as they are read meanwhile. Knows whose they are and which ids are taken; does not
 * know where they go.
 */
import type { KeyedEvent } from './lmdb-tables.js';
import type { StoredEvent } from './store.js';

export class PendingEvents {
  readonly #events: KeyedEvent[] = [];
  readonly #byUser = new Map<string, KeyedEvent[]>();
  readonly #ids = new Set<string>();

  /** In order of their numbers. */
  all(): readonly KeyedEvent[] {
    return this.#events;
  }

  of(user: string): readonly StoredEvent[] {
    return this.#byUser.get(user) ?? [];
  }

  /** Whether an id is taken: by one that is there, or will be. */
  hasId(id: string): boolean {
    return this.#ids.has(id);
  }

  takeIds(ids: Iterable<string>): void {
    for (const id of ids) this.#ids.add(id);
  }

  giveBackIds(ids: Iterable<string>): void {
    for (const id of ids) this.#ids.delete(id);
  }

  add(events: readonly KeyedEvent[]): void {
    for (const pending of events) {
      this.#events.push(pending);
      const { user } = pending.event;
      const own = this.#byUser.get(user);
      if (own) own.push(pending);
      else this.#byUser.set(user, [pending]);
      if (pending.id !== null) this.#ids.add(pending.id);
    }
  }

  /** Leaves out those through a number: they are in their place. */
  drop(through: number): void {
    const count = this.#events.findIndex(({ sequence }) => sequence > through);
    const gone = this.#events.splice(0, count < 0 ? this.#events.length : count);
    for (const { event, id } of gone) {
      const own = this.#byUser.get(event.user);
      if (own && own.length > 1) own.shift();
      else this.#byUser.delete(event.user);
      if (id !== null) this.#ids.delete(id);
    }
  }
}
