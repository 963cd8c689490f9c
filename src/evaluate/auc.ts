/** The area under the ROC curve. Knows scores and two classes; does not know what is scored. */
import { assert, at } from '../base/index.js';

/**
 * The area under the ROC curve: how likely a positive scores above a negative, both drawn at random, equal scores counting one
 * half (Mann and Whitney). Constant scores get .5. NaN where either class is empty.
 */
export function auc(scores: ArrayLike<number>, isPositive: ArrayLike<boolean>): number {
  return weightedAuc(scores, isPositive, new Int32Array(scores.length))([1]);
}

/**
 * The same for those who ask again and again how it would be with other weights, as when users are resampled: entries belong
 * to owners, and an entry weighs as much as its owner. What does not depend on weights is worked out once.
 */
export function weightedAuc(
  scores: ArrayLike<number>,
  isPositive: ArrayLike<boolean>,
  owner: Int32Array,
): (weights: ArrayLike<number>) => number {
  assert(
    scores.length === isPositive.length && scores.length === owner.length,
    `${scores.length} scores, ${isPositive.length} classes and ${owner.length} owners`,
  );
  const order = Int32Array.from({ length: scores.length }, (_, entry) => entry);
  for (const entry of order) assert(!Number.isNaN(at(scores, entry)), `score ${entry} is not a number`);
  order.sort((one, other) => at(scores, one) - at(scores, other));
  const owners = order.map((entry) => at(owner, entry));
  const positive = Uint8Array.from(order, (entry) => (isPositive[entry] ? 1 : 0));
  /** Whether the next entry has a higher score. */
  const isLast = Uint8Array.from(order, (entry, place) =>
    place + 1 < order.length && at(scores, at(order, place + 1)) === at(scores, entry) ? 0 : 1,
  );
  return (weights) => {
    let [positives, negatives, wins] = [0, 0, 0];
    let [tiedPositives, tiedNegatives] = [0, 0];
    for (let place = 0; place < owners.length; place++) {
      const weight = at(weights, at(owners, place));
      if (at(positive, place) === 1) tiedPositives += weight;
      else tiedNegatives += weight;
      if (at(isLast, place) === 0) continue;
      wins += tiedPositives * (negatives + tiedNegatives / 2);
      positives += tiedPositives;
      negatives += tiedNegatives;
      [tiedPositives, tiedNegatives] = [0, 0];
    }
    return wins / (positives * negatives);
  };
}
