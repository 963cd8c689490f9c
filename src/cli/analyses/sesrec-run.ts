/** What the analyses of a trained SESRec begin with. Knows runs and how long work is shown; does not know any one analysis. */
import { UserError } from '../../base/index.js';
import {
  type Case,
  type Parameters,
  type Run,
  type SesrecConfig,
  SesrecRanker,
  type SidedAction,
  loadRun,
} from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import { progressLine } from '../progress.js';

export type SesrecRun = Run & { readonly config: SesrecConfig };

/** Loads a run of SESRec that looks at searches; another one is a `UserError`, for it has no two sides. */
export async function loadSesrecRun(directory: string): Promise<SesrecRun> {
  const run = await loadRun(directory);
  if (run.manifest.model !== 'sesrec')
    throw new UserError(`${directory} is a run of ${run.manifest.model}: only sesrec divides histories into sides`);
  const config = run.manifest.config as SesrecConfig;
  if (!config.useSearch)
    throw new UserError(
      `${directory} was trained with its search off, so it has no sides: train one with useSearch=true`,
    );
  return { ...run, config };
}

/** The split of every case, by the run's parameters or others, with a line of progress. */
export async function splitsOf(
  { config, dataset }: SesrecRun,
  parameters: Parameters,
  cases: readonly Case[],
  runtime: Runtime,
  { what, signal }: { what: string; signal: AbortSignal },
): Promise<SidedAction[][]> {
  const progress = progressLine();
  try {
    return await new SesrecRanker(config, parameters, dataset, runtime).sides(cases, {
      signal,
      onProgress: (done, total) => progress.update(`${what}, user`, done, total),
    });
  } finally {
    progress.clear();
  }
}

/** Which run it was, for a document. */
export const runBlock = ({ directory, manifest: { model, preset, training, dataHash }, version }: Run) => ({
  directory,
  model,
  preset,
  seed: training.seed,
  version,
  dataHash,
});

/** Which run it was, in a line. */
export const runText = ({ manifest: { model, preset, training, dataHash }, version }: Run): string =>
  `run: ${model} ${preset}, seed ${training.seed}, weights ${version.slice(0, 12)}, data ${dataHash.slice(0, 12)}`;
