/**
 * What every recommender can do, from popularity to SESRec. Knows cases and candidates; does not know how a score
 * comes about, nor metrics.
 */
import { at, topIndices } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import type { Case } from '../features/index.js';

export type { Case };

/** Scores items for cases. Higher is better; scores are compared within a case only, and are logits where the model has any. */
export interface Ranker {
  readonly name: string;
  /**
   * Scores of given candidates.
   * @param candidates item indices, row-major (cases.length, perCase)
   * @returns row-major (cases.length, perCase)
   */
  score(cases: readonly Case[], candidates: Int32Array, perCase: number): Promise<Float32Array>;
  /** Scores of every item index, row-major (cases.length, items); those of padding and unknown carry no meaning. */
  scoreAll(cases: readonly Case[]): Promise<Float32Array>;
}

/** An item index and its score. */
export interface Recommendation {
  readonly item: number;
  readonly score: number;
}

/** The best items of the catalogue for a case, best first, equal ones by smaller index, without `excluded` ones. */
export async function recommend(
  ranker: Ranker,
  moment: Case,
  count: number,
  excluded: ReadonlySet<number> = new Set(),
): Promise<Recommendation[]> {
  const scores = await ranker.scoreAll([moment]);
  for (let meaningless = 0; meaningless < FIRST_INDEX; meaningless++) scores[meaningless] = Number.NaN;
  for (const item of excluded) scores[item] = Number.NaN;
  return topIndices(scores, count).map((item) => ({ item, score: at(scores, item) }));
}
