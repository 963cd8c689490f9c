/** The files of a run that its report tells. Knows where they lie; nothing is computed here, and the test is not looked at. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere } from '../../base/index.js';
import { type Run, loadRun, resultsOf } from '../../model/index.js';
import { type ResultManifest, readResult } from '../results.js';
import { type EpochRecord, readLog } from './gathering.js';

export interface RunFiles {
  readonly run: Run;
  readonly epochs: readonly EpochRecord[];
  /** The results that were kept: of the training first, then of validation, then of the test; sampled before full. */
  readonly results: readonly { readonly name: string; readonly manifest: ResultManifest }[];
}

export async function readRun(directory: string): Promise<RunFiles> {
  const run = await loadRun(directory);
  const folder = resultsOf(directory);
  const names = (await isThere(folder)) ? (await readdir(folder)).filter((name) => name.endsWith('.json')) : [];
  const results = await Promise.all(
    names.sort().map(async (name) => ({ name, manifest: await readResult(join(folder, name)) })),
  );
  const rank = ({ kind, figures: { protocol } }: ResultManifest): number =>
    kind === 'training' ? 0 : (protocol.on === 'validation' ? 1 : 3) + Number(protocol.name === 'full');
  return {
    run,
    epochs: await readLog(directory),
    results: results.toSorted((one, other) => rank(one.manifest) - rank(other.manifest)),
  };
}
