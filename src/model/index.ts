/** The model wing's door. */
export type { Case, Ranker } from './recommender.js';
export { type DropoutMask, type Lookup, type ParameterDescription, Scope } from './layers.js';
export { Parameters, sharedZeros } from './parameters.js';
export { type NamedTensor, decodeSafetensors, encodeSafetensors } from './safetensors.js';
export { candidateVectors, encodeUser, scoreCandidates, sesrecLosses, type Losses, type Scores, type UserState } from './sesrec.js';
export { type AttributeConfig, type SesrecConfig, type SesrecPreset, type SesrecRules, type SesrecShape, type SesrecShapeName, sesrecPresets, sesrecShapes } from './sesrec-config.js';
