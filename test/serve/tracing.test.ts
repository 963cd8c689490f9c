/** Spans of requests, by OpenTelemetry's own interface: what they say, and what they never say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attributes, type Span, type SpanContext, propagation, trace } from '@opentelemetry/api';
import { PlainEngine } from '../support/plain-engine.js';
import { serve } from '../support/serving.js';

interface Told {
  readonly name: string;
  readonly attributes: Attributes;
  hasEnded: boolean;
}

test('a span has method, route, status and source, and no id; without it nothing is traced', async () => {
  const told: Told[] = [];
  const carriers: unknown[] = [];
  const spanContext = (): SpanContext => ({
    traceId: '0'.repeat(31) + '1',
    spanId: '0'.repeat(15) + '1',
    traceFlags: 1,
  });
  const started = (name: string, attributes: Attributes = {}): Span => {
    const one: Told = { name, attributes: { ...attributes }, hasEnded: false };
    told.push(one);
    const span: Span = {
      spanContext,
      setAttribute: (key, value) => ((one.attributes[key] = value), span),
      setAttributes: () => span,
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      setStatus: () => span,
      updateName: () => span,
      end: () => void (one.hasEnded = true),
      isRecording: () => true,
      recordException: () => undefined,
    };
    return span;
  };
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan: (name, options) => started(name, options?.attributes),
      startActiveSpan: () => assert.fail('not used'),
    }),
  });
  propagation.setGlobalPropagator({
    inject: () => undefined,
    extract: (context, carrier) => (carriers.push(carrier), context),
    fields: () => ['traceparent'],
  });
  try {
    await using plain = await serve(new PlainEngine());
    await plain.ask('POST', '/v1/recommendations', { user: 'secret' });
    assert.deepEqual(told, []);
    await using served = await serve(new PlainEngine(), { tracing: 'on' });
    await served.ask(
      'POST',
      '/v1/recommendations',
      { user: 'secret' },
      { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` },
    );
    await served.ask('GET', '/v1/users/secret/interests');
    await served.ask('POST', '/v1/recommendations', { k: -1 });
  } finally {
    trace.disable();
    propagation.disable();
  }
  const route = (method: string, path: string, status: number) => ({
    'http.request.method': method,
    'http.route': path,
    'http.response.status_code': status,
  });
  assert.deepEqual(told, [
    {
      name: 'POST /v1/recommendations',
      attributes: { ...route('POST', '/v1/recommendations', 200), 'sesrec.source': 'popular' },
      hasEnded: true,
    },
    {
      name: 'GET /v1/users/:user/interests',
      attributes: route('GET', '/v1/users/:user/interests', 200),
      hasEnded: true,
    },
    { name: 'POST /v1/recommendations', attributes: route('POST', '/v1/recommendations', 422), hasEnded: true },
  ]);
  assert.match((carriers[0] as Record<string, string>)['traceparent'] ?? '', /^00-1{32}/);
});
