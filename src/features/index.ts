/** The door to features: histories, negatives and batches. */
export { type Action, type Lane, LANES, ordinalOf, ordinalsOf, recentActions, without, withOnly } from './actions.js';
export {
  type Case,
  clickPositionsBefore,
  clicksBefore,
  hasHistory,
  lastTrainingCases,
  metBefore,
  type Meeting,
  recentFeed,
  recentMeetings,
  recentSearches,
  type SearchMoment,
  timeOf,
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
  reachedSizesRule,
  sizesKey,
  type AlignedPart,
  type Assembly,
  type Batch,
  type BatchExtra,
  type BatchSizes,
  type ReachedSizes,
  type TrainingPart,
} from './batch.js';
export { catalogueOf, rowOfItem, type Catalogue } from './catalogue.js';
export { gatherRows, totalsOf, type Extent, type Rows, type Totals, type Window } from './rows.js';
export type { Slots } from './slots.js';
export { withQueries, withUnseenQueries } from './unseen-queries.js';
export { alignedRight } from './aligned.js';
export { ClickGraph } from './click-graph.js';
export { feedNegatives } from './feed-negatives.js';
export { AGE_KINDS, ageOf, searchAges } from './search-ages.js';
export { besideOf, nextItems, type NextItemChoice, type SharedItems } from './next-items.js';
export { type EdgeEnds, InteractionGraph, type Neighbour, type NeighbourRequest } from './interaction-graph.js';
export { Neighbourhoods, type NeighbourhoodOptions } from './neighbours.js';
export { ItemQueries, frequentQueries } from './item-queries.js';
export { ItemText, itemWords, type ItemWords } from './item-text.js';
export { Replacements, type ReplacementRates } from './replacements.js';
export { SearchPairDraws, drawOther, trainingPairs, type DrawnPair, type SearchPairs } from './search-pairs.js';
export { Timeline, timelineLength, tokenPlaces, type TimelineOptions } from './timeline.js';
export { batchOrder, endsByLength, extentOf, historyLengths, roomsOf, type HistoryLengths } from './buckets.js';
