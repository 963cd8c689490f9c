/**
 * The leak audit of a data set: whether anything crosses from what is held out into what a model learns from or is
 * shown. Knows which checks there are and what each split lets through by nature; does not know how a report is printed.
 */
import type { Dataset, Split } from '../data/index.js';
import { type Ranker, popularityRanker } from '../model/index.js';
import {
  type Check,
  type NamedCandidates,
  checkCandidates,
  checkHistories,
  checkPopularity,
  checkTargets,
  checkTraining,
  checkVocabularies,
} from './checks.js';
import { type Crossing, countCrossings } from './crossings.js';

export interface AuditReport {
  /** Whether every check holds. Crossings are no failures. */
  readonly ok: boolean;
  readonly split: Split;
  readonly checks: readonly Check[];
  /** What the split lets through by nature; null when the log has no times to count by. */
  readonly crossings: readonly Crossing[] | null;
}

/**
 * Audits a data set and the candidate lists used with it. `popularity`: the ranker that is held to the counts of
 * training; the usual one unless told.
 */
export async function audit(
  dataset: Dataset,
  candidates: readonly NamedCandidates[],
  { popularity = popularityRanker(dataset) }: { popularity?: Ranker } = {},
): Promise<AuditReport> {
  const checks = [
    ...checkTraining(dataset),
    checkTargets(dataset),
    ...checkHistories(dataset),
    ...checkVocabularies(dataset),
    await checkPopularity(dataset, popularity),
    ...candidates.flatMap((named) => checkCandidates(dataset, named)),
  ];
  return {
    ok: checks.every(({ ok }) => ok),
    split: dataset.manifest.split,
    checks,
    crossings: countCrossings(dataset, candidates),
  };
}
