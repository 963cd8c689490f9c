/**
 * GRU4Rec: Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016. Knows its graph; shapes
 * as in model.ts, T feed positions, d_i item width, g hidden width.
 */
import { isWhole } from '../../base/index.js';
import { feedOf, itemWidthOf } from '../definition/embeddings.js';
import { linear } from '../layers/layers.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { gru } from '../layers/recurrent.js';
import { lastState } from '../layers/sequence-layers.js';
import { userVectorScoring } from '../definition/user-vector.js';
import { isWidth } from '../definition/settings.js';

interface Gru4recSettings {
  /** g */
  readonly hiddenWidth: number;
  /** Recurrent layers, one on top of the other. */
  readonly layers: number;
}

const definition: ModelDefinition<Gru4recSettings> = {
  card: {
    id: 'gru4rec',
    name: 'GRU4Rec',
    kind: 'sequential',
    source: {
      authors: 'Hidasi et al.',
      title: 'Session-based Recommendations with Recurrent Neural Networks',
      venue: 'ICLR',
      year: 2016,
    },
    idea: 'a gated recurrent unit reads the feed in order; its last state, mapped to the items, is matched with the candidate',
    sees: ['item ids', 'item attributes', 'order'],
    extraLosses: [],
    differs: [
      'loss: binary cross-entropy over the candidates, as for all models here; the paper: TOP1 or BPR against the other items of a batch',
      'batches of prefixes instead of session-parallel ones; histories are as long as the window',
    ],
  },
  presets: { default: { hiddenWidth: 128, layers: 1 } },
  rules: { hiddenWidth: isWidth, layers: isWhole(1, 8) },
  build: (config) => ({
    scoring: userVectorScoring(config, (scope, sizes, items) => {
      const { vectors, mask } = feedOf(scope, sizes, items);
      let states = scope.dropout(vectors);
      for (let layer = 0; layer < config.layers; layer++)
        states = gru(scope, `gru.${layer}`, states, mask, config.hiddenWidth);
      return linear(scope, 'output', lastState(states, mask), itemWidthOf(config));
    }),
  }),
};

export const gru4rec = registered(definition);
