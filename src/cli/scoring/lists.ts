/**
 * Lists of recommendations for one user after another, as `sesrec recommend` gives them, bit for bit. Knows which ranker somebody
 * gets; does not know where lists go, nor how items are told.
 *
 * Users are scored one at a time, several beside each other: the last bits of a score depend on how many histories go through
 * a graph together, and a list must not depend on who else is asked about.
 */
import { at, sideBySide } from '../../base/index.js';
import { type Dataset, FIRST_INDEX } from '../../data/index.js';
import { type Case, hasHistory, metBefore } from '../../features/index.js';
import {
  type GraphRanker,
  type ModelId,
  type Ranker,
  type Recommendation,
  type Run,
  popularityRanker,
  rankerOf,
  recommend,
} from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';

/** What a list holds. */
export interface ListOptions {
  /** Items, at most. */
  readonly k: number;
  /** Items that the user has met, too. */
  readonly includeSeen: boolean;
}

export interface UserList {
  /** The index of the user. */
  readonly user: number;
  readonly source: ModelId | 'popularity';
  /** Best first. */
  readonly items: readonly Recommendation[];
}

/** The moment after everything that a user did. */
export const momentAfter = (dataset: Dataset, user: number): Case => ({
  user,
  feedPosition: at(dataset.feedOffsets, user + 1),
});

/** The rankers of a run on a data set, each made when it is first asked for. */
export class Rankers {
  readonly #run: Run;
  readonly #dataset: Dataset;
  readonly #runtime: Runtime;
  #trained: GraphRanker | null = null;
  #popular: Ranker | null = null;

  constructor(run: Run, dataset: Dataset, runtime: Runtime) {
    this.#run = run;
    this.#dataset = dataset;
    this.#runtime = runtime;
  }

  /** The model where there is any history that it can see; it has learned nothing for somebody without one: null. */
  trainedFor(moment: Case): GraphRanker | null {
    const { model, parameters } = this.#run;
    const dataset = this.#dataset;
    const sees = model.seesSearches
      ? hasHistory(dataset, moment, false)
      : moment.feedPosition > at(dataset.feedOffsets, moment.user);
    return sees ? (this.#trained ??= rankerOf(model, parameters, dataset, this.#runtime)) : null;
  }

  /** What ranks for somebody of whom nothing is known. */
  get popular(): Ranker {
    return (this.#popular ??= popularityRanker(this.#dataset));
  }
}

/** The users of a data set that a list is made for: all that a log tells of. */
export const usersOf = ({ users }: Dataset): { readonly first: number; readonly end: number } => ({
  first: FIRST_INDEX,
  end: users.ids.length,
});

/** How many items a user's list has. */
export function lengthOfList(dataset: Dataset, user: number, { k, includeSeen }: ListOptions): number {
  const met = includeSeen ? 0 : metBefore(dataset, momentAfter(dataset, user)).size;
  return Math.min(k, dataset.items.ids.length - FIRST_INDEX - met);
}

/** Lists that are held at once while they are made. */
const AT_ONCE = 256;

/** The lists of users `first` … `end - 1`, in their order, some at a time. Stops with fewer where the signal is aborted. */
export async function* listsOf(
  run: Run,
  runtime: Runtime,
  [first, end]: readonly [number, number],
  options: ListOptions,
  signal: AbortSignal,
  rankers = new Rankers(run, run.dataset, runtime),
): AsyncGenerator<readonly UserList[]> {
  const { dataset } = run;
  for (let start = first; start < end && !signal.aborted; start += AT_ONCE) {
    const users = Array.from({ length: Math.min(AT_ONCE, end - start) }, (_, i) => start + i);
    yield await sideBySide(users, { most: 2 * runtime.threads, signal }, async (user): Promise<UserList> => {
      const moment = momentAfter(dataset, user);
      const trained = rankers.trainedFor(moment);
      const excluded = options.includeSeen ? new Set<number>() : metBefore(dataset, moment);
      const items = await recommend(trained ?? rankers.popular, moment, options.k, excluded);
      return { user, source: trained ? run.manifest.model : 'popularity', items };
    });
  }
}
