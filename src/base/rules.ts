/**
 * Rules for values that come from outside: a file that somebody may have edited, an option. Knows kinds and bounds;
 * does not know what the values mean. A rule says what is wrong in a few words, or null when the value fits.
 */
export type Rule = (value: unknown, name: string) => string | null;

const shown = (value: unknown): string => {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};
const rule =
  (fits: (value: unknown) => boolean, what: string): Rule =>
  (value, name) =>
    fits(value) ? null : `${name} must be ${what}, not ${shown(value)}`;

export const isTrueOrFalse: Rule = rule((value) => typeof value === 'boolean', 'true or false');
export const isText: Rule = rule((value) => typeof value === 'string', 'a text');

/** A whole number in [least, most]. */
export function isWhole(least: number, most: number = Number.MAX_SAFE_INTEGER): Rule {
  const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  return rule(
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
    `a whole number ${bounds}`,
  );
}

/** A finite number for which `fits` holds. */
export function isNumber(what = 'a number', fits: (value: number) => boolean = () => true): Rule {
  return rule((value) => typeof value === 'number' && Number.isFinite(value) && fits(value), what);
}

export const isNotNegative = isNumber('a number from 0', (value) => value >= 0);
export const isPositive = isNumber('a number above 0', (value) => value > 0);
export const isProbability = isNumber('a number from 0 to 1', (value) => value >= 0 && value <= 1);

export function isOneOf(...values: readonly unknown[]): Rule {
  return rule((value) => values.includes(value), values.map((value) => JSON.stringify(value)).join(' or '));
}

export function isListOf(entry: Rule): Rule {
  return (value, name) =>
    Array.isArray(value)
      ? firstOf(value.map((one, position) => () => entry(one, `${name}[${position}]`)))
      : `${name} must be a list, not ${shown(value)}`;
}

/** An object whose every field is by one rule, whatever it is called. */
export function isDictionaryOf(entry: Rule): Rule {
  return (value, name) =>
    isRecordOf({})(value, name) ??
    firstOf(
      Object.entries(value as object).map(
        ([field, one]) =>
          () =>
            entry(one, `${name}[${JSON.stringify(field)}]`),
      ),
    );
}

/** An object with these fields, each by its rule; others are not looked at. */
export function isRecordOf(fields: Readonly<Record<string, Rule>>): Rule {
  return (value, name) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return `${name} must be an object, not ${shown(value)}`;
    const prefix = name === '' ? '' : `${name}.`;
    return firstOf(
      Object.entries(fields).map(
        ([field, own]) =>
          () =>
            own(Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined, prefix + field),
      ),
    );
  };
}

/** Whatever one of two rules allows; the second one tells what is wrong. */
export function isEither(first: Rule, second: Rule): Rule {
  return (value, name) => (first(value, name) === null ? null : second(value, name));
}

/** What two rules both allow. */
export function isBoth(first: Rule, second: Rule): Rule {
  return (value, name) => first(value, name) ?? second(value, name);
}

function firstOf(checks: readonly (() => string | null)[]): string | null {
  for (const check of checks) {
    const wrong = check();
    if (wrong !== null) return wrong;
  }
  return null;
}
