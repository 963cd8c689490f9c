/**
 * What `sesrec evaluate --details` adds: metrics of slices of the users, and what recommended lists are like. Knows how they are
 * got of a run and shown; what they mean is in evaluate/slices.ts and evaluate/lists.ts.
 */
import { counted } from '../base/index.js';
import type { Dataset, HeldOut } from '../data/index.js';
import {
  type Evaluation,
  type ListMetrics,
  type Lists,
  type MetricName,
  type SlicedSummary,
  type Slicing,
  type Summary,
  categoryOf,
  listMetrics,
  listsOf,
  summariseSlices,
} from '../evaluate/index.js';
import { type Ranker, type Run, popularityRanker, rankerOf } from '../model/index.js';
import type { ProtocolResult } from './evaluation.js';
import { interruptible } from './interruption.js';
import { type ComputeFlags, withRuntime } from './options.js';
import { progressLine } from './progress.js';
import { textTable } from './table.js';

/** What lists are made of. */
export interface ListRequest {
  readonly on: HeldOut;
  readonly seed: number;
  /** A seeded sample of this many users; as `listsOf` has it unless told. */
  readonly users?: number;
  /** The item attribute of the diversity. */
  readonly category: string | null;
}

/** List metrics of a run beside popularity, and how they were got. */
export interface ListResults {
  readonly protocol: Pick<Lists, 'on' | 'length' | 'sample'> & {
    readonly split: string;
    readonly users: number;
    readonly seenItemsRemoved: true;
    readonly category: string | null;
    readonly tieRule: string;
  };
  readonly metrics: ListMetrics;
  readonly popularity: ListMetrics;
}

/** The attribute that is asked for, which must be there; else `category` where the items have it. */
export function chooseCategory(dataset: Dataset, asked: string | undefined): string | null {
  if (asked !== undefined) categoryOf(dataset, asked);
  return asked ?? (dataset.itemAttributes.has('category') ? 'category' : null);
}

/** The list metrics of a run. They need no target and so are no look at its test. */
export async function evaluateLists(
  { dataset, model, parameters }: Run,
  compute: ComputeFlags,
  { category, ...request }: ListRequest,
): Promise<ListResults> {
  const [own, popular] = await interruptible(async (signal) => {
    const listsBy = async (ranker: Ranker): Promise<Lists> => {
      const progress = progressLine();
      const onProgress = (done: number, total: number): void =>
        progress.update(`recommending (${ranker.name}), user`, done, total);
      try {
        return await listsOf(ranker, dataset, { ...request, onProgress, signal });
      } finally {
        progress.clear();
      }
    };
    const lists = await withRuntime(compute, async (runtime) => listsBy(rankerOf(model, parameters, dataset, runtime)));
    return [lists, await listsBy(popularityRanker(dataset))] as const;
  });
  const { on, length, sample, items } = own;
  return {
    protocol: {
      on,
      split: dataset.manifest.split.strategy,
      users: items.length,
      sample,
      length,
      seenItemsRemoved: true,
      category,
      tieRule: 'of items of equal score, those that come first in the catalogue',
    },
    metrics: listMetrics(own, dataset, category),
    popularity: listMetrics(popular, dataset, category),
  };
}

/** Slices under one protocol: of the run, and of popularity on the same candidates. */
export interface SliceResults {
  readonly own: readonly SlicedSummary[];
  readonly popularity: readonly SlicedSummary[];
}

export function evaluateSlices(slicings: readonly Slicing[], { evaluation, sanity }: ProtocolResult): SliceResults {
  const [popularity] = sanity as readonly [Evaluation, ...Evaluation[]];
  return {
    own: summariseSlices(slicings, evaluation.ranks),
    popularity: summariseSlices(slicings, popularity.ranks),
  };
}

/** Slices for --json; popularity stands within each slice. */
export const slicesDocument = ({ own, popularity }: SliceResults) =>
  own.map(({ name, rule, slices }, i) => ({
    name,
    rule,
    slices: slices.map(({ name, summary }, k) => ({
      name,
      ...summary,
      popularity: { metrics: popularity[i]?.slices[k]?.summary.metrics },
    })),
  }));

const SHOWN = ['hit@10', 'ndcg@10', 'mrr'] as const satisfies readonly MetricName[];
const BESIDE = 'ndcg@10' satisfies MetricName;

/** Slices as a table. What nobody is in is left out. */
export function slicesText({ own, popularity }: SliceResults): string {
  const rows = own.flatMap(({ name, slices }, i) => [
    [inWords(name)],
    ...slices.flatMap(({ name, summary }, k) =>
      summary.users === 0 ? [] : [sliceRow(name, summary, popularity[i]?.slices[k]?.summary)],
    ),
  ]);
  const titles = ['slice', 'users', ...SHOWN.flatMap((metric) => [metric.toUpperCase(), '±']), 'popularity'];
  return `${textTable([titles, ...rows])}
±: half of the 95 % interval over users; popularity: its ${BESIDE.toUpperCase()}
${own.map(({ name, rule }) => `${inWords(name)}: ${rule}`).join('\n')}`;
}

const inWords = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function sliceRow(name: string, { users, metrics, intervals }: Summary, popularity: Summary | undefined): string[] {
  return [
    `  ${name}`,
    counted(users),
    ...SHOWN.flatMap((metric) => [
      decimals(metrics[metric]),
      decimals((intervals[metric][1] - intervals[metric][0]) / 2), // one user has no interval
    ]),
    decimals(popularity?.metrics[BESIDE] ?? Number.NaN),
  ];
}

const decimals = (value: number, digits = 4): string => (Number.isNaN(value) ? '–' : value.toFixed(digits));

/** List metrics as a table, and their protocol in words. */
export function listsText(label: string, { protocol, metrics, popularity }: ListResults): string {
  const { on, split, users, sample, length, category, tieRule } = protocol;
  const row = (label: string, own: ListMetrics): string[] => [
    label,
    decimals(own.coverage),
    decimals(own.gini),
    decimals(own.novelty.mean, 2),
    ...(own.diversity ? [decimals(own.diversity.mean)] : []),
    `${own.popularityLift < 0 ? '' : '+'}${decimals(own.popularityLift, 2)}`,
  ];
  const table = textTable([
    ['', 'coverage', 'Gini', 'novelty', ...(category === null ? [] : ['diversity']), 'popularity lift'],
    row(label, metrics),
    row('popularity', popularity),
  ]);
  const of = sample
    ? `a seeded sample of ${counted(sample.users)} of ${counted(sample.of)} users`
    : `${counted(users)} users`;
  return `${table}
lists of ${length} before the ${on} target, ${split}, ${of}; candidates: all items of the catalogue, seen ones removed; ties: ${tieRule}
novelty in bits${category === null ? '; no diversity, for the items have no category (--category names another attribute)' : `; diversity: pairs of a list that differ in ${category}`}; lift: over the popularity of what the same users met before`;
}
