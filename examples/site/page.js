// The page: a search box and a feed. Every search and click is told to sesrec, and the feed is asked for anew: it moves at once, and says why.
// Knows the document; titles and reasons are set as text, never as markup.
import { SesrecClient } from './sesrec/client/index.js';

const user = (localStorage.user ??= `visitor-${Math.random().toString(36).slice(2)}`);
const sesrec = new SesrecClient({ url: location.origin });
const titles = await (await fetch('/titles')).json();
const [feed, found, source] = ['feed', 'found', 'source'].map((id) => document.getElementById(id));

const tracker = sesrec.tracker({
  user,
  onLost: (lost) => (source.textContent = `${lost.length} events were not taken`),
});

/** Where each item of the feed stood before. */
let places = new Map();

function element(name, text, className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function itemButton(item, onClick) {
  const button = element('button', titles[item] ?? item);
  button.addEventListener('click', onClick);
  return button;
}

async function refresh() {
  await tracker.flush(); // what was acknowledged is seen by the next answer
  const answer = await sesrec.recommend({ user, k: 8, explain: true, language: 'en' });
  feed.replaceChildren(
    ...answer.items.map(({ item, rank, because = [] }) => {
      const entry = document.createElement('li');
      entry.append(
        itemButton(item, async () => {
          tracker.track({ type: 'click', item, recommendation_id: answer.id });
          await refresh();
        }),
      );
      const before = places.get(item);
      if (places.size > 0 && before !== rank)
        entry.append(
          ' ',
          element(
            'span',
            before === undefined ? 'new' : before > rank ? `up from ${before}` : `down from ${before}`,
            'moved',
          ),
        );
      for (const { text } of because) entry.append(element('small', text));
      return entry;
    }),
  );
  places = new Map(answer.items.map(({ item, rank }) => [item, rank]));
  source.textContent = `${answer.source}, ${Math.round(answer.took_ms)} ms${answer.degraded ? ', degraded' : ''}`;
}

async function onSearch(event) {
  event.preventDefault();
  const query = new FormData(event.target).get('query').trim();
  if (query === '') return;
  const results = await (await fetch(`/search?q=${encodeURIComponent(query)}`)).json();
  const search = tracker.track({
    type: 'search',
    query,
    source: 'typed',
    results: results.map(({ item }, i) => ({ item, position: i + 1 })),
  });
  found.closest('section').hidden = false;
  found.replaceChildren(
    ...results.map(({ item }) => {
      const entry = document.createElement('li');
      entry.append(
        itemButton(item, async () => {
          tracker.track({ type: 'click', item, search });
          await refresh();
        }),
      );
      return entry;
    }),
  );
  await refresh();
}

document.getElementById('search').addEventListener('submit', (event) => void onSearch(event));
await refresh();
