/**
 * JSR: Zamani and Croft, "Joint Modeling and Optimization of Search and Recommendation", DESIRES 2018, and the loss of their
 * "Learning a Joint Search and Recommendation Model from User-Item Interactions", WSDM 2020; both over DIN. Knows the losses
 * beside the prediction; shapes as in model.ts, d item width, n negatives of a search pair, P words of the targets' texts.
 */
import { isNotNegative, isOneOf, isWhole } from '../../base/index.js';
import { type BatchSizes, ItemText, SearchPairDraws } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type DinSettings, dinDiffers, dinRules, dinScoring, dinSettings, dinWrong } from './din.js';
import { embedItems, embedQueries, itemWidthOf, wordRows } from '../definition/embeddings.js';
import { perceptron } from '../layers/interest-layers.js';
import { type Scope, linear } from '../layers/layers.js';
import { predictionLoss, predictionLosses } from '../definition/losses.js';
import type { CommonConfig } from '../definition/model.js';
import { type ModelDefinition, type ModelParts, registered } from '../definition/registered.js';

interface JsrSettings extends DinSettings {
  /** `retrieval`: find the item that was clicked for a query; `reconstruct`: tell an item's words. */
  readonly variant: 'retrieval' | 'reconstruct';
  /** Weight of that loss. */
  readonly searchWeight: number;
  /** Negative items of each search pair. */
  readonly searchNegatives: number;
  /** The largest vocabulary over which an item's words are told by a softmax. */
  readonly softmaxWords: number;
  /** Words that an item's are told from where the vocabulary is larger. */
  readonly negativeWords: number;
}

type Config = CommonConfig & JsrSettings;

/** Width of the layer that scores a query and an item. */
const RETRIEVAL_UNITS = 64;

const definition: ModelDefinition<JsrSettings> = {
  card: {
    id: 'jsr',
    name: 'JSR',
    kind: 'search-aware',
    source: {
      authors: 'Zamani and Croft',
      title: 'Joint Modeling and Optimization of Search and Recommendation',
      venue: 'DESIRES',
      year: 2018,
    },
    idea: 'a DIN whose items also learn to be found by the queries that led to them',
    sees: ['item ids', 'item attributes', 'user', 'queries', 'query words', 'search clicks'],
    extraLosses: [
      'retrieval (searchWeight): the item that was clicked for a query, among others; variant retrieval',
      "reconstruction (searchWeight): the words of the queries that led to the row's target; variant reconstruct (WSDM 2020)",
    ],
    differs: [
      "searches are learned from in training; the user's own change no score",
      'recommendation by DIN, as in the experiments of IV4REC that SESRec follows; the papers: simpler networks',
      'each row of a batch brings one search pair, drawn from all of training; the paper: batches of both tasks by turns',
      'reconstruct: texts are queries, since logs have no descriptions, and the vocabulary decides between softmax and drawn words',
      ...dinDiffers,
    ],
  },
  presets: {
    default: {
      ...dinSettings,
      variant: 'retrieval',
      searchWeight: 1,
      searchNegatives: 4,
      softmaxWords: 4096,
      negativeWords: 64,
    },
  },
  rules: {
    ...dinRules,
    variant: isOneOf('retrieval', 'reconstruct'),
    searchWeight: isNotNegative,
    searchNegatives: isWhole(1, 10_000),
    softmaxWords: isWhole(0, 2 ** 31 - 1),
    negativeWords: isWhole(1, 10_000),
  },
  wrong: dinWrong,
  build: (config) => ({
    seesSearches: false,
    needsSearches: config.searchWeight > 0,
    ...(config.variant === 'retrieval' ? retrieval(config) : reconstruct(config)),
  }),
};

export const jsr = registered(definition);

const scoringOf = (config: Config) => dinScoring(config, (scope, sizes) => embedItems(scope, config, sizes.items));

function retrieval(config: Config): ModelParts {
  const scoring = scoringOf(config);
  return {
    scoring,
    extras: (dataset) => [new SearchPairDraws(dataset, config.searchNegatives)],
    losses: (scope, sizes) =>
      predictionLosses(scope, scoring, sizes, {
        retrieval: [retrievalLoss(scope, config, sizes), config.searchWeight],
      }),
  };
}

/** Binary cross-entropy of each search pair and its negatives, the part's share of the mean. A scalar. */
function retrievalLoss(scope: Scope, config: Config, sizes: BatchSizes): Tensor {
  const width = itemWidthOf(config);
  const count = 1 + config.searchNegatives;
  const side = (name: string, embedded: Tensor): Tensor =>
    ops.relu(linear(scope, `retrieval.${name}`, embedded, width));
  const queries = side('query', embedQueries(scope, config, sizes));
  const items = side('item', embedItems(scope, config, sizes.items));
  const query = ops.gather(queries, scope.input('searchPairQuery', [sizes.rows], 'int32'));
  const item = ops.gather(items, scope.input('searchPairItems', [sizes.rows, count], 'int32'));
  const met = ops.mul(ops.reshape(query, [sizes.rows, 1, width]), item);
  const logits = perceptron(scope, 'retrieval.prediction', met, [RETRIEVAL_UNITS, 1], 'relu');
  return predictionLoss(scope, ops.reshape(logits, [sizes.rows, count]));
}

function reconstruct(config: Config): ModelParts {
  const scoring = scoringOf(config);
  const isSoftmax = config.sizes.words <= config.softmaxWords;
  return {
    scoring,
    extras: (dataset) => [new ItemText(dataset, isSoftmax ? 'all' : config.negativeWords)],
    extraSizes: { textWords: 1 },
    losses: (scope, sizes) =>
      predictionLosses(scope, scoring, sizes, {
        reconstruction: [reconstructionLoss(scope, config, sizes, isSoftmax), config.searchWeight],
      }),
  };
}

/**
 * How well the words w are told of the text t of each row's target v, the logit of w being E_w . M e_v. Targets without a text
 * count as told; the part's share of the mean over rows. A scalar.
 *
 * By softmax: - sum_w t_w log p_w = log sum_w exp(logit_w) - sum_w t_w logit_w. By drawn words: the binary cross-entropy of
 * one word of the text, in the mean over t, and of the negatives, over 1 + n.
 */
function reconstructionLoss(scope: Scope, config: Config, sizes: BatchSizes, isSoftmax: boolean): Tensor {
  const { rows } = sizes;
  const items = ops.gather(embedItems(scope, config, sizes.items), scope.input('textItem', [rows], 'int32'));
  const told = linear(scope, 'text.projection', items, config.wordWidth, { bias: false }); // (B, word width)
  const words = wordRows(scope, config, sizes);
  const hasText = scope.input('hasText', [rows]);
  const pairs = [sizes.extras['textWords'] as number];
  const own = ops.mul(
    ops.gather(told, scope.input('textRow', pairs, 'int32')),
    ops.gather(words, scope.input('textWord', pairs, 'int32')),
  );
  const ownLogits = nn.sumOut(own, [1]); // (P)
  const share = scope.input('textShare', pairs);
  const mean = (total: Tensor): Tensor => ops.mul(ops.mul(nn.scalar(total), scope.input('rowShare', [])), 1 / rows);

  if (isSoftmax) {
    const mask = ops.reshape(scope.input('vocabularyMask', [sizes.words]), [1, sizes.words]);
    const normaliser = nn.maskedLogSumExp(ops.matmul(told, words, { transposeB: true }), mask); // (B,1)
    const all = ops.sum(ops.mul(ops.reshape(normaliser, [rows]), hasText));
    return mean(ops.sub(all, ops.sum(ops.mul(ownLogits, share))));
  }
  const negatives = ops.gather(words, scope.input('textNegatives', [rows, config.negativeWords], 'int32'));
  const logits = ops.matmul(negatives, ops.reshape(told, [rows, config.wordWidth, 1])); // (B,n,1)
  const others = ops.mul(ops.softplus(logits), ops.reshape(hasText, [rows, 1, 1]));
  const positives = ops.mul(ops.softplus(ops.neg(ownLogits)), share);
  const total = ops.add(nn.scalar(ops.sum(positives)), nn.scalar(ops.sum(others)));
  return mean(ops.mul(total, 1 / (1 + config.negativeWords)));
}
