/** RecBole's atomic files: tables whose header says the type of every column. Knows their columns and nothing else. */
import type { MappedFormat } from './format.js';

const interaction = {
  kind: 'action',
  user: 'user_id',
  item: 'item_id',
  time: { value: 'timestamp', unit: 's' },
} as const;

export const recbole: MappedFormat = {
  name: 'recbole',
  about: 'atomic files of RecBole: .inter, and perhaps .item and .user',
  specification: 'https://recbole.io/docs/user_guide/data/atomic_files.html',
  order: 'time',
  caveat: 'atomic files of RecBole have no searches',
  tables: [
    {
      name: 'inter',
      header: 'before the colon',
      recognise: { fields: ['user_id', 'item_id', 'timestamp'] },
      entries: [
        { ...interaction, when: { has: 'rating' }, type: { constant: 'rate' } },
        { ...interaction, when: { not: { has: 'rating' } }, type: { constant: 'interaction' } },
      ],
    },
    {
      name: 'item',
      header: 'before the colon',
      recognise: { fields: ['item_id'], without: ['user_id', 'entity_id'] },
      entries: [{ kind: 'item', key: 'item_id', attributes: 'columns' }],
    },
    {
      name: 'user',
      header: 'before the colon',
      recognise: { fields: ['user_id'], without: ['item_id'] },
      entries: [{ kind: 'user', key: 'user_id', attributes: 'columns' }],
    },
  ],
};
