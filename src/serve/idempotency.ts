/**
 * The same request twice is done once. Knows answers by the caller, the route and the Idempotency-Key of a request; does not know what is done.
 *
 * Answers are kept in memory: a restart forgets them. Events are told apart by their own ids, which are durable.
 */
import { createHash } from 'node:crypto';
import { RequestProblem } from './problems.js';

interface Kept {
  readonly wish: string;
  readonly at: number;
  /** Null while it is under way. */
  answer: unknown;
  isDone: boolean;
}

/** At most so many answers, for so long. */
const MOST = 10_000;
const MILLISECONDS = 24 * 3600 * 1000;

export class Idempotency {
  readonly #kept = new Map<string, Kept>();

  /**
   * Does some work, or gives the answer that the same request got. A failure is not kept.
   * @param key what tells the request apart; null to do the work in any case
   * @param wish what the request says: one key is for one wish
   */
  async once<Answer>(key: string | null, wish: unknown, work: () => Promise<Answer>): Promise<Answer> {
    if (key === null) return work();
    const hash = createHash('sha256').update(JSON.stringify(wish)).digest('base64');
    const known = this.#kept.get(key);
    if (known && Date.now() - known.at < MILLISECONDS) {
      if (known.wish !== hash)
        throw new RequestProblem(
          'invalid',
          'This Idempotency-Key came with another body or path before: use a new one.',
        );
      if (!known.isDone)
        throw new RequestProblem('in_progress', 'The request with this Idempotency-Key is still under way.', {
          retryAfter: 1,
        });
      return known.answer as Answer;
    }
    const own: Kept = { wish: hash, at: Date.now(), answer: null, isDone: false };
    this.#kept.delete(key);
    this.#kept.set(key, own);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST) break;
      this.#kept.delete(oldest);
    }
    try {
      own.answer = await work();
      own.isDone = true;
      return own.answer as Answer;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }
}
