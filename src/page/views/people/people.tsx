/** People: who did what, how the model divides it, and what it recommends for it. Knows its two halves only. */
import './people.css';
import type { ViewProps } from '../../app/view.js';
import { useCallback, useState } from 'preact/hooks';
import { go, hrefOf, refine } from '../../app/routing.js';
import { Empty, Skeleton } from '../../components/states.js';
import { texts } from '../../texts/index.js';
import { Finder } from './finder.js';
import { Person } from './person.js';

export default function People({ place }: ViewProps) {
  const [user] = place.rest;
  // the first view is about somebody: about the first of all, until somebody is chosen
  const [isEmpty, setEmpty] = useState(false);
  const onFirst = useCallback(
    (first: string | null) => {
      setEmpty(first === null);
      if (first !== null) refine(place, hrefOf('people', [first]));
    },
    [place],
  );
  return (
    <div class="people">
      <Finder user={user ?? null} onFirst={onFirst} onChoice={(chosen) => go(hrefOf('people', [chosen]))} />
      {user === undefined ? (
        <section class="person">
          <h1>{texts.people.title}</h1>
          {isEmpty ? (
            <Empty title={texts.people.nobody}>
              <p>{texts.people.nobodyMore}</p>
            </Empty>
          ) : (
            <Skeleton lines={9} />
          )}
        </section>
      ) : (
        <Person key={user} user={user} />
      )}
    </div>
  );
}
