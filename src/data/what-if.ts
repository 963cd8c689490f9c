/**
 * A data set as it would be had somebody just searched. Knows the columns; does not change the data set it is given, nor
 * any file.
 */
import { assert, at } from '../base/index.js';
import { type Dataset, UNKNOWN, type UnseenQueries } from './schema.js';
import { unseenQueries } from './unseen-queries.js';
import { normaliseQuery } from './vocabulary.js';

/** A search that did not happen. */
export interface ImaginedSearch {
  readonly query: string;
  /** How it was started. Default: typed. */
  readonly source?: string;
  /** Items clicked in its results, as indices. Default: none. */
  readonly clicked?: readonly number[];
}

/**
 * The data set with one more search at the end of a user's history, later than anything in the log. Its query and source are
 * those of the vocabulary, or unknown; of an unknown query the words are there that the vocabulary has. `user` is an index; `UNKNOWN` stands for somebody new.
 */
export function withSearch(
  dataset: Dataset,
  user: number,
  { query, source = 'typed', clicked = [] }: ImaginedSearch,
): Dataset {
  assert(user >= UNKNOWN && user < dataset.users.ids.length, `there is no user ${user}`);
  const place = at(dataset.searchOffsets, user + 1);
  const firstClick = at(dataset.clickOffsets, place);
  // later than everything, each event by one
  const latest = [dataset.feedOrdinal, dataset.searchOrdinal, dataset.clickOrdinal].reduce(
    (most, ordinals) => ordinals.reduce((a, b) => Math.max(a, b), most),
    -1,
  );
  const clicks = Int32Array.from(clicked);
  return {
    ...dataset,
    feedSearch: dataset.feedSearch.map((search) => (search >= place ? search + 1 : search)),
    searchOffsets: dataset.searchOffsets.map((offset, owner) => (owner > user ? offset + 1 : offset)),
    searchQuery: inserted(dataset.searchQuery, place, [dataset.queries.index(normaliseQuery(query))]),
    unseenQueries: withQuery(dataset, place, query),
    searchSource: inserted(dataset.searchSource, place, [dataset.sources.index(source)]),
    searchOrdinal: inserted(dataset.searchOrdinal, place, [latest + 1]),
    searchTime: inserted(dataset.searchTime, place, [Number.NaN]),
    searchIsTraining: inserted(dataset.searchIsTraining, place, [0]),
    clickOffsets: inserted(
      dataset.clickOffsets.map((offset, search) => (search > place ? offset + clicks.length : offset)),
      place + 1,
      [firstClick + clicks.length],
    ),
    clickItem: inserted(dataset.clickItem, firstClick, clicks),
    clickOrdinal: inserted(
      dataset.clickOrdinal,
      firstClick,
      Array.from(clicks, (_, i) => latest + 2 + i),
    ),
    clickTime: inserted(
      dataset.clickTime,
      firstClick,
      Array.from(clicks, () => Number.NaN),
    ),
  };
}

/** The unseen queries with that of a search more, at a place. */
function withQuery({ unseenQueries: unseen, queries, words, searchQuery }: Dataset, place: number, query: string) {
  const { ids, words: own, ofSearch } = unseenQueries([query], Int32Array.of(0), queries, words);
  const before: UnseenQueries = unseen ?? { ids: [], words: [], ofSearch: searchQuery.map(() => -1) };
  return {
    ids: [...before.ids, ...ids],
    words: [...before.words, ...own],
    ofSearch: inserted(before.ofSearch, place, [at(ofSearch, 0) < 0 ? -1 : before.ids.length]),
  };
}

/** A column with some values more, at a place. */
function inserted<Column extends Int32Array | Float64Array | Uint8Array>(
  column: Column,
  place: number,
  values: ArrayLike<number>,
): Column {
  const longer = new (column.constructor as new (length: number) => Column)(column.length + values.length);
  longer.set(column.subarray(0, place));
  longer.set(values, place);
  longer.set(column.subarray(place), place + values.length);
  return longer;
}
