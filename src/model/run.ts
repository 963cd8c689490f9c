/**
 * A run directory: everything needed to evaluate, recommend or resume, and nothing outside it. Knows its files; does
 * not know how a run comes about.
 *
 *   run.json        RunManifest
 *   data/           the data set (hard links where the file system allows)
 *   checkpoints/    best (parameters) and last (parameters, moments, state)
 *   log.jsonl       one line per epoch
 *
 * A new run appears whole, in one rename, or not at all.
 */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CorruptFileError,
  UserError,
  isEither,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isTrueOrFalse,
  isWhole,
  readJson,
  stageDirectory,
  writeAtomically,
} from '../base/index.js';
import { type Dataset, linkDataset, loadDataset } from '../data/index.js';
import { loadCheckpoint } from './checkpoint.js';
import { sesrecConfigRule } from './config-rules.js';
import type { Parameters } from './parameters.js';
import { sesrecParameters } from './sesrec-losses.js';
import {
  type AttributeConfig,
  type SesrecConfig,
  type SesrecPreset,
  type SesrecShapeName,
  sesrecPresets,
  sesrecShapes,
  vocabularySizes,
} from './sesrec-config.js';

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

const notNegative = isNumber('a number from 0', (value) => value >= 0);
const manifestRule = isRecordOf({
  model: isOneOf('sesrec'),
  preset: isOneOf(...Object.keys(sesrecPresets)),
  shape: isOneOf(...Object.keys(sesrecShapes)),
  config: sesrecConfigRule,
  training: isRecordOf({
    seed: isWhole(0),
    epochs: isWhole(1),
    batchSize: isWhole(1),
    optimizer: isOneOf('adam', 'lazyAdam'),
    learningRate: notNegative,
    minimumLearningRate: notNegative,
    learningRatePatience: isWhole(0),
    weightDecay: notNegative,
    patience: isWhole(1),
    shuffle: isTrueOrFalse,
    requireBoth: isTrueOrFalse,
    validationUsers: isEither(isOneOf(null), isWhole(1)),
  }),
  dataHash: isText,
});

/** Makes a run directory from a data directory. Refuses an existing one unless `overwrite` is set. `fill` may put more into it before it appears. */
export async function createRun(
  directory: string,
  data: string,
  manifest: Omit<RunManifest, 'format' | 'version'>,
  { overwrite = false, fill }: { overwrite?: boolean; fill?: (staged: string) => Promise<void> } = {},
): Promise<void> {
  if (
    await stat(directory).then(
      () => true,
      () => false,
    )
  ) {
    if (!overwrite)
      throw new UserError(
        `${directory} already exists: choose another --out, pass --resume to go on with it, or --overwrite to replace it`,
      );
    await readAnyManifest(directory); // never delete a directory that is not a run
  }
  await stageDirectory(directory, { overwrite }, async (staged) => {
    await mkdir(checkpointsOf(staged));
    await linkDataset(data, dataOf(staged));
    await fill?.(staged);
    await writeAtomically(
      join(staged, 'run.json'),
      `${JSON.stringify({ format: FORMAT, version: VERSION, ...manifest }, null, 2)}\n`,
    );
  });
}

const manifestOf = (directory: string): string => join(directory, 'run.json');

/** Reads and checks the manifest of a run. Whatever it lacks is told here, once, before anything is built from it. */
export async function readRunManifest(directory: string): Promise<RunManifest> {
  const path = manifestOf(directory);
  const manifest = await readAnyManifest(directory);
  if (manifest.version !== VERSION)
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(manifest.version)}, this program reads ${VERSION}`,
    );
  const wrong = manifestRule(manifest, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}`);
  return manifest as RunManifest;
}

/** Reads what is the manifest of some run, of any version and content. */
async function readAnyManifest(directory: string): Promise<{ readonly version?: unknown }> {
  const path = manifestOf(directory);
  if (
    !(await stat(path).then(
      () => true,
      () => false,
    ))
  )
    throw new UserError(`${directory} is not a run: it has no run.json; make one with sesrec train`);
  const manifest = (await readJson(path)) as Partial<RunManifest> | null;
  if (manifest?.format !== FORMAT) throw new CorruptFileError(`${path} is not the manifest of a sesrec run`);
  return manifest;
}

/** Reads a run's manifest and its data, and checks that they belong together. */
export async function openRun(directory: string): Promise<Pick<Run, 'manifest' | 'dataset'>> {
  const manifest = await readRunManifest(directory);
  const dataset = await loadDataset(dataOf(directory));
  if (dataset.manifest.hash !== manifest.dataHash)
    throw new CorruptFileError(`${dataOf(directory)} is not the data set that ${directory} was trained on`);
  const { sizes, itemAttributes, userAttributes } = manifest.config;
  const actual = vocabularySizes(dataset);
  const fits =
    Object.entries(actual).every(([name, size]) => sizes[name as keyof typeof sizes] === size) &&
    attributesFit(itemAttributes, dataset.itemAttributes) &&
    attributesFit(userAttributes, dataset.userAttributes);
  if (!fits)
    throw new CorruptFileError(
      `${manifestOf(directory)} is damaged: its sizes or attributes are not those of ${dataOf(directory)}`,
    );
  return { manifest, dataset };
}

function attributesFit(configured: readonly AttributeConfig[], known: Dataset['itemAttributes']): boolean {
  return (
    configured.every(({ name, size }) => known.get(name)?.values.ids.length === size) &&
    new Set(configured.map(({ name }) => name)).size === configured.length
  );
}

/** Loads a run with its best parameters. */
export async function loadRun(directory: string): Promise<Run> {
  const { manifest, dataset } = await openRun(directory);
  const parameters = sesrecParameters(manifest.config);
  if (
    !(await stat(join(checkpointsOf(directory), 'best.json')).then(
      () => true,
      () => false,
    ))
  ) {
    throw new UserError(
      `${directory} has no trained model yet: its first epoch has not ended; go on with sesrec train --resume`,
    );
  }
  const { tensors, sha256 } = await loadCheckpoint(checkpointsOf(directory), 'best');
  parameters.load(tensors, `${checkpointsOf(directory)}/best`);
  return { directory, manifest, dataset, parameters, version: sha256 };
}
