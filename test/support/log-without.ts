/** A data set as its log would be without some events. Knows columns, written down independently of features/actions.ts; vocabularies stay. */
import type { Dataset } from '../../src/data/index.js';

/** Takes out the feed events, searches and clicks of these ordinals, and the clicks of these searches; a feed event that is such a click stays. */
export function logWithout(dataset: Dataset, gone: ReadonlySet<number>): Dataset {
  const kept = (ordinals: Float64Array): number[] =>
    [...ordinals.keys()].filter((position) => !gone.has(ordinals[position] as number));
  const [feed, searches] = [kept(dataset.feedOrdinal), kept(dataset.searchOrdinal)];
  const clicks = kept(dataset.clickOrdinal).filter((click) =>
    searches.some(
      (search) =>
        click >= (dataset.clickOffsets[search] as number) && click < (dataset.clickOffsets[search + 1] as number),
    ),
  );
  const before = (positions: readonly number[], offset: number): number =>
    positions.filter((position) => position < offset).length;
  const ints = (column: Int32Array, positions: readonly number[]): Int32Array =>
    Int32Array.from(positions, (position) => column[position] as number);
  const floats = (column: Float64Array, positions: readonly number[]): Float64Array =>
    Float64Array.from(positions, (position) => column[position] as number);
  return {
    ...dataset,
    feedOffsets: dataset.feedOffsets.map((offset) => before(feed, offset)),
    heldOutStart: dataset.heldOutStart.map((position) => before(feed, position)),
    feedItem: ints(dataset.feedItem, feed),
    feedOrdinal: floats(dataset.feedOrdinal, feed),
    feedTime: floats(dataset.feedTime, feed),
    feedSearch: ints(dataset.feedSearch, feed).map((search) => searches.indexOf(search)),
    searchOffsets: dataset.searchOffsets.map((offset) => before(searches, offset)),
    searchQuery: ints(dataset.searchQuery, searches),
    searchSource: ints(dataset.searchSource, searches),
    searchOrdinal: floats(dataset.searchOrdinal, searches),
    searchTime: floats(dataset.searchTime, searches),
    searchIsTraining: Uint8Array.from(searches, (search) => dataset.searchIsTraining[search] as number),
    clickOffsets: Int32Array.from([...searches, dataset.searchQuery.length], (search) =>
      before(clicks, dataset.clickOffsets[search] as number),
    ),
    clickItem: ints(dataset.clickItem, clicks),
    clickOrdinal: floats(dataset.clickOrdinal, clicks),
    clickTime: floats(dataset.clickTime, clicks),
  };
}
