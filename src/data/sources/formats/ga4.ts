/** Rows of the BigQuery export of Google Analytics 4, with its recommended e-commerce events. Knows its fields and nothing else. */
import type { Condition, MappedFormat, TimeValue, Value } from './format.js';

const time: TimeValue = { value: 'event_timestamp', unit: 'us' };
/** The value of an event's parameter, whichever of its four columns holds it. */
const parameter = (key: string): Value => ({
  parameter: key,
  list: 'event_params',
  key: 'key',
  value: ['value.string_value', 'value.int_value', 'value.double_value', 'value.float_value'],
});
const searchTerm = parameter('search_term');
const who = { user: 'user_id', anonymous: 'user_pseudo_id' } as const;
const happened = { ...who, session: parameter('ga_session_id'), time } as const;
const named = (...names: string[]): Condition => ({ value: 'event_name', is: names });
/** The list of an item, or else of the event. */
const listFields: readonly Value[] = [
  { element: 'item_list_id' },
  { element: 'item_list_name' },
  parameter('item_list_id'),
  parameter('item_list_name'),
];
const categories: readonly Value[] = ['', '2', '3', '4', '5'].map((level) => ({ element: `item_category${level}` }));
/** The export has no id of an event: one that says the same at the same microsecond is the same. */
const same = (value: Value): Value => ({
  together: [{ first: ['user_pseudo_id', 'user_id'] }, 'event_timestamp', 'event_name', value],
});
const types = {
  select_item: 'click',
  view_item: 'view',
  add_to_cart: 'cart',
  add_to_wishlist: 'save',
  purchase: 'purchase',
} as const;

export const ga4: MappedFormat = {
  name: 'ga4',
  about: 'the BigQuery export of Google Analytics 4 (events_YYYYMMDD)',
  specification: 'https://developers.google.com/analytics/bigquery/event-schema',
  order: 'time',
  join: { within: 'session', minutes: 30, inherits: true },
  // Carts and purchases often tell less of an item than its page did.
  repeated: 'merge',
  tables: [
    {
      name: 'events',
      recognise: { fields: ['event_name', 'event_timestamp', 'user_pseudo_id'] },
      who,
      typeOf: 'event_name',
      otherwise: 'ignored',
      entries: [
        { kind: 'search', when: named('search'), ...happened, id: same(searchTerm), query: searchTerm },
        // Enhanced measurement reports a search a second time, and each page of its results.
        {
          kind: 'search',
          when: named('view_search_results'),
          ...happened,
          id: same(searchTerm),
          query: searchTerm,
          echo: true,
        },
        {
          kind: 'action',
          when: named(...Object.keys(types)),
          each: 'items',
          ...happened,
          id: same({ element: 'item_id' }),
          item: { element: 'item_id' },
          type: { choose: 'event_name', among: types },
          follows: {
            all: [
              named('select_item'),
              {
                any: [
                  ...listFields.map((value) => ({ value, contains: 'search' })),
                  { not: { any: listFields.map((has) => ({ has })) } },
                ],
              },
            ],
          },
        },
        {
          kind: 'action',
          when: named('share', 'select_content'),
          ...happened,
          item: { first: [parameter('item_id'), parameter('content_id')] },
          type: { choose: 'event_name', among: { select_content: 'click' } },
        },
        {
          kind: 'item',
          when: { all: [named(...Object.keys(types), 'view_item_list'), { has: 'items' }] },
          each: 'items',
          key: { element: 'item_id' },
          attributes: {
            title: { element: 'item_name' },
            brand: { element: 'item_brand' },
            // as many levels as there are
            category: {
              first: [5, 4, 3, 2, 1].map((deepest) => ({ joined: categories.slice(0, deepest), with: ' ' })),
            },
          },
        },
        {
          kind: 'ignored',
          when: {
            all: [
              named('view_item_list'),
              {
                not: {
                  any: ['item_list_id', 'item_list_name'].map((key) => ({ value: parameter(key), contains: 'search' })),
                },
              },
            ],
          },
          ...happened,
          closes: true,
        },
      ],
    },
  ],
};
