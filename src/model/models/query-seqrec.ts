/**
 * Query-SeqRec: He et al., "Query-Aware Sequential Recommendation", CIKM 2022. Knows its graph; shapes as in model.ts, L tokens
 * of a timeline, d item width.
 */
import { isProbability, isTrueOrFalse, isWhole } from '../../base/index.js';
import {
  type BatchExtra,
  type BatchSizes,
  Replacements,
  Timeline,
  type TimelineOptions,
  timelineLength,
} from '../../features/index.js';
import { type Tensor, ops } from '../../tensor/index.js';
import { clicksOf, embedQueries, feedOf, itemWidthOf, searchesOf, timelineOf } from '../definition/embeddings.js';
import { type Scope, addPositions, initialisers, layerNorm, linear } from '../layers/layers.js';
import type { CommonConfig } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { lastOfCausalTransformer } from '../layers/sequence-layers.js';
import { userVectorScoring } from '../definition/user-vector.js';
import { isWidth, wrongHeads } from '../definition/settings.js';

interface QuerySeqrecSettings {
  readonly blocks: number;
  readonly heads: number;
  /** L, the newest tokens that are kept. */
  readonly tokens: number;
  /** The items clicked in a search are tokens behind its query. */
  readonly clickTokens: boolean;
  /** A click and the event that it led to at once are one token. */
  readonly mergeClicks: boolean;
  /** How likely an item of a training history is replaced, p_i; 0 with the next one: none is. */
  readonly replaceItems: number;
  /** How likely a query is replaced, p_q. */
  readonly replaceQueries: number;
  /** How likely the replacement comes from the click graph, p_g. */
  readonly replaceByGraph: number;
}

type QuerySeqrecConfig = CommonConfig & QuerySeqrecSettings;

const EPSILON = 1e-8;

const definition: ModelDefinition<QuerySeqrecSettings> = {
  card: {
    id: 'query-seqrec',
    name: 'Query-SeqRec',
    kind: 'search-aware',
    source: { authors: 'He et al.', title: 'Query-Aware Sequential Recommendation', venue: 'CIKM', year: 2022 },
    idea: 'queries and items are tokens of one sequence in order of time, which a causal Transformer reads; the state of the last one is matched with the candidate',
    sees: ['item ids', 'item attributes', 'order', 'queries', 'query words', 'search clicks'],
    extraLosses: [],
    differs: [
      'loss: binary cross-entropy over the candidates at the last token, as for all models here; the paper: cross-entropy over all items wherever an item comes next',
      "residuals around attention, Z = X + MHA(LN(X), X), and feed-forward layer, X = Z + FFN(LN(Z)), and all parameters learn; in the authors' code the former is commented out, the latter doubled, and biases and norms stay as they start",
      'the embeddings are those of all models here, a query is projected to the width of an item; the paper: one table for items and words, a query is the mean of its words',
      'mergeClicks: a click and the purchase that it led to at once are one token, since on Amazon every purchase is the click of its own search',
      'a replacement by the click graph is two random clicks away; in the paper it shares the query, or the next item, of the very sequence',
    ],
  },
  presets: {
    default: {
      blocks: 2,
      heads: 2,
      tokens: 30,
      clickTokens: true,
      mergeClicks: true,
      replaceItems: 0.1,
      replaceQueries: 0.1,
      replaceByGraph: 0.3,
    },
  },
  shapes: { amazon: { tokens: 30, dropout: 0.3 }, kuaishou: { tokens: 175, dropout: 0.2 } },
  rules: {
    blocks: isWhole(1, 64),
    heads: isWidth,
    tokens: isWhole(1, 10_000),
    clickTokens: isTrueOrFalse,
    mergeClicks: isTrueOrFalse,
    replaceItems: isProbability,
    replaceQueries: isProbability,
    replaceByGraph: isProbability,
  },
  wrong: (config) => wrongHeads('an item width', itemWidthOf(config), config.heads),
  build: (config) => ({
    scoring: userVectorScoring(config, (scope, sizes, items) => userOf(scope, config, sizes, items)),
    extras: (dataset): readonly BatchExtra[] => {
      const timeline = new Timeline(dataset, config.window, timelineOptions(config));
      const rates = { items: config.replaceItems, queries: config.replaceQueries, graph: config.replaceByGraph };
      return rates.items + rates.queries > 0 ? [timeline, new Replacements(dataset, rates)] : [timeline];
    },
  }),
};

export const querySeqrec = registered(definition);

const timelineOptions = ({ tokens, clickTokens, mergeClicks }: QuerySeqrecConfig): TimelineOptions => ({
  most: tokens,
  clicks: clickTokens,
  mergeClicks,
});

/** The state of the last token; without any, that of nothing. (B,d). */
function userOf(scope: Scope, config: QuerySeqrecConfig, sizes: BatchSizes, items: Tensor): Tensor {
  const { blocks, heads, window, tokens } = config;
  const options = timelineOptions(config);
  const width = items.shape[1] as number;
  const queries = linear(scope, 'query.projection', embedQueries(scope, config, sizes), width);
  const types = scope.parameter('token.type', [2, width], initialisers.xavierNormal(2, width));
  const typed = (x: Tensor, type: 0 | 1): Tensor => ops.add(x, ops.slice(types, 0, type, type + 1));
  const [itemTokens, queryTokens] = [typed(items, 0), typed(queries, 1)];
  const [feed, searches] = [feedOf(scope, sizes, itemTokens).vectors, searchesOf(scope, sizes, queryTokens).vectors];
  const { vectors, mask } = timelineOf(
    scope,
    sizes,
    timelineLength(sizes, window, options),
    options.clicks ? [feed, searches, clicksOf(scope, sizes, itemTokens, window.clicks).vectors] : [feed, searches],
  );
  const placed = scope.dropout(addPositions(scope, 'token.position', vectors, tokens, 'zero'));
  const last = lastOfCausalTransformer(scope, 'encoder', placed, mask, {
    blocks,
    heads,
    innerWidth: width,
    activation: 'relu',
    epsilon: EPSILON,
    norm: 'pre',
  });
  return layerNorm(scope, 'encoder.norm', last, EPSILON);
}
