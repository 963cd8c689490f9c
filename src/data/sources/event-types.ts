/** The types of actions that we know. Knows their names; does not know what becomes of them. */

/** Actions on an item that show interest: events of the feed (a `click` that has a search is not). */
export const ACTION_TYPES = [
  'interaction',
  'view',
  'click',
  'cart',
  'purchase',
  'like',
  'play',
  'rate',
  'favorite',
  'save',
  'share',
  'follow',
  'comment',
  'download',
] as const;

const actions: ReadonlySet<string> = new Set(ACTION_TYPES);
/** Whether events of a type are such actions. */
export const isActionType = (type: string): boolean => actions.has(type);

/** Events that are accepted and left out of the data, since they show no interest. */
export const IGNORED_TYPES = ['impression', 'dislike'] as const;
