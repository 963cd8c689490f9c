/**
 * A trained SESRec as a ranker. Knows how to score and explain with given parameters; does not know training or
 * metrics. Histories are encoded once per case, items once per model; candidates meet both.
 */
import { assert, at, getOrCreate, range } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import {
  BatchAssembler,
  type BatchSizes,
  catalogueOf,
  gatherRows,
  recentFeed,
  recentSearches,
} from '../features/index.js';
import { type NumberArray, type Program, type Runtime, type Tensor, ops } from '../tensor/index.js';
import { Scope } from './layers.js';
import type { Parameters } from './parameters.js';
import type { Case, Ranker } from './recommender.js';
import { type UserState, candidateVectors, encodeUser, scoreCandidates } from './sesrec.js';
import type { SesrecConfig } from './sesrec-config.js';

/** Candidates scored at once when a whole catalogue is ranked: small enough for the hidden layer to stay in cache. */
const CHUNK = 2048;

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

export class SesrecRanker implements Ranker {
  readonly name = 'sesrec';
  readonly #config: SesrecConfig;
  readonly #parameters: Parameters;
  readonly #dataset: Dataset;
  readonly #runtime: Runtime;
  readonly #assembler: BatchAssembler;
  readonly #programs = new Map<string, Promise<Compiled>>();
  #items: Promise<Float32Array> | null = null;

  constructor(config: SesrecConfig, parameters: Parameters, dataset: Dataset, runtime: Runtime) {
    this.#config = config;
    this.#parameters = parameters;
    this.#dataset = dataset;
    this.#runtime = runtime;
    const names = (attributes: SesrecConfig['itemAttributes']): string[] => attributes.map(({ name }) => name);
    this.#assembler = new BatchAssembler(
      catalogueOf(dataset, names(config.itemAttributes), names(config.userAttributes)),
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
  ): Promise<Record<string, Float32Array>> {
    return program.run(
      Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] ?? this.#parameters.get(key)])),
    );
  }

  /** Candidate vectors of all items, (items, d_v), worked out once. */
  async #itemVectors(): Promise<Float32Array> {
    this.#items ??= (async () => {
      const total = this.#dataset.items.ids.length;
      const compiled = await this.#compiled('items', (scope) => ({
        vectors: candidateVectors(scope, this.#config, CHUNK),
      }));
      const chunks: Float32Array[] = [];
      for (let start = 0; start < total; start += CHUNK) {
        const indices = range(CHUNK).map((offset) => Math.min(start + offset, total - 1));
        const given: Record<string, NumberArray> = {};
        for (const { key, table } of compiled.scope.lookups.values())
          given[key] = this.#parameters.rowsOf(table, indices);
        for (const { name } of this.#config.itemAttributes) {
          const column = this.#dataset.itemAttributes.get(name);
          assert(column, `the data set has no item attribute ${name}`);
          given[`itemAttribute.${name}`] = indices.map((item) => at(column.index, item));
        }
        chunks.push((await this.#run(compiled, given))['vectors'] as Float32Array);
      }
      const width = (chunks[0] as Float32Array).length / CHUNK;
      const vectors = new Float32Array(chunks.length * CHUNK * width);
      chunks.forEach((chunk, position) => vectors.set(chunk, position * CHUNK * width));
      return vectors.slice(0, total * width);
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

  async score(cases: readonly Case[], candidates: Int32Array, perCase: number): Promise<Float32Array> {
    return (await this.#scoreWithAttention(cases, candidates, perCase)).results['logits'] as Float32Array;
  }

  async #scoreWithAttention(
    cases: readonly Case[],
    candidates: Int32Array,
    perCase: number,
  ): Promise<{ results: Record<string, Float32Array>; state: EncodedState }> {
    const [state, vectors] = await Promise.all([this.#encode(cases), this.#itemVectors()]);
    const width = vectors.length / this.#dataset.items.ids.length;
    const gathered = new Float32Array(candidates.length * width);
    candidates.forEach((item, position) =>
      gathered.set(vectors.subarray(item * width, (item + 1) * width), position * width),
    );
    const compiled = await this.#scorer(cases.length, perCase, width);
    return { results: await this.#run(compiled, { ...state, vectors: gathered }), state };
  }

  async scoreAll(cases: readonly Case[]): Promise<Float32Array> {
    const [state, vectors] = await Promise.all([this.#encode(cases), this.#itemVectors()]);
    const total = this.#dataset.items.ids.length;
    const width = vectors.length / total;
    const chunk = Math.min(CHUNK, total);
    const compiled = await this.#scorer(1, chunk, width);
    const scores = new Float32Array(cases.length * total);
    for (let row = 0; row < cases.length; row++) {
      const own = Object.fromEntries(
        Object.entries(state).map(([key, values]) => {
          const length = values.length / cases.length;
          return [key, values.slice(row * length, (row + 1) * length)];
        }),
      );
      for (let next = 0; next < total; next += chunk) {
        const start = Math.min(next, total - chunk); // the last chunk reaches back: every chunk has one shape
        const { logits } = await this.#run(compiled, {
          ...own,
          vectors: vectors.slice(start * width, (start + chunk) * width),
        });
        scores.set(logits as Float32Array, row * total + start);
      }
    }
    return scores;
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
  const userWidth = config.userIdWidth + config.userAttributes.reduce((total, attribute) => total + attribute.width, 0);
  return {
    feed: scope.input('encodedFeed', [rows, window.feed, width]),
    search: config.useSearch ? scope.input('encodedSearch', [rows, window.search, width]) : null,
    masks: {
      feed: interests('feed', window.feed),
      search: config.useSearch ? interests('search', window.search) : null,
    },
    user: scope.input('encodedUser', [rows, userWidth]),
  };
}
