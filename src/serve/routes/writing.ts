/** Routes that store: events, items, users; and that erase somebody. Knows batches; does not know where anything is kept. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { addRoute } from '../route.js';
import {
  EraseAnswer,
  Events,
  EventsAnswer,
  Id,
  ItemUpsert,
  ItemUpserts,
  LIMITS,
  PATHS,
  type Rejection,
  UpsertAnswer,
  UserUpsert,
  UserUpserts,
} from '../schemas/index.js';
import { type Service, engineOf, writeOnce } from '../service.js';
import { inOrder, takeEvents } from '../taking-events.js';
import { checkOf, sortBatch } from '../validation.js';

export function writingRoutes(app: FastifyInstance, service: Service): void {
  addRoute(app, {
    method: 'POST',
    url: PATHS.events,
    operation: 'sendEvents',
    summary: 'Store what people did: searches, clicks, actions',
    tag: 'events',
    scope: 'events',
    body: Events,
    isBatch: true,
    status: 202,
    answer: EventsAnswer,
    answerText: 'Accepted events are on disk, and the next recommendation sees them.',
    handle: async ({ body, request }) => writeOnce(service, request, async () => takeEvents(service, body)),
  });
  const checkItem = checkOf(ItemUpsert);
  addRoute(app, {
    method: 'POST',
    url: PATHS.items,
    operation: 'upsertItems',
    summary: 'Store items and their attributes, new or known',
    tag: 'catalogue',
    scope: 'catalogue',
    body: ItemUpserts,
    isBatch: true,
    answer: UpsertAnswer,
    answerText: 'Accepted items are on disk.',
    handle: async ({ body, request }) =>
      writeOnce(service, request, async () =>
        upserted(sortBatch(body, checkItem, LIMITS.upserts), (items) => engineOf(service).upsertItems(items)),
      ),
  });
  const checkUser = checkOf(UserUpsert);
  addRoute(app, {
    method: 'POST',
    url: PATHS.users,
    operation: 'upsertUsers',
    summary: 'Store users and their attributes, new or known',
    tag: 'catalogue',
    scope: 'catalogue',
    body: UserUpserts,
    isBatch: true,
    answer: UpsertAnswer,
    answerText: 'Accepted users are on disk.',
    handle: async ({ body, request }) =>
      writeOnce(service, request, async () =>
        upserted(sortBatch(body, checkUser, LIMITS.upserts), (users) => engineOf(service).upsertUsers(users)),
      ),
  });
  addRoute(app, {
    method: 'DELETE',
    url: '/v1/users/:user',
    operation: 'eraseUser',
    summary: 'Erase a user: events, attributes and everything computed from them',
    tag: 'catalogue',
    scope: 'catalogue',
    params: Type.Object({ user: Id('User.') }),
    answer: EraseAnswer,
    answerText: 'Nothing is stored of the user any more.',
    handle: async ({ params: { user }, request }) =>
      writeOnce(service, request, async () => engineOf(service).erase(user)),
  });
}

/** Stores what is sound of a batch; places of what the engine refuses are those in the batch. */
async function upserted<Value>(
  { sound, rejected }: { sound: { index: number; value: Value }[]; rejected: Rejection[] },
  store: (values: Value[]) => Promise<UpsertAnswer>,
): Promise<UpsertAnswer> {
  if (sound.length === 0) return { accepted: 0, rejected };
  const answer = await store(sound.map(({ value }) => value));
  const refused = answer.rejected.map((entry) => ({ ...entry, index: sound[entry.index]?.index ?? entry.index }));
  return { accepted: answer.accepted, rejected: inOrder([...rejected, ...refused]) };
}
