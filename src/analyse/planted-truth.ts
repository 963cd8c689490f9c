/**
 * Which actions of a window are truly similar, on a log where it is known why people acted: a simulated one. Knows the interest
 * behind each action; does not know how a log is simulated or read, nor who is compared with the truth.
 *
 * It can be read in three ways (`trueSides`); docs/analyses.md tells why the first one is the main one.
 */
import { UserError, at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Lane } from '../features/index.js';
import type { Case, SidedAction } from '../model/index.js';

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

export const otherLane = (lane: Lane): Lane => (lane === 'feed' ? 'search' : 'feed');
