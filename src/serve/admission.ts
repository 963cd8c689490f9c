/**
 * How many questions may be under way: as many as are answered soon. Knows times of answers; does not know what is asked.
 *
 * A queue helps over a moment with too much to do, and only makes everybody late where there is always too much. So one is let in if its
 * answer can be expected within a time: by the number that is under way and the time that passes between two answers while
 * there is work. That time is four times what an answer takes where nobody waits, or `PATIENCE`,
 * whichever is longer.
 */
import { UserError } from '../base/index.js';

/** Milliseconds that an answer may be waited for, however fast answers are otherwise. */
const PATIENCE = 16;
/** How many times as long as an answer without others may be waited for. */
const FACTOR = 4;
/** The share of the newest time in a mean. */
const NEW = 0.05;

export class Admission {
  readonly #most: number;
  /** So many are always let in: they are worked on side by side. */
  readonly #always: number;
  readonly #now: () => number;
  #underWay = 0;
  /** Means, milliseconds: of an answer that waited for no other, and between two answers while others wait. */
  #alone: number | null = null;
  #between: number | null = null;
  #lastAnswer = 0;

  /** @param most under way in any case  @param sideBySide worked on at once */
  constructor(most: number, sideBySide: number, now: () => number = () => performance.now()) {
    if (most < 1) throw new UserError('at least one request must be let in');
    this.#most = most;
    this.#always = Math.min(most, 2 * sideBySide);
    this.#now = now;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Whether another one would be answered soon. */
  get isOpen(): boolean {
    if (this.#underWay >= this.#most) return false;
    if (this.#underWay < this.#always || this.#between === null || this.#alone === null) return true;
    return (this.#underWay + 1) * this.#between <= Math.max(PATIENCE, FACTOR * this.#alone);
  }

  /** Lets one in. What comes back is called once it is answered, or gone; further calls do nothing. */
  enter(): () => void {
    const start = this.#now();
    const before = this.#underWay++;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#underWay--;
      const now = this.#now();
      if (before === 0) this.#alone = mean(this.#alone, now - start);
      // others were there all the time since the last answer
      if (this.#underWay > 0 && this.#lastAnswer >= start) this.#between = mean(this.#between, now - this.#lastAnswer);
      this.#lastAnswer = now;
    };
  }
}

const mean = (known: number | null, value: number): number => (known === null ? value : known + NEW * (value - known));
