/** Data sets of Amazon Personalize (CSV), and bodies of its PutEvents. Knows their fields and nothing else. It has no searches. */
import { EVENT_NAMES, IGNORED_NAMES } from './event-names.js';
import type { MappedFormat } from './format.js';

export const personalize: MappedFormat = {
  name: 'personalize',
  about: 'interactions, items and users of Amazon Personalize, and bodies of PutEvents',
  specification: 'https://docs.aws.amazon.com/personalize/latest/dg/custom-datasets-and-schemas.html',
  order: 'time',
  caveat: 'Amazon Personalize has no searches',
  tables: [
    {
      name: 'interactions',
      recognise: { fields: ['USER_ID', 'ITEM_ID', 'TIMESTAMP'] },
      entries: [
        {
          kind: 'action',
          when: { not: { value: 'EVENT_TYPE', is: IGNORED_NAMES } },
          id: { joined: ['USER_ID', 'ITEM_ID', 'TIMESTAMP', { first: ['EVENT_TYPE', { constant: '-' }] }], with: ' ' },
          user: 'USER_ID',
          item: 'ITEM_ID',
          time: { value: 'TIMESTAMP', unit: 's' },
          type: { choose: { first: ['EVENT_TYPE', { constant: '-' }] }, among: EVENT_NAMES, else: 'interaction' },
        },
        { kind: 'ignored', when: { value: 'EVENT_TYPE', is: IGNORED_NAMES } },
      ],
    },
    {
      name: 'items',
      recognise: { fields: ['ITEM_ID'], without: ['USER_ID'] },
      entries: [{ kind: 'item', key: 'ITEM_ID', attributes: 'columns' }],
    },
    {
      name: 'users',
      recognise: { fields: ['USER_ID'], without: ['ITEM_ID'] },
      entries: [{ kind: 'user', key: 'USER_ID', attributes: 'columns' }],
    },
    {
      name: 'PutEvents',
      recognise: { fields: ['trackingId', 'eventList'] },
      who: { user: 'userId', anonymous: 'sessionId' },
      entries: [
        {
          kind: 'action',
          each: 'eventList',
          id: { element: 'eventId' },
          user: 'userId',
          anonymous: 'sessionId',
          session: 'sessionId',
          item: { element: 'itemId' },
          time: { value: { element: 'sentAt' }, unit: 'iso or s' },
          type: { choose: { element: 'eventType' }, among: EVENT_NAMES, else: 'interaction' },
        },
      ],
    },
  ],
};
