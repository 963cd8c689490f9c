/**
 * The vectors of a catalogue, and the order in which all of it is scored for a group of cases. Knows stretches of items; does not know how
 * vectors are worked out or what scores.
 */
import { at, copyRows } from '../../base/index.js';
import type { ScoredStretch } from './recommender.js';

/** What is known of all items. */
export interface Items {
  /** d_v */
  width: number;
  /** (items, d_v): what a candidate is scored by. */
  vectors: Float32Array;
  /** The largest of `reachOfItems`; 0 without a short form. */
  reach: number;
}

/** Copies of the vectors of some items, one after another. */
export const rowsAt = ({ vectors, width }: Items, indices: Int32Array): Float32Array =>
  copyRows(vectors, width, indices);

/** The largest of some values and a number; infinity when one is not a number, so that nothing broken looks small. */
export function largest(values: Float32Array, start: number): number {
  return values.reduce((most, value) => (value <= most ? most : Number.isNaN(value) ? Infinity : value), start);
}

/** Whether a short form may be trusted: the reach of users times that of items is at most `most`. */
export const isWithinReach = (ofUsers: Float32Array, ofItems: number, most: number): boolean =>
  largest(ofUsers, 0) * ofItems <= most;

/**
 * The runs that score the whole catalogue for a group of cases, chunk by chunk; all chunks have one size. The references
 * lead the first chunk: their scores come from the same program as all others, to the last bit.
 * @param count cases of the group that are asked for
 * @param chunk items of a run, at most
 */
export function* runsOf(
  items: Items,
  group: Int32Array,
  count: number,
  references: Int32Array | null,
  chunk: number,
  score: (vectors: Float32Array) => Promise<Float32Array>,
): Generator<() => Promise<ScoredStretch[]>> {
  const { vectors, width } = items;
  const total = vectors.length / width;
  const lead = references ? group.length : 0;
  const size = Math.ceil((lead + total) / Math.ceil((lead + total) / chunk));
  let led: Promise<Float32Array> | null = null; // the first chunk, which later ones may overtake
  for (let start = 0; start < lead + total; start += size) {
    yield async () => {
      const offset = start === 0 ? lead : 0;
      const firstItem = start + offset - lead;
      const end = Math.min(total, start + size - lead);
      const given = new Float32Array(size * width);
      if (references && start === 0)
        given.set(
          rowsAt(
            items,
            group.map((position) => at(references, position)),
          ),
        );
      given.set(vectors.subarray(firstItem * width, end * width), offset * width);
      const running = score(given);
      led ??= running;
      const [scores, first] = await Promise.all([running, led]);
      return Array.from({ length: count }, (_, row) => ({
        position: at(group, row),
        firstItem,
        scores: scores.subarray(row * size + offset, row * size + offset + end - firstItem),
        reference: references && at(first, row * size + row),
      }));
    };
  }
}
