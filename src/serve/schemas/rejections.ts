/** Why an event was refused, in a line. Knows words only; imports nothing that runs: the client and the page read it in a browser. */
import type { Rejection } from './events.js';

export const reasonOf = ({ pointer, message }: Pick<Rejection, 'pointer' | 'message'>): string =>
  `${pointer} ${message}`.trim();
