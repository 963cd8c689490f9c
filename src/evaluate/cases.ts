/**
 * Which held-out events are evaluated, and why others are not. Knows targets and histories; does not know rankers or
 * protocols.
 */
import { Random, UserError, at } from '../base/index.js';
import { type Dataset, FIRST_INDEX, type HeldOut, UNKNOWN } from '../data/index.js';
import { type Case, hasHistory } from '../features/index.js';

export interface ChosenCases {
  /** In order of user index; never none. */
  readonly cases: readonly Case[];
  /** Set when it is only a sample of the users. */
  readonly sample: { readonly users: number; readonly of: number; readonly seed: number } | null;
  /**
   * Targets left out because nothing came before them (new users, under global time), or because their history lacks
   * feed events or searches (data sets with `requireBoth`).
   */
  readonly leftOut: number;
  /** Targets left out because training does not know their item (global time). */
  readonly unknownTargets: number;
}

/** The cases to evaluate; with `wanted`, a seeded sample of so many. A data set without any is a `UserError`. */
export function chooseCases(dataset: Dataset, on: HeldOut, wanted?: number, seed = 1): ChosenCases {
  const requireBoth = dataset.manifest.source.options['requireBoth'] === true;
  const cases: Case[] = [];
  let leftOut = 0;
  let unknownTargets = 0;
  for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
    const moment = { user, feedPosition: at(dataset.targets[on], user) };
    if (moment.feedPosition < 0) continue;
    if (at(dataset.feedItem, moment.feedPosition) === UNKNOWN) unknownTargets++;
    else if (hasHistory(dataset, moment, requireBoth)) cases.push(moment);
    else leftOut++;
  }
  if (cases.length === 0) {
    throw new UserError(
      leftOut + unknownTargets > 0
        ? `nothing to evaluate: all ${leftOut + unknownTargets} ${on} targets lack feed events or searches before them, or are items that training does not know`
        : dataset.manifest.split.strategy === 'leave-one-out'
          ? 'nothing to evaluate: no user has the three feed events that leave-one-out needs'
          : `nothing to evaluate: no user has a feed event in the ${on} window`,
    );
  }
  const left = { leftOut, unknownTargets };
  if (wanted === undefined || wanted >= cases.length) return { cases, ...left, sample: null };
  const order = new Random(seed, 'evaluated-users').shuffle(Int32Array.from(cases.keys())).subarray(0, wanted).sort();
  return {
    cases: Array.from(order, (i) => cases[i] as Case),
    ...left,
    sample: { users: wanted, of: cases.length, seed },
  };
}
