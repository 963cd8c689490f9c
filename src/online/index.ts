/** The online floor's door: recommendations that follow what just happened. */
export * from './questions.js';
export { openEngine } from './engine.js';
