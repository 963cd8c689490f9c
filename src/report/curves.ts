/** Curves in small multiples: a panel for each of several things, all on the same axes. Knows how they are drawn; does not know what of. */
import * as Plot from '@observablehq/plot';
import { COLOURS, drawFigure, wholeTicks } from '../figure/index.js';
import { type Room, fitted } from './figure.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Panel {
  readonly label: string;
  /** Each a line of its own, of the same kind as its neighbours. */
  readonly curves: readonly (readonly Point[])[];
  /** Points of the curves that are marked. */
  readonly marked: readonly Point[];
}

export interface CurveFigure {
  readonly description: string;
  /** What is counted to the right. */
  readonly axis: string;
  readonly panels: readonly Panel[];
  /** What a line is, upwards, and a marked point; null where none is marked. */
  readonly meaning: { readonly curve: string; readonly marked: string | null };
}

/** Draws a panel for each, in as many columns as there is room for; all panels have the same axes. */
export function curveFigure({ description, axis, panels, meaning }: CurveFigure, { width, narrow }: Room): string {
  const columns = Math.min(panels.length, narrow ? 2 : 4);
  const placed = panels.map((panel, i) => ({ ...panel, fx: i % columns, fy: Math.floor(i / columns) }));
  const points = placed.flatMap(({ curves, fx, fy }, panel) =>
    curves.flatMap((curve, i) => curve.map((point) => ({ ...point, fx, fy, line: `${panel} ${i}` }))),
  );
  const marked = placed.flatMap(({ marked, fx, fy }) => marked.map((point) => ({ ...point, fx, fy })));
  const rows = Math.ceil(panels.length / columns);
  const last = Math.max(...points.map(({ x }) => x));
  return drawFigure({
    description,
    legend: [
      { label: meaning.curve, colour: COLOURS[0], mark: 'line' },
      ...(meaning.marked === null ? [] : [{ label: meaning.marked, colour: COLOURS[1], mark: 'dot' as const }]),
    ],
    width,
    height: 46 + rows * (panels.length === 1 ? 260 : 130),
    marginLeft: 46,
    marginTop: 34,
    marginBottom: 38,
    marginRight: 14,
    inset: 4,
    fx: { axis: null, padding: columns === 1 ? 0 : 0.14 },
    fy: { axis: null, padding: rows === 1 ? 0 : 0.3 },
    x: { label: axis, ticks: wholeTicks(last, 4), tickFormat: 'd' },
    y: { label: null, ticks: 4, grid: true, nice: true },
    marks: [
      Plot.frame({ stroke: 'currentColor', strokeOpacity: 0.25 }),
      Plot.text(placed, {
        fx: 'fx',
        fy: 'fy',
        text: ({ label }: Panel) => fitted(label, width / columns - 24),
        frameAnchor: 'top-left',
        dy: -16,
        fontWeight: 600,
        fontSize: 12,
      }),
      Plot.line(points, { fx: 'fx', fy: 'fy', x: 'x', y: 'y', z: 'line', stroke: COLOURS[0], strokeOpacity: 0.75 }),
      Plot.dot(marked, { fx: 'fx', fy: 'fy', x: 'x', y: 'y', r: 3, fill: COLOURS[1] }),
      ...(points.length === panels.length
        ? [Plot.dot(points, { fx: 'fx', fy: 'fy', x: 'x', y: 'y', r: 2, fill: COLOURS[0] })]
        : []),
    ],
  });
}
