/** Calls of Segment and RudderStack after Segment's e-commerce specification, version 2. Knows its fields and nothing else. */
import type { Condition, MappedFormat, TimeValue, Value } from './format.js';

const time: TimeValue = { value: { first: ['timestamp', 'originalTimestamp'] }, unit: 'iso' };
const who = { user: 'userId', anonymous: 'anonymousId' } as const;
const happened = {
  id: 'messageId',
  ...who,
  session: 'context.sessionId',
  time,
} as const;
const types = {
  'Product Clicked': 'click',
  'Product Viewed': 'view',
  'Product Added': 'cart',
  'Wishlist Product Added to Cart': 'cart',
  'Product Added to Wishlist': 'save',
  'Product Shared': 'share',
  'Product Reviewed': 'rate',
} as const;
const named = (...names: string[]): Condition => ({
  all: [
    { value: 'type', is: ['track'] },
    { value: 'event', is: names },
  ],
});
const productOf = (field: string): Value => `properties.${field}`;
const attributes = (at: (field: string) => Value): Readonly<Record<string, Value>> => ({
  title: at('name'),
  brand: at('brand'),
  category: at('category'),
});
const element = (field: string): Value => ({ element: field });

export const segment: MappedFormat = {
  name: 'segment',
  about: 'calls of Segment or RudderStack after the e-commerce specification',
  specification: 'https://segment.com/docs/connections/spec/ecommerce/v2/',
  order: 'time',
  join: { within: 'session', minutes: 30, inherits: true },
  // Carts and orders often tell less of a product than its page did, and most calls of identify no traits.
  repeated: 'merge',
  tables: [
    {
      name: 'calls',
      recognise: { fields: ['messageId', 'type', 'anonymousId'] },
      who,
      typeOf: { first: ['event', 'type'] },
      otherwise: 'ignored',
      entries: [
        { kind: 'search', when: named('Products Searched'), ...happened, query: 'properties.query' },
        {
          kind: 'action',
          when: named(...Object.keys(types)),
          ...happened,
          item: { first: [productOf('product_id'), productOf('sku')] },
          type: { choose: 'event', among: types },
          follows: named('Product Clicked'),
        },
        {
          kind: 'action',
          when: named('Order Completed'),
          each: 'properties.products',
          ...happened,
          item: { first: [element('product_id'), element('sku')] },
          type: { constant: 'purchase' },
        },
        {
          kind: 'item',
          when: { all: [named(...Object.keys(types)), { has: 'properties.name' }] },
          key: { first: [productOf('product_id'), productOf('sku')] },
          attributes: attributes(productOf),
        },
        {
          kind: 'item',
          when: {
            all: [
              named('Order Completed', 'Product List Viewed', 'Product List Filtered'),
              { has: 'properties.products' },
            ],
          },
          each: 'properties.products',
          key: { first: [element('product_id'), element('sku')] },
          attributes: attributes(element),
        },
        // Traits that say who somebody is stay out: name, e-mail, telephone, address, picture, birthday.
        {
          kind: 'user',
          when: { all: [{ value: 'type', is: ['identify'] }, { has: 'userId' }] },
          key: 'userId',
          attributes: {
            plan: 'traits.plan',
            industry: 'traits.industry',
            gender: 'traits.gender',
            age: 'traits.age',
          },
        },
        {
          kind: 'ignored',
          when: {
            all: [
              named('Product List Viewed', 'Product List Filtered'),
              {
                not: { any: ['list_id', 'category'].map((field) => ({ value: productOf(field), contains: 'search' })) },
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
