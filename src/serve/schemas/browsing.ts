/** The catalogue as the page shows it: items and queries, what they lie near, and where items were shown. Knows fields and bounds only. */
import { type Static, Type } from 'typebox';
import { ModelName, word } from './common.js';
import { pageOf } from './people.js';

export const BrowseQuery = Type.Object(pageOf);

export const FoundItem = Type.Object({
  item: Type.String(),
  title: Type.String({ description: 'Title or name; the id where it has none.' }),
  count: Type.Integer({ minimum: 0, description: 'Actions on it, of training and live.' }),
});
export type FoundItem = Static<typeof FoundItem>;

export const ItemsAnswer = Type.Object(
  {
    total: Type.Integer({ minimum: 0, description: 'How many there are, or are found.' }),
    items: Type.Array(FoundItem, { description: 'An item of this very id first, then by count.' }),
  },
  { title: 'ItemsAnswer' },
);
export type ItemsAnswer = Static<typeof ItemsAnswer>;

export const FoundQuery = Type.Object({
  query: Type.String({ description: 'As the run knows it, normalised.' }),
  count: Type.Integer({ minimum: 0, description: 'Searches for it in the data of the run.' }),
});
export type FoundQuery = Static<typeof FoundQuery>;

export const QueriesAnswer = Type.Object(
  {
    total: Type.Integer({ minimum: 0 }),
    queries: Type.Array(FoundQuery, { description: 'The query of this very text first, then by count.' }),
  },
  { title: 'QueriesAnswer' },
);
export type QueriesAnswer = Static<typeof QueriesAnswer>;

const nearness = Type.Number({ description: 'Cosine in the space that the answer names.' });

/** What lies near something. */
export const Near = Type.Object({
  state: word(['ready', 'working', 'none'], {
    description: 'Vectors are worked out when they are first asked for: `working` says to ask again in a moment.',
  }),
  space: Type.Union([word(['aligned', 'ranking']), Type.Null()], {
    description:
      '`aligned`: where the model draws queries and items together; `ranking`: the vectors that items are scored by, which know no queries; null: none.',
  }),
  items: Type.Array(Type.Object({ ...FoundItem.properties, nearness })),
  queries: Type.Array(Type.Object({ ...FoundQuery.properties, nearness })),
});
export type Near = Static<typeof Near>;

export const ItemAnswer = Type.Object(
  {
    item: Type.String(),
    title: Type.String(),
    model: ModelName,
    attributes: Type.Array(Type.Object({ name: Type.String(), values: Type.Array(Type.String()) })),
    count: Type.Integer({ minimum: 0 }),
    popularity: Type.Integer({ minimum: 1, description: 'Its rank by count, of equal ones the best.' }),
    items: Type.Integer({ description: 'How many items there are.' }),
    is_new: Type.Boolean({ description: 'Whether it came after the run was trained.' }),
    near: Near,
    led_by: Type.Array(Type.Object({ query: Type.String(), clicks: Type.Integer() }), {
      description: 'Queries whose results led to it, most clicks first.',
    }),
    served: Type.Array(
      Type.Object({
        user: Type.Union([Type.String(), Type.Null()]),
        rank: Type.Integer({ minimum: 1 }),
        time: Type.String(),
        source: Type.String({ description: 'What ranked the list.' }),
        version: Type.String({ description: 'The model that did.' }),
      }),
      { description: 'The newest lists that had it, newest first, among the last ones that were served.' },
    ),
    served_among: Type.Integer({ description: 'How many of the last lists were looked at.' }),
  },
  { title: 'ItemAnswer' },
);
export type ItemAnswer = Static<typeof ItemAnswer>;

export const QueryAnswer = Type.Object(
  {
    query: Type.String(),
    model: ModelName,
    count: Type.Integer({ minimum: 0 }),
    popularity: Type.Integer({ minimum: 1 }),
    queries: Type.Integer({ description: 'How many queries there are.' }),
    near: Near,
    led_to: Type.Array(Type.Object({ item: Type.String(), title: Type.String(), clicks: Type.Integer() }), {
      description: 'Items that were clicked in its results, most clicks first.',
    }),
  },
  { title: 'QueryAnswer' },
);
export type QueryAnswer = Static<typeof QueryAnswer>;
