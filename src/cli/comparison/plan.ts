/**
 * What a comparison is: compare.json, made from options and data or opened again. Knows what is refused before anything is
 * trained, and what a call that goes on must agree with; does not know how models are trained, tested or judged.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  CorruptFileError,
  UserError,
  isListOf,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isWhole,
  readJson,
  takeLock,
  writeAtomically,
} from '../../base/index.js';
import { type Dataset, loadDataset } from '../../data/index.js';
import {
  type Candidates,
  type ProtocolName,
  drawCandidates,
  hashCandidates,
  readCandidatesFile,
  saveCandidates,
} from '../../evaluate/index.js';
import {
  type CommonConfig,
  RANKER_IDS,
  type ShapeName,
  type TrainingSettings,
  lockOf,
  models,
  publishedShapes,
} from '../../model/index.js';
import { type Environment, environment } from '../environment.js';
import { type ComputeFlags, checkDevice, namesIn, optionName } from '../options.js';
import { note } from '../output.js';
import { type Entry, isTrained, planEntries } from './entries.js';
import { trainingOfRow } from './row-training.js';
import { checkTrials } from './run-plans.js';

const FORMAT = 'sesrec-comparison';
const VERSION = 1;

/** What shapes the results. The same for all models, but for what `set` says of one. */
export interface ComparisonOptions {
  readonly models: string;
  readonly set: readonly string[];
  readonly shape: ShapeName;
  readonly negativeSampling: CommonConfig['negativeSampling'];
  readonly itemAttributes?: string;
  readonly userAttributes?: string;
  readonly batchSize: number;
  readonly optimizer: TrainingSettings['optimizer'];
  /** Of all models, which is then not tuned; else what a trial says, or .001. */
  readonly learningRate?: number;
  /** Epochs without a better validation before the rate falls; that of the shape unless told. */
  readonly learningRatePatience?: number;
  readonly weightDecay?: number;
  /** Of models that do not see padding; 0 for the others. */
  readonly bucketBatches: number;
  readonly batchParts: number;
  readonly candidateCount: number;
  /** At most so many settings of each model are tried. */
  readonly trials: number;
  readonly tuningEpochs: number;
  /** Users that a trial is validated on; all unless told. */
  readonly validationUsers?: number;
  readonly seeds: number;
  /** So many models, the best on validation, have more seeds. */
  readonly finalists: number;
  readonly finalistSeeds: number;
  readonly epochs: number;
  readonly patience: number;
  /** Users that an epoch of a run is validated on; all unless told. */
  readonly runValidationUsers?: number;
  /** What the MRR of validation is taken under: that of trials, and of every epoch of a run. */
  readonly validationProtocol?: ProtocolName;
  /** Full ranking is for a seeded sample of so many users… */
  readonly fullUsers: number;
  /** …but for all where that is estimated to take fewer minutes than this. */
  readonly fullMinutes: number;
  /** Labels, separated by commas, of the rows that every other one is tested against; the best unless told. */
  readonly reference?: string;
}

export interface ComparisonFlags extends ComparisonOptions, ComputeFlags {
  readonly out: string;
  /** Lists for validation and test. */
  readonly candidates?: string;
  readonly saveEvery: number;
  readonly keepTuning?: boolean;
  /** So many trainings at once. */
  readonly jobs: number;
}

export interface ComparisonPlan {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly startedAt: string;
  /** What somebody types to have all of it, in one call. */
  readonly command: string;
  readonly madeWith: Environment['versions'];
  /** Identity of the data set. */
  readonly dataHash: string;
  readonly candidates: { readonly hash: string; readonly count: number; readonly seed: number | null };
  readonly options: ComparisonOptions;
  readonly entries: readonly Entry[];
}

/** A comparison, locked. */
export interface Comparison {
  readonly directory: string;
  readonly data: string;
  readonly dataset: Dataset;
  readonly candidates: Candidates;
  readonly plan: ComparisonPlan;
}

/** What somebody types to have these options, and lists from a file. */
export type CommandFor = (options: ComparisonOptions & Pick<ComparisonFlags, 'candidates'>) => string;

const PLAN_FILE = 'compare.json';
const candidatesOf = (directory: string): string => join(directory, 'candidates.jsonl.gz');

/**
 * Makes a comparison, or goes on with the one in `out`. `said`: the options that were given, not left to their defaults; going
 * on holds these to what the comparison was begun with, but more models may be named. The caller releases its lock.
 */
export async function openComparison(
  data: string,
  flags: ComparisonFlags,
  said: readonly string[],
  commandFor: CommandFor,
): Promise<Comparison> {
  const { out } = flags;
  const recorded = await readPlan(out);
  if (!recorded) await refuseOthers(out);
  const dataset = await loadDataset(data);
  if (recorded && recorded.dataHash !== dataset.manifest.hash)
    throw new UserError(`${out} compares on other data than ${data}: go on with the data it was begun with`);
  const candidates = await candidatesFor(dataset, flags, said, recorded);
  const kept = candidates.seed === null ? { candidates: candidatesOf(out) } : {};
  const asked = newPlan(dataset, candidates, recorded ? optionsGoingOn(recorded, flags, said) : flags, (options) =>
    commandFor({ ...options, ...kept }),
  );
  const plan = recorded ? agreed(recorded, asked, { out, said }) : asked;
  for (const entry of plan.entries) if (isTrained(entry)) checkTrials(dataset, plan.options, entry);
  await checkDevice(flags);
  await mkdir(out, { recursive: true });
  await takeLock(lockOf(out), 'is working on this comparison');
  if (!recorded && candidates.seed === null) await saveCandidates(candidatesOf(out), candidates, dataset);
  await writeAtomically(join(out, PLAN_FILE), `${JSON.stringify(plan, null, 2)}\n`);
  return { directory: out, data, dataset, candidates, plan };
}

function newPlan(
  dataset: Dataset,
  candidates: Candidates,
  flags: ComparisonOptions,
  commandFor: CommandFor,
): ComparisonPlan {
  const options = optionsOf(flags);
  const set = [`negativeSampling=${JSON.stringify(options.negativeSampling)}`, ...options.set];
  const entries = planEntries({ ...options, set, isRateFixed: options.learningRate !== undefined });
  const isLeftOut = (entry: Entry): boolean => options.models.includes('all') && needsSearches(entry, dataset, options);
  const kept = entries.filter((entry) => !isLeftOut(entry));
  refuseMixedFinalists(kept, options);
  refuseUnknownReferences(kept, options);
  const leftOut = entries.filter(isLeftOut).map(({ label }) => label);
  if (leftOut.length > 0) note(`the log has no searches, which these learn from: ${leftOut.join(', ')} left out`);
  return {
    format: FORMAT,
    version: VERSION,
    startedAt: new Date().toISOString(),
    command: commandFor(options),
    madeWith: environment().versions,
    dataHash: dataset.manifest.hash,
    candidates: {
      hash: hashCandidates(candidates, dataset),
      count: candidates.count,
      seed: candidates.seed,
    },
    options,
    entries: kept,
  };
}

/** Finalists are chosen by validation: an MRR among candidates says nothing beside one among all items. */
function refuseMixedFinalists(entries: readonly Entry[], { finalists, validationProtocol }: ComparisonOptions): void {
  if (finalists === 0) return;
  const trained = entries.filter(isTrained);
  const own = trained.map(({ set }) => trainingOfRow(set).training.validationProtocol ?? validationProtocol);
  if (new Set(own.map((protocol) => protocol ?? 'sampled')).size > 1)
    throw new UserError(
      `--finalists ${finalists}: rows with another validationProtocol than others cannot be compared on validation; leave it out, or give more --seeds`,
    );
}

/** The labels of the rows that every other one is tested against; none where that is the best. */
export const referencesIn = ({ reference }: Pick<ComparisonOptions, 'reference'>): string[] =>
  reference === undefined ? [] : namesIn(reference);

function refuseUnknownReferences(entries: readonly Entry[], options: ComparisonOptions): void {
  const labels = entries.map(({ label }) => label);
  const unknown = referencesIn(options).find((label) => !labels.includes(label));
  if (unknown !== undefined)
    throw new UserError(
      `--reference ${options.reference}: no row is called ${unknown}; there are ${labels.join(', ')}`,
    );
}

/** The options alone, without how a session works. */
function optionsOf(flags: ComparisonOptions & Partial<ComparisonFlags>): ComparisonOptions {
  const { out: _out, candidates: _candidates, saveEvery: _save, keepTuning: _keep, threads: _threads, ...rest } = flags;
  const { device: _device, jobs: _jobs, ...options } = rest;
  return options;
}

function needsSearches(entry: Entry, dataset: Dataset, { shape }: ComparisonOptions): boolean {
  if (dataset.searchQuery.length > 0 || !isTrained(entry)) return false;
  const { card, settings } = models[entry.model];
  return card.kind === 'search-aware' && !('useSearch' in settings(entry.preset, shape));
}

/** The lists of validation and test: as recorded, else from a file or drawn. */
async function candidatesFor(
  dataset: Dataset,
  { out, candidates, candidateCount }: ComparisonFlags,
  said: readonly string[],
  recorded: ComparisonPlan | null,
): Promise<Candidates> {
  const given = candidates === undefined ? null : await readCandidatesFile(candidates, dataset);
  if (!recorded) {
    if (given && said.includes('candidateCount') && given.count !== candidateCount)
      throw new UserError(`${candidates} has ${given.count} candidates per user: leave --candidate-count out`);
    return given ?? drawCandidates(dataset, { count: candidateCount });
  }
  if (given && hashCandidates(given, dataset) !== recorded.candidates.hash)
    throw new UserError(`${out} was begun with other candidates than ${candidates}: leave --candidates out to go on`);
  const { hash, count, seed } = recorded.candidates;
  const lists =
    seed === null ? await readCandidatesFile(candidatesOf(out), dataset) : drawCandidates(dataset, { count, seed });
  if (hashCandidates(lists, dataset) !== hash)
    throw new CorruptFileError(`${candidatesOf(out)} is damaged: it does not hold the lists ${hash.slice(0, 12)}`);
  return lists;
}

const planRule = isRecordOf({
  startedAt: isText,
  command: isText,
  madeWith: isRecordOf({ sesrec: isText, node: isText }),
  dataHash: isText,
  candidates: isRecordOf({ hash: isText, count: isWhole(1) }),
  options: isRecordOf({
    models: isText,
    set: isListOf(isText),
    shape: isOneOf(...Object.keys(publishedShapes)),
    seeds: isWhole(1),
    epochs: isWhole(1),
    tuningEpochs: isWhole(1),
    fullUsers: isWhole(1),
  }),
  entries: isListOf(isRecordOf({ label: isText, model: isOneOf(...RANKER_IDS) })),
});

/** The plan of a comparison; null where there is none. */
export async function readPlan(directory: string): Promise<ComparisonPlan | null> {
  const path = join(directory, PLAN_FILE);
  if (!(await isThere(path))) return null;
  const plan = (await readJson(path)) as Partial<ComparisonPlan> | null;
  if (plan?.format !== FORMAT) throw new CorruptFileError(`${path} is not the plan of a comparison`);
  if (plan.version !== VERSION)
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(plan.version)}, this program reads ${VERSION}`,
    );
  const wrong = planRule(plan, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}`);
  return plan as ComparisonPlan;
}

/** Refuses a directory that has something else in it. */
async function refuseOthers(directory: string): Promise<void> {
  const others = (await isThere(directory)) ? await readdir(directory) : [];
  // a process that was killed before its first file leaves a lock
  if (others.some((name) => name !== 'lock' && name !== 'candidates.jsonl.gz' && !name.endsWith('.tmp')))
    throw new UserError(`${directory} already exists and is not a comparison: choose another --out`);
}

/** What a call that goes on may have more of. */
const GROWING = ['seeds', 'finalists', 'finalistSeeds'];

/** What a call that goes on may have otherwise: rows are checked one by one, and what is tested with what changes no rank. */
const FREE = ['models', 'set', 'reference'];

/** The options of a call that goes on: what is not said is as recorded, what is said must be the same, but for rows, seeds and tests. */
function optionsGoingOn(
  { options }: ComparisonPlan,
  flags: ComparisonFlags,
  said: readonly string[],
): ComparisonOptions {
  // comparisons of before there was a choice have no word of it
  const was: Readonly<Record<string, string | number | undefined>> = {
    validationProtocol: 'sampled' satisfies ProtocolName,
    ...(options as unknown as Readonly<Record<string, string | number>>),
  };
  const now = flags as unknown as Readonly<Record<string, string | number>>;
  for (const name of said) {
    if (!Object.hasOwn(optionsOf(flags), name) || FREE.includes(name) || now[name] === was[name]) continue;
    if (GROWING.includes(name) && Number(now[name]) > Number(was[name])) continue;
    throw new UserError(
      `${flags.out} was begun with ${optionName(name)} ${was[name] ?? 'left out'}, not ${now[name]}: go on as it was begun, or choose another --out`,
    );
  }
  const more = Object.fromEntries(
    [...FREE, ...GROWING].filter((name) => said.includes(name)).map((name) => [name, now[name]]),
  );
  return { ...options, ...more };
}

/** What was begun, with the rows that are new. */
function agreed(
  recorded: ComparisonPlan,
  asked: ComparisonPlan,
  { out, said }: { readonly out: string; readonly said: readonly string[] },
): ComparisonPlan {
  for (const [what, version] of Object.entries(asked.madeWith))
    if (recorded.madeWith[what as keyof Environment['versions']] !== version)
      note(
        `begun with ${what} ${recorded.madeWith[what as keyof Environment['versions']]}, going on with ${version}: results may differ in their last digits`,
      );
  const { options } = asked;
  const command = isDeepStrictEqual(options, recorded.options) ? recorded.command : asked.command;
  const grown = { ...recorded, command, options };
  if (!said.includes('models') && !said.includes('set')) return grown;
  for (const before of recorded.entries) {
    const now = asked.entries.find(({ label }) => label === before.label);
    if (!now)
      throw new UserError(`${out} was begun with ${before.label}, which --models leaves out: go on as it was begun`);
    if (essence(now) !== essence(before))
      throw new UserError(`${out} was begun with other settings of ${before.label}: go on as it was begun`);
  }
  const known = new Map(recorded.entries.map((entry) => [entry.label, entry]));
  const added = asked.entries.filter(({ label }) => !known.has(label));
  if (added.length > 0) note(`new in the comparison: ${added.map(({ label }) => label).join(', ')}`);
  return { ...grown, entries: asked.entries.map((entry) => known.get(entry.label) ?? entry) };
}

/** What a row is, without what was declared worth trying when it was begun. */
const essence = (entry: Entry): string =>
  JSON.stringify(isTrained(entry) ? [entry.model, entry.preset, entry.set] : [entry.model]);
