/** `sesrec recommend`: the next items for one user, with reasons. Knows how they are shown; the ranker does the work. */
import { Command } from 'commander';
import { UserError, at } from '../../base/index.js';
import { type Dataset, UNKNOWN } from '../../data/index.js';
import { clicksBefore, recentFeed, recentSearches } from '../../features/index.js';
import { type Case, type Reason, type Run, SesrecRanker, loadRun } from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import { type ComputeFlags, deviceOption, jsonOption, threadsOption, wholeNumber, withRuntime } from '../options.js';
import { note, printJson, printText } from '../output.js';

interface RecommendFlags extends ComputeFlags {
  readonly user: string;
  readonly k: number;
  readonly explain?: boolean;
  readonly reasons: number;
  readonly includeSeen?: boolean;
  readonly json?: boolean;
}

/** A reason, told. */
export interface ToldReason {
  readonly type: 'search' | 'feed';
  /** The query as it was normalised, for a search. */
  readonly query?: string;
  /** Items clicked in the search, or the item acted on in the feed. */
  readonly items: readonly string[];
  readonly time: string | null;
  readonly weight: number;
  readonly side: Reason['side'];
}

export interface ToldRecommendation {
  readonly rank: number;
  readonly item: string;
  /** A logit: higher is better, comparable within one answer only. */
  readonly score: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly because?: readonly ToldReason[];
}

export function recommendCommand(): Command {
  return new Command('recommend')
    .description('the next items for one user, after everything in the log')
    .argument('<run>', 'a directory made by sesrec train')
    .requiredOption('--user <id>', 'the user, by the id of the log')
    .option('--k <number>', 'how many items', wholeNumber(1), 10)
    .option('--explain', 'name the searches and feed events behind each item, and the side each lies on')
    .option(
      '--reasons <number>',
      'with --explain: how many searches and how many feed events per item',
      wholeNumber(1),
      2,
    )
    .option('--include-seen', 'recommend items the user has already met, too')
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (directory: string, flags: RecommendFlags) => {
      const run = await loadRun(directory);
      const items = await withRuntime(flags, (runtime) => recommendFor(run, runtime, flags));
      const { model, preset } = run.manifest;
      if (items.length < flags.k)
        note(
          flags.includeSeen
            ? `the catalogue has only ${items.length} items`
            : `only ${items.length} items are left that the user has not met; --include-seen lifts that`,
        );
      if (flags.json) printJson({ user: flags.user, model: { name: model, preset, version: run.version }, items });
      else printText(recommendationText(items));
    });
}

/** Recommends and tells why. An unknown user is a `UserError`. */
export async function recommendFor(
  run: Run,
  runtime: Runtime,
  {
    user,
    k,
    explain = false,
    reasons,
    includeSeen = false,
  }: Pick<RecommendFlags, 'user' | 'k' | 'explain' | 'reasons' | 'includeSeen'>,
): Promise<ToldRecommendation[]> {
  const { dataset, manifest, parameters } = run;
  if (!dataset.users.has(user))
    throw new UserError(`user ${JSON.stringify(user)} is not in the log that ${run.directory} was trained on`);
  const index = dataset.users.index(user);
  const moment = { user: index, feedPosition: at(dataset.feedOffsets, index + 1) };
  const ranker = new SesrecRanker(manifest.config, parameters, dataset, runtime);
  const best = await ranker.recommend(moment, k, includeSeen ? new Set() : metBefore(dataset, moment));
  const why =
    explain && best.length > 0
      ? await ranker.explain(
          moment,
          best.map(({ item }) => item),
          reasons,
        )
      : null;
  return best.map(({ item, score }, position) => ({
    rank: position + 1,
    item: dataset.items.ids[item] as string,
    score,
    attributes: attributesOf(dataset, item),
    ...(why ? { because: (why[position] as Reason[]).map((reason) => tell(dataset, moment, reason)) } : {}),
  }));
}

/** Items of the user's feed, and those clicked in searches. */
function metBefore(dataset: Dataset, moment: Case): Set<number> {
  const met = new Set<number>(dataset.feedItem.subarray(...recentFeed(dataset, moment)));
  for (const search of recentSearches(dataset, moment))
    for (const item of clicksBefore(dataset, moment, search)) met.add(item);
  return met;
}

function attributesOf(dataset: Dataset, item: number): Record<string, string> {
  return Object.fromEntries(
    [...dataset.itemAttributes].flatMap(([name, { values, index }]) => {
      const value = values.ids[at(index, item)];
      return value ? [[name, value]] : [];
    }),
  );
}

function tell(dataset: Dataset, moment: Case, { lane, position, weight, side }: Reason): ToldReason {
  const name = (item: number): string =>
    item === UNKNOWN ? '(an item that was not seen in training)' : (dataset.items.ids[item] as string);
  const milliseconds = at(lane === 'feed' ? dataset.feedTime : dataset.searchTime, position);
  const time = Number.isNaN(milliseconds) ? null : new Date(milliseconds).toISOString();
  if (lane === 'feed') return { type: 'feed', items: [name(at(dataset.feedItem, position))], time, weight, side };
  const query = at(dataset.searchQuery, position);
  return {
    type: 'search',
    query: query === UNKNOWN ? '(a query that was not seen in training)' : (dataset.queries.ids[query] as string),
    items: clicksBefore(dataset, moment, position).map(name),
    time,
    weight,
    side,
  };
}

/** The attribute that tells a person most about an item, if it has one. */
function describing(attributes: Readonly<Record<string, string>>): string | undefined {
  const known = ['title', 'name', 'category', 'categories'].find((name) => attributes[name]);
  return known ? attributes[known] : Object.values(attributes)[0];
}

/** Recommendations as lines of text. */
export function recommendationText(items: readonly ToldRecommendation[]): string {
  return items
    .flatMap(({ rank, item, score, attributes, because = [] }) => {
      const detail = describing(attributes);
      return [
        `${String(rank).padStart(2)}. ${item}  ${score.toFixed(3)}${detail ? `  ${detail}` : ''}`,
        ...because.map((reason) => {
          const what =
            reason.type === 'search'
              ? `searched "${reason.query}"${reason.items.length > 0 ? ` and clicked ${reason.items.join(', ')}` : ''}`
              : `met ${reason.items.join(', ')} in the feed`;
          return `      because you ${what}  (weight ${reason.weight.toFixed(2)}${reason.side ? `, ${reason.side}` : ''})`;
        }),
      ];
    })
    .join('\n');
}
