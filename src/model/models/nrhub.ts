/**
 * NRHUB: Wu et al., "Neural News Recommendation with Heterogeneous User Behavior", EMNLP-IJCNLP 2019. Knows its graph; shapes as
 * in model.ts, T_r feed positions, T_s searches, K clicks per search, d item width.
 */
import type { BatchSizes } from '../../features/index.js';
import { type Tensor, ops } from '../../tensor/index.js';
import { clicksOf, embedItems, embedQueries, feedOf, itemWidthOf, searchesOf } from '../definition/embeddings.js';
import { additiveAttention } from '../layers/interest-layers.js';
import { type Scope, linear } from '../layers/layers.js';
import type { CommonConfig, Scoring } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { isWidth } from '../definition/settings.js';
import { dotScoring } from '../definition/user-vector.js';

interface NrhubSettings {
  /** Width of the attention within a view, and of user and candidate where they meet. */
  readonly width: number;
  /** Width of the attention over the views. */
  readonly viewWidth: number;
}

const definition: ModelDefinition<NrhubSettings> = {
  card: {
    id: 'nrhub',
    name: 'NRHUB',
    kind: 'search-aware',
    source: {
      authors: 'Wu et al.',
      title: 'Neural News Recommendation with Heterogeneous User Behavior',
      venue: 'EMNLP-IJCNLP',
      year: 2019,
    },
    idea: 'pools feed, queries and clicked results into a vector each by attention, and weighs the three by another',
    sees: ['item ids', 'item attributes', 'queries', 'query words', 'search clicks'],
    extraLosses: [],
    differs: [
      'views: feed, queries and clicks in search results; the paper: clicked news, queries and visited pages',
      "an item or query is its embedding, as for all models here (a query's words are averaged); the paper: convolution and attention over words",
      'the mean of the vectors themselves is pooled, not that of what the attention makes of them; so are the views in the adaptation of IV4REC',
      'padding has no weight, and a view of which there is nothing has none',
      'loss: binary cross-entropy over the candidates, as for all models here; the paper: softmax over them',
    ],
  },
  presets: { default: { width: 200, viewWidth: 100, dropout: 0.2 } },
  rules: { width: isWidth, viewWidth: isWidth },
  build: (config) => ({ scoring: nrhubScoring(config) }),
};

export const nrhub = registered(definition);

function nrhubScoring(config: CommonConfig & NrhubSettings): Scoring {
  const candidates: Scoring['items'] = (scope, sizes) => {
    const items = scope.dropout(embedItems(scope, config, sizes.items));
    return ops.tanh(linear(scope, 'candidate', items, config.width));
  };
  return dotScoring(candidates, (scope, sizes) => userOf(scope, config, sizes));
}

/** (B,w). */
function userOf(scope: Scope, config: CommonConfig & NrhubSettings, sizes: BatchSizes): Tensor {
  const items = embedItems(scope, config, sizes.items);
  const width = itemWidthOf(config);
  const queries = linear(scope, 'query.projection', embedQueries(scope, config, sizes), width);
  const behaviours = {
    feed: feedOf(scope, sizes, items),
    search: searchesOf(scope, sizes, queries),
    clicks: clicksOf(scope, sizes, items, config.window.clicks),
  };
  const views = Object.entries(behaviours).map(([name, { vectors, mask }]) =>
    additiveAttention(scope, `${name}.attention`, scope.dropout(vectors), mask, config.width),
  );
  const pooled = views.map((view) => ops.reshape(view.pooled, [sizes.rows, 1, width]));
  const stacked = ops.tanh(linear(scope, 'view', ops.concat(pooled, 1), config.width)); // (B,3,w)
  const isPresent = ops.concat(
    views.map((view) => view.isPresent),
    1,
  );
  return additiveAttention(scope, 'view.attention', stacked, isPresent, config.viewWidth).pooled;
}
