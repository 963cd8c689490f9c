/** How analyses of a split write numbers in tables and sentences. Knows digits; does not know what they count. */
import { decimals as withDigits } from '../table.js';

/** Three digits, as in .512: these figures vary with the people in the third. */
export const decimals = (value: number, digits = 3): string => withDigits(value, digits);

/** An interval, as in .498 to .531. */
export const between = ([low, high]: readonly [number, number], digits = 3): string =>
  Number.isFinite(low) ? `${decimals(low, digits)} to ${decimals(high, digits)}` : '–';

/** A probability, never told as 0. */
export const probability = (p: number): string => (p < 0.001 ? '< .001' : decimals(p));

/** For CSV, where what cannot be told is empty. */
export const cell = (value: number): number | null => (Number.isFinite(value) ? value : null);
