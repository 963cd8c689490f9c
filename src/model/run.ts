/**
 * A run directory: everything needed to evaluate, recommend or resume, and nothing outside it. Knows its files; does
 * not know how a run comes about.
 *
 *   run.json        RunManifest, written last when a run is created
 *   data/           the data set (hard links where the file system allows)
 *   checkpoints/    best (parameters) and last (parameters, moments, state)
 *   log.jsonl       one line per epoch
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, UserError, readJson, writeAtomically } from '../base/index.js';
import { type Dataset, linkDataset, loadDataset } from '../data/index.js';
import { loadCheckpoint } from './checkpoint.js';
import type { Parameters } from './parameters.js';
import { sesrecParameters } from './sesrec.js';
import type { SesrecConfig, SesrecPreset, SesrecShapeName } from './sesrec-config.js';

const FORMAT = 'sesrec-run';
const VERSION = 1;

/** How a run is trained; see train/fit.ts for what each means. */
export interface TrainingSettings {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: 'adam' | 'lazyAdam';
  readonly learningRate: number;
  readonly minimumLearningRate: number;
  readonly learningRatePatience: number;
  readonly weightDecay: number;
  readonly patience: number;
  readonly shuffle: boolean;
  readonly requireBoth: boolean;
  /** Users that validation looks at; null for all. */
  readonly validationUsers: number | null;
}

export interface RunManifest {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly model: 'sesrec';
  readonly preset: SesrecPreset;
  readonly shape: SesrecShapeName;
  readonly config: SesrecConfig;
  readonly training: TrainingSettings;
  /** Identity of the data set. */
  readonly dataHash: string;
  /** Versions of this program and of Node.js that made the run. */
  readonly madeWith: { readonly sesrec: string; readonly node: string };
}

export interface Run {
  readonly directory: string;
  readonly manifest: RunManifest;
  readonly dataset: Dataset;
  /** The best parameters. */
  readonly parameters: Parameters;
  /** SHA-256 of the best checkpoint: the version of the model. */
  readonly version: string;
}

export const checkpointsOf = (directory: string): string => join(directory, 'checkpoints');
export const dataOf = (directory: string): string => join(directory, 'data');

/** Makes a run directory from a data directory. Refuses an existing one unless `overwrite` is set. */
export async function createRun(directory: string, data: string, manifest: Omit<RunManifest, 'format' | 'version'>, { overwrite = false } = {}): Promise<void> {
  if (await stat(directory).then(() => true, () => false)) {
    if (!overwrite) throw new UserError(`${directory} already exists: choose another --out, pass --resume to go on with it, or --overwrite to replace it`);
    await readRunManifest(directory); // never delete a directory that is not a run
    await rm(directory, { recursive: true });
  }
  await mkdir(checkpointsOf(directory), { recursive: true });
  await linkDataset(data, dataOf(directory));
  await writeAtomically(join(directory, 'run.json'), `${JSON.stringify({ format: FORMAT, version: VERSION, ...manifest }, null, 2)}\n`);
}

export async function readRunManifest(directory: string): Promise<RunManifest> {
  const path = join(directory, 'run.json');
  if (!(await stat(path).then(() => true, () => false))) throw new UserError(`${directory} is not a run: it has no run.json; make one with sesrec train`);
  const manifest = (await readJson(path)) as Partial<RunManifest> | null;
  if (manifest?.format !== FORMAT || !manifest.config || !manifest.training) throw new CorruptFileError(`${path} is not the manifest of a sesrec run`);
  if (manifest.version !== VERSION) throw new CorruptFileError(`${path} has format version ${JSON.stringify(manifest.version)}, this program reads ${VERSION}`);
  return manifest as RunManifest;
}

/** Loads a run with its best parameters. */
export async function loadRun(directory: string): Promise<Run> {
  const manifest = await readRunManifest(directory);
  const dataset = await loadDataset(dataOf(directory));
  if (dataset.manifest.hash !== manifest.dataHash) throw new CorruptFileError(`${dataOf(directory)} is not the data set that ${directory} was trained on`);
  const parameters = sesrecParameters(manifest.config);
  if (!(await stat(join(checkpointsOf(directory), 'best.json')).then(() => true, () => false))) {
    throw new UserError(`${directory} has no trained model yet: its first epoch has not ended; go on with sesrec train --resume`);
  }
  const { tensors, sha256 } = await loadCheckpoint(checkpointsOf(directory), 'best');
  parameters.load(tensors, `${checkpointsOf(directory)}/best`);
  return { directory, manifest, dataset, parameters, version: sha256 };
}
