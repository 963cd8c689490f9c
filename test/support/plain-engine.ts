/**
 * An engine that keeps everything in lists and ranks by counts: what the server is tested against where the ranking does not matter,
 * and where answers have to take as long as a test wants. Knows the interface; knows no model.
 */
import { UserError } from '../../src/base/index.js';
import type {
  ActivateRequest,
  ModelEntry,
  EventsAnswer,
  ItemUpsert,
  RecommendationAnswer,
  RecommendationRequest,
  UserUpsert,
} from '../../src/serve/schemas/index.js';
import type { Engine, Inspection, InterestsAnswer, Listing, PlacedEvent } from '../../src/online/index.js';

export class PlainEngine implements Engine {
  readonly events: PlacedEvent['event'][] = [];
  readonly items = new Map<string, ItemUpsert>();
  readonly users = new Map<string, UserUpsert>();
  /** The last is active. */
  readonly runs = ['first'];
  shadow: string | null = null;
  readonly asked: RecommendationRequest[] = [];
  waitsFor: string | null = null;
  isClosed = false;
  /** What every recommendation waits for. */
  before: (signal: AbortSignal) => Promise<unknown> = async () => null;

  get #model() {
    return { name: 'plain', version: this.runs.at(-1) ?? '' };
  }

  async recommend(request: RecommendationRequest, signal: AbortSignal): Promise<RecommendationAnswer> {
    const { k = 10 } = request;
    this.asked.push(request);
    await this.before(signal);
    const counts = new Map<string, number>();
    for (const event of this.events)
      if ('item' in event && event.item !== undefined) counts.set(event.item, (counts.get(event.item) ?? 0) + 1);
    const items = [...counts].sort(([, a], [, b]) => b - a).slice(0, k);
    return {
      id: `rec_${this.asked.length}`,
      model: this.#model,
      source: 'popular',
      degraded: false,
      notes: [],
      took_ms: 0,
      items: items.map(([item, score], i) => ({ item, rank: i + 1, score, source: 'popular' })),
    };
  }

  async similar(item: string, k: number) {
    if (!this.items.has(item)) return null;
    const others = [...this.items.keys()].filter((other) => other !== item).slice(0, k);
    return {
      item,
      model: this.#model,
      source: 'plain',
      items: others.map((other, i) => ({ item: other, rank: i + 1, score: -i })),
    };
  }

  async interests(user: string): Promise<InterestsAnswer> {
    return { user, model: this.#model, total: 0, window: { feed: 1, search: 1 }, timeline: [] };
  }

  get inspection(): Inspection {
    const { events, items, users } = this;
    const model = this.#model;
    const near = { state: 'none', space: null, items: [], queries: [] } as const;
    const found = <Value>(
      all: Iterable<Value>,
      textOf: (value: Value) => string,
      { search = '', limit, offset }: Listing,
    ) => {
      const own = [...all].filter((value) => textOf(value).includes(search));
      return { total: own.length, own: own.slice(offset, offset + limit) };
    };
    return {
      people: async (listing) => {
        const { total, own } = found(users.keys(), (user) => user, listing);
        return { total, people: own.map((user) => ({ user, feed: 0, searches: 0, last: null })) };
      },
      whatIf: async ({ without = [] }) => {
        if (without.length > 0) throw new UserError('the history has no such action');
        return {
          model,
          source: 'popular',
          ranks: 'exact',
          changed: false,
          notes: [],
          took_ms: 0,
          items: [],
          fallen: [],
        };
      },
      items: async (listing) => {
        const { total, own } = found(items.keys(), (item) => item, listing);
        return { total, items: own.map((item) => ({ item, title: item, count: 0 })) };
      },
      item: async (item) =>
        items.has(item)
          ? {
              item,
              title: item,
              model,
              attributes: [],
              count: 0,
              popularity: 1,
              items: items.size,
              is_new: true,
              near: { ...near, items: [], queries: [] },
              led_by: [],
              served: [],
              served_among: 0,
            }
          : null,
      queries: async (listing) => {
        const queries = new Set(events.map(({ query }) => query).filter((query) => query !== undefined));
        const { total, own } = found(queries, (query) => query, listing);
        return { total, queries: own.map((query) => ({ query, count: 1 })) };
      },
      query: async (query) =>
        events.some((event) => event.query === query)
          ? { query, model, count: 1, popularity: 1, queries: 1, near: { ...near, items: [], queries: [] }, led_to: [] }
          : null,
      dataHealth: async () => ({ state: 'working', model, failure: null, report: null }),
    };
  }

  async accept(events: readonly PlacedEvent[]): Promise<EventsAnswer> {
    const known = new Set(this.events.map(({ id }) => id).filter((id) => id !== undefined));
    let [accepted, duplicate] = [0, 0];
    for (const { event } of events) {
      if (event.id !== undefined && known.has(event.id)) duplicate++;
      else {
        accepted++;
        if (event.id !== undefined) known.add(event.id);
        this.events.push(event);
      }
    }
    return { accepted, duplicate, rejected: [] };
  }

  async upsertItems(items: readonly ItemUpsert[]) {
    for (const item of items) this.items.set(item.item, item);
    return { accepted: items.length, rejected: [] };
  }

  async upsertUsers(users: readonly UserUpsert[]) {
    for (const user of users) this.users.set(user.user, user);
    return { accepted: users.length, rejected: [] };
  }

  async erase(user: string) {
    const before = this.events.length;
    const kept = this.events.filter((event) => event.user !== user);
    this.events.splice(0, before, ...kept);
    return { erased: kept.length < before || this.users.delete(user), events: before - kept.length };
  }

  async models(): Promise<ModelEntry[]> {
    const entry = (run: string, state: ModelEntry['state']): ModelEntry => ({
      name: 'plain',
      version: run,
      run,
      state,
    });
    const answering = this.runs.map((run, i) => entry(run, i === this.runs.length - 1 ? 'active' : 'previous'));
    return this.shadow === null ? answering : [...answering, entry(this.shadow, 'shadow')];
  }

  async activate({ run, shadow }: ActivateRequest) {
    if (run === 'broken') throw new UserError('broken is no run');
    if (shadow) this.shadow = run;
    else this.runs.push(run);
    return this.models();
  }

  async rollback() {
    if (this.runs.length === 1) throw new UserError('there is no model before this one');
    this.runs.pop();
    return this.models();
  }

  async endShadow() {
    this.shadow = null;
    return this.models();
  }

  readonly wrong: string[] = [];
  troubles(): string[] {
    return this.wrong;
  }

  notReady(): string | null {
    return this.waitsFor;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
