/** English sentences. */
import type { Messages } from './messages.js';

export const ENGLISH: Messages = {
  searched: 'Because you searched for “{query}”',
  searchedUnknown: 'Because of something you searched for',
  searchedUnknownAndChose: 'Because of a search in which you chose {item}',
  searchedAndChose: 'Because you searched for “{query}” and chose {item}',
  searchedAndChoseMore: 'Because you searched for “{query}” and chose {item} and others ({count} in all)',
  met: 'Because you looked at {item}',
  someItem: 'an item that is no longer listed',
};
