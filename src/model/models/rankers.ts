/** The ranker of a model: SESRec's can also tell why. Knows which is which; does not know how they score. */
import type { Dataset } from '../../data/index.js';
import type { Runtime } from '../../tensor/index.js';
import { GraphRanker } from '../ranking/graph-ranker.js';
import type { Model } from '../definition/model.js';
import type { Parameters } from '../weights/parameters.js';
import type { SesrecConfig } from './sesrec/sesrec-config.js';
import { SesrecRanker } from './sesrec/sesrec-ranker.js';

export function rankerOf(model: Model, parameters: Parameters, dataset: Dataset, runtime: Runtime): GraphRanker {
  return model.card.id === 'sesrec'
    ? new SesrecRanker(model.config as SesrecConfig, parameters, dataset, runtime)
    : new GraphRanker(model, parameters, dataset, runtime);
}
