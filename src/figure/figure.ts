/**
 * Figures as SVG documents. Knows Observable Plot, how ours look on a light and on a dark ground, and what makes them readable without
 * colours and by a screen reader; does not know what is shown.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { assert } from '../base/index.js';
import { COLOURS, COLOURS_ON_DARK, DARK, LIGHT } from './colours.js';
import { type Drawn, create } from './element.js';
import { type LegendEntry, drawLegend } from './legend.js';

/** What Plot draws, and what somebody hears who cannot see it. */
export interface FigureOptions extends Omit<Plot.PlotOptions, 'document' | 'style' | 'title' | 'subtitle' | 'caption'> {
  /** What is seen, in a sentence or two: the label for screen readers. */
  readonly description: string;
  /** What marks mean, where the figure cannot say it beside them; Plot's own legends are no part of the SVG element. */
  readonly legend?: readonly LegendEntry[];
}

/**
 * Draws a figure: one SVG element with everything in it, for a file of its own and for a page alike. Text and lines are
 * `currentColor`; alone, the figure brings its ink and its ground, light or dark as its reader prefers; in a page it has the
 * page's ink, and the ground that the page calls `--ground`. Marks in `COLOURS` change with the ground, and so does text in
 * `LIGHT.onColour`. On paper and for programs that know no style sheets it is light.
 */
export function drawFigure({ description, legend = [], ...options }: FigureOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const figure: Drawn = Plot.plot({
    width: 720,
    height: 360,
    marginBottom: 40, // the label of the axis below its ticks
    ...options,
    document,
    style: { fontSize: '13px', fontFamily: 'system-ui, sans-serif', overflow: 'visible' },
  });
  assert(figure.tagName.toLowerCase() === 'svg', 'legends and titles of Plot are outside its SVG: use `legend`');
  figure.classList.add(CLASS);
  figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  figure.setAttribute('role', 'img');
  // linkedom escapes quotes in attributes, and nothing else
  figure.setAttribute('aria-label', description.replaceAll('&', '&amp;').replaceAll('<', '&lt;'));
  const style = create(figure, 'style');
  style.textContent = STYLE;
  figure.prepend(style);
  if (legend.length > 0) drawLegend(figure, legend);
  return `${figure.outerHTML.replaceAll(NOT_IN_XML, '\u{FFFD}')}\n`;
}

const CLASS = 'sesrec-figure';
/** What no XML document may contain, such as most control characters and halves of characters. */
const NOT_IN_XML = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

/** Colours are attributes, which every program understands; style sheets win over attributes where there is a dark ground. */
const STYLE = [
  `.${CLASS} { --plot-background: var(--ground, ${LIGHT.ground}); }`,
  `svg.${CLASS}:root { color: ${LIGHT.ink}; background: ${LIGHT.ground}; }`,
  '@media screen and (prefers-color-scheme: dark) {',
  `.${CLASS} { --plot-background: var(--ground, ${DARK.ground}); }`,
  `svg.${CLASS}:root { color: ${DARK.ink}; background: ${DARK.ground}; }`,
  ...COLOURS.map((colour, i) => darkened(colour, COLOURS_ON_DARK[i] as string)),
  darkened(LIGHT.onColour, DARK.onColour),
  '}',
].join('\n');

function darkened(colour: string, onDark: string): string {
  return ['fill', 'stroke'].map((what) => `.${CLASS} [${what}="${colour}"] { ${what}: ${onDark}; }`).join('\n');
}
