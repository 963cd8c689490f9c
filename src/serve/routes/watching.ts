/** Routes for whoever watches a server and its trainings: experiments, the health of the data, operations. Knows paths and bounds. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { basename } from 'node:path';
import { type Experiments, watch } from '../experiments.js';
import { RequestProblem } from '../problems.js';
import { addRoute } from '../route.js';
import {
  DataHealthAnswer,
  ExperimentAnswer,
  ExperimentName,
  ExperimentsAnswer,
  LIMITS,
  OperationsAnswer,
  PATHS,
} from '../schemas/index.js';
import { type Service, engineOf, patienceOf } from '../service.js';

/** A report takes a while: it ranks. */
const REPORT_MILLISECONDS = 600_000;
/** Whoever watches shares what was read so long ago. */
const FRESH_MILLISECONDS = 500;

export function watchingRoutes(app: FastifyInstance, service: Service): void {
  const { experiments } = service;
  const params = Type.Object({ name: ExperimentName });
  addRoute(app, {
    method: 'GET',
    url: PATHS.experiments,
    operation: 'listExperiments',
    summary: 'Runs and comparisons in the directory of runs',
    tag: 'experiments',
    scope: 'admin',
    answer: ExperimentsAnswer,
    answerText: 'Each with its state and its chief figures.',
    handle: async () => experiments.list(),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/experiments/:name',
    operation: 'experiment',
    summary: 'A run or a comparison: learning curves, settings, results',
    tag: 'experiments',
    scope: 'admin',
    params,
    answer: ExperimentAnswer,
    answerText: 'What its files say.',
    problems: [404],
    handle: async ({ params: { name } }) => (await experiments.one(name)) ?? missing(),
  });
  const shared = fresh(experiments);
  let watched = 0;
  addRoute(app, {
    method: 'GET',
    url: '/v1/experiments/:name/live',
    operation: 'watchExperiment',
    summary: 'A training as it goes: server-sent events',
    tag: 'experiments',
    scope: 'admin',
    params,
    answer: Type.String(),
    contentType: 'text/event-stream',
    answerText:
      '`epoch` (LiveEpoch) for every epoch, those that ended before first; `state` (LiveState) when that changes; `end` with the training.',
    problems: [404],
    handle: async ({ params: { name }, reply }) => {
      if (!(await shared.progress(name))) missing();
      if (watched >= LIMITS.watched)
        throw new RequestProblem('overloaded', 'Too many trainings are watched at once.', { retryAfter: 10 });
      const gone = new AbortController();
      watched++;
      reply.raw.once('close', () => {
        watched--;
        gone.abort();
      });
      // a connection that lasted is not used again, else a server that ends would wait for it
      reply.header('Connection', 'close').header('X-Accel-Buffering', 'no');
      const isOver = (): boolean => service.isDraining;
      return Readable.from(watch(shared, name, { signal: gone.signal, isOver }), { objectMode: false });
    },
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/experiments/:name/report',
    operation: 'experimentReport',
    summary: 'The report of a run or a comparison, as sesrec report makes it, without anybody’s timeline',
    tag: 'experiments',
    scope: 'admin',
    params,
    answer: Type.String(),
    contentType: 'text/html; charset=utf-8',
    answerText: 'A page of HTML that stands alone.',
    problems: [404, 422, 504],
    handle: async ({ params: { name }, reply }) => {
      const late = patienceOf(reply, REPORT_MILLISECONDS);
      const report = await Promise.race([experiments.report(name), ended(late)]);
      if (report === null) missing();
      reply.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
      return report;
    },
  });
  addRoute(app, {
    method: 'GET',
    url: PATHS.dataHealth,
    operation: 'dataHealth',
    summary: 'What sesrec check finds in the data of the model that answers',
    tag: 'operations',
    scope: 'admin',
    answer: DataHealthAnswer,
    answerText: 'The findings, or that they are being worked out.',
    handle: async () => engineOf(service).inspection.dataHealth(),
  });
  addRoute(app, {
    method: 'GET',
    url: PATHS.operations,
    operation: 'operations',
    summary: 'How the server does, now and in the last minutes',
    tag: 'operations',
    scope: 'admin',
    answer: OperationsAnswer,
    answerText: 'From the same numbers that Prometheus reads.',
    handle: async () => ({
      ...(await service.operations.told()),
      version: service.version,
      most_in_flight: service.configuration.mostInFlight,
      models: (await engineOf(service).models()).map(({ run, ...model }) => ({ ...model, run: basename(run) })),
    }),
  });
}

function missing(): never {
  throw new RequestProblem('not_found', 'There is no run or comparison of this name.');
}

async function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new RequestProblem('deadline', 'There was no report in time.', { retryAfter: 10 }));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

/** The same, read once for all who ask at about the same time. */
function fresh(experiments: Experiments): Pick<Experiments, 'progress'> {
  const known = new Map<string, { readonly at: number; readonly progress: ReturnType<Experiments['progress']> }>();
  return {
    progress: async (name) => {
      const now = performance.now();
      for (const [other, { at }] of known) if (now - at > FRESH_MILLISECONDS) known.delete(other);
      const found = known.get(name) ?? { at: now, progress: experiments.progress(name) };
      known.set(name, found);
      return found.progress;
    },
  };
}
