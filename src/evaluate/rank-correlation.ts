/** Whether two orders agree. Knows numbers; does not know what is ordered. */
import { assert, at } from '../base/index.js';

/**
 * Kendall's τ_b of paired values: (concordant - discordant) pairs, over √((pairs not tied in one) · (pairs not tied in the
 * other)); 1 for the same order, -1 for the reverse. Pairs that are tied in either count for neither side (Kendall, "The
 * treatment of ties in ranking problems", Biometrika 1945). NaN where one has no two different values.
 */
export function kendallTau(one: ArrayLike<number>, other: ArrayLike<number>): number {
  assert(one.length === other.length, `${one.length} values cannot be paired with ${other.length}`);
  let [agreement, ofOne, ofOther] = [0, 0, 0];
  for (let i = 0; i < one.length; i++) {
    for (let j = 0; j < i; j++) {
      const signs = [Math.sign(at(one, i) - at(one, j)), Math.sign(at(other, i) - at(other, j))] as const;
      agreement += signs[0] * signs[1];
      if (signs[0] !== 0) ofOne++;
      if (signs[1] !== 0) ofOther++;
    }
  }
  return agreement / Math.sqrt(ofOne * ofOther);
}
