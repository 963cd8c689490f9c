/**
 * A trained SESRec as a ranker that can tell why. Knows attention and sides; how it scores is the business of every model
 * alike (graph-ranker.ts).
 */
import { InterruptedError, at } from '../../../base/index.js';
import type { Dataset } from '../../../data/index.js';
import { recentFeed, recentSearches } from '../../../features/index.js';
import type { Runtime } from '../../../tensor/index.js';
import { type EncodedState, GraphRanker, inputsOf, stateInputs } from '../../ranking/graph-ranker.js';
import type { Parameters } from '../../weights/parameters.js';
import type { Case } from '../../ranking/recommender.js';
import type { SesrecConfig } from './sesrec-config.js';
import { scoreWithAttention, sesrecModel } from './sesrec-model.js';

/** Which side of the split an action lies on; null for users who have only one history: there is nothing to compare with. */
export type Side = 'similar' | 'dissimilar' | null;

/** An action of a history, and its side. */
export interface SidedAction {
  readonly lane: 'feed' | 'search';
  /** Position in the feed (or search) columns of the data set. */
  readonly position: number;
  readonly side: Side;
  /** Weight of Eq. 10, which the side is told from: sums to 1 over the lane's window. Null where the side is. */
  readonly coAttention: number | null;
}

/** An action behind a recommendation. */
export interface Reason extends SidedAction {
  /** Attention weight of Eq. 17: sums to 1 over the lane's window. */
  readonly weight: number;
}

export class SesrecRanker extends GraphRanker {
  readonly #config: SesrecConfig;

  constructor(config: SesrecConfig, parameters: Parameters, dataset: Dataset, runtime: Runtime) {
    super(sesrecModel(config), parameters, dataset, runtime);
    this.#config = config;
  }

  /**
   * Why items are recommended: for each, the searches and feed events of the window with the largest attention weight
   * (Eq. 17), up to `perLane` of each lane, largest first, and the side of each (Eq. 11, 12).
   */
  async explain(moment: Case, items: readonly number[], perLane: number): Promise<Reason[][]> {
    const state = await this.encode([moment]);
    const results = await this.#attention(state, items);
    const [actions] = this.#actionsOf([moment], state) as [SidedAction[]];
    const { window } = this.#config;
    return items.map((_, row) =>
      (['feed', 'search'] as const).flatMap((lane) => {
        const attention = results[`${lane}Attention`];
        if (!attention) return [];
        return actions
          .filter((action) => action.lane === lane)
          .map((action, i): Reason => ({ ...action, weight: at(attention, row * window[lane] + i) }))
          .toSorted((a, b) => b.weight - a.weight || b.position - a.position)
          .slice(0, perLane);
      }),
    );
  }

  /** The attention of items to an encoded case: (items, T) by lane. */
  async #attention(state: EncodedState, items: readonly number[]): Promise<Record<string, Float32Array>> {
    const { vectors, width } = await this.itemVectors(Int32Array.from(items));
    const compiled = await this.compiled(`attention ${items.length}`, (scope) => {
      const given = scope.input('vectors', [1, items.length, width]);
      const { feedAttention, searchAttention } = scoreWithAttention(
        scope,
        this.#config,
        stateInputs(scope, state, 1),
        given,
      );
      return searchAttention ? { feedAttention, searchAttention } : { feedAttention };
    });
    return this.run(compiled, { ...inputsOf(state), vectors });
  }

  /**
   * The actions in the window of each case, oldest first in each lane, with the side (Eq. 11, 12) and the co-attention (Eq. 10)
   * of each. `signal` asks to stop before the next block of cases, with an `InterruptedError`.
   */
  async sides(
    cases: readonly Case[],
    { signal, onProgress }: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
  ): Promise<SidedAction[][]> {
    const found: SidedAction[][] = [];
    for await (const { own, state } of this.encodeMany(cases)) {
      if (signal?.aborted)
        throw new InterruptedError(`the split was stopped after ${found.length} of ${cases.length} users`);
      found.push(...this.#actionsOf(own, state));
      onProgress?.(found.length, cases.length);
    }
    return found;
  }

  /** The actions of encoded cases. */
  #actionsOf(cases: readonly Case[], { values }: EncodedState): SidedAction[][] {
    const { window, useSearch } = this.#config;
    return cases.map((moment, row) => {
      const [feedStart, feedEnd] = recentFeed(this.dataset, moment, window.feed);
      const positions = {
        feed: Array.from({ length: feedEnd - feedStart }, (_, i) => feedStart + i),
        search: useSearch ? recentSearches(this.dataset, moment, window.search) : [],
      };
      const hasBoth = values['hasBoth']?.[row] === 1;
      return (['feed', 'search'] as const).flatMap((lane) =>
        positions[lane].map((position, i): SidedAction => {
          if (!hasBoth) return { lane, position, side: null, coAttention: null };
          const of = (name: string): number => at(values[`${lane}${name}`] as Float32Array, row * window[lane] + i);
          const side = of('IsSimilar') === 1 ? 'similar' : 'dissimilar';
          return { lane, position, side, coAttention: of('CoAttention') };
        }),
      );
    });
  }
}
