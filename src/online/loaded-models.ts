/**
 * The models of an engine: the one that answers, the one before it, perhaps one in its shadow, and how they change. Knows the order of changes, here and on other
 * servers that share the store; does not know requests.
 *
 * Whoever activates a run has loaded and checked it before others hear of it. They load and check it as well; one that cannot goes on with what it has,
 * says so, and tries again.
 */
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { Turns, UserError } from '../base/index.js';
import { type Answerer, rankingFor } from './answering.js';
import { type LiveCounts, Popularity } from './popularity.js';
import type { EngineOptions } from './engine-interface.js';
import type { ActivateRequest, ModelEntry } from './questions.js';
import { Retrieving } from './retrieval.js';
import { ServedModel } from './served-model.js';
import type { ActiveRun, LiveStore } from './store/store.js';

/** A model that others switched to and that could not be loaded here is tried again so often. */
const AGAIN_MILLISECONDS = 30_000;

export interface ModelSettings extends EngineOptions {
  readonly runs: string;
  readonly cachedUsers: number;
  readonly exactUpTo: number;
  readonly candidates: number;
  readonly begin: 'last' | 'given';
}

export interface ModelsOptions {
  readonly store: LiveStore;
  readonly settings: ModelSettings;
  readonly counts: LiveCounts;
  /** Does what nobody waits for, and tells what fails. */
  readonly inBackground: (what: string, work: Promise<unknown>) => void;
}

/** A run that was activated, and the number of that change; 0 where it is not known. */
interface Wanted {
  readonly run: ActiveRun;
  readonly number: number;
}

export class LoadedModels {
  readonly #store: LiveStore;
  readonly #settings: ModelSettings;
  readonly #counts: LiveCounts;
  readonly #inBackground: ModelsOptions['inBackground'];
  #active: Answerer | null = null;
  #previous: Answerer | null = null;
  #shadow: Answerer | null = null;
  /** Loaded, and not in its place yet. */
  #coming: Answerer | null = null;
  /** What changes while a model is being loaded, for it to catch up with. */
  #meanwhile: ((model: ServedModel) => Promise<void>)[] | null = null;
  /** The run that was activated last, here or by another server. */
  #wanted: Wanted | null = null;
  /** What the store remembered when it was last heard of, as JSON. */
  #known = 'null';
  /** Why the model that was activated last does not answer here. */
  #trouble: string | null = null;
  #again: NodeJS.Timeout | null = null;
  readonly #switching = new Turns();
  readonly #ending = new AbortController();

  constructor({ store, settings, counts, inBackground }: ModelsOptions) {
    this.#store = store;
    this.#settings = settings;
    this.#counts = counts;
    this.#inBackground = inBackground;
  }

  get active(): Answerer | null {
    return this.#active;
  }

  get shadow(): Answerer | null {
    return this.#shadow;
  }

  /** Null where the model that was activated last answers. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Loads what is to answer first. */
  async begin(): Promise<void> {
    this.#place(await this.#loadFirst());
  }

  /** The run that answered last, unless the server was started with another one since, or that one is wanted; the given one if it is broken. */
  async #loadFirst(): Promise<Answerer> {
    const { run, begin, hooks } = this.#settings;
    const stored = await this.#store.activeRun();
    this.#known = JSON.stringify(stored);
    const last = begin === 'last' ? stored : null;
    if (!last || last.started !== this.#told(run)) return this.#load(run);
    this.#wanted = { run: last, number: 0 };
    try {
      const loaded = await this.#load(this.#directoryOf(last.active), this.#versionOf(last));
      if (last.active !== last.started) hooks?.began?.(loaded.model.name, 'it answered last');
      return loaded;
    } catch (error) {
      if (last.active === last.started && !this.#store.sharing) throw error;
      hooks?.failed?.(`${last.active} answered last and cannot be loaded: beginning with ${run}`, error);
      if (this.#store.sharing) this.#cannotFollow(last);
      return this.#load(run);
    }
  }

  /** A run directory as the store has it: where it is shared, by its name, since others may have it elsewhere. */
  #told(directory: string): string {
    const absolute = resolve(directory);
    return this.#store.sharing && dirname(absolute) === resolve(this.#settings.runs) ? basename(absolute) : absolute;
  }

  #directoryOf(run: string): string {
    return isAbsolute(run) ? run : join(this.#settings.runs, run);
  }

  /** Where several servers share a store, all of them answer with the same parameters. */
  #versionOf({ version }: ActiveRun): string | undefined {
    return this.#store.sharing ? version : undefined;
  }

  /** Those that are loaded. */
  all(): Answerer[] {
    return [this.#active, this.#previous, this.#shadow, this.#coming].filter((serving) => serving !== null);
  }

  entries(): ModelEntry[] {
    const states = [
      [this.#active, 'active'],
      [this.#previous, 'previous'],
      [this.#shadow, 'shadow'],
    ] as const;
    return states.flatMap(([serving, state]) =>
      serving ? [{ ...serving.model.name, state, run: serving.model.run.directory }] : [],
    );
  }

  /** Does something to every model, also to the one that is being loaded. */
  async atAll(work: (model: ServedModel) => Promise<void>): Promise<void> {
    this.#meanwhile?.push(work);
    await Promise.all(this.all().map(async ({ model }) => work(model)));
  }

  async activate({ run, shadow = false }: ActivateRequest): Promise<ModelEntry[]> {
    return this.#inTurn(async () => {
      const loaded = await this.#load(this.#directoryOf(run));
      if (shadow) {
        const before = this.#shadow;
        this.#shadow = loaded;
        this.#coming = null;
        this.#retire(before);
        this.#warm(loaded);
      } else {
        await this.#announce(loaded);
        this.#place(loaded);
      }
      return this.entries();
    });
  }

  async rollback(): Promise<ModelEntry[]> {
    return this.#inTurn(async () => {
      const told = this.#store.sharing ? (this.#wanted?.run.previous ?? null) : null;
      const own = this.#previous;
      if (own && (!told || own.model.run.version === told.version)) {
        await this.#announce(own);
        this.#swap();
      } else if (told) {
        const loaded = await this.#load(this.#directoryOf(told.run), told.version);
        await this.#announce(loaded);
        this.#place(loaded);
      } else throw new UserError('there is no model before this one: activate a run instead');
      return this.entries();
    });
  }

  async endShadow(): Promise<ModelEntry[]> {
    return this.#inTurn(async () => {
      this.#castOff();
      return this.entries();
    });
  }

  #castOff(): void {
    this.#retire(this.#shadow);
    this.#shadow = null;
  }

  /** Makes the store remember which model answers from now on, which tells everybody who shares it. */
  async #announce(next: Answerer): Promise<void> {
    const { model } = next;
    const before = (this.#answers(next) ? this.#previous : this.#active)?.model;
    const run: ActiveRun = {
      active: this.#told(model.run.directory),
      started: this.#told(this.#settings.run),
      version: model.run.version,
      previous: before ? { run: this.#told(before.run.directory), version: before.run.version } : null,
    };
    try {
      const number = await this.#store.rememberActive(run);
      // a later change may have been heard of before this answer came: that one is wanted then
      if (number >= (this.#wanted?.number ?? 0)) {
        this.#wanted = { run, number };
        this.#known = JSON.stringify(run);
      }
    } catch (error) {
      if (next === this.#coming) {
        this.#coming = null;
        this.#retire(next);
      }
      throw error;
    }
    this.#followed();
  }

  /**
   * A run was activated: so it is here, if that can be done. What was known before is no news: a server that was started with another run goes on with that.
   * @param number of the change, null where it was not heard
   */
  follow(run: ActiveRun, number: number | null): void {
    const told = JSON.stringify(run);
    if (number === null ? told === this.#known : number <= (this.#wanted?.number ?? 0)) return;
    this.#known = told;
    this.#wanted = { run, number: number ?? this.#wanted?.number ?? 0 };
    this.#tryToFollow();
  }

  #tryToFollow(): void {
    if (this.#ending.signal.aborted) return;
    this.#inBackground(
      'switching as others did',
      this.#inTurn(async () => this.#becomeWanted()),
    );
  }

  async #becomeWanted(): Promise<void> {
    if (!this.#wanted || this.#ending.signal.aborted) return;
    const { run } = this.#wanted;
    const isWanted = (serving: Answerer | null): boolean => serving?.model.run.version === run.version;
    try {
      if (!isWanted(this.#active)) {
        if (isWanted(this.#previous)) this.#swap();
        else this.#place(await this.#load(this.#directoryOf(run.active), run.version));
      }
      this.#followed();
    } catch (error) {
      this.#cannotFollow(run);
      throw error;
    }
  }

  #followed(): void {
    this.#trouble = null;
    clearTimeout(this.#again ?? undefined);
  }

  #cannotFollow({ active }: ActiveRun): void {
    this.#trouble = `the run ${basename(active)} was activated and cannot be loaded here; the log says why`;
    clearTimeout(this.#again ?? undefined);
    this.#again = setTimeout(() => this.#tryToFollow(), AGAIN_MILLISECONDS).unref();
  }

  /** Whether it is the active run, loaded once more: its parameters, from its directory. */
  #answers({ model: { run } }: Answerer): boolean {
    const active = this.#active?.model.run;
    return active?.version === run.version && active.directory === run.directory;
  }

  /** A model that was loaded answers from now on, and the one before it stays: of one that is activated again, the one before both. */
  #place(loaded: Answerer): void {
    const isAgain = this.#answers(loaded);
    const before = isAgain ? this.#active : this.#previous;
    const isFirst = this.#active === null;
    if (!isAgain) this.#previous = this.#active;
    this.#active = loaded;
    this.#coming = null;
    this.#retire(before);
    this.#endOwnShadow();
    this.#warm(loaded);
    if (!isFirst) this.#settings.hooks?.switched?.(loaded.model.name);
  }

  /** A run that answers has nothing to show in its own shadow. */
  #endOwnShadow(): void {
    if (this.#shadow && this.#answers(this.#shadow)) this.#castOff();
  }

  #swap(): void {
    [this.#active, this.#previous] = [this.#previous, this.#active];
    this.#endOwnShadow();
    if (this.#active) this.#settings.hooks?.switched?.(this.#active.model.name);
  }

  /**
   * Loads a run, tries it out, and lets it catch up with what changed meanwhile.
   * @param version what its parameters must be
   */
  async #load(directory: string, version?: string): Promise<Answerer> {
    const { threads, cachedUsers, exactUpTo, candidates } = this.#settings;
    this.#meanwhile = [];
    let model: ServedModel | null = null;
    try {
      model = await ServedModel.load(directory, this.#store, { threads, cachedUsers });
      if (version !== undefined && model.run.version !== version)
        throw new UserError(`${directory} has other parameters than the run that was activated`);
      await this.#catchUp(model);
      const popularity = new Popularity(this.#counts, model.items, model.trainingCounts);
      const retrieval = model.items.size > exactUpTo ? await Retrieving.of(model, candidates) : null;
      await this.#catchUp(model);
      this.#coming = { model, popularity, retrieval };
      return this.#coming;
    } catch (error) {
      await model?.retire();
      throw error;
    } finally {
      this.#meanwhile = null;
    }
  }

  async #catchUp(model: ServedModel): Promise<void> {
    for (let missed = this.#meanwhile; missed && missed.length > 0; missed = this.#meanwhile) {
      this.#meanwhile = [];
      for (const work of missed) await work(model);
    }
  }

  #warm(serving: Answerer): void {
    const { model } = serving;
    const warm = model.use(async () => model.warmUp(async (known) => rankingFor(serving, known), this.#ending.signal));
    this.#inBackground('warming up', warm);
  }

  #retire(serving: Answerer | null): void {
    if (serving) this.#inBackground('ending a model', serving.model.retire());
  }

  /** Changes of models come one after another. */
  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#switching.take(work);
  }

  /** Waits for a change that is under way; nothing begins from then on. */
  async end(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#again ?? undefined);
    await this.#switching.over();
  }

  async retireAll(): Promise<void> {
    await Promise.all(this.all().map(async ({ model }) => model.retire()));
  }
}
