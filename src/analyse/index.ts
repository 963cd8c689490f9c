/** The door to analyses: what a data set shows about itself, and whether it keeps the future out. */
export { audit, type AuditReport } from './audit.js';
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
export type { Check, NamedCandidates } from './checks.js';
export type { Crossing } from './crossings.js';
