/**
 * The actions of a history, and the history as it would be had some of them not happened. Knows which events an action is;
 * does not know models, nor what an action is worth.
 *
 * An action is a search with its clicks, or a feed event. Everything that happened has an ordinal, and what has one ordinal is
 * one event, in whichever lanes it shows: a click on a search result that is a feed event too. So a search that had not happened
 * takes its clicks along, and with them the feed events that they are; a feed event that had not happened takes the click along
 * that it is, while the search stays. What came of an action later, as an event of its own, stays.
 */
import { at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Extent } from './rows.js';
import { type Case, clickPositionsBefore, recentFeed, recentSearches } from './histories.js';

export type Lane = 'feed' | 'search';
export const LANES = ['feed', 'search'] as const satisfies readonly Lane[];

/** An action of a history. */
export interface Action {
  readonly lane: Lane;
  /** Position in the feed (or search) columns of the data set. */
  readonly position: number;
}

/** The newest actions before a moment, so many of each lane, oldest first in each, the feed first. */
export function recentActions(dataset: Dataset, moment: Case, { feed, search }: Extent): Action[] {
  const positions = { feed: recentFeed(dataset, moment, feed), search: recentSearches(dataset, moment, search) };
  return LANES.flatMap((lane) => positions[lane].map((position): Action => ({ lane, position })));
}

/** The ordinal of an action itself: actions are in order of it. */
export function ordinalOf(dataset: Dataset, { lane, position }: Action): number {
  return at(lane === 'feed' ? dataset.feedOrdinal : dataset.searchOrdinal, position);
}

/** The ordinals of everything that an action is: its own, and those of the clicks on the results of a search before the moment. */
export function ordinalsOf(dataset: Dataset, moment: Case, action: Action): number[] {
  const own = ordinalOf(dataset, action);
  if (action.lane === 'feed') return [own];
  const clicks = clickPositionsBefore(dataset, moment, action.position);
  return [own, ...clicks.map((click) => at(dataset.clickOrdinal, click))];
}

/** A moment as it would be had some of the actions before it not happened. */
export function without(dataset: Dataset, moment: Case, actions: readonly Action[]): Case {
  const gone = actions.flatMap((action) => ordinalsOf(dataset, moment, action));
  return { ...moment, without: new Set([...(moment.without ?? []), ...gone]) };
}

/** A moment as it would be had nothing but some of the actions before it happened, not even what the window leaves out. */
export function withOnly(dataset: Dataset, moment: Case, actions: readonly Action[]): Case {
  const kept = new Set(actions.flatMap((action) => ordinalsOf(dataset, moment, action)));
  const everything = recentActions(dataset, moment, { feed: Infinity, search: Infinity });
  const gone = everything
    .flatMap((action) => ordinalsOf(dataset, moment, action))
    .filter((ordinal) => !kept.has(ordinal));
  return { ...moment, without: new Set([...(moment.without ?? []), ...gone]) };
}
