/** Reasons and interests as they are told outside. Knows a live history; does not know how reasons are found. */
import { at } from '../base/index.js';
import { UNKNOWN } from '../data/index.js';
import { type Action, clicksBefore, ordinalOf, recentActions } from '../features/index.js';
import type { Affinity, Reason, SidedAction } from '../model/index.js';
import type { LiveCatalogue } from './live-catalogue.js';
import type { LiveHistory } from './live-history.js';
import { sentence } from './messages/catalogue.js';
import type { Because, InterestsAnswer, Language, TimelineEntry, ToldAffinity } from './questions.js';

/** An action of a history, seen by a model or not. */
export function tellAction(
  history: LiveHistory,
  items: LiveCatalogue,
  action: Pick<SidedAction, 'lane' | 'position' | 'side'>,
): Omit<TimelineEntry, 'seen' | 'weight' | 'titles'> {
  const { dataset } = history;
  const isFeed = action.lane === 'feed';
  const query = isFeed ? '' : (history.queryTexts[action.position] as string);
  const time = at(isFeed ? dataset.feedTime : dataset.searchTime, action.position);
  const ordinal = ordinalOf(dataset, action);
  const event = history.eventIds.get(ordinal);
  return {
    ordinal,
    type: action.lane,
    ...(isFeed || query === '' ? {} : { query }),
    items: itemsOf(history, action)
      .filter((item) => item !== UNKNOWN)
      .map((item) => items.id(item)),
    ...(event === undefined ? {} : { event }),
    time: Number.isNaN(time) ? null : new Date(time).toISOString(),
    side: action.side,
  };
}

/** A timeline: the newest actions of a history, and what a model makes of those that it sees. */
export function tellTimeline(
  history: LiveHistory,
  items: LiveCatalogue,
  seen: readonly SidedAction[],
  most: number,
): Pick<InterestsAnswer, 'total' | 'timeline'> {
  const { dataset, moment } = history;
  const all = recentActions(dataset, moment, { feed: Infinity, search: Infinity });
  const newest = new Set(
    all
      .map((action) => ordinalOf(dataset, action))
      .toSorted((a, b) => b - a)
      .slice(0, most),
  );
  const sided = new Map(seen.map((action) => [ordinalOf(dataset, action), action]));
  const timeline = all
    .filter((action) => newest.has(ordinalOf(dataset, action)))
    .map((action): TimelineEntry => {
      const own = sided.get(ordinalOf(dataset, action));
      const told = tellAction(history, items, { ...action, side: own?.side ?? null });
      return {
        ...told,
        titles: told.items.map((item) => items.title(items.index(item))),
        seen: own !== undefined,
        weight: own?.coAttention ?? null,
      };
    });
  return { total: all.length, timeline };
}

/** An affinity by ordinals. */
export function tellAffinity({ dataset }: LiveHistory, { feed, search, values }: Affinity): ToldAffinity {
  const width = search.length;
  return {
    feed: feed.map((action) => ordinalOf(dataset, action)),
    search: search.map((action) => ordinalOf(dataset, action)),
    values: feed.map((_, row) => Array.from(values.subarray(row * width, (row + 1) * width), rounded)),
  };
}

/** Four places are more than eyes tell apart, and a window of 500 x 500 stays small. */
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

function itemsOf({ dataset, moment }: LiveHistory, { lane, position }: Action): number[] {
  return lane === 'feed' ? [at(dataset.feedItem, position)] : clicksBefore(dataset, moment, position);
}

/** A reason, with a sentence. */
export function tellReason(history: LiveHistory, items: LiveCatalogue, reason: Reason, language: Language): Because {
  return {
    ...tellAction(history, items, reason),
    weight: reason.weight,
    text: sentenceOf(history, items, reason, language),
  };
}

function sentenceOf(history: LiveHistory, items: LiveCatalogue, reason: Reason, language: Language): string {
  const met = itemsOf(history, reason);
  const [first] = met;
  const item = first === undefined || first === UNKNOWN ? sentence(language, 'someItem') : items.title(first);
  if (reason.lane === 'feed') return sentence(language, 'met', { item });
  const query = history.queryTexts[reason.position] as string;
  if (query === '')
    return sentence(language, first === undefined ? 'searchedUnknown' : 'searchedUnknownAndChose', { item });
  if (first === undefined) return sentence(language, 'searched', { query });
  return met.length === 1
    ? sentence(language, 'searchedAndChose', { query, item })
    : sentence(language, 'searchedAndChoseMore', { query, item, count: met.length });
}
