/**
 * A recommender that is alive: a store, a model that answers, the one before it, perhaps one in its shadow. Knows who is asked, and in
 * which order things change; does not know how lists come about, nor where events lie.
 */
import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { hashOf, messageOf } from '../base/index.js';
import { isActionType } from '../data/index.js';
import { type Answerer, type List, listFor } from './answering.js';
import { flawOfEvent, keptFields } from './checking.js';
import type { Engine, EngineOptions } from './engine-interface.js';
import type { Inspection } from './inspection.js';
import { Inspector } from './inspector.js';
import { LoadedModels, type ModelSettings } from './loaded-models.js';
import { LiveCounts } from './popularity.js';
import type {
  ActivateRequest,
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
import { similarItems } from './similar.js';
import { damaged, isDamage } from './store/damage.js';
import { openStore } from './store/open-store.js';
import { type Change, type LiveStore, StoreAwayError } from './store/store.js';
import { tellAffinity, tellTimeline } from './telling.js';

/** The newest actions of a timeline. */
const TIMELINE = 10_000;
/** What was served is kept so long. */
const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;
const SERVED_MILLISECONDS = 90 * DAY_MILLISECONDS;
/** Rankings of the shadow under way: more would pile up where it is slower than answers are asked for. */
const MOST_SHADOWED = 2;

/** Opens the store, loads the run, tries it out. The caller closes it. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const store = await openStore(options.store, { hooks: options.hooks ?? {} });
  try {
    return await LiveEngine.open(store, options);
  } catch (error) {
    await store.close();
    throw isDamage(error) ? damaged(options.store, messageOf(error).split('\n')[0] ?? '') : error;
  }
}

interface Settings extends ModelSettings {
  readonly shadowShare: number;
}

/** How often somebody's erasure has begun here, or was heard of, and how often it has ended. */
interface Erasures {
  readonly begun: number;
  readonly ended: number;
}

export class LiveEngine implements Engine {
  readonly #store: LiveStore;
  readonly #settings: Settings;
  readonly #counts = new LiveCounts();
  readonly #models: LoadedModels;
  readonly #inspector: Inspector;
  readonly #background = new Set<Promise<unknown>>();
  /** By the hashes of the ids of users. */
  readonly #erasures = new Map<string, Erasures>();
  /** The change of a shared store that is being taken in. */
  #taking: Promise<void> = Promise.resolve();
  #shadowed = 0;
  #forgetting: NodeJS.Timeout | null = null;
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
    this.#models = new LoadedModels({
      store,
      settings: this.#settings,
      counts: this.#counts,
      inBackground: (what, work) => this.#inBackground(what, work),
    });
  }

  /** On any store: it belongs to the engine from then on. */
  static async open(store: LiveStore, options: EngineOptions): Promise<LiveEngine> {
    const engine = new LiveEngine(store, options);
    await engine.#countAnew();
    await engine.#models.begin();
    store.sharing?.follow(async (change) => {
      engine.#taking = engine.#take(change);
      await engine.#taking;
    });
    engine.#forgetServed();
    engine.#forgetting = setInterval(() => engine.#forgetServed(), DAY_MILLISECONDS).unref();
    return engine;
  }

  #forgetServed(): void {
    const forgotten = this.#store.forgetServed(Date.now() - SERVED_MILLISECONDS);
    this.#inBackground('forgetting what was served long ago', forgotten);
  }

  async recommend(request: RecommendationRequest, signal?: AbortSignal): Promise<RecommendationAnswer> {
    const start = performance.now();
    const hash = hashOf(request.user ?? '');
    const { begun, ended } = this.#erasuresOf(hash);
    const id = `rec_${randomUUID().replaceAll('-', '')}`;
    const serving = this.#serving();
    const list = await serving.model.use(async () => listFor(serving, request, id, signal));
    const answer = { id, model: serving.model.name, took_ms: performance.now() - start, ...list };
    this.#store.recordServed({
      id,
      // who is being erased, or was meanwhile, is nobody that a list could be kept of
      user: begun === ended && this.#erasuresOf(hash).begun === begun ? (request.user ?? null) : null,
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

  /** Erasures of a user since this is open. */
  #erasuresOf(hash: string): Erasures {
    return this.#erasures.get(hash) ?? { begun: 0, ended: 0 };
  }

  /** Does what erases somebody; it has ended also where it fails. */
  async #whileErasing<Result>(user: string, work: () => Promise<Result>): Promise<Result> {
    const hash = hashOf(user);
    this.#noteErasure(hash, { begun: 1 });
    try {
      return await work();
    } finally {
      this.#noteErasure(hash, { ended: 1 });
    }
  }

  #noteErasure(hash: string, { begun = 0, ended = 0 }: Partial<Erasures>): void {
    const before = this.#erasuresOf(hash);
    this.#erasures.set(hash, { begun: before.begun + begun, ended: before.ended + ended });
  }

  /** What the shadow would have answered, of a sample of the answers that came in time. */
  #cast(request: RecommendationRequest, id: string, active: Answerer, list: List): void {
    const { shadow } = this.#models;
    const { shadowed } = this.#settings.hooks ?? {};
    if (!shadow || !shadowed || list.degraded || Math.random() >= this.#settings.shadowShare) return;
    if (this.#shadowed >= MOST_SHADOWED) return;
    this.#shadowed++;
    const { deadline_ms: _deadline, explain: _explain, explore = 0, ...question } = request;
    const compare = async (): Promise<void> => {
      try {
        const other = await shadow.model.use(async () => listFor(shadow, question, id, undefined));
        shadowed({
          recommendation: id,
          model: shadow.model.name,
          source: other.source,
          items: other.items.map(({ item }) => item),
          active: active.model.name,
          activeSource: list.source,
          explored: explore > 0,
          activeItems: list.items.map(({ item }) => item),
        });
      } finally {
        this.#shadowed--;
      }
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
      const { history, ranker, missing } = await model.known(user, []);
      if (missing !== null) throw new StoreAwayError('the live store does not answer');
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
      for (const { model } of this.#models.all()) model.forget(event.user);
      // where others write too, counts are told by the store
      if (!this.#store.sharing && event.item !== undefined && isActionType(event.type)) this.#counts.add(event.item, 1);
    }
    return { accepted: fresh.length, duplicate: sound.length - fresh.length, rejected };
  }

  async upsertItems(items: readonly ItemUpsert[]): Promise<UpsertAnswer> {
    this.#refuseWhenClosed();
    const changes = items.map(({ item, fields }) => ({ id: item, fields: keptFields(fields) }));
    const things = await this.#store.upsert('items', changes, Date.now());
    await this.#models.atAll(async (model) => model.reviseItems(things));
    return { accepted: items.length, rejected: [] };
  }

  async upsertUsers(users: readonly UserUpsert[]): Promise<UpsertAnswer> {
    this.#refuseWhenClosed();
    const changes = users.map(({ user, fields }) => ({ id: user, fields: keptFields(fields) }));
    await this.#store.upsert('users', changes, Date.now());
    for (const { model } of this.#models.all()) for (const { user } of users) model.forget(user);
    return { accepted: users.length, rejected: [] };
  }

  async erase(user: string): Promise<EraseAnswer> {
    this.#refuseWhenClosed();
    const { run } = this.#serving().model;
    const wasHidden = await this.#serving().model.hides(user);
    const { events, other } = await this.#whileErasing(user, async () => {
      const gone = await this.#store.erase(user, Date.now());
      await this.#models.atAll(async (model) => model.leaveOut(user));
      return gone;
    });
    this.#inspector.forget(user);
    if (this.#store.sharing)
      this.#counts.beginEra(); // live counts are told by the store
    else await this.#countAnew();
    return { erased: events + other > 0 || (run.dataset.users.has(user) && !wasHidden), events };
  }

  async #countAnew(): Promise<void> {
    const counts: (readonly [string, number])[] = [];
    for await (const counted of this.#store.actionCounts()) counts.push(counted);
    this.#counts.clear();
    for (const [item, count] of counts) this.#counts.add(item, count);
  }

  async models(): Promise<ModelEntry[]> {
    return this.#models.entries();
  }

  async activate(request: ActivateRequest): Promise<ModelEntry[]> {
    this.#refuseWhenClosed();
    return this.#models.activate(request);
  }

  async rollback(): Promise<ModelEntry[]> {
    this.#refuseWhenClosed();
    return this.#models.rollback();
  }

  async endShadow(): Promise<ModelEntry[]> {
    this.#refuseWhenClosed();
    return this.#models.endShadow();
  }

  /** Takes in what changed in a store that others write to; what this engine changed itself comes as well. */
  async #take(change: Change): Promise<void> {
    if (this.#isClosed) return;
    switch (change.kind) {
      case 'counts':
        for (const [item, count] of change.counts) this.#counts.set(item, count);
        return;
      case 'items': {
        const found = await Promise.all(change.ids.map(async (id) => this.#store.thing('items', id)));
        const things = found.filter((thing) => thing !== null);
        return this.#models.atAll(async (model) => model.reviseItems(things));
      }
      case 'erased':
        this.#inspector.forgetHash(change.hash);
        this.#noteErasure(change.hash, { begun: 1, ended: 1 });
        await this.#models.atAll(async (model) => model.leaveOutHash(change.hash));
        this.#counts.beginEra();
        return;
      case 'model':
        this.#models.follow(change.run, change.number);
        return;
      case 'missed': {
        await this.#countAnew();
        await this.#models.atAll(async (model) => model.readAgain());
        this.#counts.beginEra();
        const run = await this.#store.activeRun();
        if (run) this.#models.follow(run, null);
      }
    }
  }

  troubles(): string[] {
    const { sharing } = this.#store;
    const troubles = [sharing?.away() ? 'the live store does not answer' : null, this.#models.trouble];
    return troubles.filter((trouble) => trouble !== null);
  }

  notReady(): string | null {
    if (this.#isClosed) return 'it is closed';
    return this.#models.active ? null : 'no model is loaded yet';
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#forgetting ?? undefined);
    await this.#inspector.close();
    await this.#models.end();
    await this.#taking.catch(() => undefined);
    await Promise.allSettled(this.#background);
    await this.#models.retireAll();
    await Promise.allSettled(this.#background);
    await this.#store.close();
  }

  #serving(): Answerer {
    this.#refuseWhenClosed();
    if (!this.#models.active) throw new Error('no model is loaded yet');
    return this.#models.active;
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new Error('the engine is closed');
  }

  /** Does what nobody waits for. */
  #inBackground(what: string, work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => this.#settings.hooks?.failed?.(`${what}: ${messageOf(error)}`, error))
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}
