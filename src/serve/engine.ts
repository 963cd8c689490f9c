/**
 * What the server asks of whatever recommends. Knows questions and answers by their schemas; does not know how they are
 * answered, nor HTTP.
 */
import type {
  ActivateRequest,
  EraseAnswer,
  Event,
  EventsAnswer,
  InterestsAnswer,
  ItemUpsert,
  ModelEntry,
  RecommendationAnswer,
  RecommendationRequest,
  SimilarAnswer,
  UpsertAnswer,
  UserUpsert,
} from './schemas/index.js';

/** An event whose time is known, and its place in the batch that it came with. */
export interface PlacedEvent {
  readonly index: number;
  readonly event: Event & { readonly time: number };
}

/**
 * All promises of writes are kept once what was written is durable. A `UserError` is the caller's mistake and becomes a 422;
 * anything else is a bug and becomes a 500.
 */
export interface Engine {
  /** @param signal aborted when nobody waits for the answer any more */
  recommend(request: RecommendationRequest, signal: AbortSignal): Promise<RecommendationAnswer>;
  /** Null for an item that nothing is known of. */
  similar(item: string, k: number, signal: AbortSignal): Promise<SimilarAnswer | null>;
  interests(user: string, signal: AbortSignal): Promise<InterestsAnswer>;
  accept(events: readonly PlacedEvent[]): Promise<EventsAnswer>;
  upsertItems(items: readonly ItemUpsert[]): Promise<UpsertAnswer>;
  upsertUsers(users: readonly UserUpsert[]): Promise<UpsertAnswer>;
  erase(user: string): Promise<EraseAnswer>;
  models(): Promise<readonly ModelEntry[]>;
  /** Loads, warms up and checks a run, then switches to it (or shadows with it); the models afterwards. */
  activate(request: ActivateRequest): Promise<readonly ModelEntry[]>;
  /** Back to the model before; the models afterwards. */
  rollback(): Promise<readonly ModelEntry[]>;
  /** Null when it can answer; else what it still waits for. */
  notReady(): string | null;
  /** Waits for what is under way, then closes what it keeps. */
  close(): Promise<void>;
}
