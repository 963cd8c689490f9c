/** Cases that are encoded at once. Knows the lengths of histories; does not know models. */
import { at, range } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import { type Extent, type Window, extentOf, historyLengths } from '../../features/index.js';
import type { Case } from './recommender.js';

/** Cases with histories of about the same length. */
export interface Block {
  /** Their positions in the list that was asked for; the last one again and again up to a size that programs are made for. */
  readonly positions: Int32Array;
  /** How many of them are not there for the size only. */
  readonly count: number;
  readonly cases: readonly Case[];
  readonly extent: Extent;
}

/** The cases in blocks of at most `most`, sorted by the lengths of their histories. */
export function blocksOf(dataset: Dataset, cases: readonly Case[], window: Window, most: number): Block[] {
  const lengths = historyLengths(dataset, cases, window);
  const key = lengths.feed.map((feed, row) => feed * (window.search + 1) + at(lengths.search, row));
  const order = range(cases.length).sort((a, b) => at(key, a) - at(key, b) || a - b);
  return Array.from({ length: Math.ceil(cases.length / most) }, (_, block) => {
    const own = order.subarray(block * most, (block + 1) * most);
    const size = 2 ** Math.ceil(Math.log2(own.length));
    const positions = Int32Array.from({ length: size }, (__, row) => at(own, Math.min(row, own.length - 1)));
    return {
      positions,
      count: own.length,
      cases: Array.from(positions, (position) => cases[position] as Case),
      extent: extentOf(lengths, own, window),
    };
  });
}
