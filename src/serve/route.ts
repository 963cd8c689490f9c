/**
 * How a route is said: its schemas, who may call it, what it does. Knows what all routes have in common; does not know any one.
 */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import { NDJSON } from './bodies.js';
import { type Caller, type Scope } from './keys.js';
import { RequestProblem } from './problems.js';
import { Problem } from './schemas/index.js';
import { compileBatchChecks } from './validation.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must allow; null for everybody. */
    scope?: Scope | null;
    /** It lasts as long as somebody watches, which says nothing of how quick the server is. */
    isStream?: boolean;
  }
  interface FastifyRequest {
    caller: Caller | null;
    /** Gives its place to the next one. */
    leave: (() => void) | null;
    /** What an answer came from, for traces. */
    source: string | null;
  }
}

/** A request whose parts are checked already. */
export interface Asked<Body, Params, Query> {
  readonly body: Body;
  readonly params: Params;
  readonly query: Query;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export interface Route<Body extends TSchema, Params extends TObject, Query extends TObject, Answer extends TSchema> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** As Fastify writes it: `/v1/items/:item/similar`. */
  readonly url: string;
  readonly operation: string;
  readonly summary: string;
  readonly tag: string;
  readonly scope: Scope | null;
  readonly body?: Body;
  /** The body is a list whose entries are checked one by one by the handler; JSON lines do as well. */
  readonly isBatch?: boolean;
  readonly params?: Params;
  readonly query?: Query;
  readonly status?: number;
  /** JSON unless told; else the answer is a text, or a stream of it. */
  readonly contentType?: string;
  /** A POST that stores nothing, in spite of its scope. */
  readonly isQuestion?: boolean;
  readonly answer: Answer;
  readonly answerText: string;
  /** Statuses beside the usual ones of the scope and the body. */
  readonly problems?: readonly number[];
  readonly handle: (asked: Asked<Static<Body>, Static<Params>, Static<Query>>) => Promise<Static<Answer> | Readable>;
}

const PROBLEM_TEXTS: Readonly<Record<number, string>> = {
  400: 'Malformed.',
  401: 'No key, or not a known one.',
  403: 'The key may not do that.',
  404: 'There is no such thing.',
  409: 'The same request is still under way.',
  413: 'Too large.',
  415: 'Another type of content.',
  422: 'Well-formed, but not valid.',
  429: 'This key asks too often; see Retry-After.',
  500: 'A bug.',
  503: 'Not ready, shutting down, or too much to do; see Retry-After.',
  504: 'No answer in time.',
};

const JSON_TYPE = 'application/json';

const IdempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'The same request with the same key is done once, and answered alike for a day.',
    }),
  ),
});

/** JSON lines are for batches only. */
async function refuseLines({ headers }: FastifyRequest): Promise<void> {
  if (headers['content-type']?.startsWith(NDJSON))
    throw new RequestProblem('unsupported_media_type', 'This takes one JSON document: send application/json.');
}

/** Adds a route to a server. */
export function addRoute<Body extends TSchema, Params extends TObject, Query extends TObject, Answer extends TSchema>(
  app: FastifyInstance,
  route: Route<Body, Params, Query, Answer>,
): void {
  const { method, url, scope, body, isBatch = false, params, query, status = 200, contentType = JSON_TYPE } = route;
  const isWrite = method !== 'GET' && scope !== 'recommend' && !route.isQuestion;
  const [mediaType] = contentType.split(';') as [string];
  const problems = [
    ...(scope === null ? [] : [401, 403, 429, 503]),
    ...(body ? [400, 413, 415, 422] : []),
    ...(params || query ? [422] : []),
    ...(isWrite ? [409] : []),
    ...(route.problems ?? []),
    500,
  ];
  const json = { schema: body };
  app.route({
    method,
    url,
    config: { scope, isStream: contentType === 'text/event-stream' },
    ...(isBatch ? { validatorCompiler: compileBatchChecks } : { preValidation: refuseLines }),
    schema: {
      operationId: route.operation,
      summary: route.summary,
      tags: [route.tag],
      ...(scope === null ? { security: [] } : { security: [{ bearer: [] }, { apiKey: [] }] }),
      ...(body ? { body: isBatch ? { content: { 'application/json': json, [NDJSON]: json } } : body } : {}),
      ...(params ? { params } : {}),
      ...(query ? { querystring: query } : {}),
      ...(isWrite ? { headers: IdempotencyHeader } : {}),
      response: {
        [status]: { description: route.answerText, content: { [mediaType]: { schema: route.answer } } },
        ...Object.fromEntries(
          [...new Set(problems)].map((code) => [
            code,
            { description: PROBLEM_TEXTS[code], content: { 'application/problem+json': { schema: Problem } } },
          ]),
        ),
      },
    },
    handler: async (request, reply) => {
      const answer = await route.handle({
        body: request.body as Static<Body>,
        params: request.params as Static<Params>,
        query: request.query as Static<Query>,
        request,
        reply,
      });
      return reply.code(status).type(contentType).send(answer);
    },
  });
}
