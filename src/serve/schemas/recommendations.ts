/** What is asked of a ranker over HTTP, and its answers. Knows fields and bounds; does not know how anything is ranked. */
import { type Static, Type } from 'typebox';
import { ANSWER_SOURCES, ITEM_SOURCES, LANGUAGES } from '../../online/index.js';
import { Id, ModelName, Text, strict, word } from './common.js';
import { SessionEvent } from './events.js';
import { LIMITS } from './limits.js';

const attributeName = Type.String({ minLength: 1, maxLength: LIMITS.attributeNameLength });

export const Filter = strict(
  {
    attribute: attributeName,
    any_of: Type.Optional(
      Type.Array(Text('Value.', LIMITS.attributeValueLength), { minItems: 1, maxItems: LIMITS.filterValues }),
    ),
    none_of: Type.Optional(
      Type.Array(Text('Value.', LIMITS.attributeValueLength), { minItems: 1, maxItems: LIMITS.filterValues }),
    ),
  },
  {
    description:
      'Items whose attribute is one of some values, or none of some. A list of values matches by any of them.',
  },
);
export type Filter = Static<typeof Filter>;

/** What is asked for alike as things are and as they would be. */
export const asked = {
  query: Type.Optional(Text('As if the user had just searched for this.', LIMITS.queryLength)),
  reasons: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.reasons, default: 3 })),
  language: Type.Optional(word(LANGUAGES, { default: 'en' })),
};

export const RecommendationRequest = strict(
  {
    user: Type.Optional(Id('Whom to recommend to; without it, what is known is the session.')),
    session: Type.Optional(
      Type.Array(SessionEvent, {
        maxItems: LIMITS.sessionEvents,
        description: 'What was just done, oldest first, behind what is stored of the user.',
      }),
    ),
    ...asked,
    k: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.k, default: 10 })),
    exclude: Type.Optional(Type.Array(Id('Item.'), { maxItems: LIMITS.excluded })),
    filters: Type.Optional(Type.Array(Filter, { maxItems: LIMITS.filters, description: 'All must hold.' })),
    cap: Type.Optional(
      strict(
        { attribute: attributeName, most: Type.Integer({ minimum: 1, maximum: LIMITS.k }) },
        { description: 'At most so many items of the same value of an attribute.' },
      ),
    ),
    repeat: Type.Optional(
      word(['unseen', 'all'], { default: 'unseen', description: 'Whether items already met may come again.' }),
    ),
    explain: Type.Optional(Type.Boolean({ default: false, description: 'Name the actions behind each item.' })),
    explore: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: 0,
        description: 'The share of places that are drawn instead of ranked; probabilities come with the answer.',
      }),
    ),
    deadline_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.deadlineMilliseconds,
        description: 'An answer later than this is of no use: a simpler one comes instead, marked degraded.',
      }),
    ),
  },
  { title: 'RecommendationRequest' },
);
export type RecommendationRequest = Static<typeof RecommendationRequest>;

/** An action's place in a history: what tells it from the others, in one order with them. */
const ordinal = Type.Integer({ minimum: 0, description: 'Tells the action from others of the same history.' });

export const Because = Type.Object({
  ordinal,
  type: word(['search', 'feed']),
  query: Type.Optional(Type.String()),
  items: Type.Array(Type.String(), { description: 'Items clicked in the search, or the item met in the feed.' }),
  event: Type.Optional(Type.String({ description: 'The id of the event, where it has one.' })),
  time: Type.Union([Type.String(), Type.Null()]),
  side: Type.Union([word(['similar', 'dissimilar']), Type.Null()]),
  weight: Type.Number(),
  text: Type.String({ description: 'A sentence in the language asked for. Plain text, never markup.' }),
});
export type Because = Static<typeof Because>;

export const RecommendedItem = Type.Object({
  item: Type.String(),
  rank: Type.Integer({ minimum: 1 }),
  score: Type.Number({ description: 'Higher is better; comparable within one source of one answer only.' }),
  source: word(ITEM_SOURCES, { description: 'What brought it here.' }),
  probability: Type.Optional(Type.Number({ description: 'With exploration: how likely it was to stand here.' })),
  because: Type.Optional(Type.Array(Because)),
});
export type RecommendedItem = Static<typeof RecommendedItem>;

/** Something that whoever asked should know. */
export const Note = Type.Object({ code: Type.String(), message: Type.String() });
export type Note = Static<typeof Note>;

export const RecommendationAnswer = Type.Object(
  {
    id: Type.String({ description: 'Send it along with events on these items, as recommendation_id.' }),
    model: ModelName,
    source: word(ANSWER_SOURCES, {
      description: 'What ranked: the model in full, the model on retrieved candidates, or what is popular.',
    }),
    degraded: Type.Boolean({ description: 'Something simpler than what was asked for.' }),
    notes: Type.Array(Note),
    took_ms: Type.Number(),
    items: Type.Array(RecommendedItem),
  },
  { title: 'RecommendationAnswer' },
);
export type RecommendationAnswer = Static<typeof RecommendationAnswer>;

export const SimilarAnswer = Type.Object(
  {
    item: Type.String(),
    model: ModelName,
    source: Type.String(),
    items: Type.Array(Type.Object({ item: Type.String(), rank: Type.Integer(), score: Type.Number() })),
  },
  { title: 'SimilarAnswer' },
);
export type SimilarAnswer = Static<typeof SimilarAnswer>;

export const TimelineEntry = Type.Object({
  ordinal,
  type: word(['search', 'feed']),
  query: Type.Optional(Type.String()),
  items: Type.Array(Type.String(), { description: 'Items clicked in the search, or the item met in the feed.' }),
  titles: Type.Array(Type.String(), { description: 'Their titles or names; the id where there is none.' }),
  event: Type.Optional(Type.String({ description: 'The id of the event, where it has one.' })),
  time: Type.Union([Type.String(), Type.Null()]),
  seen: Type.Boolean({ description: 'Whether it lies in the window of the model.' }),
  side: Type.Union([word(['similar', 'dissimilar']), Type.Null()]),
  weight: Type.Union([Type.Number(), Type.Null()], {
    description:
      'Co-attention (Eq. 10 of the paper), which the side is told from: sums to 1 over what is seen of a lane.',
  }),
});
export type TimelineEntry = Static<typeof TimelineEntry>;

export const InterestsQuery = Type.Object({
  affinity: Type.Optional(
    Type.Boolean({ default: false, description: 'How much each feed event seen agrees with each search seen.' }),
  ),
});

export const Affinity = Type.Object(
  {
    feed: Type.Array(ordinal),
    search: Type.Array(ordinal),
    values: Type.Array(Type.Array(Type.Number()), {
      description: 'A row per feed event, a column per search, -1 to 1.',
    }),
  },
  { description: 'What the sides come from: the affinity of Eq. 9, or cosines in the aligned space.' },
);
export type Affinity = Static<typeof Affinity>;

export const InterestsAnswer = Type.Object(
  {
    user: Type.String(),
    model: ModelName,
    total: Type.Integer({ minimum: 0, description: 'How many actions are known of the user.' }),
    window: Type.Object(
      { feed: Type.Integer(), search: Type.Integer() },
      { description: 'How many actions of each lane the model sees, the newest.' },
    ),
    timeline: Type.Array(TimelineEntry, {
      description: 'The newest actions of somebody, seen or not, oldest first in each lane, the feed first.',
    }),
    affinity: Type.Optional(Type.Union([Affinity, Type.Null()])),
  },
  { title: 'InterestsAnswer' },
);
export type InterestsAnswer = Static<typeof InterestsAnswer>;
