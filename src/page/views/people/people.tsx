/** People: who did what, how the model divides it, and what it recommends for it. Knows its two halves only. */
import './people.css';
import type { ViewProps } from '../../app/views.js';
import { go, hrefOf } from '../../app/routing.js';
import { Empty } from '../../components/states.js';
import { texts } from '../../texts/index.js';
import { Finder } from './finder.js';
import { Person } from './person.js';

export default function People({ place }: ViewProps) {
  const [user] = place.rest;
  return (
    <div class={`people ${user === undefined ? 'nobody' : ''}`}>
      <Finder user={user ?? null} onChoice={(chosen) => go(hrefOf('people', [chosen]))} />
      {user === undefined ? (
        <section class="person">
          <h1>{texts.people.title}</h1>
          <Empty title={texts.people.choose}>
            <p>{texts.people.chooseMore}</p>
          </Empty>
        </section>
      ) : (
        <Person key={user} user={user} />
      )}
    </div>
  );
}
