/** Means with their intervals, one row each: dots and lines. Knows how they are drawn; does not know what was measured. */
import * as Plot from '@observablehq/plot';
import { COLOURS, type LegendMark, drawFigure } from '../figure/index.js';
import { CHARACTER, type Room, fitted } from './figure.js';

export interface IntervalRow {
  readonly label: string;
  /** Rows of a group have a colour and a shape in common. */
  readonly group: string;
  readonly mean: number;
  /** Half of the interval; NaN where there is none. */
  readonly halfWidth: number;
  /** What the mean is of. */
  readonly values: readonly number[];
}

export interface IntervalFigure {
  readonly description: string;
  /** What is measured. */
  readonly axis: string;
  /** In the order in which they are drawn, from above. */
  readonly rows: readonly IntervalRow[];
  /** Groups in the order in which they take colours. */
  readonly groups: readonly string[];
  /** Values that rows are read against. */
  readonly rules: readonly { readonly label: string; readonly value: number }[];
  /** A value in words. */
  readonly format: (value: number) => string;
  /** What a small dot is. */
  readonly dot: string;
}

/** Shapes as Plot and as legends call them. */
const SHAPES: readonly (readonly [symbol: string, mark: LegendMark])[] = [
  ['circle', 'dot'],
  ['square', 'square'],
  ['triangle', 'triangle'],
  ['diamond', 'diamond'],
];
const shapeOf = (group: number) => SHAPES[group % SHAPES.length] as (typeof SHAPES)[number];
const colourOf = (group: number): string => COLOURS[group % COLOURS.length] as string;
/** Height of a line of text above the rows. */
const LINE = 15;

/** Draws the rows from 0 on, so that lengths may be compared, with the rules named above them. */
export function intervalFigure(
  { description, axis, rows, groups, rules, format, dot }: IntervalFigure,
  { width, narrow }: Room,
): string {
  const used = groups.filter((group) => rows.some((row) => row.group === group));
  const longest = Math.max(...rows.map(({ label }) => label.length));
  const highest = Math.max(
    ...rows.flatMap(({ mean, halfWidth, values }) => [mean + (halfWidth || 0), ...values]),
    ...rules.map(({ value }) => value),
  );
  const dots = rows.flatMap(({ label, group, values }) => values.map((value) => ({ label, group, value })));
  const [left, right] = [Math.min(longest * CHARACTER + 12, width * 0.36), narrow ? 48 : 104];
  const most = Math.min(1, 1.02 * highest);
  const lines = linesOf(rules, (width - left - right) / most);
  const above = LINE * (1 + Math.max(0, ...lines));
  const withInterval = rows.filter(({ halfWidth }) => !Number.isNaN(halfWidth));
  return drawFigure({
    description,
    legend: [
      ...used.map((group, i) => ({ label: group, colour: colourOf(i), mark: shapeOf(i)[1] })),
      ...(withInterval.length > 0 ? [{ label: '95 % interval', colour: 'currentColor', mark: 'line' as const }] : []),
      ...(dots.length > 0 ? [{ label: dot, colour: 'currentColor', mark: 'faint' as const }] : []),
    ],
    width,
    height: 50 + above + 28 * rows.length,
    marginLeft: left,
    marginRight: right,
    marginTop: 10 + above,
    marginBottom: 36,
    x: {
      label: axis,
      domain: [0, most],
      ticks: narrow ? 3 : 6,
      tickFormat: (value: number) => (value === 0 ? '0' : String(Number(value.toFixed(3))).replace(/^0\./, '.')),
      grid: true,
    },
    y: {
      label: null,
      domain: rows.map(({ label }) => label),
      tickSize: 0,
      tickFormat: (label: string) => fitted(label, left - 12),
    },
    color: { domain: used, range: used.map((_, i) => colourOf(i)) },
    symbol: { domain: used, range: used.map((_, i) => shapeOf(i)[0]) },
    marks: [
      Plot.ruleX(rules, { x: 'value', stroke: 'currentColor', strokeDasharray: '3,3', strokeOpacity: 0.6 }),
      ...rules.map((rule, i) =>
        Plot.text([rule], { x: 'value', text: 'label', frameAnchor: 'top', dy: -10 - LINE * (lines[i] as number) }),
      ),
      Plot.dot(dots, { x: 'value', y: 'label', dy: 8, r: 2, fill: 'currentColor', fillOpacity: 0.5 }),
      Plot.ruleY(withInterval, {
        y: 'label',
        x1: ({ mean, halfWidth }: IntervalRow) => Math.max(0, mean - halfWidth),
        x2: ({ mean, halfWidth }: IntervalRow) => Math.min(1, mean + halfWidth),
        stroke: 'group',
        strokeWidth: 2,
      }),
      Plot.dot(rows, { x: 'mean', y: 'label', fill: 'group', symbol: 'group', r: 5 }),
      Plot.text(rows, {
        y: 'label',
        frameAnchor: 'right',
        textAnchor: 'start',
        dx: 10,
        text: ({ mean, halfWidth }: IntervalRow) =>
          narrow || Number.isNaN(halfWidth) ? format(mean) : `${format(mean)} ±${format(halfWidth)}`,
        fontVariant: 'tabular-nums',
      }),
    ],
  });
}

/** The lines that names of rules stand on, from below: one above the other where they would touch. `scale`: pixels per unit. */
function linesOf(rules: IntervalFigure['rules'], scale: number): number[] {
  const lines: number[] = [];
  for (const { label, value } of rules) {
    const touching = rules.flatMap((other, i) => {
      const room = (CHARACTER * (label.length + other.label.length)) / 2 + 8;
      return i < lines.length && Math.abs(other.value - value) * scale < room ? [lines[i] as number] : [];
    });
    lines.push(touching.length === 0 ? 0 : Math.max(...touching) + 1);
  }
  return lines;
}
