/**
 * Rules that settings of several models go by. Knows what widths, heads and layers must be; does not know any one model.
 */
import { isListOf, isNumber, isWhole } from '../../base/index.js';

/** Units of a layer. The bound is far beyond any use, and keeps a slip of the finger from asking for more memory than there is. */
export const isWidth = isWhole(1, 4096);
export const areWidths = isListOf(isWidth);
/** How much is dropped. */
export const isRate = isNumber('a number from 0 and below 1', (value) => value >= 0 && value < 1);

/** What keeps a width from being split into attention heads; null when nothing does. */
export function wrongHeads(what: string, width: number, heads: number): string | null {
  return width % heads === 0 ? null : `${what} of ${width} cannot be split into ${heads} heads`;
}

/** What keeps the layers of a perceptron from ending in a logit; null when nothing does. */
export function wrongLogit(hidden: readonly number[]): string | null {
  return hidden.at(-1) === 1 ? null : `the last layer of hidden must have 1 unit, not ${hidden.at(-1) ?? 'none'}`;
}
