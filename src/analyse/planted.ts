/**
 * Whether a split into similar and dissimilar actions agrees with why people acted. Knows the truth of windows and the scores of
 * their actions, and counts; does not know what scored. Lanes are kept apart, since co-attention is compared within one.
 */
import { Random, at } from '../base/index.js';
import { Resamples, auc, weightedAuc } from '../evaluate/index.js';
import { LANES, type Lane } from '../features/index.js';
import type { BootstrapEstimate } from './bootstrap-estimate.js';
import type { Scorer } from './planted-scorers.js';
import { type PlantedWindow, READINGS, type Reading, trueSides } from './planted-truth.js';

/** A number as the mean over users for whom it can be told, and over all actions of all users together. */
export interface TwoWays {
  readonly perUser: BootstrapEstimate;
  /** Users that the mean is over. */
  readonly users: number;
  readonly pooled: BootstrapEstimate;
}

export interface ScorerFigures {
  readonly name: string;
  /** How likely a truly similar action scores above a truly dissimilar one; ties one half. */
  readonly auc: TwoWays;
  /** AUC per user of the first scorer minus this one's, the same users; null for the first. */
  readonly behindFirst: BootstrapEstimate | null;
  /** Of the actions called similar, those that are; null where no line is drawn, as `recall` and `called`. */
  readonly precision: TwoWays | null;
  /** Of the actions that are similar, those called so. */
  readonly recall: TwoWays | null;
  /** The share of all actions that is called similar. */
  readonly called: number | null;
}

/** One lane under one reading. */
export interface LaneFigures {
  readonly actions: number;
  /** The share of the actions that is truly similar: the precision of calling all of them so. */
  readonly similar: number;
  /** Users whose actions are all similar or all dissimilar: they have no AUC of their own. */
  readonly withoutBothClasses: number;
  readonly scorers: readonly ScorerFigures[];
}

export type Planted = Readonly<Record<Reading, Readonly<Record<Lane, LaneFigures>>>>;

export interface PlantedOptions {
  /** Of the intervals. Default: 1. */
  readonly seed?: number;
  /** Default: 1000. */
  readonly resamples?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Compares scorers with the truth, in every reading. */
export function planted(
  windows: readonly PlantedWindow[],
  scorers: readonly Scorer[],
  { seed = 1, resamples = 1000, onProgress }: PlantedOptions = {},
): Planted {
  const total = READINGS.length * LANES.length;
  let done = 0;
  const laneFigures = (reading: Reading, lane: Lane): LaneFigures => {
    const random = new Random(seed, 'planted truth', reading, lane);
    const figures = figuresOf(laneOf(windows, scorers, reading, lane), { random, resamples });
    onProgress?.(++done, total);
    return figures;
  };
  const ofReading = (reading: Reading) => ({
    feed: laneFigures(reading, 'feed'),
    search: laneFigures(reading, 'search'),
  });
  return { interest: ofReading('interest'), category: ofReading('category'), kind: ofReading('kind') };
}

/** All actions of one lane, one entry per action. */
interface LaneActions {
  readonly users: number;
  /** The window of each. */
  readonly owner: Int32Array;
  readonly isTrue: readonly boolean[];
  readonly scorers: readonly {
    readonly name: string;
    readonly scores: Float64Array;
    readonly isSimilar: readonly boolean[] | null;
  }[];
}

function laneOf(
  windows: readonly PlantedWindow[],
  scorers: readonly Scorer[],
  reading: Reading,
  lane: Lane,
): LaneActions {
  /** Entries of the lane, of what is listed by window and action. */
  const own = <Value>(values: readonly (readonly Value[])[]): Value[] =>
    windows.flatMap(({ actions }, user) =>
      (values[user] as readonly Value[]).filter((_, i) => actions[i]?.lane === lane),
    );
  return {
    users: windows.length,
    owner: Int32Array.from(own(windows.map(({ actions }, user) => actions.map(() => user)))),
    isTrue: own(windows.map((window) => trueSides(window, reading))),
    scorers: scorers.map(({ name, scores, isSimilar }) => ({
      name,
      scores: Float64Array.from(own(scores)),
      isSimilar: isSimilar && own(isSimilar),
    })),
  };
}

/** What is counted of one user's actions under one scorer. */
interface UserCounts {
  readonly auc: number;
  /** Called similar and so; called similar; so. */
  readonly hits: number;
  readonly called: number;
  readonly similar: number;
}

/** How a figure follows from how often each user counts. */
type Statistic = (times: ArrayLike<number>) => number;

function figuresOf(lane: LaneActions, options: { random: Random; resamples: number }): LaneFigures {
  const { users, owner, isTrue } = lane;
  const draws = new Resamples(users, options);
  const once = new Int32Array(users).fill(1);
  const estimate = (statistic: Statistic): BootstrapEstimate => ({
    value: statistic(once),
    interval: draws.interval(statistic),
  });
  const twoWays = (perUser: readonly number[], pooled: Statistic): TwoWays => ({
    perUser: estimate(meanOf(perUser)),
    users: defined(perUser),
    pooled: estimate(pooled),
  });
  /** The share of some actions among others, from counts by user. */
  const share = (of: readonly number[], among: readonly number[]): TwoWays =>
    twoWays(
      of.map((count, user) => count / at(among, user)),
      ratioOf(of, among),
    );

  const entries = entriesByUser(owner, users);
  let first: readonly number[] | null = null;
  const scorers = lane.scorers.map(({ name, scores, isSimilar }): ScorerFigures => {
    const counts = entries.map((own) => countsOf(own, isTrue, scores, isSimilar));
    const areas = counts.map((own) => own.auc);
    const [hits, called, similar] = [
      counts.map((own) => own.hits),
      counts.map((own) => own.called),
      counts.map((own) => own.similar),
    ];
    const behindFirst = first && estimate(meanOf(first.map((area, user) => area - at(areas, user))));
    first ??= areas;
    return {
      name,
      auc: twoWays(areas, weightedAuc(scores, isTrue, owner)),
      behindFirst,
      precision: isSimilar && share(hits, called),
      recall: isSimilar && share(hits, similar),
      called: isSimilar && isSimilar.filter(Boolean).length / isSimilar.length,
    };
  });
  return {
    actions: isTrue.length,
    similar: isTrue.filter(Boolean).length / isTrue.length,
    withoutBothClasses: users - (scorers[0]?.auc.users ?? users),
    scorers,
  };
}

function entriesByUser(owner: Int32Array, users: number): number[][] {
  const entries = Array.from({ length: users }, (): number[] => []);
  owner.forEach((user, entry) => (entries[user] as number[]).push(entry));
  return entries;
}

function countsOf(
  entries: readonly number[],
  isTrue: readonly boolean[],
  scores: Float64Array,
  isSimilar: readonly boolean[] | null,
): UserCounts {
  const count = (holds: (entry: number) => boolean): number => entries.filter(holds).length;
  const isCalled = (entry: number): boolean => isSimilar?.[entry] === true;
  return {
    auc: auc(
      entries.map((entry) => at(scores, entry)),
      entries.map((entry) => isTrue[entry] as boolean),
    ),
    hits: count((entry) => isCalled(entry) && isTrue[entry] === true),
    called: count(isCalled),
    similar: count((entry) => isTrue[entry] === true),
  };
}

const defined = (values: readonly number[]): number => values.filter((value) => !Number.isNaN(value)).length;

/** The mean of the values that are numbers: a share of nothing is none. */
function meanOf(values: readonly number[]): Statistic {
  const users = Int32Array.from(values.keys()).filter((user) => !Number.isNaN(at(values, user)));
  return (times) => {
    let [sum, count] = [0, 0];
    for (const user of users) {
      sum += at(times, user) * at(values, user);
      count += at(times, user);
    }
    return sum / count;
  };
}

/** The sum of some counts over the sum of others. */
function ratioOf(of: readonly number[], among: readonly number[]): Statistic {
  return (times) => {
    let [sum, total] = [0, 0];
    for (let user = 0; user < times.length; user++) {
      sum += at(times, user) * at(of, user);
      total += at(times, user) * at(among, user);
    }
    return sum / total;
  };
}
