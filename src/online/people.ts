/** People by id, with how much is known of each. Knows counts and times of a run and of a store; does not know what models make of them. */
import { setImmediate as breathe } from 'node:timers/promises';
import { Turns, at, hashOf } from '../base/index.js';
import { type Dataset, FIRST_INDEX, UNKNOWN } from '../data/index.js';
import type { Listing, PeopleAnswer, Person } from './inspection.js';
import { isOfFeed } from './live-history.js';
import type { ServedModel } from './served-model.js';
import type { LiveStore } from './store/store.js';
import { TextIndex, comparable } from './text-index.js';

/** Live events that are read before others have their turn. */
const STRETCH = 2000;
/** Newest events of a user that are counted, as many as a history is made of. */
const COUNTED = 5000;
/** Ranks by activity go up to so much; above it all are alike. */
const MOST_ACTIVE = 10_000;

/** What finds the users of a run. */
interface Found {
  readonly index: TextIndex;
  /** Those with most of both lanes first. */
  readonly byActivity: Int32Array;
}

/** The people of one model: those of its run, and those of the store whom the run does not know. */
export class People {
  readonly #model: ServedModel;
  readonly #store: LiveStore;
  /** Ids with live events that the run does not know, or of whom it has somebody who was erased; whoever was new last comes last. */
  readonly #strangers = new Set<string>();
  /** The newest live event that was read. */
  #read = 0;
  readonly #reading = new Turns();
  /** Worked out when people are first asked for. */
  #ready: Promise<Found> | null = null;

  constructor(model: ServedModel, store: LiveStore) {
    this.#model = model;
    this.#store = store;
  }

  async #begin(): Promise<Found> {
    const { dataset } = this.#model.run;
    const { ids } = dataset.users;
    return {
      index: await TextIndex.of(FIRST_INDEX, ids.length, (user) => ids[user] ?? ''),
      byActivity: byActivity(dataset),
    };
  }

  /** Reads the live events that came since. */
  async #catchUp(): Promise<void> {
    let read = 0;
    for await (const { sequence, event } of this.#store.events(this.#read)) {
      this.#read = sequence;
      const own = this.#model.run.dataset.users.index(event.user);
      if (own < FIRST_INDEX || this.#model.erased.has(own)) this.#strangers.add(event.user);
      if (++read % STRETCH === 0) await breathe();
    }
  }

  forget(user: string): void {
    this.#strangers.delete(user);
  }

  forgetHash(hash: string): void {
    for (const user of this.#strangers) if (hashOf(user) === hash) this.#strangers.delete(user);
  }

  async list({ search = '', limit, offset }: Listing, signal?: AbortSignal): Promise<PeopleAnswer> {
    this.#ready ??= this.#begin();
    const { index, byActivity } = await this.#ready;
    await this.#reading.take(async () => this.#catchUp());
    const { erased, run } = this.#model;
    const { users } = run.dataset;
    const wanted = comparable(search.trim());
    if (wanted === '') {
      const strangers = [...this.#strangers].toReversed();
      const known = erased.size === 0 ? byActivity : byActivity.filter((user) => !erased.has(user));
      const ids = (place: number): string => strangers[place] ?? users.ids[at(known, place - strangers.length)] ?? '';
      return this.#told(known.length + strangers.length, offset, limit, ids);
    }
    const found = (await index.find(wanted, signal))
      .filter((user) => !erased.has(user))
      .map((user) => users.ids[user] ?? '');
    for (const id of this.#strangers) if (comparable(id).includes(wanted)) found.push(id);
    const groups: string[][] = [[], [], []];
    for (const id of found) {
      const own = comparable(id);
      const rank = own === wanted ? 0 : own.startsWith(wanted) ? 1 : 2;
      (groups[rank] as string[]).push(id);
    }
    const sorted = groups.flat();
    return this.#told(sorted.length, offset, limit, (place) => sorted[place] as string);
  }

  async #told(total: number, offset: number, limit: number, idAt: (place: number) => string): Promise<PeopleAnswer> {
    const people: Person[] = [];
    for (let place = offset; place < Math.min(total, offset + limit); place++) {
      const person = await this.#person(idAt(place));
      if (person) people.push(person);
    }
    return { total, people };
  }

  /** Null for somebody who was erased, and of whom nothing has come since. */
  async #person(user: string): Promise<Person | null> {
    const { dataset } = this.#model.run;
    const [stored, isHidden] = await Promise.all([this.#store.historyOf(user, COUNTED), this.#model.hides(user)]);
    if (isHidden && stored.length === 0) return null;
    const index = isHidden ? UNKNOWN : dataset.users.index(user);
    let [feed, searches, last] = [0, 0, Number.NaN];
    if (index >= FIRST_INDEX) {
      const [firstFeed, endFeed] = [at(dataset.feedOffsets, index), at(dataset.feedOffsets, index + 1)];
      const [firstSearch, endSearch] = [at(dataset.searchOffsets, index), at(dataset.searchOffsets, index + 1)];
      feed = endFeed - firstFeed;
      searches = endSearch - firstSearch;
      const newest = [
        ...(feed > 0 ? [at(dataset.feedTime, endFeed - 1)] : []),
        ...(searches > 0 ? [at(dataset.searchTime, endSearch - 1)] : []),
      ].filter((time) => !Number.isNaN(time));
      if (newest.length > 0) last = Math.max(...newest);
    }
    for (const { sequence, event } of stored) {
      if (sequence <= this.#model.through) continue;
      if (event.type === 'search') searches++;
      else if (isOfFeed(event)) feed++;
      last = Number.isNaN(last) ? event.time : Math.max(last, event.time);
    }
    return { user, feed, searches, last: Number.isNaN(last) ? null : new Date(last).toISOString() };
  }
}

/** Users by the smaller of their two lanes, the largest first, of equal ones by the other lane and then as they come. */
function byActivity(dataset: Dataset): Int32Array {
  const count = Math.max(0, dataset.users.ids.length - FIRST_INDEX);
  const both = (i: number): [feed: number, searches: number] => [
    at(dataset.feedOffsets, FIRST_INDEX + i + 1) - at(dataset.feedOffsets, FIRST_INDEX + i),
    at(dataset.searchOffsets, FIRST_INDEX + i + 1) - at(dataset.searchOffsets, FIRST_INDEX + i),
  ];
  const larger = placesBy(
    count,
    (i) => Math.max(...both(i)),
    Int32Array.from({ length: count }, (_, i) => i),
  );
  return placesBy(count, (i) => Math.min(...both(i)), larger).map((i) => FIRST_INDEX + i);
}

/** Sorts by a whole number, the largest first, keeping the order of equal ones: by counting, since there may be a million. */
function placesBy(count: number, keyOf: (i: number) => number, order: Int32Array): Int32Array {
  const bucket = (i: number): number => MOST_ACTIVE - Math.min(MOST_ACTIVE, keyOf(i));
  const starts = new Int32Array(MOST_ACTIVE + 2);
  for (let i = 0; i < count; i++) starts[bucket(i) + 1] = at(starts, bucket(i) + 1) + 1;
  for (let i = 0; i <= MOST_ACTIVE; i++) starts[i + 1] = at(starts, i + 1) + at(starts, i);
  const sorted = new Int32Array(count);
  for (const i of order) {
    const own = bucket(i);
    sorted[at(starts, own)] = i;
    starts[own] = at(starts, own) + 1;
  }
  return sorted;
}
