/**
 * Several trainings of a model, told as one. Knows ranks of the same users by trainings that differ in their seed; does not
 * know how they were trained, nor which model is better.
 */
import { assert, at } from '../base/index.js';
import { type MetricName, type Metrics, type Ranks, everyMetric, metricsOf, summarise } from './metrics.js';
import { type StudentInterval, studentInterval } from './statistics.js';

/** Where targets stand, and whose they are. */
export interface UserRanks extends Ranks {
  /** User indices, ascending. */
  readonly user: ArrayLike<number>;
}

/** The metrics of one training, over users. No users: NaN. */
export const metricsOver = (ranks: Ranks): Metrics => summarise(ranks).metrics;

/** Mean of each metric over trainings, and its 95 % interval by Student's t; of one training there is no interval (NaN). */
export function intervalsOverSeeds(seeds: readonly Metrics[]): Record<MetricName, StudentInterval> {
  return everyMetric((name) => studentInterval(seeds.map((metrics) => metrics[name])));
}

/** Every user's metrics, averaged over trainings: one value per user, in order. At least one training, all of the same users. */
export function userMeans(seeds: readonly UserRanks[]): Record<MetricName, Float64Array> {
  const [first, ...others] = seeds as readonly [UserRanks, ...UserRanks[]];
  for (const other of others)
    assert(hasSameUsers(first, other), 'only trainings that ranked for the same users can be averaged');
  const users = first.user.length;
  const means = everyMetric(() => new Float64Array(users));
  for (const [seed, { better, tied }] of seeds.entries()) {
    for (let user = 0; user < users; user++) {
      const metrics = metricsOf(at(better, user), at(tied, user));
      // step by step, so that the mean of equal values is that value, however many there are
      for (const [name, values] of Object.entries(means) as [MetricName, Float64Array][]) {
        const mean = at(values, user);
        values[user] = mean + (metrics[name] - mean) / (seed + 1);
      }
    }
  }
  return means;
}

/** The ranks of some of the users; all of these must be among them. users: ascending. */
export function ranksOf({ user, better, tied }: UserRanks, users: ArrayLike<number>): UserRanks {
  const places = new Int32Array(users.length);
  for (let [i, place] = [0, 0]; i < users.length; i++, place++) {
    while (place < user.length && at(user, place) < at(users, i)) place++;
    assert(place < user.length && at(user, place) === at(users, i), 'some users were not ranked for');
    places[i] = place;
  }
  return {
    user: users,
    better: places.map((place) => at(better, place)),
    tied: places.map((place) => at(tied, place)),
  };
}

/** Whether two rankings are of the same users. */
export function hasSameUsers({ user: one }: UserRanks, { user: other }: UserRanks): boolean {
  return one.length === other.length && Array.from(one).every((user, i) => user === other[i]);
}
