/** Items, users and models over HTTP. Knows fields and bounds; does not know where they are kept. */
import { type Static, Type } from 'typebox';
import { Attributes, Id, strict, word } from './common.js';
import { Rejection } from './events.js';
import { LIMITS } from './limits.js';

export const ItemUpsert = strict({ item: Id('Item.'), fields: Type.Optional(Attributes) }, { title: 'ItemUpsert' });
export type ItemUpsert = Static<typeof ItemUpsert>;

export const UserUpsert = strict({ user: Id('User.'), fields: Type.Optional(Attributes) }, { title: 'UserUpsert' });
export type UserUpsert = Static<typeof UserUpsert>;

export const ItemUpserts = Type.Array(ItemUpsert, { maxItems: LIMITS.upserts });
export const UserUpserts = Type.Array(UserUpsert, { maxItems: LIMITS.upserts });

export const UpsertAnswer = Type.Object(
  { accepted: Type.Integer({ minimum: 0 }), rejected: Type.Array(Rejection) },
  { title: 'UpsertAnswer', description: 'What became of a batch, once it is on disk.' },
);
export type UpsertAnswer = Static<typeof UpsertAnswer>;

export const EraseAnswer = Type.Object(
  {
    erased: Type.Boolean({ description: 'Whether anything was stored of the user.' }),
    events: Type.Integer({ minimum: 0 }),
  },
  { title: 'EraseAnswer' },
);
export type EraseAnswer = Static<typeof EraseAnswer>;

export const ModelEntry = Type.Object({
  name: Type.String(),
  version: Type.String(),
  state: word(['active', 'previous', 'shadow']),
  run: Type.String({ description: 'What to activate it by.' }),
});
export type ModelEntry = Static<typeof ModelEntry>;

export const ModelsAnswer = Type.Object({ models: Type.Array(ModelEntry) }, { title: 'ModelsAnswer' });
export type ModelsAnswer = Static<typeof ModelsAnswer>;

export const ActivateRequest = strict(
  {
    run: Type.String({
      minLength: 1,
      maxLength: LIMITS.idLength,
      pattern: '^(?!\\.)[\\w.-]+$',
      description: 'The name of a run in the directory of runs that the server was given.',
    }),
    shadow: Type.Optional(
      Type.Boolean({ default: false, description: 'Rank beside the active model and log, without answering.' }),
    ),
  },
  { title: 'ActivateRequest' },
);
export type ActivateRequest = Static<typeof ActivateRequest>;

export const HealthAnswer = Type.Object(
  {
    status: word(['live', 'ready', 'impaired'], {
      description: 'Impaired: it answers, with less than it should have; `troubles` say what.',
    }),
    troubles: Type.Optional(Type.Array(Type.String())),
  },
  { title: 'HealthAnswer' },
);
export type HealthAnswer = Static<typeof HealthAnswer>;
