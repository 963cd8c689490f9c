/**
 * The searches of one simulated user, made from a feed that is already there. Knows what a search may look at; does not
 * change the feed.
 *
 * Mute searches look at the feed before them only, telling ones ahead; `signal` says how many of the spontaneous ones
 * tell. At 0 searches are dice thrown over what the feed before them shows and the table of items, so whoever knows these
 * learns nothing from searches, neither of the person nor of what is popular. They may look at no hidden cause: a brand
 * that is preferred, or whether an event had an interest behind it, would tell what comes. A search that leads to a feed event is made for that event, beside the
 * others, and belongs to no history in which it would give the event away.
 */
import { Random, getOrCreate } from '../base/index.js';
import type { Category, Item, ShopCatalogue } from './catalogue.js';
import { chance, logNormal, longTail, oneOf, poisson } from './draw.js';
import { FEED, type FeedAction, type InterestKind, recentActions } from './feed.js';
import { NEIGHBOURS, WISHES } from './words.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Every number of the search process, as docs/simulator.md tells them. */
export const SEARCH = {
  /** Users who never search. */
  never: 0.3,
  /** Searches between two feed events of the others (mean; log-normal over users), at most `most`. */
  rate: { median: 0.8, deviation: 0.6, most: 2.5 },
  /** How often a search after an item of a shared interest is passive: a click on a query that the site suggests with it. */
  passive: 0.555,
  /** How often a spontaneous search is dissimilar to the feed of the last seven days. */
  dissimilar: 0.2,
  /** How many feed events a telling search looks ahead. */
  ahead: 3,
  /** How often a feed event of a shared interest is led to by a search. */
  leading: 0.04,
  /** Categories that a user only searches for, and for how many feed events each stays so. */
  searchOnly: { interests: 3, events: 12 },
  /** Users who search and never act in the feed, and how often after the first time (mean), once a day. */
  lone: { share: 0.015, more: 4 },
  /** How often the query names the brand, has another word before it, repeats an earlier query of the user, has a slip of the finger. */
  brand: 0.35,
  wish: 0.3,
  repeat: 0.25,
  /** How often a spontaneous query that is no repeat is typed out; the others are taken from suggestions in the box. */
  typed: 0.75,
  typo: 0.04,
  /** Searches with clicks; clicked items: n with probability in proportion to n^-tail, at most `most`. */
  clicked: 0.57,
  clicks: { tail: 2.2, most: 20 },
  /** How often a click goes to another category of the department. */
  stray: 0.04,
} as const;

/** How a search came about. */
export type SearchRole = 'passive' | 'mute' | 'telling' | 'leading';

/** One search, and why it happened. */
export interface SearchAction {
  readonly time: number;
  readonly query: string;
  readonly source: 'related' | 'typed' | 'suggested' | 'history';
  /** Items clicked in its results and when, in order, without the event that it led to. */
  readonly clicks: readonly { readonly item: number; readonly time: number }[];
  readonly category: number;
  readonly kind: Exclude<InterestKind, 'exploration'>;
  readonly role: SearchRole;
  /** Position in the feed of the event that it led to, which is its one click; null when it led to none. */
  readonly ledTo: number | null;
}

/** What a search is about. */
interface Subject {
  readonly category: number;
  readonly brand: string | null;
  readonly kind: SearchAction['kind'];
  readonly role: SearchRole;
}

const drawClicks = longTail(SEARCH.clicks.most, SEARCH.clicks.tail);

/** Whether a user ever searches. */
export function everSearches(...names: readonly (string | number)[]): boolean {
  return !chance(new Random(...names, 'searches at all'), SEARCH.never);
}

/** The searches of a user between the events of their feed and after the last one, oldest first. */
export function simulateSearches(
  catalogue: ShopCatalogue,
  feed: readonly FeedAction[],
  signal: number,
  ...names: readonly (string | number)[]
): SearchAction[] {
  const habits = new Random(...names, 'search habits');
  const { median, deviation, most } = SEARCH.rate;
  const rate = Math.min(most, logNormal(habits, median, deviation));
  const writer = new QueryWriter(catalogue);
  const searches: SearchAction[] = [];
  for (let next = 1; next <= feed.length; next++) {
    const current = feed[next - 1] as FeedAction;
    const room = Math.min(10 * MINUTE, (feed[next]?.time ?? Infinity) - current.time);
    const pause = (feed[next]?.time ?? current.time + room) - current.time;
    // What a search is about may not depend on when the next event comes: "recent" is seen from the event before it.
    const recent = recentActions(feed, current.time + 1);
    const searchOnly = searchOnlyInterests(catalogue, next, names);
    const count = poisson(new Random(...names, 'searches', next), rate);
    const moments = Array.from({ length: count }, (_, index) => {
      // a stream of its own: no search changes the draws of another
      const random = new Random(...names, 'search', next, index);
      // just after the event before it, or just before the next one: people search when they are there
      const offset = Math.floor((0.05 + 0.9 * random.float()) * room);
      return { time: current.time + (chance(random, 0.5) ? offset : pause - offset), random };
    });
    for (const { time, random } of moments.toSorted((one, other) => one.time - other.time)) {
      const following = feed.slice(next, next + SEARCH.ahead);
      const subject = chooseSubject({ catalogue, recent, following, signal, searchOnly, random });
      if (subject) searches.push(makeSearch(catalogue, writer, subject, time, random));
    }
    const leading = leadingSearch(catalogue, writer, feed, next, new Random(...names, 'leading search', next));
    if (leading) searches.push(leading);
  }
  return searches;
}

/** The searches of a user who never acts in the feed. */
export function simulateLoneSearches(catalogue: ShopCatalogue, ...names: readonly (string | number)[]): SearchAction[] {
  const random = new Random(...names, 'lone searches');
  const start = FEED.start + Math.floor(random.float() * FEED.arrivalDays * DAY);
  const writer = new QueryWriter(catalogue);
  const categories = searchOnlyInterests(catalogue, 0, names);
  const count = 1 + poisson(random, SEARCH.lone.more);
  return Array.from({ length: count }, (_, i) => {
    const subject = { category: oneOf(random, categories), brand: null, kind: 'search-only', role: 'mute' } as const;
    return makeSearch(catalogue, writer, subject, start + i * DAY, random);
  });
}

/** What a user only searches for before an event: drifts, one interest after the other, whatever the feed is about. */
function searchOnlyInterests(
  catalogue: ShopCatalogue,
  next: number,
  names: readonly (string | number)[],
): readonly number[] {
  const { interests, events } = SEARCH.searchOnly;
  return Array.from({ length: interests }, (_, interest) => {
    const generation = Math.floor(next / events + interest / interests);
    const random = new Random(...names, 'search-only interest', interest, generation);
    return random.integer(catalogue.categories.length); // all alike: it must not tell what is liked
  });
}

/** What a search is about; null when there is nothing of the kind that was drawn, and so no search. */
function chooseSubject({
  catalogue,
  recent,
  following,
  signal,
  searchOnly,
  random,
}: {
  catalogue: ShopCatalogue;
  recent: readonly FeedAction[];
  following: readonly FeedAction[];
  signal: number;
  searchOnly: readonly number[];
  random: Random;
}): Subject | null {
  const current = recent.at(-1) as FeedAction;
  // all three are drawn whatever their use: the signal does not change who is passive
  const [isPassive, isDissimilar, tells] = [SEARCH.passive, SEARCH.dissimilar, signal].map((probability) =>
    chance(random, probability),
  ) as [boolean, boolean, boolean];
  if (isPassive && current.searchable) return subjectOf(catalogue, current, 'passive');
  if (tells) {
    const announced = following.find(({ kind }) => kind === 'shared');
    if (announced) return subjectOf(catalogue, announced, 'telling');
  }
  if (isDissimilar) {
    const foreign = searchOnly.filter((category) => !recent.some((action) => action.category === category));
    return foreign.length === 0
      ? null
      : { category: oneOf(random, foreign), brand: null, kind: 'search-only', role: 'mute' };
  }
  const shared = recent.filter(({ searchable }) => searchable);
  return shared.length === 0 ? null : subjectOf(catalogue, oneOf(random, shared), 'mute');
}

/** The subject that an event of the feed gives: what everybody can see of it, its category and its item's brand. */
function subjectOf({ items }: ShopCatalogue, { item, category }: FeedAction, role: SearchRole): Subject {
  return { category, brand: (items[item] as Item).brand, kind: 'shared', role };
}

/** The search that led to the event after a gap, if one did. */
function leadingSearch(
  catalogue: ShopCatalogue,
  writer: QueryWriter,
  feed: readonly FeedAction[],
  next: number,
  random: Random,
): SearchAction | null {
  const target = feed[next];
  const previous = feed[next - 1] as FeedAction;
  if (!target?.searchable || !chance(random, SEARCH.leading)) return null;
  const time = target.time - Math.floor(0.04 * Math.min(10 * MINUTE, target.time - previous.time)); // after all others of the gap
  const search = makeSearch(catalogue, writer, subjectOf(catalogue, target, 'leading'), time, random);
  return { ...search, clicks: [], ledTo: next };
}

function makeSearch(
  catalogue: ShopCatalogue,
  writer: QueryWriter,
  subject: Subject,
  time: number,
  random: Random,
): SearchAction {
  const { text, source, brand } = writer.write(subject, random);
  const count = chance(random, SEARCH.clicked) ? drawClicks(random) : 0;
  const clicks = Array.from({ length: count }, (_, position) => {
    const category = chance(random, SEARCH.stray) ? catalogue.drawSibling(random, subject.category) : subject.category;
    return { item: catalogue.findItem(random, category, brand), time: time + position };
  });
  const { category, kind, role } = subject;
  return { time, query: text, source, clicks, category, kind, role, ledTo: null };
}

/** A query, and the brand that it names. */
interface Query {
  readonly text: string;
  readonly brand: string | null;
}

/** Writes the queries of one user, who sometimes types the same again. */
class QueryWriter {
  readonly #catalogue: ShopCatalogue;
  readonly #written = new Map<number, Query[]>();

  constructor(catalogue: ShopCatalogue) {
    this.#catalogue = catalogue;
  }

  write({ category, brand: known, role }: Subject, random: Random): Query & Pick<SearchAction, 'source'> {
    const { name } = this.#catalogue.categories[category] as Category;
    const earlier = getOrCreate(this.#written, category, () => []);
    const isPassive = role === 'passive';
    if (!isPassive && earlier.length > 0 && chance(random, SEARCH.repeat))
      return { ...oneOf(random, earlier), source: 'history' };
    const brand = chance(random, SEARCH.brand) ? known : null;
    const named = brand === null ? name : `${brand} ${name}`;
    const wished = chance(random, SEARCH.wish) ? `${oneOf(random, WISHES)} ${named}` : named;
    const isTyped = !isPassive && chance(random, SEARCH.typed);
    const slips = isTyped && chance(random, SEARCH.typo);
    const query = { text: slips ? withSlip(wished.toLowerCase(), random) : wished.toLowerCase(), brand };
    earlier.push(query);
    return { ...query, source: isPassive ? 'related' : isTyped ? 'typed' : 'suggested' };
  }
}

/** A text with one slip of the finger: a letter left out, doubled, exchanged with the next, or its neighbour's key. */
export function withSlip(text: string, random: Random): string {
  const position = 1 + random.integer(Math.max(1, text.length - 2));
  const [start, letter, rest] = [text.slice(0, position), text.charAt(position), text.slice(position + 1)];
  switch (random.integer(4)) {
    case 0:
      return start + rest;
    case 1:
      return start + letter + letter + rest;
    case 2:
      return start + rest.charAt(0) + letter + rest.slice(1);
    default:
      return start + (NEIGHBOURS[letter] ?? letter) + rest;
  }
}
