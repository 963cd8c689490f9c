/** Events of Metarank. Knows its fields and nothing else. */
import { EVENT_NAMES, IGNORED_NAMES } from './event-names.js';
import type { Condition, MappedFormat, TimeValue, Value } from './format.js';

const time: TimeValue = { value: 'timestamp', unit: 'iso or ms' };
const who = { user: 'user', anonymous: 'session' } as const;
const happened = { id: 'id', ...who, session: 'session', time } as const;
const event = (name: string): Condition => ({ value: 'event', is: [name] });
const type: Value = { folded: 'type' };
const query: Value = { parameter: 'query', list: 'fields', key: 'name', value: ['value'] };
const attributes = { pairs: 'fields', name: 'name', value: 'value' } as const;

export const metarank: MappedFormat = {
  name: 'metarank',
  about: 'item, user, ranking and interaction events of Metarank',
  specification: 'https://docs.metarank.ai/reference/event-schema',
  order: 'time',
  // A ranking without a query is a list of recommendations.
  unmatched: 'feed',
  repeated: 'merge',
  tables: [
    {
      name: 'events',
      recognise: {
        fields: ['event', 'id', 'timestamp'],
        values: { event: ['item', 'user', 'ranking', 'interaction'] },
      },
      who,
      typeOf: 'event',
      entries: [
        { kind: 'search', when: { all: [event('ranking'), { has: query }] }, ...happened, query },
        { kind: 'ignored', when: { all: [event('ranking'), { not: { has: query } }] }, id: 'id' },
        {
          kind: 'action',
          when: { all: [event('interaction'), { not: { value: type, is: IGNORED_NAMES } }] },
          ...happened,
          item: 'item',
          type: { choose: type, among: EVENT_NAMES, else: 'interaction' },
          search: 'ranking',
        },
        { kind: 'ignored', when: { all: [event('interaction'), { value: type, is: IGNORED_NAMES }] }, id: 'id' },
        { kind: 'item', when: event('item'), key: 'item', attributes },
        { kind: 'user', when: event('user'), key: 'user', attributes },
      ],
    },
  ],
};
