/**
 * Algolia's Insights events, and the answers of its search API where a site keeps them: Insights knows the id of a query, not its
 * text. Knows those fields; an answer needs the userToken and timestamp that were sent with it.
 */
import type { FormatParser, ParsedFormat, Staging } from './format.js';
import { fieldsOf, idOf, own, parseRecord, textOf, type Fields } from './record.js';
import { parseTime } from '../times.js';

const TYPES: Readonly<Record<string, string>> = { click: 'click', view: 'view', conversion: 'interaction' };
const SUBTYPES: Readonly<Record<string, string>> = { addToCart: 'cart', purchase: 'purchase' };

const parse: FormatParser = async (files, staging) => {
  for (const { index: file, lines } of files) {
    for await (const batch of lines()) {
      for (const { text, number: line } of batch) {
        const record = parseRecord(text);
        if (typeof record === 'string') {
          staging.reject(file, line, record, text);
          continue;
        }
        const events = own(record, 'events'); // the body of a request
        let part = 0;
        for (const event of Array.isArray(events) ? (events as unknown[]) : [record])
          part = stage(fieldsOf(event) ?? {}, file, line, part, text, staging);
      }
    }
  }
};

/** Stages the entries of one event, and says where its next ones may begin. */
function stage(event: Fields, file: number, line: number, first: number, raw: string, staging: Staging): number {
  let part = first;
  const time = own(event, 'timestamp');
  const happened = {
    file,
    line,
    user: textOf(event, 'authenticatedUserToken'),
    anonymous: textOf(event, 'userToken'),
    time: typeof time === 'number' ? time : typeof time === 'string' ? parseTime(time, 'ms') : null,
  };
  if (happened.time === null) {
    staging.reject(file, line, 'there is no time: "timestamp" is no number of milliseconds', raw);
    return part;
  }
  const query = own(event, 'query');
  if (typeof query === 'string' && own(event, 'eventType') === undefined) {
    const id = idOf(event, 'queryID');
    if (query.trim() === '')
      staging.entry({ ...happened, part: part++, kind: 'ignored', type: 'browsing without a query' });
    else staging.entry({ ...happened, part: part++, kind: 'search', id, query });
    return part;
  }
  const eventType = textOf(event, 'eventType') ?? '';
  const type = SUBTYPES[textOf(event, 'eventSubtype') ?? ''] ?? TYPES[eventType];
  const items = own(event, 'objectIDs');
  if (type === undefined) {
    staging.reject(file, line, `there is no eventType ${JSON.stringify(eventType)}`, raw);
    return part;
  }
  if (!Array.isArray(items) && own(event, 'filters') !== undefined) {
    staging.entry({ ...happened, part: part++, kind: 'ignored', type: `${eventType} of filters` });
    return part;
  }
  const details = own(event, 'objectData');
  for (const [i, object] of (Array.isArray(items) && items.length > 0 ? (items as unknown[]) : [null]).entries()) {
    const detail = Array.isArray(details) ? fieldsOf(details[i]) : null;
    const search = (detail && idOf(detail, 'queryID')) ?? idOf(event, 'queryID');
    const item = typeof object === 'string' ? object : null;
    // A view is of a list as often as of a page: only what Algolia calls a view of one item shows interest.
    if (type === 'view' && Array.isArray(items) && items.length > 1)
      staging.entry({ ...happened, part: part++, kind: 'ignored', type: 'impression' });
    else staging.entry({ ...happened, part: part++, kind: 'action', type, item, search });
  }
  return part;
}

export const algolia: ParsedFormat = {
  name: 'algolia',
  about: 'Insights events of Algolia, and saved answers of its search API',
  specification: 'https://www.algolia.com/doc/rest-api/insights/',
  order: 'time',
  unmatched: 'feed',
  recognise: (first) => {
    const record = parseRecord(first);
    if (typeof record === 'string') return false;
    const events = own(record, 'events');
    const event = Array.isArray(events) ? (fieldsOf(events[0]) ?? {}) : record;
    const has = (...names: string[]): boolean => names.every((name) => Object.hasOwn(event, name));
    return has('eventType', 'eventName', 'userToken') || has('queryID', 'query', 'userToken');
  },
  parse,
};
