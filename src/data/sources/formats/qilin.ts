/** Qilin (Chen et al., SIGIR 2025): searches and recommendations of a social network, as Parquet or as its toy tables. Knows its fields. */
import type { Condition, MappedFormat, Value } from './format.js';

const search: Value = { joined: [{ constant: 'search' }, 'search_idx'], with: ' ' };
const happened = { user: 'user_idx', session: 'session_idx' } as const;
/** Of the elements of the lists of results. */
const clicked: Condition = { value: { element: 'click' }, above: 0 };
const click = {
  kind: 'action',
  only: clicked,
  ...happened,
  item: { element: 'note_idx' },
  type: { constant: 'click' },
} as const;

export const qilin: MappedFormat = {
  name: 'qilin',
  about: 'the Qilin data set: search, recommendation, notes, user_feat (Parquet, or its toy tables)',
  specification: 'https://github.com/RED-Search/Qilin',
  order: 'time',
  tables: [
    {
      name: 'search',
      recognise: { fields: ['search_idx', 'user_idx', 'query', 'search_result_details_with_idx'] },
      entries: [
        {
          kind: 'search',
          ...happened,
          id: search,
          time: { value: { path: ['search_result_details_with_idx', 0, 'search_timestamp'] }, unit: 'epoch' },
          query: 'query',
          source: 'query_from_type',
        },
        {
          ...click,
          each: 'search_result_details_with_idx',
          time: { value: { element: 'search_timestamp' }, unit: 'epoch' },
          search,
        },
      ],
    },
    {
      name: 'recommendation',
      recognise: { fields: ['request_idx', 'user_idx', 'rec_result_details_with_idx'] },
      entries: [
        { kind: 'ignored' },
        {
          ...click,
          each: 'rec_result_details_with_idx',
          time: { value: { element: 'request_timestamp' }, unit: 'epoch' },
        },
      ],
    },
    {
      name: 'notes',
      recognise: { fields: ['note_idx', 'note_title'] },
      entries: [
        {
          kind: 'item',
          key: 'note_idx',
          attributes: {
            title: 'note_title',
            type: 'note_type',
            ...Object.fromEntries([1, 2, 3].map((level) => [`category_${level}`, `taxonomy${level}_id`])),
          },
        },
      ],
    },
    {
      name: 'user_feat',
      recognise: { fields: ['user_idx', 'gender', 'platform'] },
      entries: [
        {
          kind: 'user',
          key: 'user_idx',
          attributes: { gender: 'gender', platform: 'platform', age: 'age', location: 'location' },
        },
      ],
    },
    { name: 'dqa', recognise: { fields: ['dqa_idx'] }, entries: [{ kind: 'ignored' }] },
  ],
};
