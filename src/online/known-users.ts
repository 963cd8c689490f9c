/** Users whose histories are kept encoded: the ones asked for last, within bounds. Knows sizes; does not know what is kept. */

interface Entry<Value> {
  readonly value: Promise<Value>;
  readonly revision: string;
  bytes: number;
}

/** Keeps values by user until they are forgotten, or make room: the one not asked for longest goes first. */
export class KnownUsers<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #mostUsers: number;
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostUsers: number, mostBytes: number) {
    this.#mostUsers = mostUsers;
    this.#mostBytes = mostBytes;
  }

  /**
   * The value of a user, made where there is none of this revision; one that fails is not kept. `charge` tells of memory that it holds, now or later.
   */
  async get(user: string, make: (charge: (bytes: number) => void) => Promise<Value>, revision = ''): Promise<Value> {
    const known = this.#entries.get(user);
    if (known?.revision === revision) {
      this.#entries.delete(user); // the one asked for last comes last
      this.#entries.set(user, known);
      return known.value;
    }
    this.forget(user);
    let early = 0; // what is charged before there is an entry
    let charge = (bytes: number): void => void (early += bytes);
    const entry: Entry<Value> = { value: make((bytes) => charge(bytes)), revision, bytes: 0 };
    this.#entries.set(user, entry);
    charge = (bytes) => this.#charge(user, entry, bytes);
    charge(early);
    entry.value.catch(() => {
      if (this.#entries.get(user) === entry) this.forget(user);
    });
    return entry.value;
  }

  #charge(user: string, entry: Entry<Value>, bytes: number): void {
    if (this.#entries.get(user) !== entry) return; // forgotten meanwhile
    entry.bytes += bytes;
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#mostUsers && this.#bytes <= this.#mostBytes) return;
      this.forget(oldest);
    }
  }

  /** The value that is there, of whatever revision. */
  peek(user: string): Promise<Value> | null {
    return this.#entries.get(user)?.value ?? null;
  }

  users(): Iterable<string> {
    return this.#entries.keys();
  }

  forget(user: string): void {
    this.#bytes -= this.#entries.get(user)?.bytes ?? 0;
    this.#entries.delete(user);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /** Users, and bytes that were told of. */
  get size(): { readonly users: number; readonly bytes: number } {
    return { users: this.#entries.size, bytes: this.#bytes };
  }
}
