/** The door of the client, `sesrec/client`: for Node.js and for pages as they are. */
export type { CallOptions, WriteOptions } from './call-options.js';
export { type ClientOptions, SesrecClient } from './client.js';
export { SesrecError } from './errors.js';
export { type TrackedEvent, Tracker, type TrackerOptions } from './tracker.js';
export type {
  Because,
  DataHealthAnswer,
  EraseAnswer,
  Event,
  EventsAnswer,
  ExperimentAnswer,
  ExperimentEntry,
  ExperimentsAnswer,
  InterestsAnswer,
  ItemAnswer,
  ItemUpsert,
  ItemsAnswer,
  LiveEpoch,
  LiveState,
  ModelsAnswer,
  OperationsAnswer,
  PeopleAnswer,
  Problem,
  QueriesAnswer,
  QueryAnswer,
  RecommendationAnswer,
  RecommendationRequest,
  RecommendedItem,
  SessionEvent,
  SimilarAnswer,
  UpsertAnswer,
  UserUpsert,
  WhatIfAnswer,
  WhatIfRequest,
} from '../serve/schemas/index.js';
