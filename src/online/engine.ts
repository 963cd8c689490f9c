/** Opens the recommender. Under construction: the interface stands, see questions.ts. */
import type { Engine, EngineOptions } from './questions.js';

/** Opens the store, loads the run, warms up. The caller closes it. */
export async function openEngine(_options: EngineOptions): Promise<Engine> {
  throw new Error('not built yet');
}
