/**
 * Models that sum up a history as one vector, which is matched with the vector of a candidate. Knows the product; does not
 * know how the vector comes about.
 */
import type { BatchSizes } from '../../features/index.js';
import type { Tensor } from '../../tensor/index.js';
import { embedItems } from './embeddings.js';
import { dot, dotShared } from '../layers/interest-layers.js';
import type { Scope } from '../layers/layers.js';
import type { CommonConfig, Scoring } from './model.js';

/** logit = u . v. `items`: (I,d_v), `userOf`: (B,d_v). */
export function dotScoring(items: Scoring['items'], userOf: (scope: Scope, sizes: BatchSizes) => Tensor): Scoring {
  return {
    items,
    encode: (scope, sizes) => ({ user: userOf(scope, sizes) }),
    score: (_, { user }, candidates) => dot(user as Tensor, candidates),
    scoreShared: (_, { user }, candidates) => dotShared(user as Tensor, candidates),
  };
}

/** The same with the item embedding that the history is made of. `userOf`: (B,d_i). */
export function userVectorScoring(
  config: CommonConfig,
  userOf: (scope: Scope, sizes: BatchSizes, items: Tensor) => Tensor,
): Scoring {
  const items: Scoring['items'] = (scope, sizes) => embedItems(scope, config, sizes.items);
  return dotScoring(items, (scope, sizes) => userOf(scope, sizes, items(scope, sizes)));
}
