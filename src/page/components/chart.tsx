/**
 * A figure of Observable Plot, which is loaded when the first one is wanted; while it cannot be, the words stand that say what is to be seen.
 * Knows how a figure gets into a page whose policy allows no style sheet of a script: Plot puts one into each figure, which is taken out
 * before it is in the document; components.css says the same of `.plot`.
 */
import type * as Plotting from '@observablehq/plot';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useAnswer } from '../app/answer.js';

/** Draws a figure of a width in pixels. */
export type Draw = (Plot: typeof Plotting, width: number) => HTMLElement | SVGSVGElement;

interface ChartProps {
  /** What a screen reader says instead of the figure: what it shows and what is to be seen in it. */
  readonly label: string;
  /** In pixels, kept free until the figure is there. */
  readonly height: number;
  readonly draw: Draw;
  /** Draws anew when this changes. */
  readonly version: string | number;
}

export function Chart({ label, height, draw, version }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const { answer: Plot, error } = useAnswer('Plot', async () => import('@observablehq/plot'));
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0 || Plot === null) return;
    const figure = draw(Plot, width);
    for (const style of figure.querySelectorAll('style')) style.remove();
    // Plot names its groups, which have no role that may have a name: the label of the whole says what is to be seen
    for (const part of figure.querySelectorAll('g[aria-label]')) part.removeAttribute('aria-label');
    figure.setAttribute('role', 'img');
    figure.setAttribute('aria-label', label);
    box.current?.replaceChildren(figure);
  }, [Plot, width, version]);
  return (
    <>
      {error !== null && <p>{label}</p>}
      <div ref={box} class="plot" style={{ minBlockSize: `${height}px` }} />
    </>
  );
}
