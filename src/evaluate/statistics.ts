/**
 * How sure a mean is, and whether differences are more than chance. Knows numbers, one per user (or per seed); does not
 * know metrics or rankers.
 *
 * Users are the unit: what is drawn at random is who came to the site. None of this says anything of another training of
 * the same model; for that, give one number per seed.
 */
import { type Random, UserError, assert, at } from '../base/index.js';
import { studentCriticalValue, studentTails } from './student.js';

/** A mean and its interval. */
export interface StudentInterval {
  /** NaN for no values. */
  readonly mean: number;
  /** Standard error of the mean. NaN for fewer than two values. */
  readonly error: number;
  /** The interval is mean ± halfWidth. NaN for fewer than two values. */
  readonly halfWidth: number;
  /** Values - 1, and 0 for none. */
  readonly degreesOfFreedom: number;
}

/** What a t-test of paired differences found. */
export interface PairedTest {
  /** Mean over its standard error; ±infinity when all differences are the same and not 0, 0 when all are 0. */
  readonly t: number;
  readonly degreesOfFreedom: number;
  /** Two-sided. NaN (as t) for fewer than two differences. */
  readonly p: number;
}

export interface BootstrapOptions {
  readonly random: Random;
  /** 10,000 unless told; at least 39, since a 95 % interval takes a fortieth from each end. */
  readonly resamples?: number;
}

/** What resampling says of a mean difference. */
export interface PairedBootstrap {
  readonly mean: number;
  /** 95 % percentile interval of the mean. NaN (as p) for fewer than two differences, or one that is not finite. */
  readonly interval: readonly [low: number, high: number];
  /** Two-sided, a multiple of 1 / (resamples + 1) and never 0. */
  readonly p: number;
  readonly resamples: number;
}

/** The mean of values and its interval by Student's t with n - 1 degrees of freedom, as wide as `level` asks (.95). */
export function studentInterval(values: ArrayLike<number>, level = 0.95): StudentInterval {
  const { mean, error } = meanAndError(values);
  const degreesOfFreedom = Math.max(0, values.length - 1);
  return { mean, error, halfWidth: studentCriticalValue(level, degreesOfFreedom) * error, degreesOfFreedom };
}

/**
 * Student's t-test of paired differences: how likely a mean at least as far from 0 is when the true one is 0. Differences
 * that are all 0 give p = 1, all the same but not 0 give p = 0.
 */
export function pairedTest(differences: ArrayLike<number>): PairedTest {
  const { mean, error } = meanAndError(differences);
  const degreesOfFreedom = Math.max(0, differences.length - 1);
  const t = mean === 0 && error === 0 ? 0 : mean / error;
  return { t, degreesOfFreedom, p: studentTails(t, degreesOfFreedom) };
}

/**
 * Resamples paired differences with replacement, as many as there are, `resamples` times (Efron and Tibshirani, "An
 * introduction to the bootstrap", 1993).
 *
 * interval: the k-th smallest and k-th largest of the resampled means, k = ⌊(resamples + 1) / 40⌋ (section 13.3).
 * p: the share of resampled means that lie at least as far from the mean as the mean lies from 0, which is the test with
 * differences centred to the hypothesis of no difference (section 16.4); the observed mean counts as one resample, so
 * that p = (1 + as far) / (1 + resamples), never below 1 / (resamples + 1). With skewed differences, the interval and p
 * may disagree about a mean near the edge.
 *
 * The same stream of `random` gives the same interval and p, in whatever order the differences come.
 */
export function pairedBootstrap(
  differences: ArrayLike<number>,
  { random, resamples = 10_000 }: BootstrapOptions,
): PairedBootstrap {
  checkResamples(resamples);
  const { length } = differences;
  const { mean } = meanAndError(differences);
  if (length < 2 || !Number.isFinite(mean))
    return { mean, interval: [Number.NaN, Number.NaN], p: Number.NaN, resamples };
  const distinct = countValues(differences);
  const sum = distinct.reduce((total, { value, count }) => total + value * count, 0);
  // Sums that are the same but for the order of addition are as far: rounding must not decide.
  const slack = 1e-12 * distinct.reduce((total, { value, count }) => total + Math.abs(value) * count, 0);
  const sums = resampledSums(distinct, length, random, resamples).sort();
  const asFar = sums.filter((resampled) => Math.abs(resampled - sum) >= Math.abs(sum) - slack).length;
  const beyond = Math.floor((resamples + 1) / 40);
  return {
    mean,
    interval: [at(sums, beyond - 1) / length, at(sums, resamples - beyond) / length],
    p: (1 + asFar) / (1 + resamples),
    resamples,
  };
}

/**
 * The sign test of paired differences: how likely it is, were either sign as likely as the other, that at least as many
 * differences as here have the same sign. Exact, two-sided; differences of 0 do not count. `positive` and `negative`: how many
 * there are of each; p is 1 where there are none.
 */
export function signTest(differences: ArrayLike<number>): {
  readonly positive: number;
  readonly negative: number;
  readonly p: number;
} {
  let [positive, negative] = [0, 0];
  for (let i = 0; i < differences.length; i++) {
    if (at(differences, i) > 0) positive++;
    else if (at(differences, i) < 0) negative++;
  }
  const trials = positive + negative;
  // log of the binomial coefficient times 2^-trials, from one k to the next
  let [logChance, tail] = [-trials * Math.LN2, 0];
  for (let k = 0; k <= Math.min(positive, negative); k++) {
    tail += Math.exp(logChance);
    logChance += Math.log(trials - k) - Math.log(k + 1);
  }
  return { positive, negative, p: Math.min(1, 2 * tail) };
}

/**
 * Units, such as users, drawn with replacement, as many as there are, `resamples` times: for intervals of what is no mean of
 * one number per unit. All statistics are worked out on the same draws.
 */
export class Resamples {
  readonly #draws: readonly Int32Array[];

  constructor(units: number, { random, resamples = 10_000 }: BootstrapOptions) {
    checkResamples(resamples);
    this.#draws = Array.from({ length: units < 2 ? 0 : resamples }, () => {
      const times = new Int32Array(units);
      for (let draw = 0; draw < units; draw++) {
        const unit = random.integer(units);
        times[unit] = at(times, unit) + 1;
      }
      return times;
    });
  }

  /**
   * The 95 % percentile interval of a statistic, as in `pairedBootstrap`. NaN for fewer than two units, or where the statistic is
   * NaN for some resample.
   * @param statistic gets how often each unit was drawn, (units)
   */
  interval(statistic: (times: ArrayLike<number>) => number): readonly [low: number, high: number] {
    const values = Float64Array.from(this.#draws, statistic);
    if (values.length === 0 || values.some(Number.isNaN)) return [Number.NaN, Number.NaN];
    values.sort();
    const beyond = Math.floor((values.length + 1) / 40);
    return [at(values, beyond - 1), at(values, values.length - beyond)];
  }
}

/** A ratio of means and its interval. */
export interface RatioBootstrap {
  /** Mean over mean; infinity where the lower one is not above 0 and the upper one is, NaN where neither is. */
  readonly ratio: number;
  /** 95 % percentile interval. NaN for fewer than two pairs. */
  readonly interval: readonly [low: number, high: number];
}

/**
 * The ratio of two means over the same users, and its interval by `Resamples`: both values of a user come along
 * together. Resamples in which neither mean is above 0 count as a ratio of 0.
 */
export function ratioBootstrap(
  over: ArrayLike<number>,
  under: ArrayLike<number>,
  options: BootstrapOptions,
): RatioBootstrap {
  assert(under.length === over.length, `${over.length} values over ${under.length}`);
  const sumOf = (values: ArrayLike<number>, times: ArrayLike<number>): number =>
    Array.from(times).reduce((sum, count, user) => sum + count * at(values, user), 0);
  const ratioOf = (times: ArrayLike<number>): number => {
    const [upper, lower] = [sumOf(over, times), sumOf(under, times)];
    return lower > 0 ? upper / lower : upper > 0 ? Infinity : Number.NaN;
  };
  const orNone = (ratio: number): number => (Number.isNaN(ratio) ? 0 : ratio);
  const interval = new Resamples(over.length, options).interval((times) => orNone(ratioOf(times)));
  return { ratio: ratioOf(new Int32Array(over.length).fill(1)), interval };
}

function checkResamples(resamples: number): void {
  if (!Number.isInteger(resamples) || resamples < 39)
    throw new UserError(`resamples is ${resamples}: give a whole number from 39`);
}

/**
 * p values adjusted for there being several (Holm, 1979): reject those that are at most α, and the chance of rejecting any
 * hypothesis that is true is at most α, however they depend on each other. In the order given; never below the p given,
 * never above 1, and in the same order of size. NaN, a test that could not be made, stays NaN and does not count.
 */
export function holm(pValues: readonly number[]): number[] {
  const adjusted = pValues.map(() => Number.NaN);
  const made = Array.from(pValues.keys()).filter((i) => !Number.isNaN(at(pValues, i)));
  let largest = 0;
  for (const [rank, i] of made.sort((one, other) => at(pValues, one) - at(pValues, other)).entries()) {
    const p = at(pValues, i);
    assert(p >= 0 && p <= 1, `${p} is no probability`);
    largest = Math.max(largest, Math.min(1, (made.length - rank) * p));
    adjusted[i] = largest;
  }
  return adjusted;
}

/** Mean and standard error (NaN for fewer than one value, and two) by Welford's recurrence: stable, and the mean of equal values is that value exactly. */
export function meanAndError(values: ArrayLike<number>): { readonly mean: number; readonly error: number } {
  const { length } = values;
  let [mean, squares] = [length === 0 ? Number.NaN : 0, 0];
  for (let i = 0; i < length; i++) {
    const before = at(values, i) - mean;
    mean += before / (i + 1);
    squares += before * (at(values, i) - mean);
  }
  return { mean, error: length < 2 ? Number.NaN : Math.sqrt(squares / (length - 1) / length) };
}

/** A value and how many have it. */
interface Counted {
  readonly value: number;
  readonly count: number;
}

/** The distinct values, the most common first, equally common ones by size. */
function countValues(values: ArrayLike<number>): Counted[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < values.length; i++) counts.set(at(values, i), (counts.get(at(values, i)) ?? 0) + 1);
  return Array.from(counts, ([value, count]) => ({ value, count })).sort(
    (one, other) => other.count - one.count || one.value - other.value,
  );
}

/** From so many equal values on, it is faster to draw how often they come than to draw each. */
const COMMON = 32;

/**
 * The sum of `length` draws with replacement, `resamples` times. How often a common value comes is one binomial number,
 * given how often the ones before it came, which together is exactly the multinomial distribution; what is left falls on
 * the rare values, one by one. Most users do not differ at all under HIT and NDCG, so that little is left.
 */
function resampledSums(
  distinct: readonly Counted[],
  length: number,
  random: Random,
  resamples: number,
): Float64Array<ArrayBuffer> {
  const common = distinct.filter(({ count }) => count >= COMMON);
  const rare = Float64Array.from(
    distinct.slice(common.length).flatMap(({ value, count }) => Array.from({ length: count }, () => value)),
  );
  // Not `random.integer`, whose remainders take most of the time: some values are more likely than others by 2^-32 here.
  const share = rare.length / 2 ** 32;
  const binomial = new Binomial(length);
  const sums = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    let [sum, draws, among] = [0, length, length];
    for (const { value, count } of common) {
      const times = binomial.draw(random, draws, count / among);
      sum += times * value;
      draws -= times;
      among -= count;
    }
    for (; draws > 0; draws--) sum += rare[Math.floor(random.uint32() * share)] as number; // a hot loop
    sums[resample] = sum;
  }
  return sums;
}

/**
 * Binomial numbers by inversion, from the most likely one outwards, so that a draw takes about as many steps as their
 * standard deviation.
 */
class Binomial {
  readonly #logFactorials: Float64Array;

  /** For at most `most` trials. */
  constructor(most: number) {
    this.#logFactorials = new Float64Array(most + 1);
    for (let i = 1; i <= most; i++) this.#logFactorials[i] = at(this.#logFactorials, i - 1) + Math.log(i);
  }

  draw(random: Random, trials: number, probability: number): number {
    if (probability >= 1) return trials;
    const mode = Math.min(trials, Math.floor((trials + 1) * probability));
    const odds = probability / (1 - probability);
    let [below, above] = [mode, mode];
    let chanceBelow = Math.exp(
      at(this.#logFactorials, trials) -
        at(this.#logFactorials, mode) -
        at(this.#logFactorials, trials - mode) +
        mode * Math.log(probability) +
        (trials - mode) * Math.log1p(-probability),
    );
    let chanceAbove = chanceBelow;
    let left = random.float() - chanceBelow;
    while (left >= 0 && (above < trials || below > 0)) {
      if (above < trials) {
        chanceAbove *= (odds * (trials - above)) / (above + 1);
        above++;
        left -= chanceAbove;
        if (left < 0) return above;
      }
      if (below > 0) {
        chanceBelow *= below / (odds * (trials - below + 1));
        below--;
        left -= chanceBelow;
        if (left < 0) return below;
      }
    }
    return mode; // at once, or because all chances together fell short of 1 by their rounding
  }
}
