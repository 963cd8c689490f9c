/**
 * What every bench does alike: errors as one line, text or one JSON document, the machine, medians. Knows how results are
 * shown; does not know what is measured.
 */
import { existsSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { UsageError, UserError } from '../src/base/index.js';
import { environment, peakMemoryBytes } from '../src/cli/environment.js';

/** The command line, as `npm run build` leaves it. */
export const BIN = fileURLToPath(new URL('../../bin/sesrec.js', import.meta.url));

/** Text for people; silent where a JSON document is asked for. */
export type Say = (text: string) => void;

export interface Report {
  readonly bench: string;
  readonly [key: string]: unknown;
}

/**
 * Runs a bench and shows what it found: its text (see `sayUnless`) and, as the last line, one JSON object. A mistake of the
 * user is one line and exit code 1 or 2.
 */
export async function runBench(name: string, work: () => Promise<Report>): Promise<void> {
  try {
    process.stdout.write(`${JSON.stringify(await work())}\n`);
  } catch (error) {
    const isWrongUsage =
      error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!(error instanceof UserError) && !isWrongUsage) throw error;
    process.stderr.write(`bench ${name}: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}\n`);
    process.exitCode = error instanceof UserError ? error.exitCode : 2;
  }
}

/** With --json the JSON object is all that is printed. */
export const sayUnless =
  (json: boolean): Say =>
  (text) => {
    if (!json) process.stdout.write(`${text}\n`);
  };

/** A whole number from `least` in an option. */
export function wholeOption(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least)
    throw new UsageError(`--${name} ${text}: give a whole number from ${least}`);
  return value;
}

/** One of a few words in an option. */
export function choiceOption<Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`--${name} ${text}: give one of ${choices.join(', ')}`);
  return found;
}

/** Which rows of a bench are wanted: `--rows a,b`. */
export const rowsOption = <Row extends string>(text: string, rows: readonly Row[]): ReadonlySet<Row> =>
  new Set(text.split(',').map((row) => choiceOption('rows', row, rows)));

/** Milliseconds of one step, and what a tenth of the steps stayed below and above. */
export interface Milliseconds {
  readonly ms: number;
  readonly low: number;
  readonly high: number;
  readonly steps: number;
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
const ascending = (times: readonly number[]): number[] => times.toSorted((a, b) => a - b);

export const median = (times: readonly number[]): number => quantile(ascending(times), 0.5);

/**
 * The time of a step over batches that differ in size: of each batch the median over its rounds, and of these the mean,
 * since a training goes through short and long batches alike.
 */
export function milliseconds(byBatch: readonly (readonly number[])[]): Milliseconds {
  const timed = byBatch.filter((times) => times.length > 0);
  const all = ascending(timed.flat());
  return {
    ms: timed.reduce((sum, times) => sum + median(times), 0) / timed.length,
    low: quantile(all, 0.1),
    high: quantile(all, 0.9),
    steps: all.length,
  };
}

/** The machine and how busy it is: the mean number of running processes over the last minute. */
export function conditions() {
  const { machine, versions } = environment();
  return { date: new Date().toISOString(), machine, versions, loadOneMinute: loadavg()[0] as number };
}

export function conditionsLine({ date, machine, versions, loadOneMinute }: ReturnType<typeof conditions>): string {
  return `${date}  ${machine.cpu}, ${machine.cores} cores, load ${loadOneMinute.toFixed(1)}; Node ${versions.node}, ONNX Runtime ${versions['onnxruntime-node']}, commit ${versions.commit?.slice(0, 7) ?? 'unknown'}${versions.commit?.endsWith('-dirty') ? ' (changed)' : ''}`;
}

/** The most memory that the system has seen this process hold (VmHWM), in bytes; what Node knows of it on systems without. */
export function peakBytes(): number {
  if (!existsSync('/proc/self/status')) return peakMemoryBytes();
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return kilobytes === undefined ? peakMemoryBytes() : 1024 * Number(kilobytes);
}
