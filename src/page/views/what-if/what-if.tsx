/**
 * What if: how recommendations would move had somebody searched, clicked or not done something. Knows whom it is about and what is asked;
 * nothing is stored unless a person says so.
 */
import './what-if.css';
import type { InterestsAnswer, PeopleAnswer, WhatIfAnswer } from '../../../serve/schemas/index.js';
import { LIMITS } from '../../../serve/schemas/limits.js';
import { PATHS } from '../../../serve/schemas/paths.js';
import { announce } from '../../app/announce.js';
import { useAnswer } from '../../app/answer.js';
import { go, hrefOf } from '../../app/routing.js';
import { ask } from '../../app/server.js';
import type { ViewProps } from '../../app/view.js';
import { Combobox } from '../../components/combobox.js';
import { Empty, Failure, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { draftOf, questionOf } from './draft.js';
import { Keep, stores } from './keep.js';
import { Moves } from './moves.js';
import { Additions, Story, add, listing } from './story.js';

const K = 10;

export default function WhatIf({ place }: ViewProps) {
  const user = place.rest[0] ?? null;
  const words = texts.whatIf;
  return (
    <div class="what-if">
      <header class="what-if-head">
        <div>
          <h1>{words.title}</h1>
          <p class="about">
            {user === null ? (
              words.nobody
            ) : (
              <>
                {words.about}{' '}
                <a href={hrefOf('people', [user])}>
                  <UserText text={user} />
                </a>
              </>
            )}
          </p>
        </div>
        <Combobox
          label={words.person}
          placeholder={words.personHint}
          button={words.choose}
          isFree={false}
          maxLength={LIMITS.queryLength}
          suggest={async (text, signal) =>
            (await ask<PeopleAnswer>(listing(PATHS.people, text), undefined, signal)).people
          }
          textOf={(person) => person.user}
          row={({ user: id, feed, searches }) => (
            <>
              <UserText text={id} /> <small>{texts.people.counts(feed, searches)}</small>
            </>
          )}
          onChoice={(chosen) => {
            if (typeof chosen !== 'string') go(hrefOf('what-if', [chosen.user]));
          }}
        />
      </header>
      <About key={user ?? ''} user={user} />
    </div>
  );
}

/** A person, or nobody in particular, and what is imagined of them. A component of its own for each: what was asked of one is never another's. */
function About({ user }: { readonly user: string | null }) {
  const draft = draftOf(user);
  const question = questionOf(user, draft, K);
  const interests = useAnswer(user === null ? null : `${stores.value}`, async (signal) =>
    ask<InterestsAnswer>(PATHS.interests(user ?? ''), undefined, signal),
  );
  const asked = useAnswer(`${stores.value} ${JSON.stringify(question)}`, async (signal) => {
    const answer = await ask<WhatIfAnswer>(PATHS.whatIf, question, signal);
    if (answer.changed) announce(texts.whatIf.moved(movedIn(answer)));
    return answer;
  });
  const timeline = user === null ? [] : (interests.answer?.timeline ?? null);
  const entries = new Map(timeline?.map((entry) => [entry.ordinal, entry]));
  return (
    <div class="what-if-body">
      <div class="asked">
        <Additions user={user} />
        <Keep user={user} draft={draft} />
        {interests.error === null ? (
          <Story user={user} draft={draft} timeline={timeline} />
        ) : (
          <Failure error={interests.error} again={interests.again} />
        )}
      </div>
      <div class="answered">
        <Shown asked={asked} lines={12}>
          {(answer) => (
            <>
              <Notes answer={answer} />
              {answer.items.length === 0 ? (
                <Empty title={texts.people.nothingRecommended} />
              ) : (
                <Moves
                  answer={answer}
                  k={K}
                  entryOf={(ordinal) => entries.get(ordinal)}
                  onClick={(item, title) => add(user, { type: 'click', item, title })}
                />
              )}
            </>
          )}
        </Shown>
      </div>
    </div>
  );
}

const movedIn = ({ items }: WhatIfAnswer): number =>
  items.filter(({ rank, rank_before: before }) => rank !== before).length;

function Notes({ answer: { source, ranks, notes, changed } }: { readonly answer: WhatIfAnswer }) {
  return (
    <>
      {!changed && <p class="quiet">{texts.whatIf.unchanged}</p>}
      {source !== 'model' && <p class="quiet small">{texts.people.sources[source]}</p>}
      {ranks === 'candidates' && <p class="quiet small">{texts.whatIf.amongCandidates}</p>}
      {notes.map(({ code, message }) => (
        <p key={code} class="quiet small">
          {message}
        </p>
      ))}
    </>
  );
}
