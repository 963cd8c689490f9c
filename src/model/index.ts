/** The model wing's door. */
export type { Case, Ranker } from './recommender.js';
