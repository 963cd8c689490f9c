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
  USUAL_COUNT,
} from './candidates.js';
export {
  evaluate,
  TIE_RULE,
  type EvaluateOptions,
  type Evaluation,
  type Protocol,
  type ProtocolName,
} from './evaluate.js';
export { type ChosenCases, chooseCases } from './cases.js';
export { auc, weightedAuc } from './auc.js';
export { type Box, boxOf, quantile } from './box.js';
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
  Resamples,
  signTest,
  type StudentInterval,
  studentInterval,
} from './statistics.js';
export {
  type Correction,
  corrections,
  correctedValues,
  ESTIMATORS,
  type EstimatorName,
  GAMMA,
  SampledRanks,
  uncorrected,
} from './correction.js';
export {
  categoryOf,
  listMetrics,
  type ListMean,
  type ListMetrics,
  type ListOptions,
  type Lists,
  listsOf,
} from './lists.js';
export { kendallTau } from './rank-correlation.js';
export { type SlicedSummary, type Slicing, SLICINGS, type SlicingName, slicesOf, summariseSlices } from './slices.js';
export { studentCriticalValue, studentTails } from './student.js';
export { chance, everyMetric, hit, METRICS, metricsOf, ndcg, place, reciprocalRank, summarise } from './metrics.js';
export type { MetricName, Metrics, Ranks, Summary } from './metrics.js';
