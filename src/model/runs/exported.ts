/**
 * A trained model as one ONNX file that takes histories and candidates and gives logits. Knows how histories become what a graph takes,
 * said in operators instead of code; does not know who runs the file.
 *
 * Shapes: B rows, C candidates, T_r, T_s the windows of feed and searches, K clicks per search, W words per query. Everything a row
 * mentions gets a slot of its own: slot 0 is padding, then come the feed, the clicked items and the candidates; likewise queries and words.
 */
import { UserError, range } from '../../base/index.js';
import { PADDING } from '../../data/index.js';
import { type BatchSizes, type Catalogue, catalogueOf } from '../../features/index.js';
import {
  type HeldValues,
  type OnnxModel,
  type Prelude,
  type Shape,
  type Tensor,
  lean,
  toOnnx,
  topologicalOrder,
} from '../../tensor/index.js';
import { trainingLogits } from '../definition/model.js';
import { Scope } from '../layers/layers.js';
import type { Run, RunManifest } from './run.js';

/** What is needed of a run. */
export type ExportableRun = Pick<Run, 'directory' | 'dataset' | 'model' | 'parameters' | 'version'> & {
  readonly manifest: Pick<RunManifest, 'model' | 'preset'>;
};

export interface ExportOptions {
  /** B */
  readonly rows: number;
  /** C */
  readonly candidates: number;
}

/** What a batch brings beyond histories that whoever runs the file can bring as well; docs/export.md says what it is. */
const PASSED_ON: readonly string[] = ['searchAge'];

/** The largest file that the format allows, less room for the graph. */
const MOST_BYTES = 2 ** 31 - 2 ** 26;

/** Says step by step what comes before a graph. */
class Steps {
  readonly held = new Map<string, HeldValues>();
  readonly steps: Prelude['steps'][number][] = [];

  hold(name: string, data: HeldValues['data'], shape: Shape = [data.length]): string {
    this.held.set(name, { shape, data });
    return name;
  }
  gather(output: string, table: string, indices: string): string {
    this.steps.push({ operator: 'Gather', inputs: [table, indices], output });
    return output;
  }
  reshape(output: string, input: string, shape: Shape): string {
    this.steps.push({ operator: 'Reshape', inputs: [input], output, shape });
    return output;
  }
  /** Padding, and everything in some inputs, one after another. */
  all(output: string, inputs: readonly (readonly [name: string, size: number])[]): string {
    const flat = inputs.map(([name, size]) => this.reshape(`${output} of ${name}`, name, [size]));
    this.steps.push({
      operator: 'Concat',
      inputs: [this.hold(`${output} padding`, Int32Array.of(PADDING)), ...flat],
      output,
    });
    return output;
  }
}

/** 1 for everything but padding. */
const isReal = (count: number): Float32Array => new Float32Array(count).fill(1).fill(0, 0, 1);

/**
 * Inputs, all int32 indices of the vocabularies, 0 for padding behind what is there, oldest first:
 * `user` (B), `feed` (B,T_r), `search` and `searchSource` (B,T_s), `clicks` (B,T_s,K), `candidates` (B,C). Output: `logits` (B,C).
 * SESRec at every place takes `searchAge` (B,1,T_s + T_s K) as well, see features/search-ages.ts. An input that the model does not look at is left out. Refuses models that look at more than histories.
 */
export function exportOnnx(run: ExportableRun, { rows, candidates }: ExportOptions): OnnxModel {
  const { model, dataset, manifest, version } = run;
  const { window, itemAttributes, userAttributes } = model.config;
  const { feed, search, clicks, words } = window;
  const catalogue = catalogueOf(dataset, itemAttributes, userAttributes);
  const inputs = {
    user: [rows],
    feed: [rows, feed],
    search: [rows, search],
    searchSource: [rows, search],
    clicks: [rows, search, clicks],
    candidates: [rows, candidates],
  } as const;
  const places = {
    feed: rows * feed,
    search: rows * search,
    clicks: rows * search * clicks,
    candidates: rows * candidates,
  };
  const queries = 1 + places.search;
  const sizes: BatchSizes = {
    rows,
    feed,
    search,
    candidates,
    items: 1 + places.feed + places.clicks + places.candidates,
    queries,
    words: 1 + queries * words,
    pairs: 0,
    anchorQueries: 0,
    anchorItems: 0,
    negativeItems: 0,
    negativeQueries: 0,
    extras: model.extraSizes,
  };
  const scope = new Scope();
  const graph = lean({
    logits: trainingLogits(scope, model.scoring, sizes, model.scoring.encode(scope, sizes, sizes)),
  });
  const before = preludeOf(catalogue, model.config, sizes, places, inputs);
  const parts = { items: 'item indices', queries: 'query indices', words: 'word indices', users: 'user rows' } as const;
  for (const { key, table, ids } of scope.lookups.values()) before.gather(key, hold(before, run, table), parts[ids]);
  for (const { name, table } of scope.parameters.values()) if (!table) hold(before, run, name);
  const bytesHeld = [...before.held.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytesHeld > MOST_BYTES)
    throw new UserError(
      `${run.directory} has ${Math.round(bytesHeld / 2 ** 20)} MiB of parameters, more than an ONNX file holds: use --format safetensors`,
    );
  const made = toOnnx(graph, {
    prelude: preludeFor(graph, before, inputs),
    metadata: { model: manifest.model, preset: manifest.preset, version, window: JSON.stringify(window) },
  });
  const foreign = made.inputs.find(({ key }) => !Object.hasOwn(inputs, key) && !PASSED_ON.includes(key));
  if (foreign)
    throw new UserError(
      `${model.card.name} cannot be exported to ONNX: it looks at more than histories (${foreign.key}); use --format safetensors`,
    );
  return made;
}

function hold(before: Steps, { parameters }: ExportableRun, name: string): string {
  const { shape } = parameters.descriptions.find((description) => description.name === name) as { shape: Shape };
  return before.hold(name, Float32Array.from(parameters.get(name)), shape);
}

/** Everything that a batch would bring to a graph, from the inputs of the file. */
function preludeOf(
  catalogue: Catalogue,
  { window: { words } }: ExportableRun['model']['config'],
  sizes: BatchSizes,
  places: { readonly feed: number; readonly search: number; readonly clicks: number; readonly candidates: number },
  inputs: { readonly [name in 'feed' | 'search' | 'searchSource' | 'clicks' | 'candidates']: Shape },
): Steps {
  const before = new Steps();
  before.all('item indices', [
    ['feed', places.feed],
    ['clicks', places.clicks],
    ['candidates', places.candidates],
  ]);
  before.all('query indices', [['search', places.search]]);
  const slots = (name: string, from: number, shape: Shape): void => {
    const count = shape.reduce((product, size) => product * size, 1);
    before.hold(
      `slots of ${name}`,
      range(count).map((place) => from + place),
      shape,
    );
  };
  slots('feed', 1, inputs.feed);
  slots('clicks', 1 + places.feed, inputs.clicks);
  slots('candidates', 1 + places.feed + places.clicks, inputs.candidates);
  slots('search', 1, inputs.search);
  const [realItems, realQueries] = [
    before.hold('real items', isReal(catalogue.items)),
    before.hold('real queries', isReal(catalogue.queries)),
  ];
  before.gather('feedMask', realItems, 'feed');
  before.gather('clickMask', realItems, 'clicks');
  before.gather('searchMask', realQueries, 'search');
  for (const [name, column] of Object.entries(catalogue.itemAttributes))
    before.gather(`itemAttribute.${name}`, before.hold(`item ${name}`, column), 'item indices');
  for (const [name, column] of Object.entries(catalogue.userAttributes))
    before.gather(`userAttribute.${name}`, before.hold(`user ${name}`, column), 'user');
  before.gather('user rows', before.hold('row of user', catalogue.userRow), 'user');
  const wordTable = wordsByQuery(catalogue, words);
  const wordShape = [sizes.queries, words];
  before.gather('words of queries', before.hold('query words', wordTable, [catalogue.queries, words]), 'query indices');
  before.all('word indices', [['words of queries', sizes.queries * words]]);
  slots('queryWords', 1, wordShape);
  before.gather('wordMask', before.hold('real words', isReal(catalogue.words)), 'words of queries');
  return before;
}

/** What a graph calls as the file calls something else: slots in a batch, not indices of a vocabulary. */
const NAMES = Object.fromEntries(
  ['feed', 'search', 'clicks', 'candidates', 'queryWords'].map((name) => [name, `slots of ${name}`]),
);

/** Of what may come before a graph, that which it needs. */
function preludeFor(
  graph: Readonly<Record<string, Tensor>>,
  { held, steps }: Steps,
  inputs: Readonly<Record<string, Shape>>,
): Prelude {
  const wanted = new Set(
    topologicalOrder(Object.values(graph)).flatMap(({ op }) => (op.name === 'input' ? [NAMES[op.key] ?? op.key] : [])),
  );
  const kept = steps.toReversed().filter(({ output, inputs: sources }) => {
    if (!wanted.has(output)) return false;
    for (const source of sources) wanted.add(source);
    return true;
  });
  return {
    names: NAMES,
    inputs: Object.entries(inputs).flatMap(([key, shape]) => (wanted.has(key) ? [{ key, shape, dtype: 'int32' }] : [])),
    held: new Map([...held].filter(([name]) => wanted.has(name))),
    steps: kept.toReversed(),
  };
}

/** The first W words of every query, padded. */
function wordsByQuery({ queries, wordOffsets, queryWords }: Catalogue, most: number): Int32Array {
  const table = new Int32Array(queries * most);
  for (let query = 0; query < queries; query++) {
    const own = queryWords.subarray(wordOffsets[query], wordOffsets[query + 1]);
    table.set(own.subarray(0, most), query * most);
  }
  return table;
}
