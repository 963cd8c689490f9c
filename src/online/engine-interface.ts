/**
 * What an engine of live recommendations can do, what it is opened with and what it tells meanwhile. Knows questions and answers by their names;
 * does not know how anything is answered (engine.ts).
 */
import type { Inspection } from './inspection.js';
import type {
  ActivateRequest,
  AnswerSource,
  EraseAnswer,
  EventsAnswer,
  InterestsAnswer,
  ItemUpsert,
  ModelEntry,
  ModelName,
  PlacedEvent,
  RecommendationAnswer,
  RecommendationRequest,
  SimilarAnswer,
  UpsertAnswer,
  UserUpsert,
} from './questions.js';

/**
 * A recommender that learns what happens as it happens. All promises of writes are kept once what was written is durable. A
 * `UserError` is the caller's mistake; anything else is a bug.
 */
export interface Engine {
  recommend(request: RecommendationRequest, signal?: AbortSignal): Promise<RecommendationAnswer>;
  /** Null for an item that nothing is known of. */
  similar(item: string, k: number, signal?: AbortSignal): Promise<SimilarAnswer | null>;
  /** @param options `affinity`: also what the sides are told from; `most`: so many actions at most, 10,000 unless told */
  interests(
    user: string,
    options?: { readonly affinity?: boolean; readonly most?: number },
    signal?: AbortSignal,
  ): Promise<InterestsAnswer>;
  /** What somebody who looks at the engine may ask: nothing of it is stored. */
  readonly inspection: Inspection;
  /** The next recommendation sees what was accepted. */
  accept(events: readonly PlacedEvent[]): Promise<EventsAnswer>;
  upsertItems(items: readonly ItemUpsert[]): Promise<UpsertAnswer>;
  upsertUsers(users: readonly UserUpsert[]): Promise<UpsertAnswer>;
  /** A user's events, attributes and served lists go, and the history of the run is not used for them any more. */
  erase(user: string): Promise<EraseAnswer>;
  models(): Promise<ModelEntry[]>;
  /** Loads, warms up and checks a run, then switches to it (or shadows with it); the models afterwards. */
  activate(request: ActivateRequest): Promise<ModelEntry[]>;
  /** Back to the model before, which is still loaded; the models afterwards. */
  rollback(): Promise<ModelEntry[]>;
  /** The model in the shadow ranks no more, if there is one; the models afterwards. */
  endShadow(): Promise<ModelEntry[]>;
  /** Null when it can answer; else what it still waits for. */
  notReady(): string | null;
  /** What is wrong although it answers, for everybody to read: a store that is away, a model that it should have switched to. */
  troubles(): string[];
  /** Waits for what is under way, then closes what it keeps. */
  close(): Promise<void>;
}

/** Told to whoever counts. None of them may throw. */
export interface Hooks {
  /** An answer was made. */
  readonly answered?: (answer: { readonly source: AnswerSource; readonly milliseconds: number }) => void;
  /** A flush to the disk took so long, for so many writes together. */
  readonly flushed?: (flush: { readonly milliseconds: number; readonly writes: number }) => void;
  /** It begins with another run than the one that was given, and why. */
  readonly began?: (model: ModelName, why: string) => void;
  /** Another model answers from now on. */
  readonly switched?: (model: ModelName) => void;
  /** What the second model would have answered: both lists of item ids, and what each came from. */
  readonly shadowed?: (comparison: {
    readonly recommendation: string;
    readonly model: ModelName;
    readonly source: AnswerSource;
    readonly items: readonly string[];
    readonly active: ModelName;
    readonly activeSource: AnswerSource;
    /** Whether some places of the active model's list may have been drawn. */
    readonly explored: boolean;
    readonly activeItems: readonly string[];
  }) => void;
  /** The store does not answer, and why; null: it answers again. */
  readonly storeAway?: (reason: string | null) => void;
  /** Something that whoever runs it should know when it begins. */
  readonly warned?: (what: string) => void;
  /** Something failed that nobody waits for. */
  readonly failed?: (what: string, error: unknown) => void;
}

export interface EngineOptions {
  /** The run directory to begin with. */
  readonly run: string;
  /** `last`, unless told: with the run that was activated last, if the server was started with the same `run` then; `given`: with `run`. */
  readonly begin?: 'last' | 'given';
  /** The directory that runs are activated from by name; that of `run` unless told. */
  readonly runs?: string;
  /** The live store: a directory, or redis://… or rediss://…; made when it is not there. */
  readonly store: string;
  /** Threads that rank; all of the machine unless told. */
  readonly threads?: number;
  /** Users whose encoded histories are kept; 10,000 unless told. */
  readonly cachedUsers?: number;
  /** Catalogues of more items are ranked by retrieval and exact re-ranking; 100,000 unless told. */
  readonly exactUpTo?: number;
  /** So many candidates are retrieved and ranked exactly; 2,000 unless told. */
  readonly candidates?: number;
  /** The share of requests that a shadow model ranks too; 0.1 unless told. */
  readonly shadowShare?: number;
  readonly hooks?: Hooks;
}
