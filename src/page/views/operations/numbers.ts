/** Times as people read them. Knows seconds. */
import { texts } from '../../texts/index.js';

const words = texts.operations;

/** 12.3 ms, or 1.2 s. */
export const millisecondsText = (seconds: number | null): string =>
  seconds === null ? words.none : seconds < 1 ? words.milliseconds(1000 * seconds) : words.secondsText(seconds);

export function durationText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return words.days(Math.floor(hours / 24), hours % 24);
  return hours > 0 ? words.hours(hours, minutes % 60) : words.minutes(minutes, Math.floor(seconds % 60));
}
