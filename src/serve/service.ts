/** What routes share: the engine, what is counted, and the wishes of whoever runs the server. Knows no route. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Configuration } from './configuration.js';
import type { Engine } from '../online/index.js';
import type { Experiments } from './experiments.js';
import type { Idempotency } from './idempotency.js';
import type { Keys } from './keys.js';
import type { Metrics } from './metrics.js';
import type { Operations } from './operations.js';
import { RequestProblem } from './problems.js';

export interface Service {
  /** Null while it is being opened. */
  engine: Engine | null;
  /** Null where events come over HTTP alone. */
  intake: { trouble(): string | null; close(): Promise<void> } | null;
  readonly configuration: Configuration;
  readonly keys: Keys;
  readonly metrics: Metrics;
  readonly idempotency: Idempotency;
  readonly experiments: Experiments;
  readonly operations: Operations;
  /** Of sesrec. */
  readonly version: string;
  /** Set when the server is told to end. */
  isDraining: boolean;
}

/** The engine; a problem while there is none. The door lets nobody in before, so that this is for those who came in. */
export function engineOf({ engine }: Service): Engine {
  if (!engine) throw new RequestProblem('not_ready', LOADING, { retryAfter: 1 });
  return engine;
}

const LOADING = 'loading the model';

/** Null when it can answer; else what it waits for. */
export const notReady = ({ engine }: Service): string | null => (engine ? engine.notReady() : LOADING);

/** What is wrong although it answers. */
export function troublesOf(service: Service): string[] {
  const trouble = service.intake?.trouble() ?? null;
  return [...engineOf(service).troubles(), ...(trouble === null ? [] : [trouble])];
}

/** Does a write once for an Idempotency-Key. Keys of different callers and routes have nothing in common. */
export async function writeOnce<Answer>(
  { idempotency }: Service,
  request: FastifyRequest,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const given = request.headers['idempotency-key'];
  const key =
    typeof given === 'string'
      ? JSON.stringify([request.caller?.name, request.method, request.routeOptions.url, given])
      : null;
  return idempotency.once(key, [request.params, request.body], work);
}

/** Aborts when whoever asked has gone or will wait no longer. Leaves nothing behind when the answer is out. */
export function patienceOf({ raw }: FastifyReply, milliseconds: number): AbortSignal {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), milliseconds);
  raw.once('close', () => {
    clearTimeout(late);
    stop.abort();
  });
  return stop.signal;
}
