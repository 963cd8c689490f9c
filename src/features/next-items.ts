/**
 * What comes next at every place of a feed, for models that learn from a whole feed at once. Knows which item follows which and
 * what it is told from; does not know what is made of it.
 */
import { type Random, at, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import { type BatchExtra, totalsOf } from './batch.js';
import { trainingCases } from './histories.js';
import { NegativeSampler, type NegativeSampling } from './negatives.js';

/** What the next item is told from: all items, or some that the user had not met. */
export type NextItemChoice = 'all' | { readonly count: number; readonly sampling: NegativeSampling };

/**
 * Inputs of training batches: `places` (P) int32, real positions of the feeds, in the flattened (B,T_r); `nextItem` (P), slots of
 * the items that follow, the last one of a feed the row's positive; `placeWeight` (P), 1 / the places of the whole batch, 0 where
 * P is more than there are; and `everyItem` (N), slots of the whole catalogue, or `placeNegatives` (P,n), slots.
 */
export function nextItems(dataset: Dataset, choice: NextItemChoice): BatchExtra {
  const everyItem = range(dataset.items.ids.length - FIRST_INDEX).map((i) => FIRST_INDEX + i);
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
