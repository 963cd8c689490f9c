/** Numbers and lists as sentences have them. Knows wording; does not know what is counted. */
import { counted } from '../../base/index.js';
import { decimals as plainDecimals } from '../table.js';

/** A metric, with a minus that is one: pages are not typed on a terminal. */
export const decimals = (value: number): string => plainDecimals(value).replace('-', '\u{2212}');

const NUMBERS = 'no one two three four five six seven eight nine ten eleven twelve'.split(' ');
export const numberWord = (count: number): string => NUMBERS[count] ?? counted(count);
const ORDINALS = 'first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth'.split(' ');
export const ordinal = (place: number): string => ORDINALS[place - 1] ?? `number ${place}`;
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
export const listOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
