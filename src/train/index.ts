/** The training wing's door. */
export {
  createOptimizer,
  sumByRow,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  type RowGradient,
  type Slot,
} from './optimizer.js';
export { Stepper, type BatchGradients, type LossParts } from './step.js';
export {
  fit,
  fitStateRule,
  initialState,
  type FitEvent,
  type FitHooks,
  type FitOptions,
  type FitState,
  type Validation,
} from './fit.js';
export { parity, TOLERANCES, type ParityReport } from './parity.js';
