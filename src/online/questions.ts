/**
 * What is asked of live recommendations, and what is answered. Knows names and meanings; does not know how anything is answered.
 *
 * Names are those of the HTTP interface, so that nothing is renamed on its way in or out. Ids are opaque texts. Nothing here is
 * checked for size: bounds are the business of whoever lets strangers ask.
 */

/** Something that somebody did, as docs/events.md has it. */
export interface LiveEvent {
  /** A `search`, an action (`click`, `view`, …), an `impression` or a `dislike`. */
  readonly type: string;
  /** A search needs one. An event without one is never a duplicate. */
  readonly id?: string;
  readonly user: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly item?: string;
  readonly query?: string;
  readonly source?: string;
  /** The id of the search that led to it. */
  readonly search?: string;
  readonly value?: number;
  /** What the search showed. */
  readonly results?: readonly { readonly item: string; readonly position?: number }[];
  /** The answer that showed the item. */
  readonly recommendation_id?: string;
}

/** An event of the session at hand: of whom the request is about; without a time, just now. Not stored. */
export type SessionEvent = Omit<LiveEvent, 'user' | 'time'> & { readonly time?: number | string };

/** An event, and its place in the batch that it came with. */
export interface PlacedEvent {
  readonly index: number;
  readonly event: LiveEvent;
}

/** Items whose attribute is one of some values, or none of some. */
export interface Filter {
  readonly attribute: string;
  readonly any_of?: readonly string[];
  readonly none_of?: readonly string[];
}

export interface RecommendationRequest {
  readonly user?: string;
  /** Oldest first, behind what is stored of the user. */
  readonly session?: readonly SessionEvent[];
  /** As if the user had just searched for it. */
  readonly query?: string;
  /** 10 unless told. */
  readonly k?: number;
  readonly exclude?: readonly string[];
  /** All must hold. */
  readonly filters?: readonly Filter[];
  /** At most so many items of the same value of an attribute. */
  readonly cap?: { readonly attribute: string; readonly most: number };
  /** Whether items already met may come again; `unseen` unless told. */
  readonly repeat?: 'unseen' | 'all';
  readonly explain?: boolean;
  /** The most reasons of an item; 3 unless told. */
  readonly reasons?: number;
  readonly language?: Language;
  /** The share of places that are drawn instead of ranked. */
  readonly explore?: number;
  /** After so many milliseconds something simpler is answered, marked `degraded`. */
  readonly deadline_ms?: number;
}

/** Languages that reasons are told in. */
export const LANGUAGES = ['en', 'ar'] as const;
export type Language = (typeof LANGUAGES)[number];

export interface ModelName {
  readonly name: string;
  /** SHA-256 of the parameters. */
  readonly version: string;
}

/** An action behind an item. */
export interface Because {
  /** Tells the action from others of the same history. */
  readonly ordinal: number;
  readonly type: 'search' | 'feed';
  /** Absent where the run did not keep it: training never saw the query. */
  readonly query?: string;
  /** Items clicked in the search, or the item met in the feed. */
  readonly items: string[];
  /** The id of the event, where it has one. */
  readonly event?: string;
  /** ISO 8601. */
  readonly time: string | null;
  readonly side: 'similar' | 'dissimilar' | null;
  readonly weight: number;
  /** A sentence in the language asked for. Plain text, never markup. */
  readonly text: string;
}

/** Where an item of an answer may come from. `explored`: drawn, not ranked. */
export const ITEM_SOURCES = ['model', 'co-occurrence', 'vectors', 'attributes', 'popular', 'new', 'explored'] as const;
export type ItemSource = (typeof ITEM_SOURCES)[number];

/** What ranked as a whole: the model in full or on retrieved candidates, or what stood in for it. */
export const ANSWER_SOURCES = ['model', 'retrieval', 'popular'] as const;
export type AnswerSource = (typeof ANSWER_SOURCES)[number];

export interface RecommendedItem {
  readonly item: string;
  readonly rank: number;
  /** Higher is better; comparable between items of one source in one answer only. */
  readonly score: number;
  readonly source: ItemSource;
  /** With exploration: how likely it was to stand here. */
  readonly probability?: number;
  readonly because?: Because[];
}

/** Something that whoever asked should know: what filters left out, an unknown user, … */
export interface Note {
  readonly code: string;
  readonly message: string;
}

export interface RecommendationAnswer {
  readonly id: string;
  readonly model: ModelName;
  readonly source: AnswerSource;
  readonly degraded: boolean;
  readonly notes: Note[];
  readonly took_ms: number;
  readonly items: RecommendedItem[];
}

export interface SimilarAnswer {
  readonly item: string;
  readonly model: ModelName;
  readonly source: string;
  readonly items: { item: string; rank: number; score: number }[];
}

/** An action that the model sees of somebody. */
export interface TimelineEntry {
  /** Tells the action from others of the same history. */
  readonly ordinal: number;
  readonly type: 'search' | 'feed';
  readonly query?: string;
  readonly items: string[];
  /** Titles or names of the items; the id where there is none. */
  readonly titles: string[];
  readonly event?: string;
  readonly time: string | null;
  /** Whether it lies in the window of the model. */
  readonly seen: boolean;
  readonly side: 'similar' | 'dissimilar' | null;
  /** Co-attention (Eq. 10), which the side is told from. */
  readonly weight: number | null;
}

/** How much feed events agree with searches, by ordinals: a row per feed event, a column per search. */
export interface ToldAffinity {
  readonly feed: number[];
  readonly search: number[];
  readonly values: number[][];
}

export interface InterestsAnswer {
  readonly user: string;
  readonly model: ModelName;
  /** How many actions are known of the user. */
  readonly total: number;
  /** How many actions of each lane the model sees. */
  readonly window: { readonly feed: number; readonly search: number };
  /** The newest actions, oldest first in each lane, the feed first. */
  readonly timeline: TimelineEntry[];
  readonly affinity?: ToldAffinity | null;
}

/** Why one of a batch was not taken. */
export interface Rejection {
  readonly index: number;
  readonly code: string;
  /** JSON pointer to what is wrong (RFC 6901), within the one. */
  readonly pointer: string;
  readonly message: string;
}

export interface EventsAnswer {
  readonly accepted: number;
  readonly duplicate: number;
  readonly rejected: Rejection[];
}

type AttributeValue = string | number | boolean | null;
/** Attributes by name; null takes one away. */
export type Attributes = Readonly<Record<string, AttributeValue | readonly AttributeValue[]>>;

export interface ItemUpsert {
  readonly item: string;
  readonly fields?: Attributes;
}
export interface UserUpsert {
  readonly user: string;
  readonly fields?: Attributes;
}
export interface UpsertAnswer {
  readonly accepted: number;
  readonly rejected: Rejection[];
}

export interface EraseAnswer {
  readonly erased: boolean;
  readonly events: number;
}

export interface ModelEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'active' | 'previous' | 'shadow';
  /** What to activate it by. */
  readonly run: string;
}

export interface ActivateRequest {
  /** A run directory, or the name of one in the directory of runs. */
  readonly run: string;
  readonly shadow?: boolean;
}
