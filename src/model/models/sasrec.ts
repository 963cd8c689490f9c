/**
 * SASRec: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018. Knows its graph, three ways to train it and
 * what it can be given beside the feed; shapes as in model.ts, T feed positions, d item width, P places with a next item.
 *
 * How it is trained (`trainOn`), since a model is only as good as its training (Klenitskiy and Vasilev, RecSys 2023):
 * `last`         from every event of the feed what came before it, against the candidates, as all models here
 * `everyPlace`   from a user's whole feed at once: at each place the next item against `placeNegatives` others
 * `fullSoftmax`  the same against all items, cross-entropy
 * `sampledSoftmax`  the same, all items told from `sharedNegatives` of them, drawn anew for each batch
 */
import { isOneOf, isTrueOrFalse, isWhole } from '../../base/index.js';
import { type BatchSizes, type NextItemChoice, nextItems } from '../../features/index.js';
import { type Tensor, ops } from '../../tensor/index.js';
import { catalogueSize, costOfPlaces } from '../definition/every-place.js';
import { clickMeansOf, embedItems, embedQueries, feedOf, itemWidthOf, searchesOf } from '../definition/embeddings.js';
import { type NormPlace, type Scope, addPositions, initialisers, layerNorm, linear } from '../layers/layers.js';
import { trainingLogits } from '../definition/losses.js';
import type { CommonConfig, Losses } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { type TransformerOptions, causalTransformer, lastOfCausalTransformer } from '../layers/sequence-layers.js';
import { userVectorScoring } from '../definition/user-vector.js';
import { isWidth, wrongHeads } from '../definition/settings.js';

interface SasrecSettings {
  readonly blocks: number;
  readonly heads: number;
  readonly activation: 'gelu' | 'relu';
  readonly trainOn: 'last' | 'everyPlace' | 'fullSoftmax' | 'sampledSoftmax';
  /** Negatives at each place, for `everyPlace`. */
  readonly placeNegatives: number;
  /** Items that stand for all, for `sampledSoftmax`. */
  readonly sharedNegatives: number;
  /** Give it the searches too: a second Transformer reads queries, their words and clicks, and what it makes of them is added to the state of the feed. */
  readonly useSearches: boolean;
  /** Where layer norms stand: `post` as in RecBole; `pre` with a norm behind the last block, as in the paper; `code` as it was programmed. */
  readonly norm: NormPlace;
  /** Multiply item vectors by √d before positions are added, as in the paper, and norm the input no more. */
  readonly scaleItems: boolean;
  /** Width inside the feed-forward layers, in widths of an item. */
  readonly innerTimes: number;
}

type SasrecConfig = CommonConfig & SasrecSettings;

const EPSILON = 1e-12;

const usual = {
  blocks: 2,
  heads: 2,
  activation: 'gelu',
  trainOn: 'last',
  placeNegatives: 1,
  sharedNegatives: 1024,
  useSearches: false,
  norm: 'post',
  scaleItems: false,
  innerTimes: 4,
  dropout: 0.2,
} as const;

/** As those have it who replicated it with a softmax over all items: the paper's model as it was programmed. */
const asPublished = {
  norm: 'code',
  scaleItems: true,
  innerTimes: 1,
  activation: 'relu',
  heads: 1,
  dropout: 0.6,
} as const;

const definition: ModelDefinition<SasrecSettings> = {
  card: {
    id: 'sasrec',
    name: 'SASRec',
    kind: 'sequential',
    source: {
      authors: 'Kang and McAuley',
      title: 'Self-Attentive Sequential Recommendation',
      venue: 'ICDM',
      year: 2018,
    },
    idea: 'a causal Transformer reads the feed; the state of the last event is matched with the candidate',
    sees: ['item ids', 'item attributes', 'order'],
    extraLosses: [],
    differs: [
      'default, everyPlace and searches: post-norm blocks with GELU, four times as wide inside, and a layer norm on the input, as in RecBole; fullSoftmax and sampledSoftmax, as in released code: pre-norm on the queries, ReLU, as wide as outside, items times √d, a feed-forward layer that adds to its normed input, dropout on attention weights and inside it',
      'where the input is normed, positions start at zero (RecBole: N(0, .02), as its items do), so that the norm sees items however many there are',
      'norm=pre: as the paper writes it, without what only the code has',
      'default: only the last state of each prefix is trained on, as for all models here; the paper: every place, one negative each (preset everyPlace)',
      'fullSoftmax: cross-entropy over all items at every place, the training that recent replications found best',
      'searches: the same with queries, their words and what was clicked, so that a gain of SESRec is not one of inputs only; what a second Transformer makes of them is added to the state, from nothing at the start',
    ],
  },
  presets: {
    default: usual,
    searches: { ...usual, useSearches: true },
    everyPlace: { ...usual, trainOn: 'everyPlace' },
    fullSoftmax: { ...usual, ...asPublished, trainOn: 'fullSoftmax' },
    sampledSoftmax: { ...usual, ...asPublished, trainOn: 'sampledSoftmax' },
  },
  rules: {
    blocks: isWhole(1, 64),
    heads: isWidth,
    activation: isOneOf('gelu', 'relu'),
    trainOn: isOneOf('last', 'everyPlace', 'fullSoftmax', 'sampledSoftmax'),
    placeNegatives: isWhole(1, 10_000),
    sharedNegatives: isWhole(1, 1_000_000),
    useSearches: isTrueOrFalse,
    norm: isOneOf('pre', 'post', 'code'),
    scaleItems: isTrueOrFalse,
    innerTimes: isWhole(1, 64),
  },
  added: { sharedNegatives: 1024, norm: 'post', scaleItems: false, innerTimes: 4 },
  wrong: (config) =>
    wrongHeads('an item width', itemWidthOf(config), config.heads) ??
    (config.useSearches && config.trainOn !== 'last'
      ? `trainOn ${config.trainOn} knows the feed only: useSearches needs trainOn=last`
      : null),
  build: (config) => {
    const scoring = userVectorScoring(config, (scope, sizes, items) => userOf(scope, config, sizes, items));
    const { sees } = definition.card;
    const common = {
      scoring,
      sees: config.useSearches ? ([...sees, 'queries', 'query words', 'search clicks'] as const) : sees,
    };
    if (config.trainOn === 'last') return common;
    const choice = choiceOf(config);
    return {
      ...common,
      trainsOn: 'users',
      extras: (dataset) => [nextItems(dataset, choice)],
      extraSizes: { places: 1 },
      losses: (scope, sizes) => {
        const state = scoring.encode(scope, sizes, sizes);
        return lossesOfPlaces(scope, config, sizes, trainingLogits(scope, scoring, sizes, state));
      },
    };
  },
};

export const sasrec = registered(definition);

function choiceOf({ trainOn, placeNegatives, sharedNegatives, negativeSampling }: SasrecConfig): NextItemChoice {
  if (trainOn === 'fullSoftmax') return 'all';
  return trainOn === 'sampledSoftmax'
    ? { shared: sharedNegatives }
    : { count: placeNegatives, sampling: negativeSampling };
}

const optionsOf = (
  { blocks, heads, activation, norm, innerTimes }: SasrecConfig,
  width: number,
): TransformerOptions => ({
  blocks,
  heads,
  activation,
  norm,
  innerWidth: innerTimes * width,
  epsilon: EPSILON,
});

/** A lane with positions, normed: what its Transformer reads. (B,T,d). */
function started(scope: Scope, lane: 'feed' | 'search', vectors: Tensor, config: SasrecConfig): Tensor {
  const scale = config.scaleItems ? Math.sqrt(vectors.shape.at(-1) as number) : 1;
  const placed = addPositions(
    scope,
    `${lane}.position`,
    ops.mul(vectors, scale),
    config.window[lane],
    config.scaleItems ? 'asTable' : 'zero',
  );
  return scope.dropout(config.scaleItems ? placed : layerNorm(scope, `${lane}.norm`, placed, EPSILON));
}

/** What the last block left, normed where the blocks do not. (…,d). */
const finished = (scope: Scope, lane: string, states: Tensor, { norm }: SasrecConfig): Tensor =>
  norm === 'post' ? states : layerNorm(scope, `${lane}.last.norm`, states, EPSILON);

/** The state of the last event. (B,d). */
function userOf(scope: Scope, config: SasrecConfig, sizes: BatchSizes, items: Tensor): Tensor {
  const width = itemWidthOf(config);
  const { vectors, mask } = feedOf(scope, sizes, items);
  const read = (lane: 'feed' | 'search', x: Tensor, xMask: Tensor): Tensor => {
    const start = started(scope, lane, x, config);
    const last = lastOfCausalTransformer(scope, `${lane}.encoder`, start, xMask, optionsOf(config, width));
    return finished(scope, lane, last, config);
  };
  const last = read('feed', vectors, mask);
  if (!config.useSearches) return last;
  const queries = linear(scope, 'query.projection', embedQueries(scope, config, sizes), width);
  const searches = searchesOf(scope, sizes, queries);
  const asked = ops.add(searches.vectors, clickMeansOf(scope, sizes, items, config.window.clicks));
  // at the start it is what it is without searches
  const told = linear(scope, 'search.told', read('search', asked, searches.mask), width, {
    initialiser: initialisers.constant(0),
  });
  return ops.add(last, told);
}

/** The next item at every place of the feed. */
function lossesOfPlaces(scope: Scope, config: SasrecConfig, sizes: BatchSizes, logits: Tensor): Losses {
  const items = embedItems(scope, config, sizes.items);
  const { vectors, mask } = feedOf(scope, sizes, items);
  const read = started(scope, 'feed', vectors, config);
  const encoded = causalTransformer(scope, 'feed.encoder', read, mask, optionsOf(config, itemWidthOf(config)));
  const states = finished(scope, 'feed', encoded, config);
  const prediction = costOfPlaces(scope, sizes, { states, items }, choiceOf(config), catalogueSize(config.sizes));
  return { loss: prediction, prediction, others: {}, logits };
}
