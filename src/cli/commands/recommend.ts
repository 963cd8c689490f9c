/** `sesrec recommend`: the next items for one user, with reasons. Knows options; cli/recommending.ts does the work. */
import { Command, Option } from 'commander';
import { asKnownBy, loadDataset, normaliseQuery } from '../../data/index.js';
import { REASON_METHODS, type ReasonMethod, loadRun } from '../../model/index.js';
import { type ComputeFlags, deviceOption, jsonOption, threadsOption, wholeNumber, withRuntime } from '../options.js';
import { note, printJson, printText } from '../output.js';
import { recommendFor, recommendationText } from '../recommending.js';

interface RecommendFlags extends ComputeFlags {
  readonly data?: string;
  readonly user?: string;
  readonly search?: string;
  readonly k: number;
  readonly explain?: boolean;
  readonly reasons: number;
  readonly reasonsBy: ReasonMethod;
  readonly includeSeen?: boolean;
  readonly json?: boolean;
}

export function recommendCommand(): Command {
  return new Command('recommend')
    .description('the next items for one user, after everything in the log, or for somebody new')
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
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (directory: string, flags: RecommendFlags) => {
      const trained = await loadRun(directory);
      const run =
        flags.data === undefined
          ? trained
          : { ...trained, dataset: asKnownBy(await loadDataset(flags.data), trained.dataset) };
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
      if (flags.search !== undefined && !run.dataset.queries.has(normaliseQuery(flags.search)))
        note(`${JSON.stringify(flags.search)} was not searched for in training: the model sees an unknown query`);
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
