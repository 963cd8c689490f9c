/**
 * SRJGraph: Zhao et al., "Joint Learning of E-commerce Search and Recommendation with a Unified Graph Neural Network", WSDM 2022.
 * The paper gives the idea; what stands here between idea and numbers is our design. Knows the graph and both tasks; which neighbours
 * there are, features/neighbours.ts says.
 *
 * Users and items are nodes, and each meeting is an edge with the query that led to it, or with "no query", which is an edge
 * vector of its own. Nodes take in their neighbours, two steps far. A task has an intention q*: "no query" for recommendation,
 * the issued query for search; everything else is the same network.
 *
 *   nodes   h'_x: layers/neighbour-attention.ts
 *   logit   MLP([h_u ; h_v ; h_u * h_v ; q* ; e_u ; e_v])
 *
 * Dropout is between the layers of the prediction only: before the layer norms, where embeddings are small, it drowned what there
 * was to learn (LOG.md).
 *
 * Shapes as in model.ts; d width, d_i, d_u widths of embeddings, K1 items of a context, K2 neighbours, U, I, Q gathered users,
 * items, queries; n nodes, a number per row the rows follow one another in.
 */
import { isNotNegative, isWhole } from '../../base/index.js';
import { type BatchSizes, Neighbourhoods, SearchPairDraws } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { embedItems, embedQueries, embedUsers, itemWidthOf, userWidthOf } from '../definition/embeddings.js';
import { layersAfterFirst } from '../layers/interest-layers.js';
import { type Scope, initialisers, linear } from '../layers/layers.js';
import {
  type Neighbours,
  type Told,
  aggregate,
  fitTo,
  fitToNothing,
  maps,
  toldBy,
} from '../layers/neighbour-attention.js';
import { lossesOf, predictionLoss } from '../definition/losses.js';
import type { CommonConfig, Losses, Scoring, State } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { gentleTrials } from '../definition/trials.js';
import { areWidths, isWidth, wrongLogit } from '../definition/settings.js';

interface SrjgraphSettings {
  /** d, the width of nodes and edges. */
  readonly width: number;
  /** K1, the newest distinct items of a user that are neighbours. */
  readonly contextItems: number;
  /** K2, neighbours drawn of every other node. */
  readonly neighbours: number;
  /** Widths of the prediction's layers. */
  readonly hidden: readonly number[];
  /** Weight of the search task; 0 leaves it out. */
  readonly searchWeight: number;
  /** Negative items of each search pair. */
  readonly searchNegatives: number;
}

type Config = CommonConfig & SrjgraphSettings;

const { add, concat, gather, mul, reshape, slice } = ops;

const definition: ModelDefinition<SrjgraphSettings> = {
  card: {
    id: 'srjgraph',
    name: 'SRJGraph',
    kind: 'search-aware',
    source: {
      authors: 'Zhao et al.',
      title: 'Joint Learning of E-commerce Search and Recommendation with a Unified Graph Neural Network',
      venue: 'WSDM',
      year: 2022,
    },
    idea: 'users and items are nodes of one graph whose edges carry queries; a graph network learns both tasks as the prediction of a click',
    sees: ['item ids', 'item attributes', 'user', 'queries', 'query words', 'search clicks'],
    extraLosses: ['search (searchWeight): the item that was clicked for a query, among others, by the same network'],
    differs: [
      'certainty low to medium: the paper is not open and has no public code; unified graph, query edges, attention by intention and joint training are its idea, every formula is ours',
      'not upstream-aware: neighbours weigh the same whichever pair asks, so users and items are worked out apart, an item once for everybody',
      'a user is joined to the newest distinct items before the moment, an item to users drawn from training; two who met more than once by their last meeting',
      'training draws anew for every row and epoch, without the edges of the row’s own user, and without those of one more for a negative drawn by popularity; scoring draws once for all, so that there a user may be a neighbour of an item met before',
    ],
  },
  presets: {
    default: {
      width: 32,
      contextItems: 10,
      neighbours: 5,
      hidden: [200, 80, 1],
      searchWeight: 1,
      searchNegatives: 4,
    },
  },
  shapes: { amazon: { width: 32 }, kuaishou: { width: 48 } },
  tuning: gentleTrials,
  rules: {
    width: isWidth,
    contextItems: isWhole(1, 1000),
    neighbours: isWhole(1, 1000),
    hidden: areWidths,
    searchWeight: isNotNegative,
    searchNegatives: isWhole(1, 10_000),
  },
  wrong: ({ hidden }) => wrongLogit(hidden),
  build: (config) => ({
    needsSearches: config.searchWeight > 0,
    scoring: srjgraphScoring(config),
    losses: (scope, sizes) => srjgraphLosses(scope, config, sizes),
    extras: (dataset) => {
      const searchPairs = config.searchWeight > 0 ? new SearchPairDraws(dataset, config.searchNegatives) : null;
      const neighbourhoods = new Neighbourhoods(dataset, {
        context: config.contextItems,
        neighbours: config.neighbours,
        popularNegatives: config.negativeSampling === 'popular',
        searchPairs,
      });
      return searchPairs ? [searchPairs, neighbourhoods] : [neighbourhoods];
    },
    extraSizes: { users: 1, roots: 1, userEnds: 1, itemEnds: 1 },
  }),
};

export const srjgraph = registered(definition);

/** The nodes and edges of a batch before anything was taken in. */
interface Graph {
  /** (U,d_u), those of the rows first, and (I,d_i). */
  readonly rawUsers: Tensor;
  readonly rawItems: Tensor;
  /** (U,d), (I,d). */
  readonly users: Tensor;
  readonly items: Tensor;
  /** (Q,d); slot 0 is "no query". */
  readonly queries: Tensor;
  /** The distinct ends of edges to users, and to items. */
  readonly userEnds: Ends;
  readonly itemEnds: Ends;
}

/** The ends of a batch, (E,d), and what each tells. */
interface Ends extends Neighbours {
  readonly told: Told;
}

/** What a task looks for: the vectors of the issued queries (B,d), or none. */
type Intention = Tensor | null;

/** Places of neighbours of n nodes: numbers of ends (n,K), and where there is anybody (n,K). */
interface Places {
  readonly numbers: Tensor;
  readonly mask: Tensor;
}

function graphOf(scope: Scope, config: Config, sizes: BatchSizes): Graph {
  const { width } = config;
  const rawUsers = embedUsers(scope, config, sizes.rows + (sizes.extras['users'] as number));
  const rawItems = embedItems(scope, config, sizes.items);
  const users = linear(scope, 'projection.user', rawUsers, width);
  const items = linear(scope, 'projection.item', rawItems, width);
  const none = scope.parameter('intention.none', [1, width], initialisers.xavierNormal(width, width));
  const ofQueries = linear(scope, 'projection.query', embedQueries(scope, config, sizes), width);
  const queries = sizes.queries === 1 ? none : concat([none, slice(ofQueries, 0, 1, sizes.queries)], 0);
  const ends = (kind: 'user' | 'item', table: Tensor, listener: string): Ends => {
    const shape = [sizes.extras[`${kind}Ends`] as number];
    const slots = scope.input(`${kind}EndsQuery`, shape, 'int32');
    const neighbours: Neighbours = {
      vectors: gather(table, scope.input(`${kind}Ends`, shape, 'int32')),
      edges: gather(queries, slots),
      ofQueries: (byQuery) => gather(byQuery, slots),
    };
    return { ...neighbours, told: toldBy(scope, listener, neighbours, queries) };
  };
  return {
    rawUsers,
    rawItems,
    users,
    items,
    queries,
    userEnds: ends('user', users, 'aggregation.inner.item'),
    itemEnds: ends('item', items, 'aggregation.inner.user'),
  };
}

/** The places that a batch brings under a name, n x K of them. */
function placesOf(
  scope: Scope,
  name: string,
  [nodes, count]: readonly [number, number],
  shape: readonly number[],
): Places {
  const flat = (x: Tensor): Tensor => reshape(x, [nodes, count]);
  return { numbers: flat(scope.input(name, shape, 'int32')), mask: flat(scope.input(`${name}Mask`, shape)) };
}

/** The ends that stand at some places, (n,K,d). */
const atPlaces = ({ vectors, edges, ofQueries }: Ends, { numbers }: Places): Neighbours => ({
  vectors: gather(vectors, numbers),
  edges: gather(edges, numbers),
  ofQueries: (table) => gather(ofQueries(table), numbers),
});

/** Inner nodes with neighbours of which nothing but who they are is known. nodes: (n,d). Result (n,d). */
function inner(
  scope: Scope,
  kind: 'item' | 'user',
  nodes: Tensor,
  { numbers, mask }: Places,
  { queries, userEnds, itemEnds }: Graph,
  intention: Intention,
): Tensor {
  const name = `aggregation.inner.${kind}`;
  const ends = kind === 'item' ? userEnds : itemEnds;
  const { messages, looks } = ends.told;
  const fitting = intention
    ? add(gather(looks, numbers), fitTo(scope, name, gather(ends.edges, numbers), intention))
    : gather(add(looks, fitToNothing(scope, name, ends, queries)), numbers);
  return aggregate(scope, name, nodes, { messages: gather(messages, numbers), looks: fitting }, mask);
}

/** Nodes of rows with neighbours who have taken in theirs. nodes: (n,d), neighbours: (n,K,d). Result (n,d). */
function root(
  scope: Scope,
  kind: 'item' | 'user',
  nodes: Tensor,
  neighbours: Neighbours,
  mask: Tensor,
  { queries }: Graph,
  intention: Intention,
): Tensor {
  const name = `aggregation.root.${kind}`;
  const { messages, looks } = toldBy(scope, name, neighbours, queries);
  const fit = intention
    ? fitTo(scope, name, neighbours.edges, intention)
    : fitToNothing(scope, name, neighbours, queries);
  return aggregate(scope, name, nodes, { messages, looks: add(looks, fit) }, mask);
}

/** Users with what they met, and who else met it, taken in. users: (B,d); `context`: what the batch calls it. Result (B,d). */
function userSide(
  scope: Scope,
  { contextItems, neighbours, width }: Config,
  context: 'context' | 'searchContext',
  users: Tensor,
  graph: Graph,
  intention: Intention,
): Tensor {
  const rows = users.shape[0] as number;
  const items = rows * contextItems;
  const met = placesOf(scope, context, [rows, contextItems], [rows, contextItems]);
  const others = placesOf(scope, `${context}Users`, [items, neighbours], [rows, contextItems, neighbours]);
  const around = atPlaces(graph.itemEnds, met);
  const informed = inner(scope, 'item', reshape(around.vectors, [items, width]), others, graph, intention);
  const vectors = reshape(informed, around.vectors.shape);
  return root(scope, 'user', users, { ...around, vectors }, met.mask, graph, intention);
}

/**
 * Items with who met them, and what else those met, taken in. items: (n,d); `shape`: how the batch arranges the n items; `name`:
 * how it begins what it says of them. Result (n,d).
 */
function itemSide(
  scope: Scope,
  { neighbours, width }: Config,
  name: 'item' | 'candidate' | 'searchCandidate',
  items: Tensor,
  shape: readonly number[],
  graph: Graph,
  intention: Intention,
): Tensor {
  const total = items.shape[0] as number;
  const users = total * neighbours;
  const met = placesOf(scope, `${name}Users`, [total, neighbours], [...shape, neighbours]);
  const others = placesOf(scope, `${name}Items`, [users, neighbours], [...shape, neighbours, neighbours]);
  const around = atPlaces(graph.userEnds, met);
  const informed = inner(scope, 'user', reshape(around.vectors, [users, width]), others, graph, intention);
  const vectors = reshape(informed, around.vectors.shape);
  return root(scope, 'item', items, { ...around, vectors }, met.mask, graph, intention);
}

/** The parts of the prediction's first layer, by what they are applied to. */
function firstLayer(scope: Scope, config: Config) {
  const { width } = config;
  const [units = 1] = config.hidden;
  const widths = [width, width, width, width, userWidthOf(config), itemWidthOf(config)];
  const [user, item, product, intention, rawUser, rawItem] = maps(scope, 'prediction.0', units, widths) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const bias = scope.parameter('prediction.0.bias', [units], initialisers.constant(0));
  return { units, user, item, product, intention, rawUser, rawItem, bias };
}

/**
 * What the prediction makes of users before it sees a candidate: `user` (B,d), h_u, and `known` (B,units), their part of the first
 * layer. user: (B,d), rawUser: (B,d_u).
 */
function stateOf(
  scope: Scope,
  config: Config,
  user: Tensor,
  rawUser: Tensor,
  { queries }: Graph,
  intention: Intention,
): State {
  const first = firstLayer(scope, config);
  const ofIntention = nn.linear(intention ?? slice(queries, 0, 0, 1), first.intention, first.bias);
  return { user, known: add(add(nn.linear(user, first.user), nn.linear(rawUser, first.rawUser)), ofIntention) };
}

/** What a candidate is scored by, [h_v ; e_v]. items: (n,d), rawItems: (n,d_i). Result (n,d + d_i). */
const candidatesOf = (items: Tensor, rawItems: Tensor): Tensor => concat([items, rawItems], 1);

/** candidates: (B,C,d + d_i), or (1,C,d + d_i) for the same ones for everybody. Result (B,C). */
function scoresOf(scope: Scope, config: Config, state: State, candidates: Tensor): Tensor {
  const { width } = config;
  const first = firstLayer(scope, config);
  const [user, known] = [state['user'] as Tensor, state['known'] as Tensor];
  const rows = user.shape[0] as number;
  const count = candidates.shape[1] as number;
  const products = mul(reshape(user, [rows, 1, width]), slice(candidates, 2, 0, width)); // (B,C,d)
  const ofItems = nn.linear(candidates, concat([first.item, first.rawItem], 1)); // (B or 1,C,units)
  const ofPairs = add(add(nn.linear(products, first.product), ofItems), reshape(known, [rows, 1, first.units]));
  const logits = layersAfterFirst(scope, 'prediction', ofPairs, config.hidden, 'relu', { dropout: true });
  return reshape(logits, [rows, count]);
}

function srjgraphScoring(config: Config): Scoring {
  return {
    items: (scope, sizes) => {
      const graph = graphOf(scope, config, sizes);
      const roots = sizes.extras['roots'] as number;
      const first = (table: Tensor): Tensor => slice(table, 0, 0, roots);
      const items = itemSide(scope, config, 'item', first(graph.items), [roots], graph, null);
      return ops.pad(candidatesOf(items, first(graph.rawItems)), 0, 0, sizes.items - roots);
    },
    encode: (scope, sizes) => recommendationState(scope, config, sizes, graphOf(scope, config, sizes)),
    score: (scope, state, candidates) => scoresOf(scope, config, state, candidates),
    scoreShared: (scope, state, candidates) =>
      scoresOf(scope, config, state, reshape(candidates, [1, ...candidates.shape])),
  };
}

/** What there is to know of the rows' users when they look for nothing in particular. */
function recommendationState(scope: Scope, config: Config, { rows }: BatchSizes, graph: Graph): State {
  const own = (table: Tensor): Tensor => slice(table, 0, 0, rows);
  const user = userSide(scope, config, 'context', own(graph.users), graph, null);
  return stateOf(scope, config, user, own(graph.rawUsers), graph, null);
}

/** Logits of items of each row's own. slots: (B,C). Result (B,C). */
function taskLogits(
  scope: Scope,
  config: Config,
  name: 'candidate' | 'searchCandidate',
  slots: Tensor,
  state: State,
  graph: Graph,
  intention: Intention,
): Tensor {
  const [rows, count] = slots.shape as [number, number];
  const flat = reshape(slots, [rows * count]);
  const items = itemSide(scope, config, name, gather(graph.items, flat), slots.shape, graph, intention);
  const candidates = candidatesOf(items, gather(graph.rawItems, flat));
  return scoresOf(scope, config, state, reshape(candidates, [rows, count, candidates.shape[1] as number]));
}

/** The prediction and the search task. Candidates have neighbours of their own in each row, unlike those that are ranked. */
function srjgraphLosses(scope: Scope, config: Config, sizes: BatchSizes): Losses {
  const { rows } = sizes;
  const graph = graphOf(scope, config, sizes);
  const slots = scope.input('candidates', [rows, sizes.candidates], 'int32');
  const state = recommendationState(scope, config, sizes, graph);
  const logits = taskLogits(scope, config, 'candidate', slots, state, graph, null);
  if (config.searchWeight === 0) return lossesOf(scope, logits, {});
  return lossesOf(scope, logits, { search: [searchLoss(scope, config, rows, graph), config.searchWeight] });
}

/** Binary cross-entropy of the search pairs, the part's share of the mean: each row brings one, of whoever it is. A scalar. */
function searchLoss(scope: Scope, config: Config, rows: number, graph: Graph): Tensor {
  const searchers = scope.input('searchUser', [rows], 'int32');
  const intention = gather(graph.queries, scope.input('searchPairQuery', [rows], 'int32'));
  const slots = scope.input('searchPairItems', [rows, 1 + config.searchNegatives], 'int32');
  const user = userSide(scope, config, 'searchContext', gather(graph.users, searchers), graph, intention);
  const state = stateOf(scope, config, user, gather(graph.rawUsers, searchers), graph, intention);
  return predictionLoss(scope, taskLogits(scope, config, 'searchCandidate', slots, state, graph, intention));
}
