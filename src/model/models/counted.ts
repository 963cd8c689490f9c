/**
 * Every ranker that counts instead of being trained, by its id: the second table beside registry.ts. They have no settings, no
 * parameters and no seeds; a data set is all that they ask for.
 */
import type { Dataset } from '../../data/index.js';
import { itemToItemRanker } from './item-to-item.js';
import type { ModelCard } from '../definition/model.js';
import { popularityRanker } from './popularity.js';
import type { Ranker } from '../ranking/recommender.js';

export interface CountedRanker {
  readonly card: ModelCard;
  /** Counts what training may count of a data set. */
  readonly rank: (dataset: Dataset) => Ranker;
}

const popularity: CountedRanker = {
  card: {
    id: 'popularity',
    name: 'popularity',
    kind: 'counts',
    source: {
      authors: 'Cremonesi et al.',
      title: 'Performance of Recommender Algorithms on Top-N Recommendation Tasks',
      venue: 'RecSys',
      year: 2010,
    },
    idea: 'the same for everybody: the most met items first',
    sees: ['item ids'],
    extraLosses: [],
    differs: ['counts feed events of training only, never the held-out ones'],
  },
  rank: (dataset) => popularityRanker(dataset),
};

const itemToItem: CountedRanker = {
  card: {
    id: 'item-to-item',
    name: 'item-to-item',
    kind: 'counts',
    source: {
      authors: 'Linden et al.',
      title: 'Amazon.com Recommendations: Item-to-Item Collaborative Filtering',
      venue: 'IEEE Internet Computing',
      year: 2003,
    },
    idea: 'what is met by the same people is similar; what is similar to the newest actions comes first',
    sees: ['item ids', 'order'],
    extraLosses: [],
    differs: [
      'items that are near in a sequence, and the newest ones of the history, weigh more; the paper: all alike',
      'similarity that rests on few people is shrunk',
    ],
  },
  rank: (dataset) => itemToItemRanker(dataset),
};

export const countedRankers = { popularity, 'item-to-item': itemToItem } as const satisfies Record<
  string,
  CountedRanker
>;
export type CountedId = keyof typeof countedRankers;
export const COUNTED_IDS = Object.keys(countedRankers) as CountedId[];
