/**
 * Schemas to checks. Knows Ajv and which part of a request may be converted; does not know any one schema.
 *
 * Bodies are taken as they are: a number that comes as text is a mistake. What comes in a path, a query or a header is always text,
 * and is converted.
 */
import { Ajv } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { UnreadableLine } from './bodies.js';
import { RequestProblem, flawsOf } from './problems.js';
import type { Flaw, Rejection } from './schemas/index.js';

/** Checks are compiled while a server starts: to make them shorter takes longer than they will ever save. */
const ALIKE = { useDefaults: true, code: { optimize: false } };
const strictly = new Ajv({ ...ALIKE, discriminator: true });
const converting = new Ajv({ ...ALIKE, coerceTypes: true });

export const compileChecks: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? strictly : converting).compile(schema);

/** A check of a value by a schema, for what Fastify does not check itself. */
export function checkOf<Schema extends TSchema>(schema: Schema): (value: unknown) => Flaw[] | Static<Schema> {
  const check = strictly.compile<Static<Schema>>(schema);
  return (value) => (check(value) ? value : flawsOf(check.errors ?? []));
}

/** Whatever comes; what a batch holds is checked one by one, so that one mistake does not cost the others. */
export const compileBatchChecks: FastifySchemaCompiler<TSchema> = (route) =>
  route.httpPart === 'body' ? () => true : compileChecks(route);

/** The sound ones of a batch with their places, and why the others are not. */
export interface Sorted<Value> {
  readonly sound: { readonly index: number; readonly value: Value }[];
  readonly rejected: Rejection[];
}

/** Checks a batch one by one. Refuses a body that is no list, or a longer one than `most`. */
export function sortBatch<Value extends object>(
  body: unknown,
  check: (value: unknown) => Flaw[] | Value,
  most: number,
): Sorted<Value> {
  if (!Array.isArray(body))
    throw new RequestProblem('invalid', 'The body must be a list: a JSON array, or one JSON document a line.', {
      errors: [{ pointer: '', message: 'must be array' }],
    });
  if (body.length > most)
    throw new RequestProblem(
      'too_large',
      `${body.length} at once: at most ${most} are taken, so send several batches.`,
    );
  const [sound, rejected]: [Sorted<Value>['sound'], Rejection[]] = [[], []];
  for (const [index, value] of (body as unknown[]).entries()) {
    if (value instanceof UnreadableLine) {
      rejected.push({ index, code: 'malformed', pointer: '', message: value.message });
      continue;
    }
    const found = check(value);
    if (Array.isArray(found)) {
      const [{ pointer, message } = { pointer: '', message: 'is not valid' }] = found;
      rejected.push({ index, code: 'invalid', pointer, message });
    } else sound.push({ index, value: found });
  }
  return { sound, rejected };
}
