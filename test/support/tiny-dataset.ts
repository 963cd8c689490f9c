/** Small data sets in memory, told as stories. Knows how events become columns; reads no files. */
import { FIRST_INDEX, UNKNOWN, type Dataset, type Vocabulary } from '../../src/data/index.js';
import { memoryDataset } from './memory-dataset.js';

/**
 * One event, in order: an item id is a feed event; `led` is a feed event that the latest search led to; `query` is a
 * search with clicks right after it; `click` is a click on a result of the latest search, at its own later moment.
 */
export type TinyEvent =
  | string
  | { readonly led: string }
  | { readonly query: string; readonly clicked?: readonly string[] }
  | { readonly click: string };

export interface TinyOptions {
  /** Items of the catalogue, in order; those that occur in events come after them. */
  readonly items?: readonly string[];
  /** Recorded as options of the import. */
  readonly importOptions?: Readonly<Record<string, unknown>>;
}

/** A vocabulary of the ids given, from FIRST_INDEX. */
export function tinyVocabulary(ids: Iterable<string>): Vocabulary {
  const all = ['', '', ...new Set(ids)];
  const indices = new Map(all.slice(FIRST_INDEX).map((id, i) => [id, i + FIRST_INDEX]));
  return { ids: all, index: (id) => indices.get(id) ?? UNKNOWN, has: (id) => indices.has(id) };
}

/** The data set in which each user lives through their events, in order; ordinals run on over users. */
export function tinyDataset(
  stories: Readonly<Record<string, readonly TinyEvent[]>>,
  options: TinyOptions = {},
): Dataset {
  const users = tinyVocabulary(Object.keys(stories));
  const events = Object.values(stories).flat();
  const items = tinyVocabulary([...(options.items ?? []), ...events.flatMap(itemsOf)]);
  const queries = tinyVocabulary(
    events.flatMap((event) => (typeof event === 'object' && 'query' in event ? [event.query] : [])),
  );
  const words = tinyVocabulary(queries.ids.slice(FIRST_INDEX).flatMap((query) => query.split(' ')));
  const queryWords = queries.ids.map((query) =>
    query === '' ? [] : query.split(' ').map((word) => words.index(word)),
  );

  const feed: { item: number; ordinal: number; search: number }[] = [];
  const searches: { query: number; ordinal: number; clicks: { item: number; ordinal: number }[] }[] = [];
  const feedOffsets = [0, 0, 0];
  const searchOffsets = [0, 0, 0];
  let ordinal = 0;
  for (const story of Object.values(stories)) {
    for (const event of story) {
      if (typeof event === 'string') feed.push({ item: items.index(event), ordinal: ordinal++, search: -1 });
      else if ('led' in event)
        feed.push({ item: items.index(event.led), ordinal: ordinal++, search: searches.length - 1 });
      else if ('query' in event) {
        searches.push({ query: queries.index(event.query), ordinal: ordinal++, clicks: [] });
        for (const item of event.clicked ?? [])
          searches.at(-1)?.clicks.push({ item: items.index(item), ordinal: ordinal++ });
      } else searches.at(-1)?.clicks.push({ item: items.index(event.click), ordinal: ordinal++ });
    }
    feedOffsets.push(feed.length);
    searchOffsets.push(searches.length);
  }
  const clicks = searches.flatMap((search) => search.clicks);
  return memoryDataset(
    'tiny',
    {
      users,
      items,
      queries,
      words,
      sources: tinyVocabulary(['unknown']),
      wordOffsets: offsetsOf(queryWords),
      queryWords: Int32Array.from(queryWords.flat()),
      itemAttributes: new Map(),
      userAttributes: new Map(),
      feedOffsets: Int32Array.from(feedOffsets),
      feedItem: Int32Array.from(feed, ({ item }) => item),
      feedOrdinal: Float64Array.from(feed, (event) => event.ordinal),
      feedSearch: Int32Array.from(feed, ({ search }) => search),
      searchOffsets: Int32Array.from(searchOffsets),
      searchQuery: Int32Array.from(searches, ({ query }) => query),
      searchSource: new Int32Array(searches.length).fill(FIRST_INDEX),
      searchOrdinal: Float64Array.from(searches, (search) => search.ordinal),
      clickOffsets: offsetsOf(searches.map((search) => search.clicks)),
      clickItem: Int32Array.from(clicks, ({ item }) => item),
      clickOrdinal: Float64Array.from(clicks, (click) => click.ordinal),
    },
    options.importOptions,
  );
}

function itemsOf(event: TinyEvent): readonly string[] {
  if (typeof event === 'string') return [event];
  if ('led' in event) return [event.led];
  return 'click' in event ? [event.click] : (event.clicked ?? []);
}

function offsetsOf(lists: readonly (readonly unknown[])[]): Int32Array {
  const offsets = new Int32Array(lists.length + 1);
  for (const [i, list] of lists.entries()) offsets[i + 1] = (offsets[i] as number) + list.length;
  return offsets;
}
