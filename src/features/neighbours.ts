/**
 * Who met what in training, as a graph, and neighbourhoods drawn from it for the rows of a batch. Knows which events may be seen
 * from which row; does not know what a model makes of a neighbour.
 *
 * An edge is a meeting of a user and an item, a feed event or a click on a search result, with the query that led to it; 0 stands
 * for none. It is an edge only if it is training. A row sees even less of them: those before its own moment, where the log has
 * times, and none of its own user, whose later events and whose target are among them.
 *
 * Shapes: B rows, C candidates, K1 items of a context, K2 neighbours of a node, R items whose neighbours are asked for.
 */
import { Random, UserError, assert, at, grouped, offsetsOf, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';
import type { Slots } from './slots.js';
import { type Case, type SearchMoment, recentMeetings, timeOf } from './histories.js';
import { type SearchPairDraws, trainingPairs } from './search-pairs.js';

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
function graphOf(dataset: Dataset): InteractionGraph {
  const known = graphs.get(dataset) ?? new InteractionGraph(dataset);
  graphs.set(dataset, known);
  return known;
}

export interface NeighbourhoodOptions {
  /** K1. */
  readonly context: number;
  /** K2. */
  readonly neighbours: number;
  /** Whether negative candidates are drawn by how often they were met, see `Neighbourhoods`. */
  readonly popularNegatives: boolean;
  /** The search pairs whose neighbourhoods training wants too; null for none. */
  readonly searchPairs: SearchPairDraws | null;
}

/**
 * Brings neighbours, two steps far, of users and of candidates:
 *
 *   context (B,K1)             items that the row's user met last; contextUsers (B,K1,K2), who else met them
 *   candidateUsers (B,C,K2)    training: who met each candidate; candidateItems (B,C,K2,K2), what else they met
 *   itemUsers (R,K2)           a batch of items: who met each of the first R slots, R = `sizes.extras.roots`; itemItems (R,K2,K2)
 *   searchUser (B)             training with search pairs: who clicked; searchContext, searchContextUsers, searchCandidateUsers
 *                              and searchCandidateItems, as of the moment of the search
 *
 * Each is an int32 array of slots of items or, for users, of rows of what the batch gathers; with `Query` at the end of its name,
 * query slots, 0 for "no query"; with `Mask`, 1 where there is a neighbour.
 *
 * Training draws from the row's streams `neighbours` and `search neighbours`. What is only scored is drawn by itself: the same
 * case, and the same item, have the same neighbours in whatever batch, an item whoever asks. So a user who had met a candidate in
 * training may be among its neighbours then, which no row of training shows.
 *
 * Dropping the edges of the row's user takes one neighbour from every positive. Negatives that are drawn by how often they were met
 * come by an edge of somebody as well: that one's edges are dropped too, or few neighbours would tell a positive.
 */
export class Neighbourhoods implements BatchExtra {
  readonly #dataset: Dataset;
  readonly #options: NeighbourhoodOptions;
  readonly #graph: InteractionGraph;

  constructor(dataset: Dataset, options: NeighbourhoodOptions) {
    this.#dataset = dataset;
    this.#options = options;
    this.#graph = graphOf(dataset);
  }

  forHistories(): never {
    throw new UserError(
      'this model looks up neighbours in the whole log, and cannot rank for histories that change: serve another one',
    );
  }

  add(assembly: Assembly): void {
    const { rows, training } = assembly;
    const { cases } = rows;
    assert(cases, 'neighbours belong to moments of a data set');
    const randomOf = (row: number): Random => {
      if (training) return drawsOf(assembly)('neighbours', row);
      const { user, feedPosition } = cases[row] as Case;
      return new Random('neighbours of a case', user, feedPosition);
    };
    const randoms = cases.map((_, row) => randomOf(row));
    this.#addContexts(assembly, '', cases, randoms);
    if (!training) return;
    const { popularNegatives, searchPairs } = this.#options;
    this.#addCandidates(assembly, 'candidate', cases, training.candidates, popularNegatives, randoms);
    if (searchPairs) this.#addSearches(assembly, searchPairs);
  }

  complete(assembly: Assembly): void {
    const { inputs, users, capacity } = assembly;
    if ('itemSlots' in inputs) this.#addItems(assembly);
    capacity('users', users.indices.length);
  }

  #addSearches(assembly: Assembly, searchPairs: SearchPairDraws): void {
    const { rows, inputs, users } = assembly;
    const randomOf = drawsOf(assembly);
    const pairs = Array.from({ length: rows.count }, (_, row) => searchPairs.draw(randomOf('search pairs', row)));
    const randoms = pairs.map((_, row) => randomOf('search neighbours', row));
    inputs['searchUser'] = Int32Array.from(pairs, ({ user }) => rows.count + users.slot(user));
    this.#addContexts(assembly, 'search', pairs, randoms);
    const candidates = Int32Array.from(pairs.flatMap((pair) => pair.candidates));
    this.#addCandidates(assembly, 'searchCandidate', pairs, candidates, true, randoms);
  }

  /** What users met last, and who else met it. */
  #addContexts(
    assembly: Assembly,
    prefix: '' | 'search',
    moments: readonly (Case | SearchMoment)[],
    randoms: readonly Random[],
  ): void {
    const { context, neighbours: count } = this.#options;
    const items = new Places(assembly, 'items', moments.length * context);
    const users = new Places(assembly, 'users', moments.length * context * count);
    moments.forEach((moment, row) => {
      const request = { count, before: timeOf(this.#dataset, moment), without: [moment.user] };
      recentMeetings(this.#dataset, moment, context).forEach(({ item, query }, position) => {
        const place = row * context + position;
        items.put(place, { node: item, query });
        users.putAll(place * count, this.#graph.usersOf(item, request, randoms[row] as Random));
      });
    });
    const name = prefix === '' ? 'context' : 'searchContext';
    items.addTo(assembly.inputs, name);
    users.addTo(assembly.inputs, `${name}Users`);
  }

  /** Who met the candidates of training rows, the positive first, and what else they met. candidates: (B,C) item indices. */
  #addCandidates(
    assembly: Assembly,
    name: string,
    moments: readonly (Case | SearchMoment)[],
    candidates: Int32Array,
    popularNegatives: boolean,
    randoms: readonly Random[],
  ): void {
    const width = candidates.length / moments.length;
    const around = this.#aroundItems(assembly, candidates.length);
    moments.forEach((moment, row) => {
      const before = timeOf(this.#dataset, moment);
      const random = randoms[row] as Random;
      for (let column = 0; column < width; column++) {
        const place = row * width + column;
        const item = at(candidates, place);
        const without = [moment.user];
        if (column > 0 && popularNegatives) without.push(this.#graph.anyUserOf(item, random));
        around.put(place, item, { before, without }, random);
      }
    });
    around.addTo(assembly.inputs, name);
  }

  /** Who met the items of a batch of items, and what else they met. */
  #addItems(assembly: Assembly): void {
    const roots = assembly.items.indices.slice();
    const around = this.#aroundItems(assembly, assembly.capacity('roots', roots.length));
    roots.forEach((item, slot) => {
      const random = new Random('neighbours of an item', item);
      if (slot > 0) around.put(slot, item, { before: Infinity, without: [] }, random);
    });
    around.addTo(assembly.inputs, 'item');
  }

  #aroundItems(assembly: Assembly, count: number) {
    const { neighbours } = this.#options;
    const graph = this.#graph;
    const users = new Places(assembly, 'users', count * neighbours);
    const items = new Places(assembly, 'items', count * neighbours ** 2);
    return {
      put(
        place: number,
        item: number,
        { before, without }: Pick<NeighbourRequest, 'before' | 'without'>,
        random: Random,
      ) {
        const found = graph.usersOf(item, { count: neighbours, before, without }, random);
        users.putAll(place * neighbours, found);
        found.forEach(({ node }, position) => {
          const others = graph.itemsOf(node, { count: neighbours, before, without: [item] }, random);
          items.putAll((place * neighbours + position) * neighbours, others);
        });
      },
      addTo(inputs: Assembly['inputs'], name: string) {
        users.addTo(inputs, `${name}Users`);
        items.addTo(inputs, `${name}Items`);
      },
    };
  }
}

function drawsOf({ training }: Assembly): (purpose: string, row: number) => Random {
  assert(training?.randomOf, 'neighbours are drawn');
  return training.randomOf;
}

/** Places for neighbours of one kind: slots of nodes and queries, and which are taken. */
class Places {
  readonly #slotOf: (node: number) => number;
  readonly #queries: Slots;
  readonly #nodes: Int32Array;
  readonly #querySlots: Int32Array;
  readonly #mask: Float32Array;

  constructor({ rows, items, users, queries }: Assembly, kind: 'items' | 'users', count: number) {
    this.#slotOf = kind === 'items' ? (item) => items.slot(item) : (user) => rows.count + users.slot(user);
    this.#queries = queries;
    this.#nodes = new Int32Array(count);
    this.#querySlots = new Int32Array(count);
    this.#mask = new Float32Array(count);
  }

  put(place: number, { node, query }: Neighbour): void {
    this.#nodes[place] = this.#slotOf(node);
    this.#querySlots[place] = this.#queries.slot(query);
    this.#mask[place] = 1;
  }

  /** One after another, from a place on. */
  putAll(start: number, neighbours: readonly Neighbour[]): void {
    for (const [position, neighbour] of neighbours.entries()) this.put(start + position, neighbour);
  }

  addTo(inputs: Assembly['inputs'], name: string): void {
    inputs[name] = this.#nodes;
    inputs[`${name}Query`] = this.#querySlots;
    inputs[`${name}Mask`] = this.#mask;
  }
}
