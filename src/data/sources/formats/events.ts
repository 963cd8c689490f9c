/** Our own event log (docs/events.md): searches, clicks, actions, items and users. Knows its fields and nothing else. */
import { ACTION_TYPES, IGNORED_TYPES } from '../event-types.js';
import type { Format, TimeValue } from './format.js';

const time: TimeValue = { value: 'time', unit: 'iso text or ms' };

export const events: Format = {
  name: 'events',
  about: 'searches, clicks, actions, items and users as docs/events.md has them',
  specification: 'docs/events.md',
  order: 'time',
  tables: [
    {
      name: 'events',
      recognise: {
        fields: ['type'],
        values: { type: ['search', 'item', 'user', ...ACTION_TYPES, ...IGNORED_TYPES] },
        without: ['event', 'timestamp', 'anonymousId', 'messageId'],
      },
      typeOf: 'type',
      entries: [
        {
          kind: 'search',
          when: { value: 'type', is: ['search'] },
          id: 'id',
          user: 'user',
          time,
          session: 'session',
          query: 'query',
          source: 'source',
        },
        {
          kind: 'item',
          when: { value: 'type', is: ['item'] },
          key: 'item',
          attributes: { object: 'fields' },
        },
        {
          kind: 'user',
          when: { value: 'type', is: ['user'] },
          key: 'user',
          attributes: { object: 'fields' },
        },
        {
          kind: 'action',
          when: { value: 'type', is: ACTION_TYPES },
          id: 'id',
          user: 'user',
          time,
          session: 'session',
          item: 'item',
          type: 'type',
          search: 'search',
        },
        { kind: 'ignored', when: { value: 'type', is: IGNORED_TYPES }, id: 'id' },
      ],
    },
  ],
};
