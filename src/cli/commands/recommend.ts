/**
 * `sesrec recommend`: the next items for one user, with reasons, or for all users. Knows options; cli/recommending.ts and cli/scoring/
 * do the work.
 */
import { Command, Option } from 'commander';
import { UsageError, counted } from '../../base/index.js';
import { REASON_METHODS, type ReasonMethod } from '../../model/index.js';
import { type SparkFlags, type WorkerFlags, onSpark, withSparkOptions, withWorkerOptions } from '../on-spark.js';
import {
  type ComputeFlags,
  deviceOption,
  jsonOption,
  optionName,
  threadsOption,
  wholeNumber,
  withRuntime,
} from '../options.js';
import { note, printJson, printText } from '../output.js';
import { duration } from '../progress.js';
import { recommendFor, recommendationText, strangeQuery } from '../recommending.js';
import { scoreLocally } from '../scoring/local.js';
import { scoreOnSpark } from '../scoring/spark.js';
import { loadScored } from '../scoring/worker.js';

interface RecommendFlags extends ComputeFlags, SparkFlags, WorkerFlags {
  readonly data?: string;
  readonly user?: string;
  readonly search?: string;
  readonly k: number;
  readonly explain?: boolean;
  readonly reasons: number;
  readonly reasonsBy: ReasonMethod;
  readonly includeSeen?: boolean;
  readonly allUsers?: boolean;
  readonly out?: string;
  readonly partUsers: number;
  readonly sharedRun?: boolean;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** Options that ask about one user. */
const OF_ONE = ['user', 'search', 'explain', 'reasons', 'reasonsBy'];
/** Options of lists for all users. */
const OF_ALL = ['out', 'engine', 'partUsers', 'resume', 'overwrite'];
/** Options of lists that are made on Spark. */
const OF_SPARK = ['node', 'package', 'sharedRun'];

export function recommendCommand(): Command {
  return withWorkerOptions(withSparkOptions(describeRecommend(), 'local'))
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (directory: string, flags: RecommendFlags, command: Command) => {
      const isSaid = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
      const refuse = (names: readonly string[], why: string): void => {
        const said = names.find(isSaid);
        if (said !== undefined) throw new UsageError(`${optionName(said)} ${why}`);
      };
      if (flags.allUsers) {
        refuse(OF_ONE, 'is about one user: leave it out, or leave out --all-users');
        if (flags.engine === 'local') refuse(OF_SPARK, 'is for --engine spark');
        else refuse(['resume'], 'is for --engine local: Spark does lost parts again by itself');
        return recommendToAll(directory, flags);
      }
      if (!flags.explain) refuse(['reasons', 'reasonsBy'], 'is for --explain');
      refuse([...OF_ALL, 'master', 'sparkConf', 'driverMemory', ...OF_SPARK], 'is for --all-users');
      const run = await loadScored(directory, flags.data ?? null);
      const { source, reasonsBy, items } = await withRuntime(flags, (runtime) => recommendFor(run, runtime, flags));
      const { model, preset } = run.manifest;
      if (items.length < flags.k)
        note(
          flags.includeSeen
            ? `the catalogue has only ${items.length} items`
            : `only ${items.length} items are left that the user has not met; --include-seen lifts that`,
        );
      if (source === 'popularity')
        note('nothing is known of this user: these are the items with the most events in training');
      const strange = flags.search === undefined ? null : strangeQuery(run.dataset, flags.search);
      if (strange !== null) note(strange);
      if (flags.json)
        printJson({
          user: flags.user ?? null,
          source,
          ...(flags.explain ? { reasonsBy } : {}),
          model: { name: model, preset, version: run.version },
          items,
        });
      else printText(recommendationText(items));
    });
}

function describeRecommend(): Command {
  return new Command('recommend')
    .description('the next items for one user, after everything in the log, for somebody new, or for all users')
    .argument('<run>', 'a directory made by sesrec train')
    .option(
      '--data <data>',
      "a data directory that grew from the run's (sesrec import --append): what is new is unknown to the model",
    )
    .option('--user <id>', 'the user, by the id of the log (default: somebody of whom nothing is known)')
    .option('--search <query>', 'as if the user had just searched for this; nothing is stored')
    .option('--k <number>', 'how many items', wholeNumber(1), 10)
    .option('--explain', 'name the searches and feed events behind each item, and where it would stand without each')
    .option('--reasons <number>', 'with --explain: how many per item, at most', wholeNumber(1, 100), 3)
    .addOption(
      new Option(
        '--reasons-by <method>',
        'with --explain: stepwise: one after another, by where the item would stand; deletion, gradient, attention (SESRec only): docs/reasons.md',
      )
        .choices(REASON_METHODS)
        .default(REASON_METHODS[0]),
    )
    .option('--include-seen', 'recommend items the user has already met, too')
    .option('--all-users', 'lists for every user of the data, as Parquet in --out: user, rank, item, score, source')
    .option('--out <directory>', 'with --all-users: where the lists go')
    .option(
      '--part-users <number>',
      'with --all-users: users of one part, which is done again if it is interrupted or its machine is lost',
      wholeNumber(1),
      16_384,
    )
    .option('--resume', 'with --all-users: go on with lists that were interrupted')
    .option('--overwrite', 'with --all-users: replace lists that are there')
    .option(
      '--shared-run',
      'with --engine spark: executors read RUN where it is, on storage that all see (default: a copy goes with the job)',
    );
}

async function recommendToAll(directory: string, flags: RecommendFlags): Promise<void> {
  const { out, includeSeen = false } = flags;
  if (out === undefined) throw new UsageError('--all-users needs --out, the directory that the lists go to');
  const start = performance.now();
  const lists = await onSpark(flags, async (spark) => {
    const run = await loadScored(directory, flags.data ?? null);
    const scoring = { ...flags, out, includeSeen };
    return spark ? scoreOnSpark(run, spark, scoring) : scoreLocally(run, scoring);
  });
  const seconds = (performance.now() - start) / 1000;
  if (flags.json) printJson({ out, ...lists, seconds });
  else
    printText(
      `${out}: ${counted(lists.rows ?? 0)} rows, the lists of ${counted(lists.users)} users, in ${duration(seconds)}`,
    );
}
