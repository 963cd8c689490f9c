/** One moment per user at which histories are looked at. Knows targets; does not know models. */
import { at } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import type { Case } from '../features/index.js';

/**
 * The moment of each user's test target, in order of user index. Only what came before it may be looked at: the target itself
 * is not, so this is no look at the test.
 */
export function testMoments(dataset: Dataset): Case[] {
  return Array.from({ length: dataset.users.ids.length - FIRST_INDEX }, (_, i) => ({
    user: FIRST_INDEX + i,
    feedPosition: at(dataset.targets.test, FIRST_INDEX + i),
  })).filter(({ feedPosition }) => feedPosition >= 0);
}
