/** The options of commands that compare. Knows what there is to say, its wording and defaults; does not know what is made of it. */
import { isDeepStrictEqual } from 'node:util';
import { type Command, Option } from 'commander';
import type { ProtocolName } from '../../evaluate/index.js';
import {
  type CommonConfig,
  MOST_TRIALS,
  type ShapeName,
  type TrainingSettings,
  publishedShapes,
} from '../../model/index.js';
import { OPTIMIZERS } from '../../train/index.js';
import {
  type ComputeFlags,
  candidateCountOption,
  deviceOption,
  namesIn,
  numberFrom,
  threadsOption,
  validationProtocolOption,
  wholeNumber,
} from '../options.js';

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

/** The options alone, without how a session works. */
export function optionsOf(flags: ComparisonOptions & Partial<ComparisonFlags>): ComparisonOptions {
  const { out: _out, candidates: _candidates, saveEvery: _save, keepTuning: _keep, threads: _threads, ...rest } = flags;
  const { device: _device, jobs: _jobs, ...options } = rest;
  return options;
}

/** The labels of the rows that every other one is tested against; none where that is the best. */
export const referencesIn = ({ reference }: Pick<ComparisonOptions, 'reference'>): string[] =>
  reference === undefined ? [] : namesIn(reference);

const number = (flags: string, description: string, least: number, most?: number): Option =>
  new Option(flags, description).argParser(wholeNumber(least, most));

/** What every training and test of a comparison is alike in, and how one session works. */
export const trainingOptions = (): Option[] => [
  new Option(
    '--set <name=value>',
    'change a setting of all models, or with label.name=value of one row (repeatable); what is set is not tuned',
  )
    .argParser((value: string, all: readonly string[]) => [...all, value])
    .default([] as readonly string[]),
  new Option('--shape <name>', 'published widths, windows and weight decay, for all models')
    .choices(Object.keys(publishedShapes))
    .default('amazon'),
  new Option('--negative-sampling <how>', 'how training negatives are drawn, for all models')
    .choices(['popular', 'uniform'])
    .default('popular'),
  new Option('--item-attributes <names>', 'item attributes to embed beside the id, for all models'),
  new Option('--user-attributes <names>', 'user attributes to embed beside the id, for all models that see users'),
  number('--batch-size <number>', 'training rows per step', 1).default(256),
  new Option('--optimizer <name>', 'as of sesrec train').choices(OPTIMIZERS).default('adam'),
  new Option(
    '--learning-rate <number>',
    'of all models, which is then not tuned (default: what is tried, else 0.001)',
  ).argParser(numberFrom(0)),
  number(
    '--learning-rate-patience <number>',
    'as of sesrec train: epochs without a better validation MRR before the rate falls to a tenth (default: that of the shape)',
    0,
  ),
  new Option('--weight-decay <number>', 'default: that of the shape').argParser(numberFrom(0)),
  number(
    '--bucket-batches <number>',
    'as of sesrec train, of the models that do not see padding; the others keep the full window',
    0,
  ).default(0),
  number('--batch-parts <number>', 'as of sesrec train', 1, 64).default(2),
  new Option('--candidates <file>', 'candidate lists for validation and test (default: uniform unseen items)'),
  candidateCountOption(),
  number('--seeds <number>', 'runs of each model with its best settings, with seeds 1, 2, …', 1).default(3),
  number('--epochs <number>', 'at most this many epochs of each run', 1).default(30),
  number('--patience <number>', 'stop a run after this many epochs without a better validation MRR', 1).default(5),
  number(
    '--run-validation-users <number>',
    'validate the epochs of runs on a seeded sample of this many users (default: all)',
    1,
  ),
  validationProtocolOption(),
  number('--full-users <number>', 'rank all items for a seeded sample of this many test users…', 1).default(2000),
  new Option(
    '--full-minutes <number>',
    '…but for all of them with models that are estimated to take less than this; 0: never',
  )
    .argParser(numberFrom(0))
    .default(10),
  new Option('--save-every <seconds>', 'save the state of a training at least this often')
    .argParser(numberFrom(0))
    .default(300),
  number(
    '--jobs <number>',
    'trainings at once; each has --threads threads (default: a fair share); results do not depend on it',
    1,
    1024,
  ).default(1),
  threadsOption(),
  deviceOption(),
];

/** Which models, and how they are tuned and chosen for more seeds. */
export const choosingOptions = (): Option[] => [
  new Option(
    '--models <list>',
    'all, or rows separated by commas, each [label=]model[:preset]; sesrec models lists the models',
  ).default('all'),
  number(
    '--trials <number>',
    'try at most this many of the settings that each model declares; 0: none, its defaults',
    0,
    MOST_TRIALS,
  ).default(MOST_TRIALS),
  number('--tuning-epochs <number>', 'epochs of each trial', 1).default(8),
  number('--validation-users <number>', 'validate trials on a seeded sample of this many users (default: all)', 1),
  new Option('--keep-tuning', 'keep the run directories of trials'),
  number('--finalists <number>', 'this many models, the best on validation, have more seeds', 0).default(0),
  number('--finalist-seeds <number>', 'seeds of the finalists', 1).default(5),
  new Option(
    '--reference <rows>',
    'rows, separated by commas, that every other row is tested against in NDCG@10 (default: the best)',
  ),
];

/** The names of the options that were given, not left to their defaults. */
export const saidOf = (command: Command): string[] =>
  command.options
    .map((option) => option.attributeName())
    .filter((name) => command.getOptionValueSource(name) === 'cli');

/** The command for somebody who wants the same: what was said now, and of `options` what was said in calls before. */
export function typed(given: string, command: Command, options: Readonly<Record<string, unknown>>): string {
  const quoted = (text: string): string =>
    /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  const said = saidOf(command);
  const told = command.options.flatMap((option) => {
    const name = option.attributeName();
    const isSaid = said.includes(name);
    const value: unknown = isSaid ? command.getOptionValue(name) : options[name];
    if (name === 'json' || value === undefined || (!isSaid && isDeepStrictEqual(value, option.defaultValue))) return [];
    if (value === true) return [option.long];
    return (Array.isArray(value) ? value : [value]).map((one) => `${option.long} ${quoted(String(one))}`);
  });
  return [...nameOf(command), quoted(given), ...told].join(' ');
}

/** A command and those that it is part of: sesrec, analyse, ablation. */
const nameOf = (command: Command): string[] => [...(command.parent ? nameOf(command.parent) : []), command.name()];
