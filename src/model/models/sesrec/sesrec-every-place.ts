/**
 * SESRec as we train it (preset `sesrec`): from a user's whole feed at once, the next item at every place told from many others.
 * Knows how searches reach a place and the losses; equation numbers are those of the paper, and what it has from there is in
 * sesrec.ts. Does not know training or ranking.
 *
 * A causal Transformer reads the feed; the state of each place asks the searches and clicks that are known before the place's
 * next item, the newer the louder; a product with the item's own vector scores it. The alignment (Eq. 6 to 8) draws queries to
 * items, so that a query says which items; the split into similar and dissimilar (Eq. 10 to 12) goes by it and is for reasons and
 * analyses: nothing is scored by it.
 *
 * Shapes as in sesrec.ts; P places: T_r when training, 1 when scoring; M = T_s (1 + K), searches and then their clicks.
 */
import { AGE_KINDS, ageOf, type BatchSizes, type NextItemChoice } from '../../../features/index.js';
import { type Tensor, nn, ops } from '../../../tensor/index.js';
import { catalogueSize, costOfPlaces } from '../../definition/every-place.js';
import { clicksOf, feedOf, searchesOf } from '../../definition/embeddings.js';
import { type Losses, type Scoring, trainingLogits } from '../../definition/model.js';
import { alignmentLoss } from '../../layers/contrastive-losses.js';
import { dot, dotShared } from '../../layers/interest-layers.js';
import { type Scope, addPositions, embedding, initialisers, layerNorm, linear } from '../../layers/layers.js';
import {
  type TransformerOptions,
  causalTransformer,
  lastOfCausalTransformer,
  lastState,
} from '../../layers/sequence-layers.js';
import type { SesrecConfig } from './sesrec-config.js';
import { type UserState, projectQueries, projectedItemVectors, splitByAlignment } from './sesrec.js';

const { add, gather, matmul, mul, reshape, sum } = ops;

const EPSILON = 1e-8;

/** What the next item of a place is told from. */
export const nextItemChoice = ({ sharedNegatives }: SesrecConfig): NextItemChoice => ({ shared: sharedNegatives });

/** A state for the user, multiplied with the items of Eq. 1. `split` puts the split into a state by names. */
export function everyPlaceScoring(
  config: SesrecConfig,
  split: (state: NonNullable<UserState['split']>) => Readonly<Record<string, Tensor>>,
): Scoring {
  const items: Scoring['items'] = (scope, sizes) => projectedItemVectors(scope, config, sizes.items);
  return {
    items,
    encode: (scope, sizes) => {
      const given = givenOf(scope, config, sizes);
      const state = lastOfCausalTransformer(scope, 'feed.encoder', given.read, given.feedMask, optionsOf(config));
      const last = withSearches(scope, sizes, reshape(state, [sizes.rows, 1, config.width]), given);
      return {
        user: reshape(finished(scope, last), [sizes.rows, config.width]),
        ...(given.search ? split(splitOf(scope, config, given)) : {}),
      };
    },
    score: (_, { user }, candidates) => dot(user as Tensor, candidates),
    scoreShared: (_, { user }, candidates) => dotShared(user as Tensor, candidates),
  };
}

/** The prediction at every place, and the alignment (Eq. 8). */
export function everyPlaceLosses(scope: Scope, config: SesrecConfig, sizes: BatchSizes, scoring: Scoring): Losses {
  const given = givenOf(scope, config, sizes);
  const encoded = causalTransformer(scope, 'feed.encoder', given.read, given.feedMask, optionsOf(config));
  const states = finished(scope, withSearches(scope, sizes, encoded, given));
  const places = { states, items: given.items };
  const prediction = costOfPlaces(scope, sizes, places, nextItemChoice(config), catalogueSize(config.sizes));
  const logits = trainingLogits(scope, scoring, sizes, { user: lastState(states, given.feedMask) });
  if (!config.useAlignment || !given.search) return { loss: prediction, prediction, others: {}, logits };
  const alignment = alignmentLoss(scope, sizes, given.items, given.search.queries, {
    temperature: config.temperature,
    includesPositive: config.alignmentIncludesPositive,
    transposedItemToQuery: config.transposedItemToQuery,
  });
  return { loss: add(prediction, mul(alignment, config.alpha)), prediction, others: { alignment }, logits };
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
    readonly memory: Tensor;
  } | null;
}

function givenOf(scope: Scope, config: SesrecConfig, sizes: BatchSizes): Given {
  const scale = Math.sqrt(config.width);
  const items = projectedItemVectors(scope, config, sizes.items);
  const feed = feedOf(scope, sizes, items);
  const placed = addPositions(scope, 'feed.position', mul(feed.vectors, scale), config.window.feed);
  const given = { items, feedItems: feed.vectors, feedMask: feed.mask, read: scope.dropout(placed) };
  if (!config.useSearch) return { ...given, search: null };
  const queries = projectQueries(scope, config, sizes);
  const searches = searchesOf(scope, sizes, queries);
  const source = embedding(
    scope,
    'search.source',
    [config.sizes.sources, config.width],
    scope.input('searchSource', [sizes.rows, sizes.search], 'int32'),
  );
  const clicks = clicksOf(scope, sizes, items, config.window.clicks);
  const isClick = scope.parameter('search.click', [config.width], initialisers.constant(0));
  const tokens = [add(mul(searches.vectors, scale), source), add(mul(clicks.vectors, scale), isClick)];
  const memory = scope.dropout(ops.concat(tokens, 1));
  return { ...given, search: { queries, searched: searches.vectors, mask: searches.mask, memory } };
}

const optionsOf = ({ blocks, heads, width }: SesrecConfig): TransformerOptions => ({
  blocks,
  heads,
  activation: 'relu',
  norm: 'pre',
  innerWidth: width,
  epsilon: EPSILON,
});

const finished = (scope: Scope, states: Tensor): Tensor => layerNorm(scope, 'last.norm', states, EPSILON);

/** 1 for every kind of age but that of what is not known. */
const knownKinds = ops.constant([0, ...new Array<number>(AGE_KINDS - 1).fill(1)], [AGE_KINDS]);

/** How much louder a search is at the start of training than one that is as new as can be: two searches older, e times less. */
const recency = ops.constant(
  Array.from({ length: AGE_KINDS }, (_, kind) => {
    const { age, isSince } = ageOf(kind);
    return (isSince ? 1 : 0) - (age - 1) / 2;
  }),
  [AGE_KINDS],
);
/** One number per kind of age has further to go than a weight among many, and the same steps to go it in. */
const LOUDER = 10;

/** Adds what each place is told by the searches and clicks before it (features/search-ages.ts). states: (B,P,d). Result (B,P,d). */
function withSearches(scope: Scope, sizes: BatchSizes, states: Tensor, { search }: Given): Tensor {
  if (!search || sizes.search === 0) return states;
  const [rows, places, width] = states.shape as [number, number, number];
  const { memory } = search;
  const ages = scope.input('searchAge', [rows, places, memory.shape[1] as number], 'int32');
  const isKnown = gather(knownKinds, ages); // (B,P,M)
  const asked = layerNorm(scope, 'search.attention.norm', states, EPSILON);
  const query = linear(scope, 'search.attention.query', asked, width);
  const key = linear(scope, 'search.attention.key', memory, width);
  const value = linear(scope, 'search.attention.value', memory, width);
  const learnt = scope.parameter('search.attention.age', [AGE_KINDS], initialisers.constant(0));
  const loudness = gather(add(recency, mul(learnt, LOUDER)), ages);
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
