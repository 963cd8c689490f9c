/** What DuckDB says for the words of `dialect.ts`. */
import { literal } from '../../sql-text.js';
import { comparedQuery, fingerprint, jsonObject, shown } from '../dialect.js';
import type { Dialect } from './dialect.js';

export const duckdb: Dialect = {
  text: 'VARCHAR',
  bytes: 'BLOB',
  literal,
  fingerprint,
  shown,
  jsonObject,
  atFirst: (column, by) => `arg_min_null(${column}, ${by})`,
  withComparedQuery: (rows) => `SELECT *, ${comparedQuery('query')} AS compared FROM (${rows})`,
  clicks: 'STRUCT(item VARCHAR, ordinal BIGINT, time DOUBLE)[]',
  clicksInOrder: `list({'item': item, 'ordinal': ordinal, 'time': time} ORDER BY ordinal)`,
  emptyList: '[]',
};
