/** Draws the part of a timeline that is seen onto a canvas. Knows pixels and colours; does not know pointers or keys. */
import type { Agreements } from './agreements.js';
import { type Lane, type Layout, type Placed, firstFrom } from './timeline-layout.js';

export interface Scene {
  readonly layout: Layout;
  readonly agreements: Agreements;
  /** The action that the pointer or the keyboard is at. */
  readonly focus: number | null;
  /** Actions that are lit up: the reasons for an item. */
  readonly lit: ReadonlySet<number>;
  readonly labelOf: (placed: Placed) => string;
  readonly dateOf: (time: string) => string;
}

export interface Ground {
  readonly width: number;
  readonly scroll: number;
  readonly colours: Colours;
  readonly font: string;
}

export const HEIGHT = 400;
export const LANE_Y: Readonly<Record<Lane, number>> = { feed: 140, search: 262 };
/** Which way labels and stacks go. */
const AWAY: Readonly<Record<Lane, number>> = { feed: -1, search: 1 };
export const LEVEL = 13;
const LABEL_LENGTH = 30;
/** From this distance on there is room for every label. */
const LABELLED = 22;
/** Labels that are remembered. */
const MOST_SHORTENED = 20_000;
const [SMALLEST, LARGEST, LARGEST_STACKED] = [4, 11, 6.5];
const LEAN = (38 * Math.PI) / 180;
const MOST_ARCS = 12;
const RESTING_ARCS = 10;

const COLOUR_NAMES = ['ground', 'ink', 'quiet', 'rule', 'strong-rule', 'similar', 'dissimilar', 'shade'] as const;
export type Colours = Readonly<Record<(typeof COLOUR_NAMES)[number], string>>;

/** The colours of the theme as a canvas understands them. */
export function coloursAt(element: HTMLElement): Colours {
  const probe = element.appendChild(document.createElement('span'));
  const found = COLOUR_NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(found) as Colours;
}

export const yOf = ({ entry, level }: Placed): number => LANE_Y[entry.type] + AWAY[entry.type] * level * LEVEL;

/** Radius: its share of the attention of its lane, by area. */
export function radiusOf({ entry }: Placed, { maxWeight, isStacked }: Layout): number {
  if (entry.side === null || entry.weight === null || maxWeight[entry.type] === 0) return SMALLEST;
  const largest = isStacked ? LARGEST_STACKED : LARGEST;
  return SMALLEST + (largest - SMALLEST) * Math.sqrt(entry.weight / maxWeight[entry.type]);
}

export function draw(context: CanvasRenderingContext2D, scene: Scene, ground: Ground): void {
  const { layout, focus, lit } = scene;
  context.clearRect(0, 0, ground.width, HEIGHT);
  context.save();
  context.translate(-ground.scroll, 0);
  drawLanes(context, scene, ground);
  drawArcs(context, scene, ground);
  const agreeing = new Set(agreeingWith(scene).map(({ placed }) => placed.entry.ordinal));
  const isSubdued = focus !== null || lit.size > 0;
  for (const lane of ['feed', 'search'] as const) {
    const placed = layout.lanes[lane];
    const end = ground.scroll + ground.width + LARGEST;
    for (let i = firstFrom(placed, ground.scroll - 160); i < placed.length && placed[i]!.x <= end; i++) {
      const one = placed[i]!;
      const { ordinal } = one.entry;
      const isMeant = ordinal === focus || lit.has(ordinal) || agreeing.has(ordinal);
      context.globalAlpha = isSubdued && !isMeant ? 0.28 : 1;
      drawMark(context, one, scene, ground.colours);
      if (ordinal === focus || lit.has(ordinal)) drawHalo(context, one, layout, ground.colours);
      if (isMeant || (layout.step >= LABELLED && !layout.isStacked)) drawLabel(context, one, scene, ground, isMeant);
    }
  }
  context.restore();
}

function drawLanes(
  context: CanvasRenderingContext2D,
  { layout, dateOf }: Scene,
  { colours, scroll, width, font }: Ground,
): void {
  for (const lane of ['feed', 'search'] as const) {
    const from = layout.seenFrom[lane];
    if (from !== null) {
      context.fillStyle = colours.shade;
      context.beginPath();
      context.roundRect(from - 18, LANE_Y[lane] - 18, layout.width - from - 114, 36, 18);
      context.fill();
    }
    context.strokeStyle = colours['strong-rule'];
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(scroll, LANE_Y[lane] + 0.5);
    context.lineTo(scroll + width, LANE_Y[lane] + 0.5);
    context.stroke();
  }
  context.fillStyle = colours.quiet;
  context.font = `12px ${font}`;
  context.textAlign = 'center';
  for (const { x, time } of layout.ticks) {
    if (x < scroll - 80 || x > scroll + width + 80) continue;
    context.fillText(dateOf(time), x, HEIGHT - 8);
    context.fillRect(x, HEIGHT - 26, 1, 5);
  }
}

/** What of the other lane the focused action agrees with, with how much of the strongest agreement. */
function agreeingWith({ agreements, focus, layout }: Scene): { placed: Placed; share: number }[] {
  if (focus === null) return [];
  const found = agreements.of(focus).filter(({ value }) => value > 0);
  const most = found[0]?.value ?? 1;
  return found.slice(0, MOST_ARCS).flatMap(({ ordinal, value }) => {
    const placed = layout.byOrdinal.get(ordinal);
    return placed ? [{ placed, share: value / most }] : [];
  });
}

function drawArcs(context: CanvasRenderingContext2D, scene: Scene, { colours }: Ground): void {
  const { layout, agreements, focus, lit } = scene;
  context.strokeStyle = colours.ink;
  if (focus !== null) {
    const from = layout.byOrdinal.get(focus);
    if (!from) return;
    for (const { placed, share } of agreeingWith(scene)) {
      context.globalAlpha = 0.25 + 0.7 * share;
      context.lineWidth = 1 + 3.5 * share;
      arc(context, from, placed, layout);
    }
  } else if (lit.size === 0) {
    const pairs = agreements.strongest(RESTING_ARCS);
    for (const { feed, search, value } of pairs) {
      const [above, below] = [layout.byOrdinal.get(feed), layout.byOrdinal.get(search)];
      if (!above || !below) continue;
      context.globalAlpha = 0.1 + (0.25 * value) / pairs[0]!.value;
      context.lineWidth = 1.25;
      arc(context, above, below, layout);
    }
  }
  context.globalAlpha = 1;
}

/** From rim to rim, leaving and arriving upright. */
function arc(context: CanvasRenderingContext2D, from: Placed, to: Placed, layout: Layout): void {
  const way = Math.sign(yOf(to) - yOf(from));
  const [begin, end] = [yOf(from) + way * radiusOf(from, layout), yOf(to) - way * radiusOf(to, layout)];
  const bend = (end - begin) * 0.55;
  context.beginPath();
  context.moveTo(from.x, begin);
  context.bezierCurveTo(from.x, begin + bend, to.x, end - bend, to.x, end);
  context.stroke();
}

function drawMark(context: CanvasRenderingContext2D, placed: Placed, { layout }: Scene, colours: Colours): void {
  const { side } = placed.entry;
  const [x, y, radius] = [placed.x, yOf(placed), radiusOf(placed, layout)];
  context.beginPath();
  if (side === 'dissimilar') {
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y);
    context.lineTo(x, y + radius);
    context.lineTo(x - radius, y);
    context.closePath();
  } else context.arc(x, y, radius - (side === null ? 0.5 : 0), 0, 2 * Math.PI);
  context.fillStyle = side === null ? colours.ground : colours[side];
  context.fill();
  if (side !== null) return;
  context.strokeStyle = colours['strong-rule'];
  context.lineWidth = 1.5;
  context.stroke();
}

function drawHalo(context: CanvasRenderingContext2D, placed: Placed, layout: Layout, colours: Colours): void {
  context.beginPath();
  context.arc(placed.x, yOf(placed), radiusOf(placed, layout) + 4, 0, 2 * Math.PI);
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.stroke();
}

const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const shortLabels = new Map<string, string>();

/** As many characters as people see as one, whatever they are made of. */
function shortened(whole: string): string {
  const known = shortLabels.get(whole);
  if (known !== undefined) return known;
  const first = Array.from(characters.segment(whole.slice(0, 20 * LABEL_LENGTH)), ({ segment }) => segment);
  const text = first.length > LABEL_LENGTH ? `${first.slice(0, LABEL_LENGTH - 1).join('')}…` : first.join('');
  if (shortLabels.size > MOST_SHORTENED) shortLabels.clear();
  shortLabels.set(whole, text);
  return text;
}

function drawLabel(
  context: CanvasRenderingContext2D,
  placed: Placed,
  { layout, labelOf }: Scene,
  { colours, font }: Ground,
  isMeant: boolean,
): void {
  const away = AWAY[placed.entry.type];
  const whole = labelOf(placed);
  const text = shortened(whole);
  context.save();
  context.translate(placed.x + 3, yOf(placed) + away * (radiusOf(placed, layout) + 8));
  context.rotate(away * LEAN);
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.font = `${isMeant ? '650 ' : ''}12px ${font}`;
  context.fillStyle = isMeant ? colours.ink : colours.quiet;
  context.fillText(text, 0, 0);
  context.restore();
}
