/**
 * What SESRec is trained with: the prediction, the alignment of queries and items, the contrast of interests (Eq. 6 to 8,
 * 13 to 16, 22, 23). Knows the training graph; does not know gradients or updates. Shapes as in sesrec.ts.
 */
import { assert } from '../../../base/index.js';
import type { BatchSizes } from '../../../features/index.js';
import { type Tensor, nn, ops } from '../../../tensor/index.js';
import { alignmentLoss } from '../../layers/contrastive-losses.js';
import type { Scope } from '../../layers/layers.js';
import { predictionLoss } from '../../definition/losses.js';
import type { Losses } from '../../definition/model.js';
import { type Interests, type UserState, encodeUser, scoreCandidates } from './sesrec.js';
import type { SesrecConfig } from './sesrec-config.js';

const { add, matmul, mul, reshape, sub, sum } = ops;

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
      ? alignmentLoss(scope, sizes, embedded.projectedItems, embedded.queries, {
          temperature: config.temperature,
          includesPositive: config.alignmentIncludesPositive,
          transposedItemToQuery: config.transposedItemToQuery,
        })
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
