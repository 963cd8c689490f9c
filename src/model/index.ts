/** The model wing's door. */
export {
  type Case,
  type Ranker,
  type Recommendation,
  type ScoredStretch,
  ranksOfItems,
  recommend,
  recommendEach,
} from './ranking/recommender.js';
export {
  type Affinity,
  CONTENDERS,
  explain,
  type ExplainOptions,
  type ExplainingRanker,
  type Question,
  type Reason,
  REASON_METHODS,
  type ReasonMethod,
  type Side,
  type SidedAction,
  type Weighed,
  weighed,
} from './ranking/reasons.js';
export { type DropoutMask, type IdKind, type Lookup, type ParameterDescription, Scope } from './layers/layers.js';
export { Parameters, sharedZeros } from './weights/parameters.js';
export { countTrainingEvents, popularityRanker, randomRanker, type PopularityOptions } from './models/popularity.js';
export { itemToItemRanker, type ItemToItemOptions } from './models/item-to-item.js';
export { type NamedTensor, decodeSafetensors, safetensorsParts } from './weights/safetensors.js';
export { TensorFile } from './weights/tensor-file.js';
export {
  type Checkpoint,
  firstNotFinite,
  checkCheckpoint,
  loadCheckpoint,
  loadOrRecover,
  type Recovered,
  reserveOf,
  saveCheckpoint,
} from './weights/checkpoint.js';
export { candidateVectors, encodeUser, scoreCandidates, type Scores, type UserState } from './models/sesrec/sesrec.js';
export { sesrecLosses } from './models/sesrec/sesrec-losses.js';
export {
  type SesrecConfig,
  type SesrecPreset,
  type SesrecRules,
  type SesrecShape,
  seesPadding,
  sesrecPresets,
  sesrecShapes,
} from './models/sesrec/sesrec-config.js';
export type { AlignedVectors } from './definition/aligned-vectors.js';
export { alignedVectors } from './models/sesrec/sesrec-vectors.js';
export { sesrecModel, sesrecParameters } from './models/sesrec/sesrec-model.js';
export {
  type AttributeConfig,
  type CommonConfig,
  type Losses,
  type Model,
  type ModelCard,
  type Sight,
  descriptionsOf,
  parametersOf,
  vocabularySizes,
} from './definition/model.js';
export { type ModelDefinition, type RegisteredModel, registered } from './definition/registered.js';
export { MOST_TRIALS, type Trial } from './definition/trials.js';
export { type PublishedShape, type ShapeName, publishedShapes } from './definition/shapes.js';
export { MODEL_IDS, type ModelId, buildModel, models } from './models/registry.js';
export { COUNTED_IDS, type CountedId, type CountedRanker, countedRankers } from './models/counted.js';
export { type Group, GROUPS, RANKER_IDS, type RankerId, cardOf, groupOf, isCounted } from './models/line-up.js';
export { type EncodedHistory, GraphRanker } from './ranking/graph-ranker.js';
export type { OpenFinder, ScoreItems } from './ranking/lane-messages.js';
export { CandidateSearch } from './ranking/lane-search.js';
export { rankerOf } from './models/rankers.js';
export { SesrecRanker } from './models/sesrec/sesrec-ranker.js';
export { type ExportOptions, exportOnnx } from './runs/exported.js';
export { type WarmStart, warmStart } from './runs/warm.js';
export { type PlannedLook, planLook, type TestFigures, type TestLook } from './runs/test-looks.js';
export {
  checkPlan,
  checkpointsOf,
  createRun,
  dataOf,
  hashOfPlan,
  loadRun,
  lockOf,
  openRun,
  planOf,
  readRunManifest,
  recordTestLook,
  resultsOf,
  RUN_FORMAT_VERSION,
  runPlanRule,
  settleRun,
  takeBackRun,
  type OfPlan,
  type Run,
  type RunManifest,
  type RunPlan,
  type TrainingSettings,
} from './runs/run.js';
