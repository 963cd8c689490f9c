/**
 * Writes a synthetic event log whose right answer is known: what a user searched for last names the category of the
 * next item in the feed, while the feed alone says little. Knows how to plant the signal; does not know who looks for it.
 */
import { Random, writeAtomically } from '../../src/base/index.js';

/** How large a log to plant. */
export interface PlantedOptions {
  readonly users: number;
  readonly items: number;
  readonly categories: number;
  /** Events of the feed of each user. */
  readonly eventsPerUser: number;
  readonly seed: number;
}

const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const THINGS = ['shoes', 'lamps', 'tea', 'chairs', 'books', 'paint', 'tools', 'plants'];
const SOURCES = ['typed', 'suggested', 'history'];
const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

/** The query that asks for a category, such as `category seven shoes`: digit by digit, so that no two are alike. */
export function plantedQuery(category: number): string {
  const digits = String(category)
    .split('')
    .map((digit) => NUMBERS[Number(digit)]);
  return `category ${digits.join(' ')} ${THINGS[category % THINGS.length]}`;
}

/**
 * Writes the log as JSON lines (docs/events.md). Every feed event is announced by a search for its category, which in
 * about 60 % of cases has a click on some item of the category; no feed event names the search, so that it stays in the
 * event's history. Categories follow one another at random, never the same twice running. Every fourth user never
 * searches: for them nothing can be foretold.
 */
export async function writePlantedLog(options: PlantedOptions, path: string): Promise<void> {
  const { users, items, categories, eventsPerUser, seed } = options;
  const lines: string[] = [];
  const write = (event: Readonly<Record<string, unknown>>): void => void lines.push(JSON.stringify(event));
  for (let item = 0; item < items; item++) {
    write({
      type: 'item',
      item: `i${item}`,
      fields: { category: `c${item % categories}`, title: `${plantedQuery(item % categories)} number ${item}` },
    });
  }
  for (let user = 0; user < users; user++) {
    const random = new Random(seed, 'planted', user);
    const ofCategory = (category: number): string =>
      `i${category + categories * random.integer(Math.ceil((items - category) / categories))}`;
    const time = (step: number, part: number): string =>
      new Date(START + (step * users + user) * 10 * MINUTE + part * MINUTE).toISOString();
    let category = random.integer(categories);
    for (let step = 0; step < eventsPerUser; step++) {
      category = categories === 1 ? 0 : (category + 1 + random.integer(categories - 1)) % categories;
      if (user % 4 !== 3) {
        const search = `s${user}-${step}`;
        write({
          type: 'search',
          id: search,
          time: time(step, 0),
          user: `u${user}`,
          query: plantedQuery(category),
          source: SOURCES[random.integer(SOURCES.length)],
        });
        if (random.float() < 0.6)
          write({ type: 'click', time: time(step, 1), user: `u${user}`, item: ofCategory(category), search });
      }
      write({ type: 'view', time: time(step, 2), user: `u${user}`, item: ofCategory(category) });
    }
  }
  await writeAtomically(path, `${lines.join('\n')}\n`);
}
