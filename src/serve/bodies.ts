/**
 * Bytes of a body to values. Knows JSON, JSON lines, UTF-8 and nesting; does not know schemas.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestProblem } from './problems.js';
import { LIMITS } from './schemas/index.js';

export const NDJSON = 'application/x-ndjson';

/** A line that could not be read, in its place. */
export class UnreadableLine {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Reads bodies; whatever is no JSON is a problem. Half a character, `__proto__` and depth are refused before anything is made of them. */
export function readBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  const read = (request: FastifyRequest, text: string): unknown => {
    if (depthOf(text) > LIMITS.depth)
      throw new RequestProblem('malformed', `The JSON is nested deeper than ${LIMITS.depth} levels.`);
    let value: unknown;
    // the parser of Fastify answers at once
    void parse(request, text, (error, parsed) => {
      if (error)
        throw new RequestProblem(
          'malformed',
          'The body is not valid JSON, or has a field such as "__proto__", which is refused.',
        );
      value = parsed;
    });
    return value;
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    body.length === 0 ? undefined : read(request, textOf(body)),
  );
  app.addContentTypeParser(NDJSON, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    textOf(body)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => {
        try {
          return read(request, line);
        } catch (error) {
          if (error instanceof RequestProblem) return new UnreadableLine(error.message);
          throw error;
        }
      }),
  );
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new RequestProblem('malformed', 'The body is not valid UTF-8.');
  }
}

/** How deep the brackets outside of texts go. */
export function depthOf(json: string): number {
  let [depth, deepest, isText] = [0, 0, false];
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (isText) {
      if (code === 92) i++;
      else if (code === 34) isText = false;
    } else if (code === 34) isText = true;
    else if (code === 91 || code === 123) deepest = Math.max(deepest, ++depth);
    else if (code === 93 || code === 125) depth--;
  }
  return deepest;
}
