/** How the analyses write numbers in tables and sentences. Knows digits; does not know what they count. */

/** Three digits behind the point, without the zero before it, as in .512; a dash for what cannot be told. */
export function decimals(value: number, digits = 3): string {
  return Number.isFinite(value) ? value.toFixed(digits).replace(/^(-?)0\./, '$1.') : '–';
}

/** An interval, as in .498 to .531. */
export const between = ([low, high]: readonly [number, number], digits = 3): string =>
  Number.isFinite(low) ? `${decimals(low, digits)} to ${decimals(high, digits)}` : '–';

/** A probability, never told as 0. */
export const probability = (p: number): string => (p < 0.001 ? '< .001' : decimals(p));

/** For CSV, where what cannot be told is empty. */
export const cell = (value: number): number | null => (Number.isFinite(value) ? value : null);
