/**
 * Whether a split into similar and dissimilar actions agrees with why people acted, where that is known: on a simulated log.
 * Knows windows of actions, the interest behind each, and scores of actions; does not know how a log is simulated or read, nor
 * what model scored.
 *
 * What is truly similar can be read in three ways (`trueSides`); docs/analyses.md tells why the first one is the main one.
 * Lanes are kept apart, since co-attention is compared within one.
 */
import { Random, UserError, at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { Resamples, auc, weightedAuc } from '../evaluate/index.js';
import { LANES, type Lane } from '../features/index.js';
import type { AlignedVectors, Case, SidedAction } from '../model/index.js';
import type { BootstrapEstimate } from './bootstrap-estimate.js';
import { categoriesOf } from './categories.js';
import { cosine, mapped, rowOf } from './vectors.js';

/** Why one action of a log happened. */
export interface Cause {
  readonly ordinal: number;
  readonly user: string;
  readonly lane: 'feed' | 'search' | 'click';
  /** The category that the interest behind it is in. */
  readonly category: string;
  /** The kind of interest: shared, feed-only, search-only; exploration where there is none. */
  readonly interest: string;
}

/** The actions of one user that a model compares, and the cause of each. */
export interface PlantedWindow {
  /** Which of the cases. */
  readonly row: number;
  readonly moment: Case;
  readonly actions: readonly SidedAction[];
  readonly causes: readonly Cause[];
}

export const READINGS = ['interest', 'category', 'kind'] as const;
export type Reading = (typeof READINGS)[number];

/**
 * Puts causes to the actions of each case; users with one history only have no split, and no window. A log and a truth that do
 * not belong together are a `UserError`.
 */
export function plantedWindows(
  dataset: Dataset,
  cases: readonly Case[],
  splits: readonly (readonly SidedAction[])[],
  truth: readonly Cause[],
): PlantedWindow[] {
  const byOrdinal = new Map(truth.map((cause) => [cause.ordinal, cause]));
  return cases.flatMap((moment, row) => {
    const actions = (splits[row] as readonly SidedAction[]).filter(({ side }) => side !== null);
    if (actions.length === 0) return [];
    const user = dataset.users.ids[moment.user] as string;
    const causes = actions.map(({ lane, position }) => {
      const ordinal = at(lane === 'feed' ? dataset.feedOrdinal : dataset.searchOrdinal, position);
      const cause = byOrdinal.get(ordinal);
      if (cause?.lane !== lane || cause.user !== user)
        throw new UserError(
          `the truth tells another story than the data: event ${ordinal} is a ${lane} action of user ${JSON.stringify(user)}; simulate the data again, and train on them`,
        );
      return cause;
    });
    return [{ row, moment, actions, causes }];
  });
}

/**
 * Which actions of a window are truly similar.
 *
 * `interest`: the interest behind the action (its kind and category) is also behind an action of the other lane within the
 * window. What has no interest behind it is dissimilar.
 * `category`: the category of the interest is also that of an action of the other lane, whatever is behind either.
 * `kind`: the interest is of the kind that acts in both lanes, whether or not it does within the window.
 */
export function trueSides({ actions, causes }: Pick<PlantedWindow, 'actions' | 'causes'>, reading: Reading): boolean[] {
  if (reading === 'kind') return causes.map(({ interest }) => interest === 'shared');
  const keyOf = ({ category, interest }: Cause): string =>
    reading === 'interest' ? `${interest} ${category}` : category;
  const acts: Record<Lane, Set<string>> = { feed: new Set(), search: new Set() };
  causes.forEach((cause, i) => acts[(actions[i] as SidedAction).lane].add(keyOf(cause)));
  return causes.map((cause, i) => {
    const isCaused = reading === 'category' || cause.interest !== 'exploration';
    return isCaused && acts[otherLane((actions[i] as SidedAction).lane)].has(keyOf(cause));
  });
}

const otherLane = (lane: Lane): Lane => (lane === 'feed' ? 'search' : 'feed');

/** Something that tells how similar an action is to the other lane. */
export interface Scorer {
  readonly name: string;
  /** By window, then by action: higher is more similar; comparable between the users of one lane. */
  readonly scores: readonly (readonly number[])[];
  /** Whether it calls each similar; null for what only orders them. */
  readonly isSimilar: readonly (readonly boolean[])[] | null;
}

/**
 * A model's split. The scores are the co-attention (Eq. 10) times the length of the lane: so they have mean 1 whatever the
 * length, and actions of different users can be compared.
 */
export function splitScorer(
  name: string,
  windows: readonly PlantedWindow[],
  splits: readonly (readonly SidedAction[])[],
): Scorer {
  const own = windows.map(({ row }) => splits[row] as readonly SidedAction[]);
  return {
    name,
    scores: own.map((actions) =>
      actions.map(
        ({ lane, coAttention }) => (coAttention as number) * actions.filter((other) => other.lane === lane).length,
      ),
    ),
    isSimilar: own.map((actions) => actions.map(({ side }) => side === 'similar')),
  };
}

/**
 * The simple rule that needs no model: an action is similar when one of its categories occurred on the other side of the window.
 * Two orders of it, yes before no, and by the share of the other side's actions that have one of its categories. An action
 * without a category is dissimilar.
 */
export function ruleScorers(dataset: Dataset, category: Int32Array, windows: readonly PlantedWindow[]): Scorer[] {
  return sharers('category rule', 'category share', windows, ({ moment, actions }) =>
    actions.map((action) => categoriesOf(dataset, category, moment, action)),
  );
}

/**
 * The same rule by the category of the interest behind each action, which nobody sees: what could be told by somebody who
 * understood every query, but not why people act.
 */
export function plantedCategoryScorers(windows: readonly PlantedWindow[]): Scorer[] {
  return sharers('planted category', 'planted category share', windows, ({ causes }) =>
    causes.map(({ category }) => [category]),
  );
}

function sharers(
  name: string,
  shareName: string,
  windows: readonly PlantedWindow[],
  categoriesIn: (window: PlantedWindow) => readonly (readonly unknown[])[],
): [rule: Scorer, share: Scorer] {
  const shares = windows.map((window) => {
    const categories = categoriesIn(window);
    return window.actions.map(({ lane }, i) => {
      const own = new Set(categories[i]);
      const others = categories.filter((_, other) => window.actions[other]?.lane === otherLane(lane));
      return others.filter((values) => values.some((value) => own.has(value))).length / others.length;
    });
  });
  const isSimilar = shares.map((ofWindow) => ofWindow.map((share) => share > 0));
  return [
    { name, scores: isSimilar.map((ofWindow) => ofWindow.map(Number)), isSimilar },
    { name: shareName, scores: shares, isSimilar },
  ];
}

/**
 * What the vectors that the alignment trains know: the greatest cos(W_A^T q, i) of an action with any action of the other lane,
 * q the query of the search and i the item of the feed event. It orders, and draws no line.
 */
export function similarityScorer(
  name: string,
  dataset: Dataset,
  { width, queries, items, bilinear }: AlignedVectors & { readonly bilinear: Float32Array },
  windows: readonly PlantedWindow[],
): Scorer {
  const vectorOf = ({ lane, position }: SidedAction): ArrayLike<number> =>
    lane === 'feed'
      ? rowOf(items, at(dataset.feedItem, position), width)
      : mapped(rowOf(queries, at(dataset.searchQuery, position), width), bilinear);
  return {
    name,
    scores: windows.map(({ actions }) => {
      const vectors = actions.map(vectorOf);
      return actions.map(({ lane }, i) =>
        vectors.reduce<number>(
          (most, vector, other) =>
            actions[other]?.lane === lane ? most : Math.max(most, cosine(vectors[i] as ArrayLike<number>, vector)),
          -1,
        ),
      );
    }),
    isSimilar: null,
  };
}

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
