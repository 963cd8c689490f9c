/**
 * Algolia's Insights events, and the answers of its search API where a site keeps them: Insights knows the id of a query, not its
 * text. Knows those fields; an answer needs the userToken and timestamp that were sent with it.
 */
import type { FormatParser, ParsedFormat, SourceRecord, Staging } from './format.js';
import { asId, fieldsOf, idOf, own, parseRecord, textOf, type Fields } from './record.js';
import { parseTime } from '../times.js';

const TYPES: Readonly<Record<string, string>> = { click: 'click', view: 'view', conversion: 'interaction' };
const SUBTYPES: Readonly<Record<string, string>> = { addToCart: 'cart', purchase: 'purchase' };

const parse: FormatParser = async (files, staging) => {
  for (const { records } of files) {
    for await (const batch of records()) {
      for (const record of batch) {
        const fields = parseRecord(record.text);
        if (typeof fields === 'string') {
          staging.reject(record, fields);
          continue;
        }
        const events = own(fields, 'events'); // the body of a request
        for (const event of Array.isArray(events) ? (events as unknown[]) : [fields])
          stage(fieldsOf(event) ?? {}, record, staging);
      }
    }
  }
};

/** Stages the entries of one event. */
function stage(event: Fields, record: SourceRecord, staging: Staging): void {
  const time = own(event, 'timestamp');
  const happened = {
    user: idOf(event, 'authenticatedUserToken'),
    anonymous: idOf(event, 'userToken'),
    time: typeof time === 'number' ? time : typeof time === 'string' ? parseTime(time, 'ms') : null,
  };
  if (happened.time === null) {
    staging.reject(record, 'there is no time: "timestamp" is no number of milliseconds');
    return;
  }
  const query = own(event, 'query');
  if (typeof query === 'string' && own(event, 'eventType') === undefined) {
    const id = idOf(event, 'queryID');
    if (query.trim() === '') staging.entry(record, { ...happened, kind: 'ignored', type: 'browsing without a query' });
    else staging.entry(record, { ...happened, kind: 'search', id, query });
    return;
  }
  const eventType = textOf(event, 'eventType') ?? '';
  const type = SUBTYPES[textOf(event, 'eventSubtype') ?? ''] ?? TYPES[eventType];
  const items = own(event, 'objectIDs');
  if (type === undefined) {
    staging.reject(record, `there is no eventType ${JSON.stringify(eventType)}`);
    return;
  }
  if (!Array.isArray(items) && own(event, 'filters') !== undefined) {
    staging.entry(record, { ...happened, kind: 'ignored', type: `${eventType} of filters` });
    return;
  }
  const details = own(event, 'objectData');
  for (const [i, object] of (Array.isArray(items) && items.length > 0 ? (items as unknown[]) : [null]).entries()) {
    const detail = Array.isArray(details) ? fieldsOf(details[i]) : null;
    const search = (detail && idOf(detail, 'queryID')) ?? idOf(event, 'queryID');
    const item = asId(object);
    // A view is of a list as often as of a page: only what Algolia calls a view of one item shows interest.
    if (type === 'view' && Array.isArray(items) && items.length > 1)
      staging.entry(record, { ...happened, kind: 'ignored', type: 'impression' });
    else staging.entry(record, { ...happened, kind: 'action', type, item, search });
  }
}

export const algolia: ParsedFormat = {
  name: 'algolia',
  about: 'Insights events of Algolia, and saved answers of its search API',
  specification: 'https://www.algolia.com/doc/rest-api/insights/',
  order: 'time',
  unmatched: 'feed',
  readsJson: true,
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
