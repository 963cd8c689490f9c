/** The legend of a figure, inside its SVG element and above what it explains. Knows how entries are set; does not know figures. */

import { type Drawn, create } from './element.js';

/** `faint`: a small dot that is one of many. */
export type LegendMark = 'dot' | 'square' | 'triangle' | 'diamond' | 'ring' | 'faint' | 'line' | 'bar' | 'band';

/** One line of a legend: a mark as in the figure, and what it means. */
export interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly mark: LegendMark;
}

const ROW = 22;
const SWATCH = 22;
/** Width of a character of the figure's type, at most: entries must not meet. */
const CHARACTER = 7.6;

/** Makes room above a figure and writes a legend there, in as many rows as it takes. */
export function drawLegend(figure: Drawn, entries: readonly LegendEntry[]): void {
  const width = Number(figure.getAttribute('width'));
  const height = Number(figure.getAttribute('height'));
  const group = create(figure, 'g', { 'text-anchor': 'start', 'aria-label': 'legend' });
  let [x, row] = [0, 0];
  for (const { label, colour, mark } of entries) {
    const needed = SWATCH + label.length * CHARACTER + 16;
    if (x > 0 && x + needed > width) [x, row] = [0, row + 1];
    const entry = create(figure, 'g', { transform: `translate(${x},${row * ROW + ROW / 2})` });
    const text = create(figure, 'text', { x: String(SWATCH), dy: '0.32em' });
    text.textContent = label;
    entry.append(swatch(figure, mark, colour), text);
    group.append(entry);
    x += needed;
  }
  const room = (row + 1) * ROW + 6;
  group.setAttribute('transform', `translate(0,${-room})`);
  figure.setAttribute('viewBox', `0 ${-room} ${width} ${height + room}`);
  figure.setAttribute('height', String(height + room));
  figure.append(group);
}

function swatch(figure: Drawn, mark: LegendMark, colour: string): Drawn {
  switch (mark) {
    case 'dot':
      return create(figure, 'circle', { cx: '8', r: '4.5', fill: colour });
    case 'square':
      return create(figure, 'rect', { x: '4', y: '-4', width: '8', height: '8', fill: colour });
    case 'triangle':
      return create(figure, 'path', { d: 'M8,-5L13,4H3Z', fill: colour });
    case 'diamond':
      return create(figure, 'path', { d: 'M8,-5.5L13,0L8,5.5L3,0Z', fill: colour });
    case 'faint':
      return create(figure, 'circle', { cx: '8', r: '2.5', fill: colour, 'fill-opacity': '0.4' });
    case 'ring':
      return create(figure, 'circle', { cx: '8', r: '4', fill: 'none', stroke: colour, 'stroke-width': '1.5' });
    case 'line':
      return create(figure, 'path', { d: 'M0,0H16', stroke: colour, 'stroke-width': '2' });
    case 'bar':
      return create(figure, 'rect', { width: '16', height: '12', y: '-6', fill: colour });
    case 'band':
      return create(figure, 'rect', { width: '16', height: '12', y: '-6', fill: colour, 'fill-opacity': '0.15' });
  }
}
