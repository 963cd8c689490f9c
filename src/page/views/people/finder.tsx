/** Finds people among any number: pieces of the list are asked for as they come into view. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PeopleAnswer, Person } from '../../../serve/schemas/index.js';
import { LIMITS } from '../../../serve/schemas/limits.js';
import { PATHS } from '../../../serve/schemas/paths.js';
import { useAnswer, useSettled } from '../../app/answer.js';
import { ask, returns } from '../../app/server.js';
import { Failure, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { VirtualList, moved } from '../../components/virtual-list.js';
import { dateText, texts } from '../../texts/index.js';

const PIECE = LIMITS.listed;
/** As far as the server lists. */
const MOST = LIMITS.listedUpTo + PIECE;
const ROW_HEIGHT = 52;
const LIST = 'people-list';
/** As in people.css: where the list stands above the person. */
const NARROW = '(max-width: 62rem)';

async function piece(search: string, number: number, signal?: AbortSignal): Promise<PeopleAnswer> {
  const offset = { limit: String(PIECE), offset: String(number * PIECE) };
  const query = new URLSearchParams(search === '' ? offset : { ...offset, search });
  return ask<PeopleAnswer>(`${PATHS.people}?${query}`, undefined, signal);
}

interface FinderProps {
  readonly user: string | null;
  readonly onChoice: (user: string) => void;
  /** Nobody is shown yet, and this is the first there is; null: there is nobody. */
  readonly onFirst: (user: string | null) => void;
}

export function Finder({ user, onChoice, onFirst }: FinderProps) {
  const [text, setText] = useState('');
  const [active, setActive] = useState<number | null>(null);
  const search = useSettled(text.trim());
  const asked = useAnswer(search, async (signal) => ({ search, ...(await piece(search, 0, signal)) }));
  const people = usePieces(asked.answer);
  const count = Math.min(asked.answer?.total ?? 0, MOST);
  const first = asked.answer?.search === '' ? (asked.answer.people[0]?.user ?? null) : undefined;
  useEffect(() => {
    if (user === null && first !== undefined) onFirst(first);
  }, [user, first, onFirst]);
  const isFresh = asked.answer?.search === text.trim(); // nobody found for other text is chosen for this one
  const [isWaiting, setWaiting] = useState(false);
  useEffect(() => {
    if (!isWaiting || !isFresh) return;
    setWaiting(false);
    choose(0);
  }, [isWaiting, isFresh]);
  const choose = (row: number): void => {
    const person = people.at(row);
    if (!person) return;
    onChoice(person.user);
    if (matchMedia(NARROW).matches) (document.activeElement as HTMLElement | null)?.blur(); // the list makes room
  };
  return (
    <section class="finder" aria-label={texts.people.find}>
      <label for="people-search">{texts.people.find}</label>
      <input
        id="people-search"
        type="search"
        dir="auto"
        role="combobox"
        list={undefined}
        aria-expanded={count > 0}
        aria-controls={LIST}
        aria-autocomplete="list"
        aria-activedescendant={active === null ? undefined : `${LIST}-${active}`}
        autocomplete="off"
        spellcheck={false}
        maxLength={LIMITS.queryLength}
        placeholder={texts.people.findHint}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setActive(null);
        }}
        onKeyDown={(event) => {
          const next = ['Home', 'End'].includes(event.key) ? null : moved(event.key, active, count);
          if (next !== null) {
            event.preventDefault();
            setActive(next);
          } else if (event.key === 'Enter' && isFresh) choose(active ?? 0);
          else if (event.key === 'Enter') setWaiting(true);
        }}
      />
      <Shown asked={asked} lines={8}>
        {({ total }) => (
          <>
            <p class="quiet small" role="status">
              {texts.people.found(total)}
            </p>
            <VirtualList
              id={LIST}
              class="people-list"
              label={texts.people.list}
              count={count}
              rowHeight={ROW_HEIGHT}
              active={active}
              chosen={null}
              onActive={setActive}
              onChoice={choose}
              onRange={people.want}
              row={(row) => <Row person={people.at(row)} isChosen={people.at(row)?.user === user} />}
            />
            {people.error !== null && <Failure error={people.error} again={people.again} />}
          </>
        )}
      </Shown>
    </section>
  );
}

function Row({ person, isChosen }: { readonly person: Person | undefined; readonly isChosen: boolean }) {
  if (!person) return <span class="waiting" aria-hidden="true" />;
  const { user, feed, searches, last } = person;
  return (
    <span class={`person-row ${isChosen ? 'chosen' : ''}`}>
      <UserText text={user} />
      <span class="quiet small">{texts.people.counts(feed, searches)}</span>
      <span class="quiet small last">{dateText(last)}</span>
    </span>
  );
}

interface Known {
  readonly of: unknown;
  readonly pieces: Map<number, readonly Person[] | null>;
  error: unknown;
}

/** A list that is known in pieces: what is wanted and not known is asked for, once; what failed, when it is wanted again. */
function usePieces(first: (PeopleAnswer & { readonly search: string }) | null) {
  const known = useRef<Known>({ of: null, pieces: new Map(), error: null });
  const [, setKnown] = useState(0);
  const wanted = useRef<readonly [from: number, to: number]>([0, 0]);
  if (known.current.of !== first)
    known.current = { of: first, pieces: new Map(first ? [[0, first.people]] : []), error: null };
  const { current } = known;
  const isThere = useRef(true);
  useEffect(() => () => void (isThere.current = false), []);
  const become = (error: unknown): void => {
    current.error = error;
    if (isThere.current) setKnown((before) => before + 1);
  };
  const want = (from: number, to: number): void => {
    wanted.current = [from, to];
    for (let number = Math.floor(from / PIECE); number <= Math.floor(Math.max(from, to - 1) / PIECE); number++) {
      if (!first || current.pieces.has(number) || number * PIECE > LIMITS.listedUpTo) continue;
      current.pieces.set(number, null);
      piece(first.search, number).then(
        ({ people }) => {
          current.pieces.set(number, people);
          become(null);
        },
        (error: unknown) => {
          current.pieces.delete(number);
          become(error);
        },
      );
    }
  };
  const again = (): void => want(...wanted.current);
  useEffect(again, [first, returns.value]);
  return {
    at: (row: number): Person | undefined => current.pieces.get(Math.floor(row / PIECE))?.[row % PIECE],
    want,
    again,
    error: current.error,
  };
}
