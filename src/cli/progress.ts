/** A line of progress on standard error that rewrites itself. Knows terminals; does not know what is going on. */
import { spoken } from './output.js';

/** 75 as 1 min 15 s. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** So many in so much time, as 1,234 a second would be written: three figures are enough. */
export function perSecond(count: number, seconds: number): string {
  return (count / Math.max(seconds, 1e-3)).toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

export interface ProgressLine {
  /** Shows how far something is, how fast, and an estimate of the time left. */
  update(what: string, done: number, total: number): void;
  /** Shows any text. */
  show(text: string): void;
  /** Wipes the line. */
  clear(): void;
}

/** Silent where standard error is not a terminal: logs want lines, not rewrites. */
export function progressLine(): ProgressLine {
  const start = performance.now();
  const isTerminal = process.stderr.isTTY;
  let last = 0;
  const write = (text: string): void => {
    if (isTerminal) process.stderr.write(`\r\u001B[K${text.slice(0, Math.max(20, process.stderr.columns - 1))}`);
  };
  return {
    update: (what, done, total) => {
      const now = performance.now();
      if (now - last < 200 && done < total) return;
      last = now;
      const seconds = (now - start) / 1000;
      const left =
        done === 0 ? '' : `, ${perSecond(done, seconds)} a second, ${duration((seconds / done) * (total - done))} left`;
      write(spoken(`${what} ${done} of ${total}${left}`));
    },
    show: (text) => write(spoken(text)),
    clear: () => write(''),
  };
}
