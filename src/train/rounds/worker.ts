/**
 * The share of a round that one worker has: steps from a state that all share, and how far they led. Knows steps; does not know the
 * other workers, nor how anything gets here or away. Where the optimiser moves only rows that batches read, no others are held.
 *
 * What comes out depends on the state, the data, the settings and the share alone: done again, by whomever, it has the same bits.
 */
import { CorruptFileError, InterruptedError, isFiniteEverywhere } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import type { ReachedSizes } from '../../features/index.js';
import { type Model, type NamedTensor, descriptionsOf, parametersOf } from '../../model/index.js';
import { type Runtime, sizeOf } from '../../tensor/index.js';
import { Epoch, type EpochOptions, TrainingRows } from '../epoch.js';
import { added } from '../epoch-end.js';
import { type Optimizer, type OptimizerName, createOptimizer } from '../optimizer.js';
import { noLosses } from '../state.js';
import type { LossParts } from '../batch-gradients.js';
import { type StepBatch, Stepper } from '../step.js';
import { TENSORS, movedBlocks } from './blocks.js';
import { type HeldRows, type RoundStart, byKind, heldIn, rowsOf } from './held.js';

/** What every worker of a round is told. */
export interface Round {
  /** From 0. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Optimiser steps that the state has behind it. */
  readonly optimizerSteps: number;
  readonly reached: ReachedSizes;
  /** The steps of the epoch that each worker takes: the first, and the one behind the last. */
  readonly shares: readonly (readonly [number, number])[];
}

/** What a worker tells of its share. */
export interface ShareReport {
  readonly worker: number;
  readonly steps: number;
  /** Sums of the losses over its steps. */
  readonly sums: LossParts;
  readonly reached: ReachedSizes;
  /** How long graphs worked. */
  readonly milliseconds: number;
  /** Characters of its blocks. */
  readonly moved: number;
}

/** What a training is, for those who take its steps. */
export interface Trained {
  readonly dataset: Dataset;
  readonly model: Model;
  readonly options: EpochOptions & { readonly optimizer: OptimizerName; readonly weightDecay: number };
}

const optimizerOf = ({ optimizer: kind, weightDecay }: Trained['options']): Optimizer =>
  createOptimizer({ kind, weightDecay });

/** Room that is made beyond what a share needs, since the next one has other rows. */
const SPARE = 1.25;

/** Tables and moments of so many bytes are held whole: to know which rows batches read, batches are made twice. */
const WHOLE_UP_TO = 2 ** 30;

/** Of parameters and moments. */
const bytesOf = (model: Model): number =>
  4 * TENSORS.length * descriptionsOf(model).reduce((total, { shape }) => total + sizeOf(shape), 0);

/** Where shares are worked, one after another: it keeps what was compiled and room for rows, and nothing that shapes a result. */
export class Workbench {
  readonly stepper: Stepper;
  /** Whether all rows of tables are held: where steps move all of them, or there are few; else those that batches read. */
  readonly holdsAll: boolean;
  readonly #trained: Trained;
  #room = byKind(() => 1);

  constructor(trained: Trained, runtime: Runtime, { wholeUpTo = WHOLE_UP_TO }: { readonly wholeUpTo?: number } = {}) {
    const { model, options } = trained;
    this.#trained = trained;
    this.holdsAll = options.optimizer !== 'lazyAdam' || bytesOf(model) <= wholeUpTo;
    const parameters = parametersOf(model, this.holdsAll ? {} : this.#room);
    this.stepper = new Stepper(model, parameters, runtime, optimizerOf(options));
  }

  /** Puts the start of a round in place, and hands it out by tensor. `held`: of tables these rows, one after another; null: all. */
  async begin(
    start: RoundStart,
    optimizerSteps: number,
    held: HeldRows | null,
  ): Promise<ReadonlyMap<string, NamedTensor>> {
    const { stepper } = this;
    const { model, options } = this.#trained;
    const room = this.#room;
    if (held && Object.values(byKind((kind) => held[kind].length > room[kind])).some(Boolean)) {
      this.#room = byKind((kind) => Math.max(room[kind], Math.ceil(SPARE * held[kind].length)));
      stepper.take(parametersOf(model, this.#room));
    }
    const begun = new Map<string, NamedTensor>();
    const { state } = this;
    for (const { name, table, shape } of stepper.parameters.descriptions)
      for (const tensor of TENSORS.map((suffix) => `${name}${suffix}`)) {
        const { data } = state.get(tensor) as NamedTensor;
        const rows = table && held ? held[table] : null;
        const values = await (rows ? start.rows(tensor, rows) : start.whole(tensor));
        if (values.length !== (rows ? rows.length * (shape[1] as number) : data.length))
          throw new CorruptFileError(
            `the state of the round has ${values.length} values of ${tensor}: not this model's`,
          );
        if (!isFiniteEverywhere(values))
          throw new CorruptFileError(`the state of the round: ${tensor} holds values that are not numbers`);
        data.set(values);
        begun.set(tensor, { shape, data: values });
      }
    stepper.beginFrom(optimizerSteps, optimizerOf(options));
    return begun;
  }

  /** Parameters and moments, as they are now. */
  get state(): ReadonlyMap<string, NamedTensor> {
    return new Map([...this.stepper.parameters.tensors(), ...this.stepper.momentTensors()]);
  }
}

/**
 * Takes the steps of a share from the state `start`, parameters and moments by name; hands out blocks of what moved, then tells of it. Asked to
 * stop, it throws an `InterruptedError` at the next step, and the share is lost.
 */
export async function workShare(
  { dataset, model, options }: Trained,
  bench: Workbench,
  start: RoundStart,
  round: Round,
  worker: number,
  emit: (line: string) => Promise<void> | void,
  signal?: AbortSignal,
): Promise<ShareReport> {
  const share = round.shares[worker] as readonly [number, number];
  // made anew each time: sizes of batches depend on those before them
  const epoch = (): Epoch => new Epoch(new TrainingRows(dataset, model, options, round.reached), round.epoch);
  const held = bench.holdsAll ? null : rowsOf(epoch().batches(share));
  const begun = await bench.begin(start, round.optimizerSteps, held);
  let report: ShareReport = { worker, steps: 0, sums: noLosses, reached: round.reached, milliseconds: 0, moved: 0 };
  const seenAs = (batch: StepBatch): StepBatch => (held ? heldIn(held, batch) : batch);
  for await (const { losses, reached, milliseconds } of epoch().take(
    bench.stepper,
    share,
    round.learningRate,
    seenAs,
  )) {
    if (signal?.aborted) throw new InterruptedError('stopped');
    report = {
      ...report,
      steps: report.steps + 1,
      sums: added(report.sums, losses),
      reached,
      milliseconds: report.milliseconds + milliseconds,
    };
  }
  bench.stepper.level();
  let moved = 0;
  for (const line of movedBlocks(bench.stepper.parameters.descriptions, begun, bench.state, { worker, held })) {
    moved += line.length + 1;
    await emit(line);
  }
  return { ...report, moved };
}
