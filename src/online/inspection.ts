/**
 * What somebody who looks at an engine may ask: people, the catalogue, "what if", the health of the data. Knows names and meanings, those
 * of the HTTP interface; does not know how anything is answered. Nothing of it is stored.
 */
import type { Finding } from '../data/index.js';
import type { AnswerSource, Because, ItemSource, Language, ModelName, Note, SessionEvent } from './questions.js';

/** Which part of a list is wanted. */
export interface Listing {
  /** Part of what is looked for; capitals do not matter. */
  readonly search?: string;
  readonly limit: number;
  readonly offset: number;
}

export interface Person {
  readonly user: string;
  /** Events of the run and live ones. */
  readonly feed: number;
  readonly searches: number;
  /** Time of the newest event, ISO 8601. */
  readonly last: string | null;
}
export interface PeopleAnswer {
  readonly total: number;
  readonly people: Person[];
}

export interface WhatIfRequest {
  readonly user?: string;
  readonly session?: readonly SessionEvent[];
  readonly query?: string;
  /** Ordinals of entries of the timeline that would not have happened. */
  readonly without?: readonly number[];
  readonly k?: number;
  readonly explain?: boolean;
  readonly reasons?: number;
  readonly language?: Language;
}
export interface WhatIfItem {
  readonly item: string;
  readonly title: string;
  readonly rank: number;
  readonly rank_before: number | null;
  readonly score: number;
  readonly source: ItemSource;
  readonly because?: Because[];
}
export interface FallenItem {
  readonly item: string;
  readonly title: string;
  readonly rank_before: number;
  readonly rank: number | null;
  readonly met: boolean;
}
export interface WhatIfAnswer {
  readonly model: ModelName;
  readonly source: AnswerSource;
  readonly ranks: 'exact' | 'candidates';
  readonly changed: boolean;
  readonly notes: Note[];
  readonly took_ms: number;
  readonly items: WhatIfItem[];
  readonly fallen: FallenItem[];
}

export interface FoundItem {
  readonly item: string;
  readonly title: string;
  readonly count: number;
}
export interface ItemsAnswer {
  readonly total: number;
  readonly items: FoundItem[];
}
export interface FoundQuery {
  readonly query: string;
  readonly count: number;
}
export interface QueriesAnswer {
  readonly total: number;
  readonly queries: FoundQuery[];
}

/** What lies near something. `working`: vectors are being worked out; ask again. */
export interface Near {
  readonly state: 'ready' | 'working' | 'none';
  /** `ranking`: the vectors that items are scored by, where queries have none. */
  readonly space: 'aligned' | 'ranking' | null;
  /** `nearness`: cosine. */
  readonly items: (FoundItem & { readonly nearness: number })[];
  readonly queries: (FoundQuery & { readonly nearness: number })[];
}
export interface ItemAnswer {
  readonly item: string;
  readonly title: string;
  readonly model: ModelName;
  readonly attributes: { readonly name: string; readonly values: string[] }[];
  readonly count: number;
  /** Its rank by count, of equal ones the best. */
  readonly popularity: number;
  readonly items: number;
  readonly is_new: boolean;
  readonly near: Near;
  readonly led_by: { readonly query: string; readonly clicks: number }[];
  readonly served: {
    readonly user: string | null;
    readonly rank: number;
    readonly time: string;
    readonly source: string;
    readonly version: string;
  }[];
  /** How many of the last lists were looked at. */
  readonly served_among: number;
}
export interface QueryAnswer {
  readonly query: string;
  readonly model: ModelName;
  readonly count: number;
  readonly popularity: number;
  readonly queries: number;
  readonly near: Near;
  readonly led_to: { readonly item: string; readonly title: string; readonly clicks: number }[];
}

/** What check found; its example is an event, whose ordinal is `line`: a data directory has no files of a log. */
export interface HealthFinding extends Omit<Finding, 'example'> {
  readonly example: Omit<Finding['example'], 'file'>;
}
export interface HealthReport {
  readonly importer: string;
  readonly seconds: number;
  readonly facts: {
    readonly users: number;
    readonly items: number;
    readonly queries: number;
    readonly feed: number;
    readonly searches: number;
    readonly clicks: number;
    readonly from: string | null;
    readonly to: string | null;
    readonly events_without_time: number;
    readonly users_who_never_search: number;
    readonly users_who_only_search: number;
    readonly searches_with_click: number;
    readonly spontaneous_searches: number;
    readonly passive_searches: number;
    readonly sources: { readonly source: string; readonly searches: number }[];
  };
  readonly time_unit: string;
  readonly findings: HealthFinding[];
}
/** `working`: ask again in a moment. */
export interface DataHealthAnswer {
  readonly state: 'ready' | 'working' | 'failed';
  readonly model: ModelName;
  readonly failure: string | null;
  readonly report: HealthReport | null;
}

export interface Inspection {
  people(listing: Listing, signal?: AbortSignal): Promise<PeopleAnswer>;
  /** An ordinal that the history does not have, and a session event without a readable time, are a `UserError`. */
  whatIf(request: WhatIfRequest, signal?: AbortSignal): Promise<WhatIfAnswer>;
  items(listing: Listing, signal?: AbortSignal): Promise<ItemsAnswer>;
  /** Null for an item that nothing is known of. */
  item(item: string, signal?: AbortSignal): Promise<ItemAnswer | null>;
  queries(listing: Listing, signal?: AbortSignal): Promise<QueriesAnswer>;
  /** By its text as typed; null for one that training never saw. */
  query(query: string, signal?: AbortSignal): Promise<QueryAnswer | null>;
  dataHealth(signal?: AbortSignal): Promise<DataHealthAnswer>;
}
