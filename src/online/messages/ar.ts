/** Arabic sentences. */
import type { Messages } from './messages.js';

export const ARABIC: Messages = {
  searched: 'لأنك بحثت عن «{query}»',
  searchedUnknown: 'بسبب شيء بحثت عنه',
  searchedUnknownAndChose: 'بسبب بحث اخترت فيه {item}',
  searchedAndChose: 'لأنك بحثت عن «{query}» واخترت {item}',
  searchedAndChoseMore: 'لأنك بحثت عن «{query}» واخترت {item} وغيره (المجموع {count})',
  met: 'لأنك اطّلعت على {item}',
  someItem: 'عنصر لم يعد معروضًا',
};
