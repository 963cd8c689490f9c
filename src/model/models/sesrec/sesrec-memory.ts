/**
 * What single actions say of an item, beside what a state says of it as a whole: every feed event, search and click before a
 * place votes for the items that are like it, the newer the louder. Knows votes and their weights; does not know states or losses.
 *
 * The vote of an action with key a for an item with key b, both of length 1: exp((a . b - 1) / tau), 1 for the same, nearly 0 for
 * what has little in common. A product of two vectors cannot say so: what is like one of somebody's actions need not be like their
 * mean. It is item-to-item recommendation (Linden et al. 2003) with similarities that are learnt, and a candidate's attention to
 * actions (Eq. 17) that a catalogue can afford.
 *
 * Shapes as in sesrec-every-place.ts; d_m width of a key, A = T_r + M actions: feed events, searches, clicks.
 */
import { AGE_KINDS, type BatchSizes } from '../../../features/index.js';
import { type Tensor, ops } from '../../../tensor/index.js';
import { type Scope, initialisers, linear } from '../../layers/layers.js';
import { lastState } from '../../layers/sequence-layers.js';
import { recencyOf } from './sesrec-ages.js';

const { add, div, exp, gather, matmul, mul, reshape, sub, sum } = ops;

/** tau: two keys at 45 degrees vote a twentieth of what equal ones do. */
const TEMPERATURE = 0.1;
/** What the newest event votes at the start. */
const FIRST_WEIGHT = 2;
/** What an event votes less for each step back, at the start. */
const DECAY = 0.7;
/** Weights are single numbers: they go in larger steps than those of matrices. */
const LOUDER = 10;

/** Vectors of length 1; of zeros, zeros. (…,d). */
function unit(x: Tensor): Tensor {
  const squares = reshape(sum(mul(x, x), [x.shape.length - 1]), [...x.shape.slice(0, -1), 1]);
  return div(x, ops.sqrt(add(squares, 1e-12)));
}

/** Keys of items, (…,d) to (…,d_m). */
export const itemKeys = (scope: Scope, items: Tensor, width: number): Tensor =>
  unit(linear(scope, 'memory.item', items, width, { bias: false }));

/** Keys of queries, (…,d) to (…,d_m). */
export const queryKeys = (scope: Scope, queries: Tensor, width: number): Tensor =>
  unit(linear(scope, 'memory.query', queries, width, { bias: false }));

/** exp((cos - 1) / tau), from cosines. */
const votes = (cosines: Tensor): Tensor => exp(mul(sub(cosines, 1), 1 / TEMPERATURE));

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
  const learnt = scope.parameter('memory.search', [AGE_KINDS], initialisers.constant(0));
  const start = Array.from({ length: AGE_KINDS }, (_, kind) => (kind === 0 ? 0 : Math.exp(recencyOf(kind))));
  const isKnown = start.map((weight) => (weight > 0 ? 1 : 0));
  const byKind = mul(add(ops.constant(start, [AGE_KINDS]), mul(learnt, LOUDER)), ops.constant(isKnown, [AGE_KINDS]));
  return gather(byKind, ages);
}

export interface Actions {
  /** (B,T_r,d_m) and where it is real. */
  readonly feed: Tensor;
  readonly feedMask: Tensor;
  /** (B,M,d_m), searches and then clicks; null without. */
  readonly search: Tensor | null;
}

/** All keys, and how loud each action is at each place of the feed. */
function whole(scope: Scope, sizes: BatchSizes, window: number, { feed, feedMask, search }: Actions) {
  const { rows, feed: length } = sizes;
  const ofFeed = mul(feedWeights(scope, window, length), reshape(feedMask, [rows, 1, length])); // (B,T,T)
  return { keys: search ? ops.concat([feed, search], 1) : feed, ofFeed };
}

/**
 * What the actions before each place of a feed vote: for items of a batch alike, keys (K,d_m), result (B,T_r,K); and for the item
 * that follows each place, keys (B,T_r,d_m), result (B,T_r).
 */
export function votesAtPlaces(
  scope: Scope,
  sizes: BatchSizes,
  window: number,
  actions: Actions,
  { shared, next }: { readonly shared: Tensor; readonly next: Tensor },
): { readonly shared: Tensor; readonly next: Tensor } {
  const { rows, feed: places } = sizes;
  const { keys, ofFeed } = whole(scope, sizes, window, actions);
  const [, count, width] = keys.shape as [number, number, number];
  const ages = (): Tensor => scope.input('searchAge', [rows, places, count - places], 'int32');
  const weights = count > places ? ops.concat([ofFeed, searchWeights(scope, ages())], 2) : ofFeed; // (B,T,A)
  const items = shared.shape[0] as number;
  const forShared = votes(matmul(reshape(keys, [rows * count, width]), shared, { transposeB: true }));
  const forNext = votes(matmul(next, keys, { transposeB: true })); // (B,T,A)
  return {
    shared: matmul(weights, reshape(forShared, [rows, count, items])),
    next: reshape(sum(mul(weights, forNext), [2]), [rows, places]),
  };
}

/**
 * Keys of the actions of a history, (B,A,d_m), and how loud each is at its end, (B,A). `places`: for how many the batch has ages, T_r
 * or 1.
 */
export function memoryAtEnd(
  scope: Scope,
  sizes: BatchSizes,
  window: number,
  actions: Actions,
  places: number,
): { readonly memoryKeys: Tensor; readonly memoryWeights: Tensor } {
  const { rows, feed } = sizes;
  const { keys, ofFeed } = whole(scope, sizes, window, actions);
  const others = (keys.shape[1] as number) - feed;
  const last = lastState(ofFeed, actions.feedMask);
  if (others === 0) return { memoryKeys: keys, memoryWeights: last };
  const weights = searchWeights(scope, scope.input('searchAge', [rows, places, others], 'int32'));
  const ofSearch = places === 1 ? reshape(weights, [rows, others]) : lastState(weights, actions.feedMask);
  return { memoryKeys: keys, memoryWeights: ops.concat([last, ofSearch], 1) };
}

/** Votes for candidates of each user's own: keys (B,A,d_m), weights (B,A), candidates (B,C,d_m). Result (B,C). */
export function votesFor(keys: Tensor, weights: Tensor, candidates: Tensor): Tensor {
  const [rows, count] = candidates.shape as [number, number];
  const actions = keys.shape[1] as number;
  const each = votes(matmul(candidates, keys, { transposeB: true })); // (B,C,A)
  return reshape(sum(mul(each, reshape(weights, [rows, 1, actions])), [2]), [rows, count]);
}

/** The same for candidates that all users have: (N,d_m). Result (B,N). */
export function votesForShared(keys: Tensor, weights: Tensor, candidates: Tensor): Tensor {
  const [rows, actions, width] = keys.shape as [number, number, number];
  const items = candidates.shape[0] as number;
  const each = votes(matmul(reshape(keys, [rows * actions, width]), candidates, { transposeB: true }));
  const loud = matmul(reshape(weights, [rows, 1, actions]), reshape(each, [rows, actions, items]));
  return reshape(loud, [rows, items]);
}
