/**
 * For every event of a feed an item that was not it: for losses that look at each step of a history. Knows how negatives are
 * drawn; does not know what is made of them.
 */
import { at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { BatchExtra } from './batch.js';
import { totalsOf } from './rows.js';
import { trainingCases } from './histories.js';
import { NegativeSampler, type NegativeSampling } from './negatives.js';

/**
 * Inputs of training batches: `feedNegatives` (B,T_r) int32, slots of items that the user had not met, at the places of
 * feed events, padding elsewhere; `transitionScale`, a scalar: 1 / the places of the whole batch that have one before them.
 */
export function feedNegatives(dataset: Dataset, sampling: NegativeSampling): BatchExtra {
  let sampler: NegativeSampler | null = null; // scoring needs none
  return {
    add({ rows, training, inputs, items }) {
      if (!training) return;
      const { count, extent, cases } = rows;
      const feed = inputs['feed'] as Int32Array;
      sampler ??= new NegativeSampler(dataset, trainingCases(dataset, false), { count: 1, sampling });
      const drawn = new Int32Array(feed.length);
      for (let row = 0; row < count; row++) {
        const moment = cases?.[row];
        const random = training.randomOf?.('negatives of the feed', row);
        if (!moment || !random) continue;
        for (let position = row * extent.feed; position < (row + 1) * extent.feed; position++)
          if (at(feed, position) !== 0) drawn[position] = sampler.draw(moment, random)[0] as number;
      }
      inputs['feedNegatives'] = items.slots(drawn);
      inputs['transitionScale'] = Float32Array.of(1 / Math.max(1, (training.totals ?? totalsOf([rows])).transitions));
    },
  };
}
