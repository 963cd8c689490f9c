/**
 * Why an entry is rejected, as SQL expressions. Knows what every kind of entry must have, and the words of messages; does not
 * know how records are read.
 */
import { literal } from '../database.js';
import * as sql from './dialect.js';
import { pathOf, type Expressions } from './expressions.js';
import type { AttributesMapping, Condition, EntryMapping, Table, Value } from './formats/format.js';

const quotedName = (path: readonly (string | number)[]): string => `"${path.join('.')}"`;

/** How a value is called in messages. */
function labelOf(value: Value): string {
  if (typeof value === 'string') return `"${value}"`;
  if ('path' in value) return quotedName(value.path);
  if ('element' in value) return quotedName([value.element === '' ? 'element' : value.element]);
  if ('first' in value) return value.first.map(labelOf).join(' or ');
  if ('joined' in value) return value.joined.map(labelOf).join(' and ');
  if ('together' in value) return value.together.map(labelOf).join(' and ');
  if ('parameter' in value) return `"${value.parameter}"`;
  if ('folded' in value) return labelOf(value.folded);
  if ('words' in value) return labelOf(value.words);
  if ('choose' in value) return labelOf(value.choose);
  if ('least' in value) return quotedName([value.of, value.least]);
  if ('after' in value) return labelOf(value.after);
  return value.constant;
}

export const isAttributes = (entry: EntryMapping): entry is AttributesMapping =>
  entry.kind === 'item' || entry.kind === 'user';

const isMissing = (raw: string): string => `${raw} IS NULL`;

/** The reasons for which one entry is rejected, in order, as branches of a CASE. */
export function reasonsOf(entry: EntryMapping, expressions: Expressions): string[] {
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

export const reasonOf = (branches: readonly string[]): string =>
  branches.length === 0 ? 'NULL' : `CASE ${branches.join(' ')} END`;

/** The values of a field that a condition asks for. */
function valuesIn(condition: Condition, field: Value): readonly string[] {
  if ('is' in condition) return JSON.stringify(condition.value) === JSON.stringify(field) ? condition.is : [];
  const inner = 'all' in condition ? condition.all : 'any' in condition ? condition.any : [];
  return inner.flatMap((each) => valuesIn(each, field));
}

/** The reason of a record that no mapping takes. */
export function unknownReason(table: Table, expressions: Expressions): string {
  if (table.typeOf === undefined) return literal(`it is no record of ${table.name}`);
  const leaf = expressions.leafOf(table.typeOf);
  const label = labelOf(table.typeOf);
  const type = table.typeOf;
  const known = [...new Set(table.entries.flatMap(({ when }) => (when ? valuesIn(when, type) : [])))];
  const text = expressions.text(table.typeOf);
  const use = known.length > 0 ? `: use ${known.join(', ')}` : '';
  return `CASE WHEN ${leaf?.raw ?? text} IS NULL THEN ${literal(`the field ${label} is missing`)}
    WHEN ${text} IS NULL THEN ${literal(`the field ${label} is `)} || ${sql.cut(leaf?.raw ?? text, 80)} || ': it must be a text that is not empty'
    ELSE ${literal(`unknown ${label.replaceAll('"', '')} `)} || ${sql.shown(text)} || ${literal(use)} END`;
}
