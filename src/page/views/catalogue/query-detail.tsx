/** One query: how often, what it lies near, what it led to. Knows its route. */
import { PATHS } from '../../../serve/schemas/paths.js';
import type { QueryAnswer } from '../../../client/index.js';
import { hrefOf } from '../../app/routing.js';
import { ask } from '../../app/server.js';
import { useWorkedOut } from '../../app/worked-out.js';
import { Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { Entries } from './entries.js';
import { Neighbours } from './neighbours.js';

const words = texts.catalogue;

export function QueryDetail({ text, query }: { readonly text: string; readonly query: Record<string, string> }) {
  const asked = useWorkedOut(
    `query ${text}`,
    async (signal) => ask<QueryAnswer>(PATHS.catalogueQuery(text), undefined, signal),
    ({ near }) => near.state === 'working',
  );
  return (
    <Shown asked={asked} lines={10}>
      {(answer) => (
        <article class="detail">
          <header>
            <p class="quiet small">{words.query}</p>
            <h2 class="detail-title">
              <UserText text={answer.query} lines={3} />
            </h2>
            <p>
              {words.searches(answer.count)}, {words.rank(answer.popularity, answer.queries)}
            </p>
          </header>
          <Neighbours near={answer.near} query={query} />
          <div class="near half">
            <section>
              <Entries
                title={words.ledTo}
                empty={words.noneLedTo}
                entries={answer.led_to.map(({ item, title, clicks }) => ({
                  text: title,
                  id: item === title ? null : item,
                  href: hrefOf('catalogue', ['item', item], query),
                  value: clicks,
                  told: words.clicks(clicks),
                }))}
              />
            </section>
          </div>
        </article>
      )}
    </Shown>
  );
}
