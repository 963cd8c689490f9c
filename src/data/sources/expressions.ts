/**
 * Values and conditions of mappings as SQL expressions over the columns of a record. Knows the words of mappings and where a
 * record has its values; does not know entries, nor how records are read.
 */
import { getOrCreate } from '../../base/index.js';
import { literal } from '../database.js';
import * as sql from './dialect.js';
import type { Condition, TimeValue, Value } from './formats/format.js';

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

export interface Leaf {
  /** As the record has it: JSON, or the cell. */
  readonly raw: string;
  /** As a text; null where it is none. May be blank. */
  readonly text: string;
  /** Not blank. */
  readonly filled: string;
}

export const pathOf = (value: string): string[] => value.split('.');

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
export class Expressions {
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
    if ('together' in value) return sql.together(value.together.map((each) => this.text(each)));
    if ('parameter' in value) return this.parameter(value);
    if ('folded' in value) return sql.folded(this.text(value.folded));
    if ('words' in value) {
      const inner = this.leafOf(value.words);
      const text = this.text(value.words);
      return sql.unblank(sql.wordsOfList(inner ? inner.raw : text, text));
    }
    if ('choose' in value) {
      const chosen = this.text(value.choose);
      const cases = Object.entries(value.among).map(
        ([from, to]) => `WHEN ${literal(from)} THEN ${to === null ? 'NULL' : literal(to)}`,
      );
      return `CASE ${chosen} ${cases.join(' ')} ELSE ${value.else === undefined ? chosen : literal(value.else)} END`;
    }
    if ('least' in value) return sql.leastIn(this.record.leaf(pathOf(value.of)).raw, value.least);
    if ('after' in value) {
      const whole = this.text(value.after);
      return sql.unblank(
        `CASE WHEN ${sql.beginsWith(whole, value.prefix)} THEN trim(substring(${whole}, ${Array.from(value.prefix).length + 1})) END`,
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
        values: `[${value.map((_, i) => sql.textOrNumber(sql.nth('pair', i + 1))).join(', ')}]`,
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
        `SELECT ${sql.allBut('pair')}, ${sql.firstFilled(values)} AS ${name} FROM (SELECT *, ${found} AS pair FROM (${inner}))`,
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

  /** JSON numbers that are no integers have no text, but are times. Elements of a list are JSON in every container. */
  rawNumber(value: Value, text: string): string {
    const leaf = this.leafOf(value);
    const isJson = this.isJson || (typeof value === 'object' && 'element' in value);
    return leaf && isJson ? `coalesce(${text}, ${leaf.raw})` : text;
  }

  condition(condition: Condition): string {
    if ('has' in condition) {
      const leaf = this.leafOf(condition.has);
      // a list, an object or any number is there, too
      return leaf && this.isJson
        ? `(${leaf.filled} IS NOT NULL OR (${leaf.raw} IS NOT NULL AND ${leaf.raw} NOT LIKE '"%' AND ${leaf.raw} NOT IN ('[]', '{}')))`
        : `${this.text(condition.has)} IS NOT NULL`;
    }
    if ('is' in condition)
      return `coalesce(${this.text(condition.value)} IN (${condition.is.map(literal).join(', ')}), false)`;
    if ('above' in condition) {
      const text = this.rawNumber(condition.value, this.text(condition.value));
      return `coalesce(${sql.numberOf(text)} > ${condition.above}, false)`;
    }
    if ('contains' in condition)
      return `coalesce(${sql.hasPart(`lower(${this.text(condition.value)})`, condition.contains)}, false)`;
    if ('not' in condition) return `NOT ${this.condition(condition.not)}`;
    if ('all' in condition) return `(${condition.all.map((each) => this.condition(each)).join(' AND ')})`;
    return `(${condition.any.map((each) => this.condition(each)).join(' OR ')})`;
  }
}
