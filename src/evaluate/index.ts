/** The evaluation wing's door. */
export {
  candidatesFileName,
  candidatesOf,
  drawCandidates,
  hashCandidates,
  loadOrDrawCandidates,
  readCandidatesFile,
  saveCandidates,
  type Candidates,
  type DrawOptions,
} from './candidates.js';
export {
  chooseCases,
  evaluate,
  TIE_RULE,
  type EvaluateOptions,
  type Evaluation,
  type Protocol,
  type ProtocolName,
} from './evaluate.js';
export { compare, type Difference, userDifferences } from './compare.js';
export { hasSameUsers, intervalsOverSeeds, metricsOver, ranksOf, userMeans, type UserRanks } from './seeds.js';
export {
  type BootstrapOptions,
  holm,
  type PairedBootstrap,
  pairedBootstrap,
  type PairedTest,
  pairedTest,
  type RatioBootstrap,
  ratioBootstrap,
  type StudentInterval,
  studentInterval,
} from './statistics.js';
export { studentCriticalValue, studentTails } from './student.js';
export { chance, hit, METRICS, metricsOf, ndcg, place, reciprocalRank, summarise } from './metrics.js';
export type { MetricName, Metrics, Ranks, Summary } from './metrics.js';
