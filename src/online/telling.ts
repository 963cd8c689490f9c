/** Reasons and interests as they are told outside. Knows a live history; does not know how reasons are found. */
import { at } from '../base/index.js';
import { UNKNOWN } from '../data/index.js';
import { clicksBefore, ordinalOf } from '../features/index.js';
import type { Reason, SidedAction } from '../model/index.js';
import type { LiveCatalogue } from './live-catalogue.js';
import type { LiveHistory } from './live-history.js';
import { sentence } from './messages/catalogue.js';
import type { Because, Language, TimelineEntry } from './questions.js';

/** An action of a history. */
export function tellAction(history: LiveHistory, items: LiveCatalogue, action: SidedAction): TimelineEntry {
  const { dataset } = history;
  const isFeed = action.lane === 'feed';
  const query = isFeed ? '' : (history.queryTexts[action.position] as string);
  const time = at(isFeed ? dataset.feedTime : dataset.searchTime, action.position);
  return {
    type: action.lane,
    ...(isFeed || query === '' ? {} : { query }),
    items: itemsOf(history, action)
      .filter((item) => item !== UNKNOWN)
      .map((item) => items.id(item)),
    time: Number.isNaN(time) ? null : new Date(time).toISOString(),
    side: action.side,
  };
}

function itemsOf({ dataset, moment }: LiveHistory, { lane, position }: SidedAction): number[] {
  return lane === 'feed' ? [at(dataset.feedItem, position)] : clicksBefore(dataset, moment, position);
}

/** A reason, with a sentence. */
export function tellReason(history: LiveHistory, items: LiveCatalogue, reason: Reason, language: Language): Because {
  const event = history.eventIds.get(ordinalOf(history.dataset, reason));
  return {
    ...tellAction(history, items, reason),
    ...(event === undefined ? {} : { event }),
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
