/**
 * The batches of a training, cut into parts. Knows which rows go together and what is drawn for them; does not know how
 * they are computed.
 */
import { type Random, at, getOrCreate } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import {
  type AlignmentNegatives,
  type Batch,
  BatchAssembler,
  type Case,
  type HistoryLengths,
  NegativeSampler,
  type ReachedSizes,
  batchOrder,
  catalogueOf,
  endsByLength,
  extentOf,
  gatherRows,
  historyLengths,
  totalsOf,
} from '../features/index.js';
import type { Model } from '../model/index.js';
import type { StepBatch } from './step.js';

export interface BatchOptions {
  readonly batchSize: number;
  /** Form batches of rows with histories of about the same length, within a shuffle buffer of this many batches; 0, or not set: as the rows come. */
  readonly bucketBatches?: number;
  /** Parts that each batch is cut into, to be computed side by side; 1 if not set. It matters to dropout masks and last bits only. */
  readonly batchParts?: number;
}

/** Where what is drawn for a batch comes from. */
export interface BatchDraws {
  /** The negatives of a case. */
  readonly negativesOf: (row: number) => Random;
  /** What queries and clicked items are aligned against; null for models that align nothing. */
  readonly alignment: AlignmentNegatives | null;
  /** What the model's extras draw for a case. */
  readonly extrasOf: (purpose: string, row: number) => Random;
  /** What they draw once for the batch. */
  readonly extrasOfBatch: (purpose: string) => Random;
}

export class BatchMaker {
  readonly lengths: HistoryLengths;
  readonly #dataset: Dataset;
  readonly #model: Model;
  readonly #cases: readonly Case[];
  readonly #options: BatchOptions;
  readonly #assembler: BatchAssembler;
  readonly #sampler: NegativeSampler;
  /** By number of rows: where a batch of so many is cut. */
  readonly #cuts = new Map<number, readonly (readonly [start: number, end: number])[]>();

  /** @param reached sizes to start from, on resuming */
  constructor(
    dataset: Dataset,
    model: Model,
    cases: readonly Case[],
    options: BatchOptions,
    reached: ReachedSizes = {},
  ) {
    const { config } = model;
    const catalogue = catalogueOf(dataset, config.itemAttributes, config.userAttributes);
    this.#dataset = dataset;
    this.#model = model;
    this.#cases = cases;
    this.#options = options;
    this.lengths = historyLengths(dataset, cases, config.window);
    this.#assembler = new BatchAssembler(catalogue, config.window, { reached, extras: model.extras(dataset) });
    this.#sampler = new NegativeSampler(dataset, cases, { count: config.negatives, sampling: config.negativeSampling });
  }

  /** The largest sizes so far. */
  get reached(): ReachedSizes {
    return this.#assembler.reached;
  }

  /** The batches of an epoch, as numbers of cases. `shuffle` also shuffles the batches of each pool; null: none. */
  order(rows: Int32Array, shuffle: Random | null): Int32Array[] {
    const { batchSize, bucketBatches: poolBatches = 0 } = this.#options;
    return batchOrder(shuffle?.shuffle(rows) ?? rows, this.lengths, this.#model.config.window, {
      batchSize,
      poolBatches,
      random: shuffle,
    });
  }

  /** The target of each row, and negatives drawn for it: (rows, 1 + negatives). */
  candidates(rows: Int32Array, randomOf: (row: number) => Random): Int32Array {
    const width = 1 + this.#model.config.negatives;
    const candidates = new Int32Array(rows.length * width);
    rows.forEach((row, position) => {
      const moment = this.#cases[row] as Case;
      candidates[position * width] = at(this.#dataset.feedItem, moment.feedPosition);
      candidates.set(this.#sampler.draw(moment, randomOf(row)), position * width + 1);
    });
    return candidates;
  }

  /** One batch. */
  make(rows: Int32Array, { negativesOf, alignment, extrasOf, extrasOfBatch }: BatchDraws): StepBatch {
    const { config, seesPadding, alignment: aligned } = this.#model;
    const { window } = config;
    const pairReduction = aligned?.reduction ?? 'pairs';
    const candidates = this.candidates(rows, negativesOf);
    const width = candidates.length / rows.length;
    const cuts = getOrCreate(this.#cuts, rows.length, () => this.#cutsOf(rows.length));
    const parts = cuts.map(([start, end]) => {
      const own = rows.subarray(start, end);
      const extent = seesPadding ? window : extentOf(this.lengths, own, window);
      const cases = Array.from(own, (row) => this.#cases[row] as Case);
      return gatherRows(this.#dataset, cases, window, extent);
    });
    const totals = totalsOf(parts);
    const assembled = parts.map((part, position): Batch => {
      const [start, end] = cuts[position] as readonly [number, number];
      const own = candidates.subarray(start * width, end * width);
      const randomOf = (purpose: string, row: number): Random => extrasOf(purpose, at(rows, start + row));
      return this.#assembler.assemble(part, {
        candidates: own,
        negatives: alignment,
        pairReduction,
        totals,
        randomOf,
        randomOfBatch: extrasOfBatch,
      });
    });
    return assembled as [Batch, ...Batch[]];
  }

  #cutsOf(rows: number): (readonly [start: number, end: number])[] {
    const { batchParts: parts = 1, bucketBatches } = this.#options;
    const { config, seesPadding, rowsTogether: together } = this.#model;
    const ends =
      bucketBatches === 1 && !seesPadding
        ? endsByLength(this.lengths, config.window, { rows, parts, together })
        : evenEnds(rows, parts, together);
    return ends.map((end, part) => [ends[part - 1] ?? 0, end]);
  }
}

/** The ends of parts of about the same length, at most as many as there are rows, each a multiple of so many rows but the last. */
function evenEnds(rows: number, parts: number, together: number): number[] {
  const groups = Math.ceil(rows / together);
  const count = Math.min(groups, parts);
  return Array.from({ length: count }, (_, part) =>
    Math.min(rows, together * Math.floor(((part + 1) * groups) / count)),
  );
}
