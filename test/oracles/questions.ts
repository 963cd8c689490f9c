/**
 * What the oracles are asked: tiny models, their weights and one training batch each. Knows how a question is written down, and
 * read again for the comparison (test/model/oracles.test.ts); does not know the answers, which make.py works out in PyTorch.
 */
import type { Batch } from '../../src/features/index.js';
import {
  type CommonConfig,
  type Model,
  type ModelId,
  type NamedTensor,
  type Parameters,
  buildModel,
  models,
  parametersOf,
} from '../../src/model/index.js';
import { tinyModel, trainingBatch } from '../support/tiny-model.js';

/** A question as it stands in a file. */
export interface Question {
  readonly model: ModelId;
  readonly config: CommonConfig;
  readonly sizes: Batch['sizes'];
  /** The indices that the slots of the batch stand for. */
  readonly ids: Readonly<Record<keyof Batch['ids'], readonly number[]>>;
  /** What else the batch holds. */
  readonly inputs: Readonly<Record<string, { readonly type: 'int32' | 'float32'; readonly data: readonly number[] }>>;
  readonly weights: Readonly<Record<string, Weights>>;
}

/** A parameter, as bytes in base 64: each value is a signed byte divided by 64. */
interface Weights {
  readonly shape: readonly number[];
  readonly bytes: string;
  /** Whether its first row is padding and gets no gradient. */
  readonly hasPadding: boolean;
}

const UNIT = 64;

interface Subject {
  readonly id: ModelId;
  /** The usual one unless told. */
  readonly preset?: string;
  /** Settings other than those of the preset. */
  readonly changes?: object;
}

/** Every model, and variants of some; of SESRec our own preset, since the others have golden vectors of its authors' code. */
export const subjects: Readonly<Record<string, Subject>> = {
  stamp: { id: 'stamp' },
  'stamp-without-mean': { id: 'stamp', changes: { addMean: false } },
  din: { id: 'din' },
  'din-unscaled': { id: 'din', changes: { scaleAttention: false, useUser: false } },
  gru4rec: { id: 'gru4rec' },
  'gru4rec-two-layers': { id: 'gru4rec', changes: { layers: 2 } },
  sasrec: { id: 'sasrec' },
  'sasrec-every-place': { id: 'sasrec', changes: { trainOn: 'everyPlace', placeNegatives: 2 } },
  'sasrec-full-softmax': { id: 'sasrec', changes: { trainOn: 'fullSoftmax' } },
  'sasrec-as-published': {
    id: 'sasrec',
    changes: { trainOn: 'fullSoftmax', norm: 'pre', scaleItems: true, innerTimes: 1, activation: 'relu' },
  },
  'sasrec-in-code': {
    id: 'sasrec',
    changes: { trainOn: 'fullSoftmax', norm: 'code', scaleItems: true, innerTimes: 1, activation: 'relu' },
  },
  'sasrec-searches': { id: 'sasrec', changes: { useSearches: true } },
  dien: { id: 'dien' },
  'fmlp-rec': { id: 'fmlp-rec' },
  'fmlp-rec-odd-window': {
    id: 'fmlp-rec',
    changes: { maskPadding: true, window: { feed: 5, search: 4, clicks: 2, words: 3 } },
  },
  nrhub: { id: 'nrhub' },
  jsr: { id: 'jsr' },
  'jsr-reconstruct': { id: 'jsr', changes: { variant: 'reconstruct', softmaxWords: 100 } },
  'jsr-reconstruct-drawn': { id: 'jsr', changes: { variant: 'reconstruct', softmaxWords: 0, negativeWords: 3 } },
  iv4rec: { id: 'iv4rec', changes: { detachProjector: true } },
  'iv4rec-two-queries': {
    id: 'iv4rec',
    changes: { queriesPerItem: 2, ridge: 0.1, detachProjector: false, treatmentLayers: 2 },
  },
  'iv4rec-whole': { id: 'iv4rec', changes: { queriesPerItem: 2, ridge: 0.1, residual: false, detachProjector: true } },
  'query-seqrec': { id: 'query-seqrec', changes: { replaceItems: 0.3, replaceQueries: 0.3 } },
  'query-seqrec-without-clicks': {
    id: 'query-seqrec',
    changes: { clickTokens: false, replaceItems: 0, replaceQueries: 0, tokens: 5 },
  },
  srjgraph: { id: 'srjgraph', changes: { contextItems: 3, neighbours: 2 } },
  'srjgraph-without-search': { id: 'srjgraph', changes: { contextItems: 2, neighbours: 3, searchWeight: 0 } },
  'sesrec-every-place': { id: 'sesrec', preset: 'sesrec', changes: { sharedNegatives: 5, alpha: 0.5 } },
  'sesrec-every-place-apart': {
    id: 'sesrec',
    preset: 'sesrec',
    changes: {
      sharedNegatives: 5,
      alpha: 0.5,
      memoryKeys: 'own',
      memoryTrained: 'apart',
      memoryShare: 0.5,
      norm: 'code',
    },
  },
  'sesrec-every-place-vectors-of-ids': {
    id: 'sesrec',
    preset: 'sesrec',
    changes: { sharedNegatives: 5, alpha: 0.5, memoryKeys: 'own', itemVectorsOf: 'ids' },
  },
  unisar: { id: 'unisar', changes: { contrastRows: 4, alignmentWeight: 0.5, contrastWeight: 0.5 } },
};

/** The question about a subject. */
export function questionOf(name: string): Question {
  const { id, preset, changes = {} } = subjects[name] as Subject;
  const { model, parameters, dataset } = tinyModel({ id, preset: preset ?? models[id].presets[0] }, { changes });
  const [{ sizes, ids, inputs }] = trainingBatch({ model, dataset }, { rows: 7, pick: 'allLengths' });
  const plain = (values: Int32Array | Float32Array) => ({
    type: values instanceof Int32Array ? ('int32' as const) : ('float32' as const),
    data: Array.from(values),
  });
  return {
    model: id,
    config: model.config,
    sizes,
    ids: {
      items: Array.from(ids.items),
      queries: Array.from(ids.queries),
      words: Array.from(ids.words),
      users: Array.from(ids.users),
    },
    inputs: Object.fromEntries(Object.entries(inputs).map(([key, values]) => [key, plain(values)])),
    weights: Object.fromEntries(
      parameters.descriptions.map(({ name, shape, padding }) => [
        name,
        { shape, hasPadding: padding !== 'none', bytes: packed(parameters.get(name)) },
      ]),
    ),
  };
}

/** Values rounded to what a byte holds. */
function packed(values: Float32Array): string {
  const bytes = Int8Array.from(values, (value) => Math.max(-128, Math.min(127, Math.round(UNIT * value))));
  return Buffer.from(bytes.buffer).toString('base64');
}

/** The model that a question is about, with its weights. */
export function modelOf({ model: id, config, weights }: Question): { model: Model; parameters: Parameters } {
  const wrong = models[id].rule(config, '');
  if (wrong !== null) throw new Error(`the settings of the question make no model any more: ${wrong}`);
  const model = buildModel(id, config);
  const parameters = parametersOf(model);
  const tensors = Object.entries(weights).map(([name, { shape, bytes }]): [string, NamedTensor] => [
    name,
    { shape, data: Float32Array.from(new Int8Array(Buffer.from(bytes, 'base64')), (byte) => byte / UNIT) },
  ]);
  parameters.load(new Map(tensors), 'the question');
  return { model, parameters };
}

/** The batch of a question. */
export function batchOf({ sizes, ids, inputs }: Question): Batch {
  return {
    sizes,
    ids: {
      items: Int32Array.from(ids.items),
      queries: Int32Array.from(ids.queries),
      words: Int32Array.from(ids.words),
      users: Int32Array.from(ids.users),
    },
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([key, { type, data }]) => [
        key,
        type === 'int32' ? Int32Array.from(data) : Float32Array.from(data),
      ]),
    ),
  };
}
