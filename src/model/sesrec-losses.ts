/**
 * What SESRec is trained with: the prediction, the alignment of queries and items, the contrast of interests (Eq. 6 to 8,
 * 13 to 16, 22, 23). Knows the training graph; does not know gradients or updates. Shapes as in sesrec.ts; P query-click
 * pairs.
 */
import { assert } from '../base/index.js';
import type { BatchSizes } from '../features/index.js';
import { type Tensor, nn, ops } from '../tensor/index.js';
import { type Scope, initialisers } from './layers.js';
import { type Losses, predictionLoss } from './model.js';
import { type Interests, type UserState, encodeUser, scoreCandidates } from './sesrec.js';
import type { SesrecConfig } from './sesrec-config.js';

const { add, div, matmul, mul, reshape, sub, sum } = ops;

/**
 * The training graph (Eq. 23: prediction + alpha * alignment + beta * contrast). The alignment is Eq. 8, the contrast Eq. 16, a
 * mean over the rows that have both histories.
 */
export function sesrecLosses(scope: Scope, config: SesrecConfig, sizes: BatchSizes): Losses {
  const { state, embedded } = encodeUser(scope, config, sizes);
  const slots = scope.input('candidates', [sizes.rows, sizes.candidates], 'int32');
  const { logits } = scoreCandidates(
    scope,
    config,
    state,
    ops.gather(config.projectCandidate ? embedded.projectedItems : embedded.items, slots),
  );
  const prediction = predictionLoss(scope, logits); // Eq. 22
  const zero = ops.constant(0);
  const alignment =
    config.useAlignment && embedded.queries
      ? alignmentLoss(scope, config, sizes, embedded.projectedItems, embedded.queries)
      : zero;
  const contrast = config.useContrast && state.split ? contrastLoss(scope, config, state) : zero;
  const loss = add(prediction, add(mul(alignment, config.alpha), mul(contrast, config.beta)));
  return { loss, prediction, others: { alignment, contrast }, logits, details: detailsOf(state) };
}

/** Co-attentions and masks, for checks. */
function detailsOf({ split, masks }: UserState): Record<string, Tensor> {
  if (!split || !masks.search) return {};
  return {
    'feed co-attention': split.feed.attention,
    'search co-attention': split.search.attention,
    'feed is similar': split.feed.isSimilar,
    'search is similar': split.search.isSimilar,
    'feed similar': masks.feed.similar,
    'feed dissimilar': masks.feed.dissimilar,
    'search similar': masks.search.similar,
    'search dissimilar': masks.search.dissimilar,
  };
}

/**
 * Query-item alignment (Eq. 6, 7, 8) with s(q,i) = tanh(q^T W_A i). Since tanh bounds the logits by 1/tau, exp needs no
 * running maximum; the floor of tau keeps 1025 e^(1/tau) inside float32. The sum over negatives is made once per
 * distinct query (item), with multiplicities, and shared by all pairs it is in.
 */
function alignmentLoss(scope: Scope, config: SesrecConfig, sizes: BatchSizes, items: Tensor, queries: Tensor): Tensor {
  const at = (table: Tensor, key: string, size: number): Tensor => ops.gather(table, scope.input(key, [size], 'int32'));
  const anchorQueries = at(queries, 'anchorQueries', sizes.anchorQueries);
  const anchorItems = at(items, 'anchorItems', sizes.anchorItems);
  const negativeItems = at(items, 'negativeItems', sizes.negativeItems);
  const negativeQueries = at(queries, 'negativeQueries', sizes.negativeQueries);
  const bilinear = scope.parameter(
    'alignment.bilinear',
    [config.width, config.width],
    initialisers.xavierNormal(config.width, config.width),
  );
  const temperature = ops.maximum(
    scope.parameter('alignment.temperature', [], initialisers.constant(config.temperature)),
    0.0125,
  );
  const inverse = div(1, temperature);
  const pairQuery = scope.input('pairQuery', [sizes.pairs], 'int32');
  const pairItem = scope.input('pairItem', [sizes.pairs], 'int32');
  const weight = reshape(scope.input('pairWeight', [sizes.pairs]), [sizes.pairs, 1]);

  // -log( e^(s+/tau) / sum ) over the pairs, in one direction
  const direction = (
    mapped: Tensor,
    negatives: Tensor,
    counts: Tensor,
    pairAnchor: Tensor,
    partners: Tensor,
  ): Tensor => {
    const column = reshape(counts, [counts.shape[0] as number, 1]);
    const sums = ops.gather(nn.boundedExponentialSums(mapped, negatives, column, inverse), pairAnchor); // (P,1)
    const positive = ops.tanh(sum(mul(ops.gather(mapped, pairAnchor), partners), [1])); // (P,1)
    const scaled = mul(positive, inverse);
    // the floor lies below any sum: where there is nothing to compare with, a pair of weight 0 must not say 0 * log 0
    const denominator = config.alignmentIncludesPositive ? add(sums, ops.exp(scaled)) : ops.maximum(sums, 1e-37);
    return nn.scalar(sum(mul(weight, sub(ops.log(denominator), scaled))));
  };
  const queryToItem = direction(
    nn.project(anchorQueries, bilinear),
    negativeItems,
    scope.input('negativeItemCount', [sizes.negativeItems]),
    pairQuery,
    ops.gather(anchorItems, pairItem),
  );
  // s(q,i) has the item on the right of W_A; the official code puts it on the left when items look for queries (row 12)
  const mappedItems = config.transposedItemToQuery
    ? nn.project(anchorItems, bilinear)
    : nn.linear(anchorItems, bilinear);
  const itemToQuery = direction(
    mappedItems,
    negativeQueries,
    scope.input('negativeQueryCount', [sizes.negativeQueries]),
    pairItem,
    ops.gather(anchorQueries, pairQuery),
  );
  return mul(add(queryToItem, itemToQuery), 0.5);
}

/** Interest contrast (Eq. 13 to 16): the triplet losses of both histories. */
function contrastLoss(scope: Scope, config: SesrecConfig, { feed, search, masks, split }: UserState): Tensor {
  assert(split && search && masks.search, 'the contrast needs both histories');
  const triplet = (history: Tensor, attention: Tensor, interests: Interests<Tensor>): Tensor => {
    const [rows, length, width] = history.shape as [number, number, number];
    const anchor = reshape(matmul(reshape(attention, [rows, 1, length]), history), [rows, width]); // Eq. 13, 14
    // PyTorch's pairwise distance adds 1e-6 to each difference
    const distance = (mask: Tensor): Tensor => nn.norm(add(sub(anchor, nn.maskedMean(history, mask)), 1e-6));
    return ops.relu(add(sub(distance(interests.similar), distance(interests.dissimilar)), config.margin)); // Eq. 15, (B)
  };
  const both = add(
    triplet(feed, split.feed.attention, masks.feed),
    triplet(search, split.search.attention, masks.search),
  ); // Eq. 16
  const counts = reshape(split.hasBoth, [both.shape[0] as number]);
  return mul(nn.scalar(sum(mul(both, counts))), scope.input('contrastScale', []));
}
