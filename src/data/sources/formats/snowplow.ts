/**
 * Snowplow's enriched events: the tab-separated stream of 131 fields, or the JSON that its analytics SDKs and loaders make of it.
 * Knows the schemas site_search and snowplow_ecommerce_action with their products; does not know any other event.
 */
import type { FormatParser, ParsedFormat, SourceRecord, Staging } from './format.js';
import { isSearchList } from './list-names.js';
import { fieldsOf, idOf, own, parseRecord, textOf, type Fields } from './record.js';
import { parseTime } from '../times.js';

/** Positions in the stream, counted from 0 (docs.snowplow.io, "Enriched stream TSV file format"). */
const FIELDS = 131;
const POSITIONS = {
  collector_tstamp: 3,
  event: 5,
  event_id: 6,
  user_id: 12,
  domain_userid: 15,
  network_userid: 17,
  contexts: 52,
  unstruct_event: 58,
  derived_contexts: 122,
  domain_sessionid: 123,
  derived_tstamp: 124,
} as const;
type Field = keyof typeof POSITIONS;

const SEARCH = 'com.snowplowanalytics.snowplow/site_search';
const ECOMMERCE = 'com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action';
const PRODUCT = 'com.snowplowanalytics.snowplow.ecommerce/product';
const COLUMNS = {
  [SEARCH]: /^unstruct_event_com_snowplowanalytics_snowplow_site_search_\d/,
  [ECOMMERCE]: /^unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_\d/,
  [PRODUCT]: /^contexts_com_snowplowanalytics_snowplow_ecommerce_product_\d/,
} as const;

const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['list_click', 'click'],
  ['product_view', 'view'],
  ['add_to_cart', 'cart'],
  ['transaction', 'purchase'],
]);

/** What we read of an event, whichever way it is written. */
interface SnowplowEvent {
  readonly text: (field: Field) => string | null;
  /** The event's own data if it is of this schema. */
  readonly data: (schema: typeof SEARCH | typeof ECOMMERCE) => Fields | null;
  readonly products: () => readonly Fields[];
}

const parse: FormatParser = async (files, staging) => {
  for (const { records } of files) {
    for await (const batch of records()) {
      for (const record of batch) {
        const event = /^\s*\{/.test(record.text) ? fromJson(record.text) : fromStream(record.text);
        if (typeof event === 'string') staging.reject(record, event);
        else stage(event, record, staging);
      }
    }
  }
};

function stage(event: SnowplowEvent, record: SourceRecord, staging: Staging): void {
  const written = event.text('derived_tstamp') ?? event.text('collector_tstamp');
  const happened = {
    id: event.text('event_id'),
    user: event.text('user_id'),
    anonymous: event.text('domain_userid') ?? event.text('network_userid'),
    session: event.text('domain_sessionid'),
    time: written === null ? null : parseTime(written, 'iso'),
  };
  if (happened.time === null) {
    staging.reject(record, `the time ${JSON.stringify(written)} is not ISO 8601`);
    return;
  }
  const search = event.data(SEARCH);
  if (search) {
    const terms = own(search, 'terms');
    if (!Array.isArray(terms) || terms.some((term) => typeof term !== 'string'))
      staging.reject(record, 'terms is no list of texts');
    else staging.entry(record, { ...happened, kind: 'search', query: terms.join(' ') });
    return;
  }
  const action = event.data(ECOMMERCE);
  const name = action === null ? event.text('event') : textOf(action, 'type');
  const type = action === null ? undefined : ACTIONS.get(name ?? '');
  if (action === null || type === undefined) {
    const lists = name === 'list_view' && !isSearchList(action === null ? null : textOf(action, 'name'));
    staging.entry(record, { ...happened, kind: 'ignored', type: name ?? 'unknown', closes: lists });
    return;
  }
  const products = event.products();
  if (products.length === 0) staging.reject(record, `${name} without a product: there is no item`);
  const list = textOf(action, 'name');
  const follows = type === 'click' && (list === null || isSearchList(list));
  for (const product of products) {
    const item = idOf(product, 'id');
    staging.entry(record, { ...happened, kind: 'action', type, item, follows });
    if (item !== null) staging.entry(record, { kind: 'item', item, attributes: attributesOf(product) });
  }
}

function attributesOf(product: Fields): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const [name, field] of [
    ['title', 'name'],
    ['brand', 'brand'],
    ['category', 'category'],
  ] as const) {
    const value = textOf(product, field);
    if (value !== null) attributes[name] = value;
  }
  return attributes;
}

function fromStream(text: string): SnowplowEvent | string {
  const cells = text.split('\t');
  if (cells.length !== FIELDS) return `${cells.length} fields where an enriched event has ${FIELDS} fields`;
  const cell = (field: Field): string => cells[POSITIONS[field]] as string;
  const unstructured = cell('unstruct_event') === '' ? {} : describedData(cell('unstruct_event'));
  if (typeof unstructured === 'string') return `unstruct_event: ${unstructured}`;
  const described = fieldsOf(own(unstructured, 'data'));
  const products: Fields[] = [];
  for (const field of ['contexts', 'derived_contexts'] as const) {
    const contexts = cell(field) === '' ? {} : describedData(cell(field));
    if (typeof contexts === 'string') return `${field}: ${contexts}`;
    const list = own(contexts, 'data');
    for (const context of Array.isArray(list) ? (list as unknown[]) : []) {
      const entity = fieldsOf(context);
      const data = entity && isOf(entity, PRODUCT) ? fieldsOf(own(entity, 'data')) : null;
      if (data) products.push(data);
    }
  }
  return {
    text: (field) => (cell(field).trim() === '' ? null : cell(field)),
    data: (schema) => (described && isOf(described, schema) ? fieldsOf(own(described, 'data')) : null),
    products: () => products,
  };
}

const describedData = (text: string): Fields | string => parseRecord(text);

const isOf = (described: Fields, schema: string): boolean =>
  textOf(described, 'schema')?.startsWith(`iglu:${schema}/`) ?? false;

function fromJson(text: string): SnowplowEvent | string {
  const record = parseRecord(text);
  if (typeof record === 'string') return record;
  const column = (schema: keyof typeof COLUMNS): unknown => {
    const name = Object.keys(record).find((key) => COLUMNS[schema].test(key));
    return name === undefined ? undefined : own(record, name);
  };
  return {
    text: (field) => idOf(record, field),
    data: (schema) => fieldsOf(column(schema)),
    products: () => {
      const list = column(PRODUCT);
      return (Array.isArray(list) ? (list as unknown[]) : []).map(fieldsOf).filter((product) => product !== null);
    },
  };
}

export const snowplow: ParsedFormat = {
  name: 'snowplow',
  about: 'enriched events of Snowplow, tab-separated or JSON: site_search and the e-commerce schemas',
  specification: 'https://docs.snowplow.io/docs/pipeline/enriched-tsv-format',
  order: 'time',
  join: { within: 'session', minutes: 30, inherits: true },
  // Carts and transactions often tell less of a product than its page did.
  repeated: 'merge',
  readsJson: true,
  recognise: (first) => {
    if (!first.startsWith('{')) return first.split('\t').length === FIELDS;
    const record = parseRecord(first);
    return typeof record !== 'string' && ['event_id', 'collector_tstamp'].every((name) => Object.hasOwn(record, name));
  },
  parse,
};
