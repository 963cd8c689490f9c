/**
 * The front door of sesrec: import logs, train SESRec, evaluate it, recommend with reasons. Each floor also has a door
 * of its own (`sesrec/tensor`, `sesrec/data`, `sesrec/features`, `sesrec/model`, `sesrec/train`, `sesrec/evaluate`,
 * `sesrec/analyse`, `sesrec/simulate`).
 */
export { CorruptFileError, InterruptedError, Random, UsageError, UserError } from './base/index.js';
export {
  importEvents,
  importInteractions,
  importS3rec,
  loadDataset,
  withSearch,
  type Dataset,
  type DataManifest,
  type SplitRequest,
} from './data/index.js';
export { Runtime, type RuntimeOptions } from './tensor/index.js';
export { type Case, recentFeed, recentSearches, trainingCases } from './features/index.js';
export {
  explain,
  loadRun,
  popularityRanker,
  randomRanker,
  rankerOf,
  recommend,
  SesrecRanker,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
  type Ranker,
  type Reason,
  type ReasonMethod,
  type Run,
  type SesrecConfig,
} from './model/index.js';
export { createOptimizer, fit, initialState, parity, Stepper, type FitEvent, type FitOptions } from './train/index.js';
export {
  compare,
  drawCandidates,
  evaluate,
  loadOrDrawCandidates,
  readCandidatesFile,
  type Evaluation,
} from './evaluate/index.js';
export { audit, behaviour, type AuditReport, type Behaviour } from './analyse/index.js';
export { simulate, simulateData, type SimulatorOptions } from './simulate/index.js';
