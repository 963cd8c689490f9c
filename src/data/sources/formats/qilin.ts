/** Qilin (Chen et al., SIGIR 2025): searches and recommendations of a social network, as Parquet or as its toy tables. Knows its fields. */
import type { Condition, MappedFormat, Value } from './format.js';

const search: Value = { joined: [{ constant: 'search' }, 'search_idx'], with: ' ' };
/** The toy tables have -1 for what is not there. */
const filled = (value: Value): Value => ({ choose: value, among: { '-1': null, '-1.0': null } });
const happened = { user: filled('user_idx'), session: 'session_idx' } as const;
const asked = {
  kind: 'search',
  ...happened,
  id: search,
  // results come page by page and are not listed in order of time
  time: { value: { least: 'search_timestamp', of: 'search_result_details_with_idx' }, unit: 'epoch' },
  source: filled('query_from_type'),
} as const;
const wordless: Condition = { value: 'query', is: ['-1'] };
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
        { ...asked, when: { not: wordless }, query: 'query' },
        { ...asked, when: wordless, query: { constant: '' } },
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
