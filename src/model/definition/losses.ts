/**
 * The losses of a training batch from what ranks: what is trained is what is served. Knows candidates and weights; does not know what a
 * model encodes. Shapes as in model.ts.
 */
import type { BatchSizes } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import type { Scope } from '../layers/layers.js';
import type { Losses, Scoring, State } from './model.js';

/** The logits of a training batch, from what ranks: (B,C), the positive in column 0. */
export function trainingLogits(scope: Scope, scoring: Scoring, sizes: BatchSizes, state: State): Tensor {
  const slots = scope.input('candidates', [sizes.rows, sizes.candidates], 'int32');
  return scoring.score(scope, state, ops.gather(scoring.items(scope, sizes), slots));
}

/** Binary cross-entropy of a positive in column 0 and negatives behind it, the part's share of the mean (SESRec, Eq. 22). logits: (B,C). */
export function predictionLoss(scope: Scope, logits: Tensor): Tensor {
  const [, candidates] = logits.shape as [number, number];
  const labels = ops.constant([1, ...Array.from({ length: candidates - 1 }, () => 0)], [1, candidates]);
  return ops.mul(nn.binaryCrossEntropy(logits, labels), scope.input('rowShare', []));
}

/** Further losses by name, each with its weight. */
export type WeightedLosses = Readonly<Record<string, readonly [loss: Tensor, weight: number]>>;

/** The prediction, and further losses with their weights. */
export function predictionLosses(
  scope: Scope,
  scoring: Scoring,
  sizes: BatchSizes,
  others: WeightedLosses = {},
): Losses {
  return lossesOf(scope, trainingLogits(scope, scoring, sizes, scoring.encode(scope, sizes, sizes)), others);
}

/** The same from logits (B,C), for models that look at more of what they encode than they score by. */
export function lossesOf(scope: Scope, logits: Tensor, others: WeightedLosses): Losses {
  const prediction = predictionLoss(scope, logits);
  const loss = Object.values(others).reduce((sum, [other, weight]) => ops.add(sum, ops.mul(other, weight)), prediction);
  return {
    loss,
    prediction,
    others: Object.fromEntries(Object.entries(others).map(([name, [other]]) => [name, other])),
    logits,
  };
}
