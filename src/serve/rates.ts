/** How often a key may ask. Knows names of keys and clocks; does not know requests. */

/** Buckets that fill at a rate and hold what may come in one second; every request takes one out. */
export class Rates {
  readonly #perSecond: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  /** @param perSecond requests a second and key; 0: as many as they like */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** 0 when a request may come; else after how many seconds. There are as many buckets as keys. */
  wait(name: string): number {
    if (this.#perSecond === 0) return 0;
    const now = this.#now();
    const bucket = this.#buckets.get(name) ?? { left: this.#perSecond, at: now };
    bucket.left = Math.min(this.#perSecond, bucket.left + ((now - bucket.at) / 1000) * this.#perSecond);
    bucket.at = now;
    this.#buckets.set(name, bucket);
    if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / this.#perSecond));
    bucket.left--;
    return 0;
  }
}
