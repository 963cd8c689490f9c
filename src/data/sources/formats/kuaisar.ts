/** KuaiSAR (Sun et al., CIKM 2023): five tables of a short-video app with search and recommendation. Knows their columns. */
import type { Condition, MappedFormat, TimeValue, Value } from './format.js';

const user = 'user_id';
const clicked: Condition = { value: 'click', is: ['1', '1.0'] };
const searchTime: TimeValue = { value: 'search_session_timestamp', unit: 'ms' };
const session: Value = { joined: ['user_id', 'search_session_id'], with: '/' };
const resultClicked: Condition = { value: 'click_cnt', above: 0 };
/** Of the things that are found, these are in the feed, too; the ids of others are of other things. */
const video: Condition = { value: 'item_type', is: ['VIDEO', 'IMAGE_ATLAS'] };
const found = { kind: 'action', user, time: searchTime, type: { constant: 'click' }, search: session } as const;
const levels = ['first', 'second', 'third', 'fourth'];
const unless = (value: Value, padding: string): Value => ({ choose: value, among: { [padding]: '' } });

export const kuaisar: MappedFormat = {
  name: 'kuaisar',
  about: 'the KuaiSAR data set: rec_inter, src_inter, user_features, item_features, social_network',
  specification: 'https://kuaisar.github.io/',
  order: 'time',
  caveat:
    'times of the feed are times of delivery: items that were delivered together share one, and keep the order of the file',
  tables: [
    {
      name: 'rec_inter',
      recognise: { fields: ['user_id', 'item_id', 'playing_time', 'timestamp', 'click'] },
      entries: [
        {
          kind: 'action',
          when: clicked,
          user,
          item: 'item_id',
          time: { value: 'timestamp', unit: 'ms' },
          type: { constant: 'click' },
        },
        { kind: 'ignored', when: { not: clicked } },
      ],
    },
    {
      name: 'src_inter',
      recognise: { fields: ['user_id', 'search_session_id', 'keyword', 'item_id', 'click_cnt'] },
      entries: [
        {
          kind: 'search',
          rows: 'many',
          id: session,
          user,
          time: searchTime,
          query: { words: 'keyword' },
          source: 'search_source',
        },
        { ...found, when: { all: [resultClicked, video] }, item: 'item_id' },
        {
          ...found,
          when: { all: [resultClicked, { not: video }] },
          item: { joined: ['item_type', 'item_id'], with: ':' },
        },
      ],
    },
    {
      name: 'user_features',
      recognise: { fields: ['user_id', 'search_active_level'] },
      entries: [{ kind: 'user', key: user, attributes: 'columns' }],
    },
    {
      name: 'item_features',
      recognise: { fields: ['item_id', 'caption', 'author_id'] },
      entries: [
        {
          kind: 'item',
          key: 'item_id',
          attributes: {
            caption: { words: 'caption' },
            author_id: unless('author_id', '0'),
            item_type: 'item_type',
            upload_time: unless('upload_time', '1970-1-1'),
            upload_type: 'upload_type',
            ...Object.fromEntries(
              levels.map((level) => [`${level}_level_category`, unless(`${level}_level_category_name_en`, 'empty')]),
            ),
          },
        },
      ],
    },
    {
      name: 'social_network',
      recognise: { fields: ['user_id', 'user_follow_id'] },
      entries: [{ kind: 'ignored' }],
    },
  ],
};
