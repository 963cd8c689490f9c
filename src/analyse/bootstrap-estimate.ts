/** What analyses tell of a statistic. Knows its shape; does not know how it is worked out. */

/** A number and its 95 % interval: users drawn with replacement. NaN where it cannot be told. */
export interface BootstrapEstimate {
  readonly value: number;
  readonly interval: readonly [low: number, high: number];
}
