/**
 * A trained model as one ONNX file that takes histories and candidates and gives logits. Knows how histories become what a graph takes,
 * said in operators instead of code; does not know who runs the file.
 *
 * Shapes: B rows, C candidates, T_r, T_s the windows of feed and searches, K clicks per search, W words per query. Everything a row
 * mentions gets a slot of its own: slot 0 is padding, then come the feed, the clicked items and the candidates; likewise queries and words.
 */
import { UserError, range } from '../../base/index.js';
import { PADDING, UNKNOWN } from '../../data/index.js';
import { type BatchSizes, type Catalogue, catalogueOf, frequentQueries, rowOfItem } from '../../features/index.js';
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
import { trainingLogits } from '../definition/losses.js';
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

/** The feed as `alignedFeed` has it, in indices of the vocabulary. */
const ALIGNED = 'alignedFeed' as const;
const TIMELINE = 'timeline' as const;

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
  padding(): string {
    return this.hold('padding', Int32Array.of(PADDING));
  }
  add(output: string, one: string, other: string): void {
    this.steps.push({ operator: 'Add', inputs: [one, other], output });
  }
  gather(output: string, table: string, indices: string): string {
    this.steps.push({ operator: 'Gather', inputs: [table, indices], output });
    return output;
  }
  reshape(output: string, input: string, shape: Shape): string {
    this.steps.push({ operator: 'Reshape', inputs: [input], output, shape });
    return output;
  }
  /** `chosen` where `index` is unknown, else `other`. */
  whereUnknown(output: string, index: string, [chosen, other]: readonly [chosen: string, other: string]): string {
    const isUnknown = `${index} is unknown`;
    this.steps.push(
      { operator: 'Equal', inputs: [index, this.hold('unknown', Int32Array.of(UNKNOWN))], output: isUnknown },
      { operator: 'Where', inputs: [isUnknown, chosen, other], output },
    );
    return output;
  }
  /** Padding, and everything in some inputs, one after another; what has no size is left out. */
  all(output: string, inputs: readonly (readonly [name: string, size: number])[]): string {
    const flat = inputs
      .filter(([, size]) => size > 0)
      .map(([name, size]) => this.reshape(`${output} of ${name}`, name, [size]));
    this.steps.push({ operator: 'Concat', inputs: [this.padding(), ...flat], output });
    return output;
  }
}

/** How many items, and queries, of each input are looked at. */
interface Places {
  readonly feed: number;
  readonly search: number;
  readonly clicks: number;
  readonly candidates: number;
}

/** 1 for everything but padding. */
const isReal = (count: number): Float32Array => new Float32Array(count).fill(1).fill(0, 0, 1);

/**
 * Inputs, all int32 indices of the vocabularies, 0 for padding behind what is there, oldest first:
 * `user` (B), `feed` (B,T_r), `search` and `searchSource` (B,T_s), `clicks` (B,T_s,K), `candidates` (B,C). Output: `logits` (B,C).
 * What some models take as well: those that read the words of searches `searchWords` (B,T_s,W), words of the vocabulary for searches
 * whose query is unknown; SESRec at every place `searchAge` (B,1,T_s + T_s K), see features/search-ages.ts; FMLP-Rec `alignedFeed`
 * (B,T_r), the feed with its padding in front, in place of `feed`; Query-SeqRec and UniSAR `timeline` (B,L), see `addTimeline`. An
 * input that the model does not look at is left out. Refuses models that look at the log itself.
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
    searchWords: [rows, search, words],
    clicks: [rows, search, clicks],
    candidates: [rows, candidates],
  } as const;
  const drawn = ({ looksAt, queriesPerItem }: { looksAt: (key: string) => boolean; queriesPerItem: number }) => {
    const places: Places = {
      feed: rows * feed,
      search: looksAt('search') ? rows * search : 0,
      clicks: looksAt('clicks') ? rows * search * clicks : 0,
      candidates: rows * candidates,
    };
    const items = 1 + places.feed + places.clicks + places.candidates;
    const queries = 1 + places.search + items * queriesPerItem;
    const sizes: BatchSizes = {
      rows,
      feed,
      search,
      candidates,
      items,
      queries,
      words: 1 + (queries - 1) * words,
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
    return { scope, graph, sizes, places };
  };
  const shapeOf = (graph: Readonly<Record<string, Tensor>>, key: string): Shape | null =>
    topologicalOrder(Object.values(graph)).find(({ op }) => op.name === 'input' && op.key === key)?.shape ?? null;
  // what a model looks at, and at how many queries of an item, it says only in its graph
  const { graph: first } = drawn({ looksAt: () => true, queriesPerItem: 0 });
  const [, queriesPerItem = 0] = shapeOf(first, 'itemQueries') ?? [];
  const { scope, graph, sizes, places } = drawn({ looksAt: (key) => shapeOf(first, key) !== null, queriesPerItem });
  const before = preludeOf(catalogue, places, inputs, shapeOf(graph, ALIGNED) ? ALIGNED : 'feed');
  if (queriesPerItem > 0)
    addItemQueries(before, frequentQueries(dataset, queriesPerItem), sizes.items, queriesPerItem, places);
  finishQueries(before, catalogue, sizes, words, places);
  before.gather('alignedFeedMask', 'real items', ALIGNED);
  const timeline = shapeOf(graph, TIMELINE);
  if (timeline) addTimeline(before, rows, placesOfTokens(graph) / rows);
  const parts = { items: 'item rows', queries: 'query indices', words: 'word indices', users: 'user rows' } as const;
  for (const { key, table, ids } of scope.lookups.values()) before.gather(key, hold(before, run, table), parts[ids]);
  for (const { name, table } of scope.parameters.values()) if (!table) hold(before, run, name);
  const bytesHeld = [...before.held.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytesHeld > MOST_BYTES)
    throw new UserError(
      `${run.directory} has ${Math.round(bytesHeld / 2 ** 20)} MiB of parameters, more than an ONNX file holds: use --format safetensors`,
    );
  const made = toOnnx(graph, {
    prelude: preludeFor(graph, before, {
      ...inputs,
      [ALIGNED]: inputs.feed,
      ...(timeline ? { [TIMELINE]: timeline } : {}),
    }),
    metadata: { model: manifest.model, preset: manifest.preset, version, window: JSON.stringify(window) },
  });
  const foreign = made.inputs.find(
    ({ key }) => !Object.hasOwn(inputs, key) && ![...PASSED_ON, ALIGNED, TIMELINE].includes(key),
  );
  if (foreign)
    throw new UserError(
      `${model.card.name} cannot be exported to ONNX: it looks things up in the log (${foreign.key}), which the file would have to hold; use --format safetensors`,
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
  places: Places,
  inputs: { readonly [name in 'feed' | 'search' | 'searchSource' | 'clicks' | 'candidates']: Shape },
  feed: 'feed' | typeof ALIGNED,
): Steps {
  const before = new Steps();
  before.all('item indices', [
    [feed, places.feed],
    ['clicks', places.clicks],
    ['candidates', places.candidates],
  ]);
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
  const itemRow = range(catalogue.items).map((item) => rowOfItem(catalogue, item));
  before.gather('item rows', before.hold('row of item', itemRow), 'item indices');
  before.gather('user rows', before.hold('row of user', catalogue.userRow), 'user');
  return before;
}

/** Queries of items, behind those of the searches: what led people of the log there is a table, which the file holds. */
function addItemQueries(before: Steps, queriesOf: Int32Array, items: number, each: number, places: Places): void {
  before.hold('queries by item', queriesOf, [queriesOf.length / each, each]);
  before.gather('queries of items', 'queries by item', 'item indices');
  before.gather('itemQueryMask', 'real queries', 'queries of items');
  before.hold(
    'itemQueries',
    range(items * each).map((place) => 1 + places.search + place),
    [items, each],
  );
}

/**
 * Everything about the queries that a row mentions: their indices, and their words. An unknown query of a search has the words that the
 * file is given, of which unknown ones are none; every other query has those that the file holds.
 */
function finishQueries(
  before: Steps,
  catalogue: Catalogue,
  { rows, search, queries }: BatchSizes,
  words: number,
  places: Places,
): void {
  const ofItems = queries - 1 - places.search;
  before.all('query indices', [
    ['search', places.search],
    ['queries of items', ofItems],
  ]);
  before.hold('query words', wordsByQuery(catalogue, words), [catalogue.queries, words]);
  before.whereUnknown('given words', 'searchWords', [before.padding(), 'searchWords']);
  before.gather('held words of searches', 'query words', 'search');
  before.reshape('queries of searches', 'search', [rows, search, 1]);
  before.whereUnknown('words of searches', 'queries of searches', ['given words', 'held words of searches']);
  before.gather('words of queries of items', 'query words', 'queries of items');
  before.all('word indices', [
    ['words of searches', places.search * words],
    ['words of queries of items', ofItems * words],
  ]);
  const slots = new Int32Array(queries * words); // those of padding are padding
  slots.set(
    range((queries - 1) * words).map((place) => 1 + place),
    words,
  );
  before.hold('slots of queryWords', slots, [queries, words]);
  before.gather('words of queries', 'word indices', 'slots of queryWords');
  before.gather('wordMask', before.hold('real words', isReal(catalogue.words)), 'words of queries');
}

/** How many places the tokens of a timeline are taken from, or brought to. */
function placesOfTokens(graph: Readonly<Record<string, Tensor>>): number {
  const isTimeline = (x: Tensor | undefined): boolean =>
    x?.op.name === 'reshape' ? isTimeline(x.inputs[0]) : x?.op.name === 'input' && x.op.key === TIMELINE;
  for (const { op, inputs } of topologicalOrder(Object.values(graph))) {
    if (op.name === 'gather' && isTimeline(inputs[1])) return inputs[0]?.shape[0] ?? 0;
    if (op.name === 'scatterAdd' && isTimeline(inputs[0])) return op.rows;
  }
  return 0;
}

/**
 * Both lanes in order of time: the file takes `timeline` (B,L), 1 + the place of each token among [T_r feed | T_s searches | T_s K clicks],
 * 0 for padding behind them; see features/timeline.ts for the order. `places`: of a row, which for some models are without the clicks.
 */
function addTimeline(before: Steps, rows: number, places: number): void {
  before.hold('places are real', isReal(1 + places));
  before.gather('timelineMask', 'places are real', TIMELINE);
  before.hold('places of a row', Int32Array.of(0, ...range(places)));
  before.gather('places in their row', 'places of a row', TIMELINE);
  before.hold(
    'first place of each row',
    range(rows).map((row) => row * places),
    [rows, 1],
  );
  before.add('places of tokens', 'places in their row', 'first place of each row');
}

/** What a graph calls as the file calls something else: slots in a batch, not indices of a vocabulary. */
const NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['feed', 'search', 'clicks', 'candidates', 'queryWords'].map((name) => [name, `slots of ${name}`]),
  ),
  [ALIGNED]: 'slots of feed',
  [TIMELINE]: 'places of tokens',
};

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
