/**
 * Runs and comparisons for whoever watches them: what a server is handed to tell of them, and one that is followed while it trains. Knows
 * names and order; does not know files.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Curve, ExperimentAnswer, ExperimentEntry, ExperimentsAnswer, LiveEpoch } from './schemas/index.js';

/** What changes while something trains. */
export interface Progress {
  readonly state: ExperimentEntry['state'];
  readonly curves: readonly Curve[];
}

/** Names come from strangers, checked by the schema: one segment, no dot in front. Null for what there is not. */
export interface Experiments {
  list(): Promise<ExperimentsAnswer>;
  one(name: string): Promise<ExperimentAnswer | null>;
  /** Asked every second while somebody watches. */
  progress(name: string): Promise<Progress | null>;
  /** A page of HTML that stands alone. A `UserError` where it cannot be made. */
  report(name: string): Promise<string | null>;
}

/** For a server without a directory of runs. */
export const NO_EXPERIMENTS: Experiments = {
  list: async () => ({ experiments: [], left_out: 0 }),
  one: async () => null,
  progress: async () => null,
  report: async () => null,
};

const POLL_MILLISECONDS = 1000;
/** Proxies close connections on which nothing comes. */
const HEARTBEAT_MILLISECONDS = 15_000;

export interface Watching {
  /** How many epochs of each curve are known, by label and seed: only what is new is told. */
  readonly after?: number;
  readonly signal: AbortSignal;
  /** Whether the server ends. */
  readonly isOver: () => boolean;
  readonly pollMilliseconds?: number;
}

const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/**
 * Server-sent events of a training: `epoch` for every one that ends (first those there are), `state` when that changes, `end` at the end.
 * Ends with the training, with the server and with whoever watches.
 */
export async function* watch(
  experiments: Pick<Experiments, 'progress'>,
  name: string,
  { signal, isOver, pollMilliseconds = POLL_MILLISECONDS }: Watching,
): AsyncGenerator<string> {
  const told = new Map<string, string>();
  let [state, spoken] = ['', performance.now()];
  const isWatched = (): boolean => !signal.aborted && !isOver();
  yield 'retry: 3000\n\n';
  while (isWatched()) {
    const now = await experiments.progress(name);
    if (!now) break;
    const news: string[] = [];
    for (const { label, seed, epochs } of now.curves)
      for (const epoch of epochs) {
        const [key, text] = [`${label} ${seed} ${epoch.epoch}`, JSON.stringify(epoch)];
        if (told.get(key) === text) continue;
        told.set(key, text); // a resumed training does an epoch again
        const data: LiveEpoch = { label, seed, epoch };
        news.push(event('epoch', data));
      }
    if (now.state !== state) news.push(event('state', { state: now.state }));
    state = now.state;
    if (news.length > 0) {
      spoken = performance.now();
      yield news.join('');
    } else if (performance.now() - spoken > HEARTBEAT_MILLISECONDS) {
      spoken = performance.now();
      yield ': still there\n\n';
    }
    if (now.state !== 'running') break;
    await sleep(pollMilliseconds, undefined, { signal }).catch(() => undefined);
  }
  if (isWatched()) yield event('end', { state });
}
