/**
 * A recommender that is alive: a store, a model that answers, the one before it, perhaps one in its shadow. Knows who is asked, and in
 * which order things change; does not know how lists come about, nor where events lie.
 */
import { randomUUID } from 'node:crypto';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { UserError, messageOf } from '../base/index.js';
import { isActionType } from '../data/index.js';
import { type Answerer, type List, listFor, rankingFor } from './answering.js';
import { flawOfEvent, keptFields } from './checking.js';
import type { Inspection } from './inspection.js';
import { Inspector } from './inspector.js';
import { LiveCounts, Popularity } from './popularity.js';
import type {
  ActivateRequest,
  Engine,
  EngineOptions,
  EraseAnswer,
  EventsAnswer,
  InterestsAnswer,
  ItemUpsert,
  ModelEntry,
  PlacedEvent,
  RecommendationAnswer,
  RecommendationRequest,
  Rejection,
  SimilarAnswer,
  UpsertAnswer,
  UserUpsert,
} from './questions.js';
import { Retrieving } from './retrieval.js';
import { ServedModel } from './served-model.js';
import { similarItems } from './similar.js';
import { damaged, isDamage } from './store/damage.js';
import { openLmdbStore } from './store/lmdb-store.js';
import type { LiveStore, StoredThing } from './store/store.js';
import { tellAffinity, tellTimeline } from './telling.js';

/** The newest actions of a timeline. */
const TIMELINE = 10_000;
/** What was served is kept so long. */
const SERVED_MILLISECONDS = 90 * 24 * 60 * 60 * 1000;

/** Opens the store, loads the run, tries it out. The caller closes it. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const store = await openLmdbStore(options.store, { hooks: options.hooks ?? {} });
  try {
    return await LiveEngine.open(store, options);
  } catch (error) {
    await store.close();
    throw isDamage(error) ? damaged(options.store, messageOf(error).split('\n')[0] ?? '') : error;
  }
}

interface Settings extends EngineOptions {
  readonly runs: string;
  readonly cachedUsers: number;
  readonly exactUpTo: number;
  readonly candidates: number;
  readonly shadowShare: number;
  readonly begin: 'last' | 'given';
}

export class LiveEngine implements Engine {
  readonly #store: LiveStore;
  readonly #settings: Settings;
  readonly #counts = new LiveCounts();
  readonly #inspector: Inspector;
  #active: Answerer | null = null;
  #previous: Answerer | null = null;
  #shadow: Answerer | null = null;
  /** Items that were upserted while a model is being loaded, for it to catch up with. */
  #missed: StoredThing[] | null = null;
  /** Users who were erased while a model is being loaded. */
  #erasedMeanwhile: string[] | null = null;
  #switching: Promise<unknown> = Promise.resolve();
  readonly #warming = new AbortController();
  readonly #background = new Set<Promise<unknown>>();
  #isClosed = false;

  private constructor(store: LiveStore, options: EngineOptions) {
    this.#store = store;
    this.#inspector = new Inspector(store, () => this.#serving());
    this.#settings = {
      runs: dirname(resolve(options.run)),
      cachedUsers: 10_000,
      exactUpTo: 100_000,
      candidates: 2000,
      shadowShare: 0.1,
      begin: 'last',
      ...options,
    };
  }

  /** On any store: it belongs to the engine from then on. */
  static async open(store: LiveStore, options: EngineOptions): Promise<LiveEngine> {
    const engine = new LiveEngine(store, options);
    await engine.#countAnew();
    engine.#active = await engine.#loadFirst();
    engine.#warm(engine.#active);
    engine.#inBackground('forgetting what was served long ago', store.forgetServed(Date.now() - SERVED_MILLISECONDS));
    return engine;
  }

  /** The run that answered last, unless the server was started with another one since, or that one is wanted; the given one if it is broken. */
  async #loadFirst(): Promise<Answerer> {
    const { run, begin, hooks } = this.#settings;
    const last = begin === 'last' ? await this.#store.activeRun() : null;
    if (!last || last.started !== resolve(run) || last.active === last.started) return this.#load(run);
    try {
      const loaded = await this.#load(last.active);
      hooks?.began?.(loaded.model.name, 'it answered last');
      return loaded;
    } catch (error) {
      hooks?.failed?.(`${last.active} answered last and cannot be loaded: beginning with ${run}`, error);
      return this.#load(run);
    }
  }

  async recommend(request: RecommendationRequest, signal?: AbortSignal): Promise<RecommendationAnswer> {
    const start = performance.now();
    const id = `rec_${randomUUID().replaceAll('-', '')}`;
    const serving = this.#serving();
    const list = await serving.model.use(async () => listFor(serving, request, id, signal));
    const answer = { id, model: serving.model.name, took_ms: performance.now() - start, ...list };
    this.#store.recordServed({
      id,
      user: request.user ?? null,
      time: Date.now(),
      version: answer.model.version,
      source: list.source,
      items: list.items.map(({ item }) => item),
      probabilities: request.explore ? list.items.map(({ probability }) => probability ?? 1) : null,
    });
    this.#settings.hooks?.answered?.({ source: list.source, milliseconds: answer.took_ms });
    this.#cast(request, id, serving, list);
    return answer;
  }

  /** What the shadow would have answered, of a sample. */
  #cast(request: RecommendationRequest, id: string, active: Answerer, list: List): void {
    const shadow = this.#shadow;
    const { shadowed } = this.#settings.hooks ?? {};
    if (!shadow || !shadowed || Math.random() >= this.#settings.shadowShare) return;
    const { deadline_ms: _deadline, explain: _explain, explore: _explore, ...question } = request;
    const compare = async (): Promise<void> => {
      const other = await shadow.model.use(async () => listFor(shadow, question, id, undefined));
      shadowed({
        recommendation: id,
        model: shadow.model.name,
        items: other.items.map(({ item }) => item),
        active: active.model.name,
        activeItems: list.items.map(({ item }) => item),
      });
    };
    this.#inBackground('ranking in the shadow', compare());
  }

  async similar(item: string, k: number): Promise<SimilarAnswer | null> {
    const { model, popularity } = this.#serving();
    return model.use(async () => similarItems(model, popularity, item, k));
  }

  async interests(
    user: string,
    { affinity = false, most = TIMELINE }: { readonly affinity?: boolean; readonly most?: number } = {},
  ): Promise<InterestsAnswer> {
    const { model } = this.#serving();
    return model.use(async () => {
      const { history, ranker } = await model.known(user, []);
      const [actions = []] = await ranker.sides([history.moment]);
      const found = affinity ? await ranker.affinity(history.moment) : null;
      const { feed, search } = model.run.model.config.window;
      return {
        user,
        model: model.name,
        window: { feed, search: model.run.model.seesSearches ? search : 0 },
        ...tellTimeline(history, model.items, actions, most),
        ...(affinity ? { affinity: found && tellAffinity(history, found) } : {}),
      };
    });
  }

  get inspection(): Inspection {
    return this.#inspector;
  }

  async accept(events: readonly PlacedEvent[]): Promise<EventsAnswer> {
    this.#refuseWhenClosed();
    const now = Date.now();
    const rejected: Rejection[] = [];
    const sound = events.filter(({ index, event }) => {
      const flaw = flawOfEvent(event, now);
      if (flaw) rejected.push({ index, ...flaw });
      return !flaw;
    });
    const isNew = await this.#store.append(sound.map(({ event }) => event));
    const fresh = sound.filter((_, i) => isNew[i]);
    for (const { event } of fresh) {
      for (const serving of this.#loaded()) serving.model.forget(event.user);
      this.#inspector.met(event.user);
      if (event.item !== undefined && isActionType(event.type)) this.#counts.add(event.item, 1);
    }
    return { accepted: fresh.length, duplicate: sound.length - fresh.length, rejected };
  }

  async upsertItems(items: readonly ItemUpsert[]): Promise<UpsertAnswer> {
    this.#refuseWhenClosed();
    const changes = items.map(({ item, fields }) => ({ id: item, fields: keptFields(fields) }));
    const things = await this.#store.upsert('items', changes, Date.now());
    this.#missed?.push(...things);
    await Promise.all(this.#loaded().map(async ({ model }) => model.reviseItems(things)));
    return { accepted: items.length, rejected: [] };
  }

  async upsertUsers(users: readonly UserUpsert[]): Promise<UpsertAnswer> {
    this.#refuseWhenClosed();
    const changes = users.map(({ user, fields }) => ({ id: user, fields: keptFields(fields) }));
    await this.#store.upsert('users', changes, Date.now());
    for (const { model } of this.#loaded()) for (const { user } of users) model.forget(user);
    return { accepted: users.length, rejected: [] };
  }

  async erase(user: string): Promise<EraseAnswer> {
    this.#refuseWhenClosed();
    const { events, other } = await this.#store.erase(user, Date.now());
    this.#erasedMeanwhile?.push(user);
    for (const { model } of this.#loaded()) model.leaveOut(user);
    this.#inspector.forget(user);
    await this.#countAnew();
    const isOfRun = this.#serving().model.run.dataset.users.has(user);
    return { erased: events + other > 0 || isOfRun, events };
  }

  async #countAnew(): Promise<void> {
    const counts: (readonly [string, number])[] = [];
    for await (const counted of this.#store.actionCounts()) counts.push(counted);
    this.#counts.clear();
    for (const [item, count] of counts) this.#counts.add(item, count);
  }

  async models(): Promise<ModelEntry[]> {
    const states = [
      [this.#active, 'active'],
      [this.#previous, 'previous'],
      [this.#shadow, 'shadow'],
    ] as const;
    return states.flatMap(([serving, state]) =>
      serving ? [{ ...serving.model.name, state, run: serving.model.run.directory }] : [],
    );
  }

  async activate({ run, shadow = false }: ActivateRequest): Promise<ModelEntry[]> {
    return this.#inTurn(async () => {
      const directory = isAbsolute(run) ? run : join(this.#settings.runs, run);
      const loaded = await this.#load(directory);
      if (shadow) {
        const before = this.#shadow;
        this.#shadow = loaded;
        this.#retire(before);
      } else {
        const before = this.#previous;
        this.#previous = this.#active;
        this.#active = loaded;
        this.#retire(before);
        await this.#switched(loaded);
      }
      this.#warm(loaded);
      return this.models();
    });
  }

  async rollback(): Promise<ModelEntry[]> {
    return this.#inTurn(async () => {
      if (!this.#previous) throw new UserError('there is no model before this one: activate a run instead');
      [this.#active, this.#previous] = [this.#previous, this.#active];
      await this.#switched(this.#active);
      return this.models();
    });
  }

  async #switched({ model }: Answerer): Promise<void> {
    this.#settings.hooks?.switched?.(model.name);
    await this.#store.rememberActive({
      active: resolve(model.run.directory),
      started: resolve(this.#settings.run),
    });
  }

  notReady(): string | null {
    if (this.#isClosed) return 'it is closed';
    return this.#active ? null : 'no model is loaded yet';
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#warming.abort();
    await this.#inspector.close();
    await this.#switching.catch(() => undefined);
    await Promise.allSettled(this.#background);
    await Promise.all(this.#loaded().map(async ({ model }) => model.retire()));
    await Promise.allSettled(this.#background);
    await this.#store.close();
  }

  /** Loads a run, tries it out, and lets it catch up with what was upserted meanwhile. */
  async #load(directory: string): Promise<Answerer> {
    const { threads, cachedUsers, exactUpTo, candidates } = this.#settings;
    this.#missed = [];
    this.#erasedMeanwhile = [];
    try {
      const model = await ServedModel.load(directory, this.#store, { threads, cachedUsers });
      for (let missed = this.#missed; missed.length > 0; missed = this.#missed) {
        this.#missed = [];
        await model.reviseItems(missed);
      }
      const popularity = new Popularity(this.#counts, model.items, model.trainingCounts);
      const retrieval = model.items.size > exactUpTo ? await Retrieving.of(model, candidates) : null;
      for (const user of this.#erasedMeanwhile) model.leaveOut(user);
      return { model, popularity, retrieval };
    } finally {
      this.#missed = null;
      this.#erasedMeanwhile = null;
    }
  }

  #warm(serving: Answerer): void {
    const { model } = serving;
    const warm = model.use(async () => model.warmUp(async (known) => rankingFor(serving, known), this.#warming.signal));
    this.#inBackground('warming up', warm);
  }

  #retire(serving: Answerer | null): void {
    if (serving) this.#inBackground('ending a model', serving.model.retire());
  }

  #loaded(): Answerer[] {
    return [this.#active, this.#previous, this.#shadow].filter((serving) => serving !== null);
  }

  #serving(): Answerer {
    this.#refuseWhenClosed();
    if (!this.#active) throw new Error('no model is loaded yet');
    return this.#active;
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new Error('the engine is closed');
  }

  /** Changes of models come one after another. */
  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#refuseWhenClosed();
    const turn = this.#switching.then(work, work);
    this.#switching = turn.catch(() => undefined);
    return turn;
  }

  /** Does what nobody waits for. */
  #inBackground(what: string, work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => this.#settings.hooks?.failed?.(`${what}: ${messageOf(error)}`, error))
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}
