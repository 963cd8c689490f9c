/**
 * Analyses that train one model with several settings: a comparison without tuning, whose rows are the settings. Knows how its rows
 * are trained, told and compared with each other; does not know what any sweep is about.
 *
 * The comparison lies in OUT/NAME, with all that `sesrec compare` leaves; the same command goes on with it.
 */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { UsageError, at, counted, countOf } from '../../base/index.js';
import {
  METRICS,
  type MetricName,
  type ProtocolName,
  type StudentInterval,
  studentInterval,
  userMeans,
} from '../../evaluate/index.js';
import { models } from '../../model/index.js';
import {
  type ComparisonFlags,
  type ComparisonOptions,
  type ComparisonOutcome,
  type RowResult,
  compareModels,
} from '../comparison/index.js';
import { saidOf, trainingOptions, typed } from '../comparison/options.js';
import { validationScore } from '../options.js';
import { decimals, markdownTable } from '../table.js';
import type { Findings, KeepingFlags } from './analysis.js';

const PROTOCOLS = ['sampled', 'full'] as const satisfies readonly ProtocolName[];

export interface SweepFlags extends Omit<
  ComparisonFlags,
  'models' | 'trials' | 'tuningEpochs' | 'finalists' | 'finalistSeeds' | 'keepTuning' | 'validationUsers' | 'out'
> {
  readonly preset: string;
}

/** One setting of a sweep. */
export interface Variant {
  /** Letters, digits and hyphens: the name of its folder. */
  readonly label: string;
  /** What it is called in tables and figures. */
  readonly name: string;
  /** Its settings, as `--set` takes them. */
  readonly set: readonly string[];
  /** The label of the variant that it is compared with; null: none. */
  readonly against: string | null;
}

/** A metric of a variant, and of what it was compared with. */
export interface Measure {
  /** Over seeds; the interval is mean ± halfWidth, NaN for one seed. */
  readonly value: StudentInterval;
  /** Mean over users of (this - the other), each user's metric averaged over seeds first, with its interval over users. */
  readonly difference: StudentInterval | null;
}

export interface VariantResult extends Omit<Variant, 'set'> {
  readonly set: readonly string[];
  readonly row: RowResult;
  readonly measures: Readonly<Record<ProtocolName, Readonly<Record<MetricName, Measure>>>> | null;
}

export interface SweepResult {
  readonly variants: readonly VariantResult[];
  readonly outcome: ComparisonOutcome;
}

/** Options of every sweep: those of a comparison, without tuning; SESRec's preset. */
export const sweepOptions = (): Option[] => [
  new Option(
    '--preset <name>',
    'the preset of SESRec whose settings are changed; sesrec has no co-attention, no contrast and no thresholds to change',
  )
    .choices(models.sesrec.presets.filter((preset) => preset !== 'sesrec'))
    .default(models.sesrec.presets[0]),
  ...trainingOptions(),
];

/** Trains and tests the variants, or goes on. `out` has a folder for it, called as the sweep. */
export async function sweep(
  name: string,
  data: string,
  flags: SweepFlags & KeepingFlags,
  command: Command,
  variants: readonly Variant[],
): Promise<SweepResult> {
  const { preset, out, json: _json, ...training } = flags;
  if (out === undefined) throw new UsageError(`analyse ${name} trains models: say with --out where they are kept`);
  const own = variants.flatMap(({ label, set }) => set.map((setting) => `${label}.${setting}`));
  const asked: ComparisonFlags = {
    ...training,
    out: join(out, name),
    models: variants.map(({ label }) => `${label}=sesrec:${preset}`).join(','),
    set: [...training.set, ...own],
    trials: 0,
    tuningEpochs: 1,
    finalists: 0,
    finalistSeeds: 1,
  };
  const said = saidOf(command).filter((option) => Object.hasOwn(training, option));
  const commandFor = (options: ComparisonOptions): string => typed(data, command, { ...options, set: training.set });
  const outcome = await compareModels(data, asked, [...said, 'models', 'set'], commandFor);
  return { variants: variants.map((variant) => resultOf(variant, outcome)), outcome };
}

function resultOf(variant: Variant, { results, ranks }: ComparisonOutcome): VariantResult {
  const rowOf = (label: string): RowResult => results.rows.find((row) => row.label === label) as RowResult;
  const row = rowOf(variant.label);
  const { against } = variant;
  const { test } = row;
  if (test === null) return { ...variant, row, measures: null };
  const other = against !== null && rowOf(against).test !== null ? against : null;
  const meansOf = (label: string, protocol: ProtocolName) =>
    userMeans(ranks.get(label)?.common[protocol] as Parameters<typeof userMeans>[0]);
  const measures = PROTOCOLS.map((protocol) => {
    const ownMeans = meansOf(variant.label, protocol);
    const otherMeans = other === null ? null : meansOf(other, protocol);
    const measured = METRICS.map((metric): [MetricName, Measure] => {
      const otherValues = otherMeans?.[metric];
      const differences = otherValues && ownMeans[metric].map((value, user) => value - at(otherValues, user));
      return [metric, { value: test[protocol][metric], difference: differences ? studentInterval(differences) : null }];
    });
    return [protocol, Object.fromEntries(measured)];
  });
  return { ...variant, row, measures: Object.fromEntries(measures) as NonNullable<VariantResult['measures']> };
}

/** The document, the rows and the text of a sweep: its own figure and first sentences come beside. */
export function sweepFindings(
  { variants, outcome: { results } }: SweepResult,
  { figure, about }: { readonly figure: string; readonly about: string },
): Findings {
  const { protocols, plan } = results;
  const document = {
    variants: variants.map(({ row, ...variant }) => ({
      ...variant,
      seeds: row.seeds,
      parameters: row.parameters,
      epochs: row.epochs,
      secondsPerEpoch: row.secondsPerEpoch,
      failed: row.failed,
    })),
    protocols,
    plan,
  };
  return { document, rows: rowsOf(variants), figure, text: [about, ...tablesOf(variants, results)].join('\n\n') };
}

const rowsOf = (variants: readonly VariantResult[]): Findings['rows'] => [
  [
    'variant',
    'protocol',
    'metric',
    'value',
    'half width over seeds',
    'seeds',
    'against',
    'difference',
    'half width over users',
  ],
  ...variants.flatMap(({ name, against, row, measures }) =>
    PROTOCOLS.flatMap((protocol) =>
      METRICS.map((metric) => {
        const { value, difference } = measures?.[protocol][metric] ?? { value: null, difference: null };
        const numbers = [
          value?.mean,
          value?.halfWidth,
          row.seeds.length,
          against,
          difference?.mean,
          difference?.halfWidth,
        ];
        return [
          name,
          protocol,
          metric,
          ...numbers.map((cell) => (cell === undefined || Number.isNaN(cell) ? null : cell)),
        ];
      }),
    ),
  ),
];

function tablesOf(
  variants: readonly VariantResult[],
  { protocols, plan, data }: ComparisonOutcome['results'],
): string[] {
  const nameOf = (label: string): string => variants.find((variant) => variant.label === label)?.name ?? label;
  const interval = ({ mean, halfWidth }: StudentInterval): string =>
    `${decimals(mean)}${Number.isNaN(halfWidth) ? '' : ` ±${decimals(halfWidth)}`}`;
  const tables = PROTOCOLS.flatMap((protocol) => {
    if (!protocols) return [];
    const { users, protocol: how } = protocols[protocol];
    const table = markdownTable(
      [
        ['', ...METRICS.map((metric) => metric.toUpperCase()), 'difference in NDCG@10', 'from'],
        ...variants.map(({ name, against, measures }) => {
          if (!measures) return [name, 'failed'];
          const { difference } = measures[protocol]['ndcg@10'];
          return [
            name,
            ...METRICS.map((metric) => interval(measures[protocol][metric].value)),
            difference ? interval(difference) : '',
            difference && against !== null ? nameOf(against) : '',
          ];
        }),
      ],
      '<',
    );
    const among = protocol === 'sampled' ? `among ${how.count} candidates` : 'among all items, seen ones removed';
    return [`**${among}** (${counted(users)} users, ${how.on}, ${how.split}; candidates: ${how.candidates})`, table];
  });
  const { seeds, epochs, patience, validationProtocol, negativeSampling } = plan.options;
  return [
    ...tables,
    `Protocol: ${counted(data.users)} users, ${counted(data.items)} items; each variant trained with ${countOf(seeds, 'seed')}, up to ${countOf(epochs, 'epoch')}, stopped after ${patience} without a better ${validationScore(validationProtocol)}, training negatives ${negativeSampling}, nothing tuned; the test was looked at once per run. ${seeds === 1 ? 'One seed has no interval of its own' : 'Figures: mean over seeds ± half of the 95 % t-interval'}; differences: mean over users, each user averaged over seeds first, ± half of the 95 % t-interval over users. They tell of other users, not of other trainings${seeds === 1 ? ': with one seed a difference within what seeds do is no finding' : ''}.`,
  ];
}
