/** The model wing's door. */
export { type Case, type Ranker, type Recommendation, type ScoredStretch, recommend } from './recommender.js';
export { type DropoutMask, type Lookup, type ParameterDescription, Scope } from './layers.js';
export { Parameters, sharedZeros } from './parameters.js';
export { popularityRanker, randomRanker, type PopularityOptions } from './popularity.js';
export { itemToItemRanker, type ItemToItemOptions } from './item-to-item.js';
export { type NamedTensor, decodeSafetensors, encodeSafetensors } from './safetensors.js';
export {
  type Checkpoint,
  firstNotFinite,
  loadCheckpoint,
  loadOrRecover,
  type Recovered,
  reserveOf,
  saveCheckpoint,
} from './checkpoint.js';
export { candidateVectors, encodeUser, scoreCandidates, type Scores, type UserState } from './sesrec.js';
export { sesrecLosses } from './sesrec-losses.js';
export {
  type SesrecConfig,
  type SesrecPreset,
  type SesrecRules,
  type SesrecShape,
  seesPadding,
  sesrecPresets,
  sesrecShapes,
} from './sesrec-config.js';
export { sesrecModel, sesrecParameters } from './sesrec-model.js';
export {
  type AttributeConfig,
  type CommonConfig,
  type Losses,
  type Model,
  type ModelCard,
  type ModelDefinition,
  MOST_TRIALS,
  type RegisteredModel,
  type Sight,
  type Trial,
  parametersOf,
  registered,
  vocabularySizes,
} from './model.js';
export { type PublishedShape, type ShapeName, publishedShapes } from './shapes.js';
export { MODEL_IDS, type ModelId, buildModel, models } from './registry.js';
export { COUNTED_IDS, type CountedId, type CountedRanker, countedRankers } from './counted.js';
export { type Group, GROUPS, RANKER_IDS, type RankerId, cardOf, groupOf, isCounted } from './line-up.js';
export { GraphRanker } from './graph-ranker.js';
export { rankerOf } from './rankers.js';
export { type Reason, SesrecRanker, type Side, type SidedAction } from './sesrec-ranker.js';
export { type PlannedLook, planLook, type TestFigures, type TestLook } from './test-looks.js';
export {
  checkpointsOf,
  createRun,
  dataOf,
  loadRun,
  lockOf,
  openRun,
  planOf,
  readRunManifest,
  recordTestLook,
  resultsOf,
  RUN_FORMAT_VERSION,
  runPlanRule,
  type Run,
  type RunManifest,
  type RunPlan,
  type TrainingSettings,
} from './run.js';
