/**
 * The processes of `bench serve`: a server as users start it, the load, and the disk without either. Knows how they are started and read; does not
 * know which rows are measured.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { UserError } from '../src/base/index.js';
import { SesrecClient } from '../src/client/index.js';
import { BIN, median } from './harness.js';
import type { Load, StreamResult } from './serve-load.js';

const LOAD = fileURLToPath(new URL('serve-load.js', import.meta.url));

/** Seconds of load before anything counts: a new server's code is not compiled yet. */
export const WARM_UP = 20;

/** How long a row is, and with how many threads its server ranks. */
export interface Options {
  readonly seconds: number;
  readonly threads: number;
}

/** Milliseconds. */
export interface Percentiles {
  readonly requests: number;
  readonly p50: number;
  readonly p95: number;
  /** The median of those of the stretches. */
  readonly p99: number;
  /** Those of equal stretches of time, one after another: a neighbour on the machine disturbs some of them. */
  readonly p99s: readonly number[];
  readonly p999: number;
  readonly most: number;
}

/** Stretches that a row is cut into, if each has a thousand requests. */
const STRETCHES = 5;
const LEAST_IN_STRETCH = 1000;

const atShare = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

/** @param latencies in the order in which they came about */
export function percentiles(latencies: readonly number[]): Percentiles {
  const sorted = ascending(latencies);
  const at = (share: number): number => atShare(sorted, share);
  const stretches = Math.max(1, Math.min(STRETCHES, Math.floor(latencies.length / LEAST_IN_STRETCH)));
  const p99s = Array.from({ length: stretches }, (_, i) => {
    const [from, to] = [i, i + 1].map((edge) => Math.round((edge * latencies.length) / stretches));
    return atShare(ascending(latencies.slice(from, to)), 0.99);
  });
  return {
    requests: sorted.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: median(p99s),
    p99s,
    p999: at(0.999),
    most: at(1),
  };
}

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly client: SesrecClient;
  readonly process: ChildProcess;
  /** From the start of the process until it says that it is ready. */
  readonly readyAfter: number;
  /** Megabytes that are resident; `own`: without pages of files, such as those of the store. */
  readonly memory: (which?: 'all' | 'own') => Promise<number>;
}

/** Starts a server of its own for a run, and waits until it is ready. */
export async function serve(run: string, store: string, settings: Readonly<Record<string, number>>): Promise<Server> {
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [BIN, 'serve', run, '--port', '0', '--admin-port', '0', '--store', store, '--log-level', 'error', ...flags],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'close').then(([code]) => {
      throw new UserError(`the server ended with ${code} before it listened`);
    }),
  ])) as [string];
  const url = line.split(' ')[0] as string;
  const adminUrl = /metrics: (\S+)\/metrics/.exec(line)?.[1] as string;
  const client = new SesrecClient({ url, deadline: 30_000, retries: 0 });
  while (
    !(await client.ready().then(
      () => true,
      () => false,
    ))
  )
    await sleep(5);
  return {
    url,
    adminUrl,
    client,
    process: child,
    readyAfter: performance.now() - start,
    memory: async (which = 'all') => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      const line = which === 'all' ? /^VmRSS:\s+(\d+)/m : /^RssAnon:\s+(\d+)/m;
      return Number(line.exec(status)?.[1] ?? Number.NaN) / 1000;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'close');
    },
  };
}

/** A server with an empty store of its own, for the time of some work. */
export async function withServer<Result>(
  run: string,
  settings: Readonly<Record<string, number>>,
  work: (server: Server) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-bench-'));
  try {
    await using server = await serve(run, join(folder, 'store'), settings);
    return await work(server);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function load(wanted: Load): Promise<Map<string, StreamResult>> {
  const child = spawn(process.execPath, [LOAD, '--run'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(wanted));
  const results = JSON.parse(await text(child.stdout)) as StreamResult[];
  return new Map(results.map((result) => [result.name, result]));
}

/** What the disk needs to make 4 KiB durable, by itself. */
export async function fsyncTimes(folder: string): Promise<Percentiles> {
  const file = await open(join(folder, 'fsync'), 'w');
  const page = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let i = 0; i < 300; i++) {
    const start = performance.now();
    await file.write(page, 0, page.length, i * page.length);
    await file.datasync();
    times.push(performance.now() - start);
  }
  await file.close();
  return percentiles(times);
}
