/**
 * Every model that is trained, by its id: from here command line, documents and tests take their lists. A new model is a file
 * and a line here (docs/add-a-model.md).
 */
import type { CommonConfig, Model, RegisteredModel } from './model.js';
import { fmlpRec } from './fmlp-rec.js';
import { sasrec } from './sasrec.js';
import { sesrec } from './sesrec-model.js';
import { srjgraph } from './srjgraph.js';
import { stamp } from './stamp.js';

export const models = { stamp, sasrec, 'fmlp-rec': fmlpRec, srjgraph, sesrec } as const satisfies Record<
  string,
  RegisteredModel
>;
export type ModelId = keyof typeof models;
export const MODEL_IDS = Object.keys(models) as ModelId[];

/** A model with its settings. They must have passed its rule. */
export function buildModel(id: ModelId, config: CommonConfig): Model {
  return models[id].build(config);
}
