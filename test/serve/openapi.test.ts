/** The OpenAPI document: valid, and true of what the server does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { PlainEngine } from '../support/plain-engine.js';
import { serve } from '../support/serving.js';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content: Record<string, { readonly schema: object }> }
  >;
}

test('is valid OpenAPI 3.1 and says everything of every route', async () => {
  await using served = await serve(new PlainEngine());
  const { json: document } = await served.ask('GET', '/openapi.json');
  const found = await new Validator().validate(document);
  assert.ok(found.valid, JSON.stringify(found.errors));
  assert.equal(document.openapi, '3.1.0');
  const operations = Object.values(document.paths as Record<string, Record<string, Operation>>).flatMap(
    Object.values,
  ) as Operation[];
  assert.ok(operations.length >= 12);
  for (const { operationId, summary, security, responses } of operations) {
    assert.ok(summary, operationId);
    assert.ok(security, operationId);
    assert.ok(
      Object.keys(responses).some((status) => status.startsWith('2')),
      operationId,
    );
    assert.ok(responses['500']?.content['application/problem+json'], operationId);
    if (security.length > 0) assert.ok(responses['401'] && responses['403'], operationId);
  }
});

test('its schemas take the answers that the server gives, problems too', async () => {
  const engine = new PlainEngine();
  await using served = await serve(engine);
  const { json: document } = await served.ask('GET', '/openapi.json');
  const ajv = new Ajv({ strict: false });
  const calls: readonly [method: string, path: string, template: string, body?: unknown][] = [
    ['POST', '/v1/items', '/v1/items', [{ item: 'i1', fields: { price: 1 } }, { item: 'i2' }, { item: '' }]],
    ['POST', '/v1/users', '/v1/users', [{ user: 'u1' }]],
    ['POST', '/v1/events', '/v1/events', [{ type: 'view', user: 'u1', item: 'i1' }, {}]],
    ['POST', '/v1/recommendations', '/v1/recommendations', { user: 'u1' }],
    ['POST', '/v1/recommendations', '/v1/recommendations', { k: 0 }],
    ['GET', '/v1/items/i1/similar', '/v1/items/{item}/similar'],
    ['GET', '/v1/items/i9/similar', '/v1/items/{item}/similar'],
    ['GET', '/v1/users/u1/interests', '/v1/users/{user}/interests'],
    ['DELETE', '/v1/users/u1', '/v1/users/{user}'],
    ['GET', '/v1/models', '/v1/models'],
    ['POST', '/v1/models/activate', '/v1/models/activate', { run: 'b' }],
    ['POST', '/v1/models/rollback', '/v1/models/rollback'],
    ['DELETE', '/v1/models/shadow', '/v1/models/shadow'],
    ['GET', '/v1/people?search=u', '/v1/people'],
    ['POST', '/v1/what-if', '/v1/what-if', { user: 'u1', k: 3 }],
    ['POST', '/v1/what-if', '/v1/what-if', { without: [7] }],
    ['GET', '/v1/catalogue/items?limit=1', '/v1/catalogue/items'],
    ['GET', '/v1/catalogue/items/i1', '/v1/catalogue/items/{item}'],
    ['GET', '/v1/catalogue/items/none', '/v1/catalogue/items/{item}'],
    ['GET', '/v1/catalogue/queries', '/v1/catalogue/queries'],
    ['GET', '/v1/catalogue/queries/none', '/v1/catalogue/queries/{query}'],
    ['GET', '/v1/experiments', '/v1/experiments'],
    ['GET', '/v1/experiments/none', '/v1/experiments/{name}'],
    ['GET', '/v1/experiments/.hidden', '/v1/experiments/{name}'],
    ['GET', '/v1/experiments/none/live', '/v1/experiments/{name}/live'],
    ['GET', '/v1/experiments/none/report', '/v1/experiments/{name}/report'],
    ['GET', '/v1/data-health', '/v1/data-health'],
    ['GET', '/v1/operations', '/v1/operations'],
    ['GET', '/health/live', '/health/live'],
    ['GET', '/health/ready', '/health/ready'],
  ];
  for (const [method, path, template, body] of calls) {
    const { status, headers, json } = await served.ask(method, path, body);
    const operation = document.paths[template][method.toLowerCase()] as Operation;
    const type = (headers.get('content-type') ?? '').split(';')[0] ?? '';
    const schema = operation.responses[String(status)]?.content[type]?.schema;
    assert.ok(schema, `${method} ${template} does not tell of ${status} ${type}`);
    const check = ajv.compile(schema);
    assert.ok(check(json), `${method} ${template}: ${JSON.stringify(check.errors)}`);
  }
});
