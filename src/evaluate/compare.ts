/**
 * Two rankers on the same targets, user by user. Knows ranks; does not know what was ranked, nor why one is better.
 *
 * The intervals of two results tell nothing of their difference: both met the same users, easy and hard ones. Here
 * each user is compared with themselves.
 */
import { assert, at } from '../base/index.js';
import type { Evaluation } from './evaluate.js';
import { type MetricName, everyMetric, metricsOf } from './metrics.js';
import { studentInterval } from './statistics.js';

/** The mean over users of (one - other), and how sure it is. */
export interface Difference {
  readonly difference: number;
  /** Standard error of that mean; users are the unit. NaN for fewer than two users. */
  readonly error: number;
  /**
   * 95 % interval by Student's t with users - 1 degrees of freedom: difference ± 1.96 · error where users are thousands,
   * and wider where they are few. NaN for fewer than two users.
   */
  readonly interval: readonly [low: number, high: number];
}

/** How two evaluations differ in every metric. They must be of the same users under the same protocol and candidates. */
export function compare(one: Evaluation, other: Evaluation): Record<MetricName, Difference> {
  const differences = userDifferences(one, other);
  return everyMetric((name) => {
    const { mean, error, halfWidth } = studentInterval(differences[name]);
    return { difference: mean, error, interval: [mean - halfWidth, mean + halfWidth] };
  });
}

/** The difference (one - other) of every user in every metric, in order of user index; of the same evaluations as above. */
export function userDifferences(one: Evaluation, other: Evaluation): Record<MetricName, Float64Array> {
  const identity = ({ protocol, ranks }: Evaluation): string =>
    JSON.stringify([protocol.name, protocol.on, protocol.hash, Array.from(ranks.user)]);
  assert(identity(one) === identity(other), 'only evaluations of the same users and candidates can be compared');
  const metrics = ({ ranks: { better, tied } }: Evaluation) =>
    Array.from(better, (count, user) => metricsOf(count, at(tied, user)));
  const [own, others] = [metrics(one), metrics(other)];
  return everyMetric((name) =>
    Float64Array.from(own, (values, user) => values[name] - (others[user] as typeof values)[name]),
  );
}
