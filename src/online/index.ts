/** The online floor's door: recommendations that follow what just happened. */
export * from './questions.js';
export type * from './engine-interface.js';
export type * from './inspection.js';
export { LiveEngine, openEngine } from './engine.js';
export { type LiveLog, throughOf, writeLiveLog } from './store/live-log.js';
export { openLmdbStore } from './store/lmdb-store.js';
export { isAddress, openStore, resolvedStore, shownStore } from './store/open-store.js';
export { type LiveStore, type Served, StoreAwayError, type StoredEvent, type StoredThing } from './store/store.js';
export { type Recovered, recoverStore } from './store/recover.js';
