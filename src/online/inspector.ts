/** Looks at an engine for whoever watches it. Knows which model answers; what is asked is answered by one file each. */
import { dataOf } from '../model/index.js';
import type { Answerer } from './answering.js';
import { Browsing } from './browsing.js';
import { DataHealth } from './data-health.js';
import type {
  DataHealthAnswer,
  Inspection,
  ItemAnswer,
  ItemsAnswer,
  Listing,
  PeopleAnswer,
  QueriesAnswer,
  QueryAnswer,
  WhatIfAnswer,
  WhatIfRequest,
} from './inspection.js';
import { People } from './people.js';
import type { LiveStore } from './store/store.js';
import { whatIf } from './what-if.js';

/** What was worked out for one model. */
interface Looked {
  readonly answerer: Answerer;
  readonly people: People;
  readonly browsing: Browsing;
}

export class Inspector implements Inspection {
  readonly #store: LiveStore;
  readonly #serving: () => Answerer;
  readonly #health = new DataHealth();
  readonly #ending = new AbortController();
  #looked: Looked | null = null;

  /** @param serving the model that answers now */
  constructor(store: LiveStore, serving: () => Answerer) {
    this.#store = store;
    this.#serving = serving;
  }

  #at(): Looked {
    const answerer = this.#serving();
    if (this.#looked?.answerer !== answerer)
      this.#looked = {
        answerer,
        people: new People(answerer.model, this.#store),
        browsing: new Browsing(answerer.model, answerer.popularity, this.#store, this.#ending.signal),
      };
    return this.#looked;
  }

  /** Somebody was erased. */
  forget(user: string): void {
    this.#looked?.people.forget(user);
  }

  /** Somebody was erased, of whom the hash is told. */
  forgetHash(hash: string): void {
    this.#looked?.people.forgetHash(hash);
  }

  async people(listing: Listing, signal?: AbortSignal): Promise<PeopleAnswer> {
    return this.#at().people.list(listing, signal);
  }

  async whatIf(request: WhatIfRequest, signal?: AbortSignal): Promise<WhatIfAnswer> {
    const { answerer } = this.#at();
    return answerer.model.use(async () => whatIf(answerer, request, signal));
  }

  async items(listing: Listing, signal?: AbortSignal): Promise<ItemsAnswer> {
    return this.#at().browsing.items(listing, signal);
  }

  async item(item: string, signal?: AbortSignal): Promise<ItemAnswer | null> {
    const { answerer, browsing } = this.#at();
    return answerer.model.use(async () => browsing.item(item, signal));
  }

  async queries(listing: Listing, signal?: AbortSignal): Promise<QueriesAnswer> {
    return this.#at().browsing.queries(listing, signal);
  }

  async query(query: string, signal?: AbortSignal): Promise<QueryAnswer | null> {
    const { answerer, browsing } = this.#at();
    return answerer.model.use(async () => browsing.query(query, signal));
  }

  async dataHealth(): Promise<DataHealthAnswer> {
    const { model } = this.#serving();
    const { directory, dataset } = model.run;
    return { model: model.name, ...this.#health.of(dataset.manifest.hash, dataOf(directory)) };
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#health.close();
  }
}
