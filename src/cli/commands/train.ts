/** `sesrec train`: a run from a data directory. Knows options and how the result is told; cli/training.ts does the work. */
import { Command, Option } from 'commander';
import { MODEL_IDS, publishedShapes } from '../../model/index.js';
import { OPTIMIZERS } from '../../train/index.js';
import {
  candidateCountOption,
  deviceOption,
  jsonOption,
  numberFrom,
  optionName,
  threadsOption,
  validationProtocolOption,
  validationScore,
  wholeNumber,
} from '../options.js';
import { UsageError } from '../../base/index.js';
import { type SparkFlags, type WorkerFlags, onSpark, withSparkOptions, withWorkerOptions } from '../on-spark.js';
import { note, printJson, printText } from '../output.js';
import { type TrainFlags, USUAL_ROUNDS } from '../run-plan.js';
import { train } from '../training.js';

/** What `sesrec train` would do with these arguments; for commands that train on the way. */
export function trainFlags(args: readonly string[]): TrainFlags {
  return describeTrain()
    .exitOverride()
    .requiredOption('--out <run>', 'replaced by the caller', '')
    .parse(args, { from: 'user' })
    .opts();
}

/** Options that only rounds heed. */
const OF_ROUNDS = ['localSteps', 'outerLearningRate', 'outerMomentum'];

export function trainCommand(): Command {
  return withWorkerOptions(withSparkOptions(describeTrain(), 'local'))
    .requiredOption('--out <run>', 'the run directory to make')
    .action(async (data: string, flags: TrainFlags & SparkFlags & WorkerFlags, command: Command) => {
      const said = Object.keys(flags).filter((name) => command.getOptionValueSource(name) === 'cli');
      const lost = said.find((name) => OF_ROUNDS.includes(name));
      if (lost !== undefined && flags.workers === undefined && !flags.resume)
        throw new UsageError(`${optionName(lost)} is about rounds: say how many --workers they have`);
      if (flags.engine === 'spark' && flags.workers === undefined && !flags.resume)
        throw new UsageError('--engine spark trains in rounds: say how many --workers they have');
      const summary = await onSpark(flags, async (spark) => {
        const { node, package: own } = flags;
        const where = spark ? { spark: { ...spark, node, package: own }, signal: spark.signal } : {};
        return train(data, { ...flags, ...where } as TrainFlags, said);
      });
      if (flags.json) printJson(summary);
      else
        printText(
          `${flags.out}: best epoch ${summary.best.epoch} of ${summary.epochs}, ${validationScore(summary.validationProtocol)} ${summary.best.score.toFixed(4)} (${summary.reason})`,
        );
      if (summary.result !== null) note(`result: ${summary.result}`);
    });
}

function describeTrain(): Command {
  return new Command('train')
    .description('train a model; the run directory it makes is all that evaluate and recommend need')
    .argument('<data>', 'a directory made by sesrec import')
    .addOption(
      new Option('--model <name>', 'the model; sesrec models tells of each').choices(MODEL_IDS).default('sesrec'),
    )
    .option(
      '--preset <name>',
      "settings of the model (default: its first). sesrec: official, what the authors' code does; paper, what the text says; sesrec, ours (docs/preset.md)",
    )
    .addOption(
      new Option('--shape <name>', 'published widths, windows and weight decay')
        .choices(Object.keys(publishedShapes))
        .default('amazon'),
    )
    .option('--seed <number>', 'seed of everything random', wholeNumber(0), 1)
    .option('--epochs <number>', 'at most this many epochs', wholeNumber(1), 30)
    .option('--batch-size <number>', 'training rows per step', wholeNumber(1), 256)
    .addOption(
      new Option(
        '--optimizer <name>',
        'adam: dense, coupled L2, the reference; adamCatchUp: the same bits, for large catalogues; lazyAdam: touched rows only, decoupled decay',
      )
        .choices(OPTIMIZERS)
        .default('adam'),
    )
    .option('--learning-rate <number>', 'at the start; a tenth after a plateau, never below 1e-5', numberFrom(0), 1e-3)
    .option(
      '--learning-rate-patience <number>',
      'epochs without a better validation MRR before the learning rate falls to a tenth (default: that of the shape)',
      wholeNumber(0),
    )
    .option('--weight-decay <number>', 'default: that of the shape', numberFrom(0))
    .option('--patience <number>', 'stop after this many epochs without a better validation MRR', wholeNumber(1), 8)
    .option('--no-shuffle', 'keep the rows in file order, as the official loader does')
    .option(
      '--bucket-batches <number>',
      'form batches of rows with histories of about the same length, within a shuffle buffer of this many batches: less padding, faster; 0: as the rows come',
      wholeNumber(0),
      0,
    )
    .option(
      '--batch-parts <number>',
      'cut each batch into this many parts, computed side by side where there are threads for it; it matters to dropout masks and last bits only',
      wholeNumber(1, 64),
      2,
    )
    .option(
      '--workers <number>',
      'train in rounds: so many workers take steps each from the same parameters, then their moves are averaged (default: none)',
      wholeNumber(1, 4096),
    )
    .option(
      '--local-steps <number>',
      'with --workers: steps that each takes in a round',
      wholeNumber(1),
      USUAL_ROUNDS.localSteps,
    )
    .option(
      '--outer-learning-rate <number>',
      'with --workers: how much of the mean move is made; 1 without momentum is the mean of the workers',
      numberFrom(0),
      USUAL_ROUNDS.outerLearningRate,
    )
    .option(
      '--outer-momentum <number>',
      "with --workers: Nesterov's momentum of the mean moves (default: 1 - 1/workers)",
      numberFrom(0, 1),
    )
    .option(
      '--candidates <file>',
      'candidate lists for validation (default: uniform unseen items, drawn once per data set)',
    )
    .addOption(candidateCountOption())
    .option(
      '--validation-users <number>',
      'validate on a seeded sample of this many users (default: all)',
      wholeNumber(1),
    )
    .addOption(validationProtocolOption())
    .option('--item-attributes <names>', 'item attributes to embed beside the id, separated by commas')
    .option('--user-attributes <names>', 'user attributes to embed beside the id, separated by commas')
    .option(
      '--set <name=value>',
      'change any setting of the model, such as alpha=0.2 or useSearch=false (repeatable)',
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option(
      '--save-every <seconds>',
      'save the state at least this often, beside the end of every epoch; 0: after every step',
      numberFrom(0),
      300,
    )
    .option(
      '--warm <run>',
      'begin with the parameters of a run of the same model, on data that may have grown: what it knows by id is taken over, what is new starts anew',
    )
    .option('--resume', 'go on with an interrupted run; the result is the same, bit for bit')
    .option('--overwrite', 'replace an existing run')
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption());
}
