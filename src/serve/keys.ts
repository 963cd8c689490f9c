/**
 * Who may do what. Knows keys, scopes and how they are compared; does not know routes or files.
 *
 * A key is 256 random bits, so its SHA-256 is as hard to turn round as the key is to guess: only that is kept. Keys are never
 * logged, nor is what was presented instead of one.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import { UserError } from '../base/index.js';
import { flawsOf } from './problems.js';
import { strict, word } from './schemas/index.js';

/** What a key may do. */
export const SCOPES = ['recommend', 'events', 'catalogue', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export const KeyFile = strict({
  keys: Type.Array(
    strict({
      name: Type.String({ minLength: 1, maxLength: 64, pattern: '^[\\w.-]+$' }),
      scopes: Type.Array(word(SCOPES), { minItems: 1 }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
  ),
});
export type KeyFile = Static<typeof KeyFile>;

export const NO_KEYS: KeyFile = { keys: [] };

const digestOf = (key: string): Buffer => createHash('sha256').update(key).digest();

/** A new key, and what is kept of it. */
export function newKey(name: string, scopes: readonly Scope[]): { key: string; kept: KeyFile['keys'][number] } {
  const key = `sesrec_${randomBytes(32).toString('base64url')}`;
  return { key, kept: { name, scopes: [...scopes], sha256: digestOf(key).toString('hex') } };
}

/** What is known of whoever asks. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** Without keys everybody on this machine may do everything. */
const ANYBODY: Caller = { name: 'anybody', scopes: new Set(SCOPES) };

export class Keys {
  readonly #known: readonly { readonly caller: Caller; readonly digest: Buffer }[];

  constructor({ keys }: KeyFile) {
    this.#known = keys.map(({ name, scopes, sha256 }) => ({
      caller: { name, scopes: new Set(scopes) },
      digest: Buffer.from(sha256, 'hex'),
    }));
  }

  get isEmpty(): boolean {
    return this.#known.length === 0;
  }

  /** The caller that headers tell of: null for a key that is missing or not known. All keys are compared, whichever it is. */
  callerOf(headers: IncomingHttpHeaders): Caller | null {
    if (this.isEmpty) return ANYBODY;
    const other = headers['x-api-key'];
    const presented =
      /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? (typeof other === 'string' ? other : '');
    const digest = digestOf(presented);
    let found: Caller | null = null;
    for (const { caller, digest: known } of this.#known) if (timingSafeEqual(digest, known)) found = caller;
    return found;
  }
}

/** What a file of keys must be; a `UserError` that names it otherwise. */
export function keyFileFrom(value: unknown, where: string): KeyFile {
  const check = new Ajv().compile<KeyFile>(KeyFile);
  if (!check(value)) {
    const [flaw] = flawsOf(check.errors ?? []);
    throw new UserError(`${where} is no file of keys: ${flaw?.pointer ?? ''} ${flaw?.message ?? 'is not valid'}`);
  }
  return value;
}
