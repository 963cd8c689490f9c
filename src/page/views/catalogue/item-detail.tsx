/** One item: what is known of it, what it lies near, what led to it, where it was shown and why. Knows its route. */
import { useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import type { ItemAnswer } from '../../../client/index.js';
import { hrefOf } from '../../app/routing.js';
import { ask } from '../../app/server.js';
import { useWorkedOut } from '../../app/worked-out.js';
import { Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { numberText, texts, timeText } from '../../texts/index.js';
import { Entries } from './entries.js';
import { Neighbours } from './neighbours.js';
import { Why } from './why.js';

const words = texts.catalogue;

export function ItemDetail({ item, query }: { readonly item: string; readonly query: Record<string, string> }) {
  const asked = useWorkedOut(
    `item ${item}`,
    async (signal) => ask<ItemAnswer>(PATHS.catalogueItem(item), undefined, signal),
    ({ near }) => near.state === 'working',
  );
  return (
    <Shown asked={asked} lines={10}>
      {(answer) => (
        <article class="detail">
          <header>
            <p class="quiet small">
              {words.item} <code dir="auto">{answer.item.slice(0, 80)}</code>
            </p>
            <h2 class="detail-title">
              <UserText text={answer.title} lines={3} />
            </h2>
            <p>
              {words.actions(answer.count)}, {words.rank(answer.popularity, answer.items)}
              {answer.is_new && `, ${words.isNew}`}
            </p>
          </header>
          {attributesOf(answer).length > 0 && (
            <dl class="attributes" aria-label={words.attributes}>
              {attributesOf(answer).map(({ name, values }) => (
                <div key={name}>
                  <dt dir="auto">{name}</dt>
                  <dd>
                    <UserText text={values.join(' · ')} lines={2} />
                  </dd>
                </div>
              ))}
            </dl>
          )}
          <Neighbours near={answer.near} query={query} />
          <div class="near half">
            <section>
              <Entries
                title={words.ledBy}
                empty={words.noneLed}
                entries={answer.led_by.map(({ query: own, clicks }) => ({
                  text: own,
                  id: null,
                  href: hrefOf('catalogue', ['query', own], query),
                  value: clicks,
                  told: words.clicks(clicks),
                }))}
              />
            </section>
          </div>
          <Served answer={answer} />
        </article>
      )}
    </Shown>
  );
}

/** What the title above does not say already. */
const attributesOf = ({ attributes, title }: ItemAnswer): ItemAnswer['attributes'] =>
  attributes.filter(({ values }) => values.join(' ') !== title);

/** The lists that had it, and why. */
function Served({ answer: { item, served, served_among: among } }: { readonly answer: ItemAnswer }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <section class="served">
      <h3>{words.served}</h3>
      {served.length === 0 ? (
        <p class="quiet">{words.servedNone(among)}</p>
      ) : (
        <div class="table-box" tabIndex={0} role="region" aria-label={words.served}>
          <table>
            <caption>{words.servedLead(among)}</caption>
            <thead>
              <tr>
                <th scope="col">{words.time}</th>
                <th scope="col">{words.user}</th>
                <th scope="col" class="number">
                  {words.place}
                </th>
                <th scope="col">{words.by}</th>
                <th scope="col">
                  <span class="heard">{words.why}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {served.flatMap(({ user, rank, time, source }, i) => [
                <tr key={i}>
                  <td>{timeText(time)}</td>
                  <td>
                    {user === null ? (
                      <span class="quiet">{words.nobody}</span>
                    ) : (
                      <a href={hrefOf('people', [user])}>
                        <UserText text={user} />
                      </a>
                    )}
                  </td>
                  <td class="number">{numberText(rank)}</td>
                  <td>{words.sources[source] ?? source}</td>
                  <td>
                    {user !== null && (
                      <button
                        type="button"
                        class="plain"
                        aria-expanded={open === i}
                        aria-label={words.whyFor(user)}
                        onClick={() => setOpen(open === i ? null : i)}
                      >
                        {words.why}
                      </button>
                    )}
                  </td>
                </tr>,
                ...(open === i && user !== null
                  ? [
                      <tr key={`${i} why`}>
                        <td colSpan={5}>
                          <Why user={user} item={item} rank={rank} />
                        </td>
                      </tr>,
                    ]
                  : []),
              ])}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
