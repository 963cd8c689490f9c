/**
 * `sesrec analyse correction`: sampled metrics of a comparison, corrected, against full ranking. Knows how it is told and drawn;
 * analyse/correction.ts works it out.
 */
import * as Plot from '@observablehq/plot';
import { Option } from 'commander';
import { counted } from '../../base/index.js';
import {
  type CorrectedRow,
  type CorrectionFindings,
  ESTIMATES,
  type EstimateName,
  type RowToCorrect,
  correctSampled,
} from '../../analyse/index.js';
import { GAMMA, METRICS, type MetricName } from '../../evaluate/index.js';
import { COLOURS, drawFigure } from '../../figure/index.js';
import { type KeptTests, readKeptTests } from '../comparison/index.js';
import { numberFrom } from '../options.js';
import { markdownTable } from '../table.js';
import type { Analysis } from './analysis.js';

interface CorrectionFlags {
  readonly gamma: number;
}

/** What was analysed, and the protocols that it was got by. */
interface Told extends CorrectionFindings {
  readonly protocols: KeptTests['protocols'];
}

export const correctionAnalysis: Analysis<CorrectionFlags> = {
  name: 'correction',
  summary: 'sampled metrics of a comparison, corrected, against full ranking (Krichene and Rendle, KDD 2020)',
  argument: ['comparison', 'a directory made by sesrec compare'],
  options: [
    new Option('--gamma <number>', 'what variance counts beside squared bias, for the bias-variance estimator')
      .argParser(numberFrom(0, 1))
      .default(GAMMA),
  ],
  find: async (given, { gamma }) => {
    const { rows, protocols } = await readKeptTests(given);
    const { sampled, full } = protocols;
    const found = correctSampled(
      rows.map(({ tests, ...row }): RowToCorrect => ({ ...row, seeds: tests.map(({ ranks }) => ranks) })),
      { items: 1 + Math.round(full.count), candidates: sampled.count, gamma },
    );
    const told = { ...found, protocols };
    return { document: told, rows: rowsOf(found), figure: figureOf(found), text: textOf(told) };
  },
};

/** The metrics that are drawn and told; all are in the document and in the rows. */
const SHOWN = ['hit@10', 'ndcg@10', 'mrr'] as const satisfies readonly MetricName[];

const rowsOf = ({ rows }: CorrectionFindings) => [
  ['row', 'metric', 'estimate', 'value', 'full', 'error', 'error low', 'error high'],
  ...rows.flatMap(({ label, full, estimates }) =>
    METRICS.flatMap((metric) =>
      ESTIMATES.map((name) => {
        const { value, error } = estimates[name][metric];
        const [low, high] = [error.mean - error.halfWidth, error.mean + error.halfWidth];
        return [label, metric, name, value, full[metric], error.mean, known(low), known(high)];
      }),
    ),
  ),
];

const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** How an estimate is drawn, and the same sign in letters for the legend. */
const SIGNS = [
  ['circle', '●'],
  ['triangle', '▲'],
  ['square', '■'],
  ['diamond', '◆'],
] as const;

/**
 * A dot per row and estimate, metric by metric; on the line, an estimate says what full ranking says. Both axes are
 * logarithms, since sampled metrics are many times as large; what is not above 0 has no place there and is counted.
 */
function figureOf({ rows, agreement, protocol }: CorrectionFindings): string {
  const metrics = SHOWN.map((metric) => metric.toUpperCase());
  const all = rows.flatMap(({ full, estimates, name }) =>
    SHOWN.flatMap((metric) =>
      ESTIMATES.map((estimate) => {
        const { value } = estimates[estimate][metric];
        const title = `${name}: ${estimate} ${decimals(value)}, full ${decimals(full[metric])}`;
        return { metric: metric.toUpperCase(), full: full[metric], value, estimate, title };
      }),
    ),
  );
  const dots = all.filter(({ full, value }) => full > 0 && value > 0);
  const left = all.length - dots.length;
  const drawn = dots.map(({ full }) => full).sort((one, other) => one - other);
  const line = metrics.flatMap((metric) => [drawn[0], drawn.at(-1)].map((full) => ({ metric, full })));
  const orders = SHOWN.map(
    (metric) =>
      `${metric.toUpperCase()}: ${ESTIMATES.map((estimate) => `${estimate} ${tau(agreement[estimate][metric])}`).join(', ')}`,
  );
  return drawFigure({
    description: `Sampled and corrected metrics against full ranking, a dot for each of ${counted(rows.length)} models, ${counted(protocol.users)} users${left > 0 ? `; ${left} dots that are not above 0 are not drawn` : ''}. Kendall's tau with the order by full ranking: ${orders.join('; ')}`,
    marginLeft: 55,
    marginBottom: 50,
    x: { label: 'full ranking', labelOffset: 42, type: 'log', nice: true, tickFormat: short, ticks: 3, grid: true },
    y: { label: 'estimate', type: 'log', nice: true, tickFormat: short, ticks: 5, grid: true },
    fx: { label: null, domain: metrics },
    color: { domain: [...ESTIMATES], range: COLOURS.slice(0, ESTIMATES.length), legend: false },
    symbol: { domain: [...ESTIMATES], range: SIGNS.map(([symbol]) => symbol), legend: false },
    marks: [
      Plot.frame({ strokeOpacity: 0.2 }),
      Plot.line(line, { x: 'full', y: 'full', fx: 'metric', strokeOpacity: 0.5, strokeDasharray: '4 3' }),
      Plot.dot(dots, { x: 'full', y: 'value', fx: 'metric', fill: 'estimate', symbol: 'estimate', title: 'title' }),
      ...ESTIMATES.map((estimate, i) =>
        Plot.text([{ metric: metrics.at(-1), estimate }], {
          fx: 'metric',
          frameAnchor: 'bottom-right',
          dx: -6,
          dy: -6 - 17 * (ESTIMATES.length - 1 - i),
          fill: 'estimate',
          text: () => `${SIGNS[i]?.[1]} ${estimate}`,
        }),
      ),
    ],
  });
}

const decimals = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(4).replace(/^(-?)0\./, '$1.'));
const short = (value: number): string => String(value).replace(/^0/, '');
const tau = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(2));

/** A table per metric, one of the orders, and the protocol as a paragraph. */
function textOf({ rows, agreement, meanAbsoluteError, protocol, protocols }: Told): string {
  const cell = (row: CorrectedRow, estimate: EstimateName, metric: MetricName): string => {
    const { value, error } = row.estimates[estimate][metric];
    const width = Number.isNaN(error.halfWidth) ? '' : ` ± ${decimals(error.halfWidth)}`;
    return `${decimals(value)} (${error.mean < 0 ? '' : '+'}${decimals(error.mean)}${width})`;
  };
  const tables = SHOWN.map((metric) =>
    markdownTable([
      [metric.toUpperCase(), 'full', ...ESTIMATES],
      ...rows.map((row) => [row.name, decimals(row.full[metric]), ...ESTIMATES.map((name) => cell(row, name, metric))]),
      ['mean absolute error', '', ...ESTIMATES.map((name) => decimals(meanAbsoluteError[name][metric]))],
      ["order, Kendall's τ", '', ...ESTIMATES.map((name) => tau(agreement[name][metric]))],
    ]),
  );
  return [...tables, protocolText(protocol, protocols)].join('\n\n');
}

function protocolText(
  { users, items, candidates, gamma }: CorrectionFindings['protocol'],
  { sampled, full }: KeptTests['protocols'],
): string {
  const drawn =
    sampled.hash !== null && sampled.seed === null
      ? 'THE LISTS ARE FROM A FILE, AND THE CORRECTIONS HOLD ONLY IF THEY WERE DRAWN UNIFORMLY; '
      : '';
  const of = full.sample ? `, a seeded sample of ${counted(full.sample.of)}` : '';
  return [
    `${sampled.on}, ${sampled.split}, the same ${counted(users)} users${of} under both protocols`,
    `sampled: among ${candidates} candidates (${sampled.candidates}; ${sampled.hash?.slice(0, 12)})`,
    `full: ${full.candidates}, seen ones removed, ${counted(items)} with the target (the mean over users, which all are corrected by)`,
    `${drawn}corrections: Krichene and Rendle, KDD 2020, section 6, for draws without replacement and all exact ranks equally likely before anything is seen; bias-variance with γ = ${gamma}`,
    `in brackets: estimate - full, each user's averaged over trainings, ± half of its 95 % t-interval over users and their draws; all rows share users and draws, so that their errors are alike`,
    `ties: ${sampled.tieRule}`,
  ].join('; ');
}
