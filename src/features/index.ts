/** The door to features: histories, negatives and batches. */
export {
  type Case,
  clicksBefore,
  hasHistory,
  lastTrainingCases,
  metBefore,
  recentFeed,
  recentSearches,
  trainingCases,
} from './histories.js';
export {
  AlignmentSampler,
  NegativeSampler,
  trainingQueries,
  type AlignmentNegatives,
  type NegativeSampling,
} from './negatives.js';
export {
  BatchAssembler,
  catalogueOf,
  gatherRows,
  reachedSizesRule,
  sizesKey,
  totalsOf,
  type AlignedPart,
  type Assembly,
  type Batch,
  type BatchExtra,
  type BatchSizes,
  type Catalogue,
  type Extent,
  type ReachedSizes,
  type Rows,
  type Slots,
  type Totals,
  type TrainingPart,
  type Window,
} from './batch.js';
export { alignedRight } from './aligned.js';
export { feedNegatives } from './feed-negatives.js';
export { nextItems, type NextItemChoice } from './next-items.js';
export { batchOrder, extentOf, historyLengths, type HistoryLengths } from './buckets.js';
