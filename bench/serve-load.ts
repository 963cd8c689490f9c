/**
 * The load of `bench serve`, in a process of its own: requests at random moments, whether or not the ones before are answered. Knows HTTP and
 * clocks; does not know what is measured. Reads a `Load` from standard input, and writes a `Loaded` to standard output.
 *
 * A latency counts from the moment a request was due, not from when there was time to send it: a server that stalls makes all
 * who come meanwhile wait.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { Pool } from 'undici';
import { Random } from '../src/base/index.js';

export interface Stream {
  readonly name: string;
  readonly path: string;
  /** Bodies, taken one after another and again from the start. */
  readonly bodies: readonly string[];
  /** Requests a second; 0: one at a time, the next when the last is answered. */
  readonly rate: number;
}

export interface Load {
  readonly url: string;
  readonly seconds: number;
  /** Of these, so many at the start are not counted. */
  readonly warmUp: number;
  readonly seed: number;
  readonly streams: readonly Stream[];
}

export interface StreamResult {
  readonly name: string;
  /** Milliseconds of what was answered (a status below 400), in the order of answers. */
  readonly latencies: readonly number[];
  /** Milliseconds of what was turned away (429 or 503). */
  readonly refusals: readonly number[];
  /** Refusals that did not say when to come again. */
  readonly withoutRetryAfter: number;
  /** Everything that was not answered, refusals included. */
  readonly failed: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** What the answers said of events. */
  readonly accepted: number;
  /** Sent too late by more than so much, at worst: the generator itself was too slow. */
  readonly latestSend: number;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | string[] | undefined;
  readonly answer: string;
}

/** Requests a second from which on some may be sent a millisecond late, which counts as theirs. */
const MANY = 300;

const HEADERS = { 'content-type': 'application/json' };

/** By a client that costs little: what sending takes of a machine's processors is taken from the server. */
async function post(pool: Pool, path: string, body: string): Promise<Answer> {
  const { statusCode, headers, body: answered } = await pool.request({ path, method: 'POST', headers: HEADERS, body });
  return { status: statusCode, retryAfter: headers['retry-after'], answer: await answered.text() };
}

async function run(
  pool: Pool,
  { name, path, bodies, rate }: Stream,
  { seconds, warmUp, seed }: Load,
): Promise<StreamResult> {
  const random = new Random('load', name, seed);
  const [latencies, refusals]: [number[], number[]] = [[], []];
  const statuses: Record<string, number> = {};
  let [failed, withoutRetryAfter, accepted, latestSend, next] = [0, 0, 0, 0, 0];
  const start = performance.now();
  const one = async (due: number): Promise<void> => {
    const isCounted = due - start >= 1000 * warmUp;
    const body = bodies[next++ % bodies.length] as string;
    latestSend = Math.max(latestSend, performance.now() - due);
    try {
      const { status, retryAfter, answer } = await post(pool, path, body);
      const isRefused = status === 429 || status === 503;
      if (isCounted && (status < 400 || isRefused)) (isRefused ? refusals : latencies).push(performance.now() - due);
      if (isRefused && retryAfter === undefined) withoutRetryAfter++;
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status >= 400) failed++;
      else if (status === 202) accepted += (JSON.parse(answer) as { accepted: number }).accepted;
    } catch {
      failed++;
    }
  };
  const end = start + 1000 * seconds;
  if (rate === 0) {
    for (let now = performance.now(); now < end; now = performance.now()) await one(now);
  } else {
    const open = new Set<Promise<void>>();
    for (let due = start; ;) {
      due += (-Math.log(1 - random.float()) * 1000) / rate;
      if (due >= end) break;
      const wait = due - performance.now();
      if (wait >= 1) await sleep(Math.floor(wait));
      // Less than a millisecond is left, and nobody is sent too early. To wait for it awake costs a processor where there are many of them.
      while (performance.now() < due) await (rate > MANY ? sleep(1) : turn());
      const sent = one(due);
      open.add(sent);
      void sent.finally(() => open.delete(sent));
    }
    await Promise.all(open);
  }
  return { name, latencies, refusals, withoutRetryAfter, failed, statuses, accepted, latestSend };
}

if (process.argv[2] === '--run') {
  const load = JSON.parse(await text(process.stdin)) as Load;
  const pool = new Pool(load.url, { connections: 512 });
  const results = await Promise.all(load.streams.map(async (stream) => run(pool, stream, load)));
  process.stdout.write(JSON.stringify(results));
  await pool.close();
}
