/**
 * SESRec as we train it (preset `sesrec`): from a user's whole feed at once, the next item at every place told from many others.
 * Knows how searches reach a place and the losses; equation numbers are those of the paper, and what it has from there is in
 * sesrec.ts. Does not know training or ranking.
 *
 * A causal Transformer reads the feed; the state of each place asks the searches and clicks that are known before the place's
 * next item, the newer the louder; an item is scored by a product with its own vector, and by what single actions vote for it
 * (sesrec-memory.ts): both learn as one score, or apart (`memoryTrained`), and meet when a catalogue is ranked. The alignment
 * (Eq. 6 to 8) draws queries to items, so that a query says which items; the split into similar and dissimilar (Eq. 10 to 12) goes by it and is for reasons and
 * analyses: nothing is scored by it.
 *
 * Shapes as in sesrec.ts; P places: T_r when training, 1 when scoring; M = T_s (1 + K), searches and then their clicks.
 */
import type { BatchSizes, NextItemChoice } from '../../../features/index.js';
import { type Tensor, nn, ops } from '../../../tensor/index.js';
import { type Places, catalogueSize, costOfPlaces, costOfScores } from '../../definition/every-place.js';
import { clicksOf, feedOf, searchesOf } from '../../definition/embeddings.js';
import { trainingLogits } from '../../definition/losses.js';
import type { Losses, Scoring } from '../../definition/model.js';
import { alignmentLoss } from '../../layers/contrastive-losses.js';
import { dot, dotShared } from '../../layers/interest-layers.js';
import { type Scope, addPositions, embedding, initialisers, layerNorm, linear } from '../../layers/layers.js';
import {
  type TransformerOptions,
  aPlaceOn,
  causalTransformer,
  lastOfCausalTransformer,
  lastOfMask,
  lastState,
} from '../../layers/sequence-layers.js';
import { knownKinds, learntByKind, recencyOf } from './sesrec-ages.js';
import type { SesrecConfig } from './sesrec-config.js';
import {
  type Actions,
  itemKeys,
  keysOf,
  queryKeys,
  scoreOfVotes,
  votesAtPlaces,
  votesFor,
  votesForShared,
  weightsAtEnd,
  weightsAtPlaces,
} from './sesrec-memory.js';
import { type UserState, projectQueries, projectedItemVectors, splitByAlignment } from './sesrec.js';

const { add, gather, matmul, mul, reshape, sum } = ops;

const EPSILON = 1e-8;

/** What the next item of a place is told from. */
export const nextItemChoice = (config: SesrecConfig): NextItemChoice => ({
  shared: config.sharedNegatives,
  ...(learnsApart(config) ? { more: VOTED_FOR } : {}),
});

/** Items that votes learn from, per batch, where they learn apart. */
const VOTED_FOR = 1024;

const learnsApart = ({ memoryWidth, memoryTrained }: SesrecConfig): boolean =>
  memoryWidth > 0 && memoryTrained === 'apart';

/** A state for the user, multiplied with the items of Eq. 1. `split` puts the split into a state by names. */
export function everyPlaceScoring(
  config: SesrecConfig,
  split: (state: NonNullable<UserState['split']>) => Readonly<Record<string, Tensor>>,
): Scoring {
  const { width, memoryWidth, memoryShare, window } = config;
  const [ofState, ofMemory] = [
    (x: Tensor): Tensor => ops.slice(x, x.shape.length - 1, 0, width),
    (x: Tensor): Tensor => ops.slice(x, x.shape.length - 1, width, width + memoryWidth),
  ];
  /** Adds what single actions vote to products. */
  const withVotes = (
    scope: Scope,
    { memoryKeys, memoryWeights }: Readonly<Record<string, Tensor>>,
    candidates: Tensor,
    product: Tensor,
    count: typeof votesFor,
  ): Tensor =>
    memoryKeys && memoryWeights
      ? add(product, scoreOfVotes(scope, count(memoryKeys, memoryWeights, ofMemory(candidates)), memoryShare))
      : product;
  return {
    items: (scope, sizes) => {
      const items = projectedItemVectors(scope, config, sizes.items);
      return memoryWidth === 0 ? items : ops.concat([items, itemKeys(scope, config, items)], 1);
    },
    encode: (scope, sizes) => {
      const given = givenOf(scope, config, sizes);
      const state = lastOfCausalTransformer(scope, 'feed.encoder', given.read, given.feedMask, optionsOf(config));
      const last = withSearches(scope, sizes, reshape(state, [sizes.rows, 1, config.width]), given);
      return {
        user: reshape(finished(scope, last), [sizes.rows, config.width]),
        ...(given.actions
          ? {
              memoryKeys: keysOf(given.actions),
              memoryWeights: weightsAtEnd(scope, sizes, window.feed, given.actions),
            }
          : {}),
        ...(given.search ? split(splitOf(scope, config, given)) : {}),
      };
    },
    score: (scope, state, candidates) =>
      withVotes(scope, state, candidates, dot(state['user'] as Tensor, ofState(candidates)), votesFor),
    scoreShared: (scope, state, candidates) =>
      withVotes(scope, state, candidates, dotShared(state['user'] as Tensor, ofState(candidates)), votesForShared),
  };
}

/** The prediction at every place, and the alignment (Eq. 8). */
export function everyPlaceLosses(scope: Scope, config: SesrecConfig, sizes: BatchSizes, scoring: Scoring): Losses {
  const given = givenOf(scope, config, sizes);
  const encoded = causalTransformer(scope, 'feed.encoder', given.read, given.feedMask, optionsOf(config));
  const states = finished(scope, withSearches(scope, sizes, encoded, given));
  const memory = given.actions && {
    keys: keysOf(given.actions),
    weights: weightsAtPlaces(scope, sizes, config.window.feed, given.actions),
  };
  const votes = memory && votesAtPlaces(memory.keys, memory.weights, keysOfItems(scope, config, sizes, given));
  const more = votes && { ...votes, scoreOf: (x: Tensor): Tensor => scoreOfVotes(scope, x) };
  const catalogue = catalogueSize(config.sizes);
  const costOf = (places: Places): Tensor => costOfPlaces(scope, sizes, places, nextItemChoice(config), catalogue);
  const products = { states, items: given.items };
  const prediction =
    more && learnsApart(config)
      ? add(costOf(products), costOfScores(scope, sizes, more, catalogue))
      : costOf(more ? { ...products, more } : products);
  const logits = trainingLogits(scope, scoring, sizes, {
    user: lastState(states, given.feedMask),
    ...(memory ? { memoryKeys: memory.keys, memoryWeights: lastState(memory.weights, given.feedMask) } : {}),
  });
  if (!config.useAlignment || !given.search) return { loss: prediction, prediction, others: {}, logits };
  const alignment = alignmentLoss(scope, sizes, given.items, given.search.queries, {
    temperature: config.temperature,
    includesPositive: config.alignmentIncludesPositive,
    transposedItemToQuery: config.transposedItemToQuery,
  });
  return { loss: add(prediction, mul(alignment, config.alpha)), prediction, others: { alignment }, logits };
}

/** The keys of the actions of a batch. */
function actionsOf(
  scope: Scope,
  config: SesrecConfig,
  sizes: BatchSizes,
  items: Tensor,
  queries: Tensor | null,
): Actions | null {
  if (config.memoryWidth === 0) return null;
  const keys = itemKeys(scope, config, items);
  const { vectors: feed, mask: feedMask } = feedOf(scope, sizes, keys);
  if (!queries) return { feed, feedMask, search: null };
  const searched = searchesOf(scope, sizes, queryKeys(scope, config, queries));
  const clicked = clicksOf(scope, sizes, keys, config.window.clicks);
  return { feed, feedMask, search: ops.concat([searched.vectors, clicked.vectors], 1) };
}

/** Keys of the items that a batch shares and votes learn from, (K,d_m), and of those that follow each place, (B,T_r,d_m): at its end the positive. */
function keysOfItems(
  scope: Scope,
  config: SesrecConfig,
  sizes: BatchSizes,
  { items, feedMask }: Given,
): { readonly shared: Tensor; readonly next: Tensor } {
  const { rows, feed: places, candidates } = sizes;
  const keys = itemKeys(scope, config, items);
  const [name, most] = learnsApart(config) ? ['moreShared', VOTED_FOR] : ['sharedItem', config.sharedNegatives];
  const shared = scope.input(name, [Math.min(most, catalogueSize(config.sizes))], 'int32');
  const positive = ops.slice(gather(keys, scope.input('candidates', [rows, candidates], 'int32')), 1, 0, 1);
  const known = mul(feedOf(scope, sizes, keys).vectors, reshape(feedMask, [rows, places, 1]));
  const atEnd = mul(reshape(lastOfMask(feedMask), [rows, places, 1]), positive);
  return { shared: gather(keys, shared), next: add(aPlaceOn(known), atEnd) };
}

/** What a batch gives. */
interface Given {
  /** (I,d): Ê_i of Eq. 1. */
  readonly items: Tensor;
  readonly feedItems: Tensor;
  readonly feedMask: Tensor;
  /** (B,T_r,d), what the Transformer reads. */
  readonly read: Tensor;
  readonly search: {
    /** (Q,d): Ê_q of Eq. 1; (B,T_s,d); (B,T_s). */
    readonly queries: Tensor;
    readonly searched: Tensor;
    readonly mask: Tensor;
    /** (B,M,d) */
    readonly tokens: Tensor;
  } | null;
  /** Null where actions do not vote. */
  readonly actions: Actions | null;
}

function givenOf(scope: Scope, config: SesrecConfig, sizes: BatchSizes): Given {
  const scale = Math.sqrt(config.width);
  const items = projectedItemVectors(scope, config, sizes.items);
  const feed = feedOf(scope, sizes, items);
  const placed = addPositions(scope, 'feed.position', mul(feed.vectors, scale), config.window.feed, 'asTable');
  const queries = config.useSearch ? projectQueries(scope, config, sizes) : null;
  const given = {
    items,
    feedItems: feed.vectors,
    feedMask: feed.mask,
    read: scope.dropout(placed),
    actions: actionsOf(scope, config, sizes, items, queries),
  };
  if (!queries) return { ...given, search: null };
  const searches = searchesOf(scope, sizes, queries);
  const source = embedding(
    scope,
    'search.source',
    [config.sizes.sources, config.width],
    scope.input('searchSource', [sizes.rows, sizes.search], 'int32'),
  );
  const clicks = clicksOf(scope, sizes, items, config.window.clicks);
  const isClick = scope.parameter('search.click', [config.width], initialisers.constant(0));
  const ofSearches = add(mul(searches.vectors, scale), source);
  const ofClicks = add(mul(clicks.vectors, scale), isClick);
  const tokens = scope.dropout(ops.concat([ofSearches, ofClicks], 1));
  return { ...given, search: { queries, searched: searches.vectors, mask: searches.mask, tokens } };
}

const optionsOf = ({ blocks, heads, width, norm }: SesrecConfig): TransformerOptions => ({
  blocks,
  heads,
  activation: 'relu',
  norm,
  innerWidth: width,
  epsilon: EPSILON,
});

const finished = (scope: Scope, states: Tensor): Tensor => layerNorm(scope, 'last.norm', states, EPSILON);

/** Adds what each place is told by the searches and clicks before it (features/search-ages.ts). states: (B,P,d). Result (B,P,d). */
function withSearches(scope: Scope, sizes: BatchSizes, states: Tensor, { search }: Given): Tensor {
  if (!search || sizes.search === 0) return states;
  const [rows, places, width] = states.shape as [number, number, number];
  const { tokens } = search;
  const ages = scope.input('searchAge', [rows, places, tokens.shape[1] as number], 'int32');
  const isKnown = gather(knownKinds, ages); // (B,P,M)
  const asked = layerNorm(scope, 'search.attention.norm', states, EPSILON);
  const query = linear(scope, 'search.attention.query', asked, width);
  const key = linear(scope, 'search.attention.key', tokens, width);
  const value = linear(scope, 'search.attention.value', tokens, width);
  const loudness = gather(learntByKind(scope, 'search.attention.age', recencyOf), ages);
  const scores = add(mul(matmul(query, key, { transposeB: true }), 1 / Math.sqrt(width)), loudness);
  const told = matmul(nn.maskedSoftmax(scores, isKnown), value);
  const hasAny = reshape(ops.greater(sum(isKnown, [2]), 0), [rows, places, 1]);
  return add(states, mul(scope.dropout(linear(scope, 'search.attention.output', told, width)), hasAny));
}

/** Eq. 10 to 12 by the alignment. */
function splitOf(
  scope: Scope,
  config: SesrecConfig,
  { feedItems, feedMask, search }: Given,
): NonNullable<UserState['split']> {
  const { searched, mask } = search as NonNullable<Given['search']>;
  return splitByAlignment(scope, config, { items: feedItems, queries: searched, feedMask, searchMask: mask });
}
