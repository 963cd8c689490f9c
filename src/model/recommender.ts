/**
 * What every recommender can do, from popularity to SESRec. Knows cases and candidates; does not know how a score
 * comes about, nor metrics.
 */

/**
 * A moment in one user's life for which items are ranked. The history is what lies strictly before it: the feed
 * events before `feedPosition`, the searches with a smaller ordinal, without the search that led to the target.
 */
export interface Case {
  /** User index. */
  readonly user: number;
  /** Position in the feed columns of the target, or `feedOffsets[user + 1]` for "now", after everything logged. */
  readonly feedPosition: number;
}

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
