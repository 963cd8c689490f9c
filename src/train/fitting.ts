/**
 * What a training is told, and what it tells. Knows the words between the loop and whoever has something trained; does not know how it is done
 * (fit.ts, rounds/fit.ts).
 */
import type { LossParts } from './batch-gradients.js';
import type { EpochOptions } from './epoch.js';
import type { FitState } from './state.js';

export interface FitOptions extends EpochOptions {
  readonly epochs: number;
  readonly learningRate: number;
  /** The schedule multiplies the learning rate by 0.1 after more than this many epochs without improvement… */
  readonly learningRatePatience: number;
  /** …but never goes below this. */
  readonly minimumLearningRate: number;
  /** Training stops after this many epochs without improvement. */
  readonly patience: number;
}

/** What validation says: the score decides (higher is better), the rest is reported. */
export interface Validation {
  readonly score: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export type FitEvent =
  | {
      readonly kind: 'step';
      readonly epoch: number;
      readonly step: number;
      readonly steps: number;
      readonly losses: LossParts;
      readonly rowsPerSecond: number;
      readonly stepMilliseconds: number;
      /** For all steps to come, and for the validations where one was measured in this session. */
      readonly secondsLeft: number;
      /** Validations that are not in it, since none was measured yet. */
      readonly validationsLeft: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly losses: LossParts;
      readonly validation: Validation;
      readonly learningRate: number;
      readonly improved: boolean;
      readonly trainingSeconds: number;
      readonly validationSeconds: number;
      readonly stepMilliseconds: number;
      /** The part of the training time in which the graph was at work, by the compute thread's clock; of all workers together, where there are rounds. */
      readonly graphShare: number;
      /** Rounds, where there were any, and characters of all that their workers handed over. */
      readonly rounds?: { readonly count: number; readonly moved: number };
    };

export interface FitHooks {
  /** Called after every epoch. It may stop with an `InterruptedError`: resuming then validates anew. */
  validate(): Promise<Validation>;
  /** Called with a state to resume from, and whether the parameters are the best so far. At epoch ends, when interrupted, and every `saveSeconds`. */
  save(state: FitState, isBest: boolean): Promise<void>;
  onEvent(event: FitEvent): void;
  /** Asks the training to stop at the next step. */
  readonly signal?: AbortSignal;
  /** Seconds between saves within an epoch, 300 unless told; 0 saves after every step. */
  readonly saveSeconds?: number;
}
