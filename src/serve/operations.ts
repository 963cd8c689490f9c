/**
 * How a server does, for people: the numbers that Prometheus reads, and what happened to them in the last minutes. Knows counters and
 * buckets; does not know who counts.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.js';
import type { Interval, OperationsAnswer } from './schemas/index.js';

const SAMPLE_MILLISECONDS = 10_000;
/** A quarter of an hour. */
const KEPT = 90;
/** The event loop is looked at so often; what is measured includes the time between two looks. */
const RESOLUTION_MILLISECONDS = 20;

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

/** Requests of one kind by how long they took. */
interface Latencies {
  requests: number;
  refused: number;
  failed: number;
  /** Cumulative, by upper bound in seconds. */
  readonly buckets: Map<number, number>;
}

/** Everything that is counted, at one moment. */
interface Sample {
  readonly time: number;
  readonly routes: ReadonlyMap<string, Latencies & { readonly route: string; readonly method: string }>;
  readonly all: Latencies;
  readonly sources: OperationsAnswer['sources'];
  readonly events: OperationsAnswer['events'];
  readonly shed: number;
  readonly memory: number;
}

export class Operations {
  readonly #metrics: Metrics;
  readonly #started = Date.now();
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MILLISECONDS });

  constructor(metrics: Metrics, { sampleMilliseconds = SAMPLE_MILLISECONDS } = {}) {
    this.#metrics = metrics;
    this.#timer = setInterval(() => void this.#keep(), sampleMilliseconds);
    this.#timer.unref();
    this.#delays.enable();
    void this.#keep();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delays.disable();
  }

  async #keep(): Promise<void> {
    this.#samples.push(await sampleOf(this.#metrics));
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  /** Everything but what the server knows of itself. */
  async told(): Promise<Omit<OperationsAnswer, 'version' | 'models' | 'most_in_flight'>> {
    const now = await sampleOf(this.#metrics);
    const { inFlight } = this.#metrics;
    const delay = this.#delays.percentile(99) / 1e9 - RESOLUTION_MILLISECONDS / 1000;
    const samples = [...this.#samples, now];
    return {
      time: new Date(now.time).toISOString(),
      uptime: (now.time - this.#started) / 1000,
      in_flight: valueOf((await inFlight.get()).values),
      shed: now.shed,
      memory: now.memory,
      event_loop_delay: this.#delays.count === 0 ? null : Math.max(0, delay),
      routes: [...now.routes.values()]
        .sort((a, b) => b.requests - a.requests)
        .map(({ route, method, requests, refused, failed, buckets }) => ({
          route,
          method,
          requests,
          refused,
          failed,
          ...quantilesOf(buckets),
        })),
      sources: now.sources,
      events: now.events,
      intervals: samples.slice(1).map((sample, i) => between(samples[i] as Sample, sample)),
    };
  }
}

const valueOf = (values: readonly Value[]): number => values.reduce((sum, { value }) => sum + value, 0);

async function sampleOf(metrics: Metrics): Promise<Sample> {
  const [requests, recommendations, events, shed] = (await Promise.all(
    [metrics.requests, metrics.recommendations, metrics.events, metrics.shed].map(
      async (metric) => (await metric.get()).values,
    ),
  )) as [Value[], Value[], Value[], Value[]];
  const routes = new Map<string, Latencies & { route: string; method: string }>();
  const all: Latencies = { requests: 0, refused: 0, failed: 0, buckets: new Map() };
  for (const { value, labels, metricName = '' } of requests) {
    const [route, method, code] = [String(labels['route']), String(labels['method']), Number(labels['code'])];
    const key = `${method} ${route}`;
    const own = routes.get(key) ?? { route, method, requests: 0, refused: 0, failed: 0, buckets: new Map() };
    routes.set(key, own);
    for (const counted of [own, all]) {
      if (metricName.endsWith('_count')) {
        counted.requests += value;
        if (code >= 500) counted.failed += value;
        else if (code >= 400) counted.refused += value;
      } else if (metricName.endsWith('_bucket')) {
        const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
        counted.buckets.set(bound, (counted.buckets.get(bound) ?? 0) + value);
      }
    }
  }
  const eventsOf = (result: string): number => valueOf(events.filter(({ labels }) => labels['result'] === result));
  return {
    time: Date.now(),
    routes,
    all,
    sources: recommendations.map(({ value, labels }) => ({
      source: String(labels['source']),
      degraded: labels['degraded'] === 'true',
      answers: value,
    })),
    events: { accepted: eventsOf('accepted'), duplicate: eventsOf('duplicate'), rejected: eventsOf('rejected') },
    shed: valueOf(shed),
    memory: process.memoryUsage.rss(),
  };
}

function between(before: Sample, after: Sample): Interval {
  const buckets = new Map(
    [...after.all.buckets].map(([bound, count]) => [bound, count - (before.all.buckets.get(bound) ?? 0)]),
  );
  const answers = ({ sources }: Sample, isCounted: (source: Sample['sources'][number]) => boolean): number =>
    sources.reduce((sum, source) => sum + (isCounted(source) ? source.answers : 0), 0);
  const change = (isCounted: (source: Sample['sources'][number]) => boolean): number =>
    answers(after, isCounted) - answers(before, isCounted);
  return {
    time: new Date(after.time).toISOString(),
    seconds: (after.time - before.time) / 1000,
    requests: after.all.requests - before.all.requests,
    failed: after.all.failed - before.all.failed,
    refused: after.all.refused - before.all.refused,
    ...quantilesOf(buckets),
    recommendations: change(() => true),
    fallbacks: change(({ source }) => source === 'popular'),
    degraded: change(({ degraded }) => degraded),
    events: after.events.accepted - before.events.accepted,
    memory: after.memory,
  };
}

/** Quantiles from cumulative counts by upper bound, even within a bucket; above the last bound, that bound. Null of nothing. */
export function quantilesOf(buckets: ReadonlyMap<number, number>): Pick<Interval, 'p50' | 'p95' | 'p99'> {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  const quantile = (share: number): number | null => {
    if (total === 0) return null;
    let [low, below] = [0, 0];
    for (const [bound, count] of sorted) {
      if (count >= share * total) {
        if (bound === Infinity) return low;
        return low + ((bound - low) * (share * total - below)) / (count - below);
      }
      [low, below] = [bound, count];
    }
    return low;
  };
  return { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) };
}
