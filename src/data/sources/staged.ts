/** The staging table: a row per entry of a log, accepted or not. Knows its columns; does not know who fills it. */

/** The columns of the staging table, and their SQL types. A null reason means accepted so far. */
export const STAGED = {
  file: 'INTEGER',
  line: 'BIGINT',
  /** Which of the records that begin on the line: not 0 only where JSON has several on one. */
  record: 'INTEGER',
  part: 'INTEGER',
  kind: 'VARCHAR',
  id: 'VARCHAR',
  user: 'VARCHAR',
  anonymous: 'VARCHAR',
  session: 'VARCHAR',
  time: 'DOUBLE',
  query: 'VARCHAR',
  source: 'VARCHAR',
  item: 'VARCHAR',
  search: 'VARCHAR',
  /** 1 for an action that seeks its search, a search that may be an echo, an ignored entry that closes the searches before it. */
  follows: 'INTEGER',
  list: 'VARCHAR',
  type: 'VARCHAR',
  fields: 'VARCHAR',
  reason: 'VARCHAR',
  raw: 'VARCHAR',
} as const;

export type StagedColumn = keyof typeof STAGED;

/** Characters of a rejected record that are kept. */
export const RAW_LENGTH = 2000;

/** The columns as CREATE TABLE wants them. */
export const STAGED_COLUMNS = Object.entries(STAGED)
  .map(([name, type]) => `"${name}" ${type}`)
  .join(', ');

/** The columns that say where an entry stands, in order. */
export const PLACE_COLUMNS = ['file', 'line', 'record', 'part'] as const satisfies readonly StagedColumn[];
export const PLACE = PLACE_COLUMNS.join(', ');
/** The same, of a table. */
export const placeIn = (table: string): string => PLACE_COLUMNS.map((column) => `${table}.${column}`).join(', ');
/** Whether rows of two tables stand in the same place. */
export const samePlace = (one: string, other: string): string =>
  PLACE_COLUMNS.map((column) => `${one}.${column} = ${other}.${column}`).join(' AND ');
/** What holds of entries that are accepted so far. */
export const ACCEPTED = 'reason IS NULL';

/** The columns of the table of what is rejected, as CREATE TABLE wants them, with the engine's type of texts. */
export const rejectedColumns = (text: string): string =>
  `file INTEGER, line BIGINT, record INTEGER, part INTEGER, reason ${text}, raw ${text}`;
