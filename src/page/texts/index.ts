/**
 * The texts of the page in the language of whoever reads it. A language is a file beside `en.ts` of the same shape, which the compiler
 * checks, and an entry here; texts of people and items are data and do not come from here.
 */
import { en } from './en.js';

export type Texts = typeof en;

interface Language {
  readonly tag: string;
  readonly direction: 'ltr' | 'rtl';
  readonly texts: Texts;
}

const LANGUAGES: readonly [Language, ...Language[]] = [{ tag: 'en', direction: 'ltr', texts: en }];

/** The first language of the browser that there is; the first of all otherwise. */
export const language: Language =
  navigator.languages
    .map((wanted) => LANGUAGES.find(({ tag }) => wanted === tag || wanted.startsWith(`${tag}-`)))
    .find((found) => found !== undefined) ?? LANGUAGES[0];

export const { texts } = language;

const numbers = new Intl.NumberFormat(language.tag);
const dates = new Intl.DateTimeFormat(language.tag, { dateStyle: 'medium', timeZone: 'UTC' });
const moments = new Intl.DateTimeFormat(language.tag, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
const hasClock = (time: string): boolean => !/T00:00(:00(\.0+)?)?Z?$/.test(time);

/** 12,101 */
export const numberText = (value: number): string => numbers.format(value);
/** A share or a weight: 0.123, or 0.00012 where it is small. */
export const figureText = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.001 ? value.toPrecision(2) : value.toFixed(3);
/** A time in UTC, with the clock only where it has one; empty for none. Whatever it stands in says that it is UTC. */
export const timeText = (time: string | null): string =>
  time === null ? '' : (hasClock(time) ? moments : dates).format(new Date(time));
/** The same where nothing else says so. */
export const momentText = (time: string | null): string =>
  time !== null && hasClock(time) ? `${timeText(time)} UTC` : timeText(time);
export const dateText = (time: string | null): string => (time === null ? '' : dates.format(new Date(time)));
