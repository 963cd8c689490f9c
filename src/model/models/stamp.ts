/**
 * STAMP: Liu et al., "STAMP: Short-Term Attention/Memory Priority Model for Session-based Recommendation", KDD 2018.
 * Equation numbers are that paper's. Knows its graph; shapes as in model.ts, T feed positions, d item width.
 */
import { isTrueOrFalse } from '../../base/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Behaviours, feedOf } from '../definition/embeddings.js';
import { type Scope, initialisers, linear } from '../layers/layers.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { lastState } from '../layers/sequence-layers.js';
import { userVectorScoring } from '../definition/user-vector.js';

interface StampSettings {
  /** Add the mean of the history to the general interest, as RecBole does and the paper does not. */
  readonly addMean: boolean;
}

const definition: ModelDefinition<StampSettings> = {
  card: {
    id: 'stamp',
    name: 'STAMP',
    kind: 'sequential',
    source: {
      authors: 'Liu et al.',
      title: 'STAMP: Short-Term Attention/Memory Priority Model for Session-based Recommendation',
      venue: 'KDD',
      year: 2018,
    },
    idea: 'a general interest, attended to from the last item and the mean of all, times the current interest, the last item',
    sees: ['item ids', 'item attributes', 'order'],
    extraLosses: [],
    differs: [
      'loss: binary cross-entropy over the candidates, as for all models here; the paper: cross-entropy over all items',
      'the product with the candidate is a logit; the paper squashes it with a sigmoid before its softmax',
      'addMean: the mean of the history is added to the general interest, as in RecBole',
    ],
  },
  presets: { default: { addMean: true } },
  rules: { addMean: isTrueOrFalse },
  // it has no dropout
  tuning: [true, false].flatMap((addMean) => [3e-3, 1e-3, 3e-4].map((learningRate) => ({ learningRate, addMean }))),
  build: (config) => ({
    scoring: userVectorScoring(config, (scope, sizes, items) => userOf(scope, config, feedOf(scope, sizes, items))),
  }),
};

export const stamp = registered(definition);

/** h_s * h_t, Eq. 10. (B,d). */
function userOf(scope: Scope, { addMean }: StampSettings, { vectors, mask }: Behaviours): Tensor {
  const [rows, length, width] = vectors.shape as [number, number, number];
  const mean = nn.maskedMean(vectors, mask); // m_s, Eq. 3
  const last = lastState(vectors, mask); // x_t
  const inner = (name: string, x: Tensor): Tensor => linear(scope, `attention.${name}`, x, width, { bias: false });
  const common = ops.add(
    ops.add(inner('last', last), inner('mean', mean)),
    scope.parameter('attention.bias', [width], initialisers.constant(0)),
  );
  const activated = ops.sigmoid(ops.add(inner('item', vectors), ops.reshape(common, [rows, 1, width])));
  const scores = linear(scope, 'attention.score', activated, 1, { bias: false }); // Eq. 7, no softmax
  const weights = ops.mul(ops.reshape(scores, [rows, 1, length]), ops.reshape(mask, [rows, 1, length]));
  const attended = ops.reshape(ops.matmul(weights, vectors), [rows, width]); // Eq. 8
  const general = addMean ? ops.add(attended, mean) : attended;
  const cell = (name: string, x: Tensor): Tensor => ops.tanh(linear(scope, name, x, width)); // Eq. 9
  return ops.mul(cell('general', general), cell('current', last));
}
