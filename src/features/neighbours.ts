/**
 * Neighbourhoods for the rows of a batch, drawn from the graph of who met what. Knows which edges each row may see; does not know
 * what a model makes of a neighbour.
 *
 * A row sees only the edges before its own moment, where the log has times, and none of its own user, whose later events and
 * whose target are among them.
 *
 * Shapes: B rows, C candidates, K1 items of a context, K2 neighbours of a node, R items whose neighbours are asked for.
 */
import { Random, UserError, assert, at, getOrCreate } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';
import { type Case, type SearchMoment, recentMeetings, timeOf } from './histories.js';
import {
  type EdgeEnds,
  type InteractionGraph,
  type Neighbour,
  type NeighbourRequest,
  graphOf,
} from './interaction-graph.js';
import type { SearchPairDraws } from './search-pairs.js';
import { Slots, padded } from './slots.js';

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
 * A neighbour at the end of an edge is the same wherever it stands, and some stand in many places: so each of these is an int32 array
 * of numbers of distinct ends, 0 for nobody; with `Mask` at the end of its name, 1 where there is a neighbour. What an end is:
 *
 *   itemEnds (E), itemEndsQuery (E)    slots of the item and of the query that led to it, 0 for "no query"; E = `sizes.extras.itemEnds`
 *   userEnds (E'), userEndsQuery (E')  likewise a user, as a row of what the batch gathers
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
  /** What numbers the ends of the graph for a batch; one batch is put together at a time. */
  readonly #slots: Readonly<Record<Kind, Slots>>;
  #current: { readonly assembly: Assembly; readonly ends: Readonly<Record<Kind, Ends>> } | null = null;

  constructor(dataset: Dataset, options: NeighbourhoodOptions) {
    this.#dataset = dataset;
    this.#options = options;
    this.#graph = graphOf(dataset);
    const slotsFor = ({ count }: EdgeEnds): Slots => new Slots(count + 1);
    this.#slots = { item: slotsFor(this.#graph.itemEnds), user: slotsFor(this.#graph.userEnds) };
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
    for (const ends of Object.values(this.#endsOf(assembly))) ends.addTo(assembly);
    capacity('users', users.indices.length);
    this.#current = null;
  }

  #places(assembly: Assembly, kind: Kind, count: number): Places {
    return new Places(this.#endsOf(assembly)[kind], count);
  }

  #endsOf(assembly: Assembly): Readonly<Record<Kind, Ends>> {
    if (this.#current?.assembly !== assembly) {
      const { itemEnds, userEnds } = this.#graph;
      const ends = {
        item: new Ends(assembly, 'item', itemEnds, this.#slots.item),
        user: new Ends(assembly, 'user', userEnds, this.#slots.user),
      };
      this.#current = { assembly, ends };
    }
    return this.#current.ends;
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
    const items = this.#places(assembly, 'item', moments.length * context);
    const users = this.#places(assembly, 'user', moments.length * context * count);
    const ends = this.#endsOf(assembly).item;
    moments.forEach((moment, row) => {
      const request = { count, before: timeOf(this.#dataset, moment), without: [moment.user] };
      recentMeetings(this.#dataset, moment, context).forEach(({ item, query }, position) => {
        const place = row * context + position;
        items.put(place, ends.numberOf({ node: item, query }));
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
    const users = this.#places(assembly, 'user', count * neighbours);
    const items = this.#places(assembly, 'item', count * neighbours ** 2);
    return {
      put(
        place: number,
        item: number,
        { before, without }: Pick<NeighbourRequest, 'before' | 'without'>,
        random: Random,
      ) {
        const found = graph.usersOf(item, { count: neighbours, before, without }, random);
        users.putAll(place * neighbours, found);
        const request = { count: neighbours, before, without: [item] };
        found.forEach((end, position) => {
          const others = graph.itemsOf(graph.userEnds.node(end), request, random);
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

type Kind = 'item' | 'user';

/** The distinct ends of a batch's edges to nodes of one kind, in order of appearance. */
class Ends {
  readonly #nodes = [0];
  readonly #queries = [0];
  readonly #kind: Kind;
  readonly #slotOf: (node: number) => number;
  readonly #querySlots: Slots;
  readonly #ofGraph: EdgeEnds;
  /** Slots of ends: of the graph's by their numbers, one on, then of those that it has not. */
  readonly #slots: Slots;
  /** By query, then node: the ends that the graph has not, of meetings that are not training. */
  readonly #others = new Map<number, Map<number, number>>();

  constructor({ rows, items, users, queries }: Assembly, kind: Kind, ofGraph: EdgeEnds, slots: Slots) {
    this.#kind = kind;
    this.#slotOf = kind === 'item' ? (item) => items.slot(item) : (user) => rows.count + users.slot(user);
    this.#querySlots = queries;
    this.#ofGraph = ofGraph;
    this.#slots = slots;
    slots.clear();
  }

  /** The number of one of the graph's ends. */
  number(end: number): number {
    const slot = this.#slots.slot(end + 1);
    if (slot === this.#nodes.length) this.#add(this.#ofGraph.node(end), this.#ofGraph.query(end));
    return slot;
  }

  /** The number of any. */
  numberOf({ node, query }: Neighbour): number {
    const end = this.#ofGraph.find({ node, query });
    if (end >= 0) return this.number(end);
    return getOrCreate(
      getOrCreate(this.#others, query, () => new Map<number, number>()),
      node,
      () => {
        this.#add(node, query);
        return this.#slots.slot(this.#ofGraph.count + this.#nodes.length);
      },
    );
  }

  #add(node: number, query: number): void {
    this.#queries.push(this.#querySlots.slot(query));
    this.#nodes.push(this.#slotOf(node));
  }

  addTo({ inputs, capacity }: Assembly): void {
    const name = `${this.#kind}Ends`;
    const room = capacity(name, this.#nodes.length);
    inputs[name] = padded(this.#nodes, room);
    inputs[`${name}Query`] = padded(this.#queries, room);
  }
}

/** Places for neighbours of one kind: numbers of ends, and which are taken. */
class Places {
  readonly #ends: Ends;
  readonly #numbers: Int32Array;
  readonly #mask: Float32Array;

  constructor(ends: Ends, count: number) {
    this.#ends = ends;
    this.#numbers = new Int32Array(count);
    this.#mask = new Float32Array(count);
  }

  /** @param number one that `Ends` gave */
  put(place: number, number: number): void {
    this.#numbers[place] = number;
    this.#mask[place] = 1;
  }

  /** Ends of the graph, one after another, from a place on. */
  putAll(start: number, ends: readonly number[]): void {
    for (let i = 0; i < ends.length; i++) this.put(start + i, this.#ends.number(at(ends, i)));
  }

  addTo(inputs: Assembly['inputs'], name: string): void {
    inputs[name] = this.#numbers;
    inputs[`${name}Mask`] = this.#mask;
  }
}
