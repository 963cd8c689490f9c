/**
 * All that can be compared, trained and counted, in the order in which tables show it: that of Table 2 of the SESRec paper, then
 * what the paper does not have. Knows ids; does not know how anything ranks.
 */
import { COUNTED_IDS, type CountedId, countedRankers } from './counted.js';
import type { ModelCard } from '../definition/model.js';
import { MODEL_IDS, type ModelId, models } from './registry.js';

export const GROUPS = ['sequential', 'search-aware', 'beyond the paper'] as const;
export type Group = (typeof GROUPS)[number];
export type RankerId = ModelId | CountedId;

/** The rows of Table 2. A model that is not among them is beyond the paper. */
const PAPER: Readonly<Record<Exclude<Group, 'beyond the paper'>, readonly string[]>> = {
  sequential: ['stamp', 'din', 'gru4rec', 'sasrec', 'dien', 'fmlp-rec'],
  'search-aware': ['nrhub', 'jsr', 'iv4rec', 'query-seqrec', 'srjgraph', 'sesrec'],
};

const isOfPaper = (id: RankerId): boolean => Object.values(PAPER).some((rows) => rows.includes(id));
const known: readonly RankerId[] = [...MODEL_IDS, ...COUNTED_IDS];

/** Every id, in order. */
export const RANKER_IDS: readonly RankerId[] = [
  ...Object.values(PAPER).flatMap((rows) => rows.flatMap((row) => known.filter((id) => id === row))),
  ...known.filter((id) => !isOfPaper(id)),
];

/** The part of a table that a row belongs to. */
export function groupOf(id: RankerId): Group {
  return GROUPS.find((group) => group !== 'beyond the paper' && PAPER[group].includes(id)) ?? 'beyond the paper';
}

export const isCounted = (id: RankerId): id is CountedId => Object.hasOwn(countedRankers, id);

export function cardOf(id: RankerId): ModelCard {
  return isCounted(id) ? countedRankers[id].card : models[id].card;
}
