/** The training wing's door. */
export {
  OPTIMIZERS,
  createOptimizer,
  planRows,
  sumByPlan,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  type RowGradient,
  type Slot,
} from './optimizer.js';
export type { BatchGradients, LossParts } from './batch-gradients.js';
export { Stepper, type StepBatch } from './step.js';
export { BatchMaker, type BatchOptions } from './batches.js';
export { checkGradients } from './finite.js';
export { fit } from './fit.js';
export type { FitEvent, FitHooks, FitOptions, Validation } from './fitting.js';
export {
  fitStateRule,
  initialState,
  migrateFitState,
  strangeRandomness,
  type FitState,
  type RandomState,
} from './state.js';
export { parity, TOLERANCES, type ParityReport } from './parity.js';
export * from './rounds/index.js';
