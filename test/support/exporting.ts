/** Files of exported models and what to ask of them. Knows what such a file takes; does not know who runs it. */
import { BatchAssembler, catalogueOf, gatherRows } from '../../src/features/index.js';
import { type Case, GraphRanker, exportOnnx } from '../../src/model/index.js';
import { type OnnxModel, Runtime } from '../../src/tensor/index.js';
import { type Entry, allItems, livelyDataset, moments, tinyModel, withNewItems } from './tiny-model.js';

export interface Exported {
  readonly made: OnnxModel;
  /** By name: int32 values, row-major. */
  readonly inputs: Readonly<Record<string, Int32Array>>;
  /** The logits of the run itself, row-major. */
  readonly expected: Float32Array;
}

/** A small model with random parameters as a file, all its cases and all its items, some of which training never met. */
export async function exported({ id, preset }: Entry): Promise<Exported> {
  const { model, parameters, dataset } = tinyModel({ id, preset }, { dataset: withNewItems(livelyDataset()) });
  const cases: readonly Case[] = moments(dataset);
  const items = allItems(dataset);
  const run = { directory: 'tiny', manifest: { model: id, preset }, dataset, model, parameters, version: '0' };
  const made = exportOnnx(run, { rows: cases.length, candidates: items.length });
  const candidates = new Int32Array(cases.length * items.length);
  cases.forEach((_, row) => candidates.set(items, row * items.length));
  const gathered = gatherRows(dataset, cases, model.config.window);
  const { users, source, ...rows } = gathered;
  const { window, itemAttributes, userAttributes } = model.config;
  const catalogue = catalogueOf(dataset, itemAttributes, userAttributes);
  const batch = new BatchAssembler(catalogue, window, { extras: model.extras(dataset) }).assemble(gathered);
  const withoutClicks = window.feed + window.search;
  const extra = batch.inputs as Readonly<Record<string, Int32Array | Float32Array | undefined>>;
  const all: Record<string, Int32Array> = {
    user: users,
    searchSource: source,
    feed: rows.feed,
    search: rows.search,
    clicks: rows.clicks,
    candidates,
    searchAge: extra['searchAge'] as Int32Array,
    alignedFeed: alignedRight(rows.feed, window.feed),
    timeline: placesOfTokens(
      extra['timeline'],
      extra['timelineMask'],
      cases.length,
      id === 'unisar' ? withoutClicks : withoutClicks + window.search * window.clicks,
    ),
  };
  const runtime = new Runtime({ threads: 1 });
  try {
    const expected = await new GraphRanker(model, parameters, dataset, runtime).score(cases, candidates, items.length);
    const inputs = Object.fromEntries(made.inputs.map(({ key }) => [key, all[key] as Int32Array]));
    return { made, inputs, expected };
  } finally {
    await runtime.dispose();
  }
}

/** Histories with their padding in front, as docs/export.md says. */
function alignedRight(feed: Int32Array, window: number): Int32Array {
  const aligned = new Int32Array(feed.length);
  for (let start = 0; start < feed.length; start += window) {
    const own = [...feed.subarray(start, start + window)].filter((item) => item !== 0);
    aligned.set(own, start + window - own.length);
  }
  return aligned;
}

/** A timeline as docs/export.md says: places within a row, from 1. */
function placesOfTokens(
  timeline: ArrayLike<number> = [],
  mask: ArrayLike<number> = [],
  rows: number,
  perRow: number,
): Int32Array {
  const length = timeline.length / rows;
  return Int32Array.from({ length: timeline.length }, (_, i) =>
    mask[i] ? 1 + (timeline[i] as number) - Math.floor(i / length) * perRow : 0,
  );
}

/** The largest difference of two lists. */
export const furthest = (found: ArrayLike<number>, expected: ArrayLike<number>): number =>
  found.length === expected.length
    ? Array.from(found, (value, i) => Math.abs(value - (expected[i] as number))).reduce((a, b) => Math.max(a, b), 0)
    : Infinity;
