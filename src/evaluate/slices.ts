/**
 * Users apart by what they or their targets are like, and the metrics of each slice. Knows the log and ranks; does not know
 * rankers: where a user belongs follows from the data set alone, so that rows of a comparison can be compared slice by slice.
 *
 * Where a slice is bounded by what is common among users, all users with a target count, whether they were evaluated or not.
 */
import { at } from '../base/index.js';
import { type Dataset, FIRST_INDEX, type HeldOut } from '../data/index.js';
import { type Case, recentSearches } from '../features/index.js';
import { countTrainingEvents } from '../model/index.js';
import { chooseCases } from './cases.js';
import { type Summary, summarise } from './metrics.js';
import { type UserRanks, ranksOf } from './seeds.js';

export const SLICINGS = ['searches', 'history', 'popularity', 'newItems', 'newUsers'] as const;
export type SlicingName = (typeof SLICINGS)[number];

/** One way to tell users apart: every user with a target is in one slice. */
export interface Slicing {
  readonly name: SlicingName;
  /** What is looked at, and how the bounds came about. */
  readonly rule: string;
  /** In the order in which tables show them. A slice may have nobody. */
  readonly slices: readonly { readonly name: string; readonly users: Int32Array }[];
}

/** The metrics of one way to tell users apart. */
export interface SlicedSummary {
  readonly name: SlicingName;
  readonly rule: string;
  /** Slices of nobody are among them, with NaN for metrics. */
  readonly slices: readonly { readonly name: string; readonly summary: Summary }[];
}

/**
 * The slices of a data set, for targets `on` validation or test. User indices ascend within a slice.
 *
 * searches: by the number of searches before the target: none, little, much; much is more than the median of those who
 * searched at all. history: by the number of feed events before the target: short, middle, long, at the thirds of users.
 * popularity: by the training events of the target: head items are the most popular ones that together have a third of all
 * training events, head and middle have two thirds; items with as many events are on the same side. newItems: targets with no
 * training event, with 1 to 5, with more. newUsers (global time only): users without
 * a training event, be it a search, and the others.
 * Equal numbers are never apart, so that slices may differ in size. No users with a target: a `UserError`.
 */
export function slicesOf(dataset: Dataset, on: HeldOut): Slicing[] {
  const { cases } = chooseCases(dataset, on);
  const events = countTrainingEvents(dataset);
  const targetEvents = cases.map(({ feedPosition }) => at(events, at(dataset.feedItem, feedPosition)));
  return [
    bySearches(dataset, cases),
    byHistory(dataset, cases),
    byPopularity(events, cases, targetEvents),
    {
      name: 'newItems',
      rule: 'training events of the target',
      slices: apart(cases, targetEvents, [
        ['0', 0],
        ['1 to 5', 5],
        ['more', Infinity],
      ]),
    },
    ...(dataset.manifest.split.strategy === 'global-time' ? [byTraining(dataset, cases)] : []),
  ];
}

/** The metrics of each slice, of the users who were ranked for. */
export function summariseSlices(slicings: readonly Slicing[], ranks: UserRanks): SlicedSummary[] {
  const ranked = new Set(Array.from(ranks.user));
  return slicings.map(({ name, rule, slices }) => ({
    name,
    rule,
    slices: slices.map(({ name, users }) => ({
      name,
      summary: summarise(
        ranksOf(
          ranks,
          users.filter((user) => ranked.has(user)),
        ),
      ),
    })),
  }));
}

function bySearches(dataset: Dataset, cases: readonly Case[]): Slicing {
  const counts = cases.map((moment) => recentSearches(dataset, moment).length);
  const median = quantile(
    counts.filter((count) => count > 0),
    1 / 2,
  );
  return {
    name: 'searches',
    rule: `searches before the target; much: more than ${median}, the median of those who searched`,
    slices: apart(cases, counts, [
      ['none', 0],
      [`little, 1 to ${median}`, median],
      ['much', Infinity],
    ]),
  };
}

function byHistory({ feedOffsets }: Dataset, cases: readonly Case[]): Slicing {
  const lengths = cases.map(({ user, feedPosition }) => feedPosition - at(feedOffsets, user));
  const [third, twoThirds] = [quantile(lengths, 1 / 3), quantile(lengths, 2 / 3)];
  return {
    name: 'history',
    rule: `feed events before the target; bounds at thirds of the users, ${third} and ${twoThirds}`,
    slices: apart(cases, lengths, [
      [`short, to ${third}`, third],
      [`middle, to ${twoThirds}`, twoThirds],
      ['long', Infinity],
    ]),
  };
}

function byPopularity(events: Float32Array, cases: readonly Case[], targetEvents: readonly number[]): Slicing {
  const [middle, head] = [popularFrom(events, 2 / 3), popularFrom(events, 1 / 3)];
  return {
    name: 'popularity',
    rule: `training events of the target; head: ${head} or more, the items with a third of all events; middle: ${middle} or more, with head two thirds`,
    slices: apart(cases, targetEvents, [
      ['tail', middle - 1],
      ['middle', head - 1],
      ['head', Infinity],
    ]).toReversed(),
  };
}

function byTraining({ trainedUsers }: Dataset, cases: readonly Case[]): Slicing {
  const known = cases.map(({ user }) => (user < trainedUsers ? 1 : 0));
  return {
    name: 'newUsers',
    rule: 'whether the user has a training event, in the feed or by a search',
    slices: apart(cases, known, [
      ['new', 0],
      ['known', Infinity],
    ]),
  };
}

/** The users whose value is at most a bound, and above the bound before it. The last bound must be infinite. */
function apart(
  cases: readonly Case[],
  values: readonly number[],
  bounds: readonly (readonly [name: string, most: number])[],
): { name: string; users: Int32Array }[] {
  const slices = bounds.map(([name]) => ({ name, users: [] as number[] }));
  for (const [i, { user }] of cases.entries())
    slices[bounds.findIndex(([, most]) => at(values, i) <= most)]?.users.push(user);
  return slices.map(({ name, users }) => ({ name, users: Int32Array.from(users) }));
}

/** The smallest value that at least this share of the values do not exceed; 0 of none. */
function quantile(values: readonly number[], share: number): number {
  return values.toSorted((one, other) => one - other)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0;
}

/** The least number of events of the most popular items that together have at least this share of all; never below 1. */
function popularFrom(events: Float32Array, share: number): number {
  const descending = Float64Array.from(events.subarray(FIRST_INDEX)).sort().toReversed();
  const all = descending.reduce((sum, count) => sum + count, 0);
  let sum = 0;
  for (const count of descending) {
    sum += count;
    if (sum >= share * all) return Math.max(1, count);
  }
  return 1;
}
