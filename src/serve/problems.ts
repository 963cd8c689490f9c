/**
 * Errors as RFC 9457 has them. Knows which status and code belong to what, and how a failed check of a schema is told; does not
 * know routes.
 */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorObject } from 'ajv';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { InterruptedError, UserError, messageOf } from '../base/index.js';
import { StoreAwayError } from '../online/index.js';
import { type Flaw, PRINTABLE, type Problem, WHOLE_TEXT } from './schemas/index.js';

/** What can go wrong between a client and us; the words are part of the interface. */
const KINDS = {
  malformed: [400, 'The request is malformed'],
  unauthenticated: [401, 'A key is needed'],
  forbidden: [403, 'This key may not do that'],
  not_found: [404, 'There is no such thing'],
  too_slow: [408, 'The request did not come in time'],
  in_progress: [409, 'The same request is still under way'],
  too_large: [413, 'The request is too large'],
  unsupported_media_type: [415, 'This type of content is not understood'],
  invalid: [422, 'The request is not valid'],
  too_many: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  internal: [500, 'Something went wrong on our side'],
  not_ready: [503, 'Not ready'],
  overloaded: [503, 'Too much to do'],
  store_away: [503, 'The live store does not answer'],
  deadline: [504, 'No answer in time'],
} as const;
export type ProblemCode = keyof typeof KINDS;

export interface ProblemDetails {
  readonly errors?: readonly Flaw[];
  /** Seconds after which the same may be asked again. */
  readonly retryAfter?: number;
}

/** A problem of a request. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem';
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, detail: string, details: ProblemDetails = {}) {
    super(detail);
    this.code = code;
    this.details = details;
  }
}

/** What Fastify's own errors are. */
const OF_FASTIFY: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

/** Makes every error of a server a problem. Bugs are logged with their stack and told without. */
export function tellProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => sendProblem(problemOf(error), request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      new RequestProblem('not_found', 'There is no such path for this method; see /openapi.json.'),
      request,
      reply,
    ),
  );
}

export function problemOf(error: unknown): RequestProblem | Error {
  if (error instanceof RequestProblem) return error;
  if (error instanceof InterruptedError || (error instanceof Error && error.name === 'AbortError'))
    return new RequestProblem('deadline', 'There was no answer in time.', { retryAfter: 1 });
  if (error instanceof StoreAwayError)
    return new RequestProblem('store_away', 'The live store does not answer: send the same again.', { retryAfter: 1 });
  if (error instanceof UserError) return new RequestProblem('invalid', error.message);
  if (!(error instanceof Error)) return new Error(messageOf(error));
  const { validation, code, statusCode } = error as Error & {
    readonly validation?: ErrorObject[];
    readonly code?: string;
    readonly statusCode?: number;
  };
  if (validation) {
    const errors = flawsOf(validation);
    const [first] = errors;
    return new RequestProblem(
      'invalid',
      first ? `${first.pointer || 'the request'}: ${first.message}` : error.message,
      {
        errors,
      },
    );
  }
  const known = code === undefined ? undefined : OF_FASTIFY[code];
  if (known) return new RequestProblem(known, error.message);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new RequestProblem('malformed', error.message);
  return error;
}

export async function sendProblem(
  error: RequestProblem | Error,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const isOurs = error instanceof RequestProblem;
  if (!isOurs) request.log.error({ err: error }, 'bug');
  const code = isOurs ? error.code : 'internal';
  const details = isOurs ? error.details : {};
  const detail = isOurs ? error.message : 'A bug; the log of the server has it under this request id.';
  const problem: Problem = {
    ...told(code, detail, request.id),
    ...(details.errors ? { errors: [...details.errors] } : {}),
  };
  const { status } = problem;
  if (details.retryAfter !== undefined) reply.header('Retry-After', String(details.retryAfter));
  reply.header('X-Request-Id', request.id);
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
  await reply.code(status).type(PROBLEM_JSON).send(JSON.stringify(problem));
}

const PROBLEM_JSON = 'application/problem+json';

function told(code: ProblemCode, detail: string, id: string): Problem {
  const [status, title] = KINDS[code];
  return { type: `https://sesrec.dev/problems/${code}`, title, status, detail, code, request_id: id };
}

/** Answers what never became a request, for Node could not read it, and ends the connection: where a request would begin is not known. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const id = randomUUID();
    const problem = unreadable(error, id);
    const body = JSON.stringify(problem);
    const lines = [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      `Content-Type: ${PROBLEM_JSON}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${id}`,
      'Connection: close',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}

function unreadable({ code }: NodeJS.ErrnoException, id: string): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return told('too_slow', 'The whole request did not come in time: send it again.', id);
  if (code === 'HPE_HEADER_OVERFLOW')
    return told('headers_too_large', 'Path and headers are more than this server reads.', id);
  return told('malformed', 'This is not HTTP/1.1 as RFC 9112 has it.', id);
}

/** Most flaws that one answer tells. */
const MOST_FLAWS = 20;

/** What Ajv found, told. A choice between forms says only that none of them fits: what is wrong with each is told before, but of a time, which form it may have. */
export function flawsOf(errors: readonly ErrorObject[]): Flaw[] {
  const told = errors.filter(({ keyword, schemaPath }) =>
    schemaPath.includes(OF_TIME) ? keyword === 'anyOf' : keyword !== 'anyOf' || errors.length === 1,
  );
  return told.slice(0, MOST_FLAWS).map(flawOf);
}

/** Where a schema says `Time`: not of an attribute that somebody calls time. */
const OF_TIME = '/properties/time/anyOf';
const TIME = 'must be milliseconds since 1970, or ISO 8601 text such as 2026-11-30T10:00:00Z';

const UNKNOWN_FIELD = 'has the unknown field';
/** Why something is refused, as a log may have it: the name of a field that nobody knows may be anything, also somebody's address. */
export const withoutContent = (reason: string): string =>
  reason.includes(UNKNOWN_FIELD) ? reason.slice(0, reason.indexOf(UNKNOWN_FIELD)) + 'has an unknown field' : reason;

const flawOf = ({ instancePath, keyword, message = 'is not valid', params, schemaPath }: ErrorObject): Flaw => {
  if (schemaPath.endsWith(OF_TIME)) return { pointer: instancePath, message: TIME };
  if (keyword === 'discriminator') return { pointer: `${instancePath}/type`, message: 'is none of the known types' };
  if (keyword === 'additionalProperties') {
    const name = JSON.stringify(String(params['additionalProperty']).slice(0, 80));
    return { pointer: instancePath, message: `${UNKNOWN_FIELD} ${name}` };
  }
  if (keyword === 'enum')
    return { pointer: instancePath, message: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}` };
  if (keyword === 'pattern')
    return {
      pointer: instancePath,
      message: [PRINTABLE, WHOLE_TEXT].includes(params['pattern'] as string)
        ? 'is blank, or has characters that it must not have'
        : `must have the form ${params['pattern']}`,
    };
  return { pointer: instancePath, message };
};
