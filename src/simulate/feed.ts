/**
 * The feed of one simulated user: interests that drift, sessions, and the items acted on. Knows the catalogue; knows
 * nothing of searches, which are made afterwards and change no event here: whatever the search signal, the feed of a
 * seed is the same.
 */
import { Random } from '../base/index.js';
import type { Category, ShopCatalogue } from './catalogue.js';
import { chance, logNormal, oneOf, poisson } from './draw.js';

const DAY = 86_400_000;
const MINUTE = 60_000;

/** Every number of the feed process, as docs/simulator.md tells them. */
export const FEED = {
  /** The first session of a user lies in the first so many days. */
  start: Date.UTC(2026, 0, 1),
  arrivalDays: 60,
  /** Feed events of a user: log-normal, at most `most`, and at most a fifth of the catalogue. */
  events: { median: 18, deviation: 0.9, most: 400 },
  /** Events of a session after its first one (mean), days between sessions (log-normal), minutes between events (1 to 1 + minutes). */
  session: { more: 3, days: { median: 1, deviation: 0.8 }, minutes: 8 },
  /** Interests at a time, and how often a session begins with a new one in place of the oldest. */
  interests: 6,
  drift: 0.45,
  /** How often a new interest comes from a department that the user likes. */
  home: 0.6,
  /** How often an event goes on with the interest of the one before it, in a session. */
  stay: 0.35,
  /** How often an event has no interest behind it. */
  exploration: 0.06,
  /** How often an item is of the interest's brand. */
  brand: 0.6,
  /** How often a category is one that the user also searches for, should they be interested in it. */
  shared: 0.8,
  /** Draws before an item is met again. */
  freshTries: 8,
} as const;

/** What kind of interest is behind an action. */
export type InterestKind = 'shared' | 'feed-only' | 'search-only' | 'exploration';

/** One action in the feed, and why it happened. */
export interface FeedAction {
  readonly time: number;
  readonly type: string;
  readonly item: number;
  readonly category: number;
  /** Whether the person also searches for things of the category: a coin thrown once, of which the feed knows nothing. */
  readonly searchable: boolean;
  /** The truth. Searches must not look at it, since the feed does not show it. */
  readonly kind: Exclude<InterestKind, 'search-only'>;
}

/** What a person likes in a category, the same whenever they come back to it. */
interface Taste {
  readonly category: number;
  readonly searchable: boolean;
  readonly brand: string;
}

function tasteFor(category: number, catalogue: ShopCatalogue, names: readonly (string | number)[]): Taste {
  const random = new Random(...names, 'taste', category);
  const { brands } = catalogue.categories[category] as Category;
  return { category, searchable: chance(random, FEED.shared), brand: oneOf(random, brands) };
}

function typeOfAction(random: Random): string {
  const draw = random.float();
  return draw < 0.8 ? 'view' : draw < 0.88 ? 'like' : draw < 0.95 ? 'cart' : 'purchase';
}

/** The feed of a user, oldest first. `names` name the seed and the user. */
export function simulateFeed(catalogue: ShopCatalogue, ...names: readonly (string | number)[]): FeedAction[] {
  const random = new Random(...names, 'feed');
  const { median, deviation, most } = FEED.events;
  const wanted = Math.max(
    1,
    Math.min(most, Math.floor(catalogue.items.length / 5), Math.round(logNormal(random, median, deviation))),
  );
  const home = catalogue.drawCategory(random);
  const taste = (category: number): Taste => tasteFor(category, catalogue, names);
  const newInterest = (): Taste => {
    const category = chance(random, FEED.home) ? catalogue.drawSibling(random, home) : catalogue.drawCategory(random);
    return taste(category);
  };
  const interests = Array.from({ length: FEED.interests }, newInterest);
  const actions: FeedAction[] = [];
  const met = new Set<number>();
  let time = FEED.start + Math.floor(random.float() * FEED.arrivalDays * DAY);
  while (actions.length < wanted) {
    if (actions.length > 0 && chance(random, FEED.drift)) {
      interests.shift();
      interests.push(newInterest());
    }
    const length = Math.min(wanted - actions.length, 1 + poisson(random, FEED.session.more));
    let last: Taste | null = null;
    for (let event = 0; event < length; event++) {
      const explores = chance(random, FEED.exploration);
      const interest: Taste = last !== null && chance(random, FEED.stay) ? last : oneOf(random, interests);
      const { category, searchable, brand } = explores ? taste(catalogue.drawCategory(random)) : interest;
      if (!explores) last = interest;
      const kind = explores ? 'exploration' : searchable ? 'shared' : 'feed-only';
      const wish = chance(random, FEED.brand) && !explores ? brand : null;
      let item = catalogue.drawItem(random, category, wish);
      for (let tries = 0; met.has(item) && tries < FEED.freshTries; tries++)
        item = catalogue.drawItem(random, category, wish);
      met.add(item);
      actions.push({ time, type: typeOfAction(random), item, category, searchable, kind });
      time += MINUTE + Math.floor(random.float() * FEED.session.minutes * MINUTE);
    }
    const { days } = FEED.session;
    time += Math.ceil(logNormal(random, days.median, days.deviation) * DAY);
  }
  return actions;
}

/** The actions with a time in [time - 7 days, time), of a feed in order. */
export function recentActions(feed: readonly FeedAction[], time: number): readonly FeedAction[] {
  let end = feed.length;
  while (end > 0 && (feed[end - 1] as FeedAction).time >= time) end--;
  let start = end;
  while (start > 0 && (feed[start - 1] as FeedAction).time >= time - 7 * DAY) start--;
  return feed.slice(start, end);
}
