/**
 * A trained model as a ranker that can tell why. Knows in what order candidates meet encoded histories and items, and when a short form must give
 * way; does not know how those are encoded (case-encoder.ts), any one model, training or metrics.
 */
import { assert, roundUp } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import { type Action, recentActions, sizesKey } from '../../features/index.js';
import type { Runtime } from '../../tensor/index.js';
import { Scope } from '../layers/layers.js';
import { type Model, type ScoringForm, smallestSizes } from '../definition/model.js';
import type { Parameters } from '../weights/parameters.js';
import { gradientTimesInput, seesActionVectors, standings, weightsFromShares } from './action-gradients.js';
import type { AlignedVectors } from '../definition/aligned-vectors.js';
import type { Block } from './case-blocks.js';
import { CaseEncoder, type OtherHistories, type Way } from './case-encoder.js';
import { type Items, rowsAt, runsOf } from './catalogue-stretches.js';
import { type EncodedState, rowsOf } from './encoded-state.js';
import { type CandidateSearch, searchOnLane } from './lane-search.js';
import { Lanes } from './lanes.js';
import {
  type Affinity,
  type ExplainingRanker,
  type Question,
  type ReasonMethod,
  type SidedAction,
  type SidesOptions,
  type Weighed,
  byDeletion,
  raceOf,
  stepwise,
  weighed,
} from './reasons.js';
import type { Case, ScoredStretch } from './recommender.js';
import { REACH, ScoringPrograms, withReach } from './scoring-programs.js';

/** Cases and items of one run when a whole catalogue is ranked and items are shared: the hidden layer of one case stays in cache. */
const GROUP = 16;
const PAIRS_AT_ONCE = 16_384;
/** Catalogues of more vectors than these numbers are brought to threads anew for each ranking: every thread would keep all of them. */
const MOST_HELD = 2 ** 25;
/** Items of one run when a catalogue is ranked for one user: every program keeps the room that its run needs. */
const SERVED_AT_ONCE = 4096;

/** The ranker that another one is made beside. */
export interface Beside extends OtherHistories {
  readonly ranker: GraphRanker;
}

/** A history, encoded. It belongs to the ranker that encoded it and those beside that one. */
export interface EncodedHistory {
  readonly state: EncodedState;
  /** Whether it is in the short form. */
  readonly isShort: boolean;
}

export class GraphRanker implements ExplainingRanker {
  readonly name: string;
  protected readonly encoder: CaseEncoder;
  protected readonly lanes: Lanes;
  protected readonly parameters: Parameters;
  protected readonly runtime: Runtime;
  readonly #model: Model;
  readonly #programs: ScoringPrograms;

  /** @param beside for histories that are elsewhere: shares what was worked out and compiled, see `forHistories` */
  constructor(model: Model, parameters: Parameters, dataset: Dataset, runtime: Runtime, beside?: Beside) {
    this.name = model.card.id;
    this.#model = model;
    this.parameters = parameters;
    this.runtime = runtime;
    this.lanes = beside ? beside.ranker.lanes : new Lanes(runtime, parameters);
    this.#programs = beside ? beside.ranker.#programs : new ScoringPrograms(model.scoring, this.lanes);
    this.encoder = beside
      ? beside.ranker.encoder.forHistories(beside)
      : CaseEncoder.of(model, parameters, dataset, this.lanes);
  }

  protected get dataset(): Dataset {
    return this.encoder.dataset;
  }

  /**
   * The same model for other histories. Items, queries, words and sources keep their indices; further ones may come behind those of
   * the data set, and users may be others. What was compiled and worked out of items is shared. A model that looks at more of the
   * data set than a history refuses with a `UserError`.
   */
  forHistories(other: OtherHistories): GraphRanker {
    return this.beside({ ...other, ranker: this });
  }

  protected beside(beside: Beside): GraphRanker {
    return new GraphRanker(this.#model, this.parameters, beside.dataset, this.runtime, beside);
  }

  /**
   * Works out the vectors of some items by what this ranker's catalogue knows of them, for all rankers beside. Those that come
   * behind the items known so far must be all that do, in order.
   */
  async reviseItems(items: Int32Array): Promise<void> {
    await this.encoder.reviseItems(items);
  }

  /** Threads let go of the vectors that they hold for rankings of the whole catalogue; the next one brings them again. */
  letGo(): void {
    this.lanes.letGo();
  }

  /** Encodes the history of a moment, to be met by many candidates, perhaps later. */
  async encodeHistory(moment: Case): Promise<EncodedHistory> {
    const items = await this.encoder.items();
    if (this.#model.scoring.short) {
      const state = await this.encoder.encode([moment], this.#served(moment, true));
      if (this.#programs.isWithinReach(state.values, items)) return { state, isShort: true };
    }
    return this.#encodeInFull(moment);
  }

  async #encodeInFull(moment: Case): Promise<EncodedHistory> {
    return { state: await this.encoder.encode([moment], this.#served(moment, false)), isShort: false };
  }

  /** How the history of a moment is encoded that comes alone. */
  #served(moment: Case, isShort: boolean, lane?: number): Way {
    const [{ extent }] = this.encoder.blocks([moment]) as [Block];
    const room = this.encoder.roomFor(extent);
    return { form: this.#formOf(isShort), name: isShort ? 'block' : 'one', room, extent, isServed: true, lane };
  }

  /**
   * Lets candidates be searched for by their scores, on one lane (lane-search.ts). A history that is not encoded yet is encoded there, on
   * the way.
   */
  async search<Question, Found extends object>(
    history: EncodedHistory | Case,
    search: CandidateSearch<Question, Found>,
    question: Question,
  ): Promise<{ readonly history: EncodedHistory; readonly found: Found }> {
    const { scoring } = this.#model;
    const items = await this.encoder.items();
    const lane = this.lanes.next();
    const isShort = 'state' in history ? history.isShort : scoring.short !== undefined;
    const from =
      'state' in history ? history.state : await this.encoder.encoding([history], this.#served(history, isShort, lane));
    const { shapes } = from;
    const scorers = await Promise.all(
      search.sizes.map(async (size) => ({
        size,
        ...(await this.#programs.scorer(this.#formOf(isShort), shapes, 1, size, items.width, lane)),
      })),
    );
    const { state, found } = await searchOnLane(this.lanes, lane, search, {
      items,
      scorers,
      from,
      reach: scoring.short ? { output: REACH, most: scoring.short.most } : null,
      question,
    });
    if (!found) return this.search(await this.#encodeInFull(history as Case), search, question);
    return { history: state ? { state: { values: state, shapes }, isShort } : (history as EncodedHistory), found };
  }

  /** Scores of some items for an encoded history, in their order. Lists of a few lengths only: each is a program. */
  async scoreFor(history: EncodedHistory, candidates: Int32Array): Promise<Float32Array> {
    const items = await this.encoder.items();
    return this.#programs.shared(this.#formOf(history.isShort), history.state, 1, rowsAt(items, candidates), items);
  }

  /** Scores of the whole catalogue for an encoded history, by item index; those of padding and unknown carry no meaning. */
  async scoreAllFor(history: EncodedHistory): Promise<Float32Array> {
    const items = await this.encoder.items();
    const { vectors, width } = items;
    const form = this.#formOf(history.isShort);
    const total = vectors.length / width;
    const scores = new Float32Array(total);
    const chunk = Math.min(form.pairsAtOnce ?? PAIRS_AT_ONCE, SERVED_AT_ONCE);
    // a program is made for a size: a few items more do not change it
    const size = roundUp(Math.ceil(total / Math.ceil(total / chunk)), 64);
    const tasks = Array.from({ length: Math.ceil(total / size) }, (_, stretch) => async () => {
      // as they are when they are sent, which may be after some were revised
      const own = (): Float32Array => {
        const given = new Float32Array(size * width);
        given.set(items.vectors.subarray(stretch * size * width, (stretch + 1) * size * width));
        return given;
      };
      const found =
        vectors.length <= MOST_HELD
          ? await this.#programs.held(form, history.state, size, width, this.lanes.stretch(size, stretch), own)
          : await this.#programs.shared(form, history.state, 1, own(), items);
      return { stretch, found };
    });
    for await (const { stretch, found } of this.lanes.ahead(tasks))
      scores.set(found.subarray(0, Math.min(size, total - stretch * size)), stretch * size);
    return scores;
  }

  #formOf(isShort: boolean): ScoringForm {
    const { scoring } = this.#model;
    return isShort ? (scoring.short as ScoringForm) : scoring;
  }

  /** The vectors of all items, (items, d_v), and d_v; a view, which revising items may change. */
  async catalogueVectors(): Promise<{ readonly vectors: Float32Array; readonly width: number }> {
    return this.encoder.items();
  }

  /** Must be called after the parameters have changed: item vectors are worked out anew. */
  refresh(): void {
    this.encoder.forgetItems();
  }

  get reasonMethods(): readonly ReasonMethod[] {
    const { scoring } = this.#model;
    const [scope, sizes] = [new Scope(), smallestSizes(this.#model)];
    const [, width] = scoring.items(scope, sizes).shape as [number, number];
    const state = scoring.encode(scope, sizes, sizes);
    const logits = scoring.score(scope, state, scope.input('vectors', [1, 1, width]));
    return seesActionVectors(logits) ? ['stepwise', 'deletion', 'gradient'] : ['stepwise', 'deletion'];
  }

  /** The actions in the window of a case, oldest first in each lane, the feed first. */
  protected actions(moment: Case): Action[] {
    const { config, seesSearches } = this.#model;
    const { feed, search } = config.window;
    return recentActions(this.dataset, moment, { feed, search: seesSearches ? search : 0 });
  }

  async sides(cases: readonly Case[], _options?: SidesOptions): Promise<SidedAction[][]> {
    return cases.map((moment) => this.actions(moment).map((action) => ({ ...action, side: null, coAttention: null })));
  }

  /** Queries and items in the space where the model draws them together; null where it has none. */
  async aligned(_signal?: AbortSignal): Promise<AlignedVectors | null> {
    return null;
  }

  /** What the sides of a case are told from; null where it has none. */
  async affinity(_moment: Case): Promise<Affinity | null> {
    return null;
  }

  async weigh(method: ReasonMethod, question: Question): Promise<Weighed[][]> {
    const actions = this.actions(question.moment);
    if (method === 'stepwise') return stepwise(this, this.dataset, actions, question);
    if (method === 'deletion') return byDeletion(this, this.dataset, actions, question);
    assert(method === 'gradient', `${this.name} gives no reasons by ${method}`);
    return this.#byGradient(actions, question);
  }

  /** Reasons by gradient times input. One row per item: each has a standing of its own. */
  async #byGradient(actions: readonly Action[], question: Question): Promise<Weighed[][]> {
    const { scoring, config } = this.#model;
    const { window } = config;
    const { moment, items } = question;
    const rows = items.map(() => moment);
    const batch = this.encoder.batch(rows);
    const { candidates, spread } = await raceOf(this, question);
    const { vectors, width } = await this.itemVectors(Int32Array.from(items.flatMap(() => candidates)));
    const shape = [items.length, candidates.length] as const;
    const compiled = await this.lanes.compiled(`gradient ${candidates.length} ${sizesKey(batch.sizes)}`, (scope) => {
      const state = scoring.encode(scope, batch.sizes, window);
      const logits = scoring.score(scope, state, scope.input('vectors', [...shape, width]));
      return gradientTimesInput(standings(logits, scope.input('spread', [])));
    });
    const given = { ...this.encoder.given(compiled, batch), vectors, spread: Float32Array.of(spread) };
    const shares = await this.lanes.run(compiled, given);
    return items.map((_, row) =>
      weighed(this.dataset, actions, weightsFromShares(this.dataset, moment, actions, window, shares, row)),
    );
  }

  /** The vectors of some items, one after another: (items, d_v), and d_v. */
  protected async itemVectors(items: Int32Array): Promise<{ vectors: Float32Array; width: number }> {
    const all = await this.encoder.items();
    return { vectors: rowsAt(all, items), width: all.width };
  }

  async score(cases: readonly Case[], candidates: Int32Array, perCase: number): Promise<Float32Array> {
    const items = await this.encoder.items();
    const scores = new Float32Array(candidates.length);
    const tasks = this.encoder.blocks(cases).map((block) => async () => {
      const own = new Int32Array(block.positions.length * perCase);
      for (const [row, position] of block.positions.entries())
        own.set(candidates.subarray(position * perCase, (position + 1) * perCase), row * perCase);
      return { block, logits: await this.#scoreBlock(block, own, perCase, items) };
    });
    for await (const { block, logits } of this.lanes.ahead(tasks)) {
      for (const [row, position] of block.positions.subarray(0, block.count).entries())
        scores.set(logits.subarray(row * perCase, (row + 1) * perCase), position * perCase);
    }
    return scores;
  }

  /** Scores candidates of each user's own, (users, perCase). */
  async #scoreBlock(block: Block, candidates: Int32Array, perCase: number, items: Items): Promise<Float32Array> {
    const { scoring } = this.#model;
    const form = scoring.short ?? scoring;
    const { extent, positions } = block;
    const batch = this.encoder.batch(block.cases, this.encoder.roomFor(extent));
    const vectors = rowsAt(items, candidates);
    const key = `own ${perCase} ${extent.feed} ${extent.search} ${sizesKey(batch.sizes)}`;
    const compiled = await this.lanes.compiled(key, (scope) => {
      const state = form.encode(scope, batch.sizes, extent);
      const given = scope.input('vectors', [positions.length, perCase, items.width]);
      const { [REACH]: reach } = withReach(form, state);
      return { logits: form.score(scope, state, given), ...(reach ? { [REACH]: reach } : {}) };
    });
    const given = { ...this.encoder.given(compiled, batch), vectors };
    const results = await this.lanes.run(compiled, given, [vectors.buffer as ArrayBuffer]);
    if (this.#programs.isWithinReach(results, items)) return results['logits'] as Float32Array;
    const state = await this.encoder.encode(block.cases, this.encoder.inFull);
    return this.#programs.own(scoring, 'in full', state, positions.length, perCase, rowsAt(items, candidates), items);
  }

  async scoreAll(
    cases: readonly Case[],
    consume: (stretch: ScoredStretch) => void,
    references: Int32Array | null = null,
  ): Promise<void> {
    for await (const stretches of this.lanes.ahead(this.#catalogueRuns(cases, references)))
      for (const stretch of stretches) consume(stretch);
  }

  /** What there is to run, in order: every group of cases against every chunk of items. */
  async *#catalogueRuns(
    cases: readonly Case[],
    references: Int32Array | null,
  ): AsyncGenerator<() => Promise<ScoredStretch[]>> {
    const { scoring } = this.#model;
    const form = scoring.short ?? scoring;
    const size = form.scoreShared ? GROUP : 1;
    const chunk = Math.max(1, Math.floor((form.pairsAtOnce ?? PAIRS_AT_ONCE) / size));
    const items = await this.encoder.items();
    const blocks = this.encoder.blocks(cases);
    const encode = async (index: number): Promise<EncodedState> => {
      const block = blocks[index];
      if (!block) return { values: {}, shapes: new Map() };
      const { cases: own, extent } = block;
      return this.encoder.encode(own, { form, name: 'block', room: this.encoder.roomFor(extent), extent });
    };
    let next = encode(0);
    for (const [index, block] of blocks.entries()) {
      const users = await next;
      next = encode(index + 1);
      next.catch(() => undefined); // it is looked at after this block
      for (let start = 0; start < block.count; start += size) {
        const group = block.positions.subarray(start, start + size);
        const count = Math.min(group.length, block.count - start);
        const own = rowsOf(users, block.positions.length, start, start + group.length);
        if (this.#programs.isWithinReach(own.values, items)) {
          const score = async (vectors: Float32Array) => this.#programs.shared(form, own, group.length, vectors, items);
          yield* runsOf(items, group, count, references, chunk, score);
          continue;
        }
        for (const position of group.subarray(0, count)) {
          const state = await this.encoder.encode([cases[position] as Case], this.encoder.inFull);
          const score = async (vectors: Float32Array) =>
            this.#programs.own(scoring, 'in full', state, 1, vectors.length / items.width, vectors, items);
          yield* runsOf(items, Int32Array.of(position), 1, references, chunk, score);
        }
      }
    }
  }
}
