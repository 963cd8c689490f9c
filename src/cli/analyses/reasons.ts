/** `sesrec analyse reasons`: whether a model's reasons are its reasons. Knows how it is told and drawn; analyse/reasons.ts compares. */
import * as Plot from '@observablehq/plot';
import { Option } from 'commander';
import {
  type BootstrapEstimate,
  type ChoiceOutcome,
  INTERVENTIONS,
  type Intervention,
  type ReasonsFound,
  findersOf,
  reasons,
} from '../../analyse/index.js';
import { UsageError, counted } from '../../base/index.js';
import { drawFigure } from '../../figure/index.js';
import { loadRun, rankerOf } from '../../model/index.js';
import { interruptible } from '../interruption.js';
import { type ComputeFlags, deviceOption, numbersIn, threadsOption, wholeNumber, withRuntime } from '../options.js';
import { progressLine } from '../progress.js';
import { markdownTable } from '../table.js';
import type { Analysis } from './analysis.js';
import { cell } from './numbers.js';

interface ReasonsFlags extends ComputeFlags {
  readonly users: number;
  readonly top: number;
  readonly counts: string;
  readonly draws: number;
  readonly seed: number;
}

/** What `--out` keeps as `document`: the comparison, and the run that it is of. */
type Told = ReasonsFound & { readonly run: string; readonly version: string };

export const reasonsAnalysis: Analysis<ReasonsFlags> = {
  name: 'reasons',
  summary:
    'whether the reasons of a model are its reasons: what becomes of an item without them, and with nothing else',
  argument: ['run', 'a directory made by sesrec train'],
  options: [
    new Option('--users <number>', 'a seeded sample of so many users').argParser(wholeNumber(2)).default(200),
    new Option('--top <number>', 'explain so many of the best items of each user')
      .argParser(wholeNumber(1, 10))
      .default(3),
    new Option('--counts <numbers>', 'how many reasons are removed, or kept').default('1,2,3,5'),
    new Option('--draws <number>', 'draws of each random control per user').argParser(wholeNumber(1, 100)).default(3),
    new Option('--seed <number>', 'seed of the users, the controls and the bootstrap')
      .argParser(wholeNumber(0))
      .default(1),
    threadsOption(),
    deviceOption(),
  ],
  find: async (directory, flags) => {
    const { users, top, draws, seed } = flags;
    const counts = countsIn(flags.counts);
    const run = await loadRun(directory);
    const progress = progressLine();
    const found = await withRuntime(flags, async (runtime) => {
      const ranker = rankerOf(run.model, run.parameters, run.dataset, runtime);
      const onProgress = (done: number, total: number): void => progress.update('user', done, total);
      return interruptible(async (signal) =>
        reasons(ranker, run.dataset, findersOf(ranker), { users, top, counts, draws, seed, onProgress, signal }),
      );
    }).finally(() => progress.clear());
    const document: Told = { ...found, run: directory, version: run.version };
    return { document, rows: rowsOf(found), figure: figureOf(found), text: textOf(found) };
  },
};

function countsIn(list: string): number[] {
  const counts = numbersIn(list);
  if (counts.length === 0 || counts.some((count) => !Number.isInteger(count) || count < 1 || count > 100))
    throw new UsageError(`--counts ${list}: give whole numbers from 1 to 100, as in 1,2,3,5`);
  return counts.sort((a, b) => a - b);
}

const rowsOf = ({ outcomes }: ReasonsFound) => [
  [
    'choice',
    'count',
    'intervention',
    'users',
    'log2',
    'log2_low',
    'log2_high',
    'ranks',
    'left_top_ten',
    'over_random',
    'over_random_low',
    'over_random_high',
    'over_lanes',
    'over_lanes_low',
    'over_lanes_high',
  ],
  ...outcomes.flatMap((outcome) =>
    INTERVENTIONS.map((intervention) => {
      const { log2, ranks, leftTopTen } = outcome[intervention];
      const ratios = (['random', 'lanes'] as const).flatMap((control) => {
        const ratio = outcome.against?.[control][intervention];
        return ratio ? [ratio.ratio, ...ratio.interval].map(cell) : [null, null, null];
      });
      const moved = [log2.value, ...log2.interval, ranks.value, leftTopTen.value].map(cell);
      return [outcome.choice, outcome.count, intervention, outcome.users, ...moved, ...ratios];
    }),
  ),
];

const VERBS: Readonly<Record<Intervention, string>> = { removed: 'without them', kept: 'with nothing else' };

/** Who is shown: the methods and the two plain controls; those of lanes differ by method and stay in the table. */
const shown = ({ outcomes, faithfulness }: ReasonsFound): ChoiceOutcome[] =>
  outcomes.filter(({ choice }) => choice in faithfulness || choice === 'random' || choice === 'newest');

/** By number of reasons from top to bottom, removed left and kept right: how often the rank doubled, with intervals. */
function figureOf(found: ReasonsFound): string {
  const points = shown(found).flatMap((outcome) =>
    INTERVENTIONS.map((intervention) => ({
      choice: outcome.choice,
      reasons: outcome.count === 1 ? '1 reason' : `${outcome.count} reasons`,
      what: VERBS[intervention],
      isControl: !(outcome.choice in found.faithfulness),
      log2: outcome[intervention].log2.value,
      low: outcome[intervention].log2.interval[0],
      high: outcome[intervention].log2.interval[1],
    })),
  );
  const choices = [...new Set(points.map(({ choice }) => choice))];
  const panels = new Set(points.map(({ reasons }) => reasons)).size;
  const fill = (point: (typeof points)[number]): string =>
    point.isControl ? 'var(--plot-background, white)' : 'currentColor';
  return drawFigure({
    description: `How often the rank of a recommended item doubles. ${points.map(({ choice, reasons, what, log2 }) => `${choice}, ${reasons} ${what}: ${log2.toFixed(1)}`).join('; ')}`,
    height: 60 + panels * (30 + 18 * choices.length),
    marginLeft: 80,
    marginRight: 70,
    x: { label: 'rank doubled so often', grid: true },
    y: { label: null, domain: choices },
    fx: { label: null, domain: INTERVENTIONS.map((intervention) => VERBS[intervention]), padding: 0.12 },
    fy: { label: null },
    marks: [
      Plot.ruleX([0]),
      Plot.link(points, {
        x1: 'low',
        x2: 'high',
        y1: 'choice',
        y2: 'choice',
        fx: 'what',
        fy: 'reasons',
        strokeWidth: 1.5,
      }),
      Plot.dot(points, { x: 'log2', y: 'choice', fx: 'what', fy: 'reasons', r: 4, fill, stroke: 'currentColor' }),
    ],
  });
}

const figure = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : '–');
const estimated = ({ value, interval }: BootstrapEstimate): string =>
  `${figure(value)} (${interval.map(figure).join(' to ')})`;

/** The findings as a table and the protocol as a paragraph. */
function textOf(found: ReasonsFound): string {
  const { winner, faithfulness, protocol } = found;
  const row = ({ choice, count, removed, kept, against }: ChoiceOutcome): string[] => {
    const over = (intervention: Intervention): string => {
      const ratio = against?.random[intervention];
      return ratio ? estimated({ value: ratio.ratio, interval: ratio.interval }) : '';
    };
    const lanes = against?.lanes.removed;
    return [
      choice,
      String(count),
      estimated(removed.log2),
      over('removed'),
      lanes ? estimated({ value: lanes.ratio, interval: lanes.interval }) : '',
      share(removed.leftTopTen.value),
      estimated(kept.log2),
      over('kept'),
      share(kept.leftTopTen.value),
    ];
  };
  const titles = [
    'reasons by',
    'count',
    'without: rank doubles',
    'x random',
    'x same lanes',
    'left top 10',
    'with only: rank doubles',
    'random / it',
    'left top 10',
  ];
  const ranking = Object.entries(faithfulness)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, value]) => `${name} ${figure(value)}`);
  return [
    `reasons of ${protocol.ranker}: ${winner} is the most faithful (${ranking.join(', ')})`,
    markdownTable([titles, ...shown(found).map(row)]),
    protocolOf(protocol),
  ].join('\n\n');
}

const share = (value: number): string => (Number.isFinite(value) ? `${(100 * value).toFixed(0)} %` : '–');

function protocolOf(protocol: ReasonsFound['protocol']): string {
  const { users, sample, top, draws, contenders, resamples, tooShort, seed, winnerRule } = protocol;
  const short = Object.entries(tooShort)
    .map(([count, left]) => `${counted(left)} for ${count}`)
    .join(', ');
  return `validation moments of ${counted(users)} users${sample ? `, a sample of ${counted(sample.of)} (seed ${seed})` : ''}; of each the ${top} best items among all that they had not met, before and after the same; users with fewer than two actions more than are removed are left out (${short}); without: the log as if these actions had not happened, older ones coming into the window in their place; with only: as if nothing else had; rank doubles: mean over users of log2 of the rank afterwards over the rank before, ranks among all candidates; x random: that mean over the same for as many random actions of the window (${draws} draws), x same lanes: random ones of the lanes that the method chose; random / it: where reasons are kept, the control's over the method's; intervals: 95 %, ${counted(resamples)} bootstrap samples of users, one training; stepwise and deletion look at the model's answers without an action, among ${contenders} contenders, and so at nearly what is measured here, gradient and attention do not; the winner has ${winnerRule}`;
}
