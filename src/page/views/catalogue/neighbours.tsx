/** What lies near something, both ways. Knows the states of a space that is still worked out; does not know what it is near to. */
import type { ItemAnswer } from '../../../client/index.js';
import { hrefOf } from '../../app/routing.js';
import { Skeleton } from '../../components/states.js';
import { figureText, texts } from '../../texts/index.js';
import { Entries } from './entries.js';

const words = texts.catalogue;

export function Neighbours({
  near,
  query,
}: {
  readonly near: ItemAnswer['near'];
  readonly query: Record<string, string>;
}) {
  if (near.state === 'working')
    return (
      <div class="near-working">
        <p class="quiet">{words.working}</p>
        <Skeleton lines={5} />
      </div>
    );
  if (near.state === 'none') return <p class="quiet">{words.noSpace}</p>;
  return (
    <div class="near">
      <section>
        <Entries
          title={words.nearItems}
          empty={words.noneNear}
          whole={1}
          entries={near.items.map(({ item, title, nearness }) => ({
            text: title,
            id: item === title ? null : item,
            href: hrefOf('catalogue', ['item', item], query),
            value: nearness,
            told: figureText(nearness),
          }))}
        />
      </section>
      {near.space === 'aligned' && (
        <section>
          <Entries
            title={words.nearQueries}
            empty={words.noneNear}
            whole={1}
            entries={near.queries.map(({ query: own, nearness }) => ({
              text: own,
              id: null,
              href: hrefOf('catalogue', ['query', own], query),
              value: nearness,
              told: figureText(nearness),
            }))}
          />
        </section>
      )}
      <p class="quiet small near-note">{near.space === 'aligned' ? words.aligned : words.ranking}</p>
    </div>
  );
}
