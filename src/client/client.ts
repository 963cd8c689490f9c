/**
 * Asks a sesrec server. Knows its routes and retries; imports nothing of Node.js, so that it runs in a browser as it is. Requests and answers
 * are typed by the schemas that the server checks them with.
 */
import type {
  DataHealthAnswer,
  EraseAnswer,
  Event,
  EventsAnswer,
  ExperimentsAnswer,
  HealthAnswer,
  InterestsAnswer,
  ItemUpsert,
  ModelsAnswer,
  OperationsAnswer,
  PeopleAnswer,
  RecommendationAnswer,
  RecommendationRequest,
  SimilarAnswer,
  UpsertAnswer,
  UserUpsert,
  WhatIfAnswer,
  WhatIfRequest,
} from '../serve/schemas/index.js';
import { LIMITS } from '../serve/schemas/limits.js';
import { PATHS } from '../serve/schemas/paths.js';
import type { CallOptions, WriteOptions } from './call-options.js';
import { SesrecError, errorOf } from './errors.js';
import { randomId } from './ids.js';
import { type Patience, retrying } from './retrying.js';
import { Tracker, type TrackerOptions } from './tracker.js';

export interface ClientOptions {
  /** Where the server is: `https://recommend.example`. */
  readonly url: string;
  /** A key; in a page for everybody, one with the scopes recommend and events at most. */
  readonly key?: string;
  /** Milliseconds for a call, all tries together; 3000 unless told. */
  readonly deadline?: number;
  /** How often a call is tried again that may work later; 2 unless told. */
  readonly retries?: number;
  /** What fetches; the global one unless told. */
  readonly fetch?: typeof fetch;
}

interface Call<Answer> extends WriteOptions {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: (left: number) => unknown;
  /** What an answer holds; JSON unless told. */
  readonly read?: (response: Response) => Promise<Answer>;
}

/** What a header carries: with other characters every call would fail, as if there were no server. */
const OF_ASCII = /^[\x21-\x7e]*$/;

/** A share of the time that is left goes to the way there and back. */
const FOR_THE_SERVER = 0.9;

export class SesrecClient {
  readonly #base: string;
  readonly #key: string | undefined;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#key = options.key?.trim();
    if (!OF_ASCII.test(this.#key ?? ''))
      throw new TypeError('a key is of ASCII characters without spaces; this one is not (typographic quotes, perhaps)');
    this.#base = options.url.replace(/\/+$/, '');
    this.#options = options;
  }

  /** What next. The server is told how long the answer is waited for, and gives a simpler one rather than none. */
  async recommend(request: RecommendationRequest = {}, options: CallOptions = {}): Promise<RecommendationAnswer> {
    const body = (left: number): RecommendationRequest => ({
      deadline_ms: Math.min(LIMITS.deadlineMilliseconds, Math.max(1, Math.floor(left * FOR_THE_SERVER))),
      ...request,
    });
    return this.#call({ ...options, method: 'POST', path: PATHS.recommendations, body });
  }

  /** Items like one; fails with code `not_found` for an item that nothing is known of. */
  async similarItems(item: string, k = 10, options: CallOptions = {}): Promise<SimilarAnswer> {
    return this.#call({ ...options, method: 'GET', path: `${PATHS.similar(item)}?k=${k}` });
  }

  async interests(user: string, options: CallOptions = {}): Promise<InterestsAnswer> {
    return this.#call({ ...options, method: 'GET', path: PATHS.interests(user) });
  }

  /** Stores events; what it resolves to is on disk. `tracker` collects and sends by itself. */
  async sendEvents(events: readonly Event[], options: WriteOptions = {}): Promise<EventsAnswer> {
    return this.#write(PATHS.events, events, options);
  }

  async upsertItems(items: readonly ItemUpsert[], options: WriteOptions = {}): Promise<UpsertAnswer> {
    return this.#write(PATHS.items, items, options);
  }

  async upsertUsers(users: readonly UserUpsert[], options: WriteOptions = {}): Promise<UpsertAnswer> {
    return this.#write(PATHS.users, users, options);
  }

  async eraseUser(user: string, options: WriteOptions = {}): Promise<EraseAnswer> {
    return this.#write(PATHS.user(user), undefined, options, 'DELETE');
  }

  /** People by part of their ids; without it newcomers, then those who did most. Scope admin, as the four below. */
  async people(
    listing: { readonly search?: string; readonly limit?: number; readonly offset?: number } = {},
    options: CallOptions = {},
  ): Promise<PeopleAnswer> {
    const query = new URLSearchParams(
      Object.entries(listing).map(([name, value]): [string, string] => [name, String(value)]),
    );
    return this.#call({ ...options, method: 'GET', path: `${PATHS.people}?${query.toString()}` });
  }

  /** The list as it would be, beside the list as it is; nothing is stored. */
  async whatIf(request: WhatIfRequest, options: CallOptions = {}): Promise<WhatIfAnswer> {
    return this.#call({ ...options, method: 'POST', path: PATHS.whatIf, body: () => request });
  }

  async experiments(options: CallOptions = {}): Promise<ExperimentsAnswer> {
    return this.#call({ ...options, method: 'GET', path: PATHS.experiments });
  }

  async dataHealth(options: CallOptions = {}): Promise<DataHealthAnswer> {
    return this.#call({ ...options, method: 'GET', path: PATHS.dataHealth });
  }

  async operations(options: CallOptions = {}): Promise<OperationsAnswer> {
    return this.#call({ ...options, method: 'GET', path: PATHS.operations });
  }

  async models(options: CallOptions = {}): Promise<ModelsAnswer> {
    return this.#call({ ...options, method: 'GET', path: PATHS.models });
  }

  /** Loading and checking a model takes a while: a minute unless told. */
  async activateModel(
    run: string,
    { shadow = false, ...options }: WriteOptions & { shadow?: boolean } = {},
  ): Promise<ModelsAnswer> {
    return this.#write(PATHS.activate, { run, shadow }, { deadline: 60_000, ...options });
  }

  async rollbackModel(options: WriteOptions = {}): Promise<ModelsAnswer> {
    return this.#write(PATHS.rollback, undefined, options);
  }

  async endShadow(options: WriteOptions = {}): Promise<ModelsAnswer> {
    return this.#write(PATHS.shadow, undefined, options, 'DELETE');
  }

  /** Fails with code `not_ready` while it is not. */
  async ready(options: CallOptions = {}): Promise<HealthAnswer> {
    return this.#call({ retries: 0, ...options, method: 'GET', path: PATHS.ready });
  }

  /** Asks a route that has no method of its own here; with a body it is a POST. Routes and types: `serve/schemas`. */
  async ask<Answer>(path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.#call({
      ...options,
      method: body === undefined ? 'GET' : 'POST',
      path,
      ...(body === undefined ? {} : { body: () => body }),
    });
  }

  /** Asks a route that answers a file: a report. */
  async askFile(path: string, options: CallOptions = {}): Promise<Blob> {
    return this.#call({ ...options, method: 'GET', path, read: async (response) => response.blob() });
  }

  /** Collects events and sends them together. */
  tracker(options: TrackerOptions = {}): Tracker {
    return new Tracker(async (events, writeOptions) => this.sendEvents(events, writeOptions), options);
  }

  async #write<Answer>(
    path: string,
    value: unknown,
    options: WriteOptions,
    method: 'POST' | 'DELETE' = 'POST',
  ): Promise<Answer> {
    return this.#call({
      idempotencyKey: randomId(),
      ...options,
      method,
      path,
      ...(value === undefined ? {} : { body: () => value }),
    });
  }

  async #call<Answer>({
    method,
    path,
    body,
    idempotencyKey,
    keepalive = false,
    read = async (response) => (await response.json()) as Answer,
    ...options
  }: Call<Answer>): Promise<Answer> {
    const { deadline = 3000, retries = 2, fetch: fetching = fetch } = this.#options;
    const patience: Patience = { deadline, retries, ...options };
    const headers: Record<string, string> = {
      accept: 'application/json',
      ...(this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(body ? { 'content-type': 'application/json' } : {}),
    };
    return retrying(patience, async (signal, left) => {
      const sent = body ? { body: JSON.stringify(body(left)) } : {};
      let response: Response;
      try {
        response = await fetching(`${this.#base}${path}`, { method, headers, signal, keepalive, ...sent });
      } catch (error) {
        throw new SesrecError('the server cannot be reached', { code: 'network', cause: error });
      }
      if (!response.ok) throw await errorOf(response);
      try {
        return await read(response);
      } catch (error) {
        throw new SesrecError('the answer broke off', { code: 'network', cause: error });
      }
    });
  }
}
