/**
 * The load of `bench serve`, in a process of its own: requests at random moments, whether or not the ones before are answered. Knows HTTP and
 * clocks; does not know what is measured. Reads a `Load` from standard input, and writes a `Loaded` to standard output.
 *
 * A latency counts from the moment a request was due, not from when there was time to send it: a server that stalls makes all
 * who come meanwhile wait.
 */
import { Agent, request } from 'node:http';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
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

const agent = new Agent({ keepAlive: true, maxSockets: 512 });

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly answer: string;
}

async function post(url: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const { statusCode: status = 0, headers } = response;
        text(response).then((answer) => resolve({ status, retryAfter: headers['retry-after'], answer }), reject);
      },
    );
    sent.on('error', reject).end(body);
  });
}

async function run({ name, path, bodies, rate }: Stream, { url, seconds, warmUp, seed }: Load): Promise<StreamResult> {
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
      const { status, retryAfter, answer } = await post(`${url}${path}`, body);
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
      while (performance.now() < due) await turn(); // less than a millisecond; never too early
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
  const results = await Promise.all(load.streams.map(async (stream) => run(stream, load)));
  process.stdout.write(JSON.stringify(results));
  agent.destroy();
}
