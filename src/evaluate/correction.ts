/**
 * What ranks among sampled candidates tell of the metrics among all items. Knows how a sampled rank comes about from an
 * exact one; does not know users, rankers or where ranks come from.
 *
 * Source: Krichene and Rendle, "On sampled metrics for item recommendation", KDD 2020, section 6. There as here, n items
 * are ranked, the target among them; its exact rank is r, its rank among m sampled candidates is r̃ (1 … m + 1); a metric is
 * M(r), and a corrected metric M̂(r̃), whose mean over users is to be the mean of M(r). How well that can be is limited: one
 * sampled rank stands for many exact ones, so that no M̂ is right for all rankers, and none replaces a full ranking.
 *
 * Ours differs from the paper in one thing: candidates are drawn *without* replacement, so that r̃ - 1, of r - 1 better items
 * among n - 1, is hypergeometric and not binomial:
 *
 *   P(r̃ | r) = C(r - 1, r̃ - 1) · C(n - r, m - r̃ + 1) / C(n - 1, m)
 *
 * That is exact for lists drawn uniformly from all that the target is ranked among. Ties: an estimate is its mean over the
 * sampled ranks that the target may take, which is the estimate under random tie-breaking in the full ranking too, since a
 * random order of equal items is also one of those that were drawn.
 */
import { UserError, assert, at, solvePositive } from '../base/index.js';
import { nonNegativeLeastSquares } from './least-squares.js';
import { type MetricName, type Ranks, everyMetric } from './metrics.js';

/** A metric of one relevant item as a function of its rank, from 1; also between whole ranks. */
export type RankMetric = (rank: number) => number;

/** The metrics of src/evaluate/metrics.ts, without ties. */
export const RANK_METRICS: Readonly<Record<MetricName, RankMetric>> = {
  'hit@1': hitAt(1),
  'hit@5': hitAt(5),
  'hit@10': hitAt(10),
  'ndcg@5': gainAt(5),
  'ndcg@10': gainAt(10),
  mrr: (rank) => 1 / rank,
};

function hitAt(k: number): RankMetric {
  return (rank) => (rank <= k ? 1 : 0);
}

function gainAt(k: number): RankMetric {
  return (rank) => (rank <= k ? 1 / Math.log2(rank + 1) : 0);
}

/** In the order in which tables show them. */
export const ESTIMATORS = ['unbiased rank', 'least bias', 'bias-variance'] as const;
export type EstimatorName = (typeof ESTIMATORS)[number];

/** The trade-off that is made unless told: a unit of variance counts as a tenth of one of squared bias. */
export const GAMMA = 0.1;

/** How sampled ranks come about from exact ones. */
export class SampledRanks {
  /** n: the items of the full ranking, the target among them. */
  readonly items: number;
  /** m: the sampled candidates beside the target. */
  readonly candidates: number;
  #gram: Float64Array | undefined;

  constructor(items: number, candidates: number) {
    if (!Number.isInteger(candidates) || candidates < 1 || !Number.isInteger(items) || items <= candidates)
      throw new UserError(`cannot draw ${candidates} candidates without replacement from ${items - 1} items`);
    this.items = items;
    this.candidates = candidates;
  }

  /** P(r̃ | rank) for r̃ = 1 … m + 1: (m + 1). Chances grow and fall around the likeliest, so they are worked out from there. */
  chances(rank: number): Float64Array {
    assert(rank >= 1 && rank <= this.items, `there is no rank ${rank} among ${this.items} items`);
    const [better, worse, drawn] = [rank - 1, this.items - rank, this.candidates];
    const [least, most] = [Math.max(0, drawn - worse), Math.min(better, drawn)];
    const mode = Math.min(most, Math.max(least, Math.floor(((drawn + 1) * rank) / (this.items + 1))));
    const chances = new Float64Array(drawn + 1);
    chances[mode] = 1;
    let sum = 1;
    for (let k = mode; k < most; k++) {
      chances[k + 1] = (at(chances, k) * (better - k) * (drawn - k)) / ((k + 1) * (worse - drawn + k + 1));
      sum += at(chances, k + 1);
    }
    for (let k = mode; k > least; k--) {
      chances[k - 1] = (at(chances, k) * k * (worse - drawn + k)) / ((better - k + 1) * (drawn - k + 1));
      sum += at(chances, k - 1);
    }
    return chances.map((chance) => chance / sum);
  }

  /** AᵀA, (m + 1, m + 1), where A(r, r̃) = √p(r) · P(r̃ | r) and all exact ranks are equally likely: p(r) = 1 / n. */
  get gram(): Float64Array {
    return (this.#gram ??= this.#sumOfProducts());
  }

  #sumOfProducts(): Float64Array {
    const size = this.candidates + 1;
    const sums = new Float64Array(size * size);
    for (let rank = 1; rank <= this.items; rank++) {
      const chances = this.chances(rank);
      let [first, end] = [0, size]; // what is less than the rounding of the others is left out
      while (at(chances, first) < 1e-18) first++;
      while (at(chances, end - 1) < 1e-18) end--;
      for (let i = first; i < end; i++) {
        const weight = at(chances, i) / this.items;
        for (let j = first; j < end; j++) sums[i * size + j] = at(sums, i * size + j) + weight * at(chances, j);
      }
    }
    return sums;
  }

  /** Aᵀb, (m + 1), where b(r) = √p(r) · M(r). */
  project(metric: RankMetric): Float64Array {
    const sums = new Float64Array(this.candidates + 1);
    for (let rank = 1; rank <= this.items; rank++) {
      const value = metric(rank) / this.items;
      if (value !== 0) this.chances(rank).forEach((chance, k) => (sums[k] = at(sums, k) + chance * value));
    }
    return sums;
  }
}

/**
 * M at an unbiased estimate of the rank, M̂(r̃) = M(1 + (n - 1)(r̃ - 1) / m), for r̃ = 1 … m + 1: (m + 1). The rank is right on
 * average, drawn with or without replacement; what a metric that is no straight line makes of it is not. Since r̃ = 2
 * stands for rank 1 + (n - 1) / m, no metric that is cut off before that can tell more than whether r̃ is 1.
 */
export function unbiasedRank(metric: RankMetric, { items, candidates }: SampledRanks): Float64Array {
  return Float64Array.from({ length: candidates + 1 }, (_, better) => metric(1 + ((items - 1) * better) / candidates));
}

/**
 * The M̂ of least squared bias, (m + 1): Σ_r p(r) (E[M̂(r̃) | r] - M(r))² = |A M̂ - b|², with p(r) = 1 / n, among those that
 * never fall below 0 and never grow with r̃, as metrics do not. Without these constraints it would be (AᵀA)⁻¹Aᵀb, which
 * (`biasVariance` with γ = 0) has a huge variance and for a hundred candidates cannot be computed in 64 bits. May exceed 1.
 */
export function leastBias(metric: RankMetric, sampled: SampledRanks): Float64Array {
  const { gram } = sampled;
  // M̂(r̃) is the sum of the steps at r̃ and behind it, none of them negative.
  const size = sampled.candidates + 1;
  const right = sampled.project(metric);
  const steps = gram.slice();
  for (let i = 0; i < size; i++) {
    for (let j = 1; j < size; j++) steps[i * size + j] = at(steps, i * size + j) + at(steps, i * size + j - 1);
    if (i === 0) continue;
    right[i] = at(right, i) + at(right, i - 1);
    for (let j = 0; j < size; j++) steps[i * size + j] = at(steps, i * size + j) + at(steps, (i - 1) * size + j);
  }
  const corrected = nonNegativeLeastSquares(steps, right);
  for (let k = size - 2; k >= 0; k--) corrected[k] = at(corrected, k) + at(corrected, k + 1);
  return corrected;
}

/**
 * The M̂ of least squared bias plus γ times variance, Σ_r p(r) ((E[M̂(r̃) | r] - M(r))² + γ Var[M̂(r̃) | r]), p(r) = 1 / n:
 *
 *   M̂ = ((1 - γ) AᵀA + γ diag(c))⁻¹ Aᵀb,  c(r̃) = Σ_r p(r) P(r̃ | r) = 1 / (m + 1)      (m + 1)
 *
 * γ = 1 is the least mean squared error: M̂(r̃) is the mean of M(r) over the exact ranks that r̃ may come from. Smaller γ
 * trust to the variance being averaged out over users. Values of single ranks may lie below 0 or above 1. γ: from 0, which
 * has a solution for few candidates only (`UserError`), to 1.
 */
export function biasVariance(metric: RankMetric, sampled: SampledRanks, gamma = GAMMA): Float64Array {
  if (!(gamma >= 0 && gamma <= 1)) throw new UserError(`gamma is ${gamma}: give a number from 0 to 1`);
  const size = sampled.candidates + 1;
  const matrix = sampled.gram.map((value) => (1 - gamma) * value);
  for (let k = 0; k < size; k++) matrix[k * size + k] = at(matrix, k * size + k) + gamma / size;
  const corrected = solvePositive(matrix, sampled.project(metric));
  if (corrected === null)
    throw new UserError(
      `gamma is ${gamma}, with which ${sampled.candidates} candidates decide nothing to the last digits: give a larger one`,
    );
  return corrected;
}

/** M̂ of every metric by one estimator: its value for r̃ = 1 … m + 1. */
export type Correction = Readonly<Record<MetricName, Float64Array>>;

/** Every metric, corrected by every estimator. */
export function corrections(sampled: SampledRanks, gamma = GAMMA): Readonly<Record<EstimatorName, Correction>> {
  return {
    'unbiased rank': everyMetric((name) => unbiasedRank(RANK_METRICS[name], sampled)),
    'least bias': everyMetric((name) => leastBias(RANK_METRICS[name], sampled)),
    'bias-variance': everyMetric((name) => biasVariance(RANK_METRICS[name], sampled, gamma)),
  };
}

/** The metrics as if r̃ were the exact rank: what a sampled metric is. */
export function uncorrected({ candidates }: SampledRanks): Correction {
  return everyMetric((name) => Float64Array.from({ length: candidates + 1 }, (_, k) => RANK_METRICS[name](k + 1)));
}

/** The corrected metrics of every user, from where their targets stand among their candidates; ties: see above. */
export function correctedValues(correction: Correction, { better, tied }: Ranks): Record<MetricName, Float64Array> {
  return everyMetric((name) =>
    Float64Array.from(better, (first, user) => {
      const last = first + at(tied, user);
      assert(last < correction[name].length, `rank ${last + 1} is not among so few candidates`);
      let sum = 0;
      for (let rank = first; rank <= last; rank++) sum += at(correction[name], rank);
      return sum / (last - first + 1);
    }),
  );
}
