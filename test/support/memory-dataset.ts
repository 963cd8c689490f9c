/**
 * Data sets in memory, from columns: what `loadDataset` makes of files. Knows which columns follow from others; does not
 * know where the events come from. Shared by the small stories of the tests and the large workloads of bench/.
 */
import { type Dataset, partition } from '../../src/data/index.js';

/** What cannot be worked out from the rest. Events have no times. */
export type DatasetColumns = Pick<
  Dataset,
  | 'users'
  | 'items'
  | 'queries'
  | 'words'
  | 'sources'
  | 'wordOffsets'
  | 'queryWords'
  | 'itemAttributes'
  | 'userAttributes'
  | 'feedOffsets'
  | 'feedItem'
  | 'feedOrdinal'
  | 'feedSearch'
  | 'searchOffsets'
  | 'searchQuery'
  | 'searchSource'
  | 'searchOrdinal'
  | 'clickOffsets'
  | 'clickItem'
  | 'clickOrdinal'
>;

/** A data set split leave-one-out. `name` stands for importer and hash. */
export function memoryDataset(
  name: string,
  columns: DatasetColumns,
  importOptions: Readonly<Record<string, unknown>> = {},
): Dataset {
  const split = { strategy: 'leave-one-out' } as const;
  const unknownTimes = (events: ArrayLike<number>): Float64Array => new Float64Array(events.length).fill(Number.NaN);
  const timed = {
    ...columns,
    feedTime: unknownTimes(columns.feedItem),
    searchTime: unknownTimes(columns.searchQuery),
    clickTime: unknownTimes(columns.clickItem),
  };
  return {
    manifest: {
      format: 'sesrec-data',
      version: 2,
      source: { importer: name, files: [], options: importOptions, generator: null },
      counts: [],
      split,
      sizes: {
        users: columns.users.ids.length,
        items: columns.items.ids.length,
        queries: columns.queries.ids.length,
        words: columns.words.ids.length,
        sources: columns.sources.ids.length,
      },
      itemAttributes: [...columns.itemAttributes.keys()],
      userAttributes: [...columns.userAttributes.keys()],
      files: {},
      hash: name,
    },
    ...timed,
    ...partition(split, timed),
    trainedItems: columns.items.ids.length,
  };
}
