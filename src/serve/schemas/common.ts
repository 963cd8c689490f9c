/**
 * What several schemas have in common: ids, texts, attributes, problems. Knows shapes and bounds; does not know routes.
 *
 * A schema is written once: it validates (Ajv), types (TypeScript), documents (OpenAPI) and types the client.
 */
import { type Static, type TObject, type TProperties, type TUnsafe, Type } from 'typebox';
import { LIMITS } from './limits.js';

/** An object of a request: what it does not name is refused, so that a slip of the pen is found. */
export const strict = <Properties extends TProperties>(
  properties: Properties,
  options: { readonly description?: string; readonly title?: string } = {},
): TObject<Properties> => Type.Object(properties, { additionalProperties: false, ...options });

/** One of a few words. */
export const word = <const Words extends readonly string[]>(
  words: Words,
  options: { readonly description?: string; readonly default?: Words[number] } = {},
): TUnsafe<Words[number]> => Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...options });

/**
 * One of several objects that their `type` tells apart: what is wrong with one is told of that one alone.
 */
export const byType = <const Choices extends readonly TObject[]>(
  choices: Choices,
  options: { readonly title: string; readonly description: string },
): TUnsafe<Static<Choices[number]>> =>
  Type.Unsafe<Static<Choices[number]>>({
    type: 'object',
    required: ['type'],
    discriminator: { propertyName: 'type' },
    oneOf: [...choices],
    ...options,
  });

/** Text with something in it that is no control character and no half of a surrogate pair. */
export const PRINTABLE = '^(?=.*\\S)[^\\p{Cs}\\p{Cc}]+$';
export const WHOLE_TEXT = '^\\P{Cs}*$';

export const Id = (description: string) =>
  Type.String({ minLength: 1, maxLength: LIMITS.idLength, pattern: PRINTABLE, description });

export const Text = (description: string, maxLength: number) =>
  Type.String({ maxLength, pattern: WHOLE_TEXT, description });

/** A number of milliseconds since 1970, or ISO 8601 text. */
export const Time = Type.Union(
  [
    Type.Integer({ minimum: 0, maximum: 8.64e15 }),
    Type.String({ minLength: 10, maxLength: 40, pattern: '^\\d{4}-\\d{2}-\\d{2}' }),
  ],
  { description: 'Milliseconds since 1970, or ISO 8601 text (without a zone: UTC).' },
);

const AttributeValue = Type.Union([
  Text('A text.', LIMITS.attributeValueLength),
  Type.Number(),
  Type.Boolean(),
  Type.Null(),
]);

export const Attributes = Type.Record(
  Type.String({ minLength: 1, maxLength: LIMITS.attributeNameLength, pattern: PRINTABLE }),
  Type.Union([AttributeValue, Type.Array(AttributeValue, { maxItems: LIMITS.attributeValues })]),
  {
    maxProperties: LIMITS.attributes,
    additionalProperties: false,
    description: 'Attributes by name: a text, a number, true, false, or a list of these; null takes one away.',
  },
);
export type Attributes = Static<typeof Attributes>;

/** What is wrong with one place of a request. */
export const Flaw = Type.Object({
  pointer: Type.String({ description: 'JSON pointer to the place (RFC 6901); empty for the whole.' }),
  message: Type.String(),
});
export type Flaw = Static<typeof Flaw>;

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'URI of the kind of problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong and what to do.' }),
    code: Type.String({ description: 'The kind of problem as one word that will not change.' }),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(Flaw)),
  },
  { title: 'Problem', description: 'RFC 9457.' },
);
export type Problem = Static<typeof Problem>;

export const ModelName = Type.Object({
  name: Type.String(),
  version: Type.String({ description: 'SHA-256 of the parameters.' }),
});
