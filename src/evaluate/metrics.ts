/**
 * HIT, NDCG and MRR of one relevant item. Knows ranks; does not know models, users or candidates.
 *
 * A rank is given as two counts: `better` candidates score strictly above the target, `tied` other candidates score
 * the same. The target is equally likely to stand anywhere among the tied, so each metric is its mean over the ranks
 * better + 1 … better + tied + 1, and a model that scores everything alike gets exactly chance. With one relevant
 * item, HIT@k is recall@k, and NDCG@1 is HIT@1.
 *
 * Source: the SESRec paper's metrics (HIT@{1,5,10}, NDCG@{5,10}, MRR without a cut-off); McSherry and Najork,
 * "Computing information retrieval performance measures efficiently in the presence of tied scores", ECIR 2008.
 */
import { at } from '../base/index.js';
import { meanAndError } from './statistics.js';

/** Every metric, in the order in which tables show them. */
export const METRICS = ['hit@1', 'hit@5', 'hit@10', 'ndcg@5', 'ndcg@10', 'mrr'] as const;
export type MetricName = (typeof METRICS)[number];
export type Metrics = Readonly<Record<MetricName, number>>;

/** Where the targets stand, one entry per user. */
export interface Ranks {
  readonly better: ArrayLike<number>;
  readonly tied: ArrayLike<number>;
}

/** Metrics over users, and how sure they are. */
export interface Summary {
  readonly metrics: Metrics;
  /** 95 % normal interval of each mean, users being the unit: mean ± 1.96 · sd / √users. Not clipped to [0, 1]. */
  readonly intervals: Readonly<Record<MetricName, readonly [low: number, high: number]>>;
  readonly users: number;
  /** Share of users whose target has the same score as at least one other candidate. */
  readonly tieRate: number;
}

/**
 * Expected hit at `k`, `E[rank ≤ k]` = clamp((k - better) / (tied + 1), 0, 1).
 * Ties: mean over the tied ranks. Without candidates (0, 0): 1.
 */
export function hit(k: number, better: number, tied: number): number {
  return Math.min(1, Math.max(0, (k - better) / (tied + 1)));
}

/**
 * Expected normalised discounted cumulative gain at `k` of the one relevant item, `E[[rank ≤ k] / log2(rank + 1)]`;
 * the ideal gain is 1. Ties: mean over the tied ranks. Without candidates (0, 0): 1.
 */
export function ndcg(k: number, better: number, tied: number): number {
  let sum = 0;
  for (let rank = better + 1; rank <= Math.min(k, better + tied + 1); rank++) sum += 1 / Math.log2(rank + 1);
  return sum / (tied + 1);
}

/**
 * Expected reciprocal rank, `E[1 / rank]`, without a cut-off.
 * Ties: mean over the tied ranks. Without candidates (0, 0): 1.
 */
export function reciprocalRank(better: number, tied: number): number {
  let sum = 0;
  for (let rank = better + 1; rank <= better + tied + 1; rank++) sum += 1 / rank;
  return sum / (tied + 1);
}

/** All metrics of one target. Ties: mean over the tied ranks. Without candidates (0, 0): all 1. */
export function metricsOf(better: number, tied: number): Metrics {
  return {
    'hit@1': hit(1, better, tied),
    'hit@5': hit(5, better, tied),
    'hit@10': hit(10, better, tied),
    'ndcg@5': ndcg(5, better, tied),
    'ndcg@10': ndcg(10, better, tied),
    mrr: reciprocalRank(better, tied),
  };
}

/**
 * What a ranker without knowledge gets with `candidates` items, the target among them: the exact mean of each metric
 * over the ranks 1 … candidates. For 100: HIT@1 .01, HIT@10 .1, NDCG@10 .0454, MRR .0519. For none: NaN.
 */
export function chance(candidates: number): Metrics {
  return candidates >= 1 ? metricsOf(0, candidates - 1) : everyMetric(() => Number.NaN);
}

/**
 * Counts the scores above and equal to the target's. A NaN, of the target or of a candidate, is no place in any order:
 * the answer is then undefined, and the caller turns it into an error. Ties: counted, not broken. No scores: (0, 0).
 */
export function place(target: number, scores: ArrayLike<number>): { better: number; tied: number } | undefined {
  if (Number.isNaN(target)) return undefined;
  let better = 0;
  let tied = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number; // a hot loop: the commonest answer first, no calls
    if (score < target) continue;
    if (score > target) better++;
    else if (score === target) tied++;
    else return undefined;
  }
  return { better, tied };
}

/**
 * Means over users, their 95 % normal intervals, and the share of users with ties. Ties: each user counts once, with
 * the mean over the tied ranks. No users: means, intervals and tie rate are NaN; one user: the intervals are NaN.
 */
export function summarise(ranks: Ranks): Summary {
  const users = ranks.better.length;
  const values = everyMetric(() => new Float64Array(users));
  let withTies = 0;
  for (let user = 0; user < users; user++) {
    const own = metricsOf(at(ranks.better, user), at(ranks.tied, user));
    if (at(ranks.tied, user) > 0) withTies++;
    for (const name of METRICS) values[name][user] = own[name];
  }
  const found = everyMetric((name) => meanAndError(values[name]));
  return {
    metrics: everyMetric((name) => found[name].mean),
    intervals: everyMetric((name) => {
      const { mean, error } = found[name];
      return [mean - 1.96 * error, mean + 1.96 * error] as const;
    }),
    users,
    tieRate: withTies / users,
  };
}

/** A record with one value per metric. */
export function everyMetric<T>(value: (name: MetricName, index: number) => T): Record<MetricName, T> {
  return Object.fromEntries(METRICS.map((name, i) => [name, value(name, i)])) as Record<MetricName, T>;
}
