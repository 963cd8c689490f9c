/**
 * Who met what in training, as a graph, and neighbours drawn from it. Knows which meetings are edges and which of them may be
 * seen from a moment; does not know batches.
 *
 * An edge is a meeting of a user and an item, a feed event or a click on a search result, with the query that led to it; 0 stands
 * for none. It is an edge only if it is training.
 */
import { type Random, at, grouped, offsetsOf, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import { trainingPairs } from './search-pairs.js';

/** Which neighbours of a node are wanted. */
export interface NeighbourRequest {
  /** At most this many. */
  readonly count: number;
  /** Only by meetings before this time, milliseconds since 1970; those without a time are taken to be. */
  readonly before: number;
  /** Nodes that must not be among them. */
  readonly without: readonly number[];
}

/** A node next to another one. */
export interface Neighbour {
  /** A user index, or an item index. */
  readonly node: number;
  /** The query of their last meeting, 0 for none. */
  readonly query: number;
}

/**
 * The meetings of the training period. Two who met more than once are neighbours by their last meeting before the moment in
 * question. The order of events of different users is told by times only: ordinals may go user by user.
 */
export class InteractionGraph {
  /** By user, then time, then ordinal. */
  readonly #users: Int32Array;
  readonly #items: Int32Array;
  readonly #queries: Int32Array;
  readonly #times: Float64Array;
  /** The next meeting of the same two, -1 where there is none. */
  readonly #next: Int32Array;
  readonly #userOffsets: Int32Array;
  /** Edges by item, then time. */
  readonly #byItem: Int32Array;
  readonly #itemOffsets: Int32Array;
  /** 0, 1, 2, … but while something is drawn: as many as any node has edges. */
  readonly #places: Int32Array;

  constructor(dataset: Dataset) {
    const { users, items, queries, times } = trainingMeetings(dataset);
    this.#users = users;
    this.#items = items;
    this.#queries = queries;
    this.#times = times;
    this.#next = nextOfTheSameTwo(users, items, dataset.items.ids.length);
    this.#userOffsets = offsetsOf(users, dataset.users.ids.length);
    this.#itemOffsets = offsetsOf(items, dataset.items.ids.length);
    this.#byItem = grouped(items, this.#itemOffsets);
    for (let item = FIRST_INDEX; item < dataset.items.ids.length; item++)
      this.#byItem
        .subarray(at(this.#itemOffsets, item), at(this.#itemOffsets, item + 1))
        .sort((a, b) => compare(at(times, a), at(times, b)) || a - b);
    const largest = (offsets: Int32Array): number =>
      offsets.reduce((most, end, node) => Math.max(most, end - (offsets[node - 1] ?? 0)), 0);
    this.#places = range(Math.max(largest(this.#userOffsets), largest(this.#itemOffsets)));
  }

  /** Users who met an item, drawn without replacement, each as likely as any other. */
  usersOf(item: number, request: NeighbourRequest, random: Random): Neighbour[] {
    const start = at(this.#itemOffsets, item);
    const end = at(this.#itemOffsets, item + 1);
    return this.#drawn((place) => at(this.#byItem, start + place), end - start, this.#users, request, random);
  }

  /** Items that a user met, drawn likewise. */
  itemsOf(user: number, request: NeighbourRequest, random: Random): Neighbour[] {
    const start = at(this.#userOffsets, user);
    const end = at(this.#userOffsets, user + 1);
    return this.#drawn((place) => start + place, end - start, this.#items, request, random);
  }

  /** The user of any meeting with an item, at any time; 0 if there is none. */
  anyUserOf(item: number, random: Random): number {
    const start = at(this.#itemOffsets, item);
    const count = at(this.#itemOffsets, item + 1) - start;
    return count === 0 ? 0 : at(this.#users, at(this.#byItem, start + random.integer(count)));
  }

  /**
   * Goes through a node's edges before a time in a random order (Fisher and Yates) until there are enough that count. They are
   * sorted, so that the same neighbours mean the same sums whatever order they were drawn in.
   */
  #drawn(
    edgeAt: (place: number) => number,
    total: number,
    nodes: Int32Array,
    { count, before, without }: NeighbourRequest,
    random: Random,
  ): Neighbour[] {
    const places = this.#places;
    const found: Neighbour[] = [];
    const end = this.#countBefore(edgeAt, total, before);
    const touched: number[] = [];
    for (let left = end; left > 0 && found.length < count; left--) {
      const place = random.integer(left);
      const edge = edgeAt(at(places, place));
      places[place] = at(places, left - 1);
      touched.push(place);
      const node = at(nodes, edge);
      if (this.#isLastBefore(edge, before) && !without.includes(node))
        found.push({ node, query: at(this.#queries, edge) });
    }
    for (const place of touched) places[place] = place;
    return found.sort((a, b) => a.query - b.query || a.node - b.node);
  }

  #countBefore(edgeAt: (place: number) => number, total: number, before: number): number {
    if (before === Infinity) return total;
    let [low, high] = [0, total];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(this.#times, edgeAt(middle)) < before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether it is the last meeting of the two before a time: each neighbour is found by one edge. */
  #isLastBefore(edge: number, before: number): boolean {
    const next = at(this.#next, edge);
    return next < 0 || at(this.#times, next) >= before;
  }
}

const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0); // a difference of infinities is none

interface Meetings {
  readonly users: Int32Array;
  readonly items: Int32Array;
  readonly queries: Int32Array;
  /** -Infinity where the log does not tell. */
  readonly times: Float64Array;
}

/**
 * Feed events and clicks of the training period with items that are known, by user, time and ordinal. Where one event is both,
 * the click comes last.
 */
function trainingMeetings(dataset: Dataset): Meetings {
  const { feedOffsets, heldOutStart, feedItem, feedOrdinal, feedTime, clickOrdinal, clickTime } = dataset;
  const clicks = trainingPairs(dataset);
  const ofFeed = heldOutStart.reduce((total, end, user) => total + end - at(feedOffsets, user), 0);
  const most = ofFeed + clicks.items.length;
  const [users, items, queries] = [new Int32Array(most), new Int32Array(most), new Int32Array(most)];
  const times = new Float64Array(most);
  const known = (time: number): number => (Number.isNaN(time) ? -Infinity : time);
  let count = 0;
  for (let user = 0, click = 0; user + 1 < feedOffsets.length; user++) {
    const found: { item: number; query: number; time: number; ordinal: number }[] = [];
    for (let place = at(feedOffsets, user); place < at(heldOutStart, user); place++) {
      const item = at(feedItem, place);
      if (item >= FIRST_INDEX)
        found.push({ item, query: 0, time: known(at(feedTime, place)), ordinal: at(feedOrdinal, place) });
    }
    for (; clicks.users[click] === user; click++) {
      const place = at(clicks.clicks, click);
      const [item, query] = [at(clicks.items, click), at(clicks.queries, click)];
      found.push({ item, query, time: known(at(clickTime, place)), ordinal: at(clickOrdinal, place) });
    }
    found.sort((a, b) => compare(a.time, b.time) || a.ordinal - b.ordinal || a.query - b.query);
    for (const { item, query, time } of found) {
      users[count] = user;
      items[count] = item;
      queries[count] = query;
      times[count++] = time;
    }
  }
  const cut = <Column extends Int32Array | Float64Array>(column: Column): Column => column.subarray(0, count) as Column;
  return { users: cut(users), items: cut(items), queries: cut(queries), times: cut(times) };
}

/** For every edge the next one between the same two; edges come by user. */
function nextOfTheSameTwo(users: Int32Array, items: Int32Array, itemCount: number): Int32Array {
  const next = new Int32Array(users.length).fill(-1);
  const lastOf = new Int32Array(itemCount).fill(-1);
  items.forEach((item, edge) => {
    const last = at(lastOf, item);
    if (last >= 0 && users[last] === users[edge]) next[last] = edge;
    lastOf[item] = edge;
  });
  return next;
}

const graphs = new WeakMap<Dataset, InteractionGraph>();

/** The graph of a data set, made once: training and validation both ask for it. */
export function graphOf(dataset: Dataset): InteractionGraph {
  const known = graphs.get(dataset) ?? new InteractionGraph(dataset);
  graphs.set(dataset, known);
  return known;
}
