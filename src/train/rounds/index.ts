/** Training in rounds of several workers: shares, what moved, and what becomes of it. The door. */
export { summedBlocks } from './blocks.js';
export { OuterOptimizer, type OuterOptions } from './outer.js';
export { type RoundStart, startFrom } from './held.js';
export { type Round, type ShareReport, type Trained, Workbench, workShare } from './worker.js';
export { fitInRounds, roundsHere, sharesOf, type RoundOptions, type RunRound } from './fit.js';
