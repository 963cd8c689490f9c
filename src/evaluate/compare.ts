/**
 * Two rankers on the same targets, user by user. Knows ranks; does not know what was ranked, nor why one is better.
 *
 * The intervals of two results tell nothing of their difference: both met the same users, easy and hard ones. Here
 * each user is compared with themselves.
 */
import { assert, at } from '../base/index.js';
import type { Evaluation } from './evaluate.js';
import { type MetricName, everyMetric, metricsOf } from './metrics.js';

/** The mean over users of (one - other), and how sure it is. */
export interface Difference {
  readonly difference: number;
  /** Standard error of that mean; users are the unit. NaN for fewer than two users. */
  readonly error: number;
  /** 95 % normal interval, difference ± 1.96 · error. */
  readonly interval: readonly [low: number, high: number];
}

/** How two evaluations differ in every metric. They must be of the same users under the same protocol and candidates. */
export function compare(one: Evaluation, other: Evaluation): Record<MetricName, Difference> {
  const identity = ({ protocol, ranks }: Evaluation): string =>
    JSON.stringify([protocol.name, protocol.on, protocol.hash, Array.from(ranks.user)]);
  assert(identity(one) === identity(other), 'only evaluations of the same users and candidates can be compared');
  const metrics = ({ ranks: { better, tied } }: Evaluation) =>
    Array.from(better, (count, user) => metricsOf(count, at(tied, user)));
  const [own, others] = [metrics(one), metrics(other)];
  return everyMetric((name) => {
    const differences = own.map((values, user) => values[name] - (others[user] as typeof values)[name]);
    const { length } = differences;
    const difference = differences.reduce((sum, value) => sum + value, 0) / length;
    const squares = differences.reduce((sum, value) => sum + (value - difference) ** 2, 0);
    const error = length < 2 ? Number.NaN : Math.sqrt(squares / (length - 1) / length);
    return { difference, error, interval: [difference - 1.96 * error, difference + 1.96 * error] };
  });
}
