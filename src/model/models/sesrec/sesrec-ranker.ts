/**
 * A trained SESRec as a ranker that also knows attention and sides; how it scores, and what else reasons are told by, is the
 * business of every model alike (graph-ranker.ts).
 */
import { InterruptedError, at } from '../../../base/index.js';
import type { Dataset } from '../../../data/index.js';
import { type Action, LANES } from '../../../features/index.js';
import type { Runtime } from '../../../tensor/index.js';
import { type EncodedState, inputsOf, stateInputs } from '../../ranking/encoded-state.js';
import { type Beside, GraphRanker } from '../../ranking/graph-ranker.js';
import {
  type Affinity,
  type Question,
  type ReasonMethod,
  type SidedAction,
  type SidesOptions,
  type Weighed,
  weighed,
} from '../../ranking/reasons.js';
import type { AlignedVectors } from '../../definition/aligned-vectors.js';
import type { Case } from '../../ranking/recommender.js';
import type { Parameters } from '../../weights/parameters.js';
import type { SesrecConfig } from './sesrec-config.js';
import { alignedVectors } from './sesrec-vectors.js';
import { affinityEncoding, scoreWithAttention, sesrecModel } from './sesrec-model.js';

export class SesrecRanker extends GraphRanker {
  readonly #config: SesrecConfig;

  constructor(config: SesrecConfig, parameters: Parameters, dataset: Dataset, runtime: Runtime, beside?: Beside) {
    super(sesrecModel(config), parameters, dataset, runtime, beside);
    this.#config = config;
  }

  protected override beside(beside: Beside): SesrecRanker {
    return new SesrecRanker(this.#config, this.parameters, beside.dataset, this.runtime, beside);
  }

  override get reasonMethods(): readonly ReasonMethod[] {
    const methods = super.reasonMethods;
    return this.#config.trainOn === 'candidates' ? [...methods, 'attention'] : methods;
  }

  override async weigh(method: ReasonMethod, question: Question): Promise<Weighed[][]> {
    if (method !== 'attention') return super.weigh(method, question);
    const actions = this.actions(question.moment);
    const weights = await this.attention(question.moment, question.items);
    return weights.map((own) => weighed(this.dataset, actions, own));
  }

  /**
   * The attention of items to each action of the window (Eq. 17), a list per item. It sums to 1 over a lane, however few actions
   * that has; to be comparable between lanes it is given in multiples of an even share, of which the mean over a lane is 1.
   */
  async attention(moment: Case, items: readonly number[]): Promise<Float64Array[]> {
    const results = await this.#attention(await this.encoder.encode([moment], this.encoder.inFull), items);
    const actions = this.actions(moment);
    const { window } = this.#config;
    const counts = { feed: 0, search: 0 };
    const places = actions.map(({ lane }) => counts[lane]++);
    return items.map((_, row) =>
      Float64Array.from(actions, ({ lane }, i) => {
        const attention = results[`${lane}Attention`] as Float32Array;
        return counts[lane] * at(attention, row * window[lane] + at(places, i));
      }),
    );
  }

  /** The attention of items to an encoded case: (items, T) by lane. */
  async #attention(state: EncodedState, items: readonly number[]): Promise<Record<string, Float32Array>> {
    const { vectors, width } = await this.itemVectors(Int32Array.from(items));
    const compiled = await this.lanes.compiled(`attention ${items.length}`, (scope) => {
      const given = scope.input('vectors', [1, items.length, width]);
      const { feedAttention, searchAttention } = scoreWithAttention(
        scope,
        this.#config,
        stateInputs(scope, state.shapes, 1),
        given,
      );
      return searchAttention ? { feedAttention, searchAttention } : { feedAttention };
    });
    return this.lanes.run(compiled, { ...inputsOf(state.values), vectors });
  }

  /**
   * The actions in the window of each case, oldest first in each lane, with the side (Eq. 11, 12) and the co-attention (Eq. 10)
   * of each.
   */
  override async sides(cases: readonly Case[], { signal, onProgress }: SidesOptions = {}): Promise<SidedAction[][]> {
    const found: SidedAction[][] = [];
    for await (const { own, state } of this.encoder.encodeMany(cases)) {
      if (signal?.aborted)
        throw new InterruptedError(`the split was stopped after ${found.length} of ${cases.length} users`);
      found.push(...own.map((moment, row) => this.#sidesOf(moment, state, row)));
      onProgress?.(found.length, cases.length);
    }
    return found;
  }

  override async aligned(signal?: AbortSignal): Promise<AlignedVectors | null> {
    if (!this.#config.useSearch) return null;
    return alignedVectors(this.#config, this.parameters, this.dataset, this.runtime, signal);
  }

  override async affinity(moment: Case): Promise<Affinity | null> {
    const actions = this.actions(moment);
    const [feed, search] = LANES.map((lane) => actions.filter((action) => action.lane === lane)) as [
      Action[],
      Action[],
    ];
    if (feed.length === 0 || search.length === 0) return null;
    const { inFull } = this.encoder;
    const form = { ...inFull.form, encode: affinityEncoding(this.#config) };
    const { values } = await this.encoder.encode([moment], { ...inFull, form, name: 'affinity', isServed: true });
    const all = values['affinity'];
    if (!all) return null;
    const width = this.#config.window.search;
    const kept = new Float32Array(feed.length * search.length);
    feed.forEach((_, row) => kept.set(all.subarray(row * width, row * width + search.length), row * search.length));
    return { feed, search, values: kept };
  }

  /** The actions of one of some encoded cases. */
  #sidesOf(moment: Case, { values }: EncodedState, row: number): SidedAction[] {
    const { window } = this.#config;
    const hasBoth = values['hasBoth']?.[row] === 1;
    const counts = { feed: 0, search: 0 };
    return this.actions(moment).map((action): SidedAction => {
      if (!hasBoth) return { ...action, side: null, coAttention: null };
      const { lane } = action;
      const place = row * window[lane] + counts[lane]++;
      const of = (name: string): number => at(values[`${lane}${name}`] as Float32Array, place);
      return { ...action, side: of('IsSimilar') === 1 ? 'similar' : 'dissimilar', coAttention: of('CoAttention') };
    });
  }
}
