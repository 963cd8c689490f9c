/**
 * FMLP-Rec: Zhou et al., "Filter-enhanced MLP is All You Need for Sequential Recommendation", WWW 2022. Knows its graph; shapes
 * as in model.ts, T feed window, d item width.
 */
import { isTrueOrFalse, isWhole } from '../../base/index.js';
import type { BatchExtra, BatchSizes } from '../../features/index.js';
import { alignedRight } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Scope, addPositions, layerNorm, residualFeedForward } from '../layers/layers.js';
import type { CommonConfig } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { frequencyFilter } from '../layers/sequence-layers.js';
import { userVectorScoring } from '../definition/user-vector.js';

interface FmlpRecSettings {
  readonly blocks: number;
  /** Zero the padded positions before each filter, as the authors' code does not. */
  readonly maskPadding: boolean;
}

const EPSILON = 1e-12;

const definition: ModelDefinition<FmlpRecSettings> = {
  card: {
    id: 'fmlp-rec',
    name: 'FMLP-Rec',
    kind: 'sequential',
    source: {
      authors: 'Zhou et al.',
      title: 'Filter-enhanced MLP is All You Need for Sequential Recommendation',
      venue: 'WWW',
      year: 2022,
    },
    idea: 'a Transformer whose attention is replaced by a learned filter over the frequencies of the feed',
    sees: ['item ids', 'item attributes', 'order'],
    extraLosses: [],
    differs: [
      'loss: binary cross-entropy over the candidates, as for all models here; the paper has the same with one negative',
      'the padding row is zero; that of the authors keeps its random start, untrained',
    ],
  },
  presets: { default: { blocks: 2, maskPadding: false, dropout: 0.5 } },
  rules: { blocks: isWhole(1, 64), maskPadding: isTrueOrFalse },
  build: (config) => ({
    seesPadding: true, // the filter is a circular convolution over the whole window
    extras: (): readonly BatchExtra[] => [alignedRight(config.window.feed)],
    scoring: userVectorScoring(config, (scope, sizes, items) => userOf(scope, config, sizes, items)),
  }),
};

export const fmlpRec = registered(definition);

/** The state at the last position, where the newest action always lies. (B,d). */
function userOf(scope: Scope, config: CommonConfig & FmlpRecSettings, sizes: BatchSizes, items: Tensor): Tensor {
  const { feed: window } = config.window;
  const shape = [sizes.rows, window];
  const vectors = ops.gather(items, scope.input('alignedFeed', shape, 'int32'));
  const mask = ops.reshape(scope.input('alignedFeedMask', shape), [...shape, 1]);
  const started = layerNorm(
    scope,
    'input.norm',
    addPositions(scope, 'feed.position', vectors, window, 'small'),
    EPSILON,
  );
  let hidden = scope.dropout(started);
  for (let block = 0; block < config.blocks; block++) {
    const name = `block.${block}`;
    const from = block === config.blocks - 1 ? window - 1 : 0; // of the last block only the last state is wanted
    const seen = config.maskPadding ? ops.mul(hidden, mask) : hidden;
    const filtered = scope.dropout(frequencyFilter(scope, name, seen, from));
    const rest = from === 0 ? hidden : ops.slice(hidden, 1, from, window);
    const mixed = layerNorm(scope, `${name}.norm`, ops.add(rest, filtered), EPSILON);
    hidden = residualFeedForward(scope, `${name}.feedForward`, mixed, {
      innerWidth: 4 * (vectors.shape[2] as number),
      activation: nn.gelu,
      epsilon: EPSILON,
    });
  }
  return ops.reshape(hidden, [sizes.rows, vectors.shape[2] as number]);
}
