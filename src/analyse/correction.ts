/**
 * Whether corrections of sampled metrics tell what full ranking tells: their errors, and whether they order models alike.
 * Knows ranks of the same users under both protocols; does not know models or where ranks are kept.
 */
import { UserError, at } from '../base/index.js';
import {
  type Correction,
  ESTIMATORS,
  type MetricName,
  SampledRanks,
  type StudentInterval,
  type UserRanks,
  correctedValues,
  corrections,
  everyMetric,
  kendallTau,
  ranksOf,
  studentInterval,
  uncorrected,
  userMeans,
} from '../evaluate/index.js';

/** What is held against full ranking: the sampled metric as it is, and corrected. */
export const ESTIMATES = ['sampled', ...ESTIMATORS] as const;
export type EstimateName = (typeof ESTIMATES)[number];

/** A row of a comparison: the ranks under both protocols, by training. */
export interface RowToCorrect {
  readonly label: string;
  readonly name: string;
  readonly seeds: readonly { readonly sampled: UserRanks; readonly full: UserRanks }[];
}

export interface CorrectionOptions {
  /** Items that the full protocol ranks for a user, the target among them; where users differ, their mean, rounded. */
  readonly items: number;
  /** Candidates of the sampled protocol beside the target. */
  readonly candidates: number;
  /** The trade-off of the bias-variance estimator. */
  readonly gamma: number;
}

export interface Estimate {
  /** Mean over users and trainings. */
  readonly value: number;
  /**
   * Estimate - full, each user's averaged over trainings, and its 95 % t-interval over users: candidates are drawn for each
   * user anew, so that it tells of other users and other draws alike, and not of other trainings.
   */
  readonly error: StudentInterval;
}

type PerMetric<T> = Readonly<Record<MetricName, T>>;
type PerEstimate<T> = Readonly<Record<EstimateName, T>>;

export interface CorrectedRow {
  readonly label: string;
  readonly name: string;
  /** Trainings. */
  readonly seeds: number;
  readonly full: PerMetric<number>;
  readonly estimates: PerEstimate<PerMetric<Estimate>>;
}

export interface CorrectionFindings {
  readonly protocol: CorrectionOptions & { readonly users: number };
  readonly rows: readonly CorrectedRow[];
  /** Mean over rows of |estimate - full|. */
  readonly meanAbsoluteError: PerEstimate<PerMetric<number>>;
  /** Kendall's τ_b of the order of rows by the estimate and by full ranking; NaN for fewer than two rows that differ. */
  readonly agreement: PerEstimate<PerMetric<number>>;
}

/**
 * Holds the estimates of every row against full ranking, for the users that all rows ranked all items for. All seeds of all rows
 * must be of the same users under each protocol, but full ranking may be of fewer. No row with ranks: a `UserError`.
 *
 * The items of the full ranking differ from user to user by what they had met; all are corrected as if they had the mean
 * number. An error of a share of it moves corrected metrics by about the same share, far below what they miss by.
 */
export function correctSampled(rows: readonly RowToCorrect[], options: CorrectionOptions): CorrectionFindings {
  const tested = rows.filter(({ seeds }) => seeds.length > 0);
  const users = fewestUsers(tested);
  const sampledRanks = new SampledRanks(options.items, options.candidates);
  const corrected: PerEstimate<Correction> = {
    sampled: uncorrected(sampledRanks),
    ...corrections(sampledRanks, options.gamma),
  };
  const found = tested.map(({ label, name, seeds }): CorrectedRow => {
    const full = userMeans(seeds.map((seed) => ranksOf(seed.full, users)));
    const sampled = seeds.map((seed) => ranksOf(seed.sampled, users));
    const estimates = everyEstimate((estimate) => {
      const own = meanOfSeeds(sampled.map((ranks) => correctedValues(corrected[estimate], ranks)));
      return everyMetric((metric) => ({
        value: studentInterval(own[metric]).mean,
        error: studentInterval(own[metric].map((value, user) => value - at(full[metric], user))),
      }));
    });
    return {
      label,
      name,
      seeds: seeds.length,
      full: everyMetric((metric) => studentInterval(full[metric]).mean),
      estimates,
    };
  });
  const overRows = (
    summary: (values: readonly number[], full: readonly number[]) => number,
  ): CorrectionFindings['agreement'] =>
    everyEstimate((estimate) =>
      everyMetric((metric) =>
        summary(
          found.map(({ estimates }) => estimates[estimate][metric].value),
          found.map(({ full }) => full[metric]),
        ),
      ),
    );
  return {
    protocol: { ...options, users: users.length },
    rows: found,
    meanAbsoluteError: overRows(
      (values, full) => values.reduce((sum, value, row) => sum + Math.abs(value - at(full, row)), 0) / values.length,
    ),
    agreement: overRows(kendallTau),
  };
}

function fewestUsers(rows: readonly RowToCorrect[]): ArrayLike<number> {
  const all = rows.flatMap(({ seeds }) => seeds.map(({ full }) => full.user));
  const [first] = all;
  if (first === undefined) throw new UserError('no row has been tested yet: there are no ranks to correct');
  return all.reduce((least, next) => (next.length < least.length ? next : least), first);
}

/** Every user's estimates, averaged over trainings. */
function meanOfSeeds(seeds: readonly PerMetric<Float64Array>[]): PerMetric<Float64Array> {
  const [first, ...others] = seeds as readonly [PerMetric<Float64Array>, ...PerMetric<Float64Array>[]];
  return everyMetric((metric) =>
    first[metric].map(
      (value, user) => others.reduce((sum, other) => sum + at(other[metric], user), value) / seeds.length,
    ),
  );
}

const everyEstimate = <T>(value: (estimate: EstimateName) => T): PerEstimate<T> =>
  Object.fromEntries(ESTIMATES.map((estimate) => [estimate, value(estimate)])) as Record<EstimateName, T>;
