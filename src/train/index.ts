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
export { Stepper, type BatchGradients, type LossParts, type StepBatch } from './step.js';
export { BatchMaker, type BatchOptions } from './batches.js';
export { checkGradients } from './finite.js';
export { fit, type FitEvent, type FitHooks, type FitOptions, type Validation } from './fit.js';
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
