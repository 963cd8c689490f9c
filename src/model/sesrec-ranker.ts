/**
 * A trained SESRec as a ranker. Knows how to score and explain with given parameters; does not know training or
 * metrics. Histories are encoded once per case, items once per model; candidates meet both.
 */
import { assert, at, copyRows, getOrCreate, range } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import {
  BatchAssembler,
  type BatchSizes,
  type Extent,
  catalogueOf,
  extentOf,
  gatherRows,
  historyLengths,
  recentFeed,
  recentSearches,
} from '../features/index.js';
import { type NumberArray, type Program, type Runtime, type Tensor, ops } from '../tensor/index.js';
import { Scope } from './layers.js';
import type { Parameters } from './parameters.js';
import type { Case, Ranker, ScoredStretch } from './recommender.js';
import { type UserState, candidateVectors, encodeUser, scoreCandidates } from './sesrec.js';
import { type SesrecConfig, seesPadding } from './sesrec-config.js';
import {
  MAXIMAL_SCORE,
  projectUsers,
  projectedInputs,
  reachOfCandidates,
  reachOfUsers,
  scoreOwnCandidates,
  scoreSharedCandidates,
} from './sesrec-projected.js';

/** Items whose vectors are worked out at once. */
const ITEM_CHUNK = 2048;
/** Cases that are encoded at once. */
const BLOCK = 64;
/** Cases and items of one run when a whole catalogue is ranked: the hidden layer of one case stays in cache. */
const GROUP = 16;
const CHUNK = 1024;

/** Which side of the split an action lies on; null for users who have only one history: there is nothing to compare with. */
export type Side = 'similar' | 'dissimilar' | null;

/** An action of a history, and its side. */
export interface SidedAction {
  readonly lane: 'feed' | 'search';
  /** Position in the feed (or search) columns of the data set. */
  readonly position: number;
  readonly side: Side;
}

/** An action behind a recommendation. */
export interface Reason extends SidedAction {
  /** Attention weight of Eq. 17: sums to 1 over the lane's window. */
  readonly weight: number;
}

interface Compiled {
  readonly program: Program;
  readonly scope: Scope;
}

/** Encoded histories of some cases: (cases, …) arrays by the keys of the state. */
type EncodedState = Readonly<Record<string, Float32Array>>;

/** What is known of all items. */
interface Items {
  /** d_v */
  readonly width: number;
  /** (items, d_v): what a candidate is scored by. */
  readonly vectors: Float32Array;
  /** The largest `reachOfCandidates`. */
  readonly reach: number;
}

/** Cases with histories of about the same length. */
interface Block {
  /** Their positions in the list that was asked for; the last one again and again up to a size that programs are made for. */
  readonly positions: Int32Array;
  /** How many of them are not there for the size only. */
  readonly count: number;
  readonly cases: readonly Case[];
  readonly extent: Extent;
}

export class SesrecRanker implements Ranker {
  readonly name = 'sesrec';
  readonly #config: SesrecConfig;
  readonly #parameters: Parameters;
  readonly #dataset: Dataset;
  readonly #runtime: Runtime;
  readonly #assembler: BatchAssembler;
  readonly #programs = new Map<string, Promise<Compiled>>();
  #items: Promise<Items> | null = null;

  constructor(config: SesrecConfig, parameters: Parameters, dataset: Dataset, runtime: Runtime) {
    this.#config = config;
    this.#parameters = parameters;
    this.#dataset = dataset;
    this.#runtime = runtime;
    this.#assembler = new BatchAssembler(
      catalogueOf(dataset, config.itemAttributes, config.userAttributes),
      config.window,
    );
  }

  /** Must be called after the parameters have changed: item vectors are worked out anew. */
  refresh(): void {
    this.#items = null;
  }

  async #compiled(key: string, build: (scope: Scope) => Record<string, Tensor>): Promise<Compiled> {
    return getOrCreate(this.#programs, key, async () => {
      const scope = new Scope();
      const outputs = build(scope);
      return { program: await this.#runtime.compile(outputs), scope };
    });
  }

  async #run(
    { program }: Compiled,
    given: Readonly<Record<string, NumberArray>>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Record<string, Float32Array>> {
    return program.run(
      Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] ?? this.#parameters.get(key)])),
      transfer,
    );
  }

  /** Worked out once. */
  async #allItems(): Promise<Items> {
    this.#items ??= (async () => {
      const total = this.#dataset.items.ids.length;
      const compiled = await this.#compiled('items', (scope) => {
        const vectors = candidateVectors(scope, this.#config, ITEM_CHUNK);
        return { vectors, reach: reachOfCandidates(scope, this.#config, vectors) };
      });
      const chunks: Float32Array[] = [];
      let reach = 0;
      for (let start = 0; start < total; start += ITEM_CHUNK) {
        const indices = range(ITEM_CHUNK).map((offset) => Math.min(start + offset, total - 1));
        const given: Record<string, NumberArray> = {};
        for (const { key, table } of compiled.scope.lookups.values())
          given[key] = this.#parameters.rowsOf(table, indices);
        for (const { name } of this.#config.itemAttributes) {
          const column = this.#dataset.itemAttributes.get(name);
          assert(column, `the data set has no item attribute ${name}`);
          given[`itemAttribute.${name}`] = indices.map((item) => at(column.index, item));
        }
        const results = await this.#run(compiled, given);
        chunks.push(results['vectors'] as Float32Array);
        reach = largest(results['reach'] as Float32Array, reach);
      }
      const width = (chunks[0] as Float32Array).length / ITEM_CHUNK;
      const vectors = new Float32Array(total * width);
      chunks.forEach((chunk, position) => {
        const start = position * ITEM_CHUNK * width;
        vectors.set(chunk.subarray(0, vectors.length - start), start);
      });
      return { width, vectors, reach };
    })();
    return this.#items;
  }

  async #encode(cases: readonly Case[]): Promise<EncodedState> {
    const batch = this.#assembler.assemble(gatherRows(this.#dataset, cases, this.#config.window));
    const compiled = await this.#compiled(`encode ${Object.values(batch.sizes).join(' ')}`, (scope) => {
      const { state } = encodeUser(scope, this.#config, batch.sizes);
      return flatten(state);
    });
    return this.#run(compiled, {
      ...this.#parameters.rows(compiled.scope.lookups.values(), batch.ids),
      ...batch.inputs,
    });
  }

  async #scorer(rows: number, count: number, width: number): Promise<Compiled> {
    return this.#compiled(`score ${rows} ${count}`, (scope) => {
      const state = stateInputs(scope, this.#config, rows);
      const { logits, feedAttention, searchAttention } = scoreCandidates(
        scope,
        this.#config,
        state,
        scope.input('vectors', [rows, count, width]),
      );
      return searchAttention ? { logits, feedAttention, searchAttention } : { logits, feedAttention };
    });
  }

  /** The cases in blocks, sorted by the lengths of their histories. */
  #blocks(cases: readonly Case[]): Block[] {
    const { window } = this.#config;
    const lengths = historyLengths(this.#dataset, cases, window);
    const key = lengths.feed.map((feed, row) => feed * (window.search + 1) + at(lengths.search, row));
    const order = range(cases.length).sort((a, b) => at(key, a) - at(key, b) || a - b);
    return Array.from({ length: Math.ceil(cases.length / BLOCK) }, (_, block) => {
      const own = order.subarray(block * BLOCK, (block + 1) * BLOCK);
      const size = 2 ** Math.ceil(Math.log2(own.length));
      const positions = Int32Array.from({ length: size }, (__, row) => at(own, Math.min(row, own.length - 1)));
      return {
        positions,
        count: own.length,
        cases: Array.from(positions, (position) => cases[position] as Case),
        extent: extentOf(lengths, own, window),
      };
    });
  }

  /** The inputs of a graph that encodes a block, and the sizes it is built for. */
  #assembled({ cases, extent }: Block) {
    const { window } = this.#config;
    const room = seesPadding(this.#config) ? window : extent;
    return this.#assembler.assemble(gatherRows(this.#dataset, cases, window, room));
  }

  /** Encodes and projects the users of a block: (users, …) arrays by the names of `ProjectedUsers`, and their reach. */
  async #projected(block: Block, candidateWidth: number): Promise<EncodedState> {
    const batch = this.#assembled(block);
    const { extent } = block;
    const key = `project ${extent.feed} ${extent.search} ${Object.values(batch.sizes).join(' ')}`;
    const compiled = await this.#compiled(key, (scope) => {
      const { state } = encodeUser(scope, this.#config, batch.sizes);
      const users = projectUsers(scope, this.#config, cutTo(state, extent), candidateWidth);
      return { ...users, reach: reachOfUsers(users) };
    });
    return this.#run(compiled, {
      ...this.#parameters.rows(compiled.scope.lookups.values(), batch.ids),
      ...batch.inputs,
    });
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
    for await (const { block, logits } of oneAhead(tasks)) {
      for (const [row, position] of block.positions.subarray(0, block.count).entries())
        scores.set(logits.subarray(row * perCase, (row + 1) * perCase), position * perCase);
    }
    return scores;
  }

  /** Scores candidates of each user's own, (users, perCase). */
  async #scoreBlock(block: Block, candidates: Int32Array, perCase: number, items: Items): Promise<Float32Array> {
    const batch = this.#assembled(block);
    const vectors = rowsAt(items, candidates);
    const { extent, positions } = block;
    const key = `own ${perCase} ${extent.feed} ${extent.search} ${Object.values(batch.sizes).join(' ')}`;
    const compiled = await this.#compiled(key, (scope) => {
      const { state } = encodeUser(scope, this.#config, batch.sizes);
      const users = projectUsers(scope, this.#config, cutTo(state, extent), items.width);
      const given = scope.input('vectors', [positions.length, perCase, items.width]);
      return {
        logits: scoreOwnCandidates(scope, this.#config, users, given, userWidthOf(this.#config)),
        reach: reachOfUsers(users),
      };
    });
    const { logits, reach } = await this.#run(
      compiled,
      { ...this.#parameters.rows(compiled.scope.lookups.values(), batch.ids), ...batch.inputs, vectors },
      [vectors.buffer as ArrayBuffer],
    );
    if (isWithinReach(reach as Float32Array, items)) return logits as Float32Array;
    return (await this.#scoreWithAttention(block.cases, candidates, perCase)).results['logits'] as Float32Array;
  }

  async #scoreWithAttention(
    cases: readonly Case[],
    candidates: Int32Array,
    perCase: number,
  ): Promise<{ results: Record<string, Float32Array>; state: EncodedState }> {
    const [state, items] = await Promise.all([this.#encode(cases), this.#allItems()]);
    const compiled = await this.#scorer(cases.length, perCase, items.width);
    return { results: await this.#run(compiled, { ...state, vectors: rowsAt(items, candidates) }), state };
  }

  async scoreAll(
    cases: readonly Case[],
    consume: (stretch: ScoredStretch) => void,
    references: Int32Array | null = null,
  ): Promise<void> {
    for await (const stretches of oneAhead(this.#catalogueRuns(cases, references)))
      for (const stretch of stretches) consume(stretch);
  }

  /** What there is to run, in order: every group of cases against every chunk of items. */
  async *#catalogueRuns(
    cases: readonly Case[],
    references: Int32Array | null,
  ): AsyncGenerator<() => Promise<ScoredStretch[]>> {
    const items = await this.#allItems();
    const blocks = this.#blocks(cases);
    const project = async (index: number): Promise<EncodedState> => {
      const block = blocks[index];
      return block ? this.#projected(block, items.width) : {};
    };
    let next = project(0);
    for (const [index, block] of blocks.entries()) {
      const users = await next;
      next = project(index + 1);
      next.catch(() => undefined); // it is looked at after this block
      for (let start = 0; start < block.count; start += GROUP) {
        const group = block.positions.subarray(start, start + GROUP);
        const count = Math.min(group.length, block.count - start);
        const { reach, ...own } = rowsOf(users, block.positions.length, start, start + group.length);
        if (isWithinReach(reach as Float32Array, items)) {
          const score = async (vectors: Float32Array) =>
            this.#scoreShared(own, group.length, block.extent, vectors, items);
          yield* runsOf(items, group, count, references, score);
          continue;
        }
        for (const position of group.subarray(0, count)) {
          const state = await this.#encode([cases[position] as Case]);
          const score = async (vectors: Float32Array) => this.#scoreCarefully(state, vectors, items);
          yield* runsOf(items, Int32Array.of(position), 1, references, score);
        }
      }
    }
  }

  /** Scores the same candidates for some projected users, (users, candidates). */
  async #scoreShared(
    users: EncodedState,
    count: number,
    extent: Extent,
    vectors: Float32Array,
    { width }: Items,
  ): Promise<Float32Array> {
    const candidates = vectors.length / width;
    const compiled = await this.#compiled(`shared ${count} ${candidates} ${extent.feed} ${extent.search}`, (scope) => {
      const given = scope.input('vectors', [candidates, width]);
      const projected = projectedInputs(scope, this.#config, count, extent);
      return { scores: scoreSharedCandidates(scope, this.#config, projected, given, userWidthOf(this.#config)) };
    });
    const { scores } = await this.#run(compiled, { ...users, vectors }, [vectors.buffer as ArrayBuffer]);
    return scores as Float32Array;
  }

  /** The same for one user whose attention may be too sharp for the short form. */
  async #scoreCarefully(state: EncodedState, vectors: Float32Array, { width }: Items): Promise<Float32Array> {
    const compiled = await this.#scorer(1, vectors.length / width, width);
    return (await this.#run(compiled, { ...state, vectors }))['logits'] as Float32Array;
  }

  /**
   * Why items are recommended: for each, the searches and feed events of the window with the largest attention weight
   * (Eq. 17), up to `perLane` of each lane, largest first, and the side of each (Eq. 11, 12).
   */
  async explain(moment: Case, items: readonly number[], perLane: number): Promise<Reason[][]> {
    const { results, state } = await this.#scoreWithAttention([moment], Int32Array.from(items), items.length);
    const actions = this.#actionsOf(moment, state);
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

  /** The actions in the window of a case, oldest first in each lane, and the side of each (Eq. 11, 12). */
  async sides(moment: Case): Promise<SidedAction[]> {
    return this.#actionsOf(moment, await this.#encode([moment]));
  }

  #actionsOf(moment: Case, state: EncodedState): SidedAction[] {
    const { window, useSearch } = this.#config;
    const [feedStart, feedEnd] = recentFeed(this.#dataset, moment, window.feed);
    const positions = {
      feed: Array.from({ length: feedEnd - feedStart }, (_, i) => feedStart + i),
      search: useSearch ? recentSearches(this.#dataset, moment, window.search) : [],
    };
    const hasBoth = (state['hasBoth']?.[0] ?? 0) === 1;
    return (['feed', 'search'] as const).flatMap((lane) =>
      positions[lane].map((position, i) => {
        const isSimilar = state[`${lane}IsSimilar`]?.[i] === 1;
        return { lane, position, side: !hasBoth ? null : isSimilar ? 'similar' : 'dissimilar' };
      }),
    );
  }
}

/** The state as named outputs, and (stateInputs) as the inputs of the same names. */
function flatten({ feed, search, masks, user, split }: UserState): Record<string, Tensor> {
  return {
    encodedFeed: feed,
    encodedUser: user,
    feedAll: masks.feed.all,
    feedSimilar: masks.feed.similar,
    feedDissimilar: masks.feed.dissimilar,
    ...(search && masks.search
      ? {
          encodedSearch: search,
          searchAll: masks.search.all,
          searchSimilar: masks.search.similar,
          searchDissimilar: masks.search.dissimilar,
        }
      : {}),
    ...(split
      ? {
          hasBoth: ops.reshape(split.hasBoth, [split.hasBoth.shape[0] as number]),
          feedIsSimilar: split.feed.isSimilar,
          searchIsSimilar: split.search.isSimilar,
        }
      : {}),
  };
}

function stateInputs(scope: Scope, config: SesrecConfig, rows: BatchSizes['rows']): Omit<UserState, 'split'> {
  const { window, width } = config;
  const interests = (lane: 'feed' | 'search', length: number) => ({
    all: scope.input(`${lane}All`, [rows, length]),
    similar: scope.input(`${lane}Similar`, [rows, length]),
    dissimilar: scope.input(`${lane}Dissimilar`, [rows, length]),
  });
  return {
    feed: scope.input('encodedFeed', [rows, window.feed, width]),
    search: config.useSearch ? scope.input('encodedSearch', [rows, window.search, width]) : null,
    masks: {
      feed: interests('feed', window.feed),
      search: config.useSearch ? interests('search', window.search) : null,
    },
    user: scope.input('encodedUser', [rows, userWidthOf(config)]),
  };
}

/** d_u */
function userWidthOf({ userIdWidth, userAttributes }: SesrecConfig): number {
  return userAttributes.reduce((total, { width }) => total + width, userIdWidth);
}

/** The first positions of encoded histories; those that are left out are padding. */
function cutTo({ feed, search, masks, user }: UserState, extent: Extent): Omit<UserState, 'split'> {
  const cut = (x: Tensor, lane: 'feed' | 'search'): Tensor => ops.slice(x, 1, 0, extent[lane]);
  const cutMasks = ({ all, similar, dissimilar }: UserState['masks']['feed'], lane: 'feed' | 'search') => ({
    all: cut(all, lane),
    similar: cut(similar, lane),
    dissimilar: cut(dissimilar, lane),
  });
  return {
    feed: cut(feed, 'feed'),
    search: search && cut(search, 'search'),
    masks: { feed: cutMasks(masks.feed, 'feed'), search: masks.search && cutMasks(masks.search, 'search') },
    user,
  };
}

/** Rows [start, end) of everything in a state of some rows. */
function rowsOf(state: EncodedState, rows: number, start: number, end: number): EncodedState {
  return Object.fromEntries(
    Object.entries(state).map(([key, values]) => {
      const length = values.length / rows;
      return [key, values.slice(start * length, end * length)];
    }),
  );
}

/** Copies of the vectors of some items, one after another. */
const rowsAt = ({ vectors, width }: Items, indices: Int32Array): Float32Array => copyRows(vectors, width, indices);

/** The largest of some values and a number; infinity when one is not a number, so that nothing broken looks small. */
function largest(values: Float32Array, start: number): number {
  return values.reduce((most, value) => (value <= most ? most : Number.isNaN(value) ? Infinity : value), start);
}

const isWithinReach = (users: Float32Array, items: Items): boolean => largest(users, 0) * items.reach <= MAXIMAL_SCORE;

/**
 * The runs that score the whole catalogue for a group of cases, chunk by chunk; all chunks have one size. The references
 * lead the first chunk: their scores come from the same program as all others, to the last bit.
 * @param count cases of the group that are asked for
 */
function* runsOf(
  items: Items,
  group: Int32Array,
  count: number,
  references: Int32Array | null,
  score: (vectors: Float32Array) => Promise<Float32Array>,
): Generator<() => Promise<ScoredStretch[]>> {
  const { vectors, width } = items;
  const total = vectors.length / width;
  const lead = references ? group.length : 0;
  const size = Math.ceil((lead + total) / Math.ceil((lead + total) / CHUNK));
  let referenceScores: Float32Array | null = null;
  for (let start = 0; start < lead + total; start += size) {
    yield async () => {
      const offset = start === 0 ? lead : 0;
      const firstItem = start + offset - lead;
      const end = Math.min(total, start + size - lead);
      const given = new Float32Array(size * width);
      if (references && start === 0)
        given.set(
          rowsAt(
            items,
            group.map((position) => at(references, position)),
          ),
        );
      given.set(vectors.subarray(firstItem * width, end * width), offset * width);
      const scores = await score(given);
      if (references && start === 0)
        referenceScores = Float32Array.from(group, (_, row) => at(scores, row * size + row));
      return Array.from({ length: count }, (_, row) => ({
        position: at(group, row),
        firstItem,
        scores: scores.subarray(row * size + offset, row * size + offset + end - firstItem),
        reference: referenceScores && at(referenceScores, row),
      }));
    };
  }
}

/** Does tasks in order; the next one is under way while somebody looks at the result of the one before. */
async function* oneAhead<Result>(
  tasks: Iterable<() => Promise<Result>> | AsyncIterable<() => Promise<Result>>,
): AsyncGenerator<Result> {
  let running: Promise<Result> | null = null;
  for await (const task of tasks) {
    const next = task();
    next.catch(() => undefined); // it is looked at in its turn
    if (running) yield await running;
    running = next;
  }
  if (running) yield await running;
}
