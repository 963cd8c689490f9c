/**
 * The timeline of a person: the feed above, searches below, what agrees joined. Knows pointers and keys; timeline-layout.ts knows where
 * things stand and timeline-drawing.ts how they look. A table beside it says the same to those who do not see it.
 */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineEntry } from '../../../serve/schemas/index.js';
import { announce } from '../../app/announce.js';
import { repaint } from '../../app/theme.js';
import { Choice } from '../../components/choice.js';
import { SteadyButton } from '../../components/steady-button.js';
import { dateText, texts } from '../../texts/index.js';
import { labelOf, spokenOf } from './action-text.js';
import type { Agreements } from './agreements.js';
import { HEIGHT, LANE_Y, LEVEL, coloursAt, draw } from './timeline-drawing.js';
import { type Axis, type Lane, type Placed, layOut, nearest, placeOf, shareAt } from './timeline-layout.js';

interface TimelineProps {
  readonly timeline: readonly TimelineEntry[];
  readonly agreements: Agreements;
  readonly focus: number | null;
  readonly lit: ReadonlySet<number>;
  /** The pointer or the keyboard is at an action; null: at none. */
  readonly onFocus: (ordinal: number | null) => void;
  /** An action was chosen: it stays when the pointer leaves. */
  readonly onPin: (ordinal: number | null) => void;
}

/** Pixels from one action to the next: all that fits, unless that is too close to read, and closer or wider by hand. */
const [CLOSEST, USUAL, WIDEST] = [1, 26, 72];
const ZOOM = 1.6;
const REACH = 18;

export function Timeline({ timeline, agreements, focus, lit, onFocus, onPin }: TimelineProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [axis, setAxis] = useState<Axis>('order');
  const [step, setStep] = useState(USUAL);
  const [width, setWidth] = useState(0);
  const layout = useMemo(() => layOut(timeline, axis, width, step), [timeline, axis, width, step]);
  const painted = repaint.value;
  const scene = { layout, agreements, focus, lit, labelOf: ({ entry }: Placed) => labelOf(entry), dateOf: dateText };

  // what is in the middle stays there when the scale or the room changes; null: the newest is in view, and stays
  const middle = useRef<number | null>(null);
  const hold = useRef(() => {});
  hold.current = () => {
    const { scrollLeft, clientWidth } = box.current!;
    const isAtEnd = scrollLeft + Math.max(width, clientWidth) >= layout.width - 1;
    middle.current = isAtEnd ? null : shareAt(layout, scrollLeft + clientWidth / 2);
  };
  const zoom = (to: number): void => {
    hold.current();
    setStep(Math.min(WIDEST, Math.max(CLOSEST, to)));
  };
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(([entry]) => {
      hold.current();
      setWidth(Math.round(entry!.contentRect.width));
    });
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
  useLayoutEffect(() => void (middle.current = null), [timeline, axis]);
  useLayoutEffect(() => {
    const at = middle.current;
    box.current!.scrollLeft = at === null ? layout.width : placeOf(layout, at) - width / 2;
  }, [layout]);
  useEffect(() => {
    const element = box.current!;
    const paper = canvas.current!;
    const context = paper.getContext('2d')!;
    const sharp = devicePixelRatio;
    const style = getComputedStyle(element);
    const colours = coloursAt(element);
    paper.width = Math.max(1, Math.round(width * sharp));
    paper.height = Math.round(HEIGHT * sharp);
    let frame = 0;
    const paint = (): void => {
      context.setTransform(sharp, 0, 0, sharp, 0, 0);
      draw(context, scene, { width, scroll: element.scrollLeft, colours, font: style.fontFamily });
    };
    const later = (): void => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(paint);
    };
    paint();
    void document.fonts.ready.then(later);
    element.addEventListener('scroll', later, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener('scroll', later);
    };
  }, [layout, agreements, focus, lit, width, painted]);

  const show = (ordinal: number | undefined): void => {
    const placed = ordinal === undefined ? undefined : layout.byOrdinal.get(ordinal);
    const element = box.current!;
    if (!placed || (placed.x > element.scrollLeft + 24 && placed.x < element.scrollLeft + width - 24)) return;
    element.scrollTo({ left: placed.x - width / 2, behavior: isCalm() ? 'instant' : 'smooth' });
  };
  useEffect(() => show([...lit].sort((a, b) => b - a)[0]), [lit]);

  const under = (event: PointerEvent): Placed | null => {
    const bounds = canvas.current!.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left + box.current!.scrollLeft, event.clientY - bounds.top];
    const lane: Lane = y < (LANE_Y.feed + LANE_Y.search) / 2 ? 'feed' : 'search';
    const level = (lane === 'feed' ? LANE_Y.feed - y : y - LANE_Y.search) / LEVEL;
    return nearest(layout.lanes[lane], x, level, REACH);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') return onPin(null);
    const next = neighbour(event.key, focus, layout.lanes, agreements);
    if (next === null) return;
    event.preventDefault();
    onPin(next.entry.ordinal);
    show(next.entry.ordinal);
    announce(spokenOf(next.entry));
  };
  return (
    <section
      class="timeline"
      aria-label={texts.people.timeline}
      data-focus={focus ?? undefined}
      data-lit={[...lit].join(' ')}
    >
      <div class="timeline-tools">
        <Legend />
        <Choice
          label={texts.people.axis}
          value={axis}
          choices={(['order', 'time'] as const).map((value) => ({ value, label: texts.people.axes[value] }))}
          onChoice={setAxis}
        />
        <div class="zoom" role="group" aria-label={texts.people.zoom}>
          <SteadyButton
            label={texts.people.closer}
            isIdle={layout.step >= WIDEST}
            onClick={() => zoom(layout.step * ZOOM)}
          >
            +
          </SteadyButton>
          <SteadyButton
            label={texts.people.wider}
            isIdle={layout.width <= width || layout.step <= CLOSEST}
            onClick={() => zoom(layout.step / ZOOM)}
          >
            −
          </SteadyButton>
        </div>
      </div>
      <div class="lanes" style={{ '--feed-y': `${LANE_Y.feed}px`, '--search-y': `${LANE_Y.search}px` }}>
        <span class="lane-name feed" aria-hidden="true">
          {texts.people.lanes.feed}
        </span>
        <span class="lane-name search" aria-hidden="true">
          {texts.people.lanes.search}
        </span>
        <div
          ref={box}
          class="timeline-box"
          dir="ltr"
          role="application"
          tabIndex={0}
          aria-label={texts.people.timelineHelp(timeline.length)}
          onKeyDown={onKeyDown}
          onPointerMove={(event) => event.pointerType !== 'touch' && onFocus(under(event)?.entry.ordinal ?? null)}
          onPointerLeave={() => onFocus(null)}
          onClick={(event) => onPin(under(event as unknown as PointerEvent)?.entry.ordinal ?? null)}
        >
          <div class="timeline-length" style={{ inlineSize: `${layout.width}px`, blockSize: `${HEIGHT}px` }}>
            <canvas ref={canvas} style={{ inlineSize: `${width}px`, blockSize: `${HEIGHT}px` }} aria-hidden="true" />
          </div>
        </div>
      </div>
    </section>
  );
}

const isCalm = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;

function Legend() {
  return (
    <ul class="legend">
      {(['similar', 'dissimilar', 'none'] as const).map((name) => (
        <li key={name}>
          <span class={`side ${name}`} aria-hidden="true" /> {texts.people.legend[name]}
        </li>
      ))}
      <li class="quiet">{texts.people.sizes}</li>
    </ul>
  );
}

/** Left and right along a lane, up and down to what agrees most in the other, or stands nearest. */
function neighbour(
  key: string,
  focus: number | null,
  lanes: Readonly<Record<Lane, readonly Placed[]>>,
  agreements: Agreements,
): Placed | null {
  const moves = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'];
  if (!moves.includes(key)) return null;
  const lane: Lane = lanes.search.some(({ entry }) => entry.ordinal === focus) ? 'search' : 'feed';
  const own = lanes[lane].length > 0 ? lanes[lane] : lanes.search;
  const at = own.findIndex(({ entry }) => entry.ordinal === focus);
  if (at < 0 || key === 'End') return own.at(-1) ?? null;
  if (key === 'Home') return own[0] ?? null;
  if (key === 'ArrowLeft') return own[Math.max(0, at - 1)] ?? null;
  if (key === 'ArrowRight') return own[Math.min(own.length - 1, at + 1)] ?? null;
  const to: Lane = key === 'ArrowUp' ? 'feed' : 'search';
  if (to === lane) return own[at] ?? null;
  const [most] = agreements.of(focus ?? -1);
  const agreeing = lanes[to].find(({ entry }) => entry.ordinal === most?.ordinal);
  return agreeing ?? nearest(lanes[to], own[at]!.x, 0, Infinity);
}
