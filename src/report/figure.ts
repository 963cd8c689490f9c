/** A figure in a page. Knows that a phone needs another drawing than a desk; does not know what is drawn. */
import { type Content, Html, html } from './html.js';

/** Widths of drawings in pixels: for a phone held upright, and for everything else. */
const WIDTHS = { narrow: 350, wide: 760 } as const;

/** `narrow`: less room than words and numbers would like. */
export interface Room {
  readonly width: number;
  readonly narrow: boolean;
}

/** Draws for a wide and for a narrow page; one of the two is shown. `draw` returns an SVG element. */
export function figureHtml(draw: (room: Room) => string, caption: Content): Html {
  const drawn = (name: keyof typeof WIDTHS): Html =>
    html`<div class="${name}">${new Html(draw({ width: WIDTHS[name], narrow: name === 'narrow' }))}</div>`;
  return html`<figure>
    ${drawn('wide')}${drawn('narrow')}
    <figcaption>${caption}</figcaption>
  </figure> `;
}
