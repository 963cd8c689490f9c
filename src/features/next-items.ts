/**
 * What comes next at every place of a feed, for models that learn from a whole feed at once. Knows which item follows which and
 * what it is told from; does not know what is made of it.
 */
import { type Random, assert, at, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import type { BatchExtra } from './batch.js';
import { totalsOf } from './rows.js';
import { trainingCases } from './histories.js';
import { NegativeSampler, type NegativeSampling } from './negatives.js';

/**
 * What the next item is told from: all items, some that the user had not met, or `shared` items that are drawn once per batch; with `more`, as
 * many more of these for what tells it by other means.
 */
export type NextItemChoice =
  | 'all'
  | { readonly count: number; readonly sampling: NegativeSampling }
  | { readonly shared: number; readonly more?: number };

/**
 * Inputs of training batches: `places` (P) int32, real positions of the feeds, in the flattened (B,T_r); `nextItem` (P), slots of
 * the items that follow, the last one of a feed the row's positive; `placeWeight` (P), 1 / the places of the whole batch, 0 where
 * P is more than there are; and `everyItem` (N), slots of the whole catalogue, or `placeNegatives` (P,n), slots; or `sharedItem` (K),
 * slots, and `placeBeside` (P), what the next item itself adds to a sum over these as a sample (nn.logSumExp), and the same of `moreShared`.
 */
export function nextItems(dataset: Dataset, choice: NextItemChoice): BatchExtra {
  const everyItem = range(dataset.trainedItems - FIRST_INDEX).map((i) => FIRST_INDEX + i);
  let sampler: NegativeSampler | null = null; // scoring needs none
  return {
    add({ rows, training, inputs, items, capacity }) {
      if (!training) return;
      const { count, extent, cases } = rows;
      const feed = inputs['feed'] as Int32Array;
      const candidates = inputs['candidates'] as Int32Array;
      const places = Int32Array.from(feed.keys()).filter((position) => at(feed, position) !== 0);
      const isLast = (position: number): boolean => (position + 1) % extent.feed === 0 || at(feed, position + 1) === 0;
      const positive = (row: number): number => at(candidates, (row * candidates.length) / count);
      const rowOf = (position: number): number => Math.floor(position / extent.feed);
      const size = capacity('places', Math.max(1, places.length));
      const padded = (values: Int32Array): Int32Array => {
        const result = new Int32Array(size * (values.length / Math.max(1, places.length)));
        result.set(values);
        return result;
      };
      inputs['places'] = padded(places);
      inputs['nextItem'] = padded(
        places.map((position) => (isLast(position) ? positive(rowOf(position)) : at(feed, position + 1))),
      );
      const total = Math.max(1, (training.totals ?? totalsOf([rows])).feedEvents);
      inputs['placeWeight'] = new Float32Array(size).fill(1 / total, 0, places.length);
      if (choice === 'all') {
        inputs['everyItem'] = items.slots(everyItem);
        return;
      }
      if ('shared' in choice) {
        const next = inputs['nextItem'];
        const share = (name: SharedItems, count: number, purpose: string): void => {
          const shared = drawItems(everyItem, count, training.randomOfBatch?.(purpose));
          inputs[name] = items.slots(shared);
          const isDrawn = new Set(inputs[name]);
          const weight = everyItem.length / shared.length;
          inputs[besideOf(name)] = Float32Array.from(next, (slot) => (isDrawn.has(slot) ? 1 - weight : 1));
        };
        share('sharedItem', choice.shared, 'shared items');
        if (choice.more) share('moreShared', choice.more, 'more shared items');
        return;
      }
      sampler ??= new NegativeSampler(dataset, trainingCases(dataset, false), choice);
      const negatives = new Int32Array(size * choice.count);
      let [row, random]: [number, Random | undefined] = [-1, undefined];
      for (const [place, position] of places.entries()) {
        if (rowOf(position) !== row) {
          row = rowOf(position);
          random = training.randomOf?.('negatives of places', row);
        }
        const moment = cases?.[row];
        if (moment && random) negatives.set(sampler.draw(moment, random), place * choice.count);
      }
      inputs['placeNegatives'] = items.slots(negatives);
    },
  };
}

/** The inputs of items that a batch shares. */
export type SharedItems = 'sharedItem' | 'moreShared';

/** The input that says what the next item adds beside them. */
export const besideOf = (name: SharedItems): string => (name === 'sharedItem' ? 'placeBeside' : 'placeBesideMore');

/** Distinct items, all alike; all of them where they are no more. */
function drawItems(everyItem: Int32Array, count: number, random: Random | undefined): Int32Array {
  if (count >= everyItem.length) return everyItem;
  assert(random, 'shared items are drawn');
  if (4 * count > everyItem.length) return random.shuffle(everyItem.slice()).subarray(0, count);
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(at(everyItem, random.integer(everyItem.length)));
  return Int32Array.from(drawn);
}
