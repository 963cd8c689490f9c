/** Catalogue: items and queries by text, and one of them from near. Knows the two halves of the view; does not know what is in them. */
import { useEffect, useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import { LIMITS } from '../../../serve/schemas/limits.js';
import type { ItemsAnswer, QueriesAnswer } from '../../../client/index.js';
import { useAnswer, useSettled } from '../../app/answer.js';
import { hrefOf, refine } from '../../app/routing.js';
import { ask } from '../../app/server.js';
import type { ViewProps } from '../../app/view.js';
import { Empty, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { Entries } from './entries.js';
import { ItemDetail } from './item-detail.js';
import { QueryDetail } from './query-detail.js';
import './catalogue.css';

const words = texts.catalogue;
const SHOWN = 50;

export default function Catalogue({ place }: ViewProps) {
  const [kind, id] = place.rest;
  const asked = place.query.get('search') ?? '';
  const [text, setText] = useState(asked);
  const search = useSettled(text).trim();
  const query: Record<string, string> = search === '' ? {} : { search };
  useEffect(() => {
    if (search !== asked) refine(place, hrefOf('catalogue', place.rest, query));
  }, [search]);
  useEffect(() => {
    if (search !== asked) setText(asked); // somebody went back, or began anew
  }, [asked]);
  const isWide = useWide();
  const isChosen = (kind === 'item' || kind === 'query') && id !== undefined;
  const listing = `?${new URLSearchParams({ limit: String(SHOWN), ...query }).toString()}`;
  const items = useAnswer(`items ${listing}`, async (signal) =>
    ask<ItemsAnswer>(PATHS.catalogueItems + listing, undefined, signal),
  );
  const queries = useAnswer(`queries ${listing}`, async (signal) =>
    ask<QueriesAnswer>(PATHS.catalogueQueries + listing, undefined, signal),
  );
  // a wide page has room for something: what is found first
  const first = isWide && !isChosen ? items.answer?.items[0]?.item : undefined;
  return (
    <div class={isChosen ? 'catalogue chosen' : 'catalogue'}>
      <section class="catalogue-search" aria-label={words.results}>
        <h1>{texts.views.catalogue}</h1>
        <p class="quiet">{words.lead}</p>
        <form role="search" onSubmit={(event) => event.preventDefault()}>
          <label class="heard" for="catalogue-search">
            {words.search}
          </label>
          <input
            id="catalogue-search"
            type="search"
            dir="auto"
            autocomplete="off"
            spellcheck={false}
            placeholder={words.placeholder}
            maxLength={LIMITS.queryLength}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </form>
        <div class="catalogue-results">
          <section>
            <Shown asked={items} lines={6}>
              {({ total, items: found }) => (
                <Entries
                  title={words.items}
                  note={words.found(found.length, total)}
                  empty={search === '' ? words.nothingAtAll : words.noItems}
                  entries={found.map(({ item, title, count }) => ({
                    text: title,
                    id: item === title ? null : item,
                    href: hrefOf('catalogue', ['item', item], query),
                    value: count,
                    told: words.actions(count),
                    isCurrent: item === first || (kind === 'item' && id === item),
                  }))}
                />
              )}
            </Shown>
          </section>
          <section>
            <Shown asked={queries} lines={6}>
              {({ total, queries: found }) => (
                <Entries
                  title={words.queries}
                  note={words.found(found.length, total)}
                  empty={search === '' ? words.nothingAtAll : words.noQueries}
                  entries={found.map(({ query: own, count }) => ({
                    text: own,
                    id: null,
                    href: hrefOf('catalogue', ['query', own], query),
                    value: count,
                    told: words.searches(count),
                    isCurrent: kind === 'query' && id === own,
                  }))}
                />
              )}
            </Shown>
          </section>
        </div>
      </section>
      <div class="catalogue-detail">
        {isChosen && (
          <a class="catalogue-back" href={hrefOf('catalogue', [], query)}>
            {words.back}
          </a>
        )}
        {!isChosen && first !== undefined ? (
          <ItemDetail key={first} item={first} query={query} />
        ) : !isChosen ? (
          <Empty title={words.nothingChosen}>
            <p>{words.nothingChosenHint}</p>
          </Empty>
        ) : kind === 'item' ? (
          <ItemDetail key={id} item={id} query={query} />
        ) : id.length > LIMITS.queryLength ? (
          <Empty title={texts.states.tooLong(LIMITS.queryLength)}>
            <p>
              <UserText text={id} lines={3} />
            </p>
          </Empty>
        ) : (
          <QueryDetail key={id} text={id} query={query} />
        )}
      </div>
    </div>
  );
}

/** Whether both halves of the view stand beside each other. */
function useWide(): boolean {
  const [isWide, setWide] = useState(WIDE.matches);
  useEffect(() => {
    const look = (): void => setWide(WIDE.matches);
    WIDE.addEventListener('change', look);
    return () => WIDE.removeEventListener('change', look);
  }, []);
  return isWide;
}

const WIDE = matchMedia('(min-width: 60.01rem)');
