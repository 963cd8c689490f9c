/**
 * DIEN: Zhou et al., "Deep Interest Evolution Network for Click-Through Rate Prediction", AAAI 2019. Knows its graph; shapes as
 * in model.ts, T feed positions, d item width.
 */
import { isNotNegative, isTrueOrFalse } from '../../base/index.js';
import { type BatchSizes, feedNegatives } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { embedItems, embedUsers, feedOf, itemWidthOf } from '../definition/embeddings.js';
import { bilinearAttention, forEachCandidate, perceptron } from '../layers/interest-layers.js';
import type { Scope } from '../layers/layers.js';
import { lossesOf, trainingLogits } from '../definition/losses.js';
import type { CommonConfig, Scoring } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { augru, gru } from '../layers/recurrent.js';

interface DienSettings {
  /** Weight of the auxiliary loss. */
  readonly alpha: number;
  /** Let the prediction see the user. */
  readonly useUser: boolean;
}

type DienConfig = CommonConfig & DienSettings;

const definition: ModelDefinition<DienSettings> = {
  card: {
    id: 'dien',
    name: 'DIEN',
    kind: 'sequential',
    source: {
      authors: 'Zhou et al.',
      title: 'Deep Interest Evolution Network for Click-Through Rate Prediction',
      venue: 'AAAI',
      year: 2019,
    },
    idea: 'a first recurrent unit extracts interests, a second one follows those that matter for the candidate',
    sees: ['item ids', 'item attributes', 'user', 'order'],
    extraLosses: ['next behaviour (alpha): every interest is to tell the next item of the feed from another one'],
    differs: [
      'attention is the bilinear form of the paper; its Dice activations have learned scales and shifts instead of statistics of the batch',
      'negatives of the auxiliary loss are drawn as training negatives are, anew every epoch',
    ],
  },
  presets: { default: { alpha: 1, useUser: true } },
  rules: { alpha: isNotNegative, useUser: isTrueOrFalse },
  build: (config) => {
    const scoring = dienScoring(config);
    return {
      scoring,
      extras: (dataset) => [feedNegatives(dataset, config.negativeSampling)],
      losses: (scope, sizes) => {
        const state = scoring.encode(scope, sizes, sizes); // its interests are what the auxiliary loss looks at, too
        const nextBehaviour = nextBehaviourLoss(scope, config, sizes, state['interests'] as Tensor);
        return lossesOf(scope, trainingLogits(scope, scoring, sizes, state), {
          nextBehaviour: [nextBehaviour, config.alpha],
        });
      },
    };
  },
};

export const dien = registered(definition);

function dienScoring(config: DienConfig): Scoring {
  const width = itemWidthOf(config);
  const itemsOf = (scope: Scope, sizes: BatchSizes): Tensor => embedItems(scope, config, sizes.items);
  return {
    items: itemsOf,
    encode: (scope, sizes) => {
      const { vectors, mask } = feedOf(scope, sizes, itemsOf(scope, sizes));
      const state = { interests: gru(scope, 'interest', vectors, mask, width), mask }; // H: (B,T,d)
      return config.useUser ? { ...state, user: embedUsers(scope, config, sizes.rows) } : state;
    },
    score: (scope, { interests, mask, user }, candidates) => {
      const [rows, count] = candidates.shape as [number, number, number];
      const attention = bilinearAttention(scope, 'attention', candidates, interests as Tensor, mask as Tensor);
      const evolved = augru(scope, 'evolution', interests as Tensor, attention, mask as Tensor, width);
      const parts = [evolved, candidates];
      if (user) parts.push(forEachCandidate(user, count));
      const logits = perceptron(scope, 'prediction', ops.concat(parts, 2), [200, 80, 1], 'dice');
      return ops.reshape(logits, [rows, count]);
    },
    pairsAtOnce: 2048, // a recurrent state for each
  };
}

/**
 * Every interest state (B,T,d) tells the next item of the feed from one that was not next (Eq. 7 of the paper), the part's
 * share of the mean over all places of the batch.
 */
function nextBehaviourLoss(scope: Scope, config: DienConfig, sizes: BatchSizes, interests: Tensor): Tensor {
  const items = embedItems(scope, config, sizes.items);
  const feed = feedOf(scope, sizes, items);
  const { feed: length } = sizes;
  const places = Math.max(1, length - 1); // with room for one event only its place is looked at, and weighs nothing
  const from = (x: Tensor): Tensor => ops.slice(x, 1, length - places, length);
  const states = ops.slice(interests, 1, 0, places);
  const negatives = from(ops.gather(items, scope.input('feedNegatives', [sizes.rows, length], 'int32')));
  const both = ops.concat([from(feed.vectors), negatives], 0); // (2B,T-1,d)
  const pairs = ops.concat([ops.concat([states, states], 0), both], 2);
  const logits = ops.reshape(perceptron(scope, 'auxiliary', pairs, [100, 50, 1], 'dice'), [2, sizes.rows, places]);
  const sign = ops.constant([-1, 1], [2, 1, 1]); // -log sigmoid(z) = softplus(-z) for what came next, softplus(z) for the other
  const each = ops.softplus(ops.mul(logits, sign));
  const scale = scope.input('transitionScale', []);
  const weights = ops.mul(from(feed.mask), length < 2 ? ops.mul(scale, 0) : scale);
  return ops.mul(nn.scalar(ops.sum(ops.mul(each, ops.reshape(weights, [1, sizes.rows, places])))), 0.5);
}
