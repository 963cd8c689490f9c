/** Feedback, items and users of Gorse, as its API and its dumps have them. Knows their fields and nothing else. It has no searches. */
import { EVENT_NAMES, IGNORED_NAMES } from './event-names.js';
import type { Condition, MappedFormat, Value } from './format.js';

/** What Go writes where there is no time, in whatever zone. */
const noTime: Condition = { value: 'Timestamp', contains: '0001-01-01' };
const type: Value = { folded: 'FeedbackType' };
const ignored: Condition = { value: type, is: IGNORED_NAMES };

export const gorse: MappedFormat = {
  name: 'gorse',
  about: 'feedback, items and users of Gorse',
  specification: 'https://gorse.io/docs/concepts/data-source.html',
  order: 'time',
  caveat:
    'Gorse keeps one feedback per user, item and type: that somebody did a thing again is lost; and it has no searches',
  tables: [
    {
      name: 'feedback',
      recognise: { fields: ['FeedbackType', 'UserId', 'ItemId'] },
      typeOf: {
        joined: ['FeedbackType', { constant: 'feedback' }, { constant: 'with the time' }, 'Timestamp'],
        with: ' ',
      },
      entries: [
        {
          kind: 'action',
          when: { not: { any: [noTime, ignored] } },
          id: { together: ['FeedbackType', 'UserId', 'ItemId', 'Timestamp'] },
          user: 'UserId',
          item: 'ItemId',
          time: { value: 'Timestamp', unit: 'iso' },
          type: { choose: type, among: EVENT_NAMES, else: 'interaction' },
        },
        { kind: 'ignored', when: ignored },
      ],
    },
    {
      name: 'items',
      recognise: { fields: ['ItemId'], without: ['FeedbackType'] },
      entries: [
        {
          kind: 'item',
          key: 'ItemId',
          attributes: { category: { words: 'Categories' }, labels: { words: 'Labels' }, description: 'Comment' },
        },
      ],
    },
    {
      name: 'users',
      recognise: { fields: ['UserId'], without: ['FeedbackType'] },
      entries: [{ kind: 'user', key: 'UserId', attributes: { labels: { words: 'Labels' }, description: 'Comment' } }],
    },
  ],
};
