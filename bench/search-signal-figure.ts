/** The figure of the search-signal bench. Knows how it is drawn; does not know how it was measured. */
import * as Plot from '@observablehq/plot';
import { COLOURS, drawFigure } from '../src/figure/index.js';

/** What was measured at one signal. */
export interface SignalPoint {
  readonly signal: number;
  /** Mean NDCG@10 of SESRec and of its search-blind twin. */
  readonly aware: number;
  readonly blind: number;
  /** The gain of each seed, and their mean. */
  readonly gains: readonly number[];
  readonly gain: number;
  /** Half widths of the 95 % interval of the mean, from the spread over seeds and over users. */
  readonly overSeeds: number;
  readonly overUsers: number;
}

/** An SVG document: the gain over the signal for both protocols, side by side. */
export function signalFigure(
  points: Readonly<Record<'sampled' | 'full', readonly SignalPoint[]>>,
  seeds: number,
): string {
  const titles = { sampled: 'among 99 others', full: 'among all items' };
  const rows = (['sampled', 'full'] as const).flatMap((protocol) =>
    points[protocol].map((point) => ({ ...point, protocol: titles[protocol] })),
  );
  const dots = rows.flatMap(({ gains, signal, protocol }) => gains.map((gain) => ({ gain, signal, protocol })));
  return drawFigure({
    description: `Gain of SESRec over its search-blind twin at ${points.sampled.length} search signals: mean of ${seeds} seeds as a line, 95 % interval over users as a band, seeds as dots`,
    legend: [
      { label: `mean of ${seeds} seeds`, colour: COLOURS[0], mark: 'line' },
      { label: '95 % interval over users', colour: COLOURS[0], mark: 'band' },
      { label: 'one seed', colour: COLOURS[1], mark: 'dot' },
    ],
    width: 760,
    height: 320,
    marginLeft: 60,
    marginTop: 40,
    marginBottom: 45,
    fx: { label: null, domain: Object.values(titles) },
    x: { label: 'search signal', ticks: points.sampled.map(({ signal }) => signal), tickFormat: String, inset: 16 },
    y: { label: 'gain in NDCG@10 over the search-blind twin', grid: true, nice: true },
    marks: [
      Plot.ruleY([0], { stroke: 'currentColor' }),
      Plot.areaY(rows, {
        fx: 'protocol',
        x: 'signal',
        y1: ({ gain, overUsers }: SignalPoint) => gain - overUsers,
        y2: ({ gain, overUsers }: SignalPoint) => gain + overUsers,
        fill: COLOURS[0],
        fillOpacity: 0.15,
      }),
      Plot.lineY(rows, { fx: 'protocol', x: 'signal', y: 'gain', stroke: COLOURS[0], strokeWidth: 2 }),
      Plot.dot(dots, { fx: 'protocol', x: 'signal', y: 'gain', fill: COLOURS[1], r: 3 }),
    ],
  });
}
