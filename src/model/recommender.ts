/**
 * What every recommender can do, from popularity to SESRec. Knows cases and candidates; does not know how a score
 * comes about, nor metrics.
 */
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
