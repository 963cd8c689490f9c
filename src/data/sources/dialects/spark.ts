/**
 * What Spark says for the words of `dialect.ts`. Knows one thing of the tables: what Spark cannot work out as we do, the
 * readers of records have worked out, and left in `compared_queries` (`../../cluster/stage.ts`).
 */
import { sparkText } from '../../../spark/index.js';
import type { Dialect } from './dialect.js';

/** JSON of a text; Spark writes only objects and lists. */
const json = (text: string): string => `regexp_replace(to_json(array(${text})), '^\\\\[|\\\\]$', '')`;

export const spark: Dialect = {
  text: 'STRING',
  bytes: 'BINARY',
  literal: sparkText,
  fingerprint: (text) => `unhex(substring(sha2(${text}, 256), 1, 20))`,
  shown: (text) => json(`substring(${text}, 1, 80)`),
  jsonObject: (members) =>
    `to_json(named_struct(${members.map(([name, text]) => `${sparkText(name)}, ${text}`).join(', ')}))`,
  atFirst: (column, by) => `min_by(${column}, ${by})`,
  withComparedQuery: (rows) =>
    `SELECT asked.*, compared FROM (${rows}) AS asked JOIN compared_queries ON compared_queries.query = asked.query`,
  clicks: 'ARRAY<STRUCT<item: STRING, ordinal: BIGINT, time: DOUBLE>>',
  clicksInOrder: `transform(array_sort(collect_list(named_struct('ordinal', ordinal, 'item', item, 'time', time))), click -> named_struct('item', click.item, 'ordinal', click.ordinal, 'time', click.time))`,
  emptyList: 'array()',
};
