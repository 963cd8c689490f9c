/** The door of the client, `sesrec/client`: for Node.js and for pages as they are. */
export { type CallOptions, type ClientOptions, SesrecClient, type WriteOptions } from './client.js';
export { SesrecError } from './errors.js';
export { type TrackedEvent, Tracker, type TrackerOptions } from './tracker.js';
export type {
  Because,
  EraseAnswer,
  Event,
  EventsAnswer,
  InterestsAnswer,
  ItemUpsert,
  ModelsAnswer,
  Problem,
  RecommendationAnswer,
  RecommendationRequest,
  RecommendedItem,
  SessionEvent,
  SimilarAnswer,
  UpsertAnswer,
  UserUpsert,
} from '../serve/schemas/index.js';
