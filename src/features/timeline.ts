/**
 * The feed and the searches of every row as one sequence in order of time. Knows the order of events and where a batch keeps
 * them; does not know what a model makes of a token.
 *
 * Shapes: B rows, T_r, T_s feed events and searches (the extent of the batch), K clicks per search, L tokens.
 */
import { assert, at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';
import type { Extent, Window } from './rows.js';
import { type Case, clickPositionsBefore, recentFeed, recentSearches } from './histories.js';

export interface TimelineOptions {
  /** The most tokens that a row has; the newest are kept. */
  readonly most: number;
  /** Whether the clicks in the results of a search are tokens of their own, or part of the search. */
  readonly clicks: boolean;
  /**
   * One token, the feed event, for a click and the event on the same item that it led to, if nothing came between. Where
   * searches were made from purchases, every purchase is the click of its own search too.
   */
  readonly mergeClicks: boolean;
}

interface Token {
  readonly ordinal: number;
  readonly kind: 'feed' | 'search' | 'click';
  /** Where a row keeps it: its place among [feed | searches | clicks]. */
  readonly place: number;
  readonly item: number;
  /** The search that it is a click of, or that led to it; -1 where there is none. */
  readonly search: number;
}

/** Places of a row for tokens: T_r + T_s, and T_s K more where clicks are tokens. */
export function tokenPlaces({ feed, search }: Extent, { clicks }: Window, options: TimelineOptions): number {
  return feed + search * (options.clicks ? 1 + clicks : 1);
}

/** L of a batch: as many tokens as its rows have places for, but at most `most`. */
export function timelineLength(extent: Extent, window: Window, options: TimelineOptions): number {
  return Math.min(options.most, tokenPlaces(extent, window, options));
}

/**
 * Brings every row its timeline, oldest token first, padded on the right.
 *
 *   timeline       (B,L) int32, a token's place among those of all rows, each with [T_r feed | T_s searches | T_s K clicks]
 *   timelineMask   (B,L) 1 for real tokens
 *
 * Everything in it happened strictly before the target (histories.ts says what had). Order is by ordinal; a search comes before
 * its clicks, and a click before the event of the same ordinal that it led to. What the window of the batch left out is not in it.
 */
export class Timeline implements BatchExtra {
  readonly #dataset: Dataset;
  readonly #window: Window;
  readonly #options: TimelineOptions;

  constructor(dataset: Dataset, window: Window, options: TimelineOptions) {
    this.#dataset = dataset;
    this.#window = window;
    this.#options = options;
  }

  forHistories(dataset: Dataset): Timeline {
    return new Timeline(dataset, this.#window, this.#options);
  }

  add({ rows, inputs }: Assembly): void {
    const { cases, count, extent } = rows;
    assert(cases, 'a timeline needs to know the moments that the histories of its rows end at');
    const places = tokenPlaces(extent, this.#window, this.#options);
    const length = timelineLength(extent, this.#window, this.#options);
    const timeline = new Int32Array(count * length);
    const mask = new Float32Array(count * length);
    cases.forEach((moment, row) => {
      this.#tokens(moment, extent)
        .slice(-length)
        .forEach(({ place }, position) => {
          timeline[row * length + position] = row * places + place;
          mask[row * length + position] = 1;
        });
    });
    Object.assign(inputs, { timeline, timelineMask: mask });
  }

  /** All tokens of a row, in order. */
  #tokens(moment: Case, extent: Extent): Token[] {
    // the sort is stable: what stands behind something of the same ordinal here stays behind it
    const tokens = [...this.#searched(moment, extent), ...this.#fed(moment)].sort((a, b) => a.ordinal - b.ordinal);
    return this.#options.clicks && this.#options.mergeClicks
      ? tokens.filter((token, position) => !isFollowedUp(token, tokens[position + 1]))
      : tokens;
  }

  #fed(moment: Case): Token[] {
    const { feedItem, feedOrdinal, feedSearch } = this.#dataset;
    return recentFeed(this.#dataset, moment, this.#window.feed).map((position, place) => ({
      ordinal: at(feedOrdinal, position),
      kind: 'feed',
      place,
      item: at(feedItem, position),
      search: at(feedSearch, position),
    }));
  }

  #searched(moment: Case, extent: Extent): Token[] {
    const { searchOrdinal, clickItem, clickOrdinal } = this.#dataset;
    const { search: limit, clicks } = this.#window;
    const tokens: Token[] = [];
    recentSearches(this.#dataset, moment, limit).forEach((search, position) => {
      const place = extent.feed + position;
      tokens.push({ ordinal: at(searchOrdinal, search), kind: 'search', place, item: -1, search: -1 });
      if (!this.#options.clicks) return;
      const firstClick = extent.feed + extent.search + position * clicks;
      clickPositionsBefore(this.#dataset, moment, search, clicks).forEach((click, offset) => {
        const [ordinal, item] = [at(clickOrdinal, click), at(clickItem, click)];
        tokens.push({ ordinal, kind: 'click', place: firstClick + offset, item, search });
      });
    });
    return tokens;
  }
}

/** Whether a token is a click, and the next one the event that it led to. */
function isFollowedUp({ kind, item, search }: Token, next: Token | undefined): boolean {
  return kind === 'click' && next?.kind === 'feed' && next.item === item && next.search === search;
}
