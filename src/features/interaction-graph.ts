/**
 * Who met what in training, as a graph, and neighbours drawn from it. Knows which meetings are edges and which of them may be
 * seen from a moment; does not know batches.
 *
 * An edge is a meeting of a user and an item, a feed event or a click on a search result, with the query that led to it; 0 stands
 * for none. It is an edge only if it is training. Its ends are numbered, so that tens of thousands of them are drawn for a batch
 * without an object each.
 */
import { type Random, at, firstWhere, grouped, offsetsOf, range } from '../base/index.js';
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

/** The distinct ends that edges have on one side, numbered in order of query and node. */
export class EdgeEnds {
  /** query * nodes + node, ascending. */
  readonly #keys: Float64Array;
  readonly #nodes: number;
  /** By edge. */
  readonly #numbers: Int32Array;

  /** @param nodes how many there are, whether they have edges or not */
  constructor(ofEdges: Int32Array, queries: Int32Array, nodes: number) {
    this.#nodes = nodes;
    const keys = Float64Array.from(ofEdges, (node, edge) => at(queries, edge) * nodes + node);
    this.#keys = keys.toSorted().filter((key, place, sorted) => key !== sorted[place - 1]);
    this.#numbers = Int32Array.from(keys, (key) => this.#firstFrom(key));
  }

  get count(): number {
    return this.#keys.length;
  }

  ofEdge(edge: number): number {
    return at(this.#numbers, edge);
  }

  node(end: number): number {
    return at(this.#keys, end) % this.#nodes;
  }

  query(end: number): number {
    return Math.floor(at(this.#keys, end) / this.#nodes);
  }

  /** The number of an end, -1 where no edge has it. */
  find({ node, query }: Neighbour): number {
    const key = query * this.#nodes + node;
    const end = this.#firstFrom(key);
    return this.#keys[end] === key ? end : -1;
  }

  #firstFrom(key: number): number {
    return firstWhere(0, this.#keys.length, (end) => at(this.#keys, end) >= key);
  }
}

/** The edges of the nodes on one side, and what is at the other ends of them. */
interface Side {
  /** By node: where its edges begin. */
  readonly offsets: Int32Array;
  /** Edges by node, then time; null: as they are. */
  readonly edges: Int32Array | null;
  readonly far: Int32Array;
  readonly ends: EdgeEnds;
}

/**
 * The meetings of the training period. Two who met more than once are neighbours by their last meeting before the moment in
 * question. The order of events of different users is told by times only: ordinals may go user by user.
 */
export class InteractionGraph {
  /** By edge; edges are by user, then time, then ordinal. */
  readonly #times: Float64Array;
  /** The next meeting of the same two, -1 where there is none. */
  readonly #next: Int32Array;
  readonly #ofItems: Side;
  readonly #ofUsers: Side;
  /** 0, 1, 2, … but while something is drawn: as many as any node has edges. */
  readonly #places: Int32Array;
  /** Which of them are not, while something is drawn. */
  readonly #touched: Int32Array;

  constructor(dataset: Dataset) {
    const { users, items, queries, times } = trainingMeetings(dataset);
    const [userCount, itemCount] = [dataset.users.ids.length, dataset.items.ids.length];
    this.#times = times;
    this.#next = nextOfTheSameTwo(users, items, itemCount);
    const [offsets, userOffsets] = [offsetsOf(items, itemCount), offsetsOf(users, userCount)];
    const edges = grouped(items, offsets);
    for (let item = FIRST_INDEX; item < itemCount; item++)
      edges
        .subarray(at(offsets, item), at(offsets, item + 1))
        .sort((a, b) => compare(at(times, a), at(times, b)) || a - b);
    this.#ofItems = { offsets, edges, far: users, ends: new EdgeEnds(users, queries, userCount) };
    this.#ofUsers = { offsets: userOffsets, edges: null, far: items, ends: new EdgeEnds(items, queries, itemCount) };
    const largest = (of: Int32Array): number =>
      of.reduce((most, end, node) => Math.max(most, end - (of[node - 1] ?? 0)), 0);
    this.#places = range(Math.max(largest(userOffsets), largest(offsets)));
    this.#touched = new Int32Array(this.#places.length);
  }

  /** What edges have at their users. */
  get userEnds(): EdgeEnds {
    return this.#ofItems.ends;
  }

  /** What edges have at their items. */
  get itemEnds(): EdgeEnds {
    return this.#ofUsers.ends;
  }

  /** Users who met an item, drawn without replacement, each as likely as any other: numbers of `userEnds`, ascending. */
  usersOf(item: number, request: NeighbourRequest, random: Random): number[] {
    return this.#drawn(this.#ofItems, item, request, random);
  }

  /** Items that a user met, drawn likewise: numbers of `itemEnds`, ascending. */
  itemsOf(user: number, request: NeighbourRequest, random: Random): number[] {
    return this.#drawn(this.#ofUsers, user, request, random);
  }

  /** The user of any meeting with an item, at any time; 0 if there is none. */
  anyUserOf(item: number, random: Random): number {
    const { offsets, edges, far } = this.#ofItems;
    const start = at(offsets, item);
    const count = at(offsets, item + 1) - start;
    return count === 0 ? 0 : at(far, at(edges as Int32Array, start + random.integer(count)));
  }

  /**
   * Goes through a node's edges before a time in a random order (Fisher and Yates) until there are enough that count. They are
   * sorted, so that the same neighbours mean the same sums whatever order they were drawn in.
   */
  #drawn(
    { offsets, edges, far, ends }: Side,
    node: number,
    { count, before, without }: NeighbourRequest,
    random: Random,
  ): number[] {
    const start = at(offsets, node);
    const edgeAt = (place: number): number => (edges ? at(edges, start + place) : start + place);
    const [places, touched] = [this.#places, this.#touched];
    const found: number[] = [];
    const total = at(offsets, node + 1) - start;
    const end = before === Infinity ? total : firstWhere(0, total, (place) => at(this.#times, edgeAt(place)) >= before);
    let taken = 0;
    for (let left = end; left > 0 && found.length < count; left--) {
      const place = random.integer(left);
      const edge = edgeAt(at(places, place));
      places[place] = at(places, left - 1);
      touched[taken++] = place;
      if (this.#isLastBefore(edge, before) && !without.includes(at(far, edge))) insert(found, ends.ofEdge(edge));
    }
    for (let i = 0; i < taken; i++) places[at(touched, i)] = at(touched, i);
    return found;
  }

  /** Whether it is the last meeting of the two before a time: each neighbour is found by one edge. */
  #isLastBefore(edge: number, before: number): boolean {
    const next = at(this.#next, edge);
    return next < 0 || at(this.#times, next) >= before;
  }
}

/** Puts a number in its place among ascending ones, of which there are few. */
function insert(ascending: number[], value: number): void {
  let place = ascending.push(value) - 1;
  for (; place > 0 && at(ascending, place - 1) > value; place--) ascending[place] = at(ascending, place - 1);
  ascending[place] = value;
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
