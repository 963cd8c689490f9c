/**
 * What if: how recommendations would move had somebody searched, clicked or not done something. Knows whom it is about and what is asked;
 * nothing is stored unless a person says so.
 */
import './what-if.css';
import { useRef, useState } from 'preact/hooks';
import type { EventsAnswer, InterestsAnswer, PeopleAnswer, WhatIfAnswer } from '../../../serve/schemas/index.js';
import { LIMITS } from '../../../serve/schemas/limits.js';
import { PATHS } from '../../../serve/schemas/paths.js';
import { announce } from '../../app/announce.js';
import { useAnswer } from '../../app/answer.js';
import { go, hrefOf } from '../../app/routing.js';
import { ask, write } from '../../app/server.js';
import type { ViewProps } from '../../app/view.js';
import { Combobox } from '../../components/combobox.js';
import { Empty, Failure, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { NOTHING, change, draftOf, eventsOf, isNothing, questionOf } from './draft.js';
import { Moves } from './moves.js';
import { Additions, Story, add, listing } from './story.js';

const K = 10;

export default function WhatIf({ place }: ViewProps) {
  const user = place.rest[0] ?? null;
  const draft = draftOf(user);
  const [kept, setKept] = useState(0);
  const question = questionOf(user, draft, K);
  const interests = useAnswer(user === null ? null : `${kept} ${user}`, async (signal) =>
    ask<InterestsAnswer>(PATHS.interests(user ?? ''), undefined, signal),
  );
  const asked = useAnswer(`${kept} ${JSON.stringify(question)}`, async (signal) => {
    const answer = await ask<WhatIfAnswer>(PATHS.whatIf, question, signal);
    if (answer.changed) announce(texts.whatIf.moved(movedIn(answer)));
    return answer;
  });
  const entries = new Map(interests.answer?.timeline.map((entry) => [entry.ordinal, entry]));
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
      <div class="what-if-body">
        <div class="asked">
          <Additions key={`${user}`} user={user} />
          <Keep user={user} onKept={() => setKept(kept + 1)} />
          {interests.error === null ? (
            <Story key={`story ${user}`} user={user} draft={draft} interests={interests.answer} />
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

/** Starting over, and keeping what was only imagined: the one thing here that writes, so it asks once more. */
function Keep({ user, onKept }: { readonly user: string | null; readonly onKept: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<unknown>(null);
  const draft = draftOf(user);
  const words = texts.whatIf;
  const keep = async (): Promise<void> => {
    if (user === null) return;
    dialog.current?.close();
    try {
      const { rejected } = await write<EventsAnswer>(async (client) => client.sendEvents(eventsOf(user, draft)));
      if (rejected[0]) throw new Error(rejected[0].message);
      change(user, () => NOTHING);
      setError(null);
      announce(words.kept(draft.added.length));
      onKept();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div class="keep">
      <button type="button" disabled={isNothing(draft)} onClick={() => change(user, () => NOTHING)}>
        {words.startOver}
      </button>
      <button
        type="button"
        disabled={user === null || draft.added.length === 0}
        onClick={() => dialog.current?.showModal()}
      >
        {words.keep}
      </button>
      <p class="quiet small">{words.nothingStored}</p>
      {error !== null && <Failure error={error} again={() => void keep()} />}
      <dialog ref={dialog} aria-labelledby="keep-title">
        <h2 id="keep-title">{words.keepTitle(draft.added.length)}</h2>
        <p>
          {words.keepMore} {draft.without.size > 0 && words.keepNotRemoved}
        </p>
        <div class="keep">
          <button type="button" class="strong" onClick={() => void keep()}>
            {words.keepYes}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            {words.keepNo}
          </button>
        </div>
      </dialog>
    </div>
  );
}
