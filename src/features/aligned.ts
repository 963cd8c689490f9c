/**
 * The feed with its newest event at the end: for models to which "so many steps ago" must be one place. Knows the window; does
 * not know what is made of it.
 */
import type { BatchExtra } from './batch.js';
import { maskOf } from './slots.js';

/**
 * Inputs `alignedFeed` (B,T_r) int32, slots of items, and `alignedFeedMask` (B,T_r), padded on the left to the whole window. It
 * goes with batches of any extent.
 */
export function alignedRight(window: number): BatchExtra {
  return {
    add({ rows, inputs }) {
      const { count, extent } = rows;
      const feed = inputs['feed'] as Int32Array;
      const aligned = new Int32Array(count * window);
      for (let row = 0; row < count; row++) {
        const own = feed.subarray(row * extent.feed, (row + 1) * extent.feed);
        const length = own.findLastIndex((slot) => slot !== 0) + 1;
        aligned.set(own.subarray(0, length), (row + 1) * window - length);
      }
      inputs['alignedFeed'] = aligned;
      inputs['alignedFeedMask'] = maskOf(aligned);
    },
  };
}
