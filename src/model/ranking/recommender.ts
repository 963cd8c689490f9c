/**
 * What every recommender can do, from popularity to SESRec. Knows cases and candidates; does not know how a score
 * comes about, nor metrics.
 */
import { Largest, NotFiniteError, at, range } from '../../base/index.js';
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

/** Scores that are kept at once while ranks are counted. */
const SCORES_AT_ONCE = 2 ** 24;

/**
 * The ranks of some items for each case, 1 for the best, among all of a catalogue but `excluded` ones; equal scores in order of
 * index, as `recommend` has them. Row-major (cases.length, items.length).
 * @param catalogue items of the catalogue, padding and unknown included
 */
export async function ranksOfItems(
  ranker: Ranker,
  cases: readonly Case[],
  items: readonly number[],
  { catalogue, excluded }: { readonly catalogue: number; readonly excluded: ReadonlySet<number> },
): Promise<Int32Array> {
  const ranks = new Int32Array(cases.length * items.length);
  const candidates = range(catalogue).filter((item) => item >= FIRST_INDEX && !excluded.has(item));
  const atOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / catalogue));
  for (let start = 0; start < cases.length; start += atOnce) {
    const own = cases.slice(start, start + atOnce);
    const scores = new Float32Array(own.length * catalogue);
    await ranker.scoreAll(own, (stretch) => {
      refuseNaN(ranker, stretch.firstItem, stretch.scores);
      scores.set(stretch.scores, stretch.position * catalogue + stretch.firstItem);
    });
    for (const row of own.keys())
      ranks.set(
        ranksAmong(scores.subarray(row * catalogue, (row + 1) * catalogue), items, candidates),
        (start + row) * items.length,
      );
  }
  return ranks;
}

function ranksAmong(scores: Float32Array, items: readonly number[], candidates: Int32Array): number[] {
  return items.map((item) => {
    const own = at(scores, item);
    let before = 0;
    for (const other of candidates) {
      const score = at(scores, other);
      if (score > own || (score === own && other < item)) before++;
    }
    return 1 + before;
  });
}

/** NaN has no place in an order: without a word, such items would be missing from lists. */
function refuseNaN({ name }: Ranker, firstItem: number, scores: Float32Array): void {
  if (scores.subarray(Math.max(0, FIRST_INDEX - firstItem)).some(Number.isNaN))
    throw new NotFiniteError(`${name} scores items as NaN, which has no rank, so the model is broken: train it again`);
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
  await ranker.scoreAll(cases, ({ position, firstItem, scores }) => {
    refuseNaN(ranker, firstItem, scores);
    best[position]?.offer(scores, firstItem, (item) => item >= FIRST_INDEX && !excluded[position]?.has(item));
  });
  return best.map((largest) => largest.sorted().map(({ index, value }) => ({ item: index, score: value })));
}
