/** Five numbers that a box plot is drawn from. Knows values; does not know figures. */
import { at } from '../base/index.js';

/** Tukey's box, and the mean. All NaN for no values. */
export interface Box {
  readonly count: number;
  readonly mean: number;
  readonly quartiles: readonly [first: number, median: number, third: number];
  /** The furthest values that lie within 1.5 interquartile ranges of the box. */
  readonly whiskers: readonly [low: number, high: number];
  /** Values beyond the whiskers. */
  readonly outliers: number;
}

/**
 * The quantile of sorted values, linear between the two it lies between: h = (n - 1) p (type 7 of Hyndman and Fan, 1996; what
 * numpy and R do unless told). NaN for no values.
 */
export function quantile(sorted: ArrayLike<number>, probability: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = (sorted.length - 1) * probability;
  const [low, high] = [at(sorted, Math.floor(place)), at(sorted, Math.ceil(place))];
  return low + (place - Math.floor(place)) * (high - low);
}

/** The box of some values. */
export function boxOf(values: ArrayLike<number>): Box {
  const sorted = Float64Array.from(values).sort();
  const [first, median, third] = [0.25, 0.5, 0.75].map((p) => quantile(sorted, p)) as [number, number, number];
  const reach = 1.5 * (third - first);
  const within = sorted.filter((value) => value >= first - reach && value <= third + reach);
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    quartiles: [first, median, third],
    whiskers: [within[0] ?? Number.NaN, within.at(-1) ?? Number.NaN],
    outliers: sorted.length - within.length,
  };
}
