/**
 * Simulates a whole site: its catalogue, the feeds and searches of its users, as a log of events and the truth behind
 * them. Knows who exists and what the log looks like; catalogue.ts, feed.ts and searches.ts know why things happen.
 * docs/simulator.md tells the same to readers.
 */
import { Random, UserError } from '../base/index.js';
import { type Item, type ShopCatalogue, makeCatalogue } from './catalogue.js';
import { type FeedAction, type InterestKind, simulateFeed } from './feed.js';
import {
  type SearchAction,
  type SearchRole,
  SEARCH,
  everSearches,
  simulateLoneSearches,
  simulateSearches,
} from './searches.js';
import { chance, oneOf } from './draw.js';
import { AGES, REGIONS } from './words.js';

/** Raised whenever the same options would make another log. It is part of every random stream and of the data's hash. */
export const SIMULATOR_VERSION = 1;

export interface SimulatorOptions {
  /** How many people visit the site. */
  readonly users: number;
  /** How many items it has, at least 12. */
  readonly items: number;
  readonly seed: number;
  /** How often a spontaneous search tries to tell what comes next in the feed, 0 to 1. At 0 searches tell nothing that the feed does not. */
  readonly searchSignal: number;
}

/** Why an action happened: one line of the truth, in the order of the log. */
export interface Truth {
  /** The action's ordinal in the data that the log becomes. */
  readonly ordinal: number;
  readonly user: string;
  readonly lane: 'feed' | 'search' | 'click';
  /** The category that the interest behind it is in. */
  readonly category: string;
  readonly interest: InterestKind;
  /** Of a search, and of its clicks. */
  readonly role?: SearchRole;
}

/** An event of the log (docs/events.md). */
export type LogLine = Readonly<Record<string, unknown>>;

/** A simulated site. */
export interface Site {
  readonly catalogue: ShopCatalogue;
  /** Items and users, then all that happened, in order of time. */
  readonly log: readonly LogLine[];
  readonly truth: readonly Truth[];
}

interface Happening {
  readonly time: number;
  readonly line: LogLine;
  readonly truth: Omit<Truth, 'ordinal'>;
}

/** Simulates a site. The same options give the same site, digit for digit. */
export function simulate(options: SimulatorOptions): Site {
  checkOptions(options);
  const { users, seed, searchSignal } = options;
  const catalogue = makeCatalogue(options.items, SIMULATOR_VERSION, seed);
  const happenings: Happening[] = [];
  const lines: LogLine[] = catalogue.items.map((item) => itemLine(catalogue, item));
  for (let number = 1; number <= users; number++) {
    const user = `u${number}`;
    const names = [SIMULATOR_VERSION, seed, user] as const;
    const random = new Random(...names, 'person');
    lines.push({ type: 'user', user, fields: { region: oneOf(random, REGIONS), age: oneOf(random, AGES) } });
    if (chance(random, SEARCH.lone.share)) {
      const searches = simulateLoneSearches(catalogue, ...names);
      happenings.push(...happeningsOf(catalogue, user, [], searches));
      continue;
    }
    const feed = simulateFeed(catalogue, ...names);
    const searches = everSearches(...names) ? simulateSearches(catalogue, feed, searchSignal, ...names) : [];
    happenings.push(...happeningsOf(catalogue, user, feed, searches));
  }
  happenings.sort((a, b) => a.time - b.time); // stable: what a user does in one millisecond stays in order
  return {
    catalogue,
    log: [...lines, ...happenings.map(({ line }) => line)],
    truth: happenings.map(({ truth }, ordinal) => ({ ordinal, ...truth })),
  };
}

function checkOptions({ users, items, seed, searchSignal }: SimulatorOptions): void {
  const whole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;
  if (!whole(users, 1)) throw new UserError(`a site needs users: give a whole number from 1, not ${users}`);
  if (!whole(items, 12)) throw new UserError(`a site needs items: give a whole number from 12, not ${items}`);
  if (!whole(seed, 0)) throw new UserError(`the seed must be a whole number from 0, not ${seed}`);
  if (!(searchSignal >= 0 && searchSignal <= 1))
    throw new UserError(`the search signal must be a number from 0 to 1, not ${searchSignal}`);
}

function itemLine({ categories }: ShopCatalogue, { id, category, brand, title, price }: Item): LogLine {
  const { name, department } = categories[category] as { name: string; department: string };
  return { type: 'item', item: id, fields: { title, category: name, department, brand, price } };
}

/** All that one user does. Searches and feed events get ids, by which events name the searches that led to them. */
function happeningsOf(
  { categories, items }: ShopCatalogue,
  user: string,
  feed: readonly FeedAction[],
  searches: readonly SearchAction[],
): Happening[] {
  const itemId = (item: number): string => (items[item] as Item).id;
  const nameOf = (category: number): string => (categories[category] as { name: string }).name;
  const at = (time: number): string => new Date(time).toISOString();
  const ledBy = new Map<number, string>();
  const happenings: Happening[] = [];
  for (const [number, { time, query, source, clicks, category, kind, role, ledTo }] of searches.entries()) {
    const id = `s-${user}-${number + 1}`;
    if (ledTo !== null) ledBy.set(ledTo, id);
    const truth = { user, category: nameOf(category), interest: kind, role } as const;
    happenings.push({
      time,
      line: { type: 'search', id, time: at(time), user, query, source },
      truth: { ...truth, lane: 'search' },
    });
    for (const click of clicks) {
      happenings.push({
        time: click.time,
        line: { type: 'click', time: at(click.time), user, item: itemId(click.item), search: id },
        truth: { ...truth, lane: 'click' },
      });
    }
  }
  for (const [position, { time, type, item, category, kind }] of feed.entries()) {
    const search = ledBy.get(position);
    happenings.push({
      time,
      line: {
        type,
        id: `f-${user}-${position + 1}`,
        time: at(time),
        user,
        item: itemId(item),
        ...(search === undefined ? {} : { search }),
      },
      truth: { user, lane: 'feed', category: nameOf(category), interest: kind },
    });
  }
  return happenings;
}
