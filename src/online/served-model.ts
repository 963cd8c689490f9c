/**
 * A run that answers: loaded, warm, checked, with the items that came since. Knows one model and its threads; does not know requests.
 */
import { basename } from 'node:path';
import { Turns, UserError, at, hashOf, isFiniteEverywhere, range } from '../base/index.js';
import { FIRST_INDEX, UNKNOWN } from '../data/index.js';
import { roomsOf } from '../features/index.js';
import {
  type AlignedVectors,
  type GraphRanker,
  type Run,
  countTrainingEvents,
  loadRun,
  rankerOf,
} from '../model/index.js';
import { Runtime } from '../tensor/index.js';
import { type KnownUser, knownBy } from './known-user.js';
import { KnownUsers } from './known-users.js';
import { LiveCatalogue, valueIndices } from './live-catalogue.js';
import { type LiveHistory, type Person, liveHistory } from './live-history.js';
import type { LiveEvent, ModelName } from './questions.js';
import { throughOf } from './store/live-log.js';
import { UserHashes } from './user-hashes.js';
import { type LiveStore, StoreAwayError, type StoredEvent, type StoredThing } from './store/store.js';

/** The newest events of a user that are read from the store. */
const NEWEST_EVENTS = 5000;
/** Histories and what they were encoded to may take so much memory. */
const CACHED_BYTES = 256 * 2 ** 20;
/** People that a model is tried on before it answers anybody. */
const CANARIES = 3;
/** Threads that rank give way to the one that takes events and answers, which needs little at a time. */
const NICENESS = 5;
/** People that a model ranks for before anybody asks, and for how long. */
const [REHEARSALS, REHEARSING_MILLISECONDS] = [300, 2000];

/** What a store has of somebody. */
interface StoredOf {
  readonly events: readonly StoredEvent[];
  readonly thing: StoredThing | null;
  readonly isHidden: boolean;
}

export class ServedModel {
  readonly run: Run;
  readonly items: LiveCatalogue;
  /** Training events of every item of the run, without those of users who were erased. */
  readonly trainingCounts: Float32Array;
  /** Users of the run who were erased: nothing is counted or looked up of theirs. */
  readonly erased = new Set<number>();
  readonly #runtime: Runtime;
  readonly #base: GraphRanker;
  readonly #store: LiveStore;
  readonly #cached: KnownUsers<KnownUser>;
  readonly #hashes: UserHashes;
  /** The events of the store that are in the run's data already. */
  readonly through: number;
  #answering = 0;
  #idle: (() => void) | null = null;
  readonly #revising = new Turns();

  private constructor(run: Run, store: LiveStore, runtime: Runtime, cachedUsers: number) {
    this.run = run;
    this.#store = store;
    this.#runtime = runtime;
    this.#cached = new KnownUsers(cachedUsers, CACHED_BYTES);
    this.#hashes = new UserHashes(run.dataset.users);
    this.items = new LiveCatalogue(run.dataset, run.model.config);
    this.trainingCounts = countTrainingEvents(run.dataset);
    this.#base = rankerOf(run.model, run.parameters, run.dataset, runtime);
    this.through = throughOf(run.dataset.manifest, store.id);
  }

  /** Loads a run, works out its items and those of the store, and tries it. One that fails the trial is a `UserError`. */
  static async load(
    directory: string,
    store: LiveStore,
    { threads, cachedUsers }: { readonly threads?: number | undefined; readonly cachedUsers: number },
  ): Promise<ServedModel> {
    const run = await loadRun(directory);
    const runtime = new Runtime({ niceness: NICENESS, ...(threads === undefined ? {} : { threads }) });
    try {
      const model = new ServedModel(run, store, runtime, cachedUsers);
      await model.readAgain();
      await model.#tryOut();
      return model;
    } catch (error) {
      await runtime.dispose();
      throw error;
    }
  }

  /** Takes in all items of the store, and all users who were erased from it. */
  async readAgain(): Promise<void> {
    const things: StoredThing[] = [];
    for await (const thing of this.#store.things('items')) things.push(thing);
    // new items get their places in one order, on every server
    things.sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
    await this.reviseItems(things);
    const erased = new Set<string>();
    for await (const [hash, through] of this.#store.erasedUsers()) if (this.#isOfBefore(through)) erased.add(hash);
    if (erased.size === 0) return;
    for (const user of this.run.dataset.users.ids) if (erased.has(hashOf(user))) this.leaveOut(user);
  }

  get name(): ModelName {
    return { name: basename(this.run.directory), version: this.run.version };
  }

  /** Whether new items can be told apart from one another. */
  get seesAttributes(): boolean {
    return this.run.model.sees.includes('item attributes');
  }

  /** Items of the run below it can be told apart: without attributes only those that training knew. */
  get toldApart(): number {
    return this.seesAttributes ? this.run.dataset.items.ids.length : this.items.firstNew;
  }

  /** Whether the model has anything to go by. */
  sees({ feedCount, searchCount }: LiveHistory): boolean {
    return feedCount > 0 || (this.run.model.seesSearches && searchCount > 0);
  }

  /** Does some work with the model, which stays until it is done. */
  async use<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#answering++;
    try {
      return await work();
    } finally {
      this.#answering--;
      if (this.#answering === 0) this.#idle?.();
    }
  }

  /**
   * What is known of somebody: by what is stored, cached until that changes, and what the session adds. While the store is away, what is cached, or what the
   * run has.
   */
  async known(user: string | null, session: readonly LiveEvent[]): Promise<KnownUser> {
    try {
      if (user === null || session.length > 0) return await this.#meet(user, session);
      const revision = await this.#store.sharing?.revisionOf(user);
      return await this.#cached.get(user, async (charge) => this.#meet(user, [], charge), revision);
    } catch (error) {
      if (!(error instanceof StoreAwayError) || user === null) throw error;
      const cached = session.length > 0 ? null : await this.#cached.peek(user)?.catch(() => null);
      return cached ? { ...cached, missing: 'newest' } : this.knownByRun(user, session);
    }
  }

  /** What the run has of somebody, and the session. */
  knownByRun(user: string | null, session: readonly LiveEvent[]): KnownUser {
    const isHidden = user !== null && this.erased.has(this.run.dataset.users.index(user));
    const stored = { events: [], thing: null, isHidden };
    return { ...knownBy(this.#base, this.#historyOf(user, stored, session)), missing: 'stored' };
  }

  /** Whether the run's data are of before an erasure: then what they have of that user counts no longer, else they have somebody new. */
  #isOfBefore(erasedThrough: number): boolean {
    return erasedThrough >= this.through;
  }

  /** Whether what the run has of a user does not count, for the user was erased since. */
  async hides(user: string): Promise<boolean> {
    const erased = await this.#store.erasedThrough(user);
    return erased !== null && this.#isOfBefore(erased);
  }

  /** Something changed about a user. */
  forget(user: string): void {
    this.#cached.forget(user);
  }

  /** Somebody was erased, of whom the hash is told. */
  async leaveOutHash(hash: string): Promise<void> {
    for (const user of this.#cached.users()) if (hashOf(user) === hash) this.forget(user);
    const user = await this.#hashes.find(hash);
    if (user !== null) this.leaveOut(user);
  }

  /** Somebody was erased: what the run's data have of them counts no longer. */
  leaveOut(user: string): void {
    this.forget(user);
    const { users, feedOffsets, heldOutStart, feedItem } = this.run.dataset;
    const own = users.index(user);
    if (own < FIRST_INDEX || this.erased.has(own)) return;
    this.erased.add(own);
    for (let place = at(feedOffsets, own); place < at(heldOutStart, own); place++) {
      const item = at(feedItem, place);
      this.trainingCounts[item] = at(this.trainingCounts, item) - 1;
    }
  }

  async #meet(
    user: string | null,
    session: readonly LiveEvent[],
    charge?: (bytes: number) => void,
  ): Promise<KnownUser> {
    const [events, thing, isHidden] =
      user === null
        ? [[], null, false]
        : await Promise.all([
            this.#store.historyOf(user, NEWEST_EVENTS),
            this.#store.thing('users', user),
            this.hides(user),
          ]);
    return knownBy(this.#base, this.#historyOf(user, { events, thing, isHidden }, session), charge);
  }

  #historyOf(user: string | null, { events, thing, isHidden }: StoredOf, session: readonly LiveEvent[]): LiveHistory {
    const own = isHidden || user === null ? UNKNOWN : this.run.dataset.users.index(user);
    const { userAttributes } = this.run.model.config;
    const person: Person = {
      user: own,
      row: own < this.run.dataset.trainedUsers ? own : UNKNOWN,
      attributes: valueIndices(userAttributes, this.run.dataset.userAttributes, thing?.fields ?? null, own),
    };
    const counted = events.filter(({ sequence }) => sequence > this.through).map(({ event }) => event);
    return liveHistory(this.run.dataset, this.items, person, [...counted, ...session], !isHidden);
  }

  /** Takes in items that were upserted; resolves when the model ranks by them. */
  async reviseItems(things: readonly StoredThing[]): Promise<void> {
    return this.#revising.take(async () => {
      const changed = this.items.revise(things);
      if (changed.length === 0) return;
      this.#cached.clear(); // histories may hold them
      const nobody = liveHistory(this.run.dataset, this.items, NOBODY, [], false);
      await this.#base.forHistories(nobody).reviseItems(changed);
    });
  }

  /** Gives back the memory that ranking the whole catalogue took: for catalogues that are retrieved from afterwards. */
  letGo(): void {
    this.#base.letGo();
  }

  /** The vectors of all items. */
  async vectors(): Promise<{ readonly vectors: Float32Array; readonly width: number }> {
    return this.#base.catalogueVectors();
  }

  /** The space where queries and items are drawn together; null where the model has none. */
  async aligned(signal?: AbortSignal): Promise<AlignedVectors | null> {
    return this.#base.aligned(signal);
  }

  /** Somebody's history as it would be otherwise, which nobody keeps. */
  imagined(history: LiveHistory): KnownUser {
    return knownBy(this.#base, history);
  }

  /** Ranks for people of the run with long and short histories, twice: scores must be numbers, and the same. */
  async #tryOut(): Promise<void> {
    for (const history of this.histories(CANARIES)) {
      const scores = await this.scoresFor(history);
      const again = await this.scoresFor(history);
      if (!isFiniteEverywhere(scores))
        throw new UserError(`${this.run.directory} is not served: some of its scores are no numbers`);
      if (!scores.every((score, i) => score === at(again, i)))
        throw new UserError(`${this.run.directory} is not served: the same question gave two answers`);
    }
  }

  /** Histories of about so many users of the run, from among all of them; others for another `shift`, below 1. */
  *histories(count: number, shift = 0): Generator<LiveHistory> {
    const { dataset } = this.run;
    const users = dataset.users.ids.length - FIRST_INDEX;
    const step = Math.max(1, Math.floor(users / count));
    for (const i of range(Math.min(users, count))) {
      const user = FIRST_INDEX + Math.floor((i + shift) * step);
      if (this.erased.has(user)) continue;
      const person: Person = { user, row: Math.min(user, dataset.trainedUsers - 1), attributes: {} };
      const history = liveHistory(dataset, this.items, person, [], true);
      if (this.sees(history)) yield history;
    }
  }

  /** Scores of all items, from the first one that is none of padding and unknown. */
  async scoresFor(history: LiveHistory): Promise<Float32Array> {
    const { ranker, encoded } = knownBy(this.#base, history);
    return (await ranker.scoreAllFor(await encoded())).subarray(FIRST_INDEX);
  }

  /**
   * Compiles what histories of every length will need, then ranks for some people of the run, so that nobody waits for either, nor for what the
   * engine of JavaScript makes of code that runs often. `rank`: ranks as requests are ranked.
   */
  async warmUp(rank: (known: KnownUser) => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const { window } = this.run.model.config;
    const item = this.run.dataset.items.ids[FIRST_INDEX];
    if (item === undefined) return;
    for (const feedRoom of roomsOf(window.feed).toReversed()) {
      for (const searchRoom of roomsOf(window.search).toReversed()) {
        for (let lane = 0; lane < this.#runtime.threads; lane++) {
          if (signal.aborted) return;
          const feed = Array.from({ length: feedRoom }, () => ({ type: 'view', item }));
          const searches = Array.from({ length: searchRoom }, () => ({ type: 'search', query: '' }));
          const events = [...feed, ...searches].map((event) => ({ ...event, user: '', time: 0 }));
          await rank(knownBy(this.#base, liveHistory(this.run.dataset, this.items, NOBODY, events, false)));
        }
      }
    }
    const end = performance.now() + REHEARSING_MILLISECONDS;
    for (const history of this.histories(REHEARSALS)) {
      if (signal.aborted || performance.now() > end) return;
      await rank(knownBy(this.#base, history));
    }
  }

  /** Ends its threads when nobody is being answered any more. */
  async retire(): Promise<void> {
    while (this.#answering > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    await this.#revising.over();
    await this.#runtime.dispose();
  }
}

const NOBODY: Person = { user: UNKNOWN, row: UNKNOWN, attributes: {} };
