/**
 * IV4REC: Si et al., "A Model-Agnostic Causal Learning Framework for Recommendation using Search Data", WWW 2022, over DIN.
 * Knows how an item's vector is rebuilt; shapes as in model.ts, N queries per item, d item width.
 */
import { isPositive, isTrueOrFalse, isWhole } from '../../base/index.js';
import { type BatchSizes, ItemQueries } from '../../features/index.js';
import { type Tensor, ops } from '../../tensor/index.js';
import { type DinSettings, dinDiffers, dinRules, dinScoring, dinSettings, dinWrong } from './din.js';
import { embedItems, embedQueries, itemWidthOf } from '../definition/embeddings.js';
import { perceptron } from '../layers/interest-layers.js';
import { type Scope, linear } from '../layers/layers.js';
import { ridgeFit } from '../layers/least-squares.js';
import { predictionLosses } from '../definition/losses.js';
import type { CommonConfig } from '../definition/model.js';
import { type ModelDefinition, registered } from '../definition/registered.js';
import { areWidths } from '../definition/settings.js';

interface Iv4recSettings extends DinSettings {
  /** N, the most frequent queries of an item that are its instruments. */
  readonly queriesPerItem: number;
  /** Layers of tanh between an item's embedding and the vector that is fitted. */
  readonly treatmentLayers: number;
  /** Units of the gates' layers before the one that gives the weight. */
  readonly gateUnits: readonly number[];
  /** Of the least squares; see `ridgeFit`. */
  readonly ridge: number;
  readonly detachProjector: boolean;
  /** Weigh fitted part and residual, as the paper does; else fitted part and the whole, as the authors' code does. */
  readonly residual: boolean;
}

type Config = CommonConfig & Iv4recSettings;

const definition: ModelDefinition<Iv4recSettings> = {
  card: {
    id: 'iv4rec',
    name: 'IV4REC',
    kind: 'search-aware',
    source: {
      authors: 'Si et al.',
      title: 'A Model-Agnostic Causal Learning Framework for Recommendation using Search Data',
      venue: 'WWW',
      year: 2022,
    },
    idea: "a DIN over items that are rebuilt: what an item's queries explain of it and what they do not get weights of their own",
    sees: ['item ids', 'item attributes', 'user', 'queries', 'query words', 'search clicks'],
    extraLosses: [],
    differs: [
      "an item's queries come from training, the most frequent ones; the user's own searches change no score",
      'embeddings are learned, so the fit is worked out anew in each step, with a ridge in units of the queries; the paper: frozen vectors',
      'detachProjector: the inverse in the fit is not differentiated',
      "gates: no tanh after the last layer, which would keep them within .27 and .73 in the authors' code",
      'weight decay as for all models here, without further regularisers',
      ...dinDiffers,
    ],
  },
  presets: {
    default: {
      ...dinSettings,
      queriesPerItem: 1,
      treatmentLayers: 1,
      gateUnits: [64, 32],
      ridge: 1e-3,
      detachProjector: true,
      residual: true,
    },
  },
  shapes: { amazon: { queriesPerItem: 1 }, kuaishou: { queriesPerItem: 5 } },
  rules: {
    ...dinRules,
    queriesPerItem: isWhole(1, 16),
    treatmentLayers: isWhole(0, 16),
    gateUnits: areWidths,
    ridge: isPositive,
    detachProjector: isTrueOrFalse,
    residual: isTrueOrFalse,
  },
  wrong: dinWrong,
  build: (config) => ({
    seesSearches: false,
    needsSearches: true,
    extras: (dataset) => [new ItemQueries(dataset, config.queriesPerItem)],
    scoring: dinScoring(config, (scope, sizes) => rebuiltItems(scope, config, sizes)),
    losses: (scope, sizes) => {
      const items = rebuiltItems(scope, config, sizes); // once for history and candidates
      return predictionLosses(
        scope,
        dinScoring(config, () => items),
        sizes,
      );
    },
  }),
};

export const iv4rec = registered(definition);

/** The distinct items of a batch, put together again from what their queries explain and what they do not. (I,d). */
function rebuiltItems(scope: Scope, config: Config, sizes: BatchSizes): Tensor {
  const width = itemWidthOf(config);
  const { queriesPerItem: count } = config;
  let treatment = embedItems(scope, config, sizes.items);
  for (let layer = 0; layer < config.treatmentLayers; layer++)
    treatment = scope.dropout(ops.tanh(linear(scope, `treatment.${layer}`, treatment, width)));

  const queries = linear(scope, 'query.projection', embedQueries(scope, config, sizes), width, { bias: false });
  const mask = scope.input('itemQueryMask', [sizes.items, count]);
  const found = ops.gather(queries, scope.input('itemQueries', [sizes.items, count], 'int32'));
  const instruments = ops.mul(found, ops.reshape(mask, [sizes.items, count, 1])); // Z^T
  const fitted = ridgeFit(instruments, treatment, config);

  const seen = ops.concat([treatment, ops.reshape(instruments, [sizes.items, count * width])], 1);
  const [first, ...units] = [...config.gateUnits, 1];
  const gate = (name: string): Tensor =>
    ops.sigmoid(perceptron(scope, `gate.${name}`, seen, [first, ...units], 'tanh'));
  const other = config.residual ? ops.sub(treatment, fitted) : treatment;
  return ops.add(ops.mul(fitted, gate('fitted')), ops.mul(other, gate('residual')));
}
