/** The door to analyses: what a data set shows about itself, whether it keeps the future out, and what a model shows of its reasons. */
export { audit, type AuditReport } from './audit.js';
export { behaviour, type Behaviour, type BehaviourOptions, type BehaviourShares, type Share } from './behaviour.js';
export type { Check, NamedCandidates } from './checks.js';
export type { Crossing } from './crossings.js';
export {
  type ChoiceOutcome,
  type Estimate,
  type Finder,
  findersOf,
  INTERVENTIONS,
  type Intervention,
  type Movement,
  reasons,
  type ReasonsFound,
  type ReasonsOptions,
} from './reasons.js';
