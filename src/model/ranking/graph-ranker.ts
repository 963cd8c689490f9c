/**
 * A trained model as a ranker that can tell why. Knows how to score with given parameters: histories are encoded once per case,
 * items once per model, candidates meet both; does not know any one model, training or metrics.
 */
import { assert, roundUp } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import {
  type Action,
  type Batch,
  BatchAssembler,
  type BatchExtra,
  type Catalogue,
  type Extent,
  catalogueOf,
  gatherRows,
  recentActions,
  sizesKey,
  withUnseenQueries,
} from '../../features/index.js';
import type { NumberArray, Runtime } from '../../tensor/index.js';
import { Scope } from '../layers/layers.js';
import { type Model, type ScoringForm, type State, smallestSizes } from '../definition/model.js';
import type { Parameters } from '../weights/parameters.js';
import { gradientTimesInput, seesActionVectors, standings, weightsFromShares } from './action-gradients.js';
import type { AlignedVectors } from '../definition/aligned-vectors.js';
import { type Block, blocksOf } from './case-blocks.js';
import { type Items, rowsAt, runsOf } from './catalogue-stretches.js';
import { type EncodedState, rowsOf } from './encoded-state.js';
import { type EncodedChunk, ItemVectors } from './item-vectors.js';
import { type CandidateSearch, type Encoding, searchOnLane } from './lane-search.js';
import { type Compiled, Lanes } from './lanes.js';
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

/** Cases that are encoded at once. */
const BLOCK = 64;
/** Cases and items of one run when a whole catalogue is ranked and items are shared: the hidden layer of one case stays in cache. */
const GROUP = 16;
const PAIRS_AT_ONCE = 16_384;
/** Catalogues of more vectors than these numbers are brought to threads anew for each ranking: every thread would keep all of them. */
const MOST_HELD = 2 ** 25;
/** Items of one run when a catalogue is ranked for one user: every program keeps the room that its run needs. */
const SERVED_AT_ONCE = 4096;

/** What rankers of one model share that rank for different histories. */
interface Shared {
  readonly lanes: Lanes;
  readonly programs: ScoringPrograms;
  readonly items: ItemVectors;
}

/** Histories that are not those of the data set a ranker was made for, and what is known of whatever is in them. */
export interface OtherHistories {
  readonly dataset: Dataset;
  readonly catalogue: Catalogue;
}

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
  protected readonly dataset: Dataset;
  readonly #model: Model;
  readonly #parameters: Parameters;
  readonly #runtime: Runtime;
  readonly #assembler: BatchAssembler;
  readonly #extras: readonly BatchExtra[];
  readonly #shared: Shared;

  /** @param beside for histories that are elsewhere: shares what was worked out and compiled, see `forHistories` */
  constructor(model: Model, parameters: Parameters, dataset: Dataset, runtime: Runtime, beside?: Beside) {
    const { itemAttributes, userAttributes, window } = model.config;
    this.name = model.card.id;
    this.#model = model;
    this.#parameters = parameters;
    this.#runtime = runtime;
    if (beside) {
      this.dataset = dataset;
      const { ranker, catalogue } = beside;
      this.#shared = ranker.#shared;
      this.#extras = ranker.#extras.map((extra) => extra.forHistories?.(dataset) ?? extra);
      this.#assembler = new BatchAssembler(catalogue, window, { extras: this.#extras, beside: ranker.#assembler });
      return;
    }
    const ranked = withUnseenQueries(dataset, catalogueOf(dataset, itemAttributes, userAttributes));
    this.dataset = ranked.dataset;
    const lanes = new Lanes(runtime, parameters);
    const programs = new ScoringPrograms(model.scoring, lanes);
    this.#shared = { lanes, programs, items: new ItemVectors(lanes) };
    this.#extras = model.extras(dataset);
    this.#assembler = new BatchAssembler(ranked.catalogue, window, { extras: this.#extras });
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
    return new GraphRanker(this.#model, this.#parameters, beside.dataset, this.#runtime, beside);
  }

  /**
   * Works out the vectors of some items by what this ranker's catalogue knows of them, for all rankers beside. Those that come
   * behind the items known so far must be all that do, in order.
   */
  async reviseItems(items: Int32Array): Promise<void> {
    await this.#shared.items.revise(await this.#allItems(), items, async (chunk) => this.#encodeChunk(chunk));
  }

  /** Threads let go of the vectors that they hold for rankings of the whole catalogue; the next one brings them again. */
  letGo(): void {
    this.#shared.lanes.letGo();
  }

  /** Encodes the history of a moment, to be met by many candidates, perhaps later. */
  async encodeHistory(moment: Case): Promise<EncodedHistory> {
    const items = await this.#allItems();
    if (this.#model.scoring.short) {
      const state = await this.#encoded(await this.#historyEncoding(moment, true));
      if (this.#shared.programs.isWithinReach(state.values, items)) return { state, isShort: true };
    }
    return this.#encodeInFull(moment);
  }

  async #encodeInFull(moment: Case): Promise<EncodedHistory> {
    return { state: await this.#encoded(await this.#historyEncoding(moment, false)), isShort: false };
  }

  /** What encodes the history of a moment. */
  async #historyEncoding(moment: Case, isShort: boolean, lane?: number): Promise<Encoding> {
    const [block] = this.#blocks([moment]) as [Block];
    const served = { isServed: true, lane };
    const name = isShort ? 'block' : 'one';
    return this.#encodingOf(this.#formOf(isShort), name, [moment], this.#roomOf(block), block.extent, served);
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
    const items = await this.#allItems();
    const { lanes } = this.#shared;
    const lane = lanes.next();
    const isShort = 'state' in history ? history.isShort : scoring.short !== undefined;
    const from = 'state' in history ? history.state : await this.#historyEncoding(history, isShort, lane);
    const { shapes } = from;
    const scorers = await Promise.all(
      search.sizes.map(async (size) => ({
        size,
        ...(await this.#shared.programs.scorer(this.#formOf(isShort), shapes, 1, size, items.width, lane)),
      })),
    );
    const { state, found } = await searchOnLane(lanes, lane, search, {
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
    const items = await this.#allItems();
    return this.#shared.programs.shared(
      this.#formOf(history.isShort),
      history.state,
      1,
      rowsAt(items, candidates),
      items,
    );
  }

  /** Scores of the whole catalogue for an encoded history, by item index; those of padding and unknown carry no meaning. */
  async scoreAllFor(history: EncodedHistory): Promise<Float32Array> {
    const items = await this.#allItems();
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
          ? await this.#shared.programs.held(
              form,
              history.state,
              size,
              width,
              this.#shared.lanes.stretch(size, stretch),
              own,
            )
          : await this.#shared.programs.shared(form, history.state, 1, own(), items);
      return { stretch, found };
    });
    for await (const { stretch, found } of this.#shared.lanes.ahead(tasks))
      scores.set(found.subarray(0, Math.min(size, total - stretch * size)), stretch * size);
    return scores;
  }

  #formOf(isShort: boolean): ScoringForm {
    const { scoring } = this.#model;
    return isShort ? (scoring.short as ScoringForm) : scoring;
  }

  /** The vectors of all items, (items, d_v), and d_v; a view, which revising items may change. */
  async catalogueVectors(): Promise<{ readonly vectors: Float32Array; readonly width: number }> {
    return this.#allItems();
  }

  /** Must be called after the parameters have changed: item vectors are worked out anew. */
  refresh(): void {
    this.#shared.items.forget();
  }

  protected compiled(key: string, build: (scope: Scope) => State, lane?: number): Promise<Compiled> {
    return this.#shared.lanes.compiled(key, build, lane);
  }

  protected run(
    compiled: Compiled,
    given: Readonly<Record<string, NumberArray>>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Record<string, Float32Array>> {
    return this.#shared.lanes.run(compiled, given, transfer);
  }

  /** What a batch brings to a graph. */
  #given({ scope }: Compiled, batch: Batch): Record<string, NumberArray> {
    return { ...this.#parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs };
  }

  async #allItems(): Promise<Items> {
    return this.#shared.items.all(this.dataset.items.ids.length, async (chunk) => this.#encodeChunk(chunk));
  }

  async #encodeChunk(items: Int32Array): Promise<EncodedChunk> {
    const { scoring } = this.#model;
    const batch = this.#assembler.assembleItems(items);
    const compiled = await this.compiled(`items ${sizesKey(batch.sizes)}`, (scope) => {
      const vectors = scoring.items(scope, batch.sizes);
      return scoring.short ? { vectors, reach: scoring.short.reachOfItems(scope, vectors) } : { vectors };
    });
    const results = await this.run(compiled, this.#given(compiled, batch));
    const vectors = results['vectors'] as Float32Array;
    return {
      slots: batch.inputs['itemSlots'] as Int32Array,
      vectors,
      width: vectors.length / batch.sizes.items,
      reach: results['reach'] ?? null,
    };
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
    const batch = this.#assembler.assemble(gatherRows(this.dataset, rows, window));
    const { candidates, spread } = await raceOf(this, question);
    const { vectors, width } = await this.itemVectors(Int32Array.from(items.flatMap(() => candidates)));
    const shape = [items.length, candidates.length] as const;
    const compiled = await this.compiled(`gradient ${candidates.length} ${sizesKey(batch.sizes)}`, (scope) => {
      const state = scoring.encode(scope, batch.sizes, window);
      const logits = scoring.score(scope, state, scope.input('vectors', [...shape, width]));
      return gradientTimesInput(standings(logits, scope.input('spread', [])));
    });
    const given = { ...this.#given(compiled, batch), vectors, spread: Float32Array.of(spread) };
    const shares = await this.run(compiled, given);
    return items.map((_, row) =>
      weighed(this.dataset, actions, weightsFromShares(this.dataset, moment, actions, window, shares, row)),
    );
  }

  /** The vectors of some items, one after another: (items, d_v), and d_v. */
  protected async itemVectors(items: Int32Array): Promise<{ vectors: Float32Array; width: number }> {
    const all = await this.#allItems();
    return { vectors: rowsAt(all, items), width: all.width };
  }

  /** Encodes cases in full, at the room of the window. */
  protected async encode(cases: readonly Case[]): Promise<EncodedState> {
    const { window } = this.#model.config;
    return this.#encodeBatch(this.#model.scoring, 'encode', cases, window, window);
  }

  /** Encodes a case in another way, at the room of the window. `name` tells the ways of a model apart. */
  protected async encodeBy(name: string, encode: ScoringForm['encode'], moment: Case): Promise<EncodedState> {
    const { window } = this.#model.config;
    return this.#encodeBatch({ ...this.#model.scoring, encode }, name, [moment], window, window, true);
  }

  /** Encodes cases in full, a block at a time, in their order; the next blocks are under way while one is looked at. */
  protected async *encodeMany(
    cases: readonly Case[],
  ): AsyncGenerator<{ readonly own: readonly Case[]; readonly state: EncodedState }> {
    const tasks = Array.from({ length: Math.ceil(cases.length / BLOCK) }, (_, block) => async () => {
      const own = cases.slice(block * BLOCK, (block + 1) * BLOCK);
      return { own, state: await this.encode(own) };
    });
    yield* this.#shared.lanes.ahead(tasks);
  }

  async #encodeBatch(
    form: ScoringForm,
    name: string,
    cases: readonly Case[],
    room: Extent,
    extent: Extent,
    isServed = false,
  ): Promise<EncodedState> {
    return this.#encoded(await this.#encodingOf(form, name, cases, room, extent, { isServed }));
  }

  async #encoded({ compiled, given, shapes }: Encoding): Promise<EncodedState> {
    return { values: await this.run(compiled, given), shapes };
  }

  /** What encodes cases. */
  async #encodingOf(
    form: ScoringForm,
    name: string,
    cases: readonly Case[],
    room: Extent,
    extent: Extent,
    { isServed, lane }: { readonly isServed: boolean; readonly lane?: number | undefined },
  ): Promise<Encoding> {
    if (isServed) this.#assembler.makeRoom({ count: cases.length, extent: room });
    const batch = this.#assembler.assemble(gatherRows(this.dataset, cases, this.#model.config.window, room));
    const key = `${name} ${extent.feed} ${extent.search} ${sizesKey(batch.sizes)}`;
    const build = (scope: Scope): State => withReach(form, form.encode(scope, batch.sizes, extent));
    const compiled = await this.compiled(key, build, lane);
    const shapes = new Map([...compiled.shapes].map(([state, shape]) => [state, shape.slice(1)]));
    return { compiled, given: this.#given(compiled, batch), shapes };
  }

  #blocks(cases: readonly Case[]): Block[] {
    return blocksOf(this.dataset, cases, this.#model.config.window, BLOCK);
  }

  /** The room that the graphs of a block have. */
  #roomOf({ extent }: Block): Extent {
    return this.#model.seesPadding ? this.#model.config.window : extent;
  }

  async score(cases: readonly Case[], candidates: Int32Array, perCase: number): Promise<Float32Array> {
    const items = await this.#allItems();
    const scores = new Float32Array(candidates.length);
    const tasks = this.#blocks(cases).map((block) => async () => {
      const own = new Int32Array(block.positions.length * perCase);
      for (const [row, position] of block.positions.entries())
        own.set(candidates.subarray(position * perCase, (position + 1) * perCase), row * perCase);
      return { block, logits: await this.#scoreBlock(block, own, perCase, items) };
    });
    for await (const { block, logits } of this.#shared.lanes.ahead(tasks)) {
      for (const [row, position] of block.positions.subarray(0, block.count).entries())
        scores.set(logits.subarray(row * perCase, (row + 1) * perCase), position * perCase);
    }
    return scores;
  }

  /** Scores candidates of each user's own, (users, perCase). */
  async #scoreBlock(block: Block, candidates: Int32Array, perCase: number, items: Items): Promise<Float32Array> {
    const { scoring, config } = this.#model;
    const form = scoring.short ?? scoring;
    const rows = gatherRows(this.dataset, block.cases, config.window, this.#roomOf(block));
    const batch = this.#assembler.assemble(rows);
    const vectors = rowsAt(items, candidates);
    const { extent, positions } = block;
    const key = `own ${perCase} ${extent.feed} ${extent.search} ${sizesKey(batch.sizes)}`;
    const compiled = await this.compiled(key, (scope) => {
      const state = form.encode(scope, batch.sizes, extent);
      const given = scope.input('vectors', [positions.length, perCase, items.width]);
      const { [REACH]: reach } = withReach(form, state);
      return { logits: form.score(scope, state, given), ...(reach ? { [REACH]: reach } : {}) };
    });
    const given = { ...this.#given(compiled, batch), vectors };
    const results = await this.run(compiled, given, [vectors.buffer as ArrayBuffer]);
    if (this.#shared.programs.isWithinReach(results, items)) return results['logits'] as Float32Array;
    const state = await this.encode(block.cases);
    return this.#shared.programs.own(
      scoring,
      'in full',
      state,
      positions.length,
      perCase,
      rowsAt(items, candidates),
      items,
    );
  }

  async scoreAll(
    cases: readonly Case[],
    consume: (stretch: ScoredStretch) => void,
    references: Int32Array | null = null,
  ): Promise<void> {
    for await (const stretches of this.#shared.lanes.ahead(this.#catalogueRuns(cases, references)))
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
    const items = await this.#allItems();
    const blocks = this.#blocks(cases);
    const encode = async (index: number): Promise<EncodedState> => {
      const block = blocks[index];
      if (!block) return { values: {}, shapes: new Map() };
      return this.#encodeBatch(form, 'block', block.cases, this.#roomOf(block), block.extent);
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
        if (this.#shared.programs.isWithinReach(own.values, items)) {
          const score = async (vectors: Float32Array) =>
            this.#shared.programs.shared(form, own, group.length, vectors, items);
          yield* runsOf(items, group, count, references, chunk, score);
          continue;
        }
        for (const position of group.subarray(0, count)) {
          const state = await this.encode([cases[position] as Case]);
          const score = async (vectors: Float32Array) =>
            this.#shared.programs.own(scoring, 'in full', state, 1, vectors.length / items.width, vectors, items);
          yield* runsOf(items, Int32Array.of(position), 1, references, chunk, score);
        }
      }
    }
  }
}
