/**
 * DIN: Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018, and its scorer for the models that
 * stand on it. Knows its graph; does not know where the vectors of items come from. Shapes as in model.ts, T feed positions, d
 * item width.
 */
import { type Rule, isTrueOrFalse } from '../../base/index.js';
import type { BatchSizes } from '../../features/index.js';
import { type Tensor, ops } from '../../tensor/index.js';
import { embedItems, embedUsers, feedOf } from '../definition/embeddings.js';
import { forEachCandidate, perceptron, targetAttention } from '../layers/interest-layers.js';
import type { Scope } from '../layers/layers.js';
import type { CommonConfig, Scoring, State } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { areWidths, wrongLogit } from '../definition/settings.js';

export interface DinSettings {
  /** Units of the attention's layers before the one that gives the weight. */
  readonly attentionUnits: readonly number[];
  /** Divide the attention's weights by the root of the width, as RecBole does. */
  readonly scaleAttention: boolean;
  /** Units of the prediction's layers, the last one 1. */
  readonly hidden: readonly number[];
  /** Show the user to the prediction. */
  readonly useUser: boolean;
}

export const dinSettings: DinSettings = {
  attentionUnits: [64, 16],
  scaleAttention: true,
  hidden: [200, 80, 1],
  useUser: true,
};

export const dinRules: { readonly [Key in keyof DinSettings]: Rule } = {
  attentionUnits: areWidths,
  scaleAttention: isTrueOrFalse,
  hidden: areWidths,
  useUser: isTrueOrFalse,
};

export function dinWrong({ attentionUnits, hidden }: DinSettings): string | null {
  return attentionUnits.length === 0 ? 'attentionUnits must have at least one layer' : wrongLogit(hidden);
}

/** What every model with DIN's scorer changes of it, for their cards. */
export const dinDiffers: readonly string[] = [
  'dice normalises by a learned scale and shift instead of statistics of the batch: a score must not depend on its company',
  'scaleAttention: weights of the attention are divided by the root of the width, as in RecBole',
  'the prediction also sees the product of interest and candidate, as in RecBole, and the user (useUser)',
];

const definition: ModelDefinition<DinSettings> = {
  card: {
    id: 'din',
    name: 'DIN',
    kind: 'sequential',
    source: {
      authors: 'Zhou et al.',
      title: 'Deep Interest Network for Click-Through Rate Prediction',
      venue: 'KDD',
      year: 2018,
    },
    idea: 'weighs each item of the history by how it and the candidate look together, and shows the sum to a perceptron',
    sees: ['item ids', 'item attributes', 'user'],
    extraLosses: [],
    differs: [
      ...dinDiffers,
      'weight decay as for all models here; the paper: a regulariser that counts only the rows of a batch',
    ],
  },
  presets: { default: dinSettings },
  rules: dinRules,
  wrong: dinWrong,
  build: (config) => ({ scoring: dinScoring(config, (scope, sizes) => embedItems(scope, config, sizes.items)) }),
};

export const din = registered(definition);

/** Entries of the largest tensor of a scoring: 4 MB of float32 stay in cache, and are twice as fast as 60 MB. */
const ENTRIES_AT_ONCE = 2 ** 20;

/**
 * DIN's scorer over any vectors of items.
 * @param items the vectors (I,d) of the distinct items of a batch: of history and candidates alike
 */
export function dinScoring(
  config: CommonConfig & DinSettings,
  items: (scope: Scope, sizes: BatchSizes) => Tensor,
): Scoring {
  const [widest = 1] = config.attentionUnits;
  return {
    items,
    encode: (scope, sizes) => {
      const { vectors, mask } = feedOf(scope, sizes, items(scope, sizes));
      const state = { historyVectors: vectors, historyMask: mask };
      return config.useUser ? { ...state, userVector: embedUsers(scope, config, sizes.rows) } : state;
    },
    score: (scope, state, candidates) => dinScores(scope, config, state, candidates),
    pairsAtOnce: Math.max(1, Math.floor(ENTRIES_AT_ONCE / (config.window.feed * widest))),
  };
}

/**
 * state: `historyVectors` (B,T,d), `historyMask` (B,T), and `userVector` (B,d_u) where it is shown; candidates: (B,C,d).
 * Result (B,C).
 */
function dinScores(scope: Scope, config: DinSettings, state: State, candidates: Tensor): Tensor {
  const [rows, count] = candidates.shape as [number, number, number];
  const [history, mask] = [state['historyVectors'] as Tensor, state['historyMask'] as Tensor];
  const weights = targetAttention(scope, 'attention', candidates, history, mask, {
    units: config.attentionUnits as readonly [number, ...number[]],
    activation: 'dice',
    ...(config.scaleAttention ? {} : { divisor: 1 }),
  });
  const interest = ops.matmul(weights, history); // (B,C,d)
  const features = [candidates, interest, ops.mul(candidates, interest)];
  const user = state['userVector'];
  if (user) features.unshift(forEachCandidate(user, count));
  const hidden = config.hidden as readonly [number, ...number[]];
  return ops.reshape(perceptron(scope, 'prediction', ops.concat(features, 2), hidden, 'dice'), [rows, count]);
}
