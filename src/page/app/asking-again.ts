/** Asks again and again while the page is seen: for what changes by itself. Knows time; does not know what is asked. */
import { useEffect, useState } from 'preact/hooks';
import { presence } from './server.js';

/** A number that grows every so many milliseconds while the tab is seen and the server is there; stands still for null. */
export function useTicks(milliseconds: number | null): number {
  const [ticks, setTicks] = useState(0);
  useEffect(() => {
    if (milliseconds === null) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible' && presence.peek() === 'there') setTicks((before) => before + 1);
    }, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
  return ticks;
}
