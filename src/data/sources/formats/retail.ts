/** User events and products of Google's Retail API (Vertex AI Search for commerce). Knows its fields and nothing else. */
import type { Condition, MappedFormat, SearchMapping, TimeValue } from './format.js';

const time: TimeValue = { value: 'eventTime', unit: 'iso' };
const who = { user: 'userInfo.userId', anonymous: 'visitorId' } as const;
const happened = { ...who, session: 'sessionId', time } as const;
const named = (...names: string[]): Condition => ({ value: 'eventType', is: names });
const types = { 'detail-page-view': 'view', 'add-to-cart': 'cart', 'purchase-complete': 'purchase' } as const;
const firstPage: Condition = {
  all: [named('search'), { has: 'searchQuery' }, { not: { value: 'offset', above: 0 } }],
};
const suggestion = 'completionDetail.selectedSuggestion';
const search: SearchMapping = {
  kind: 'search',
  ...happened,
  id: { first: ['attributionToken', { together: ['visitorId', 'eventTime', 'searchQuery'] }] },
  query: 'searchQuery',
};

export const retail: MappedFormat = {
  name: 'retail',
  about: "user events of Google's Retail API (Vertex AI Search for commerce), and its products",
  specification: 'https://cloud.google.com/retail/docs/reference/rest/v2/projects.locations.catalogs.userEvents',
  order: 'time',
  // A token may be of a recommendation, whose answer is no event.
  unmatched: 'feed',
  tables: [
    {
      name: 'user events',
      recognise: { fields: ['eventType', 'visitorId'] },
      who,
      typeOf: 'eventType',
      entries: [
        { ...search, when: { all: [firstPage, { has: suggestion }] }, source: { constant: 'suggested' } },
        { ...search, when: { all: [firstPage, { not: { has: suggestion } }] } },
        {
          kind: 'action',
          when: named(...Object.keys(types)),
          each: 'productDetails',
          ...happened,
          item: { element: 'product.id' },
          type: { choose: 'eventType', among: types },
          search: 'attributionToken',
        },
        {
          kind: 'ignored',
          when: {
            any: [
              { all: [named('search'), { any: [{ not: { has: 'searchQuery' } }, { value: 'offset', above: 0 }] }] },
              named('home-page-view', 'category-page-view', 'shopping-cart-page-view', 'remove-from-cart'),
              named('promotion-offered', 'promotion-not-offered'),
            ],
          },
        },
      ],
    },
    {
      name: 'products',
      recognise: { fields: ['id', 'title'], without: ['eventType', 'item_id'] },
      entries: [
        {
          kind: 'item',
          key: 'id',
          attributes: { title: 'title', brand: { words: 'brands' }, category: { words: 'categories' } },
        },
      ],
    },
  ],
};
