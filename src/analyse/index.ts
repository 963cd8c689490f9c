/** The door to analyses of data sets. */
export { audit, type AuditReport } from './audit.js';
export type { Check, NamedCandidates } from './checks.js';
export type { Crossing } from './crossings.js';
