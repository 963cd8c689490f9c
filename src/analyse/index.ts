/** The door to analyses: what a data set shows about itself, whether it keeps the future out, and what a model makes of it and why. */
export {
  type Aligned,
  type Measure,
  type PairSample,
  MEASURES,
  alignment,
  measurePairs,
  samplePairs,
} from './alignment.js';
export { audit, type AuditReport } from './audit.js';
export type { BootstrapEstimate } from './bootstrap-estimate.js';
export { behaviour, type Behaviour, type BehaviourOptions, type BehaviourShares, type Share } from './behaviour.js';
export {
  correctSampled,
  type CorrectedRow,
  type CorrectionFindings,
  type CorrectionOptions,
  type Estimate,
  ESTIMATES,
  type EstimateName,
  type RowToCorrect,
} from './correction.js';
export { categoriesOf, categoryOf } from './categories.js';
export type { Check, NamedCandidates } from './checks.js';
export type { Crossing } from './crossings.js';
export {
  type Divergence,
  type DivergenceOptions,
  type Divergences,
  type MeanOverUsers,
  divergence,
  jensenShannon,
} from './divergence.js';
export { type LaneFigures, type Planted, type ScorerFigures, type TwoWays, planted } from './planted.js';
export { type Scorer, plantedCategoryScorers, ruleScorers, similarityScorer, splitScorer } from './planted-scorers.js';
export { type Cause, type PlantedWindow, type Reading, READINGS, plantedWindows, trueSides } from './planted-truth.js';
export { testMoments } from './snapshots.js';
export {
  type ChoiceOutcome,
  type Finder,
  findersOf,
  INTERVENTIONS,
  type Intervention,
  type Movement,
  reasons,
  type ReasonsFound,
  type ReasonsOptions,
} from './reasons.js';
