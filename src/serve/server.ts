/**
 * The public server, without a port yet: routes, the door before them, errors, logs. Knows Fastify; does not know how anything is
 * answered.
 *
 * Logs have a route, a status, a time and a request id, never a path, a body or a key: ids of people are in all three.
 */
import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import { guard } from './access.js';
import { readBodies } from './bodies.js';
import { pageRoutes } from './page.js';
import { problemOf, refuseConnection, sendProblem, tellProblems } from './problems.js';
import { inspectingRoutes } from './routes/inspecting.js';
import { managingRoutes } from './routes/managing.js';
import { recommendingRoutes } from './routes/recommending.js';
import { watchingRoutes } from './routes/watching.js';
import { writingRoutes } from './routes/writing.js';
import { LIMITS, PATHS } from './schemas/index.js';
import type { Service } from './service.js';
import { compileChecks } from './validation.js';

/** Files of the page. */
const ASSETS = '/assets/';
const REQUEST_ID = /^[\w.:-]{1,64}$/;

/** Of every answer, unless its route says otherwise: it is data, for whoever asked, and no page. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

export interface ServerOptions {
  /** The version in the OpenAPI document. */
  readonly version: string;
  /** Where lines of the log go; standard output unless told. */
  readonly logStream?: { write(line: string): void };
}

export async function buildServer(service: Service, { version, logStream }: ServerOptions): Promise<FastifyInstance> {
  const { configuration, metrics } = service;
  const app = Fastify({
    logger: {
      level: configuration.logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      ...(logStream ? { stream: logStream } : {}),
    },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: configuration.bodyLimit,
    requestTimeout: configuration.requestTimeout,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // the door says it, as a problem
    requestIdHeader: false,
    genReqId: ({ headers: { 'x-request-id': given } }) =>
      typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID(),
    http: {
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16_384,
      headersTimeout: Math.min(10_000, configuration.requestTimeout),
    },
    routerOptions: { maxParamLength: 9 * LIMITS.queryLength }, // percent-encoded, three bytes a unit
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => void sendProblem(problemOf(error), request, reply),
  });
  app.server.maxConnections = configuration.mostConnections;
  app.setValidatorCompiler(compileChecks);
  tellProblems(app);
  readBodies(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'sesrec',
        version,
        description: 'Recommendations that follow the next search. See docs/serving.md.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
    },
  });
  const origins = configuration.origins.split(',').map((origin) => origin.trim());
  if (configuration.origins !== '')
    await app.register(cors, {
      origin: origins,
      methods: ['GET', 'POST', 'DELETE'],
      allowedHeaders: ['authorization', 'x-api-key', 'content-type', 'idempotency-key', 'x-request-id'],
      exposedHeaders: ['x-request-id', 'retry-after'],
      maxAge: 600,
    });
  app.decorateRequest('source', null);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-Id', request.id).headers(HEADERS);
  });
  guard(app, service);
  if (configuration.tracing === 'on') (await import('./tracing.js')).trace(app);
  app.addHook('onSend', async (_, reply) => {
    if (service.isDraining) reply.header('Connection', 'close'); // else the connection would outlive what it was for
  });
  app.addHook('onResponse', async (request, reply) => {
    const { url = 'none' } = request.routeOptions;
    const route = url.startsWith(ASSETS) ? `${ASSETS}*` : url; // their names change with every build
    const labels = { route, method: request.method, code: String(reply.statusCode) };
    if (!request.routeOptions.config.isStream) metrics.requests.observe(labels, reply.elapsedTime / 1000);
    request.log.info(
      { route, method: request.method, status: reply.statusCode, ms: Math.round(reply.elapsedTime * 10) / 10 },
      'answered',
    );
  });
  recommendingRoutes(app, service);
  writingRoutes(app, service);
  managingRoutes(app, service);
  inspectingRoutes(app, service);
  watchingRoutes(app, service);
  app.route({
    method: 'GET',
    url: PATHS.openapi,
    config: { scope: null },
    schema: { hide: true },
    handler: async () => app.swagger(),
  });
  if (configuration.page === 'on') await pageRoutes(app);
  await app.ready();
  return app;
}
