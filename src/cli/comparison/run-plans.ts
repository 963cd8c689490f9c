/**
 * What one training of a comparison will be: its budget, and the plan of its run. Knows options and rows; does not know the plan of
 * the comparison, what was done of it, nor how models are trained.
 */
import { UserError } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import type { ProtocolName } from '../../evaluate/index.js';
import { type RunPlan, type Trial, buildModel } from '../../model/index.js';
import { type TrainFlags, planRun } from '../run-plan.js';
import { type TrainedEntry, ownSettings } from './entries.js';
import type { ComparisonOptions } from './options.js';
import { trainingOfRow } from './row-training.js';

/** The seed of trials: none of the runs has it, so that a choice does not rest on a run that is counted. */
const TUNING_SEED = 0;

/** Refuses what makes no model, before anything is trained. */
export function checkTrials(dataset: Dataset, options: ComparisonOptions, entry: TrainedEntry): void {
  for (const trial of entry.trials) {
    try {
      planOfRun(dataset, options, entry, trial, { seed: TUNING_SEED, epochs: 1, patience: 1 });
    } catch (error) {
      if (error instanceof UserError) throw new UserError(`${entry.label}: ${error.message}`, { cause: error });
      throw error;
    }
  }
}

/** How long one training of a comparison may take, and what it starts from. */
export interface TrainingBudget {
  readonly seed: number;
  readonly epochs: number;
  readonly patience: number;
  readonly validationUsers?: number;
}

/** A trial: all its epochs. */
export const tuningBudget = ({ tuningEpochs, validationUsers }: ComparisonOptions): TrainingBudget => ({
  seed: TUNING_SEED,
  epochs: tuningEpochs,
  patience: tuningEpochs,
  ...(validationUsers === undefined ? {} : { validationUsers }),
});

/** A run that is tested: until validation stops improving. */
export function runBudget(options: ComparisonOptions, { set }: TrainedEntry, seed: number): TrainingBudget {
  const { epochs, patience, runValidationUsers } = { ...options, ...trainingOfRow(set).training };
  return {
    seed,
    epochs,
    patience,
    ...(runValidationUsers === undefined ? {} : { validationUsers: runValidationUsers }),
  };
}

/** With so many seeds is a row trained; finalists have more. */
export const seedsOf = ({ seeds }: ComparisonOptions, { set }: TrainedEntry): number =>
  trainingOfRow(set).training.seeds ?? seeds;

/** At most so many epochs has a run of the row with this label. */
export function epochsAllowed(options: ComparisonOptions, label: string): number {
  return trainingOfRow(ownSettings(options.set, label)).training.epochs ?? options.epochs;
}

/** What the trials and epochs of the row with this label are validated by. */
export function validationOfRow({ set, validationProtocol }: ComparisonOptions, label: string): ProtocolName {
  return trainingOfRow(ownSettings(set, label)).training.validationProtocol ?? validationProtocol ?? 'sampled';
}

/** Words behind a validation score of a row that is validated otherwise than most are. */
export function validatedOtherwise(options: ComparisonOptions, label: string): string {
  const own = validationOfRow(options, label);
  if (own === (options.validationProtocol ?? 'sampled')) return '';
  return own === 'full' ? ' (among all items)' : ' (among candidates)';
}

/** What belongs to one session of a training shapes no plan. */
const NO_SESSION = { out: '', saveEvery: 0, device: 'cpu' } as const;

/** What one training of a row will be; what the row has of its own counts before what all have. */
export function planOfRun(
  dataset: Dataset,
  options: ComparisonOptions,
  { model, preset, set }: TrainedEntry,
  trial: Trial,
  budget: TrainingBudget,
): RunPlan {
  const { training, settings } = trainingOfRow(set);
  const { validationUsers: _ofTrials, ...common } = { ...options, ...training };
  const { learningRate = common.learningRate ?? 1e-3, ...others } = trial;
  const tried = Object.entries(others).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const flags: TrainFlags = {
    ...common,
    ...budget,
    model,
    preset,
    set: [...settings, ...tried],
    learningRate: learningRate as number,
    shuffle: true,
    bucketBatches: 0,
    ...NO_SESSION,
  };
  const plan = planRun(dataset, flags);
  const { seesPadding } = buildModel(model, plan.config);
  return seesPadding ? plan : planRun(dataset, { ...flags, bucketBatches: common.bucketBatches });
}
