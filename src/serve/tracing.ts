/**
 * Spans of requests for OpenTelemetry. Knows its interface, which does nothing until an SDK is registered that sends spans somewhere. Does not know
 * routes: a span has a route, a method, a status and what ranked, never an id, a path or a body.
 */
import { type Span, SpanKind, SpanStatusCode, context, propagation, trace as spans } from '@opentelemetry/api';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    span: Span | null;
  }
}

/** Adds spans to a server. */
export function trace(app: FastifyInstance): void {
  const tracer = spans.getTracer('sesrec');
  app.decorateRequest('span', null);
  app.addHook('onRequest', async (request) => {
    const { method, routeOptions, headers } = request;
    const route = routeOptions.url ?? 'none';
    request.span = tracer.startSpan(
      `${method} ${route}`,
      { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': route } },
      propagation.extract(context.active(), headers),
    );
  });
  app.addHook('onResponse', async ({ span, source }, { statusCode }) => {
    if (!span) return;
    span.setAttribute('http.response.status_code', statusCode);
    if (source !== null) span.setAttribute('sesrec.source', source);
    if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  });
}
