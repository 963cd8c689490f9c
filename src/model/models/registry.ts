/**
 * Every model that is trained, by its id: from here command line, documents and tests take their lists. A new model is a file
 * and a line here (docs/add-a-model.md).
 */
import { dien } from './dien.js';
import { din } from './din.js';
import { fmlpRec } from './fmlp-rec.js';
import { gru4rec } from './gru4rec.js';
import { iv4rec } from './iv4rec.js';
import { jsr } from './jsr.js';
import type { CommonConfig, Model } from '../definition/model.js';
import type { RegisteredModel } from '../definition/registered.js';
import { nrhub } from './nrhub.js';
import { querySeqrec } from './query-seqrec.js';
import { sasrec } from './sasrec.js';
import { sesrec } from './sesrec/sesrec-model.js';
import { srjgraph } from './srjgraph.js';
import { stamp } from './stamp.js';
import { unisar } from './unisar.js';

/** In the order of the paper's Table 2, then what is beyond it. */
export const models = {
  stamp,
  din,
  gru4rec,
  sasrec,
  dien,
  'fmlp-rec': fmlpRec,
  nrhub,
  jsr,
  iv4rec,
  'query-seqrec': querySeqrec,
  srjgraph,
  sesrec,
  unisar,
} as const satisfies Record<string, RegisteredModel>;
export type ModelId = keyof typeof models;
export const MODEL_IDS = Object.keys(models) as ModelId[];

/** A model with its settings. They must have passed its rule. */
export function buildModel(id: ModelId, config: CommonConfig): Model {
  return models[id].build(config);
}
