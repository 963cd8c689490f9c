/**
 * The share of a round that one worker has: steps from a state that all share, and how far they led. Knows steps; does not know the
 * other workers, nor how anything gets here or away.
 *
 * What comes out depends on the state, the data, the settings and the share alone: done again, by whomever, it has the same bits.
 */
import type { Dataset } from '../../data/index.js';
import type { ReachedSizes } from '../../features/index.js';
import { type Model, type NamedTensor, parametersOf } from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import { Epoch, type EpochOptions, TrainingRows } from '../epoch.js';
import { added } from '../epoch-end.js';
import { type Optimizer, type OptimizerName, createOptimizer } from '../optimizer.js';
import { noLosses } from '../state.js';
import { type LossParts, Stepper } from '../step.js';
import { movedBlocks } from './blocks.js';

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

/** Where shares are worked, one after another: it keeps what was compiled, and nothing that shapes a result. */
export function workbench({ model, options }: Trained, runtime: Runtime): Stepper {
  return new Stepper(model, parametersOf(model), runtime, optimizerOf(options));
}

/** Takes the steps of a share from the state `start`, parameters and moments by name; hands out blocks of what moved, then tells of it. */
export async function workShare(
  { dataset, model, options }: Trained,
  stepper: Stepper,
  start: ReadonlyMap<string, NamedTensor>,
  round: Round,
  worker: number,
  emit: (line: string) => Promise<void> | void,
): Promise<ShareReport> {
  const { parameters } = stepper;
  parameters.load(start, 'the state of the round');
  const moments = stepper.momentTensors();
  for (const [name, { data }] of moments) data.set((start.get(name) as NamedTensor).data);
  stepper.beginFrom(round.optimizerSteps, optimizerOf(options));
  const share = round.shares[worker] as readonly [number, number];
  const epoch = new Epoch(new TrainingRows(dataset, model, options, round.reached), round.epoch);
  let report: ShareReport = { worker, steps: 0, sums: noLosses, reached: round.reached, milliseconds: 0, moved: 0 };
  for await (const { losses, reached, milliseconds } of epoch.take(stepper, share, round.learningRate))
    report = {
      ...report,
      steps: report.steps + 1,
      sums: added(report.sums, losses),
      reached,
      milliseconds: report.milliseconds + milliseconds,
    };
  stepper.level();
  const end = new Map([...parameters.tensors(), ...moments]);
  let moved = 0;
  for (const line of movedBlocks(parameters.descriptions, start, end, worker)) {
    moved += line.length + 1;
    await emit(line);
  }
  return { ...report, moved };
}
