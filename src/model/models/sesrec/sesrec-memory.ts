/**
 * What single actions say of an item, beside what a state says of it as a whole: every feed event, search and click before a
 * place votes for the items that are like it, the newer the louder. Knows votes and their weights; does not know states or losses.
 *
 * The vote of an action with key a for an item with key b, both of length 1: exp((a . b - 1) / tau), 1 for the same, nearly 0 for
 * what has little in common. A product of two vectors cannot say so: what is like one of somebody's actions need not be like their
 * mean. It is item-to-item recommendation (Linden et al. 2003) with similarities that are learnt, and a candidate's attention to
 * actions (Eq. 17) that a catalogue can afford.
 *
 * Keys are projections of the vectors that states are made of, or items have keys of their own (`memoryKeys`): a vector of the id, and one of
 * each attribute, added.
 *
 * A score takes votes as s log(votes + floor). The softmax multiplies what scores add, so it is: how much the item is liked, times how
 * often somebody met its like. Votes added as they are were the worse by a tenth (docs/preset.md).
 *
 * Shapes as in sesrec-every-place.ts; d_m width of a key, A = T_r + M actions: feed events, searches, clicks.
 */
import type { BatchSizes } from '../../../features/index.js';
import { type Tensor, nn, ops } from '../../../tensor/index.js';
import { idRows } from '../../definition/embeddings.js';
import { type Scope, embedding, initialisers, linear } from '../../layers/layers.js';
import { lastState } from '../../layers/sequence-layers.js';
import { LOUDER, knownKinds, learntByKind, recencyOf } from './sesrec-ages.js';
import type { SesrecConfig } from './sesrec-config.js';
import { unitVectors } from './sesrec.js';

const { add, exp, gather, matmul, mul, reshape, sub, sum } = ops;

/** tau: two keys at 45 degrees vote a twentieth of what equal ones do. */
const TEMPERATURE = 0.1;
/** What the newest event votes at the start. */
const FIRST_WEIGHT = 2;
/** What an event votes less for each step back, at the start. */
const DECAY = 0.7;
/** What an item has without a vote. */
const FLOOR = 0.1;

/** Keys of items, from their vectors: (I,d) to (I,d_m). */
export function itemKeys(scope: Scope, config: SesrecConfig, items: Tensor): Tensor {
  const { memoryWidth, memoryKeys, memoryDropout } = config;
  const keys =
    memoryKeys === 'items'
      ? linear(scope, 'memory.item', items, memoryWidth, { bias: false })
      : ownKeys(scope, config, items.shape[0] as number);
  return unitVectors(scope.dropout(keys, memoryDropout));
}

/** Keys of `count` items that nothing else is made of, (I,d_m). */
function ownKeys(scope: Scope, { memoryWidth, itemAttributes, sizes, idDropout }: SesrecConfig, count: number): Tensor {
  const ofId = idRows(scope, 'memory.item.id', [sizes.items, memoryWidth], ['items', count], { idDropout });
  const ofAttributes = itemAttributes.map(({ name, size }) =>
    embedding(
      scope,
      `memory.item.${name}`,
      [size, memoryWidth],
      scope.input(`itemAttribute.${name}`, [count], 'int32'),
    ),
  );
  return ofAttributes.reduce(add, ofId);
}

/** Keys of queries, from their vectors: (Q,d) to (Q,d_m). */
export function queryKeys(scope: Scope, { memoryWidth, memoryKeys }: SesrecConfig, queries: Tensor): Tensor {
  const vectors = memoryKeys === 'items' ? queries : nn.withoutGradient(queries);
  return unitVectors(linear(scope, 'memory.query', vectors, memoryWidth, { bias: false }));
}

/** exp((a . b - 1) / tau) of each key a (…,n,d_m) and each b, of the same or of all: (…,m,d_m) to (…,n,m). */
const votesOf = (a: Tensor, b: Tensor): Tensor =>
  exp(sub(matmul(mul(a, 1 / TEMPERATURE), b, { transposeB: true }), 1 / TEMPERATURE));

/** How loud the event i of a feed is at its place t: (T,T), a row per place; 0 after it. */
function feedWeights(scope: Scope, window: number, length: number): Tensor {
  const learnt = scope.parameter('memory.feed', [window], initialisers.constant(0));
  const start = Array.from({ length }, (_, age) => FIRST_WEIGHT * DECAY ** age);
  const byAge = add(ops.constant(start, [length]), mul(ops.slice(learnt, 0, 0, length), LOUDER));
  const isMirrored = Array.from({ length: length ** 2 }, (_, at) =>
    Math.floor(at / length) + (at % length) === length - 1 ? 1 : 0,
  );
  const oldestFirst = reshape(matmul(ops.constant(isMirrored, [length, length]), reshape(byAge, [length, 1])), [
    length,
  ]);
  const andNothing = ops.pad(oldestFirst, 0, 0, length);
  const rows = Array.from({ length }, (_, place) =>
    reshape(ops.slice(andNothing, 0, length - 1 - place, 2 * length - 1 - place), [1, length]),
  );
  return ops.concat(rows, 0);
}

/** How loud searches and clicks are, by the kinds of their ages: (…) to (…); 0 for what is not known. */
function searchWeights(scope: Scope, ages: Tensor): Tensor {
  const start = (kind: number): number => (kind === 0 ? 0 : Math.exp(recencyOf(kind)));
  return gather(mul(learntByKind(scope, 'memory.search', start), knownKinds), ages);
}

export interface Actions {
  /** (B,T_r,d_m) and where it is real. */
  readonly feed: Tensor;
  readonly feedMask: Tensor;
  /** (B,M,d_m), searches and then clicks; null without. */
  readonly search: Tensor | null;
}

/** The keys of all actions, (B,A,d_m). */
export const keysOf = ({ feed, search }: Actions): Tensor => (search ? ops.concat([feed, search], 1) : feed);

/** How loud the feed events are at each place of a feed, (B,T_r,T_r). */
function feedWeightsOf(scope: Scope, sizes: BatchSizes, window: number, { feedMask }: Actions): Tensor {
  return mul(feedWeights(scope, window, sizes.feed), reshape(feedMask, [sizes.rows, 1, sizes.feed]));
}

/** How loud searches and clicks are at each of P places, (B,P,M). */
function searchWeightsOf(scope: Scope, { rows }: BatchSizes, places: number, search: Tensor): Tensor {
  return searchWeights(scope, scope.input('searchAge', [rows, places, search.shape[1] as number], 'int32'));
}

/** How loud each action is at each place of a feed, (B,T_r,A). For batches that have ages at every place. */
export function weightsAtPlaces(scope: Scope, sizes: BatchSizes, window: number, actions: Actions): Tensor {
  const ofFeed = feedWeightsOf(scope, sizes, window, actions);
  const { search } = actions;
  return search?.shape[1] ? ops.concat([ofFeed, searchWeightsOf(scope, sizes, sizes.feed, search)], 2) : ofFeed;
}

/** How loud each action is at the end of a history, (B,A). For batches that have ages at that one place. */
export function weightsAtEnd(scope: Scope, sizes: BatchSizes, window: number, actions: Actions): Tensor {
  const ofFeed = lastState(feedWeightsOf(scope, sizes, window, actions), actions.feedMask);
  const { search } = actions;
  if (!search?.shape[1]) return ofFeed;
  return ops.concat([ofFeed, reshape(searchWeightsOf(scope, sizes, 1, search), search.shape.slice(0, 2))], 1);
}

/**
 * What votes add to a score, `share` times over; any shape. Weights that have become negative may take votes back, but not below the
 * floor.
 */
export function scoreOfVotes(scope: Scope, votes: Tensor, share = 1): Tensor {
  const learnt = scope.parameter('memory.strength', [1], initialisers.constant(0));
  const strength = add(mul(learnt, LOUDER), 1);
  return mul(ops.log(add(ops.relu(votes), FLOOR)), share === 1 ? strength : mul(strength, share));
}

/**
 * What the actions before each place of a feed vote: for items of a batch alike, keys (K,d_m), result (B,T_r,K); and for the item
 * that follows each place, keys (B,T_r,d_m), result (B,T_r). keys: (B,A,d_m), weights: (B,T_r,A), of the actions.
 */
export function votesAtPlaces(
  keys: Tensor,
  weights: Tensor,
  { shared, next }: { readonly shared: Tensor; readonly next: Tensor },
): { readonly shared: Tensor; readonly next: Tensor } {
  const [rows, count, width] = keys.shape as [number, number, number];
  const items = shared.shape[0] as number;
  const forShared = votesOf(reshape(keys, [rows * count, width]), shared);
  const forNext = votesOf(next, keys); // (B,T,A)
  return {
    shared: matmul(weights, reshape(forShared, [rows, count, items])),
    next: reshape(sum(mul(weights, forNext), [2]), weights.shape.slice(0, 2)),
  };
}

/** Votes for candidates of each user's own: keys (B,A,d_m), weights (B,A), candidates (B,C,d_m). Result (B,C). */
export function votesFor(keys: Tensor, weights: Tensor, candidates: Tensor): Tensor {
  const [rows, count] = candidates.shape as [number, number];
  const actions = keys.shape[1] as number;
  const each = votesOf(candidates, keys); // (B,C,A)
  return reshape(sum(mul(each, reshape(weights, [rows, 1, actions])), [2]), [rows, count]);
}

/** The same for candidates that all users have: (N,d_m). Result (B,N). */
export function votesForShared(keys: Tensor, weights: Tensor, candidates: Tensor): Tensor {
  const [rows, actions, width] = keys.shape as [number, number, number];
  const items = candidates.shape[0] as number;
  const each = votesOf(reshape(keys, [rows * actions, width]), candidates);
  const loud = matmul(reshape(weights, [rows, 1, actions]), reshape(each, [rows, actions, items]));
  return reshape(loud, [rows, items]);
}
