/** The door to analyses: what a data set shows about itself. */
export { behaviour, type Behaviour, type BehaviourOptions, type BehaviourShares, type Share } from './behaviour.js';
