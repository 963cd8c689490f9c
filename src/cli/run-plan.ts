/**
 * What a training works with: the run directory, made from flags and data or opened again. Knows what is refused before
 * anything is written, and what a resumed run must agree with; does not know how a run is trained.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError, UserError, programVersion, takeLock } from '../base/index.js';
import { type Dataset, loadDataset, readManifest } from '../data/index.js';
import {
  type Candidates,
  candidatesFileName,
  drawCandidates,
  hashCandidates,
  loadOrDrawCandidates,
  readCandidatesFile,
  saveCandidates,
  type ProtocolName,
} from '../evaluate/index.js';
import {
  type AttributeConfig,
  type CommonConfig,
  type ModelId,
  type Run,
  type RunPlan,
  type ShapeName,
  type TrainingSettings,
  createRun,
  dataOf,
  loadRun,
  lockOf,
  models,
  openRun,
  planOf,
  publishedShapes,
  readRunManifest,
  vocabularySizes,
} from '../model/index.js';
import { type ComputeFlags, applySettings, checkDevice, namesIn, optionName } from './options.js';
import { note } from './output.js';
import type { RoundSession } from './rounds/index.js';

/** How one session of a training works; none of it shapes the result. */
export interface Session extends ComputeFlags {
  readonly out: string;
  /** Seconds between saves within an epoch. */
  readonly saveEvery: number;
  /** Go on with the run instead of making it. */
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Asks the training to stop where it can go on. Unless given, Ctrl-C does. */
  readonly signal?: AbortSignal;
  /** Where the workers of rounds are. */
  readonly spark?: NonNullable<RoundSession['spark']>;
}

/** The options of `sesrec train`. */
export interface TrainFlags extends Session {
  readonly model: ModelId;
  /** The model's usual one unless told. */
  readonly preset?: string;
  readonly shape: ShapeName;
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: TrainingSettings['optimizer'];
  readonly learningRate: number;
  /** Those of the shape unless told. */
  readonly learningRatePatience?: number;
  readonly weightDecay?: number;
  readonly patience: number;
  readonly shuffle: boolean;
  readonly bucketBatches: number;
  readonly batchParts: number;
  /** Train in rounds of so many workers; without rounds unless told. */
  readonly workers?: number;
  readonly localSteps?: number;
  readonly outerLearningRate?: number;
  readonly outerMomentum?: number;
  readonly candidates?: string;
  readonly candidateCount: number;
  readonly validationUsers?: number;
  readonly validationProtocol?: ProtocolName;
  readonly itemAttributes?: string;
  readonly userAttributes?: string;
  readonly set: readonly string[];
  /** A run whose parameters the training begins with. */
  readonly warm?: string;
  readonly json?: boolean;
}

/** Of rounds, what is not said. */
export const USUAL_ROUNDS = { localSteps: 64, outerLearningRate: 1 } as const;
/** Momentum that makes up, over rounds, for a move that is the mean of so many workers' (docs/scale.md says what it is better than, and where). */
const usualMomentum = (workers: number): number => 1 - 1 / workers;

/** Width of an attribute's embedding; the authors use 8 for items and 4 for users. */
const ATTRIBUTE_WIDTH = { item: 8, user: 4 } as const;

/** What a training works with, its run directory locked. */
export interface Beginning {
  readonly plan: RunPlan;
  readonly dataset: Dataset;
  readonly candidates: Candidates;
  /** What it begins with, when it does not begin from its seed. */
  readonly warm?: Run;
}

/** Lists that somebody gave for validation are kept with the run, so that it can be resumed without them. */
const givenCandidatesOf = (directory: string): string => join(directory, 'validation-candidates.jsonl.gz');

/** What the process that holds the lock of a run does. */
const WORK = 'is training this run';

/** Makes a run from flags. Everything that can be refused is refused before the run directory is made, or an existing one replaced. */
export async function begin(data: string, flags: TrainFlags): Promise<Beginning> {
  const dataset = await loadDataset(data);
  const warm = flags.warm === undefined ? undefined : await loadRun(flags.warm);
  const planned = planRun(dataset, flags);
  if (warm && warm.manifest.model !== planned.model)
    throw new UserError(`--warm ${flags.warm}: it is a run of ${warm.manifest.model}, not of ${planned.model}`);
  const plan = warm ? { ...planned, training: { ...planned.training, warmFrom: warm.version } } : planned;
  if (dataset.searchQuery.length === 0 && 'useSearch' in plan.config)
    note(`the log has no searches: search is off, ${models[plan.model].card.name} works on the feed alone`);
  await checkDevice(flags);
  const candidates =
    flags.candidates === undefined
      ? drawCandidates(dataset, { count: flags.candidateCount })
      : await readCandidatesFile(flags.candidates, dataset);
  return make(data, flags, { plan, dataset, candidates, ...(warm ? { warm } : {}) });
}

/** Makes a run from what another one recorded: the same plan, with the versions of this program. */
export async function beginAgain(data: string, session: Session, recorded: Beginning): Promise<Beginning> {
  const { warmFrom } = recorded.plan.training;
  if (warmFrom !== undefined)
    throw new UserError(
      `the training began with the parameters of another run, ${warmFrom.slice(0, 16)}: it does not follow from the data alone, and is not trained again`,
    );
  await checkDevice(session);
  return make(data, session, { ...recorded, plan: { ...recorded.plan, madeWith: madeWith() } });
}

async function make(data: string, { out, overwrite = false }: Session, beginning: Beginning): Promise<Beginning> {
  const { plan, dataset, candidates } = beginning;
  const { count, seed } = candidates;
  // the usual lists lie where `evaluate` looks for them too
  const usual = seed !== null && candidatesFileName({ count, seed }) === candidatesFileName();
  await createRun(out, data, plan, {
    overwrite,
    work: WORK,
    fill: async (staged) =>
      saveCandidates(
        usual ? join(dataOf(staged), candidatesFileName()) : givenCandidatesOf(staged),
        candidates,
        dataset,
      ),
  });
  return beginning;
}

/** The lists that a run is validated with. */
export async function validationCandidatesOf(directory: string, dataset: Dataset): Promise<Candidates> {
  const given = givenCandidatesOf(directory);
  return existsSync(given) ? readCandidatesFile(given, dataset) : loadOrDrawCandidates(dataOf(directory), dataset);
}

/** Opens a run to go on with it. `said`: the flags that were given, not left to their defaults. */
export async function reopen(data: string, flags: TrainFlags, said: readonly string[]): Promise<Beginning> {
  const begins = flags.warm === undefined ? (flags.overwrite ? '--overwrite' : null) : '--warm';
  if (begins !== null) throw new UsageError(`${begins} begins a training, --resume goes on with one: leave one out`);
  const { manifest, dataset } = await openRun(flags.out);
  const plan = planOf(manifest);
  checkSame(plan, flags, said);
  const named = await readManifest(data).catch(() => null); // it may be gone: the run has its own copy
  if (named && named.hash !== plan.dataHash)
    throw new UserError(
      `${flags.out} was trained on other data than ${data}: resume it with the data it was begun with`,
    );
  const candidates = await validationCandidatesOf(flags.out, dataset);
  if (said.includes('candidateCount') && flags.candidateCount !== candidates.count) {
    throw new UserError(
      `${flags.out} was begun with ${candidates.count} candidates, not ${flags.candidateCount}: resume it as it was begun`,
    );
  }
  if (
    flags.candidates !== undefined &&
    hashCandidates(await readCandidatesFile(flags.candidates, dataset), dataset) !== hashCandidates(candidates, dataset)
  ) {
    throw new UserError(
      `${flags.out} was begun with other candidates than ${flags.candidates}: leave --candidates out to go on with its own`,
    );
  }
  await takeLock(lockOf(flags.out), WORK);
  return { plan, dataset, candidates };
}

/** Opens a run to go on with it, where it must be the one that a plan describes. */
export async function reopenAs(directory: string, expected: Beginning): Promise<Beginning> {
  const plan = planOf(await readRunManifest(directory));
  const essence = ({ madeWith: _madeWith, ...shaping }: RunPlan): string => JSON.stringify(shaping);
  if (essence(plan) !== essence(expected.plan))
    throw new UserError(`${directory} is another run than is wanted here: delete it, or move it away`);
  await takeLock(lockOf(directory), WORK);
  return { ...expected, plan };
}

/** What a run will be, from the flags and the data; refuses what makes no model. */
export function planRun(dataset: Dataset, flags: TrainFlags): RunPlan {
  const { weightDecay, learningRatePatience } = publishedShapes[flags.shape];
  const { settings, rule, presets, card, build } = models[flags.model];
  const preset = flags.preset ?? presets[0];
  if (!presets.includes(preset))
    throw new UsageError(
      `--preset ${preset}: ${card.id} has ${presets.length === 1 ? 'only ' : ''}${presets.join(', ')}`,
    );
  const attributes = (owner: 'item' | 'user', list: string | undefined, known: Dataset['itemAttributes']) =>
    namesIn(list).map((name) => {
      const column = known.get(name);
      if (!column)
        throw new UserError(
          `--${owner}-attributes ${name}: the data set has no such attribute; it has ${[...known.keys()].join(', ') || 'none'}`,
        );
      return { name, size: column.values.ids.length, width: ATTRIBUTE_WIDTH[owner] };
    });
  const hasSearches = dataset.searchQuery.length > 0;
  const usual = settings(preset, flags.shape);
  const knowsSearch = 'useSearch' in usual;
  const config: CommonConfig = {
    ...applySettings({ ...usual, ...(knowsSearch ? { useSearch: hasSearches } : {}) }, flags.set),
    sizes: vocabularySizes(dataset),
    itemAttributes: attributes('item', flags.itemAttributes, dataset.itemAttributes),
    userAttributes: attributes('user', flags.userAttributes, dataset.userAttributes),
  };
  const wrong = rule(config, '');
  if (wrong !== null) throw new UserError(`the settings make no model: ${wrong}`);
  const { needsSearches, seesPadding } = build(config);
  if (needsSearches && !hasSearches)
    throw new UserError(
      knowsSearch
        ? 'the settings make no model: useSearch is true, and the log has no searches'
        : `${card.name} learns from searches, and the log has none: choose another --model`,
    );
  if (flags.bucketBatches > 0 && seesPadding)
    throw new UserError(
      `--bucket-batches saves nothing here: this model sees padding, so its histories keep the full window${'maskCoAttention' in usual ? '; add --set maskCoAttention=true' : ''}`,
    );
  return {
    model: flags.model,
    preset,
    shape: flags.shape,
    config,
    training: {
      seed: flags.seed,
      epochs: flags.epochs,
      batchSize: flags.batchSize,
      optimizer: flags.optimizer,
      learningRate: flags.learningRate,
      minimumLearningRate: Math.min(1e-5, flags.learningRate),
      learningRatePatience: flags.learningRatePatience ?? learningRatePatience,
      weightDecay: flags.weightDecay ?? weightDecay,
      patience: flags.patience,
      shuffle: flags.shuffle,
      bucketBatches: flags.bucketBatches,
      batchParts: flags.batchParts,
      ...(flags.workers === undefined
        ? {}
        : {
            rounds: {
              workers: flags.workers,
              localSteps: flags.localSteps ?? USUAL_ROUNDS.localSteps,
              outerLearningRate: flags.outerLearningRate ?? USUAL_ROUNDS.outerLearningRate,
              outerMomentum: flags.outerMomentum ?? usualMomentum(flags.workers),
            },
          }),
      requireBoth: dataset.manifest.source.options['requireBoth'] === true,
      validationUsers: flags.validationUsers ?? null,
      ...(flags.validationProtocol === 'full' ? { validationProtocol: 'full' as const } : {}),
    },
    dataHash: dataset.manifest.hash,
    madeWith: madeWith(),
  };
}

const madeWith = (): RunPlan['madeWith'] => ({ sesrec: programVersion(), node: process.version });

/** A run is resumed as it was begun: what shapes it is in its manifest; what is said again must be the same. */
function checkSame(plan: RunPlan, flags: TrainFlags, said: readonly string[]): void {
  const { model, preset, shape, config, training } = plan;
  const listed = (attributes: readonly AttributeConfig[]): string => attributes.map(({ name }) => name).join();
  const was: Record<string, unknown> = {
    model,
    preset,
    shape,
    bucketBatches: 0,
    batchParts: 1,
    workers: 'none',
    localSteps: 'none',
    outerLearningRate: 'none',
    outerMomentum: 'none',
    validationProtocol: 'sampled',
    ...training,
    ...training.rounds,
    itemAttributes: listed(config.itemAttributes),
    userAttributes: listed(config.userAttributes),
  };
  const now: Record<string, unknown> = {
    ...flags,
    itemAttributes: namesIn(flags.itemAttributes).join(),
    userAttributes: namesIn(flags.userAttributes).join(),
  };
  for (const name of said) {
    if (Object.hasOwn(was, name) && now[name] !== was[name]) {
      const how =
        now[name] === false // the options that are on unless told
          ? `without ${optionName(`no-${name}`)}`
          : `with ${optionName(name)} ${String(was[name])}, not ${String(now[name])}`;
      throw new UserError(`${flags.out} was begun ${how}: resume it as it was begun`);
    }
  }
  if (JSON.stringify(applySettings(config, flags.set)) !== JSON.stringify(config)) {
    throw new UserError(
      `${flags.out} was begun with other settings than --set ${flags.set.join(' --set ')}: resume it as it was begun`,
    );
  }
}
