/**
 * Figures as SVG documents. Knows Observable Plot, how ours look, and what makes them readable without colours and by a
 * screen reader; does not know what is shown.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** What Plot draws, and what somebody hears who cannot see it. */
export interface FigureOptions extends Omit<Plot.PlotOptions, 'document' | 'style' | 'title' | 'subtitle' | 'caption'> {
  /** What is seen, in a sentence or two: the label for screen readers. */
  readonly description: string;
}

/** Colours that people who see few colours can tell apart (Okabe and Ito), in the order in which they are taken. */
export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] as const;

/**
 * Draws a figure: one SVG element with everything in it. Text and lines are `currentColor` and the ground is
 * `--plot-background`, so that a page decides what is dark; on its own the figure follows the reader's preference.
 */
export function drawFigure({ description, ...options }: FigureOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const figure = Plot.plot({
    width: 720,
    height: 360,
    ...options,
    document,
    style: { fontSize: '13px', fontFamily: 'system-ui, sans-serif', overflow: 'visible' },
  });
  figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  figure.setAttribute('role', 'img');
  figure.setAttribute('aria-label', description);
  return `${figure.outerHTML}\n`;
}
