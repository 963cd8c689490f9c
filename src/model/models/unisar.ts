/**
 * UniSAR: Shi et al., "UniSAR: Modeling User Transition Behaviors between Search and Recommendation", SIGIR 2024, as a model
 * of recommendation only. Knows its graph and its losses; shapes as in model.ts, T_r, T_s feed events and searches, L tokens of a
 * timeline, d model width.
 *
 * A lane is the feed or the searches. Each has two views: its own, of a Transformer that reads it alone, and the cross view, of
 * one that reads both lanes in order of time, in which a token attends to those of the other lane only.
 */
import { isNotNegative, isPositive, isWhole } from '../../base/index.js';
import { type BatchSizes, Timeline, type TimelineOptions, timelineLength } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Views, alignmentLoss, viewContrast } from '../layers/contrastive-losses.js';
import {
  type Behaviours,
  atTokens,
  clickMeansOf,
  embedItems,
  embedUsers,
  embedWords,
  feedOf,
  searchesOf,
} from '../definition/embeddings.js';
import { bilinearAttention, forEachCandidate, perceptron } from '../layers/interest-layers.js';
import { type Scope, addPositions, keyMask, linear, positionVectors } from '../layers/layers.js';
import { type WeightedLosses, lossesOf, trainingLogits } from '../definition/losses.js';
import type { CommonConfig, Losses, Scoring, State } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { gentleTrials } from '../definition/trials.js';
import {
  type TransformerOptions,
  crossTransformer,
  maskedTransformer,
  transformerDecoder,
} from '../layers/sequence-layers.js';
import { areWidths, isWidth, wrongHeads, wrongLogit } from '../definition/settings.js';

const { add, mul, reshape } = ops;

interface UnisarSettings {
  readonly width: number;
  /** Of each encoder, and of each fusion. */
  readonly blocks: number;
  readonly heads: number;
  /** Units of the prediction's layers, the last one 1. */
  readonly hidden: readonly number[];
  /** Weight of the alignment of queries and items, how sharp it starts, and what it compares with; weight 0: there is none. */
  readonly alignmentWeight: number;
  readonly alignmentTemperature: number;
  readonly alignmentNegatives: number;
  /** Weight of the contrast of own and cross view, how sharp it starts, and how many rows are compared; weight 0: there is none. */
  readonly contrastWeight: number;
  readonly contrastTemperature: number;
  readonly contrastRows: number;
}

type UnisarConfig = CommonConfig & UnisarSettings;

const definition: ModelDefinition<UnisarSettings> = {
  card: {
    id: 'unisar',
    name: 'UniSAR',
    kind: 'search-aware',
    source: {
      authors: 'Shi et al.',
      title: 'UniSAR: Modeling User Transition Behaviors between Search and Recommendation',
      venue: 'SIGIR',
      year: 2024,
    },
    idea: 'reads each history alone and both in order of time, there only from one to the other, and fuses the two views for the candidate to attend to',
    sees: ['item ids', 'item attributes', 'user', 'order', 'query words', 'search clicks'],
    extraLosses: [
      'alignment (alignmentWeight): queries with the items clicked in their results',
      'contrast (contrastWeight): the two views of each history, against those of other rows',
    ],
    differs: [
      "recommendation only: no search task, so there is nothing to divide among tasks, and SESRec's perceptron takes the place of PLE and its query slot",
      'contrast: negatives are the other rows of the same group of contrastRows, not of the whole batch (the paper: 1,023 rows), so that a batch may be computed in parts',
      'a row without feed or searches has cross views of zeros and takes no part in the contrast; the authors have no such rows',
      'dropout on what attention and feed-forward layers add and in the perceptron; the authors also drop attention weights and inner units',
    ],
  },
  presets: {
    default: {
      width: 64,
      blocks: 1,
      heads: 2,
      hidden: [200, 80, 1],
      alignmentWeight: 0.1,
      alignmentTemperature: 0.1,
      alignmentNegatives: 1024,
      contrastWeight: 0.01,
      contrastTemperature: 0.1,
      contrastRows: 128,
    },
  },
  shapes: {
    amazon: {},
    kuaishou: { alignmentWeight: 0.001, alignmentTemperature: 0.5, contrastWeight: 0.1 },
  },
  tuning: gentleTrials,
  rules: {
    width: isWidth,
    blocks: isWhole(1, 64),
    heads: isWidth,
    hidden: areWidths,
    alignmentWeight: isNotNegative,
    alignmentTemperature: isPositive,
    alignmentNegatives: isWhole(1, 1_000_000),
    contrastWeight: isNotNegative,
    contrastTemperature: isPositive,
    contrastRows: isWhole(2, 10_000),
  },
  wrong: ({ width, heads, hidden }) => wrongHeads('a width', width, heads) ?? wrongLogit(hidden),
  build: (config) => {
    const scoring = unisarScoring(config);
    return {
      scoring,
      alignment: config.alignmentWeight > 0 ? { negatives: config.alignmentNegatives, reduction: 'pairs' } : null,
      rowsTogether: config.contrastWeight > 0 ? config.contrastRows : 1,
      losses: (scope, sizes) => unisarLosses(scope, config, scoring, sizes),
      extras: (dataset) => [new Timeline(dataset, config.window, timelineOptions(config))],
    };
  },
};

export const unisar = registered(definition);

/** All of both lanes; clicks are part of their search. */
const timelineOptions = ({ window }: UnisarConfig): TimelineOptions => ({
  most: window.feed + window.search,
  clicks: false,
  mergeClicks: false,
});

const transformerOptions = ({ width: innerWidth, blocks, heads }: UnisarConfig): TransformerOptions => ({
  blocks,
  heads,
  innerWidth,
  activation: 'relu',
  epsilon: 1e-5,
});

function unisarScoring(config: UnisarConfig): Scoring {
  return {
    items: (scope, sizes) => itemVectors(scope, config, sizes),
    encode: (scope, sizes) => stateOf(encode(scope, config, sizes)),
    score: (scope, state, candidates) => score(scope, config, state, candidates),
  };
}

/** (I,d). */
const itemVectors = (scope: Scope, config: UnisarConfig, { items }: BatchSizes): Tensor =>
  ops.tanh(linear(scope, 'item.projection', embedItems(scope, config, items), config.width));

/** The mean word alone: queries have no ids here. (Q,d). */
const queryVectors = (scope: Scope, config: UnisarConfig, sizes: BatchSizes): Tensor =>
  ops.tanh(linear(scope, 'query.projection', embedWords(scope, config, sizes), config.width));

/** A lane, encoded. */
interface Lane {
  /** (B,T,d): own and cross view, fused. */
  readonly fused: Tensor;
  /** (B,T). */
  readonly mask: Tensor;
  /** The means of both views. */
  readonly views: Views;
}

interface Encoded {
  /** (I,d) and (Q,d), what all is read from. */
  readonly items: Tensor;
  readonly queries: Tensor;
  readonly feed: Lane;
  readonly search: Lane;
  /** (B,d). */
  readonly user: Tensor;
}

function encode(scope: Scope, config: UnisarConfig, sizes: BatchSizes): Encoded {
  const items = itemVectors(scope, config, sizes);
  const queries = queryVectors(scope, config, sizes);
  const feed = feedOf(scope, sizes, items);
  const searched = searchesOf(scope, sizes, queries);
  const clicked = clickMeansOf(scope, sizes, items, config.window.clicks);
  const search = { ...searched, vectors: add(searched.vectors, clicked) };
  const lengths = (mask: Tensor): Tensor => ops.sum(mask, [1]);
  const hasBoth = ops.greater(mul(lengths(feed.mask), lengths(search.mask)), 0); // (B,1)
  const [ofFeed, ofSearch] = crossViews(scope, config, sizes, [feed, search]).map((view) =>
    mul(view, reshape(hasBoth, [sizes.rows, 1, 1])),
  ) as [Tensor, Tensor];
  return {
    items,
    queries,
    feed: fuse(scope, config, 'feed', feed, ofFeed, hasBoth),
    search: fuse(scope, config, 'search', search, ofSearch, hasBoth),
    user: ops.tanh(linear(scope, 'userVector', embedUsers(scope, config, sizes.rows), config.width)),
  };
}

/**
 * What each token finds in the other lane, wherever that is in time: (B,T_r,d) and (B,T_s,d). The authors read one sequence and mask; tokens
 * of a lane see none of their own, so lanes may stay apart, and only where a token stands in time is looked up.
 */
function crossViews(
  scope: Scope,
  config: UnisarConfig,
  sizes: BatchSizes,
  [feed, search]: readonly [feed: Behaviours, search: Behaviours],
): readonly [feed: Tensor, search: Tensor] {
  const [ofFeed, ofSearch] = [feed.mask.shape[1] as number, search.mask.shape[1] as number];
  const length = timelineLength(sizes, config.window, timelineOptions(config));
  const most = config.window.feed + config.window.search;
  const slots = positionVectors(scope, 'timeline.position', [length, config.width], most, 'asTable');
  const places = atTokens(scope, sizes, slots, ofFeed + ofSearch);
  const placed = [
    add(feed.vectors, ops.slice(places, 1, 0, ofFeed)),
    add(search.vectors, ops.slice(places, 1, ofFeed, ofFeed + ofSearch)),
  ] as const;
  return crossTransformer(scope, 'timeline.encoder', placed, [feed.mask, search.mask], transformerOptions(config));
}

/** A lane's own view, and that fused with its cross view, (B,T,d). */
function fuse(
  scope: Scope,
  config: UnisarConfig,
  name: 'feed' | 'search',
  { vectors, mask }: Behaviours,
  crossed: Tensor,
  isPresent: Tensor,
): Lane {
  const options = transformerOptions(config);
  const placed = addPositions(scope, `${name}.position`, vectors, config.window[name], 'asTable');
  const own = maskedTransformer(scope, `${name}.encoder`, placed, keyMask(mask), options);
  return {
    fused: transformerDecoder(scope, `${name}.fusion`, own, mask, crossed, mask, options),
    mask,
    views: { one: nn.maskedMean(crossed, mask), other: nn.maskedMean(own, mask), isPresent },
  };
}

const stateOf = ({ feed, search, user }: Encoded): State => ({
  fusedFeed: feed.fused,
  maskOfFeed: feed.mask,
  fusedSearch: search.fused,
  maskOfSearch: search.mask,
  user,
});

/** What a candidate (SESRec, Eq. 17) draws from each lane, itself and the user, to a perceptron. candidates: (B,C,d). Result (B,C). */
function score(scope: Scope, config: UnisarConfig, state: State, candidates: Tensor): Tensor {
  const [rows, count] = candidates.shape as [number, number, number];
  const tensor = (name: string): Tensor => state[name] as Tensor;
  const interest = (name: 'feed' | 'search', history: Tensor, mask: Tensor): Tensor =>
    ops.matmul(bilinearAttention(scope, `${name}.interest`, candidates, history, mask), history);
  const features = ops.concat(
    [
      interest('feed', tensor('fusedFeed'), tensor('maskOfFeed')),
      interest('search', tensor('fusedSearch'), tensor('maskOfSearch')),
      candidates,
      forEachCandidate(tensor('user'), count),
    ],
    2,
  );
  const hidden = config.hidden as readonly [number, ...number[]];
  return reshape(perceptron(scope, 'prediction', features, hidden, 'relu'), [rows, count]);
}

/** The prediction; queries and items aligned as in the code of SESRec, the pair among the negatives; the contrast, a mean over the rows with both lanes. */
function unisarLosses(scope: Scope, config: UnisarConfig, scoring: Scoring, sizes: BatchSizes): Losses {
  const encoded = encode(scope, config, sizes);
  const others: Record<string, WeightedLosses[string]> = {};
  if (config.alignmentWeight > 0) {
    const alignment = alignmentLoss(scope, sizes, encoded.items, encoded.queries, {
      temperature: config.alignmentTemperature,
      includesPositive: true,
      transposedItemToQuery: true,
    });
    others['alignment'] = [alignment, config.alignmentWeight];
  }
  if (config.contrastWeight > 0) {
    const options = { together: config.contrastRows, temperature: config.contrastTemperature };
    const [feed, search] = (['feed', 'search'] as const).map((name) =>
      viewContrast(scope, `${name}.contrast`, encoded[name].views, options),
    ) as [Tensor, Tensor];
    others['contrast'] = [mul(add(feed, search), scope.input('contrastScale', [])), config.contrastWeight];
  }
  return lossesOf(scope, trainingLogits(scope, scoring, sizes, stateOf(encoded)), others);
}
