/** What is counted and timed, as Prometheus reads it. Knows names and labels; does not know who counts. No label holds an id of anybody. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Metrics {
  readonly registry = new Registry();
  readonly requests: Histogram<'route' | 'method' | 'code'>;
  readonly recommendations: Counter<'source' | 'degraded'>;
  readonly events: Counter<'result'>;
  readonly shed: Counter;
  readonly limited: Counter;
  readonly inFlight: Gauge;
  readonly modelInfo: Gauge<'name' | 'version'>;
  readonly ranking: Histogram<'source'>;
  readonly flush: Histogram;
  readonly flushed: Counter;
  readonly storeUp: Gauge;
  readonly streamMessages: Counter<'result'>;
  readonly streamPending: Gauge;

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Histogram({
      name: 'sesrec_http_request_duration_seconds',
      help: 'Time to answer, errors included.',
      labelNames: ['route', 'method', 'code'],
      buckets: SECONDS,
      registers,
    });
    this.recommendations = new Counter({
      name: 'sesrec_recommendations_total',
      help: 'Answers with recommendations, by what ranked.',
      labelNames: ['source', 'degraded'],
      registers,
    });
    this.events = new Counter({
      name: 'sesrec_events_total',
      help: 'Events that came in, by what became of them.',
      labelNames: ['result'],
      registers,
    });
    this.shed = new Counter({
      name: 'sesrec_shed_total',
      help: 'Requests turned away because of too many.',
      registers,
    });
    this.limited = new Counter({
      name: 'sesrec_limited_total',
      help: 'Requests turned away because their key asked too often.',
      registers,
    });
    this.inFlight = new Gauge({ name: 'sesrec_requests_in_flight', help: 'Requests under way.', registers });
    this.ranking = new Histogram({
      name: 'sesrec_ranking_duration_seconds',
      help: 'Time to make a list, without HTTP.',
      labelNames: ['source'],
      buckets: SECONDS,
      registers,
    });
    this.flush = new Histogram({
      name: 'sesrec_store_flush_seconds',
      help: 'Time to flush writes to the disk.',
      buckets: SECONDS,
      registers,
    });
    this.flushed = new Counter({ name: 'sesrec_store_writes_total', help: 'Writes that were flushed.', registers });
    this.storeUp = new Gauge({ name: 'sesrec_store_up', help: '1 while the live store answers.', registers });
    this.storeUp.set(1);
    this.streamMessages = new Counter({
      name: 'sesrec_stream_messages_total',
      help: 'Messages of the stream of events, by what became of them.',
      labelNames: ['result'],
      registers,
    });
    this.streamPending = new Gauge({
      name: 'sesrec_stream_pending',
      help: 'Messages of the stream that were still to come when the last batch came.',
      registers,
    });
    this.modelInfo = new Gauge({
      name: 'sesrec_model_info',
      help: '1 for the model that answers.',
      labelNames: ['name', 'version'],
      registers,
    });
  }
}
