/** A finder for the tests of rankers: scores what it is told to, in stretches of two. Runs on the thread of a lane. */
import type { OpenFinder, ScoreItems } from '../../src/model/index.js';

export interface ToBeScored {
  readonly items: Int32Array;
}

export const open: OpenFinder<{ readonly sign: number }, ToBeScored, { readonly scores: Float32Array }> =
  ({ sign }) =>
  async ({ items }, score: ScoreItems) => {
    const scores: number[] = [];
    for (let start = 0; start < items.length; start += 2)
      scores.push(...(await score(items.subarray(start, start + 2))));
    return { scores: Float32Array.from(scores, (value) => sign * value) };
  };
