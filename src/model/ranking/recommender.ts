/**
 * What every recommender can do, from popularity to SESRec. Knows cases and candidates; does not know how a score
 * comes about, nor metrics.
 */
import { Largest } from '../../base/index.js';
import { FIRST_INDEX } from '../../data/index.js';
import type { Case } from '../../features/index.js';

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
  /**
   * Scores the whole catalogue for every case. Scores are handed out a stretch at a time, since together they may be more than
   * memory holds: every item index once per case; those of padding and unknown carry no meaning.
   * @param references an item per case whose score comes along with every stretch of that case
   */
  scoreAll(cases: readonly Case[], consume: (stretch: ScoredStretch) => void, references?: Int32Array): Promise<void>;
}

/** Scores of neighbouring items for one case. */
export interface ScoredStretch {
  /** Which of the cases. */
  readonly position: number;
  readonly firstItem: number;
  /** Of items firstItem, firstItem + 1, …; to be read before `consume` returns. */
  readonly scores: Float32Array;
  /** The score of the case's reference, the same as among `scores` to the last bit; null without references. */
  readonly reference: number | null;
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
  const [best] = await recommendEach(ranker, [moment], count, () => excluded);
  return best as Recommendation[];
}

/** The same for several cases at once; `excludedFor` is asked once for each. */
export async function recommendEach(
  ranker: Ranker,
  cases: readonly Case[],
  count: number,
  excludedFor: (moment: Case) => ReadonlySet<number>,
): Promise<Recommendation[][]> {
  const excluded = cases.map(excludedFor);
  const best = cases.map(() => new Largest(count));
  await ranker.scoreAll(cases, ({ position, firstItem, scores }) =>
    best[position]?.offer(scores, firstItem, (item) => item >= FIRST_INDEX && !excluded[position]?.has(item)),
  );
  return best.map((largest) => largest.sorted().map(({ index, value }) => ({ item: index, score: value })));
}
