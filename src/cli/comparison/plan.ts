/**
 * What a comparison is: compare.json. Knows what a plan is made of, what is refused in one, and how it is read; does not know how one is
 * gone on with (opening.ts), nor how models are trained, tested or judged.
 */
import { join } from 'node:path';
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
} from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import { type Candidates, hashCandidates } from '../../evaluate/index.js';
import { RANKER_IDS, models, publishedShapes } from '../../model/index.js';
import { type Environment, environment } from '../environment.js';
import { note } from '../output.js';
import { type Entry, isTrained, planEntries } from './entries.js';
import { type ComparisonFlags, type ComparisonOptions, optionsOf, referencesIn } from './options.js';
import { trainingOfRow } from './row-training.js';
import { validationOfRow } from './run-plans.js';

const FORMAT = 'sesrec-comparison';
const VERSION = 1;

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

export const PLAN_FILE = 'compare.json';
export function newPlan(
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

/** Finalists are chosen by validation, where an MRR among candidates says nothing beside one among all items; and they have seeds beyond those of all. */
function refuseMixedFinalists(entries: readonly Entry[], options: ComparisonOptions): void {
  const { finalists } = options;
  if (finalists === 0) return;
  const trained = entries.filter(isTrained);
  const seeded = trained.find(({ set }) => trainingOfRow(set).training.seeds !== undefined);
  if (seeded)
    throw new UserError(
      `--finalists ${finalists}: ${seeded.label} has seeds of its own; say of each row how many there shall be, or of none`,
    );
  if (new Set(trained.map(({ label }) => validationOfRow(options, label))).size > 1)
    throw new UserError(
      `--finalists ${finalists}: rows with another validationProtocol than others cannot be compared on validation; leave it out, or give more --seeds`,
    );
}

function refuseUnknownReferences(entries: readonly Entry[], options: ComparisonOptions): void {
  const labels = entries.map(({ label }) => label);
  const unknown = referencesIn(options).find((label) => !labels.includes(label));
  if (unknown !== undefined)
    throw new UserError(
      `--reference ${options.reference}: no row is called ${unknown}; there are ${labels.join(', ')}`,
    );
}

function needsSearches(entry: Entry, dataset: Dataset, { shape }: ComparisonOptions): boolean {
  if (dataset.searchQuery.length > 0 || !isTrained(entry)) return false;
  const { card, settings } = models[entry.model];
  return card.kind === 'search-aware' && !('useSearch' in settings(entry.preset, shape));
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
