/** One person: timeline, what is focused in it, recommendations and why. Knows who is asked about; its parts know how they look. */
import { useMemo, useState } from 'preact/hooks';
import type { InterestsAnswer, WhatIfAnswer } from '../../../serve/schemas/index.js';
import { PATHS } from '../../../serve/schemas/paths.js';
import { useAnswer } from '../../app/answer.js';
import { hrefOf } from '../../app/routing.js';
import { ask } from '../../app/server.js';
import { Choice } from '../../components/choice.js';
import { Empty, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { ActionDetail } from './action-detail.js';
import { agreementsIn } from './agreements.js';
import { Recommendations } from './recommendations.js';
import type { Lane } from './timeline-layout.js';
import { Timeline } from './timeline.js';
import { TimelineTable } from './timeline-table.js';

const RECOMMENDED = 10;
const REASONS = 3;

export function Person({ user }: { readonly user: string }) {
  const interests = useAnswer(user, async (signal) =>
    ask<InterestsAnswer>(`${PATHS.interests(user)}?affinity=true`, undefined, signal),
  );
  const recommended = useAnswer(user, async (signal) =>
    ask<WhatIfAnswer>(PATHS.whatIf, { user, k: RECOMMENDED, explain: true, reasons: REASONS }, signal),
  );
  return (
    <section class="person" aria-labelledby="person-name">
      <header class="person-head">
        <h1 id="person-name">
          <UserText text={user} />
        </h1>
        <a class="button" href={hrefOf('what-if', [user])}>
          {texts.people.askWhatIf}
        </a>
      </header>
      <Shown asked={interests} lines={9}>
        {(answer) => <Told interests={answer} recommended={recommended} />}
      </Shown>
    </section>
  );
}

interface ToldProps {
  readonly interests: InterestsAnswer;
  readonly recommended: ReturnType<typeof useAnswer<WhatIfAnswer>>;
}

const NOTHING: ReadonlySet<number> = new Set();

function Told({ interests, recommended }: ToldProps) {
  const { timeline, total, window, affinity } = interests;
  const agreements = useMemo(() => agreementsIn(affinity), [affinity]);
  const [shape, setShape] = useState<'lanes' | 'table'>('lanes');
  const [hovered, setHovered] = useState<number | null>(null);
  const [pinned, setPinned] = useState<number | null>(null);
  const [lit, setLit] = useState(NOTHING);
  const focus = lit.size > 0 ? null : (hovered ?? pinned);
  const byOrdinal = useMemo(() => new Map(timeline.map((entry) => [entry.ordinal, entry])), [timeline]);
  const count = (lane: Lane, isSeen = false): number =>
    timeline.filter(({ type, seen }) => type === lane && (seen || !isSeen)).length;
  const focused = focus === null ? undefined : byOrdinal.get(focus);
  if (timeline.length === 0)
    return (
      <Empty title={texts.people.unknown}>
        <p>{texts.people.unknownMore}</p>
        <Shown asked={recommended}>
          {(answer) => <Recommendations answer={answer} entryOf={() => undefined} lit={lit} onLight={setLit} />}
        </Shown>
      </Empty>
    );
  return (
    <>
      <div class="person-facts">
        <p class="quiet">
          {texts.people.facts(count('feed'), count('search'), count('feed', true), count('search', true))}
          {total > timeline.length ? ` ${texts.people.newest(timeline.length, total)}` : ''}
        </p>
        <Choice
          label={texts.people.shape}
          isLabelHidden
          value={shape}
          choices={(['lanes', 'table'] as const).map((value) => ({ value, label: texts.people.shapes[value] }))}
          onChoice={setShape}
        />
      </div>
      {shape === 'lanes' ? (
        <Timeline
          timeline={timeline}
          agreements={agreements}
          focus={focus}
          lit={lit}
          onFocus={setHovered}
          onPin={(ordinal) => {
            setPinned(ordinal);
            setHovered(null);
          }}
        />
      ) : (
        <TimelineTable timeline={timeline} agreements={agreements} />
      )}
      <div class="person-more">
        <section class="action" aria-label={texts.people.action}>
          {focused ? (
            <ActionDetail
              entry={focused}
              agreements={agreements.of(focused.ordinal)}
              entryOf={(ordinal) => byOrdinal.get(ordinal)}
              onFocus={setPinned}
            />
          ) : (
            <Guide window={window} />
          )}
        </section>
        <section class="recommended" aria-label={texts.people.recommended}>
          <h2>{texts.people.recommended}</h2>
          <Shown asked={recommended} lines={10}>
            {(answer) => (
              <Recommendations
                answer={answer}
                entryOf={(ordinal) => byOrdinal.get(ordinal)}
                lit={lit}
                onLight={setLit}
              />
            )}
          </Shown>
        </section>
      </div>
    </>
  );
}

/** What there is to see, as long as nothing is focused. */
function Guide({ window }: { readonly window: InterestsAnswer['window'] }) {
  return (
    <>
      <h2>{texts.people.howToRead}</h2>
      <ul class="guide">
        {texts.people.guide(window.feed, window.search).map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </>
  );
}
