/** Opens a live store wherever it lies. Knows how addresses are told from directories; does not know either kind. */
import { resolve } from 'node:path';
import { openLmdbStore } from './lmdb-store.js';
import { shownUrl } from '../../base/index.js';
import type { RedisOptions } from './open-redis-store.js';
import type { LiveStore } from './store.js';

const REDIS = /^rediss?:/i;

/** Whether a store is an address, not a directory. */
export const isAddress = (place: string): boolean => REDIS.test(place);

/** Where a store is, to be shown: without a password. */
export const shownStore = (place: string): string => (isAddress(place) ? shownUrl(place) : place);

/** A directory made absolute; an address as it is. */
export const resolvedStore = (place: string): string => (isAddress(place) ? place : resolve(place));

/** Opens the store, or makes it, unless `readOnly`. */
export async function openStore(place: string, options: RedisOptions = {}): Promise<LiveStore> {
  if (!isAddress(place)) return openLmdbStore(place, options);
  const { openRedisStore } = await import('./open-redis-store.js'); // five hundred files, for who has a Redis
  return openRedisStore(place, options);
}
