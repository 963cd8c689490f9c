/**
 * People as the page shows them: found, and asked about "what if". Knows fields and bounds; does not know how anything is ranked, and
 * stores nothing.
 */
import { type Static, Type } from 'typebox';
import { ANSWER_SOURCES, ITEM_SOURCES } from '../../online/index.js';
import { Id, ModelName, Text, strict, word } from './common.js';
import { SessionEvent } from './events.js';
import { LIMITS } from './limits.js';
import { Because, Note, asked } from './recommendations.js';

/** How much of a list is wanted: its beginning unless told. */
export const pageOf = {
  search: Type.Optional(Text('Part of what is looked for; capitals do not matter.', LIMITS.queryLength)),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.listed, default: 20 })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.listedUpTo, default: 0 })),
};

export const PeopleQuery = Type.Object(pageOf);

export const Person = Type.Object({
  user: Type.String(),
  feed: Type.Integer({ minimum: 0, description: 'Events of the feed, of the run and live.' }),
  searches: Type.Integer({ minimum: 0 }),
  last: Type.Union([Type.String(), Type.Null()], { description: 'Time of the newest event; null where none has one.' }),
});
export type Person = Static<typeof Person>;

export const PeopleAnswer = Type.Object(
  {
    total: Type.Integer({ minimum: 0, description: 'How many there are, or are found.' }),
    people: Type.Array(Person, {
      description:
        'Those whose id is the text, then those whose id begins with it, then those whose id holds it. Without a search: newcomers since the run, the newest first, then those with most of both, feed and searches.',
    }),
  },
  { title: 'PeopleAnswer' },
);
export type PeopleAnswer = Static<typeof PeopleAnswer>;

export const WhatIfRequest = strict(
  {
    user: Type.Optional(Id('Whose history it begins with; without it, nobody’s.')),
    session: Type.Optional(
      Type.Array(SessionEvent, {
        maxItems: LIMITS.sessionEvents,
        description: 'What would have been done since, oldest first.',
      }),
    ),
    ...asked,
    without: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), {
        maxItems: LIMITS.timeline,
        description: 'Ordinals of entries of the timeline that would not have happened.',
      }),
    ),
    k: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 10 })),
    explain: Type.Optional(Type.Boolean({ default: false })),
  },
  { title: 'WhatIfRequest' },
);
export type WhatIfRequest = Static<typeof WhatIfRequest>;

const rankOrNull = (description: string) => Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], { description });

export const WhatIfItem = Type.Object({
  item: Type.String(),
  title: Type.String({ description: 'Title or name; the id where it has none.' }),
  rank: Type.Integer({ minimum: 1 }),
  rank_before: rankOrNull('Where it stands as things are; null where it cannot stand there, or nobody knows.'),
  score: Type.Number(),
  source: word(ITEM_SOURCES),
  because: Type.Optional(Type.Array(Because)),
});
export type WhatIfItem = Static<typeof WhatIfItem>;

export const FallenItem = Type.Object({
  item: Type.String(),
  title: Type.String(),
  rank_before: Type.Integer({ minimum: 1 }),
  rank: rankOrNull('Where it went; null where it cannot stand any more, or nobody knows.'),
  met: Type.Boolean({ description: 'Whether it left because it would have been met.' }),
});
export type FallenItem = Static<typeof FallenItem>;

export const WhatIfAnswer = Type.Object(
  {
    model: ModelName,
    source: word(ANSWER_SOURCES),
    ranks: word(['exact', 'candidates'], {
      description: 'Ranks before are among the whole catalogue, or among retrieved candidates.',
    }),
    changed: Type.Boolean({ description: 'Whether anything of the request changes the history.' }),
    notes: Type.Array(Note),
    took_ms: Type.Number(),
    items: Type.Array(WhatIfItem),
    fallen: Type.Array(FallenItem, { description: 'Items of the list as things are that are not in this one.' }),
  },
  { title: 'WhatIfAnswer', description: 'The list as it would be, beside the list as it is. Nothing is stored.' },
);
export type WhatIfAnswer = Static<typeof WhatIfAnswer>;
