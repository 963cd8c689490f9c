/**
 * The steps of an epoch, some or all of them. Knows the order of batches and what is drawn for each; does not know validation,
 * files, nor who takes which steps.
 *
 * All randomness is named by (seed, what for, epoch, step): a step draws the same, whoever takes it and whatever was taken before.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NotFiniteError, Random, UserError, range } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import {
  AlignmentSampler,
  type Case,
  type ReachedSizes,
  lastTrainingCases,
  trainingCases,
  trainingQueries,
} from '../features/index.js';
import type { Model } from '../model/index.js';
import { BatchMaker, type BatchOptions } from './batches.js';
import { checkGradients, describeBatch } from './finite.js';
import type { LossParts } from './batch-gradients.js';
import type { StepBatch, Stepper } from './step.js';

/** What shapes the steps of a training. */
export interface EpochOptions extends BatchOptions {
  readonly seed: number;
  /** New order of rows every epoch. */
  readonly shuffle: boolean;
  /** Leave out rows that lack either history. */
  readonly requireBoth: boolean;
}

/** A step that was taken. */
export interface TakenStep {
  /** Of the epoch, from 0. */
  readonly step: number;
  readonly losses: LossParts;
  /** Sizes of batches up to this one, see BatchAssembler. */
  readonly reached: ReachedSizes;
  /** How long the graph worked. */
  readonly milliseconds: number;
}

/** What the steps of all epochs are made of. */
export class TrainingRows {
  readonly dataset: Dataset;
  readonly model: Model;
  readonly options: EpochOptions;
  readonly cases: readonly Case[];
  readonly maker: BatchMaker;
  readonly queries: ReturnType<typeof trainingQueries> | null;

  /** Data without a row to learn from is a `UserError`. */
  constructor(dataset: Dataset, model: Model, options: EpochOptions, reached: ReachedSizes) {
    const rowsOfKind = model.trainsOn === 'users' ? lastTrainingCases : trainingCases;
    this.dataset = dataset;
    this.model = model;
    this.options = options;
    this.cases = rowsOfKind(dataset, options.requireBoth);
    if (this.cases.length === 0)
      throw new UserError('there is nothing to train on: no feed event has a history before it');
    this.queries = model.alignment ? trainingQueries(dataset) : null;
    this.maker = new BatchMaker(dataset, model, this.cases, options, reached);
  }

  /** Steps of an epoch. */
  get steps(): number {
    return Math.ceil(this.cases.length / this.options.batchSize);
  }
}

export class Epoch {
  readonly #rows: TrainingRows;
  readonly #epoch: number;
  readonly #batches: readonly Int32Array[];
  readonly #sampler: AlignmentSampler | null;

  /** @param epoch from 0 */
  constructor(rows: TrainingRows, epoch: number) {
    const { cases, maker, model, dataset, queries, options } = rows;
    const { seed } = options;
    this.#rows = rows;
    this.#epoch = epoch;
    this.#batches = maker.order(range(cases.length), options.shuffle ? new Random(seed, 'order', epoch) : null);
    this.#sampler =
      model.alignment && queries
        ? new AlignmentSampler(dataset, queries, model.alignment.negatives, new Random(seed, 'alignment', epoch))
        : null;
  }

  #casesOf(step: number): Case[] {
    return Array.from(this.#batches[step] as Int32Array, (row) => this.#rows.cases[row] as Case);
  }

  #build(step: number): StepBatch {
    const { maker, model, options } = this.#rows;
    const { seed } = options;
    const epoch = this.#epoch;
    const fresh = new Random(seed, 'negatives', epoch, step);
    return maker.make(this.#batches[step] as Int32Array, {
      negativesOf: (row) => (model.config.fixedNegatives ? new Random(seed, 'negatives of a row', row) : fresh),
      alignment: this.#sampler?.block(step) ?? null,
      extrasOf: (purpose, row) => new Random(seed, purpose, epoch, row),
      extrasOfBatch: (purpose) => new Random(seed, purpose, epoch, 'of step', step),
    });
  }

  /** The batches of the steps `from` … `to - 1`. */
  *batches([from, to]: readonly [number, number]): Generator<StepBatch> {
    for (let step = from; step < to; step++) yield this.#build(step);
  }

  /**
   * Takes the steps `from` … `to - 1`. A number that is none is a `NotFiniteError` that names it, the step and the batch; the
   * parameters are spoilt then.
   * @param seenAs what the stepper sees of a batch, where it does not hold all rows of tables
   */
  async *take(
    stepper: Stepper,
    [from, to]: readonly [number, number],
    learningRate: number,
    seenAs: (batch: StepBatch) => StepBatch = (batch) => batch,
  ): AsyncGenerator<TakenStep> {
    const { maker, dataset, options } = this.#rows;
    const dropoutOf = (step: number): Random => new Random(options.seed, 'dropout', this.#epoch, step);
    const build = (step: number): StepBatch => seenAs(this.#build(step));
    let batch = from < to ? build(from) : null;
    for (let step = from; batch; step++) {
      const { reached } = maker;
      const pending = stepper.gradients(batch, dropoutOf(step));
      pending.catch(() => undefined); // the await below tells; should building fail before it, this must not be left unheard
      await nextTurn(); // lets the request reach the compute thread; the next batch is built while it works
      const next: StepBatch | null = step + 1 < to ? build(step + 1) : null;
      if (next) stepper.prepare(next, dropoutOf(step + 1));
      const result = await pending;
      try {
        checkGradients(result);
        stepper.update(result, learningRate);
      } catch (error) {
        if (!(error instanceof NotFiniteError)) throw error;
        throw new NotFiniteError(
          `${error.message} in epoch ${this.#epoch + 1}, step ${step + 1}, ${describeBatch(dataset, this.#casesOf(step))}`,
          { cause: error },
        );
      }
      yield { step, losses: result.losses, reached, milliseconds: result.milliseconds };
      batch = next;
    }
  }
}
