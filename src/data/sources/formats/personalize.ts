/** Data sets of Amazon Personalize (CSV), and bodies of its PutEvents. Knows their fields and nothing else. It has no searches. */
import { EVENT_NAMES, IGNORED_NAMES } from './event-names.js';
import type { Condition, MappedFormat, Value } from './format.js';

const type: Value = { folded: { first: ['EVENT_TYPE', { constant: '-' }] } };
const ignored: Condition = { value: type, is: IGNORED_NAMES };
const eventType: Value = { folded: { element: 'eventType' } };
const ignoredEvent: Condition = { value: eventType, is: IGNORED_NAMES };

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
          when: { not: ignored },
          id: { together: ['USER_ID', 'ITEM_ID', 'TIMESTAMP', { first: ['EVENT_TYPE', { constant: '-' }] }] },
          user: 'USER_ID',
          item: 'ITEM_ID',
          time: { value: 'TIMESTAMP', unit: 's' },
          type: { choose: type, among: EVENT_NAMES, else: 'interaction' },
        },
        { kind: 'ignored', when: ignored },
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
          only: { not: ignoredEvent },
          id: { element: 'eventId' },
          user: 'userId',
          anonymous: 'sessionId',
          session: 'sessionId',
          item: { element: 'itemId' },
          time: { value: { element: 'sentAt' }, unit: 'iso or s' },
          type: { choose: eventType, among: EVENT_NAMES, else: 'interaction' },
        },
        {
          kind: 'ignored',
          when: { has: 'eventList' },
          each: 'eventList',
          only: ignoredEvent,
          id: { element: 'eventId' },
        },
      ],
    },
  ],
};
