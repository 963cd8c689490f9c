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

/** As much of a name as a place has room for; `width` in pixels. In full it stands in the figure's description. */
export function fitted(name: string, width: number): string {
  const [characters, room] = [Array.from(name), Math.max(2, Math.floor(width / CHARACTER))];
  return characters.length <= room ? name : `${characters.slice(0, room - 1).join('')}…`;
}

/** The width of a character in the type of figures, in pixels, on the large side. */
export const CHARACTER = 7.2;
