/** Numbers and plurals as English writes them. Knows rules; does not know texts. */
const rules = new Intl.PluralRules('en');
export const number = new Intl.NumberFormat('en').format;
export const plural = (count: number, one: string, other: string): string =>
  `${number(count)} ${rules.select(count) === 'one' ? one : other}`;
