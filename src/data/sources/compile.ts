/**
 * Makes SQL of the mappings of a format: a query from records to entries of the staging table. Knows which mapping takes a record
 * and how records lie in their containers; does not know how they are read, nor any format.
 */
import { literal } from '../database.js';
import * as sql from './dialect.js';
import { Expressions, pathOf, type Container } from './expressions.js';
import type { ActionMapping, AttributesMapping, EntryMapping, Table, TimeValue, Value } from './formats/format.js';
import { isAttributes, reasonOf, reasonsOf, unknownReason } from './reasons.js';
import { RAW_LENGTH, STAGED, type StagedColumn } from './staged.js';

/** What one mapping puts into the columns of the staging table. */
function columnsOf(
  entry: EntryMapping,
  expressions: Expressions,
  container: Container,
): Partial<Record<StagedColumn, string>> {
  const optional = (value: Value | undefined): string => (value === undefined ? 'NULL' : expressions.text(value));
  const reason = reasonOf(reasonsOf(entry, expressions));
  if (entry.kind === 'ignored' && entry.closes !== true)
    return { kind: literal('ignored'), id: optional(entry.id), reason };
  if (isAttributes(entry))
    return {
      kind: literal(entry.kind),
      [entry.kind]: expressions.text(entry.key),
      fields: attributesOf(entry.attributes, entry.key, expressions, container),
      reason,
    };
  const happened = {
    kind: literal(entry.kind),
    id: optional(entry.id),
    user: optional(entry.user),
    anonymous: optional(entry.anonymous),
    session: optional(entry.session),
    time: entry.time ? expressions.time(entry.time) : 'NULL',
    fields: entry.time && entry.keepsTime ? writtenTime(entry.time, expressions) : 'NULL',
    reason,
  };
  if (entry.kind === 'ignored') return { ...happened, follows: '1' };
  if (entry.kind === 'search')
    return {
      ...happened,
      query: `coalesce(${expressions.anyText(entry.query)}, '')`,
      source: optional(entry.source),
      type: entry.rows === 'many' ? literal('many') : 'NULL',
      list: optional(entry.list),
      follows: entry.echo === true ? '1' : 'NULL',
    };
  return {
    ...happened,
    item: expressions.text(entry.item),
    type: expressions.text(entry.type),
    search: optional(entry.search),
    list: optional(entry.list),
    follows: followsOf(entry, expressions),
  };
}

/** The time as the record has it. */
const writtenTime = ({ value }: TimeValue, expressions: Expressions): string =>
  expressions.leafOf(value)?.raw ?? expressions.text(value);

function followsOf({ follows }: ActionMapping, expressions: Expressions): string {
  if (follows === undefined) return 'NULL';
  return follows === true ? '1' : `CASE WHEN ${expressions.condition(follows)} THEN 1 END`;
}

function attributesOf(
  attributes: AttributesMapping['attributes'],
  key: Value,
  expressions: Expressions,
  container: Container,
): string {
  if (attributes === 'columns') {
    const keyName = typeof key === 'string' ? key : 'path' in key ? key.path.join('.') : '';
    if (container.kind === 'json') return sql.without('text', keyName);
    const { columns } = container;
    return sql.jsonObject(
      columns
        .filter((name) => name !== '' && name !== keyName)
        .map((name) => [name, expressions.record.leaf([name]).text] as const),
    );
  }
  if ('object' in attributes && typeof attributes.object === 'string')
    return expressions.record.leaf(pathOf(attributes.object)).raw;
  if ('pairs' in attributes && typeof attributes.pairs === 'string')
    return sql.objectOfPairs(
      sql.elementsOf(expressions.record.leaf(pathOf(attributes.pairs)).raw),
      pathOf(attributes.name as string),
      pathOf(attributes.value as string),
    );
  return sql.jsonObject(
    Object.entries(attributes as Readonly<Record<string, Value>>).map(([name, value]) => [
      name,
      expressions.text(value),
    ]),
  );
}

/** Whether every record of these tables makes one entry exactly. */
export const oneEntryEach = (tables: readonly Table[]): boolean =>
  tables.every(({ entries }) => exclusive(entries) && entries.every(({ each }) => each === undefined));

/** Whether the mappings exclude one another, by a field that tells kinds apart or as the opposite of one another; then a record has one entry and no list is needed. */
function exclusive(entries: readonly EntryMapping[]): boolean {
  const [one, other] = entries;
  if (entries.length === 2 && other?.when && JSON.stringify(one?.when) === JSON.stringify({ not: other.when }))
    return true;
  const seen = new Set<string>();
  let field: string | null = null;
  for (const { when } of entries) {
    if (!when || !('is' in when)) return entries.length === 1;
    const name = JSON.stringify(when.value);
    if (field !== null && field !== name) return false;
    field = name;
    for (const value of when.is) {
      if (seen.has(value)) return false;
      seen.add(value);
    }
  }
  return true;
}

/**
 * A query that gives the entries of the records in `source`, which has the columns `file`, `line`, `record`, and `text` (the record)
 * or, for `columns`, c0, c1, ….
 */
export function compileTable(table: Table, container: Container, source: string): string {
  const expressions = new Expressions(container);
  const none = table.entries.length; // the number of "no mapping takes it"
  const flat = [...table.entries.entries()].filter(([, entry]) => entry.each === undefined);
  const spread = [...table.entries.entries()].filter(([, entry]) => entry.each !== undefined);

  // compile everything first: it is what names the leaves
  const whens = table.entries.map(({ when }) => (when ? expressions.condition(when) : 'true'));
  const onlys = table.entries.map(({ only }) => (only ? expressions.condition(only) : undefined));
  const { who } = table;
  const whose = who ? { user: expressions.text(who.user), anonymous: expressions.text(who.anonymous) } : {};
  const compiled = table.entries.map((entry) => ({ ...whose, ...columnsOf(entry, expressions, container) }));
  const lists = new Map(
    spread.map(([number, entry]) => [
      number,
      sql.elementsOf(expressions.record.leaf(pathOf(entry.each as string)).raw),
    ]),
  );
  const listNames = new Map(spread.map(([number, entry]) => [number, entry.each as string]));
  const unknown = table.otherwise === 'ignored' ? 'NULL' : unknownReason(table, expressions);

  const records = expressions.withTimes(expressions.withParameters(leavesOf(expressions, container, source)));
  // Several queries take from the records: those of a batch are read once, those of a whole file are too many to keep.
  const base = spread.length > 0 ? 'SELECT * FROM records' : records;
  // what is left of a rejected record, and the columns that this needs
  const [whole, kept] =
    container.kind === 'columns'
      ? [
          sql.jsonObject(container.columns.map((name, i) => [name, `c${i}`] as const)),
          container.columns.map((_, i) => `, c${i}`).join(''),
        ]
      : ['text', ', text'];
  // A record whose list is empty has an entry too, the rejected one, so that nothing is lost.
  const emptyList = spread.map(
    ([number]) =>
      `WHEN ${whens[number]} AND ${sql.lengthOf(lists.get(number) as string)} = 0 THEN ${none + 1 + number}`,
  );
  const taken = spread.map(([number]) => `WHEN ${whens[number]} THEN -1`);
  const oneEntry = exclusive(table.entries);
  const number = oneEntry
    ? `CASE WHEN broken IS NOT NULL THEN ${none} ${flat.map(([i]) => `WHEN ${whens[i]} THEN ${i}`).join(' ')} ${emptyList.join(' ')} ${taken.join(' ')} ELSE ${none} END`
    : sql.eachOf(
        `CASE WHEN broken IS NOT NULL THEN [${none}] ELSE coalesce(nullif(${sql.presentOf(`[
        ${[...flat.map(([i]) => `CASE WHEN ${whens[i]} THEN ${i} END`), ...spread.map(([i]) => `CASE WHEN ${whens[i]} THEN CASE WHEN ${sql.lengthOf(lists.get(i) as string)} = 0 THEN ${none + 1 + i} ELSE -1 END END`)].join(', ')}
      ]`)}, CAST([] AS INTEGER[])), [${none}]) END`,
      );
  const chosen = (column: StagedColumn): string => {
    if (PLACED.has(column)) return column;
    if (column === 'part') return 'CAST(entry AS INTEGER)';
    const cases = flat
      .map(([i]) => [i, compiled[i]?.[column]] as const)
      .filter(([, value]) => value !== undefined && value !== 'NULL');
    const branches = cases.map(([i, value]) => `WHEN ${i} THEN ${value}`);
    if (column === 'user' || column === 'anonymous') branches.push(`WHEN ${none} THEN ${whose[column] ?? 'NULL'}`);
    if (column === 'kind')
      branches.push(
        `WHEN ${none} THEN CASE WHEN broken IS NULL THEN ${table.otherwise === 'ignored' ? `'ignored'` : 'NULL'} END`,
      );
    if (column === 'reason') {
      branches.push(`WHEN ${none} THEN coalesce(broken, ${unknown})`);
      for (const [i, name] of listNames)
        branches.push(`WHEN ${none + 1 + i} THEN ${literal(`the list "${name}" is empty or missing`)}`);
    }
    return branches.length === 0 ? 'NULL' : `CASE entry ${branches.join(' ')} END`;
  };
  const columns = Object.keys(STAGED) as StagedColumn[];
  const list = (value: (column: StagedColumn) => string): string =>
    columns
      .filter((column) => column !== 'raw')
      .map((column) => `${cast(value(column), column)} AS "${column}"`)
      .join(', ');
  const withRaw = (query: string): string =>
    `SELECT ${columns
      .filter((column) => column !== 'raw')
      .map((column) => `"${column}"`)
      .join(', ')}, CASE WHEN reason IS NOT NULL THEN ${sql.cut(whole, RAW_LENGTH)} END AS raw FROM (${query})`;
  const queries = [
    withRaw(`SELECT ${list(chosen)}${kept} FROM (SELECT *, ${number} AS entry FROM (${base})) WHERE entry >= 0`),
    ...spread.map(([i]) => {
      const elements = lists.get(i) as string;
      const positioned = `SELECT *, ${sql.eachOf(elements)} AS element, ${sql.positionsOf(elements)} AS position FROM (${base}) WHERE broken IS NULL AND ${whens[i]}`;
      const { element } = expressions;
      const read =
        element.paths.length === 0
          ? positioned
          : `SELECT *${element.filled()} FROM (SELECT *${element.texts(true)} FROM (SELECT *${element.raws((_, at) => sql.nth('inside', at))} FROM (
            SELECT *, ${sql.jsonAt('element', element.paths)} AS inside FROM (${positioned}))))`;
      return withRaw(
        `SELECT ${list((column) => {
          if (PLACED.has(column)) return column;
          if (column === 'part') return `CAST(${(i + 1) * 100_000} + position AS INTEGER)`;
          return compiled[i]?.[column] ?? 'NULL';
        })}${kept} FROM (${read})${onlys[i] === undefined ? '' : ` WHERE ${onlys[i]}`}`,
      );
    }),
  ];
  const union = queries.join('\nUNION ALL ');
  if (spread.length === 0) return union;
  return `WITH records AS ${container.kind === 'columns' ? 'NOT ' : ''}MATERIALIZED (${records}) ${union}`;
}

/** What an entry has from its record. */
const PLACED: ReadonlySet<StagedColumn> = new Set(['file', 'line', 'record']);

const cast = (value: string, column: StagedColumn): string =>
  value === 'NULL' ? `CAST(NULL AS ${STAGED[column]})` : value;

/** The records with every leaf as columns, the text or the cells c0, c1, …, and `broken` (why it is no record, or null). */
function leavesOf({ record }: Expressions, container: Container, source: string): string {
  const layers = (raws: string, isJson: boolean): string =>
    `SELECT *${record.filled()} FROM (SELECT *${record.texts(isJson)} FROM (${raws}))`;
  if (container.kind === 'json') {
    const valid = `SELECT file, line, record, text, CASE WHEN NOT ${sql.isJson('text')} THEN 'not valid JSON'
      WHEN ltrim(text, ' ' || chr(9)) NOT LIKE '{%' THEN 'an event is a JSON object' END AS broken FROM (${source})`;
    if (record.paths.length === 0) return valid;
    return layers(
      `SELECT *${record.raws((_, number) => sql.nth('found', number))} FROM (
        SELECT *, CASE WHEN broken IS NULL THEN ${sql.jsonAt('text', record.paths)} END AS found FROM (${valid}))`,
      true,
    );
  }
  /** A column, or what JSON in a column has at the rest of the path; `cell` gives the column at a position. */
  const column = (
    path: readonly (string | number)[],
    columns: readonly string[],
    cell: (at: number) => string,
  ): string => {
    const whole = columns.indexOf(path.join('.'));
    if (whole >= 0) return cell(whole);
    const [first, ...rest] = path;
    const outer = typeof first === 'string' ? columns.indexOf(first) : -1;
    if (outer < 0 || rest.length === 0) return 'CAST(NULL AS VARCHAR)';
    return sql.textOfJson(sql.nth(sql.soundJsonAt(cell(outer), [rest]), 1));
  };
  if (container.kind === 'fields') {
    const { columns, list } = container;
    return layers(
      `SELECT *${record.raws((path) => column(path, columns, (at) => `cells[${at + 1}]`))} FROM (
        SELECT file, line, record, text, cells, CASE WHEN ${sql.lengthOf('cells')} <> ${columns.length}
          THEN ${sql.lengthOf('cells')} || ' fields where the header has ${columns.length} columns' END AS broken
        FROM (SELECT *, ${list} AS cells FROM (${source})))`,
      false,
    );
  }
  const { columns } = container;
  return layers(
    `SELECT *, CAST(NULL AS VARCHAR) AS broken${record.raws((path) => column(path, columns, (at) => `c${at}`))} FROM (${source})`,
    false,
  );
}
