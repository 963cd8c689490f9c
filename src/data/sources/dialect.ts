/**
 * Every place where the SQL that reads records leaves the standard: how DuckDB takes JSON and text apart. Knows expressions; does
 * not know tables or formats. What becomes of entries is SQL for other engines, too (`dialects/dialect.ts`).
 */
import { literal } from '../sql-text.js';

/** Blanks of all kinds: what makes an id empty. */
const BLANK_CHARACTERS =
  ' \t\n\r\v\f\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF';
const BLANKS = literal(BLANK_CHARACTERS);
const ISO = literal(String.raw`\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?`);
const LATEST = '8.64e15'; // milliseconds; the limit of JavaScript dates

/** The JSON path of a list of names; the empty list is the value itself. A name * would be all names, in quotes too, but not in a JSON pointer. */
const pathOf = (names: readonly (string | number)[]): string =>
  names.includes('*')
    ? pointerOf(names)
    : `$${names.map((name) => (typeof name === 'number' ? `[${name}]` : `."${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`)).join('')}`;

const pointerOf = (names: readonly (string | number)[]): string =>
  names.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Whether a text is JSON. */
export const isJson = (text: string): string => `json_valid(${text})`;

/** The values at some paths of a JSON text as a list of JSON texts, null where there is nothing; one reading for all. */
export const jsonAt = (text: string, paths: readonly (readonly (string | number)[])[]): string =>
  `json_extract(${text}, [${paths.map((path) => literal(pathOf(path))).join(', ')}])`;

/** The `position`-th (from 1) of a list of JSON texts, as text; JSON's null is null. */
export const nth = (list: string, position: number): string => `nullif(CAST(${list}[${position}] AS VARCHAR), 'null')`;

/** The same of a text that may be no JSON: then nothing. */
export const soundJsonAt = (text: string, paths: readonly (readonly (string | number)[])[]): string =>
  `TRY(${jsonAt(text, paths)})`;

/** The elements of a JSON list as a list of JSON texts; empty where it is no list. */
export const elementsOf = (json: string): string => `coalesce(TRY(json_extract(${json}, '$[*]')), [])`;

/** Of every element of a JSON list that has it, the value of a field, in order. */
export const keysOf = (json: string, field: string): string =>
  `CAST(coalesce(TRY(json_extract(${json}, ${literal(`$[*]${pathOf([field]).slice(1)}`)})), []) AS VARCHAR[])`;

/** The element of a list whose field is this text. `keys`: that field of every element, unless some lack it. */
export const pairNamed = (elements: string, keys: string, field: string, text: string): string =>
  `CASE WHEN len(${keys}) = len(${elements}) THEN ${elements}[list_position(${keys}, ${literal(JSON.stringify(text))})]
    ELSE list_filter(${elements}, lambda x: ${nth(jsonAt('x', [[field]]), 1)} = ${literal(JSON.stringify(text))})[1] END`;

/** Rows of a list: this selects its elements, beside `positions`, which counts them from 0. */
export const eachOf = (list: string): string => `unnest(${list})`;
export const positionsOf = (list: string): string => `unnest(range(len(${list})))`;

/** The text of a JSON text or number: numbers are the digits of an integer below 2^53, everything else is null. */
export const textOfJson = (json: string): string => `CASE
  WHEN ${json} LIKE '"%' AND NOT contains(${json}, '\\') THEN substring(${json}, 2, length(${json}) - 2)
  WHEN ${json} LIKE '"%' THEN json_extract_string(${json}, '$')
  WHEN abs(TRY_CAST(${json} AS DOUBLE)) < 9007199254740992 AND TRY_CAST(${json} AS DOUBLE) = trunc(TRY_CAST(${json} AS DOUBLE))
    THEN CAST(CAST(TRY_CAST(${json} AS DOUBLE) AS BIGINT) AS VARCHAR) END`;

/** The same, but of every number. */
export const textOrNumber = (json: string): string =>
  `coalesce(${textOfJson(json)}, CASE WHEN ${json} >= '-' AND ${json} < ':' THEN ${json} END)`;

/** The value of an attribute as one text: texts as they are, numbers and truth as JSON writes them, lists joined by spaces; deeper values are null. */
export const attributeOfJson = (json: string): string => `CASE
  WHEN ${json} LIKE '"%' THEN json_extract_string(${json}, '$')
  WHEN ${json} LIKE '[%' THEN array_to_string(from_json(${json}, '["VARCHAR"]'), ' ')
  WHEN ${json} = 'null' OR ${json} LIKE '{%' THEN NULL
  ELSE coalesce(${textOfJson(json)}, CAST(${json} AS VARCHAR)) END`;

/** A JSON object's names and values, as lists in the same order. */
export const namesOf = (json: string): string => `json_keys(${json})`;
export const valuesOf = (json: string): string => `json_extract(${json}, '$.*')`;
export const valueNamed = (json: string, name: string): string =>
  `CAST(json_extract(${json}, ${literal(pathOf([name]))}) AS VARCHAR)`;

/** The first name in a JSON object whose value is an object, or a list that holds an object or a list; null if there is none. */
export const firstNested = (json: string): string =>
  `list_filter(list_zip(${namesOf(json)}, ${valuesOf(json)}), lambda pair: pair[2] LIKE '{%' OR trim(pair[1]) = ''
    OR len(list_filter(${elementsOf('pair[2]')}, lambda element: element LIKE '{%' OR element LIKE '[%')) > 0)[1][1]`;

/** The members of a JSON object, made of names and SQL texts; nulls are left out. */
export const jsonObject = (members: readonly (readonly [name: string, text: string])[]): string =>
  members.length === 0
    ? `'{}'`
    : `CAST(json_merge_patch('{}', json_object(${members.map(([name, text]) => `${literal(name)}, ${text}`).join(', ')})) AS VARCHAR)`;

/** A JSON object without one of its members. */
export const without = (json: string, name: string): string =>
  `CAST(json_merge_patch(${json}, json_object(${literal(name)}, NULL)) AS VARCHAR)`;

/** A JSON object, which may be null, with one member more, first. */
export const withMember = (json: string, name: string, text: string): string =>
  `CAST(json_merge_patch(json_object(${literal(name)}, ${text}), coalesce(${json}, '{}')) AS VARCHAR)`;

/** A JSON object made of a list of JSON objects, each with the name and the value of a member; those that lack one are left out. */
export const objectOfPairs = (elements: string, name: readonly string[], value: readonly string[]): string =>
  `'{' || coalesce(array_to_string(list_transform(list_filter(${elements},
    lambda x: ${nth(jsonAt('x', [name]), 1)} LIKE '"_%"' AND ${nth(jsonAt('x', [value]), 1)} IS NOT NULL),
    lambda x: ${nth(jsonAt('x', [name]), 1)} || ':' || ${nth(jsonAt('x', [value]), 1)}), ','), '') || '}'`;

/** A query as it is compared: `normaliseQuery` of `../vocabulary.ts`, which `../database.ts` lets SQL call. ASCII needs less. */
export const comparedQuery = (query: string): string =>
  `CASE WHEN strlen(${query}) = length(${query}) THEN trim(regexp_replace(lower(${query}), '[ \\t\\n\\v\\f\\r]+', ' ', 'g')) ELSE normalise_query(${query}) END`;

/** Null where a text is empty or blank. What begins with a visible ASCII character, which nearly everything does, is not looked at further. */
export const unblank = (text: string): string =>
  `CASE WHEN ${text} >= '!' AND ${text} < chr(127) THEN ${text} WHEN trim(${text}, ${BLANKS}) <> '' THEN ${text} END`;

/** A name without case, blanks, dashes and underscores. */
export const folded = (text: string): string => `translate(lower(${text}), ${literal(`${BLANK_CHARACTERS}-_`)}, '')`;

/** Texts joined by blanks; those in a text, but for the last, are marked, so that it is seen where each ends. */
export const together = (texts: readonly string[]): string =>
  `(${texts.map((text, i) => (i === texts.length - 1 ? text : `replace(replace(${text}, '\\', '\\\\'), ' ', '\\ ')`)).join(` || ' ' || `)})`;

/** The first of a list of texts that is not blank. */
export const firstFilled = (list: string): string => `list_filter(${list}, lambda x: ${unblank('x')} IS NOT NULL)[1]`;

/** A list, `[20, 34]`, as words; an object is none; `otherwise` is what else it is as a text. */
export const wordsOfList = (text: string, otherwise: string): string =>
  `CASE WHEN ${text} LIKE '[%' THEN coalesce(array_to_string(TRY(from_json(${text}, '["VARCHAR"]')), ' '), trim(regexp_replace(${text}, '[\\[\\],''" ]+', ' ', 'g'))) WHEN ${text} NOT LIKE '{%' THEN ${otherwise} END`;

/** The fields of a line of text, or of a JSON list of texts. */
export const split = (text: string, separator: string): string => `string_split(${text}, ${literal(separator)})`;
export const fieldsOfJson = (json: string): string => `from_json(${json}, '["VARCHAR"]')`;
export const lengthOf = (list: string): string => `len(${list})`;

/** Lines of pieces of text: a row per line, with its number. `pieces` has `first`, the number of its first line, and `text`. */
export const linesOf = (pieces: string): string =>
  `SELECT file, first + unnest(range(len(lines))) AS line, unnest(lines) AS text FROM (
    SELECT file, first, string_split(text, chr(10)) AS lines FROM ${pieces})`;

/** Milliseconds since 1970 of an ISO 8601 text, null when it is none. Without a zone it is UTC. */
export const isoTime = (text: string): string => `CASE WHEN regexp_full_match(trim(${text}), ${ISO}) THEN CAST(
  CASE WHEN regexp_matches(${text}, '\\d[+-]\\d\\d:?\\d\\d\\s*$') AND contains(${text}, ':')
    THEN epoch_ms(TRY_CAST(${withSeconds(`trim(${text})`)} AS TIMESTAMPTZ))
    ELSE epoch_ms(TRY_CAST(rtrim(trim(${text}), 'Z') AS TIMESTAMP)) END AS DOUBLE) END`;
const withSeconds = (text: string): string =>
  `regexp_replace(${text}, '^(.{10}[T ]\\d\\d:\\d\\d)([Z+-].*)$', '\\1:00\\2')`;

/** Milliseconds since 1970 of a number in some unit, null when it is none or too large. */
export const numericTime = (text: string, milliseconds: number): string =>
  `CASE WHEN abs(TRY_CAST(${text} AS DOUBLE) * ${milliseconds}) <= ${LATEST} AND NOT contains(${text}, '_') THEN TRY_CAST(${text} AS DOUBLE) * ${milliseconds} END`;

/** The same of a column of numbers. */
export const scaledTime = (column: string, milliseconds: number): string =>
  `CASE WHEN abs(${column} * ${milliseconds}) <= ${LATEST} THEN ${column} * ${milliseconds} END`;

/** Milliseconds since 1970 of a number of seconds, milliseconds or microseconds, told apart by its size: 10^11 is the year 5138 in seconds and 1973 in milliseconds. */
export const sizedTime = (text: string): string =>
  `CASE WHEN abs(TRY_CAST(${text} AS DOUBLE)) < 1e11 THEN ${numericTime(text, 1000)} WHEN abs(TRY_CAST(${text} AS DOUBLE)) < 1e14 THEN ${numericTime(text, 1)} ELSE ${numericTime(text, 0.001)} END`;

/** The first ten bytes of the SHA-256 of a text. */
export const fingerprint = (text: string): string => `unhex(substring(sha256(${text}), 1, 20))`;

/** A text cut to some characters. */
export const cut = (text: string, characters: number): string => `substring(${text}, 1, ${characters})`;

/** A text in quotes, cut, for messages. */
export const shown = (text: string): string => `CAST(to_json(${cut(text, 80)}) AS VARCHAR)`;

/** Whether a text begins with another, case aside. */
export const beginsWith = (text: string, prefix: string): string =>
  `starts_with(lower(${text}), ${literal(prefix.toLowerCase())})`;

/** A time in milliseconds since 1970 as ISO 8601 text, for messages; a number where there is no such date. */
export const shownTime = (time: string): string =>
  `coalesce(strftime(make_timestamp(TRY_CAST(${time} * 1000 AS BIGINT)), '%Y-%m-%dT%H:%M:%SZ'), CAST(${time} AS VARCHAR))`;

/** Of a group, the value of `column` where `by` is least or most. */
export const atLeast = (column: string, by: string): string => `arg_min(${column}, ${by})`;
export const atMost = (column: string, by: string): string => `arg_max(${column}, ${by})`;

/** Texts of a group, joined in an order. */
export const joinedInOrder = (text: string, between: string, order: string): string =>
  `string_agg(${text}, ${literal(between)} ORDER BY ${order})`;

/** A text as JSON. */
export const jsonText = (text: string): string => `CAST(to_json(${text}) AS VARCHAR)`;

/** A text without double quotes around it. */
export const unquoted = (text: string): string => `trim(${text}, '"')`;

/** A number in a text, null where it is none; NaN, which is more than every number to DuckDB, is none. */
export const numberOf = (text: string): string => `nullif(TRY_CAST(${text} AS DOUBLE), CAST('NaN' AS DOUBLE))`;

/** The least number that a field has in the elements of a JSON list, as text; null where there is none. */
export const leastIn = (json: string, field: string): string =>
  `CAST(list_min(list_filter(list_transform(${keysOf(json, field)}, lambda x: TRY_CAST(${unquoted('x')} AS DOUBLE)), lambda x: isfinite(x))) AS VARCHAR)`;

/** Whether a text has a part. */
export const hasPart = (text: string, part: string): string => `contains(${text}, ${literal(part)})`;

/** The elements of a list that are not null. */
export const presentOf = (list: string): string => `list_filter(${list}, lambda x: x IS NOT NULL)`;

/** All columns but these. */
export const allBut = (...columns: readonly string[]): string => `* EXCLUDE (${columns.join(', ')})`;
