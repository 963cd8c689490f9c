/** The engine behind a server: settings to options, what happens to metrics and logs. Knows both sides; does not know HTTP. */
import { basename, dirname, join, resolve } from 'node:path';
import { type Engine, openEngine as open, resolvedStore } from '../online/index.js';
import type { Configuration, Metrics } from '../serve/index.js';

/** The directory of runs: that of the run unless told. */
export const runsOf = (run: string, { models }: Configuration): string =>
  models === '' ? dirname(resolve(run)) : resolve(models);

/** Says something in the log of the server: never of a person. */
export type Tell = (line: Readonly<Record<string, unknown>>) => void;

export async function openEngine(run: string, settings: Configuration, metrics: Metrics, tell: Tell): Promise<Engine> {
  const directory = resolve(run);
  return open({
    run: directory,
    runs: runsOf(run, settings),
    store:
      settings.store === '' ? join(dirname(directory), `${basename(directory)}.live`) : resolvedStore(settings.store),
    threads: settings.threads,
    exactUpTo: settings.exactUpTo,
    candidates: settings.candidates,
    cachedUsers: settings.cachedUsers,
    shadowShare: settings.shadowShare,
    begin: settings.begin,
    hooks: {
      answered: ({ source, milliseconds }) => metrics.ranking.observe({ source }, milliseconds / 1000),
      flushed: ({ milliseconds, writes }) => {
        metrics.flush.observe(milliseconds / 1000);
        metrics.flushed.inc(writes);
      },
      began: (model, why) =>
        tell({ level: 'warn', message: 'begins with another run than the one that was given', why, model }),
      switched: (model) => {
        metrics.modelInfo.reset();
        metrics.modelInfo.set({ ...model }, 1);
        tell({ level: 'info', message: 'another model answers', model });
      },
      storeAway: (reason) => {
        metrics.storeUp.set(reason === null ? 1 : 0);
        if (reason === null) tell({ level: 'info', message: 'the live store answers again' });
        else tell({ level: 'error', message: 'the live store does not answer', reason });
      },
      warned: (what) => tell({ level: 'warn', message: what }),
      // items are no people; the id of the answer leads to nobody without the store
      shadowed: (comparison) => tell({ level: 'info', message: 'shadow', ...comparison }),
      failed: (what, error) =>
        tell({ level: 'error', message: what, error: error instanceof Error ? error.stack : String(error) }),
    },
  });
}
