/** Numbers and plurals as English writes them. Knows rules; does not know texts. */
const rules = new Intl.PluralRules('en');
const numbers = new Intl.NumberFormat('en');

export const number = (value: number): string => numbers.format(value);
export const plural = (count: number, one: string, other: string): string =>
  `${number(count)} ${rules.select(count) === 'one' ? one : other}`;
