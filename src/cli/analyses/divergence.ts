/** `sesrec analyse divergence`: Figure 3 of the SESRec paper. Knows how it is told and drawn; analyse/divergence.ts compares. */
import * as Plot from '@observablehq/plot';
import { Option } from 'commander';
import { counted } from '../../base/index.js';
import { type Divergence, type Divergences, type MeanOverUsers, divergence, testMoments } from '../../analyse/index.js';
import { COLOURS, drawFigure } from '../../figure/index.js';
import { interruptible } from '../interruption.js';
import { type ComputeFlags, deviceOption, threadsOption, wholeNumber, withRuntime } from '../options.js';
import { markdownTable } from '../table.js';
import type { Analysis } from './analysis.js';
import { between, cell, decimals, probability } from './numbers.js';
import { type SesrecRun, loadSesrecRun, runBlock, runText, splitsOf } from './sesrec-run.js';

interface DivergenceFlags extends ComputeFlags {
  readonly category: string;
  readonly repeats: number;
  readonly seed: number;
}

export const divergenceAnalysis: Analysis<DivergenceFlags> = {
  name: 'divergence',
  summary:
    'whether similar parts of feed and searches are alike in category and dissimilar ones are not (Figure 3 of the SESRec paper)',
  argument: ['run', 'a directory made by sesrec train --model sesrec'],
  options: [
    new Option('--category <attribute>', 'the item attribute that is the category').default('category'),
    new Option('--repeats <number>', 'random splits of every history, to compare with')
      .argParser(wholeNumber(1, 10_000))
      .default(20),
    new Option('--seed <number>', 'seed of the random splits and the intervals').argParser(wholeNumber(0)).default(1),
    threadsOption(),
    deviceOption(),
  ],
  find: async (given, flags) => {
    const run = await loadSesrecRun(given);
    const { category, repeats, seed } = flags;
    const cases = testMoments(run.dataset);
    const splits = await interruptible(async (signal) =>
      withRuntime(flags, async (runtime) =>
        splitsOf(run, run.parameters, cases, runtime, { what: 'splitting histories', signal }),
      ),
    );
    const found = divergence(run.dataset, cases, splits, { category, repeats, seed });
    return {
      document: { run: runBlock(run), ...found },
      rows: rowsOf(found),
      figure: figureOf(found),
      text: textOf(run, found),
    };
  },
};

const SIDES = ['similar', 'dissimilar'] as const;
const WAYS = ['split', 'random'] as const;
const WAY_NAMES = { split: "the model's split", random: 'random splits of the same sizes' } as const;

/** The bins of both histograms. */
function barsOf(found: Divergence) {
  const { bins } = found.protocol;
  return WAYS.flatMap((way) =>
    SIDES.flatMap((side) =>
      found[way].histogram[side].map((share, bin) => ({
        way: WAY_NAMES[way],
        side,
        from: bin / bins,
        to: (bin + 1) / bins,
        share,
      })),
    ),
  );
}

const rowsOf = (found: Divergence) => [
  ['split', 'side', 'from', 'to', 'share of users'],
  ...barsOf(found).map(({ way, side, from, to, share }) => [way, side, from, to, cell(share)]),
];

/** Two histograms, one under the other: filled for the similar parts, outlined for the dissimilar ones. */
function figureOf(found: Divergence): string {
  const bars = barsOf(found);
  const meansOf = (side: (typeof SIDES)[number]) =>
    WAYS.map((way) => ({ way: WAY_NAMES[way], mean: found[way].mean[side] })).filter(({ mean }) =>
      Number.isFinite(mean),
    );
  const told = WAYS.map(
    (way) =>
      `${WAY_NAMES[way]}: mean divergence of similar parts ${decimals(found[way].mean.similar)}, of dissimilar parts ${decimals(found[way].mean.dissimilar)}`,
  );
  const [filled, outlined] = SIDES.map((side) => bars.filter((bar) => bar.side === side));
  const position = { x1: 'from', x2: 'to', y: 'share', fy: 'way' };
  return drawFigure({
    description: `Histograms of Jensen-Shannon divergence over users. ${told.join('; ')}`,
    height: 460,
    marginLeft: 55,
    marginTop: 40,
    marginBottom: 50,
    x: { label: 'Jensen-Shannon divergence of categories between feed and searches', domain: [0, 1] },
    y: { label: 'share of users', percent: true, grid: true },
    fy: { label: null, domain: WAYS.map((way) => WAY_NAMES[way]), axis: null, padding: 0.25 },
    marks: [
      Plot.rectY(filled, { ...position, fill: COLOURS[0], fillOpacity: 0.5, inset: 0.5 }),
      Plot.rectY(outlined, { ...position, fill: 'none', stroke: COLOURS[1], strokeWidth: 1.5, inset: 0.5 }),
      Plot.ruleX(meansOf('similar'), { x: 'mean', fy: 'way', stroke: COLOURS[0], strokeWidth: 2 }),
      Plot.ruleX(meansOf('dissimilar'), {
        x: 'mean',
        fy: 'way',
        stroke: COLOURS[1],
        strokeWidth: 2,
        strokeDasharray: '5 3',
      }),
      Plot.text(
        WAYS.map((way) => ({
          way: WAY_NAMES[way],
          text: `${WAY_NAMES[way]}: similar ${decimals(found[way].mean.similar)} (filled), dissimilar ${decimals(found[way].mean.dissimilar)} (outlined)`,
        })),
        { fy: 'way', text: 'text', frameAnchor: 'top-left', dy: -16, fontWeight: 'bold' },
      ),
      Plot.ruleY([0]),
    ],
  });
}

function textOf(run: SesrecRun, found: Divergence): string {
  const { users, sign, beyond, protocol } = found;
  const way = (name: string, { mean, difference }: Divergences): string[] => [
    name,
    decimals(mean.similar),
    decimals(mean.dissimilar),
    ...testedCells(difference),
  ];
  const { oneHistory, emptySide, noCategory } = users.leftOut;
  const share = sign.of === 0 ? Number.NaN : (100 * sign.less) / sign.of;
  return [
    runText(run),
    `${counted(users.compared)} of ${counted(users.all)} users; left out: ${counted(oneHistory)} with one history only, ${counted(emptySide)} with an empty side, ${counted(noCategory)} with a part in which nothing has a ${protocol.category}`,
    markdownTable([
      ['', 'similar', 'dissimilar', 'difference', '95 % interval', 'p (t)'],
      way("the model's split", found.split),
      way('random splits', found.random),
      [
        'beyond random',
        decimals(beyond.similar.mean),
        decimals(beyond.dissimilar.mean),
        ...testedCells(beyond.difference),
      ],
    ]),
    `similar parts diverge less than dissimilar ones for ${Number.isNaN(share) ? '–' : `${share.toFixed(1)} %`} of the ${counted(sign.of)} users whose two differ (sign test p ${probability(sign.p)}), ${counted(sign.ties)} tie`,
    `Jensen-Shannon divergence in base 2 (0: the same shares of ${protocol.category}, 1: none in common) between the feed events and the clicked items of the searches of one side, one snapshot per user: the window before the test target. The target itself is not looked at, so this is no look at the test. Short lists diverge by chance: the random splits are ${protocol.repeats} per user (seed ${protocol.seed}), of the same histories, with as many actions that have a ${protocol.category} on each side, and the number that counts is the difference beyond them. In the last row "similar" is how much less the similar parts diverge than random ones, "dissimilar" how much more the dissimilar ones do. Intervals and tests: users are the unit; they say nothing of another training. A ${protocol.category} is a rough estimate of what an action is about.`,
  ].join('\n\n');
}

const testedCells = ({ mean, interval, test }: MeanOverUsers): string[] => [
  decimals(mean),
  between(interval),
  probability(test.p),
];
