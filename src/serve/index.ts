/** The door of the server. */
export {
  type ConfigurationSources,
  type Configured,
  Configuration,
  SETTINGS,
  type Setting,
  configure,
  shownSetting,
  variableOf,
} from './configuration.js';
export { KeyFile, NO_KEYS, SCOPES, type Scope, keyFileFrom, newKey } from './keys.js';
export { type Experiments, NO_EXPERIMENTS, type Progress } from './experiments.js';
export { Metrics } from './metrics.js';
export { type RunningServer, type StartOptions, startServer } from './running.js';
export {
  type Comparison,
  type ComparisonRow,
  type Curve,
  type Epoch,
  type ExperimentAnswer,
  type ExperimentEntry,
  type KeptFigures,
  LIMITS,
} from './schemas/index.js';
