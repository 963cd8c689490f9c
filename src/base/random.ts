/**
 * Seeded generators of pseudo-random numbers. Knows integers and streams; does not know what they are used for.
 *
 * Randomness is handed in, never global. A stream is named: `new Random(seed, 'dropout', epoch, step)` always
 * starts at the same place, so that a resumed run repeats bit for bit without any generator state being stored.
 * The generator is xoshiro128** (Blackman and Vigna, 2018), its state filled by a hash of the names.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(...names: readonly (string | number)[]) {
    // FNV-1a over the names (with separators), then splitmix32 to fill the state.
    let hash = 0x811c9dc5;
    for (const character of names.map((name) => `${typeof name}:${name}`).join('\u0000')) {
      hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
    }
    const next = (): number => {
      hash = (hash + 0x9e3779b9) | 0;
      let mixed = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1; // never all zero
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /**
   * Fills with zero with a probability of `rate`, else with `value`, from 16 random bits each. The same numbers as
   * `uint32` gives, with the state in local variables: masks are long.
   */
  fillMask(mask: Float32Array, rate: number, value: number): void {
    const threshold = Math.round(rate * 65536);
    let [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    for (let i = 0; i < mask.length; i += 2) {
      const product = Math.imul(b, 5);
      const bits = Math.imul((product << 7) | (product >>> 25), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      mask[i] = (bits & 0xffff) < threshold ? 0 : value;
      mask[i + 1] = bits >>> 16 < threshold ? 0 : value; // past the end of an odd length: ignored
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }

  /** A uniform number in [0, 1) with 53 random bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** A uniform integer in [0, bound), without modulo bias. `bound` must be an integer in [1, 2^32]. */
  integer(bound: number): number {
    const limit = 4294967296 - (4294967296 % bound);
    let value = this.uint32();
    while (value >= limit) value = this.uint32();
    return value % bound;
  }

  /** A standard normal number (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.float()));
    return radius * Math.cos(2 * Math.PI * this.float());
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle(values: Int32Array): Int32Array {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = values[i] as number;
      values[i] = values[j] as number;
      values[j] = kept;
    }
    return values;
  }
}

/** The name of the generator and of how it is used: a state that names another one cannot be gone on with here. */
export const GENERATOR = 'xoshiro128**, named streams';
