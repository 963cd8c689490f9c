/**
 * Makes SQL of the mappings of a format: a query from records to entries of the staging table. Knows the words of mappings
 * and what makes an entry acceptable; does not know how records are read, nor any format.
 */
import { getOrCreate } from '../../base/index.js';
import { literal } from '../database.js';
import * as sql from './dialect.js';
import type {
  ActionMapping,
  AttributesMapping,
  Condition,
  EntryMapping,
  Table,
  TimeValue,
  Value,
} from './formats/format.js';

/** The columns of the staging table, and their SQL types. A null reason means accepted so far. */
export const STAGED = {
  file: 'INTEGER',
  line: 'BIGINT',
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

const UNITS: Readonly<Record<string, number>> = { s: 1000, ms: 1, us: 0.001, 'iso or s': 1000 };

/** Where values of a record come from: JSON texts at paths, or columns that are texts already. */
export type Container =
  | { readonly kind: 'json' }
  /** `list`: an expression that gives the fields of a line. */
  | { readonly kind: 'fields'; readonly columns: readonly string[]; readonly list: string }
  /** Columns that the source has as texts under the names c0, c1, …; nested ones as JSON. */
  | {
      readonly kind: 'columns';
      readonly columns: readonly string[];
      /** Columns that are numbers: the source has these as numbers, too, under the names d0, d1, …. */
      readonly numeric: ReadonlySet<string>;
    };

interface Leaf {
  /** As the record has it: JSON, or the cell. */
  readonly raw: string;
  /** As a text; null where it is none. May be blank. */
  readonly text: string;
  /** Not blank. */
  readonly filled: string;
}

const pathOf = (value: string): string[] => value.split('.');
const quotedName = (path: readonly (string | number)[]): string => `"${path.join('.')}"`;

/** The leaves that expressions ask for, given names on demand. */
class Leaves {
  readonly paths: (readonly (string | number)[])[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  leaf(path: readonly (string | number)[]): Leaf {
    const number = getOrCreate(this.#numbers, JSON.stringify(path), () => this.paths.push(path));
    const name = (kind: string): string => `${this.#prefix}${kind}${number}`;
    return { raw: name('r'), text: name('b'), filled: name('t') };
  }

  /** Columns r1, r2, … of every leaf; `at` gives the raw value of the leaf with a number, from 1. */
  raws(at: (path: readonly (string | number)[], number: number) => string): string {
    return this.paths.map((path, i) => `, ${at(path, i + 1)} AS ${this.#prefix}r${i + 1}`).join('');
  }

  texts(isJson: boolean): string {
    return this.paths
      .map((_, i) => {
        const raw = `${this.#prefix}r${i + 1}`;
        return `, ${isJson ? sql.textOfJson(raw) : raw} AS ${this.#prefix}b${i + 1}`;
      })
      .join('');
  }

  filled(): string {
    return this.paths
      .map((_, i) => `, ${sql.unblank(`${this.#prefix}b${i + 1}`)} AS ${this.#prefix}t${i + 1}`)
      .join('');
  }
}

/** Compiles the values and conditions of one table's mappings. */
class Expressions {
  readonly record = new Leaves('');
  readonly element = new Leaves('e');
  readonly #pairLists = new Map<string, { readonly name: string; readonly raw: string; readonly key: string }>();
  readonly #parameters = new Map<string, { readonly name: string; readonly found: string; readonly values: string }>();
  /** Whether fields of the record are JSON, rather than texts of a table. */
  readonly isJson: boolean;
  /** Times of the record, under the names w1, w2, …: each is worked out once. */
  readonly times: string[] = [];
  readonly #timeNames = new Map<string, string>();
  readonly #container: Container;

  constructor(container: Container) {
    this.#container = container;
    this.isJson = container.kind === 'json';
  }

  leafOf(value: Value): Leaf | null {
    if (typeof value === 'string') return this.record.leaf(pathOf(value));
    if ('path' in value) return this.record.leaf(value.path);
    if ('element' in value) return this.element.leaf(value.element === '' ? [] : pathOf(value.element));
    return null;
  }

  /** A text that is not blank, or null. */
  text(value: Value): string {
    const leaf = this.leafOf(value);
    if (leaf) return leaf.filled;
    if (typeof value === 'string') throw new Error('internal error: a field is a leaf');
    if ('constant' in value) return literal(value.constant);
    if ('first' in value) return `coalesce(${value.first.map((each) => this.text(each)).join(', ')})`;
    if ('joined' in value)
      return `(${value.joined.map((each) => this.text(each)).join(` || ${literal(value.with)} || `)})`;
    if ('parameter' in value) return this.parameter(value);
    if ('words' in value) {
      const inner = this.leafOf(value.words);
      const text = this.text(value.words);
      return sql.unblank(sql.wordsOfList(inner ? inner.raw : text, text));
    }
    if ('choose' in value) {
      const chosen = this.text(value.choose);
      const cases = Object.entries(value.among).map(([from, to]) => `WHEN ${literal(from)} THEN ${literal(to)}`);
      return `CASE ${chosen} ${cases.join(' ')} ELSE ${value.else === undefined ? chosen : literal(value.else)} END`;
    }
    if ('after' in value) {
      const whole = this.text(value.after);
      return sql.unblank(
        `CASE WHEN ${sql.beginsWith(whole, value.prefix)} THEN trim(substring(${whole}, ${[...value.prefix].length + 1})) END`,
      );
    }
    throw new Error('internal error: a value that no rule compiles');
  }

  /** A text that may be blank: a query. */
  anyText(value: Value): string {
    return this.leafOf(value)?.text ?? this.text(value);
  }

  parameter(wanted: Extract<Value, { parameter: string }>): string {
    const { parameter, list, key, value } = wanted;
    return getOrCreate(this.#parameters, JSON.stringify(wanted), () => {
      const pairs = getOrCreate(this.#pairLists, JSON.stringify([list, key]), () => ({
        name: `l${this.#pairLists.size + 1}`,
        raw: this.record.leaf(pathOf(list)).raw,
        key,
      }));
      return {
        name: `p${this.#parameters.size + 1}`,
        found: sql.jsonAt(sql.pairNamed(pairs.name, `${pairs.name}k`, key, parameter), value.map(pathOf)),
        values: `[${value.map((_, i) => sql.textOfJson(sql.nth('pair', i + 1))).join(', ')}]`,
      };
    }).name;
  }

  /** `records` with the parameters as columns p1, p2, …, so that each is sought once, in lists that are taken apart once. */
  withParameters(records: string): string {
    const lists = [...this.#pairLists.values()].map(
      ({ name, raw, key }) => `, ${sql.elementsOf(raw)} AS ${name}, ${sql.keysOf(raw, key)} AS ${name}k`,
    );
    return [...this.#parameters.values()].reduce(
      (inner, { name, found, values }) =>
        `SELECT * EXCLUDE (pair, present), ${sql.unblank('present')} AS ${name} FROM (
          SELECT *, ${sql.firstPresent(values)} AS present FROM (SELECT *, ${found} AS pair FROM (${inner})))`,
      lists.length === 0 ? records : `SELECT *${lists.join('')} FROM (${records})`,
    );
  }

  /** `records` with the times as columns w1, w2, …. */
  withTimes(records: string): string {
    if (this.times.length === 0) return records;
    return `SELECT *${this.times.map((time, i) => `, ${time} AS w${i + 1}`).join('')} FROM (${records})`;
  }

  time(time: TimeValue): string {
    const { value } = time;
    if (typeof value === 'object' && 'element' in value) return this.timeOf(time);
    return getOrCreate(this.#timeNames, JSON.stringify(time), () => `w${this.times.push(this.timeOf(time))}`);
  }

  /** A column of numbers, if the value is one. */
  numberOf(value: Value): string | null {
    const container = this.#container;
    if (container.kind !== 'columns' || typeof value !== 'object' || !('path' in value))
      return typeof value === 'string' && container.kind === 'columns' ? this.numberOf({ path: pathOf(value) }) : null;
    const name = value.path.join('.');
    return container.numeric.has(name) ? `d${container.columns.indexOf(name)}` : null;
  }

  timeOf({ value, unit }: TimeValue): string {
    const column = this.numberOf(value);
    if (column !== null && unit !== 'iso' && unit !== 'epoch') return sql.scaledTime(column, UNITS[unit] ?? 1);
    const text = this.text(value);
    const raw = this.leafOf(value)?.raw ?? text;
    const number = (scale: number): string => sql.numericTime(text, scale);
    if (unit === 'iso') return sql.isoTime(text);
    if (unit === 'epoch') return sql.sizedTime(this.rawNumber(value, text));
    if (unit === 'iso or s')
      return `coalesce(${sql.numericTime(this.rawNumber(value, text), 1000)}, ${sql.isoTime(text)})`;
    if (unit === 'iso or ms')
      return `coalesce(${sql.numericTime(this.rawNumber(value, text), 1)}, ${sql.isoTime(text)})`;
    if (unit === 'iso text or ms') {
      if (!this.isJson) return `coalesce(${number(1)}, ${sql.isoTime(text)})`;
      return `CASE WHEN ${raw} LIKE '"%' THEN ${sql.isoTime(text)} ELSE ${sql.numericTime(raw, 1)} END`;
    }
    return sql.numericTime(this.rawNumber(value, text), UNITS[unit] as number);
  }

  /** JSON numbers that are no integers have no text, but are times. */
  rawNumber(value: Value, text: string): string {
    const leaf = this.leafOf(value);
    return leaf && this.isJson ? `coalesce(${text}, ${leaf.raw})` : text;
  }

  condition(condition: Condition): string {
    if ('has' in condition) {
      const leaf = this.leafOf(condition.has);
      // a list or an object is there, too
      return leaf && this.isJson
        ? `(${leaf.raw} IS NOT NULL AND ${leaf.raw} NOT IN ('""', '[]', '{}'))`
        : `${this.text(condition.has)} IS NOT NULL`;
    }
    if ('is' in condition)
      return `coalesce(${this.text(condition.value)} IN (${condition.is.map(literal).join(', ')}), false)`;
    if ('above' in condition) {
      const text = this.rawNumber(condition.value, this.text(condition.value));
      return `coalesce(TRY_CAST(${text} AS DOUBLE) > ${condition.above}, false)`;
    }
    if ('contains' in condition)
      return `coalesce(contains(lower(${this.text(condition.value)}), ${literal(condition.contains)}), false)`;
    if ('not' in condition) return `NOT ${this.condition(condition.not)}`;
    if ('all' in condition) return `(${condition.all.map((each) => this.condition(each)).join(' AND ')})`;
    return `(${condition.any.map((each) => this.condition(each)).join(' OR ')})`;
  }
}

/** How a value is called in messages. */
function labelOf(value: Value): string {
  if (typeof value === 'string') return `"${value}"`;
  if ('path' in value) return quotedName(value.path);
  if ('element' in value) return quotedName([value.element === '' ? 'element' : value.element]);
  if ('first' in value) return value.first.map(labelOf).join(' or ');
  if ('joined' in value) return value.joined.map(labelOf).join(' and ');
  if ('parameter' in value) return `"${value.parameter}"`;
  if ('words' in value) return labelOf(value.words);
  if ('choose' in value) return labelOf(value.choose);
  if ('after' in value) return labelOf(value.after);
  return value.constant;
}

const isAttributes = (entry: EntryMapping): entry is AttributesMapping =>
  entry.kind === 'item' || entry.kind === 'user';

const isMissing = (raw: string): string => `${raw} IS NULL`;

/** The reasons for which one entry is rejected, in order, as branches of a CASE. */
function reasonsOf(entry: EntryMapping, expressions: Expressions): string[] {
  const branches: string[] = [];
  const missing = (value: Value): string => {
    const leaf = expressions.leafOf(value);
    const name = `the field ${labelOf(value)}`;
    if (!leaf) return literal(`${name} is missing or empty`);
    const wrong = expressions.isJson
      ? `is ' || ${sql.cut(leaf.raw, 80)} || ': it must be a text that is not empty, or an integer below 2^53'`
      : `is empty'`;
    return `CASE WHEN ${isMissing(leaf.raw)} THEN ${literal(`${name} is missing`)} ELSE '${name.replaceAll("'", "''")} ${wrong} END`;
  };
  const need = (value: Value): void => {
    branches.push(`WHEN ${expressions.text(value)} IS NULL THEN ${missing(value)}`);
  };
  /** Of an optional field, what is there must be an id; blanks count as not there. */
  const fits = (value: Value | undefined): void => {
    const leaf = value === undefined ? null : expressions.leafOf(value);
    if (leaf && expressions.isJson && value !== undefined)
      branches.push(`WHEN ${leaf.raw} IS NOT NULL AND ${leaf.text} IS NULL THEN ${missing(value)}`);
  };
  if (entry.kind === 'ignored') {
    fits(entry.id);
  } else if (isAttributes(entry)) {
    need(entry.key);
    if (
      typeof entry.attributes === 'object' &&
      'object' in entry.attributes &&
      typeof entry.attributes.object === 'string'
    ) {
      const { raw } = expressions.record.leaf(pathOf(entry.attributes.object));
      branches.push(
        `WHEN ${raw} IS NOT NULL AND ${raw} NOT LIKE '{%' THEN ${literal(`"${entry.attributes.object}" is a JSON object of attributes`)}`,
        `WHEN ${sql.firstNested(raw)} IS NOT NULL THEN 'the attribute ' || ${sql.shown(sql.firstNested(raw))} || ' must be a text, a number, true or false, or a list of these'`,
      );
    }
  } else {
    if (entry.kind === 'search' && expressions.leafOf(entry.query) === null && 'parameter' in (entry.query as object))
      need(entry.query);
    if (entry.kind === 'search' && entry.id !== undefined) need(entry.id);
    else fits(entry.id);
    if (entry.user !== undefined && entry.anonymous !== undefined)
      branches.push(
        `WHEN ${expressions.text(entry.user)} IS NULL AND ${expressions.text(entry.anonymous)} IS NULL THEN ${literal(`there is neither ${labelOf(entry.user)} nor ${labelOf(entry.anonymous)}`)}`,
      );
    else need((entry.user ?? entry.anonymous) as Value);
    if (entry.time) {
      const leaf = expressions.leafOf(entry.time.value);
      const raw = leaf ? leaf.raw : expressions.text(entry.time.value);
      const unit =
        entry.time.unit === 'iso or ms' || entry.time.unit === 'iso text or ms'
          ? 'is neither ISO 8601 text nor a number of milliseconds since 1970'
          : `is not in the unit "${entry.time.unit}"`;
      const value = expressions.isJson ? sql.cut(raw, 80) : sql.shown(raw);
      branches.push(
        `WHEN ${raw} IS NULL THEN ${literal(`the field ${labelOf(entry.time.value)} is missing`)}`,
        `WHEN ${expressions.time(entry.time)} IS NULL THEN 'the time ' || ${value} || ${literal(` ${unit}`)}`,
      );
    }
    if (entry.kind === 'search') {
      const leaf = expressions.leafOf(entry.query);
      if (leaf && expressions.isJson)
        branches.push(
          `WHEN ${leaf.raw} IS NULL THEN ${literal(`the field ${labelOf(entry.query)} is missing`)}`,
          `WHEN ${leaf.text} IS NULL THEN ${literal(`the field ${labelOf(entry.query)} is `)} || ${sql.cut(leaf.raw, 80)} || ': it must be a text'`,
        );
      fits(entry.source);
    } else {
      need(entry.item);
      need(entry.type);
      fits(entry.search);
    }
    fits(entry.session);
  }
  return branches;
}

const reasonOf = (branches: readonly string[]): string =>
  branches.length === 0 ? 'NULL' : `CASE ${branches.join(' ')} END`;

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

/** The field that tells kinds apart, if the mappings exclude one another by it; then a record has one entry and no list is needed. */
function exclusive(entries: readonly EntryMapping[]): boolean {
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

/** The reason of a record that no mapping takes. */
function unknownReason(table: Table, expressions: Expressions): string {
  if (table.typeOf === undefined) return literal(`it is no record of ${table.name}`);
  const leaf = expressions.leafOf(table.typeOf);
  const label = labelOf(table.typeOf);
  const known = [
    ...new Set(
      table.entries.flatMap(({ when }) =>
        when && 'is' in when && JSON.stringify(when.value) === JSON.stringify(table.typeOf) ? when.is : [],
      ),
    ),
  ];
  const text = expressions.text(table.typeOf);
  const use = known.length > 0 ? `: use ${known.join(', ')}` : '';
  return `CASE WHEN ${leaf?.raw ?? text} IS NULL THEN ${literal(`the field ${label} is missing`)}
    WHEN ${text} IS NULL THEN ${literal(`the field ${label} is `)} || ${sql.cut(leaf?.raw ?? text, 80)} || ': it must be a text that is not empty'
    ELSE ${literal(`unknown ${label.replaceAll('"', '')} `)} || ${sql.shown(text)} || ${literal(use)} END`;
}

/**
 * A query that gives the entries of the records in `source`, which has the columns `file`, `line`, and `text` (the record)
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
  const compiled = table.entries.map((entry) => columnsOf(entry, expressions, container));
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
    : `unnest(CASE WHEN broken IS NOT NULL THEN [${none}] ELSE coalesce(nullif(list_filter([
        ${[...flat.map(([i]) => `CASE WHEN ${whens[i]} THEN ${i} END`), ...spread.map(([i]) => `CASE WHEN ${whens[i]} THEN CASE WHEN ${sql.lengthOf(lists.get(i) as string)} = 0 THEN ${none + 1 + i} ELSE -1 END END`)].join(', ')}
      ], lambda n: n IS NOT NULL), CAST([] AS INTEGER[])), [${none}]) END)`;
  const chosen = (column: StagedColumn): string => {
    if (column === 'file' || column === 'line') return column;
    if (column === 'part') return 'CAST(entry AS INTEGER)';
    const cases = flat
      .map(([i]) => [i, compiled[i]?.[column]] as const)
      .filter(([, value]) => value !== undefined && value !== 'NULL');
    const branches = cases.map(([i, value]) => `WHEN ${i} THEN ${value}`);
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
          if (column === 'file' || column === 'line') return column;
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

const cast = (value: string, column: StagedColumn): string =>
  value === 'NULL' ? `CAST(NULL AS ${STAGED[column]})` : value;

/** The records with every leaf as columns, the text or the cells c0, c1, …, and `broken` (why it is no record, or null). */
function leavesOf({ record }: Expressions, container: Container, source: string): string {
  const layers = (raws: string, isJson: boolean): string =>
    `SELECT *${record.filled()} FROM (SELECT *${record.texts(isJson)} FROM (${raws}))`;
  if (container.kind === 'json') {
    const valid = `SELECT file, line, text, CASE WHEN NOT ${sql.isJson('text')} THEN 'not valid JSON'
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
        SELECT file, line, text, cells, CASE WHEN ${sql.lengthOf('cells')} <> ${columns.length}
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
