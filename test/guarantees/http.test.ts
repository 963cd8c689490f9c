/**
 * Requests made from the OpenAPI document, for every route in it: valid ones, and ones that are damaged in one place. None gets a status of 500 or above, none hangs, and every
 * answer is one that the document names. A new route is attacked because it is in the document.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { type Engine, openEngine } from '../../src/online/index.js';
import { tinyWorld } from '../support/command-line.js';
import { PlainEngine } from '../support/plain-engine.js';
import { type Served, ask, serve } from '../support/serving.js';
import { FUZZ_CASES, IS_SOAK, SEED, inSoak } from '../support/soak.js';

interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema: Schema }[];
  readonly requestBody?: { content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Readonly<Record<string, unknown>>;
}
interface Target extends Operation {
  readonly path: string;
  readonly method: string;
}

/** Texts that have broken servers. */
const strangeText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
    '\u202e',
    '../../etc/passwd',
    '%00',
    '9'.repeat(400),
    'http://127.0.0.1:1/',
    '-0',
    '1e999',
  ),
);
const strange = fc.oneof(
  strangeText,
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(null, true, -1, 0.5, 1e308, -1e308, 2 ** 53, [], {}, [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]),
);
/** Ids that a run or an earlier request may know. */
const known = fc.constantFrom('u1', 'u2', 'i1', 'i2', 'e1', 'e2', 'run', 'other', 'category');

/** Values that a schema allows, mostly. */
function valid(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map(valid));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'object' || schema.properties) {
    const { properties = {}, required = [], additionalProperties, patternProperties } = schema;
    const own = fc.record(Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, valid(one)])), {
      requiredKeys: required.filter((name) => Object.hasOwn(properties, name)),
    });
    const [pattern] = Object.values(patternProperties ?? {});
    const others = typeof additionalProperties === 'object' ? additionalProperties : pattern;
    if (!others) return own;
    return fc
      .tuple(fc.dictionary(known, valid(others), { maxKeys: 3 }), own)
      .map(([more, kept]) => ({ ...more, ...kept }));
  }
  if (type === 'array')
    return fc.array(valid(schema.items ?? {}), {
      minLength: schema.minItems ?? 0,
      maxLength: Math.max(schema.minItems ?? 0, Math.min(schema.maxItems ?? 4, 4)),
    });
  if (type === 'integer') return fc.integer({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9 });
  if (type === 'number') return fc.double({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9, noNaN: true });
  if (type === 'boolean') return fc.boolean();
  if (type === 'null') return fc.constant(null);
  if (type === 'string')
    return fc.oneof(
      { weight: 3, arbitrary: known },
      {
        weight: 1,
        arbitrary: fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 40, 300) }),
      },
      { weight: 1, arbitrary: strangeText },
      { weight: 1, arbitrary: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()) },
    );
  return strange;
}

/** A value with one place in it exchanged for something strange, or one more field. */
function damaged(value: unknown, place: number, other: unknown): unknown {
  let left = place;
  const walk = (inner: unknown): unknown => {
    if (left-- === 0) return other;
    if (Array.isArray(inner)) return inner.map(walk);
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries([
      ...Object.entries(inner).map(([key, one]) => [key, walk(one)] as const),
      ...(left-- === 0 ? [['surprise', other] as const] : []),
    ]);
  };
  return walk(value);
}

interface Attack {
  readonly values: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly place: number;
  readonly other: unknown;
  readonly isText: boolean;
}

function attacks({ parameters = [], requestBody }: Target): fc.Arbitrary<Attack> {
  const [content] = Object.values(requestBody?.content ?? {});
  return fc.record({
    values: fc.record(
      Object.fromEntries(parameters.map(({ name, schema }) => [name, fc.oneof(valid(schema), strangeText)])),
      { requiredKeys: parameters.flatMap(({ name, required }) => (required ? [name] : [])) },
    ),
    body: content ? valid(content.schema) : fc.constant(undefined),
    place: fc.oneof(fc.constant(1e9), fc.nat(25)), // half of them are left as they are
    other: strange,
    isText: fc.boolean(),
  });
}

/** Header values can hold these only. */
const isHeader = (text: string): boolean => /^[\x20-\x7e]+$/.test(text) && text.trim() !== '';

async function attack(
  { server }: Served,
  target: Target,
  { values, body, place, other, isText }: Attack,
): Promise<void> {
  const { path, method, parameters = [], responses, operationId } = target;
  let url = path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const { name, in: where } of parameters) {
    if (!Object.hasOwn(values, name)) continue;
    const value = String(values[name]);
    if (where === 'path') {
      if (Buffer.from(value).toString() !== value) return; // half a character has no percent-encoding
      url = url.replace(`{${name}}`, encodeURIComponent(value));
    } else if (where === 'query') query.set(name, value);
    else if (isHeader(value)) headers[name] = value;
  }
  if (url.includes('//') || /\/(\.|%2e){1,2}(\/|$)/i.test(url)) return; // the client itself would ask for something else
  const sent = body === undefined ? undefined : damaged(body, place, other);
  const { status, json } = await Promise.race([
    ask(
      `${server.url}${url}?${query}`,
      method.toUpperCase(),
      isText && sent !== undefined ? JSON.stringify(sent) : sent,
      {
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    ),
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`${operationId} hangs`)), 60_000).unref()),
  ]);
  assert.ok(status < 500 || status === 503, `${operationId}: ${status} ${JSON.stringify(json)}`);
  assert.notEqual(json, null, operationId);
  // 400, 404 and 414 are answers to a request that meets no route
  assert.ok(
    Object.hasOwn(responses, String(status)) || [400, 404, 414].includes(status),
    `${operationId} answers ${status}, which is not in the document`,
  );
}

async function targetsOf(served: Served): Promise<Target[]> {
  const { json } = await served.ask('GET', '/openapi.json');
  return Object.entries(json.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })),
  );
}

let folder: string;
let run: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-http-'));
  ({ run } = await tinyWorld(folder, 1));
});
after(async () => rm(folder, { recursive: true, force: true }));

async function campaign(engine: Engine, cases: (target: Target) => number): Promise<void> {
  await using served = await serve(engine, { logLevel: 'error' });
  const targets = await targetsOf(served);
  assert.ok(targets.length >= 12);
  for (const target of targets)
    await fc.assert(
      fc.asyncProperty(attacks(target), async (one) => attack(served, target, one)),
      { numRuns: cases(target), seed: SEED, endOnFailure: !IS_SOAK },
    );
  assert.deepEqual(served.log, [], 'no bug was logged');
  const { status } = await served.ask('POST', '/v1/recommendations', { user: 'u1' });
  assert.equal(status, 200, 'and it goes on');
}

const DAILY = Math.round(FUZZ_CASES / (IS_SOAK ? 10 : 20));

test(`every route, ${DAILY} requests each, without a model`, async () => {
  await campaign(new PlainEngine(), () => DAILY);
});

test('every route, with a model and a store behind the door', async () => {
  const engine = await openEngine({ run, store: join(folder, 'store'), threads: 1 });
  const before = process.memoryUsage().rss;
  // activating loads a run each time, and reasons are hundreds of runs
  await campaign(engine, ({ operationId }) =>
    inSoak(operationId === 'activateModel' ? 5 : 40, operationId === 'activateModel' ? 200 : 2000),
  );
  assert.ok(process.memoryUsage().rss - before < 2 ** 30, 'memory stays bounded');
});
