/**
 * Events as they come in: the log of docs/events.md as live HTTP. Knows their fields and bounds; does not know what becomes of
 * them.
 */
import { type Static, Type } from 'typebox';
import { ACTION_TYPES, IGNORED_TYPES } from '../../data/index.js';
import { Flaw, Id, Text, Time, byType, strict, word } from './common.js';
import { LIMITS } from './limits.js';

const common = {
  time: Type.Optional(Time),
  recommendation_id: Type.Optional(Id('The id of the answer that showed the item: what was served is judged by it.')),
};
const eventId = Id('Named by whoever sends it: an event whose id was accepted before is a duplicate and counts once.');

const search = {
  type: word(['search']),
  id: Type.Optional(eventId),
  query: Text('As typed.', LIMITS.queryLength),
  source: Type.Optional(Id('How the search was started: typed, suggested, history, …')),
  results: Type.Optional(
    Type.Array(strict({ item: Id('Item.'), position: Type.Optional(Type.Integer({ minimum: 1 })) }), {
      maxItems: LIMITS.results,
      description: 'What the search showed.',
    }),
  ),
  ...common,
};
const action = {
  type: word(ACTION_TYPES, {
    description: 'A click that names a search is a click in its results; everything else is an event of the feed.',
  }),
  id: Type.Optional(eventId),
  item: Id('Item.'),
  search: Type.Optional(Id('The id of the search that led to it.')),
  value: Type.Optional(Type.Number()),
  ...common,
};
const ignored = {
  type: word(IGNORED_TYPES, { description: 'Stored; shows no interest.' }),
  id: Type.Optional(eventId),
  item: Type.Optional(Id('Item.')),
  value: Type.Optional(Type.Number()),
  ...common,
};
const user = Id('Who did it.');

/** Something that somebody did. */
export const Event = byType(
  [strict({ ...search, id: eventId, user }), strict({ ...action, user }), strict({ ...ignored, user })],
  { title: 'Event', description: 'A search, an action on an item, or an impression. Without a time: now.' },
);
export type Event = Static<typeof Event>;

/** The same within a request that says who it is about. */
export const SessionEvent = byType([strict(search), strict(action), strict(ignored)], {
  title: 'SessionEvent',
  description: 'An event of the session at hand. Not stored.',
});
export type SessionEvent = Static<typeof SessionEvent>;

export const Events = Type.Array(Event, { maxItems: LIMITS.events });

/** Why one of a batch was not taken. */
export const Rejection = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'Its place in the batch, from 0.' }),
  code: Type.String(),
  ...Flaw.properties,
});
export type Rejection = Static<typeof Rejection>;

export const EventsAnswer = Type.Object(
  {
    accepted: Type.Integer({ minimum: 0 }),
    duplicate: Type.Integer({ minimum: 0, description: 'Their ids were accepted before.' }),
    rejected: Type.Array(Rejection),
  },
  { title: 'EventsAnswer', description: 'What became of a batch, once it is on disk.' },
);
export type EventsAnswer = Static<typeof EventsAnswer>;
