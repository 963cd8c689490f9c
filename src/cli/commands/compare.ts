/** `sesrec compare`: many models on one data set, with the same effort for each. Knows options; cli/comparison does the work. */
import { Command, Option } from 'commander';
import { MOST_TRIALS, publishedShapes } from '../../model/index.js';
import { OPTIMIZERS } from '../../train/index.js';
import { type ComparisonFlags, compareModels } from '../comparison/index.js';
import { candidateCountOption, deviceOption, jsonOption, numberFrom, threadsOption, wholeNumber } from '../options.js';
import { note, printJson, printText } from '../output.js';

interface CompareFlags extends ComparisonFlags {
  readonly json?: boolean;
}

export function compareCommand(): Command {
  return describeCompare().action(async (data: string, flags: CompareFlags, command: Command) => {
    const { json, ...asked } = flags;
    const said = Object.keys(asked).filter((name) => command.getOptionValueSource(name) === 'cli');
    const { results, text } = await compareModels(data, asked, said, typed(data, command));
    if (json) printJson(results);
    else printText(text);
    note(`results: ${flags.out}/results.json, ${flags.out}/table.md`);
  });
}

function describeCompare(): Command {
  return new Command('compare')
    .description(
      'tune, train and test many models with the same budget, and tell which is best and how sure that is; the same command goes on after an interruption',
    )
    .argument('<data>', 'a directory made by sesrec import')
    .requiredOption('--out <directory>', 'where everything goes: runs, ranks, results.json, table.md')
    .option(
      '--models <list>',
      'all, or rows separated by commas, each [label=]model[:preset]; sesrec models lists the models',
      'all',
    )
    .option(
      '--set <name=value>',
      'change a setting of all models, or with label.name=value of one row (repeatable); what is set is not tuned',
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .addOption(
      new Option('--shape <name>', 'published widths, windows and weight decay, for all models')
        .choices(Object.keys(publishedShapes))
        .default('amazon'),
    )
    .addOption(
      new Option('--negative-sampling <how>', 'how training negatives are drawn, for all models')
        .choices(['popular', 'uniform'])
        .default('popular'),
    )
    .option('--item-attributes <names>', 'item attributes to embed beside the id, for all models')
    .option('--user-attributes <names>', 'user attributes to embed beside the id, for all models that see users')
    .option('--batch-size <number>', 'training rows per step', wholeNumber(1), 256)
    .addOption(new Option('--optimizer <name>', 'as of sesrec train').choices(OPTIMIZERS).default('adam'))
    .option('--weight-decay <number>', 'default: that of the shape', numberFrom(0))
    .option(
      '--bucket-batches <number>',
      'as of sesrec train, of the models that do not see padding; the others keep the full window',
      wholeNumber(0),
      0,
    )
    .option('--batch-parts <number>', 'as of sesrec train', wholeNumber(1, 64), 2)
    .option('--candidates <file>', 'candidate lists for validation and test (default: uniform unseen items)')
    .addOption(candidateCountOption())
    .option(
      '--trials <number>',
      'try at most this many of the settings that each model declares; 0: none, its defaults',
      wholeNumber(0, MOST_TRIALS),
      MOST_TRIALS,
    )
    .option('--tuning-epochs <number>', 'epochs of each trial', wholeNumber(1), 8)
    .option(
      '--validation-users <number>',
      'validate trials on a seeded sample of this many users (default: all)',
      wholeNumber(1),
    )
    .option('--seeds <number>', 'runs of each model with its best settings, with seeds 1, 2, …', wholeNumber(1), 3)
    .option('--finalists <number>', 'this many models, the best on validation, have more seeds', wholeNumber(0), 0)
    .option('--finalist-seeds <number>', 'seeds of the finalists', wholeNumber(1), 5)
    .option('--epochs <number>', 'at most this many epochs of each run', wholeNumber(1), 30)
    .option(
      '--patience <number>',
      'stop a run after this many epochs without a better validation MRR',
      wholeNumber(1),
      5,
    )
    .option(
      '--run-validation-users <number>',
      'validate the epochs of runs on a seeded sample of this many users (default: all)',
      wholeNumber(1),
    )
    .option(
      '--full-users <number>',
      'rank all items for a seeded sample of this many test users…',
      wholeNumber(1),
      2000,
    )
    .option(
      '--full-minutes <number>',
      '…but for all of them with models that are estimated to take less than this; 0: never',
      numberFrom(0),
      10,
    )
    .option('--save-every <seconds>', 'save the state of a training at least this often', numberFrom(0), 300)
    .option('--keep-tuning', 'keep the run directories of trials')
    .option(
      '--jobs <number>',
      'trainings at once; each has --threads threads (default: a fair share); results do not depend on it',
      wholeNumber(1, 1024),
      1,
    )
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption());
}

/** The command as it was given, for somebody who wants the same. */
function typed(data: string, command: Command): string {
  const quoted = (text: string): string =>
    /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  const options = command.options.flatMap((option) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli' || name === 'json') return [];
    const value: unknown = command.getOptionValue(name);
    if (value === true) return [option.long];
    return (Array.isArray(value) ? value : [value]).map((one) => `${option.long} ${quoted(String(one))}`);
  });
  return ['sesrec compare', quoted(data), ...options].join(' ');
}
