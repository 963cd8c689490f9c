/**
 * SESRec: Si et al., "When Search Meets Recommendation: Learning Disentangled Search Representation for
 * Recommendation", SIGIR 2023. Equation numbers are the paper's. Knows the model's graph from histories to
 * scores (Eq. 1 to 5, 9 to 12, 17 to 21); does not know its losses (sesrec-losses.ts), or how it is trained or served.
 *
 * Shapes: B rows, C candidates, T_r feed positions, T_s searches (the windows, or what a batch needs of them), K clicks per query, W words per query, d model
 * width, d_v candidate width (d when candidates are projected, else d_i); I, Q, V distinct items, queries, words of a
 * batch; P query-click pairs. Masks hold 1 for real positions.
 */
import { assert } from '../../../base/index.js';
import type { BatchSizes } from '../../../features/index.js';
import { type Tensor, nn, ops } from '../../../tensor/index.js';
import { type TableOptions, clickMeansOf, embedItems, embedQueries, embedUsers } from '../../definition/embeddings.js';
import {
  type Initialiser,
  type Scope,
  addPositions,
  embedding,
  initialisers,
  linear,
  transformer,
} from '../../layers/layers.js';
import type { SesrecConfig } from './sesrec-config.js';

const { add, div, matmul, mul, reshape, sub, sum } = ops;

/** What a user's histories are encoded to; the same for all candidates. */
export interface UserState {
  /** (B,T_r,d), Eq. 5. */
  readonly feed: Tensor;
  /** (B,T_s,d), Eq. 5; null when search is off. */
  readonly search: Tensor | null;
  /** (B,T_r), (B,T_s): which positions each interest is drawn from (Eq. 17, 18, 19). Search masks are null when search is off. */
  readonly masks: {
    readonly feed: Interests<Tensor>;
    readonly search: Interests<Tensor> | null;
  };
  /** (B,d_u), Eq. 21. */
  readonly user: Tensor;
  /** Eq. 10, before and after the empty-side rule; null when search is off. */
  readonly split: {
    readonly feed: Split;
    readonly search: Split;
    readonly hasBoth: Tensor;
    /** (B,T_r,T_s): Eq. 9, or cosines where the split goes by the alignment. What padding is in it means nothing. */
    readonly affinity: Tensor;
  } | null;
}

export interface Interests<Value> {
  readonly all: Value;
  readonly similar: Value;
  readonly dissimilar: Value;
}

/** The co-attention of one history. */
interface Split {
  /** a, (B,T), sums to 1 over the real positions. */
  readonly attention: Tensor;
  /** (B,T): 1 where the action lies on the similar side, before the empty-side rule. */
  readonly isSimilar: Tensor;
}

/** What a batch's distinct things are embedded to. */
export interface Embedded {
  /** (I,d_i): E_i, and (I,d): Ê_i of Eq. 1. */
  readonly items: Tensor;
  readonly projectedItems: Tensor;
  /** (Q,d): Ê_q of Eq. 1. */
  readonly queries: Tensor | null;
}

/** E_i W_i (Eq. 1), (I,d). */
function projectItems(scope: Scope, config: SesrecConfig, items: Tensor): Tensor {
  return linear(scope, 'item.projection', items, config.width, { bias: config.projectionBias });
}

/** What a candidate is scored by: the projected item (official) or the raw one (paper). (I,d_v). */
export function candidateVectors(scope: Scope, config: SesrecConfig, count: number): Tensor {
  return config.projectCandidate
    ? projectedItemVectors(scope, config, count)
    : embedItems(scope, config, count, tablesOf(config));
}

const tablesOf = ({ zeroPaddingRows, idDropout }: SesrecConfig): TableOptions => ({
  padding: zeroPaddingRows ? 'zero' : 'frozen',
  idDropout,
});

/** Ê_i of Eq. 1 for `count` distinct items, (count,d). */
export function projectedItemVectors(scope: Scope, config: SesrecConfig, count: number): Tensor {
  const seen = config.itemVectorsOf === 'ids' ? { ...config, itemAttributes: [] } : config;
  return projectItems(scope, config, embedItems(scope, seen, count, tablesOf(config)));
}

/** Ê_q of Eq. 1, (Q,d). */
export function projectQueries(scope: Scope, config: SesrecConfig, sizes: BatchSizes): Tensor {
  const queries = embedQueries(scope, config, sizes, tablesOf(config));
  return linear(scope, 'query.projection', queries, config.width, { bias: config.projectionBias });
}

/** Encodes both histories and splits them (Eq. 1 to 12). */
export function encodeUser(
  scope: Scope,
  config: SesrecConfig,
  sizes: BatchSizes,
): { state: UserState; embedded: Embedded } {
  const { rows } = sizes;
  const items = embedItems(scope, config, sizes.items, tablesOf(config));
  const projectedItems = projectItems(scope, config, items);
  const queries = config.useSearch ? projectQueries(scope, config, sizes) : null;

  const feedMask = scope.input('feedMask', [rows, sizes.feed]);
  const feedItems = ops.gather(projectedItems, scope.input('feed', [rows, sizes.feed], 'int32'));
  const feed = transformer(
    scope,
    'feed.encoder',
    addPositions(scope, 'feed.position', feedItems, config.window.feed, 'asTable'),
    feedMask,
    config,
  ); // Eq. 2, 4, 5

  const user = embedUsers(scope, config, rows);
  const embedded = { items, projectedItems, queries };
  if (!queries) {
    const masks = { feed: { all: feedMask, similar: feedMask, dissimilar: feedMask }, search: null };
    return { state: { feed, search: null, masks, user, split: null }, embedded };
  }

  const searchMask = scope.input('searchMask', [rows, sizes.search]);
  const searched = ops.gather(queries, scope.input('search', [rows, sizes.search], 'int32'));
  const source = embedding(
    scope,
    'search.source',
    [config.sizes.sources, config.width],
    scope.input('searchSource', [rows, sizes.search], 'int32'),
  );
  const withPositions = add(
    addPositions(scope, 'search.position', add(searched, source), config.window.search, 'asTable'),
    clickMeansOf(scope, sizes, projectedItems, config.window.clicks), // Ẽ_c
  );
  const search = transformer(scope, 'search.encoder', withPositions, searchMask, config); // Eq. 3, 4, 5

  const split =
    config.splitBy === 'alignment'
      ? splitByAlignment(scope, config, { items: feedItems, queries: searched, feedMask, searchMask })
      : coAttention(scope, config, feed, search, feedMask, searchMask);
  const masks = {
    feed: interestMasks(split.feed, feedMask, split.hasBoth),
    search: interestMasks(split.search, searchMask, split.hasBoth),
  };
  return { state: { feed, search, masks, user, split }, embedded };
}

/** Eq. 9: how much each action has in common with the other history, and the split by it. */
function coAttention(
  scope: Scope,
  config: SesrecConfig,
  feed: Tensor,
  search: Tensor,
  feedMask: Tensor,
  searchMask: Tensor,
): NonNullable<UserState['split']> {
  const [rows, feedLength, width] = feed.shape as [number, number, number];
  const searchLength = search.shape[1] as number;
  const bilinear = scope.parameter('coAttention.bilinear', [width, width], initialisers.xavierNormal(width, width));
  const affinity = ops.tanh(matmul(nn.project(feed, bilinear), search, { transposeB: true })); // Eq. 9, (B,T_r,T_s)
  const feedWeight = linear(scope, 'coAttention.feed', feed, 1, { bias: false }); // W_r h, (B,T_r,1)
  const searchWeight = linear(scope, 'coAttention.search', search, 1, { bias: false }); // W_s h, (B,T_s,1)
  // The official code lets padded positions of the other history into these sums; see docs/sesrec.md.
  const counted = (weight: Tensor, mask: Tensor): Tensor => {
    if (!config.maskCoAttention) return weight;
    const masked = mul(weight, reshape(mask, weight.shape));
    return config.meanCoAttention ? div(masked, ops.maximum(reshape(sum(mask, [1]), [rows, 1, 1]), 1)) : masked;
  };
  const searchScores = reshape(matmul(affinity, counted(feedWeight, feedMask), { transposeA: true }), [
    rows,
    searchLength,
  ]);
  const feedScores = reshape(matmul(affinity, counted(searchWeight, searchMask)), [rows, feedLength]);
  const masks = { feed: feedMask, search: searchMask };
  return { ...splitOf(config, { feed: feedScores, search: searchScores }, masks), affinity };
}

/**
 * Ours, in place of Eq. 9: the score of an action is the soft greatest cosine, log sum exp(cos / tau), of its own vector and those of
 * the other history, queries mapped by the W_A of the alignment loss. items: (B,T_r,d), queries: (B,T_s,d), of Eq. 1.
 */
export function splitByAlignment(
  scope: Scope,
  config: SesrecConfig,
  { items, queries, feedMask, searchMask }: Readonly<Record<'items' | 'queries' | 'feedMask' | 'searchMask', Tensor>>,
): NonNullable<UserState['split']> {
  const [rows, feedLength, width] = items.shape as [number, number, number];
  const searchLength = queries.shape[1] as number;
  const bilinear = scope.parameter('alignment.bilinear', [width, width], initialisers.xavierNormal(width, width));
  const cosines = matmul(unitVectors(items), unitVectors(nn.project(queries, bilinear)), { transposeB: true });
  const scaled = div(cosines, config.temperature); // (B,T_r,T_s)
  const greatest = (scores: Tensor, others: Tensor, length: number): Tensor => {
    const mask = ops.broadcast(reshape(others, [rows, 1, others.shape[1] as number]), scores.shape);
    return reshape(nn.maskedLogSumExp(scores, mask), [rows, length]);
  };
  const scores = {
    feed: greatest(scaled, searchMask, feedLength),
    search: greatest(ops.transpose(scaled, [0, 2, 1]), feedMask, searchLength),
  };
  return { ...splitOf(config, scores, { feed: feedMask, search: searchMask }), affinity: cosines };
}

/** Vectors of length 1; of zeros, zeros. (…,d). */
export function unitVectors(x: Tensor): Tensor {
  const squares = reshape(sum(mul(x, x), [x.shape.length - 1]), [...x.shape.slice(0, -1), 1]);
  return div(x, ops.sqrt(add(squares, 1e-12)));
}

/** Eq. 10 to 12, from the scores of the actions of both histories, (B,T). */
function splitOf(
  config: SesrecConfig,
  scores: Readonly<Record<'feed' | 'search', Tensor>>,
  masks: Readonly<Record<'feed' | 'search', Tensor>>,
): Omit<NonNullable<UserState['split']>, 'affinity'> {
  const side = (lane: 'feed' | 'search'): Split => {
    const attention = nn.maskedSoftmax(scores[lane], masks[lane]); // Eq. 10
    const threshold = splitThreshold(config, attention, masks[lane]);
    // Eq. 11, 12; `official` counts ties as similar
    const isSimilar = config.thresholdIncludesTies
      ? ops.greaterOrEqual(attention, threshold)
      : ops.greater(attention, threshold);
    return { attention, isSimilar: mul(isSimilar, masks[lane]) };
  };
  const lengths = (mask: Tensor): Tensor => sum(mask, [1]);
  const hasBoth = ops.greater(mul(lengths(masks.feed), lengths(masks.search)), 0); // (B,1)
  return { feed: side('feed'), search: side('search'), hasBoth };
}

/** gamma of Eq. 11, 12: (B,1), or a constant. */
function splitThreshold({ threshold }: SesrecConfig, attention: Tensor, mask: Tensor): Tensor {
  if (typeof threshold === 'number') return ops.constant(threshold);
  return threshold === 'mean' ? div(1, ops.maximum(sum(mask, [1]), 1)) : medianWithin(attention, mask);
}

/**
 * The median over the positions of a mask; of an even number, the mean of the middle two; 0 where there are none.
 * values, mask: (B,T). Result (B,1). No sorting: position i has order statistic k when fewer than k + 1 values are
 * smaller and more than k are smaller or equal; equal values agree, so their mean is taken.
 */
function medianWithin(values: Tensor, mask: Tensor): Tensor {
  const [rows, length] = values.shape as [number, number];
  const [others, own] = [reshape(values, [rows, 1, length]), reshape(values, [rows, length, 1])];
  const countOthers = (relation: Tensor): Tensor =>
    reshape(sum(mul(relation, reshape(mask, [rows, 1, length])), [2]), [rows, length]);
  const smaller = countOthers(ops.greater(own, others));
  const smallerOrEqual = countOthers(ops.greaterOrEqual(own, others));
  const count = sum(mask, [1]);
  const statistic = (order: Tensor): Tensor => {
    const here = mul(mul(ops.greaterOrEqual(order, smaller), ops.greater(smallerOrEqual, order)), mask);
    return div(sum(mul(here, values), [1]), ops.maximum(sum(here, [1]), 1));
  };
  // the counts are whole, so comparing with (n - 1) / 2 and n / 2 needs no rounding
  return mul(add(statistic(mul(sub(count, 1), 0.5)), statistic(mul(count, 0.5))), 0.5);
}

/**
 * The positions of each interest. A side that would be empty becomes the whole history, and so do both sides of users
 * who have only one history: there is nothing to compare it with.
 */
function interestMasks({ isSimilar }: Split, mask: Tensor, hasBoth: Tensor): Interests<Tensor> {
  const orWhole = (side: Tensor): Tensor => {
    const usable = mul(ops.greater(sum(side, [1]), 0), hasBoth);
    return add(mul(side, usable), mul(mask, sub(1, usable)));
  };
  return { all: mask, similar: orWhole(isSimilar), dissimilar: orWhole(sub(mask, isSimilar)) };
}

/** What a candidate draws from the histories. */
export interface Scores {
  /** (B,C), Eq. 21 without the sigmoid. */
  readonly logits: Tensor;
  /** (B,C,T_r), the attention weights of Eq. 17. */
  readonly feedAttention: Tensor;
  /** (B,C,T_s); null when search is off. */
  readonly searchAttention: Tensor | null;
}

/** Scores candidates (B,C,d_v) against encoded users (Eq. 17 to 21). */
export function scoreCandidates(
  scope: Scope,
  config: SesrecConfig,
  state: Omit<UserState, 'split'>,
  candidates: Tensor,
): Scores {
  const [rows, , candidateWidth] = candidates.shape as [number, number, number];
  const attend = (
    lane: 'feed' | 'search',
    history: Tensor,
    masks: Interests<Tensor>,
  ): { attention: Tensor; interests: Tensor[] } => {
    const length = history.shape[1] as number;
    const query = linear(scope, `${lane}.interest`, candidates, config.width, {
      bias: false,
      initialiser: attentionInitialiser(config, candidateWidth),
    });
    const scores = matmul(query, history, { transposeB: true }); // h^T W_d e_v, (B,C,T)
    const weights = (mask: Tensor): Tensor => nn.maskedSoftmax(scores, reshape(mask, [rows, 1, length]));
    const attention = weights(masks.all);
    const used =
      config.useMultiInterest && config.useSearch
        ? [attention, weights(masks.similar), weights(masks.dissimilar)]
        : [attention];
    return { attention, interests: used.map((weight) => matmul(weight, history)) }; // Eq. 17, 18, 19
  };
  const feed = attend('feed', state.feed, state.masks.feed);
  const search = state.search && state.masks.search ? attend('search', state.search, state.masks.search) : null;
  const interests = ops.concat([...feed.interests, ...(search?.interests ?? [])], 2); // Eq. 20

  // The first layer is applied to the three parts apart, so that the user's share is computed once and nothing is
  // repeated per candidate.
  const { shares, bias } = firstLayer(scope, config, {
    interests: interests.shape[2] as number,
    user: state.user.shape[1] as number,
    candidate: candidateWidth,
  });
  const ofUser = reshape(nn.linear(state.user, shares.user, bias), [rows, 1, bias.shape[0] as number]);
  const first = add(add(nn.linear(interests, shares.interests), nn.linear(candidates, shares.candidate)), ofUser);
  return {
    logits: laterLayers(scope, config, first),
    feedAttention: feed.attention,
    searchAttention: search?.attention ?? null,
  };
}

/**
 * The first layer of the prediction (Eq. 21), cut into what acts on [interests, user, candidate], or, in the paper,
 * [interests, candidate, user]. Shares: (f, width of the part); bias: (f).
 */
export function firstLayer(
  scope: Scope,
  config: SesrecConfig,
  widths: { readonly interests: number; readonly user: number; readonly candidate: number },
) {
  const [units] = config.hidden as [number, ...number[]];
  const total = widths.interests + widths.user + widths.candidate;
  const weight = scope.parameter('prediction.0.weight', [units, total], initialisers.xavierNormal(total, units));
  const bias = scope.parameter('prediction.0.bias', [units], initialisers.constant(0));
  const order = config.userBeforeCandidate
    ? (['interests', 'user', 'candidate'] as const)
    : (['interests', 'candidate', 'user'] as const);
  let start = 0;
  const shares = Object.fromEntries(
    order.map((part) => [part, ops.slice(weight, 1, start, (start += widths[part]))]),
  ) as Record<keyof typeof widths, Tensor>;
  return { shares, bias };
}

/** The layers after the first (Eq. 21). first: (…,f), before its activation. Result (…). */
export function laterLayers(scope: Scope, config: SesrecConfig, first: Tensor): Tensor {
  let hidden = first;
  config.hidden.slice(1).forEach((width, layer) => {
    hidden = linear(scope, `prediction.${layer + 1}`, scope.dropout(ops.relu(hidden)), width);
  });
  assert(hidden.shape.at(-1) === 1, 'the last layer of the prediction has one unit');
  return reshape(hidden, hidden.shape.slice(0, -1));
}

/** W_d. The official code keeps it as (1,d,d), which Xavier takes for fan-in d^2 and fan-out d; see docs/sesrec.md. */
function attentionInitialiser(config: SesrecConfig, candidateWidth: number): Initialiser {
  return config.flatAttentionInitialisation
    ? initialisers.xavierNormal(config.width * candidateWidth, config.width)
    : initialisers.xavierNormal(candidateWidth, config.width);
}
