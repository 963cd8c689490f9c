/**
 * Histories as rows of one length: what a batch is made of. Knows windows, padding and what the means of losses are over; does not know slots, nor
 * candidates. Histories are padded on the right: position 0 is the oldest kept action.
 *
 * Shapes: B rows, T_r feed window, T_s search window, K clicks per query.
 */
import { assert, at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { type Case, clicksBefore, recentFeed, recentSearches } from './histories.js';

/** How much of a history is kept. */
export interface Window {
  /** T_r, feed events. */
  readonly feed: number;
  /** T_s, searches. */
  readonly search: number;
  /** K, clicked items per search, the first ones. */
  readonly clicks: number;
  /** W, words per query, the first ones. */
  readonly words: number;
}

/** Room for the histories of a batch: at most the window, less where all of them are shorter. */
export interface Extent {
  /** Feed events. */
  readonly feed: number;
  /** Searches. */
  readonly search: number;
}

/** Padded histories, row-major; 0 pads. T_r and T_s are those of the extent. */
export interface Rows {
  readonly count: number;
  /** The moments that the histories end at; absent where rows come from elsewhere than a data set. */
  readonly cases?: readonly Case[];
  readonly extent: Extent;
  /** (B) user indices. */
  readonly users: Int32Array;
  /** (B,T_r) item indices. */
  readonly feed: Int32Array;
  /** (B,T_s) query indices. */
  readonly search: Int32Array;
  /** (B,T_s) source indices. */
  readonly source: Int32Array;
  /** (B,T_s,K) item indices. */
  readonly clicks: Int32Array;
}

/** Numbers that the means of the losses are over. */
export interface Totals {
  readonly rows: number;
  /** Rows with feed events and searches. */
  readonly both: number;
  /** Pairs of a search and an item clicked in its results. */
  readonly pairs: number;
  /** Feed events of the histories, and those of them that have another one before them. */
  readonly feedEvents: number;
  readonly transitions: number;
}

/** The totals of the parts of a batch. */
export function totalsOf(parts: readonly Rows[]): Totals {
  const total = { rows: 0, both: 0, pairs: 0, feedEvents: 0, transitions: 0 };
  for (const { count, extent, feed, search, clicks } of parts) {
    const has = (values: Int32Array, row: number, length: number): boolean =>
      values.subarray(row * length, (row + 1) * length).some((value) => value !== 0);
    for (let row = 0; row < count; row++)
      if (has(feed, row, extent.feed) && has(search, row, extent.search)) total.both++;
    const perSearch = clicks.length / search.length;
    clicks.forEach((item, position) => {
      if (item !== 0 && at(search, Math.floor(position / perSearch)) !== 0) total.pairs++;
    });
    feed.forEach((item, position) => {
      if (item === 0) return;
      total.feedEvents++;
      if (position % extent.feed > 0) total.transitions++;
    });
    total.rows += count;
  }
  return total;
}

/** Cuts the histories of some cases to the window. `extent`: the room they get; it must hold the longest of them. */
export function gatherRows(
  dataset: Dataset,
  cases: readonly Case[],
  window: Window,
  { feed, search }: Extent = window,
): Rows {
  const count = cases.length;
  const rows = {
    count,
    cases,
    extent: { feed, search },
    users: Int32Array.from(cases, ({ user }) => user),
    feed: new Int32Array(count * feed),
    search: new Int32Array(count * search),
    source: new Int32Array(count * search),
    clicks: new Int32Array(count * search * window.clicks),
  };
  cases.forEach((moment, row) => {
    const fed = recentFeed(dataset, moment, window.feed);
    assert(fed.length <= feed, `${fed.length} feed events do not fit into ${feed}`);
    fed.forEach((position, place) => {
      rows.feed[row * feed + place] = at(dataset.feedItem, position);
    });
    const searches = recentSearches(dataset, moment, window.search);
    assert(searches.length <= search, `${searches.length} searches do not fit into ${search}`);
    searches.forEach((searched, position) => {
      const target = row * search + position;
      rows.search[target] = at(dataset.searchQuery, searched);
      rows.source[target] = at(dataset.searchSource, searched);
      clicksBefore(dataset, moment, searched, window.clicks).forEach((item, click) => {
        rows.clicks[target * window.clicks + click] = item;
      });
    });
  });
  return rows;
}
