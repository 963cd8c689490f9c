/** The figure of the search-signal bench. Knows how it is drawn; does not know how it was measured. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

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
  const { document } = parseHTML('<html><body></body></html>');
  const figure = Plot.plot({
    document,
    width: 760,
    height: 320,
    marginLeft: 60,
    marginTop: 40,
    marginBottom: 45,
    style: { background: 'white', color: '#1b1b1b', fontSize: '13px', fontFamily: 'system-ui, sans-serif' },
    fx: { label: null, domain: Object.values(titles) },
    x: { label: 'search signal', ticks: points.sampled.map(({ signal }) => signal), tickFormat: String, inset: 16 },
    y: { label: 'gain in NDCG@10 over the search-blind twin', grid: true, nice: true },
    marks: [
      Plot.ruleY([0], { stroke: '#1b1b1b' }),
      Plot.areaY(rows, {
        fx: 'protocol',
        x: 'signal',
        y1: ({ gain, overUsers }: SignalPoint) => gain - overUsers,
        y2: ({ gain, overUsers }: SignalPoint) => gain + overUsers,
        fill: '#0072b2',
        fillOpacity: 0.15,
      }),
      Plot.lineY(rows, { fx: 'protocol', x: 'signal', y: 'gain', stroke: '#0072b2', strokeWidth: 2 }),
      Plot.dot(dots, { fx: 'protocol', x: 'signal', y: 'gain', fill: '#d55e00', r: 3 }),
    ],
  });
  figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  figure.setAttribute('role', 'img');
  figure.setAttribute(
    'aria-label',
    `Gain of SESRec over its search-blind twin at ${points.sampled.length} search signals: mean of ${seeds} seeds as a line, 95 % interval over users as a band, seeds as dots`,
  );
  return `${figure.outerHTML}\n`;
}
