/**
 * Student's t distribution. Knows probabilities and critical values; does not know what was measured.
 *
 * P(|T| ≥ t) with n degrees of freedom is the regularised incomplete beta function I_x(n/2, 1/2) at x = n / (n + t²)
 * (NIST Digital Library of Mathematical Functions, 8.17), here by the continued fraction of Didonato and Morris,
 * "Significant digit computation of the incomplete beta function ratios", ACM TOMS 1992, evaluated from the front as
 * Lentz does (Thompson and Barnett, 1986).
 */
import { UserError } from '../base/index.js';

/**
 * P(|T| ≥ |t|), both tails together, for `degreesOfFreedom` above 0. Exact to a relative 1e-12 or so, far tails included:
 * where a test needs 1e-300, it is 1e-300 and not 0. NaN for a t that is NaN or no degrees of freedom.
 */
export function studentTails(t: number, degreesOfFreedom: number): number {
  const [half, square] = [degreesOfFreedom / 2, t * t];
  if (!(degreesOfFreedom > 0) || Number.isNaN(t)) return Number.NaN;
  if (square === Infinity) return 0;
  const [x, y] = [degreesOfFreedom / (degreesOfFreedom + square), square / (degreesOfFreedom + square)];
  // x^half √y / B(half, 1/2)
  const power = Math.exp(-half * Math.log1p(square / degreesOfFreedom)) * Math.sqrt(y / Math.PI) * gammaRatio(half);
  // The fraction converges fast for the smaller of the two parts: I_x(a, b) = 1 - I_y(b, a).
  return x < (half + 1) / (half + 2.5)
    ? power * betaFraction(half, 0.5, x, y)
    : 1 - power * betaFraction(0.5, half, y, x);
}

/** The t with P(|T| < t) = `level`: 1.96 for .95 and many degrees of freedom, 12.7 for one. NaN for none. */
export function studentCriticalValue(level: number, degreesOfFreedom: number): number {
  if (!(level > 0 && level < 1)) throw new UserError(`level is ${level}: give a number between 0 and 1`);
  if (!(degreesOfFreedom > 0)) return Number.NaN;
  const isBelow = (t: number): boolean => studentTails(t, degreesOfFreedom) > 1 - level;
  let [low, high] = [0, 1];
  while (isBelow(high)) [low, high] = [high, 2 * high];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
}

/**
 * I_x(a, b) without the power x^a y^b / B(a, b) before it, y = 1 - x, for x not much above a / (a + b). This fraction, unlike
 * the one in most books, subtracts nothing from a number close to it where a is large and y small.
 */
function betaFraction(a: number, b: number, x: number, y: number): number {
  const excess = a * y - b * x;
  // 1 / (d_0 + n_1 / (d_1 + n_2 / (d_2 + …)))
  let fraction = (a / (a + 1)) * (excess + 1);
  let [numerator, denominator] = [fraction, 0];
  for (let m = 1; ; m++) {
    const place = a + 2 * m - 1;
    const n = ((a + m - 1) / place) * ((a + b + m - 1) / place) * m * (b - m) * x * x;
    const d = m + (m * (b - m) * x) / place + ((a + m) / (place + 2)) * (excess + 1 + m * (1 + y));
    denominator = 1 / (d + n * denominator);
    numerator = d + n / numerator;
    fraction *= numerator * denominator;
    if (Math.abs(numerator * denominator - 1) <= 2 * Number.EPSILON) return 1 / fraction;
  }
}

/**
 * Γ(a + 1/2) / Γ(a), by its asymptotic series (from DLMF 5.11.8) at 20 or above, where it is exact to the last bits.
 * Logarithms of both would lose digits: they are large and nearly the same.
 */
function gammaRatio(a: number): number {
  let factor = 1;
  let shifted = a;
  for (; shifted < 20; shifted++) factor *= shifted / (shifted + 0.5);
  const square = 1 / (shifted * shifted);
  const series = -1 / 8 + square * (1 / 192 + square * (-1 / 640 + square * (17 / 14336 - (square * 31) / 18432)));
  return factor * Math.sqrt(shifted) * Math.exp(series / shifted);
}
