/** Draws from the distributions that the simulator is made of. Knows numbers; does not know users or items. */
import { type Random, at, firstWhere } from '../base/index.js';

/** Draws positions 0 … n-1 in proportion to their weights. */
export class Weighted {
  readonly #cumulative: Float64Array;

  /** Weights must not be negative, and one must be above 0. */
  constructor(weights: ArrayLike<number>) {
    this.#cumulative = new Float64Array(weights.length);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      sum += at(weights, i);
      this.#cumulative[i] = sum;
    }
  }

  draw(random: Random): number {
    const { length } = this.#cumulative;
    const target = random.float() * at(this.#cumulative, length - 1);
    return firstWhere(0, length - 1, (i) => at(this.#cumulative, i) > target);
  }
}

/** Zipf's law: weights 1, 1 / 2^exponent, 1 / 3^exponent, … */
export function zipf(length: number, exponent: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (i + 1) ** -exponent);
}

export function chance(random: Random, probability: number): boolean {
  return random.float() < probability;
}

/** One of some values, all alike. */
export function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[random.integer(values.length)] as T;
}

/** exp of a normal number around log(median). */
export function logNormal(random: Random, median: number, deviation: number): number {
  return median * Math.exp(deviation * random.normal());
}

/** How often something happens that happens `mean` times on average (Poisson; Knuth's product of uniforms). */
export function poisson(random: Random, mean: number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.float(); product > limit; product *= random.float()) count++;
  return count;
}

/** 1, 2, 3, … with probability in proportion to n^-exponent, up to `most`: a long tail. */
export function longTail(most: number, exponent: number): (random: Random) => number {
  const weighted = new Weighted(zipf(most, exponent));
  return (random) => 1 + weighted.draw(random);
}
