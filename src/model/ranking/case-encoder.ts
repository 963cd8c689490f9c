/**
 * Histories and items as graphs take them, and what graphs make of them: states of cases, vectors of items. Knows batches, parameters and
 * lanes; does not know candidates, nor how a state scores them.
 */
import type { Dataset } from '../../data/index.js';
import {
  type Batch,
  BatchAssembler,
  type BatchExtra,
  type Catalogue,
  type Extent,
  catalogueOf,
  gatherRows,
  sizesKey,
  withUnseenQueries,
} from '../../features/index.js';
import type { NumberArray } from '../../tensor/index.js';
import type { Model, ScoringForm, State } from '../definition/model.js';
import type { Scope } from '../layers/layers.js';
import type { Parameters } from '../weights/parameters.js';
import { type Block, blocksOf } from './case-blocks.js';
import type { Items } from './catalogue-stretches.js';
import type { EncodedState } from './encoded-state.js';
import { type EncodedChunk, ItemVectors } from './item-vectors.js';
import type { Compiled, Lanes } from './lanes.js';
import type { Case } from './recommender.js';
import { withReach } from './scoring-programs.js';

/** Cases that are encoded at once. */
const BLOCK = 64;

/** Histories that are not those of the data set an encoder was made for, and what is known of whatever is in them. */
export interface OtherHistories {
  readonly dataset: Dataset;
  readonly catalogue: Catalogue;
}

/** A way to encode cases. */
export interface Way {
  readonly form: ScoringForm;
  /** Tells the ways of a model apart. */
  readonly name: string;
  /** The room of a batch's rows. */
  readonly room: Extent;
  /** How much of it histories fill at most. */
  readonly extent: Extent;
  /** Whether cases come one at a time, for which room is kept. */
  readonly isServed?: boolean;
  /** Where it shall be done; without, where there is the least to do. */
  readonly lane?: number | undefined;
}

/** What makes a state of cases: a program, what goes into it, and the shapes of one case's arrays. */
export interface Encoding {
  readonly compiled: Compiled;
  readonly given: Readonly<Record<string, NumberArray>>;
  readonly shapes: EncodedState['shapes'];
}

interface Parts {
  readonly model: Model;
  readonly parameters: Parameters;
  readonly lanes: Lanes;
  readonly vectors: ItemVectors;
  readonly dataset: Dataset;
  readonly extras: readonly BatchExtra[];
  readonly assembler: BatchAssembler;
}

export class CaseEncoder {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  static of(model: Model, parameters: Parameters, given: Dataset, lanes: Lanes): CaseEncoder {
    const { itemAttributes, userAttributes, window } = model.config;
    const { dataset, catalogue } = withUnseenQueries(given, catalogueOf(given, itemAttributes, userAttributes));
    const extras = model.extras(given);
    const assembler = new BatchAssembler(catalogue, window, { extras });
    return new CaseEncoder({ model, parameters, lanes, vectors: new ItemVectors(lanes), dataset, extras, assembler });
  }

  /** One for other histories, which shares vectors of items, programs and the sizes of batches. */
  forHistories({ dataset, catalogue }: OtherHistories): CaseEncoder {
    const { model, extras: own, assembler: beside } = this.#parts;
    const extras = own.map((extra) => extra.forHistories?.(dataset) ?? extra);
    const assembler = new BatchAssembler(catalogue, model.config.window, { extras, beside });
    return new CaseEncoder({ ...this.#parts, dataset, extras, assembler });
  }

  /** What cases are of, with every query that was ever typed. */
  get dataset(): Dataset {
    return this.#parts.dataset;
  }

  /** The vectors of all items, worked out when they are first asked for. */
  async items(): Promise<Items> {
    const { vectors, dataset } = this.#parts;
    return vectors.all(dataset.items.ids.length, async (chunk) => this.#encodeItems(chunk));
  }

  /** Works out the vectors of some items anew; those that come behind the ones known so far must be all that do, in order. */
  async reviseItems(items: Int32Array): Promise<void> {
    await this.#parts.vectors.revise(await this.items(), items, async (chunk) => this.#encodeItems(chunk));
  }

  /** The vectors of items are worked out anew when they are next asked for. */
  forgetItems(): void {
    this.#parts.vectors.forget();
  }

  async #encodeItems(items: Int32Array): Promise<EncodedChunk> {
    const { model, lanes, assembler } = this.#parts;
    const { scoring } = model;
    const batch = assembler.assembleItems(items);
    const compiled = await lanes.compiled(`items ${sizesKey(batch.sizes)}`, (scope) => {
      const vectors = scoring.items(scope, batch.sizes);
      return scoring.short ? { vectors, reach: scoring.short.reachOfItems(scope, vectors) } : { vectors };
    });
    const results = await lanes.run(compiled, this.given(compiled, batch));
    const vectors = results['vectors'] as Float32Array;
    return {
      slots: batch.inputs['itemSlots'] as Int32Array,
      vectors,
      width: vectors.length / batch.sizes.items,
      reach: results['reach'] ?? null,
    };
  }

  /** What goes into a graph that encodes cases. */
  batch(cases: readonly Case[], room?: Extent): Batch {
    const { assembler, dataset, model } = this.#parts;
    return assembler.assemble(gatherRows(dataset, cases, model.config.window, room));
  }

  /** What a batch brings to a graph. */
  given({ scope }: Compiled, batch: Batch): Record<string, NumberArray> {
    return { ...this.#parts.parameters.rows(scope.lookups.values(), batch.ids), ...batch.inputs };
  }

  /** What encodes cases. */
  async encoding(cases: readonly Case[], { form, name, room, extent, isServed = false, lane }: Way): Promise<Encoding> {
    const { assembler, lanes } = this.#parts;
    if (isServed) assembler.makeRoom({ count: cases.length, extent: room });
    const batch = this.batch(cases, room);
    const key = `${name} ${extent.feed} ${extent.search} ${sizesKey(batch.sizes)}`;
    const build = (scope: Scope): State => withReach(form, form.encode(scope, batch.sizes, extent));
    const compiled = await lanes.compiled(key, build, lane);
    const shapes = new Map([...compiled.shapes].map(([state, shape]) => [state, shape.slice(1)]));
    return { compiled, given: this.given(compiled, batch), shapes };
  }

  async encode(cases: readonly Case[], way: Way): Promise<EncodedState> {
    const { compiled, given, shapes } = await this.encoding(cases, way);
    return { values: await this.#parts.lanes.run(compiled, given), shapes };
  }

  /** The way that any cases can go together: in full, at the room of the window. */
  get inFull(): Way {
    const { scoring, config } = this.#parts.model;
    return { form: scoring, name: 'encode', room: config.window, extent: config.window };
  }

  /** Encodes cases in full, a block at a time, in their order; the next blocks are under way while one is looked at. */
  async *encodeMany(
    cases: readonly Case[],
  ): AsyncGenerator<{ readonly own: readonly Case[]; readonly state: EncodedState }> {
    const tasks = Array.from({ length: Math.ceil(cases.length / BLOCK) }, (_, block) => async () => {
      const own = cases.slice(block * BLOCK, (block + 1) * BLOCK);
      return { own, state: await this.encode(own, this.inFull) };
    });
    yield* this.#parts.lanes.ahead(tasks);
  }

  /** Cases in blocks with histories of about the same length. */
  blocks(cases: readonly Case[]): Block[] {
    return blocksOf(this.dataset, cases, this.#parts.model.config.window, BLOCK);
  }

  /** The room that graphs of histories of this extent have. */
  roomFor(extent: Extent): Extent {
    const { seesPadding, config } = this.#parts.model;
    return seesPadding ? config.window : extent;
  }
}
