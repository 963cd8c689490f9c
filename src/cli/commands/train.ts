/** `sesrec train`: a run from a data directory. Knows options, progress and the run's log; train/ does the work. */
import { appendFileSync, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { CorruptFileError, InterruptedError, UserError } from '../../base/index.js';
import { type Dataset, loadDataset, readManifest } from '../../data/index.js';
import {
  type Candidates,
  candidatesFileName,
  drawCandidates,
  evaluate,
  hashCandidates,
  loadOrDrawCandidates,
  readCandidatesFile,
  saveCandidates,
} from '../../evaluate/index.js';
import {
  type NamedTensor,
  type RunManifest,
  type SesrecConfig,
  type SesrecPreset,
  type SesrecShapeName,
  SesrecRanker,
  checkpointsOf,
  createRun,
  dataOf,
  loadCheckpoint,
  openRun,
  saveCheckpoint,
  sesrecConfigRule,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
} from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import {
  type FitEvent,
  type FitState,
  Stepper,
  createOptimizer,
  fit,
  fitStateRule,
  initialState,
} from '../../train/index.js';
import { programVersion } from '../version.js';
import {
  type ComputeFlags,
  applySettings,
  checkDevice,
  deviceOption,
  jsonOption,
  numberFrom,
  threadsOption,
  wholeNumber,
  withRuntime,
} from '../options.js';
import { note, printJson, printText } from '../output.js';
import { duration, progressLine } from '../progress.js';

interface TrainFlags extends ComputeFlags {
  readonly model: 'sesrec';
  readonly preset: SesrecPreset;
  readonly shape: SesrecShapeName;
  readonly out: string;
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: 'adam' | 'lazyAdam';
  readonly learningRate: number;
  readonly weightDecay?: number;
  readonly patience: number;
  readonly shuffle: boolean;
  readonly candidates?: string;
  readonly validationUsers?: number;
  readonly itemAttributes?: string;
  readonly userAttributes?: string;
  readonly set: readonly string[];
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** Width of an attribute's embedding; models.md 1.5 has 8 for items and 4 for users. */
const ATTRIBUTE_WIDTH = { item: 8, user: 4 } as const;

/** What `sesrec train` would do with these arguments; for commands that train on the way. */
export function trainFlags(args: readonly string[]): TrainFlags {
  return describeTrain()
    .exitOverride()
    .requiredOption('--out <run>', 'replaced by the caller', '')
    .parse(args, { from: 'user' })
    .opts();
}

export function trainCommand(): Command {
  return describeTrain()
    .requiredOption('--out <run>', 'the run directory to make')
    .action(async (data: string, flags: TrainFlags, command: Command) => {
      const said = Object.keys(flags).filter((name) => command.getOptionValueSource(name) === 'cli');
      const summary = await train(data, flags, said);
      if (flags.json) printJson(summary);
      else
        printText(
          `${flags.out}: best epoch ${summary.best.epoch} of ${summary.epochs}, validation MRR ${summary.best.score.toFixed(4)} (${summary.reason})`,
        );
    });
}

function describeTrain(): Command {
  return new Command('train')
    .description('train a model; the run directory it makes is all that evaluate and recommend need')
    .argument('<data>', 'a directory made by sesrec import')
    .addOption(new Option('--model <name>', 'the model').choices(['sesrec']).default('sesrec'))
    .addOption(
      new Option('--preset <name>', "official: what the authors' code does; paper: what the text says")
        .choices(Object.keys(sesrecPresets))
        .default('official'),
    )
    .addOption(
      new Option('--shape <name>', 'published widths, windows and weight decay')
        .choices(Object.keys(sesrecShapes))
        .default('amazon'),
    )
    .option('--seed <number>', 'seed of everything random', wholeNumber(0), 1)
    .option('--epochs <number>', 'at most this many epochs', wholeNumber(1), 30)
    .option('--batch-size <number>', 'training rows per step', wholeNumber(1), 256)
    .addOption(
      new Option(
        '--optimizer <name>',
        'adam: dense, coupled L2, the reference; lazyAdam: touched rows only, decoupled decay',
      )
        .choices(['adam', 'lazyAdam'])
        .default('adam'),
    )
    .option('--learning-rate <number>', 'at the start; a tenth after a plateau, never below 1e-5', numberFrom(0), 1e-3)
    .option('--weight-decay <number>', 'default: that of the shape', numberFrom(0))
    .option('--patience <number>', 'stop after this many epochs without a better validation MRR', wholeNumber(1), 8)
    .option('--no-shuffle', 'keep the rows in file order, as the official loader does')
    .option(
      '--candidates <file>',
      'candidate lists for validation (default: 99 uniform unseen items, drawn once per data set)',
    )
    .option(
      '--validation-users <number>',
      'validate on a seeded sample of this many users (default: all)',
      wholeNumber(1),
    )
    .option('--item-attributes <names>', 'item attributes to embed beside the id, separated by commas')
    .option('--user-attributes <names>', 'user attributes to embed beside the id, separated by commas')
    .option(
      '--set <name=value>',
      'change any setting of the model, such as alpha=0.2 or useSearch=false (repeatable)',
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option('--resume', 'go on with an interrupted run; the result is the same, bit for bit')
    .option('--overwrite', 'replace an existing run')
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption());
}

interface TrainSummary {
  readonly out: string;
  readonly epochs: number;
  readonly best: { readonly epoch: number; readonly score: number };
  readonly reason: string;
  /** SHA-256 of the best checkpoint. */
  readonly version: string;
  readonly parameters: number;
  readonly seconds: number;
}

/** What a training works with. */
interface Beginning {
  readonly manifest: Omit<RunManifest, 'format' | 'version'>;
  readonly dataset: Dataset;
  readonly candidates: Candidates;
}

/** Trains, or resumes, a run. `said`: the flags that were given, not left to their defaults; resuming holds these to what the run was begun with. */
export async function train(data: string, flags: TrainFlags, said: readonly string[] = []): Promise<TrainSummary> {
  const start = performance.now();
  const beginning = await (flags.resume ? reopen(data, flags, said) : begin(data, flags));
  try {
    return await withRuntime(flags, (runtime) => trainRun(flags, beginning, runtime, start));
  } catch (error) {
    // A run that never learned anything would only stand in the way of the corrected command.
    const isEmpty =
      !flags.resume &&
      error instanceof UserError &&
      !(error instanceof InterruptedError) &&
      !existsSync(join(checkpointsOf(flags.out), 'best.json'));
    if (isEmpty) await rm(flags.out, { recursive: true });
    throw error;
  }
}

/** Lists that somebody gave for validation are kept with the run, so that it can be resumed without them. */
const givenCandidatesOf = (directory: string): string => join(directory, 'validation-candidates.jsonl.gz');

/** Everything that can be refused is refused before the run directory is made, or an existing one replaced. */
async function begin(data: string, flags: TrainFlags): Promise<Beginning> {
  const dataset = await loadDataset(data);
  const manifest = planRun(dataset, flags);
  await checkDevice(flags);
  const candidates =
    flags.candidates === undefined ? drawCandidates(dataset) : await readCandidatesFile(flags.candidates, dataset);
  await createRun(flags.out, data, manifest, {
    overwrite: flags.overwrite === true,
    fill: async (staged) =>
      saveCandidates(
        flags.candidates === undefined ? join(dataOf(staged), candidatesFileName()) : givenCandidatesOf(staged),
        candidates,
        dataset,
      ),
  });
  return { manifest, dataset, candidates };
}

async function reopen(data: string, flags: TrainFlags, said: readonly string[]): Promise<Beginning> {
  const { manifest, dataset } = await openRun(flags.out);
  checkSame(manifest, flags, said);
  const named = await readManifest(data).catch(() => null); // it may be gone: the run has its own copy
  if (named && named.hash !== manifest.dataHash)
    throw new UserError(
      `${flags.out} was trained on other data than ${data}: resume it with the data it was begun with`,
    );
  const given = givenCandidatesOf(flags.out);
  const candidates = existsSync(given)
    ? await readCandidatesFile(given, dataset)
    : await loadOrDrawCandidates(dataOf(flags.out), dataset);
  if (
    flags.candidates !== undefined &&
    hashCandidates(await readCandidatesFile(flags.candidates, dataset), dataset) !== hashCandidates(candidates, dataset)
  ) {
    throw new UserError(
      `${flags.out} was begun with other candidates than ${flags.candidates}: leave --candidates out to go on with its own`,
    );
  }
  return { manifest, dataset, candidates };
}

/** What a run will be, from the flags and the data. */
function planRun(dataset: Dataset, flags: TrainFlags): Omit<RunManifest, 'format' | 'version'> {
  const { shape, weightDecay, learningRatePatience } = sesrecShapes[flags.shape];
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
  if (!hasSearches) note('the log has no searches: search is off, SESRec works on the feed alone');
  const settings: Omit<SesrecConfig, 'sizes' | 'itemAttributes' | 'userAttributes'> = {
    ...sesrecPresets[flags.preset],
    ...shape,
    useSearch: hasSearches,
  };
  const config: SesrecConfig = {
    ...applySettings(settings, flags.set),
    sizes: {
      items: dataset.items.ids.length,
      users: dataset.users.ids.length,
      queries: dataset.queries.ids.length,
      words: dataset.words.ids.length,
      sources: dataset.sources.ids.length,
    },
    itemAttributes: attributes('item', flags.itemAttributes, dataset.itemAttributes),
    userAttributes: attributes('user', flags.userAttributes, dataset.userAttributes),
  };
  const wrong = sesrecConfigRule(config, '');
  if (wrong !== null) throw new UserError(`the settings make no model: ${wrong}`);
  if (config.useSearch && !hasSearches)
    throw new UserError('the settings make no model: useSearch is true, and the log has no searches');
  return {
    model: flags.model,
    preset: flags.preset,
    shape: flags.shape,
    config,
    training: {
      seed: flags.seed,
      epochs: flags.epochs,
      batchSize: flags.batchSize,
      optimizer: flags.optimizer,
      learningRate: flags.learningRate,
      minimumLearningRate: Math.min(1e-5, flags.learningRate),
      learningRatePatience,
      weightDecay: flags.weightDecay ?? weightDecay,
      patience: flags.patience,
      shuffle: flags.shuffle,
      requireBoth: dataset.manifest.source.options['requireBoth'] === true,
      validationUsers: flags.validationUsers ?? null,
    },
    dataHash: dataset.manifest.hash,
    madeWith: { sesrec: programVersion(), node: process.version },
  };
}

const namesIn = (list: string | undefined): string[] => [
  ...new Set(
    (list ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  ),
];

/** A run is resumed as it was begun: what shapes it is in its manifest; what is said again must be the same. */
function checkSame(manifest: RunManifest, flags: TrainFlags, said: readonly string[]): void {
  const { model, preset, shape, config, training } = manifest;
  const listed = (attributes: SesrecConfig['itemAttributes']): string => attributes.map(({ name }) => name).join();
  const was: Record<string, unknown> = {
    model,
    preset,
    shape,
    ...training,
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
      const option = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      throw new UserError(
        `${flags.out} was begun with ${option} ${String(was[name])}, not ${String(now[name])}: resume it as it was begun`,
      );
    }
  }
  if (JSON.stringify(applySettings(config, flags.set)) !== JSON.stringify(config)) {
    throw new UserError(
      `${flags.out} was begun with other settings than --set ${flags.set.join(' --set ')}: resume it as it was begun`,
    );
  }
}

async function trainRun(
  flags: TrainFlags,
  { manifest, dataset, candidates }: Beginning,
  runtime: Runtime,
  start: number,
): Promise<TrainSummary> {
  const { config, training } = manifest;
  const directory = checkpointsOf(flags.out);
  const parameters = sesrecParameters(config);
  const stepper = new Stepper(
    config,
    parameters,
    runtime,
    createOptimizer({ kind: training.optimizer, weightDecay: training.weightDecay }),
  );
  const everything = (): Map<string, NamedTensor> => new Map([...parameters.tensors(), ...stepper.momentTensors()]);

  let state = initialState(training);
  // without a last checkpoint it was interrupted before its first save
  const last =
    flags.resume && existsSync(join(directory, 'last.json')) ? await loadCheckpoint<FitState>(directory, 'last') : null;
  if (last) {
    const wrong = fitStateRule(last.state, 'state');
    if (wrong !== null) throw new CorruptFileError(`${directory}/last.json is damaged: ${wrong}`);
    if (last.state.best) await loadCheckpoint(directory, 'best'); // found out now rather than when the training ends
    parameters.load(last.tensors, `${directory}/last`);
    for (const [name, { data }] of stepper.momentTensors()) {
      const saved = last.tensors.get(name);
      if (saved?.data.length !== data.length)
        throw new UserError(`${directory}/last lacks ${name}: it cannot be resumed`);
      data.set(saved.data);
    }
    state = last.state;
    note(`resuming at epoch ${state.epoch + 1}, step ${state.step + 1}`);
  } else {
    parameters.initialise(training.seed);
  }
  note(
    `${parameters.size.toLocaleString('en-US')} parameters; ${dataset.feedItem.length.toLocaleString('en-US')} feed events, ${dataset.searchQuery.length.toLocaleString('en-US')} searches`,
  );

  const ranker = new SesrecRanker(config, parameters, dataset, runtime);
  const interrupt = new AbortController();
  const onSignal = (): void => {
    note('\nstopping at the next step…');
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const progress = progressLine();
  let version = '';
  const log = join(flags.out, 'log.jsonl');
  try {
    const end = await fit(
      dataset,
      config,
      stepper,
      training,
      {
        signal: interrupt.signal,
        validate: async () => {
          ranker.refresh();
          const { metrics } = await evaluate(ranker, dataset, {
            on: 'validation',
            protocol: 'sampled',
            candidates,
            ...(training.validationUsers === null ? {} : { users: training.validationUsers, seed: 1 }),
          });
          return { score: metrics.mrr, metrics };
        },
        save: async (next, isBest) => {
          if (isBest)
            version = await saveCheckpoint(directory, 'best', parameters.tensors(), {
              epoch: next.epoch,
              score: next.best?.score,
            });
          await saveCheckpoint(directory, 'last', everything(), next);
        },
        onEvent: (event) => {
          if (event.kind === 'step') progress.show(stepLine(event, training.epochs));
          else if (event.kind === 'epoch') {
            progress.clear();
            note(epochLine(event));
            appendFileSync(log, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
          }
        },
      },
      state,
    );
    return {
      out: flags.out,
      epochs: end.epoch,
      best: end.best ?? { epoch: 0, score: NaN },
      reason: end.stopWaits >= training.patience ? `no improvement for ${training.patience} epochs` : 'all epochs done',
      version: version || (await loadCheckpoint(directory, 'best')).sha256,
      parameters: parameters.size,
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    progress.clear();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

const parts = ({
  losses,
}: {
  losses: { loss: number; prediction: number; alignment: number; contrast: number };
}): string =>
  `loss ${losses.loss.toFixed(4)} (prediction ${losses.prediction.toFixed(4)}, alignment ${losses.alignment.toFixed(3)}, contrast ${losses.contrast.toFixed(4)})`;

function stepLine(event: FitEvent & { kind: 'step' }, epochs: number): string {
  return `epoch ${event.epoch}/${epochs}  step ${event.step}/${event.steps}  ${parts(event)}  ${Math.round(event.rowsPerSecond)} rows/s  at most ${duration(event.secondsLeft)} left`;
}

function epochLine(event: FitEvent & { kind: 'epoch' }): string {
  const { metrics } = event.validation;
  return `epoch ${event.epoch}  ${parts(event)}  validation MRR ${(metrics['mrr'] as number).toFixed(4)} NDCG@10 ${(metrics['ndcg@10'] as number).toFixed(4)} HIT@10 ${(metrics['hit@10'] as number).toFixed(4)}${event.improved ? ' *' : ''}  ${duration(event.trainingSeconds)} (${event.stepMilliseconds.toFixed(0)} ms/step, graph ${(100 * event.graphShare).toFixed(0)} %) + ${duration(event.validationSeconds)}`;
}
