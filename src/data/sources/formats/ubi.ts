/** User Behavior Insights 1.3 of OpenSearch and o19s: queries and events. Knows their fields and nothing else. */
import type { Condition, MappedFormat, Recognition, Table, TimeValue, Value } from './format.js';

const types = { click: 'click', view: 'view', watch: 'play', add_to_cart: 'cart', purchase: 'purchase' } as const;

/** The tables of records as they are, or inside the `_source` that dumps of an index wrap them in. */
function tablesInside(wrapping: '' | '_source.'): Table[] {
  const field = (name: string): Value => `${wrapping}${name}`;
  const time: TimeValue = { value: field('timestamp'), unit: 'iso or ms' };
  const who = { user: field('user_id'), anonymous: field('client_id') } as const;
  const happened = { ...who, session: field('session_id'), time } as const;
  const acted: Condition = { value: field('action_name'), is: Object.keys(types) };
  const typed: Condition = { has: field('user_query') };
  const isEvent: Condition = { has: field('action_name') };
  const entries: Table['entries'] = [
    {
      kind: 'search',
      when: { all: [typed, { not: isEvent }] },
      ...happened,
      id: field('query_id'),
      query: field('user_query'),
      source: field('application'),
    },
    {
      kind: 'action',
      when: acted,
      ...happened,
      item: { first: [field('event_attributes.object.object_id'), field('event_attributes.object.internal_id')] },
      search: field('query_id'),
      type: { choose: field('action_name'), among: types },
    },
    // Recommendations are asked for without a query.
    { kind: 'ignored', when: { all: [{ not: typed }, { not: isEvent }] } },
  ];
  // a stream may have records of both, whichever comes first
  const table = (name: string, recognise: Recognition): Table => ({
    name: `${wrapping}${name}`,
    recognise,
    who,
    typeOf: { first: [field('action_name'), { constant: 'query' }] },
    otherwise: 'ignored',
    entries,
  });
  return [
    table('ubi_queries', {
      fields: [`${wrapping}query_id`, `${wrapping}user_query`],
      without: [`${wrapping}action_name`],
    }),
    table('ubi_events', { fields: [`${wrapping}action_name`, `${wrapping}timestamp`] }),
  ];
}

export const ubi: MappedFormat = {
  name: 'ubi',
  about: 'User Behavior Insights of OpenSearch: ubi_queries and ubi_events',
  specification: 'https://o19s.github.io/ubi/schema/1.3.0/event.schema.json',
  order: 'time',
  unmatched: 'feed',
  tables: [...tablesInside(''), ...tablesInside('_source.')],
};
