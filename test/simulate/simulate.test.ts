import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, UserError } from '../../src/base/index.js';
import { makeCatalogue } from '../../src/simulate/catalogue.js';
import { type FeedAction, simulateFeed } from '../../src/simulate/feed.js';
import { type Site, type Truth, simulate } from '../../src/simulate/index.js';
import { simulateSearches, withSlip } from '../../src/simulate/searches.js';

const SITE = { users: 300, items: 300, seed: 5, searchSignal: 0.5 } as const;
const site = simulate(SITE);

const happened = ({ log }: Site) => log.filter(({ type }) => type !== 'item' && type !== 'user');
const isFeed = (line: Readonly<Record<string, unknown>>): boolean =>
  line['type'] !== 'search' && !(line['type'] === 'click' && line['search'] !== undefined);
const share = (count: number, of: number): number => count / of;
const near = (value: number, expected: number, margin: number, what: string): void =>
  assert.ok(Math.abs(value - expected) <= margin, `${what}: ${value}, expected ${expected} ± ${margin}`);

test('the same options give the same site; another seed, another one', () => {
  const again = simulate(SITE);
  assert.deepEqual([again.log, again.truth], [site.log, site.truth]);
  assert.notDeepEqual(simulate({ ...SITE, seed: 6 }).log, site.log);
});

test('more users: the same people first, and others after them', () => {
  const more = simulate({ ...SITE, users: 320 });
  const known = new Set(Array.from({ length: 300 }, (_, i) => `u${i + 1}`));
  assert.deepEqual(
    happened(more).filter(({ user }) => known.has(user as string)),
    happened(site),
  );
});

test('the feed is the same whatever the search signal; the searches are not', () => {
  const feeds = [0, 0.5, 1].map((searchSignal) =>
    happened(simulate({ ...SITE, searchSignal }))
      .filter(isFeed)
      .map((line) => ({ ...line, search: null })),
  );
  assert.deepEqual(feeds[0], feeds[1]);
  assert.deepEqual(feeds[0], feeds[2]);
  const queries = [0, 1].map((searchSignal) => happened(simulate({ ...SITE, searchSignal })).map(({ query }) => query));
  assert.notDeepEqual(queries[0], queries[1]);
});

/** The feed up to an event, then another person's actions at the same times. */
function exchanged(feed: readonly FeedAction[], from: number, other: readonly FeedAction[]): FeedAction[] {
  return feed.map((action, position) =>
    position < from ? action : { ...(other[position % other.length] as FeedAction), time: action.time },
  );
}

function searchesAround(signal: number): { same: number; different: number } {
  const catalogue = makeCatalogue(300, 'exchange');
  let [same, different] = [0, 0];
  for (let person = 0; person < 60; person++) {
    const names = ['exchange', `u${person}`] as const;
    const feed = simulateFeed(catalogue, ...names);
    const other = simulateFeed(catalogue, 'exchange', `other ${person}`);
    if (feed.length < 2) continue;
    const from = 1 + new Random('from', person).integer(feed.length - 1);
    const visible = (actions: readonly FeedAction[]) =>
      simulateSearches(catalogue, actions, signal, ...names).filter(
        // what is in the history of the event at `from`: earlier, and not the search that led to it
        ({ time, ledTo }) => time < (feed[from] as FeedAction).time && ledTo !== from,
      );
    const [now, then] = [visible(feed), visible(exchanged(feed, from, other))];
    if (JSON.stringify(now) === JSON.stringify(then)) same++;
    else different++;
  }
  return { same, different };
}

test('at signal 0 the searches in the history of an event know nothing of it or of what follows', () => {
  const { same, different } = searchesAround(0);
  assert.ok(same > 50);
  assert.equal(different, 0);
});

test('nor do they know what the feed before them hides: why its events happened', () => {
  const catalogue = makeCatalogue(300, 'hidden');
  let searches = 0;
  for (let person = 0; person < 60; person++) {
    const names = ['hidden', `u${person}`] as const;
    const feed = simulateFeed(catalogue, ...names);
    const shown = feed.map((action) => ({ ...action, kind: 'exploration' as const }));
    const [now, then] = [feed, shown].map((actions) => simulateSearches(catalogue, actions, 0, ...names));
    assert.deepEqual(now, then);
    searches += now?.length ?? 0;
  }
  assert.ok(searches > 500);
});

test('a query that names a brand names one that the feed before it shows, in its category, at signal 0', () => {
  const { log } = simulate({ ...SITE, searchSignal: 0 });
  const shown = new Map(
    log.flatMap(({ type, item, fields }) => {
      const { brand, category } = (fields ?? {}) as { brand: string; category: string };
      return type === 'item' ? [[item, `${brand} ${category}`.toLowerCase()]] : [];
    }),
  );
  const brands = new Set(shown.values());
  const met = new Map<unknown, Set<string>>();
  let named = 0;
  for (const line of log) {
    if (isFeed(line) && line['item'] !== undefined && line['user'] !== undefined) {
      const own = met.get(line['user']) ?? new Set<string>();
      met.set(line['user'], own.add(shown.get(line['item']) as string));
    }
    const query = [...brands].find((name) => (line['query'] as string | undefined)?.endsWith(name));
    // the search that leads to an event knows it; the event names the search
    if (query === undefined || log.some(({ search, type }) => search === line['id'] && type !== 'click')) continue;
    named++;
    assert.ok(met.get(line['user'])?.has(query) || line['source'] === 'history', `${line['id'] as string} ${query}`);
  }
  assert.ok(named > 200);
});

test('above 0 they do, so the test above can fail', () => {
  assert.ok(searchesAround(0.5).different > 10);
});

const rolesOf = (truth: readonly Truth[], role: string) =>
  truth.filter((line) => line.lane === 'search' && line.role === role).length;

test('the signal changes neither the number of searches nor the passive ones by more than the few that find nothing to say', () => {
  const [none, full] = [0, 1].map((searchSignal) => simulate({ ...SITE, searchSignal }).truth) as [Truth[], Truth[]];
  assert.equal(rolesOf(none, 'telling'), 0);
  assert.ok(rolesOf(full, 'telling') > 1000);
  assert.equal(rolesOf(none, 'passive'), rolesOf(full, 'passive'));
  assert.equal(rolesOf(none, 'leading'), rolesOf(full, 'leading'));
  const searches = (truth: readonly Truth[]) => truth.filter(({ lane }) => lane === 'search').length;
  near(searches(full) / searches(none), 1, 0.03, 'searches');
});

test('the truth has a line for every event, in the same order, and agrees with it', () => {
  const lines = happened(site);
  assert.equal(site.truth.length, lines.length);
  const category = new Map(
    site.log.flatMap(({ type, item, fields }) =>
      type === 'item' ? [[item, (fields as { category: string }).category]] : [],
    ),
  );
  for (const [ordinal, line] of lines.entries()) {
    const truth = site.truth[ordinal] as Truth;
    assert.deepEqual([truth.ordinal, truth.user], [ordinal, line['user']]);
    if (isFeed(line)) {
      assert.equal(truth.lane, 'feed');
      assert.equal(category.get(line['item']), truth.category);
    } else assert.equal(truth.lane, line['type'] === 'search' ? 'search' : 'click');
  }
});

test('feed-only interests are never searched for, and nobody searches without having met something, but those who only search', () => {
  const feedOnly = new Set(
    site.truth.flatMap(({ lane, user, category, interest }) =>
      lane === 'feed' && interest === 'feed-only' ? [`${user} ${category}`] : [],
    ),
  );
  const shared = site.truth.filter(({ lane, interest }) => lane === 'search' && interest === 'shared');
  assert.ok(feedOnly.size > 100 && shared.length > 1000);
  for (const { user, category } of shared) assert.ok(!feedOnly.has(`${user} ${category}`));
});

test('events that searches led to name them, and come right after them', () => {
  const lines = happened(site);
  const led = lines.filter((line) => isFeed(line) && line['search'] !== undefined);
  assert.ok(led.length > 50);
  for (const event of led) {
    const search = lines.find(({ id }) => id === event['search']);
    assert.ok(search && search['user'] === event['user'] && (search['time'] as string) < (event['time'] as string));
  }
});

test('the tails: popular items, long histories, many clicks; and people who never search', () => {
  const large = simulate({ users: 1000, items: 500, seed: 2, searchSignal: 0.5 });
  const lines = happened(large);
  const counted = (keys: readonly unknown[]): number[] => {
    const counts = new Map<unknown, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    return [...counts.values()].sort((a, b) => b - a);
  };
  const feed = lines.filter(isFeed);
  const perItem = counted(feed.map(({ item }) => item));
  const topTenth = perItem.slice(0, 50).reduce((sum, count) => sum + count, 0);
  assert.ok(share(topTenth, feed.length) > 0.25, `the top tenth of items has ${share(topTenth, feed.length)}`);
  const perUser = counted(feed.map(({ user }) => user));
  assert.ok((perUser[0] as number) >= 80 && (perUser.at(-1) as number) <= 2);
  near(perUser[perUser.length >> 1] as number, 18, 3, 'median events');
  const searches = lines.filter(({ type }) => type === 'search');
  near(share(new Set(searches.map(({ user }) => user)).size, 1000), 0.7, 0.05, 'people who search');
  const clicks = counted(lines.filter(({ search }) => search !== undefined).map(({ search }) => search));
  near(share(clicks.length, searches.length), 0.6, 0.03, 'searches with a click');
  assert.ok((clicks[0] as number) >= 10 && clicks.filter((count) => count === 1).length > clicks.length / 2);
  const sources = new Set(searches.map(({ source }) => source));
  assert.deepEqual(sources, new Set(['history', 'related', 'suggested', 'typed']));
  const repeats = searches.length - new Set(searches.map(({ user, query }) => `${String(user)} ${String(query)}`)).size;
  assert.ok(share(repeats, searches.length) > 0.3, 'people type the same again');
});

test('a slip of the finger changes a query a little, and always gives text', () => {
  const random = new Random('slips');
  let changed = 0;
  for (let i = 0; i < 500; i++) {
    const slipped = withSlip('hiking boots', random);
    assert.ok(Math.abs(slipped.length - 12) <= 1);
    if (slipped !== 'hiking boots') changed++;
  }
  assert.ok(changed > 400);
  for (const short of ['', 'a', 'ab']) assert.equal(typeof withSlip(short, random), 'string');
});

test('the smallest site, and what is no site', () => {
  const smallest = simulate({ users: 1, items: 12, seed: 0, searchSignal: 0 });
  assert.ok(happened(smallest).length > 0);
  for (const wrong of [
    { users: 0 },
    { users: 1.5 },
    { items: 11 },
    { seed: -1 },
    { searchSignal: 1.01 },
    { searchSignal: -0.1 },
    { searchSignal: Number.NaN },
  ]) {
    assert.throws(
      () => simulate({ ...SITE, ...wrong }),
      (error) => error instanceof UserError && !error.message.includes('\n'),
      JSON.stringify(wrong),
    );
  }
});

test('every category has an item, names and brands are no two alike', () => {
  for (const items of [12, 100, 1000, 12_000]) {
    const { categories, items: all } = makeCatalogue(items, 'catalogue');
    assert.equal(new Set(all.map(({ category }) => category)).size, categories.length);
    assert.equal(new Set(categories.map(({ name }) => name)).size, categories.length);
    for (const { brands } of categories) assert.equal(new Set(brands).size, 5);
  }
});
