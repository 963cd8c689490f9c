/** How much a search of an age counts before anything is learnt. Knows kinds of ages (features/search-ages.ts); does not know what counts. */
import { ageOf } from '../../../features/index.js';

/** Logarithm: two searches older, e times less; made since the newest feed event, e times more. */
export function recencyOf(kind: number): number {
  const { age, isSince } = ageOf(kind);
  return (isSince ? 1 : 0) - (age - 1) / 2;
}
