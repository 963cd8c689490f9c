/** Arabic sentences. */
import type { Messages } from './catalogue.js';

export const ARABIC: Messages = {
  searched: 'لأنك بحثت عن «{query}»',
  searchedAndChose: 'لأنك بحثت عن «{query}» واخترت {item}',
  searchedAndChoseMore: 'لأنك بحثت عن «{query}» واخترت {item} وغيره (المجموع {count})',
  met: 'لأنك اطّلعت على {item}',
  someItem: 'عنصر لم يعد معروضًا',
};
