/** Users of a run by the hash of their ids, which is all that is told of somebody who was erased. Knows ids and hashes; does not know what they are for. */
import { setImmediate as breathe } from 'node:timers/promises';
import { hashOf } from '../base/index.js';
import type { Vocabulary } from '../data/index.js';

/** Ids that are hashed before others have their turn. */
const STRETCH = 2000;
/** Hexadecimal digits of a hash that are kept: whoever has them is looked at closely. */
const DIGITS = 8;

export class UserHashes {
  readonly #users: Vocabulary;
  /** Worked out when somebody is first looked for. */
  #beginnings: Promise<Uint32Array> | null = null;

  constructor(users: Vocabulary) {
    this.#users = users;
  }

  /** @returns the id, null for nobody of the run */
  async find(hash: string): Promise<string | null> {
    const beginnings = await (this.#beginnings ??= this.#begin());
    const wanted = Number.parseInt(hash.slice(0, DIGITS), 16);
    for (let user = beginnings.indexOf(wanted); user >= 0; user = beginnings.indexOf(wanted, user + 1)) {
      const id = this.#users.ids[user] as string;
      if (hashOf(id) === hash) return id;
    }
    return null;
  }

  async #begin(): Promise<Uint32Array> {
    const { ids } = this.#users;
    const beginnings = new Uint32Array(ids.length);
    for (let user = 0; user < ids.length; user++) {
      beginnings[user] = Number.parseInt(hashOf(ids[user] as string).slice(0, DIGITS), 16);
      if (user % STRETCH === STRETCH - 1) await breathe();
    }
    return beginnings;
  }
}
