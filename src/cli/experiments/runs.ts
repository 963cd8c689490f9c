/** A run for whoever watches it. Knows what its files say; does not know comparisons. */
import { isThere } from '../../base/index.js';
import { join } from 'node:path';
import { type RunManifest, readRunManifest, resultsOf } from '../../model/index.js';
import type { Curve, Epoch, ExperimentAnswer, ExperimentEntry, Progress } from '../../serve/index.js';
import type { ResultManifest } from '../results.js';
import { changedIn, epochsOf, figuresTold, resultsIn, settingsOf, stateOf, versionIn } from './files.js';

interface RunRead {
  readonly entry: ExperimentEntry;
  readonly manifest: RunManifest;
  readonly epochs: readonly Epoch[];
  readonly results: readonly ResultManifest[];
  readonly version: string | null;
}

async function readRun(directory: string, name: string): Promise<RunRead> {
  const manifest = await readRunManifest(directory);
  const [epochs, results, version, state, changed] = await Promise.all([
    epochsOf(directory),
    resultsIn(directory),
    versionIn(directory),
    stateOfRun(directory),
    changedIn(directory, ['run.json', 'log.jsonl', 'results']),
  ]);
  const best = bestOf(epochs);
  const entry: ExperimentEntry = {
    name,
    kind: 'run',
    state,
    model: manifest.model,
    preset: manifest.preset,
    models: [],
    seed: manifest.training.seed,
    epochs: epochs.length,
    epochs_planned: manifest.training.epochs,
    best: best ? { epoch: best.epoch, metrics: best.metrics } : null,
    test: results.filter(({ figures }) => figures.protocol.on === 'test').map((result) => figuresTold(result, version)),
    test_looks: manifest.testLooks.length,
    data: manifest.dataHash,
    changed,
    servable: version !== null,
    flaw: null,
  };
  return { entry, manifest, epochs, results, version };
}

const stateOfRun = async (directory: string): Promise<ExperimentEntry['state']> =>
  stateOf(directory, async () => isThere(join(resultsOf(directory), 'training.json')));

/** The epoch that was best on validation. */
export const bestOf = (epochs: readonly Epoch[]): Epoch | undefined => epochs.findLast(({ improved }) => improved);

export async function runEntry(directory: string, name: string): Promise<ExperimentEntry> {
  return (await readRun(directory, name)).entry;
}

export async function runAnswer(directory: string, name: string): Promise<ExperimentAnswer> {
  const { entry, manifest, epochs, results, version } = await readRun(directory, name);
  const training = results.find(({ kind }) => kind === 'training') ?? results[0];
  return {
    ...entry,
    curves: [curveOf(name, manifest.training.seed, epochs)],
    settings: settingsOf({ config: manifest.config, training: manifest.training }),
    command: null,
    results: results.map((result) => figuresTold(result, version)),
    comparison: null,
    environment: training
      ? {
          sesrec: training.environment.versions.sesrec,
          node: training.environment.versions.node,
          cpu: training.environment.machine.cpu,
          started: training.startedAt,
          seconds: training.seconds,
        }
      : null,
  };
}

export async function runProgress(directory: string, name: string): Promise<Progress> {
  // the state first: what was written before the end is read after it
  const state = await stateOfRun(directory);
  const { training } = await readRunManifest(directory);
  return { state, curves: [curveOf(name, training.seed, await epochsOf(directory))] };
}

const curveOf = (label: string, seed: number, epochs: readonly Epoch[]): Curve => ({
  label,
  seed,
  epochs: [...epochs],
});
