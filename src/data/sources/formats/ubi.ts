/** User Behavior Insights 1.3 of OpenSearch and o19s: queries and events, as JSON lines. Knows its fields and nothing else. */
import type { Format, TimeValue } from './format.js';

const time: TimeValue = { value: 'timestamp', unit: 'iso or ms' };
const item = { first: ['event_attributes.object.object_id', 'event_attributes.object.internal_id'] };

export const ubi: Format = {
  name: 'ubi',
  about: 'User Behavior Insights of OpenSearch: ubi_queries and ubi_events',
  specification: 'https://github.com/o19s/ubi',
  order: 'time',
  unmatched: 'feed',
  tables: [
    {
      name: 'ubi_queries',
      recognise: { fields: ['query_id', 'user_query'] },
      entries: [{ kind: 'search', id: 'query_id', user: 'client_id', time, query: 'user_query' }],
    },
    {
      name: 'ubi_events',
      recognise: { fields: ['action_name', 'event_attributes'] },
      typeOf: 'action_name',
      otherwise: 'ignored',
      entries: [
        {
          kind: 'action',
          when: { value: 'action_name', is: ['click', 'view', 'add_to_cart', 'purchase'] },
          user: 'client_id',
          session: 'session_id',
          time,
          item,
          search: 'query_id',
          type: { choose: 'action_name', among: { add_to_cart: 'cart' } },
        },
      ],
    },
  ],
};
