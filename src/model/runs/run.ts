/**
 * A run directory: everything needed to evaluate, recommend or resume, and nothing outside it. Knows its files; does
 * not know how a run comes about.
 *
 *   run.json        RunManifest, with the looks that were taken at its test
 *   data/           the data set (hard links where the file system allows)
 *   checkpoints/    best (parameters) and last (parameters, moments, state), with the one before in reserve
 *   log.jsonl       one line per epoch
 *   results/        one manifest per result
 *   lock            while a process trains it
 *   rounds/         while Spark trains it
 *   replaced/       the run that was here before, until this one has a best epoch
 *
 * A new run appears whole, in one rename, or not at all.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Rule,
  CorruptFileError,
  UserError,
  hashOf,
  isDictionaryOf,
  isEither,
  isNotNegative,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isTrueOrFalse,
  isWhole,
  readJson,
  releaseLock,
  replacedIn,
  stageDirectory,
  takeLock,
  withLock,
  writeAtomically,
} from '../../base/index.js';
import { type Dataset, linkDataset, loadDataset } from '../../data/index.js';
import { loadCheckpoint } from '../weights/checkpoint.js';
import {
  type AttributeConfig,
  type CommonConfig,
  type Model,
  parametersOf,
  vocabularySizes,
} from '../definition/model.js';
import type { Parameters } from '../weights/parameters.js';
import { MODEL_IDS, type ModelId, buildModel, models } from '../models/registry.js';
import { type ShapeName, publishedShapes } from '../definition/shapes.js';
import { type TestLook, planLook, testLooksRule } from './test-looks.js';

const FORMAT = 'sesrec-run';
/** The format that is written. 2 has the looks at the test; 1, which has none, is migrated when it is read. */
export const RUN_FORMAT_VERSION = 2;

/** How a run is trained; see train/fit.ts for what each means. */
export interface TrainingSettings {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: 'adam' | 'adamCatchUp' | 'lazyAdam';
  readonly learningRate: number;
  readonly minimumLearningRate: number;
  readonly learningRatePatience: number;
  readonly weightDecay: number;
  readonly patience: number;
  readonly shuffle: boolean;
  /** Not in the runs of older versions, which have no buckets: 0. */
  readonly bucketBatches?: number;
  /** Not in the runs of older versions, whose batches are in one part. */
  readonly batchParts?: number;
  /** In rounds of several workers; absent where one takes all steps. See train/rounds. */
  readonly rounds?: {
    readonly workers: number;
    readonly localSteps: number;
    readonly outerLearningRate: number;
    readonly outerMomentum: number;
  };
  /** The version of the run whose parameters it began with; absent where it began from its seed. */
  readonly warmFrom?: string;
  readonly requireBoth: boolean;
  /** Users that validation looks at; null for all. */
  readonly validationUsers: number | null;
  /** `full`: validation ranks all items; else, and in the runs of older versions, candidates. */
  readonly validationProtocol?: 'full';
}

export interface RunManifest {
  readonly format: typeof FORMAT;
  readonly version: typeof RUN_FORMAT_VERSION;
  readonly model: ModelId;
  readonly preset: string;
  readonly shape: ShapeName;
  readonly config: CommonConfig;
  readonly training: TrainingSettings;
  /** Identity of the data set. */
  readonly dataHash: string;
  /** Versions of this program and of Node.js that made the run. */
  readonly madeWith: { readonly sesrec: string; readonly node: string };
  /** Every look at the test, oldest first. */
  readonly testLooks: readonly TestLook[];
}

/** What a run is, before anything was done with it. */
export type RunPlan = Omit<RunManifest, 'format' | 'version' | 'testLooks'>;

export interface Run {
  readonly directory: string;
  readonly manifest: RunManifest;
  readonly dataset: Dataset;
  readonly model: Model;
  /** The best parameters. */
  readonly parameters: Parameters;
  /** SHA-256 of the best checkpoint: the version of the model. */
  readonly version: string;
}

export const checkpointsOf = (directory: string): string => join(directory, 'checkpoints');
export const dataOf = (directory: string): string => join(directory, 'data');
export const resultsOf = (directory: string): string => join(directory, 'results');
export const lockOf = (directory: string): string => join(directory, 'lock');

const planFields = {
  model: isOneOf(...MODEL_IDS),
  preset: isText,
  shape: isOneOf(...Object.keys(publishedShapes)),
  config: isDictionaryOf(() => null), // the model has its own rule, see `withModel`
  training: isRecordOf({
    seed: isWhole(0),
    epochs: isWhole(1),
    batchSize: isWhole(1),
    optimizer: isOneOf('adam', 'adamCatchUp', 'lazyAdam'),
    learningRate: isNotNegative,
    minimumLearningRate: isNotNegative,
    learningRatePatience: isWhole(0),
    weightDecay: isNotNegative,
    patience: isWhole(1),
    shuffle: isTrueOrFalse,
    bucketBatches: isEither(isOneOf(undefined), isWhole(0)),
    batchParts: isEither(isOneOf(undefined), isWhole(1, 64)),
    rounds: isEither(
      isOneOf(undefined),
      isRecordOf({
        workers: isWhole(1),
        localSteps: isWhole(1),
        outerLearningRate: isNotNegative,
        outerMomentum: isNotNegative,
      }),
    ),
    warmFrom: isEither(isOneOf(undefined), isText),
    requireBoth: isTrueOrFalse,
    validationUsers: isEither(isOneOf(null), isWhole(1)),
    validationProtocol: isOneOf(undefined, 'full'),
  }),
  dataHash: isText,
};
/** The fields, then what the model they name has to say of them. */
const withModel =
  (fields: Rule): Rule =>
  (value, name) => {
    const wrong = fields(value, name);
    if (wrong !== null) return wrong;
    const { model, preset, config } = value as RunPlan;
    const { presets, rule } = models[model];
    return isOneOf(...presets)(preset, 'preset') ?? rule(config, 'config');
  };
/** What a plan read from a file must be. */
export const runPlanRule = withModel(isRecordOf(planFields));
const manifestRule = withModel(isRecordOf({ ...planFields, testLooks: testLooksRule }));

/**
 * Makes a run directory from a data directory, locked by this process: `work` is what it does with it. Refuses an existing one unless
 * `overwrite` is set; that one is locked meanwhile, and kept inside of the new one until `settleRun` or `takeBackRun`. `fill` may put more
 * into it before it appears.
 */
export async function createRun(
  directory: string,
  data: string,
  plan: RunPlan,
  { overwrite = false, work, fill }: { overwrite?: boolean; work: string; fill?: (staged: string) => Promise<void> },
): Promise<void> {
  const exists = await isThere(directory);
  if (exists) {
    if (!overwrite)
      throw new UserError(
        `${directory} already exists: choose another --out, pass --resume to go on with it, or --overwrite to replace it`,
      );
    await readAnyManifest(directory); // never delete a directory that is not a run
    await takeLock(lockOf(directory), work);
  }
  try {
    // a run that is trained anew on the same data has no fresh test: it may well be the same model
    const before = overwrite ? await readRunManifest(directory).catch(() => null) : null;
    const testLooks = before?.dataHash === plan.dataHash ? before.testLooks : [];
    await stageDirectory(directory, { overwrite, keep: true }, async (staged) => {
      await mkdir(checkpointsOf(staged));
      await linkDataset(data, dataOf(staged));
      await takeLock(lockOf(staged), work);
      await fill?.(staged);
      await writeManifest(staged, { format: FORMAT, version: RUN_FORMAT_VERSION, ...plan, testLooks });
    });
  } catch (error) {
    if (exists) await releaseLock(lockOf(directory));
    throw error;
  }
  const replaced = replacedIn(directory);
  await rm(lockOf(replaced), { force: true });
  // what was replaced had never learnt anything and replaced something itself: that is what is kept
  if (await isThere(replacedIn(replaced))) {
    const aside = `${replaced}.tmp`;
    await rename(replacedIn(replaced), aside);
    await rm(replaced, { recursive: true });
    await rename(aside, replaced);
  }
}

/** A run that has a best epoch takes the place of the one that it replaced, which is removed. */
export async function settleRun(directory: string): Promise<void> {
  await rm(replacedIn(directory), { recursive: true, force: true });
}

/** Removes a run that never learnt anything, and puts the one that it replaced back; whether there was one. */
export async function takeBackRun(directory: string): Promise<boolean> {
  const replaced = replacedIn(directory);
  const hasReplaced = await isThere(replaced);
  const aside = `${directory.replace(/[/\\]+$/, '')}.${process.pid}.tmp.replaced`;
  if (hasReplaced) await rename(replaced, aside);
  await rm(directory, { recursive: true });
  if (hasReplaced) await rename(aside, directory);
  return hasReplaced;
}

const manifestOf = (directory: string): string => join(directory, 'run.json');

async function writeManifest(directory: string, manifest: RunManifest): Promise<void> {
  await writeAtomically(manifestOf(directory), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Reads and checks the manifest of a run. Whatever it lacks is told here, once, before anything is built from it. */
export async function readRunManifest(directory: string): Promise<RunManifest> {
  const path = manifestOf(directory);
  const found = await readAnyManifest(directory);
  if (found.version !== 1 && found.version !== RUN_FORMAT_VERSION)
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(found.version)}, this program reads 1 to ${RUN_FORMAT_VERSION}`,
    );
  const manifest = found.version === 1 ? { ...found, version: RUN_FORMAT_VERSION, testLooks: [] } : found;
  const wrong = manifestRule(manifest, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}`);
  return manifest as RunManifest;
}

/**
 * Records a look at a run's test before anybody sees its figures; seeing the same again is not recorded. Refuses what
 * `planLook` refuses. The number of the look.
 */
export async function recordTestLook(
  directory: string,
  look: Omit<TestLook, 'time'>,
  { again }: { readonly again: boolean },
): Promise<number> {
  return withLock(join(directory, 'run.json.lock'), 'is looking at its test', async () => {
    const manifest = await readRunManifest(directory);
    const { number, isNew } = planLook(manifest.testLooks, look, { again, where: directory });
    if (isNew) {
      const testLooks = [...manifest.testLooks, { time: new Date().toISOString(), ...look }];
      await writeManifest(directory, { ...manifest, testLooks });
    }
    return number;
  });
}

/** Reads what is the manifest of some run, of any version and content. */
async function readAnyManifest(directory: string): Promise<{ readonly version?: unknown }> {
  const path = manifestOf(directory);
  if (!(await isThere(path)))
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

/** What a run is, without what was done with it. */
export function planOf({ format: _format, version: _version, testLooks: _looks, ...plan }: RunManifest): RunPlan {
  return plan;
}

/** What tells a plan from all others. */
export const hashOfPlan = (plan: RunPlan): string => hashOf(JSON.stringify(plan));

/** What a checkpoint says of the run that it is of; older ones do not. */
export interface OfPlan {
  readonly plan?: string;
}

/** Refuses a checkpoint of another plan than the manifest of its run has: one digit would make it another model, or another training. */
export function checkPlan(directory: string, plan: RunPlan, state: OfPlan | null): void {
  if (state?.plan !== undefined && state.plan !== hashOfPlan(plan))
    throw new CorruptFileError(
      `${manifestOf(directory)} was changed: it is not what the checkpoints of this run were made with; restore it, or train again`,
    );
}

/** Loads a run with its best parameters. */
export async function loadRun(directory: string): Promise<Run> {
  const { manifest, dataset } = await openRun(directory);
  const model = buildModel(manifest.model, manifest.config);
  const parameters = parametersOf(model);
  if (!(await isThere(join(checkpointsOf(directory), 'best.json')))) {
    throw new UserError(
      `${directory} has no trained model yet: its first epoch has not ended; go on with sesrec train --resume`,
    );
  }
  const { tensors, sha256, state } = await loadCheckpoint<OfPlan | null>(checkpointsOf(directory), 'best');
  checkPlan(directory, planOf(manifest), state);
  parameters.load(tensors, `${checkpointsOf(directory)}/best`);
  return { directory, manifest, dataset, model, parameters, version: sha256 };
}
