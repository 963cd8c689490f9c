/** What somebody did, with what is imagined: searches and clicks are added, and anything may be taken away. Knows drafts; ranks nothing. */
import { useRef, useState } from 'preact/hooks';
import type { ItemsAnswer, QueriesAnswer, TimelineEntry } from '../../../serve/schemas/index.js';
import { LIMITS } from '../../../serve/schemas/limits.js';
import { PATHS } from '../../../serve/schemas/paths.js';
import { announce } from '../../app/announce.js';
import { ask } from '../../app/server.js';
import { Combobox } from '../../components/combobox.js';
import { SideMark } from '../../components/side-mark.js';
import { Skeleton } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { momentText, numberText, texts } from '../../texts/index.js';
import { labelOf } from '../people/action-text.js';
import { type Draft, type Imagined, change, textOf, withStep, withoutStep } from './draft.js';

const SUGGESTED = 8;
const AT_ONCE = 30;

export const listing = (path: string, search: string): string =>
  `${path}?${new URLSearchParams({ limit: String(SUGGESTED), ...(search === '' ? {} : { search }) })}`;

/** Adds a step behind the others. */
export function add(user: string | null, step: Imagined): void {
  change(user, (draft) => withStep(draft, step));
  announce(step.type === 'search' ? texts.whatIf.addedSearch(step.query) : texts.whatIf.addedClick(step.title));
}

export function Additions({ user }: { readonly user: string | null }) {
  const words = texts.whatIf;
  return (
    <div class="additions">
      <Combobox
        label={words.search}
        placeholder={words.searchHint}
        button={words.addSearch}
        isFree
        maxLength={LIMITS.queryLength}
        suggest={async (text, signal) =>
          (await ask<QueriesAnswer>(listing(PATHS.catalogueQueries, text), undefined, signal)).queries
        }
        textOf={({ query }) => query}
        row={({ query, count }) => (
          <>
            <UserText text={query} /> <small>{words.searched(count)}</small>
          </>
        )}
        whyNot={({ query }) => (query.length > LIMITS.queryLength ? texts.states.tooLong(LIMITS.queryLength) : null)}
        onChoice={(chosen) => add(user, { type: 'search', query: typeof chosen === 'string' ? chosen : chosen.query })}
      />
      <Combobox
        label={words.item}
        placeholder={words.itemHint}
        button={words.addItem}
        isFree={false}
        maxLength={LIMITS.queryLength}
        suggest={async (text, signal) =>
          (await ask<ItemsAnswer>(listing(PATHS.catalogueItems, text), undefined, signal)).items
        }
        textOf={({ item }) => item}
        row={({ title, count }) => (
          <>
            <UserText text={title} /> <small>{numberText(count)}</small>
          </>
        )}
        onChoice={(chosen) => {
          if (typeof chosen !== 'string') add(user, { type: 'click', item: chosen.item, title: chosen.title });
        }}
      />
    </div>
  );
}

interface StoryProps {
  readonly user: string | null;
  readonly draft: Draft;
  /** What happened; null while it is loading. */
  readonly timeline: readonly TimelineEntry[] | null;
}

/** Newest first: what is imagined, then what happened. */
export function Story({ user, draft, timeline }: StoryProps) {
  const [count, setCount] = useState(AT_ONCE);
  const heading = useRef<HTMLHeadingElement>(null);
  const happened = (timeline ?? []).toSorted((a, b) => b.ordinal - a.ordinal);
  const words = texts.whatIf;
  const toggle = (ordinal: number): void =>
    change(user, (before) => {
      const without = new Set(before.without);
      if (!without.delete(ordinal)) without.add(ordinal);
      return { ...before, without };
    });
  const takeBack = (id: string): void => {
    change(user, (before) => withoutStep(before, id));
    heading.current?.focus({ preventScroll: true }); // its button goes
  };
  return (
    <section class="story" aria-label={words.story}>
      <h2 ref={heading} tabIndex={-1}>
        {words.story}
      </h2>
      <ol>
        {draft.added
          .map((step) => (
            <li key={step.id} class="imagined">
              <Kind type={step.type === 'search' ? 'search' : 'feed'} />
              <UserText text={textOf(step)} />
              <span class="quiet small">{words.imagined}</span>
              <button type="button" class="plain" aria-label={words.takeBack} onClick={() => takeBack(step.id)}>
                ✕
              </button>
            </li>
          ))
          .toReversed()}
        {happened.slice(0, count).map((entry) => (
          <Happened key={entry.ordinal} entry={entry} isWithout={draft.without.has(entry.ordinal)} onToggle={toggle} />
        ))}
      </ol>
      {timeline === null && <Skeleton lines={6} />}
      {timeline?.length === 0 && draft.added.length === 0 && <p class="quiet">{words.blank}</p>}
      {happened.length > count && (
        <button type="button" onClick={() => setCount(count + AT_ONCE)}>
          {texts.people.more(Math.min(AT_ONCE, happened.length - count))}
        </button>
      )}
    </section>
  );
}

interface HappenedProps {
  readonly entry: TimelineEntry;
  readonly isWithout: boolean;
  readonly onToggle: (ordinal: number) => void;
}

function Happened({ entry, isWithout, onToggle }: HappenedProps) {
  const label = labelOf(entry);
  const words = texts.whatIf;
  return (
    <li class={`${isWithout ? 'without' : ''} ${entry.seen ? '' : 'unseen'}`}>
      <Kind type={entry.type} />
      <UserText text={label} />
      <span class="quiet small">
        <SideMark side={entry.side} isNamed /> {momentText(entry.time)}
      </span>
      <button
        type="button"
        class="plain"
        aria-pressed={isWithout}
        aria-label={words.without(label.slice(0, 100))}
        title={isWithout ? words.putBack : words.remove}
        onClick={() => onToggle(entry.ordinal)}
      >
        {isWithout ? '↺' : '✕'}
      </button>
    </li>
  );
}

/** A magnifying glass for a search, a card for something met. */
function Kind({ type }: { readonly type: TimelineEntry['type'] }) {
  return (
    <svg class="kind" viewBox="0 0 16 16" width="16" height="16" role="img" aria-label={texts.people.lanes[type]}>
      {type === 'search' ? (
        <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 14 14" />
      ) : (
        <path d="M2.5 3h11v10h-11zM5 6h6M5 9h4" />
      )}
    </svg>
  );
}
