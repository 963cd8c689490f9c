/** Random small logs, imported and loaded, against a plain reading of what the contract says. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  UNKNOWN,
  importEvents,
  importInteractions,
  loadDataset,
  normaliseQuery,
  splitWords,
  type Dataset,
  type Vocabulary,
} from '../../src/data/index.js';
import { jsonLines, put, scratchFolder } from './folders.js';

const RUNS = 16;
const ODD_IDS = [
  'a b',
  "it's",
  '"',
  '""',
  '👩‍👩‍👧',
  '__proto__',
  'constructor',
  'null',
  '0',
  '00',
  '1e3',
  'é',
  'e\u0301',
  ' x',
  'x ',
  ',',
  "'; DROP TABLE feed; --",
  '\\N',
  'NaN',
  '\u0000x',
  'ſ',
  '%',
];
const id = fc
  .oneof(
    { weight: 3, arbitrary: fc.constantFrom(...ODD_IDS) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }) },
  )
  .filter((text) => text.trim() !== '');
const query = fc.oneof(
  fc.constantFrom('Tea', 'tea ', 'Green TEA', '', '???', '東京の天気', 'green  tea'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

/** An event of a log, in order. */
interface Entry {
  readonly user: string;
  readonly kind: 'view' | 'click' | 'search';
  readonly item: string;
  readonly query: string;
  /** Act on the user's last search, if there is one. */
  readonly follows: boolean;
}

const entries = fc
  .tuple(fc.uniqueArray(id, { minLength: 1, maxLength: 3 }), fc.uniqueArray(id, { minLength: 1, maxLength: 5 }))
  .chain(([users, items]) =>
    fc.array(
      fc.record<Entry>({
        user: fc.constantFrom(...users),
        kind: fc.constantFrom('view', 'view', 'click', 'search'),
        item: fc.constantFrom(...items),
        query,
        follows: fc.boolean(),
      }),
      { minLength: 1, maxLength: 25 },
    ),
  );

/** What a user's part of a data set says, in raw ids. */
interface Story {
  readonly feed: { ordinal: number; item: string; search: number | null }[];
  readonly searches: { ordinal: number; query: string; clicks: { item: string; ordinal: number }[] }[];
}

/** What the contract says that becomes of the stories: normalised queries, those outside the vocabulary unknown. */
function expected(stories: ReadonlyMap<string, Story>): {
  queries: string[];
  words: string[];
  stories: Map<string, Story>;
} {
  const training: { ordinal: number; query: string }[] = [];
  for (const { feed, searches } of stories.values()) {
    const heldOut = feed.length < 3 ? [] : feed.slice(-2);
    const start = heldOut[0]?.ordinal ?? Infinity;
    const leading = new Set(heldOut.map(({ search }) => search));
    training.push(...searches.filter(({ ordinal }) => ordinal < start && !leading.has(ordinal)));
  }
  training.sort((a, b) => a.ordinal - b.ordinal);
  const queries = [...new Set(training.map((search) => normaliseQuery(search.query)))].filter((text) => text !== '');
  const known = new Set(queries);
  const words = [...new Set(queries.flatMap(splitWords))];
  const seen = (text: string): string => (known.has(normaliseQuery(text)) ? normaliseQuery(text) : '');
  return {
    queries,
    words,
    stories: new Map(
      [...stories].map(([user, { feed, searches }]) => [
        user,
        { feed, searches: searches.map((search) => ({ ...search, query: seen(search.query) })) },
      ]),
    ),
  };
}

/** The stories that a data set tells. */
function told(data: Dataset): Map<string, Story> {
  const raw = (vocabulary: Vocabulary, index: number | undefined): string => vocabulary.ids[index as number] as string;
  const between = (offsets: Int32Array, group: number): number[] =>
    Array.from(
      { length: (offsets[group + 1] as number) - (offsets[group] as number) },
      (_, i) => (offsets[group] as number) + i,
    );
  return new Map(
    data.users.ids.slice(2).map((user): [string, Story] => {
      const index = data.users.index(user);
      return [
        user,
        {
          feed: between(data.feedOffsets, index).map((position) => ({
            ordinal: data.feedOrdinal[position] as number,
            item: raw(data.items, data.feedItem[position]),
            search:
              data.feedSearch[position] === -1
                ? null
                : (data.searchOrdinal[data.feedSearch[position] as number] as number),
          })),
          searches: between(data.searchOffsets, index).map((position) => ({
            ordinal: data.searchOrdinal[position] as number,
            query: raw(data.queries, data.searchQuery[position]),
            clicks: between(data.clickOffsets, position).map((click) => ({
              item: raw(data.items, data.clickItem[click]),
              ordinal: data.clickOrdinal[click] as number,
            })),
          })),
        },
      ];
    }),
  );
}

function check(data: Dataset, stories: ReadonlyMap<string, Story>): void {
  const wanted = expected(stories);
  assert.deepEqual(told(data), wanted.stories);
  assert.deepEqual(data.queries.ids.slice(2), wanted.queries);
  assert.deepEqual(data.words.ids.slice(2), wanted.words);
  for (const [index, text] of data.queries.ids.entries()) {
    assert.deepEqual(
      Array.from(
        data.queryWords.slice(data.wordOffsets[index], data.wordOffsets[index + 1]),
        (word) => data.words.ids[word],
      ),
      splitWords(text),
    );
  }
  for (const [index, user] of data.users.ids.entries()) {
    const length = (data.feedOffsets[index + 1] as number) - (data.feedOffsets[index] as number);
    assert.equal(
      (data.feedOffsets[index + 1] as number) - (data.heldOutStart[index] as number),
      length < 3 ? 0 : 2,
      user,
    );
  }
  const { sizes } = data.manifest;
  assert.deepEqual(sizes, {
    users: data.users.ids.length,
    items: data.items.ids.length,
    queries: data.queries.ids.length,
    words: data.words.ids.length,
    sources: data.sources.ids.length,
  });
  assert.ok([...data.searchSource].every((source) => source >= UNKNOWN && source < sizes.sources));
}

test('an event log comes back as it was', async (t) => {
  const folder = await scratchFolder(t);
  const out = join(folder, 'out');
  await fc.assert(
    fc.asyncProperty(entries, async (log) => {
      const stories = new Map<string, Story>();
      const lines = log.map(({ user, kind, item, query, follows }, ordinal) => {
        const story = stories.get(user) ?? { feed: [], searches: [] };
        stories.set(user, story);
        const last = follows ? story.searches.at(-1) : undefined;
        const common = { type: kind, time: Math.floor(ordinal / 2), user };
        if (kind === 'search') {
          story.searches.push({ ordinal, query, clicks: [] });
          return { ...common, id: `s${ordinal}`, query };
        }
        if (last && !last.clicks.some((click) => click.item === item)) last.clicks.push({ item, ordinal });
        if (kind === 'view' || !last) story.feed.push({ ordinal, item, search: last?.ordinal ?? null });
        return { ...common, item, search: last ? `s${last.ordinal}` : undefined };
      });
      const file = await put(folder, 'log.jsonl', jsonLines(lines));
      await importEvents({ files: [file], out, overwrite: true });
      check(await loadDataset(out), stories);
    }),
    { numRuns: RUNS },
  );
});

test('a table of interactions with constructed searches comes back as it was, tab- or comma-separated', async (t) => {
  const folder = await scratchFolder(t);
  const out = join(folder, 'out');
  await fc.assert(
    fc.asyncProperty(entries, fc.boolean(), async (log, commas) => {
      const breaks = commas ? /[\n\r]/g : /[\n\r\t]/g;
      const clean = log.map((entry) => ({
        user: entry.user.replace(breaks, '_'),
        item: entry.item.replace(breaks, '_'),
        query: entry.query.replace(breaks, '_'),
      }));
      const quoted = (text: string): string => (commas ? `"${text.replaceAll('"', '""')}"` : text);
      const line = (...fields: readonly string[]): string => `${fields.map(quoted).join(commas ? ',' : '\t')}\n`;
      const all = [...new Set(clean.map(({ item }) => item))];
      const listed = all.filter((_, i) => i % 2 === 1); // the item table lacks the others
      const queries = new Map(
        clean.filter(({ item }) => listed.includes(item)).map(({ item, query }) => [item, query]),
      );
      const stories = new Map<string, Story>();
      for (const [row, { user, item }] of clean.entries()) {
        const story = stories.get(user) ?? { feed: [], searches: [] };
        stories.set(user, story);
        const [search, ordinal, text] = [2 * row, 2 * row + 1, queries.get(item) ?? ''];
        if (text.trim() !== '') story.searches.push({ ordinal: search, query: text, clicks: [{ item, ordinal }] });
        story.feed.push({ ordinal, item, search: text.trim() === '' ? null : search });
      }
      const file = await put(
        folder,
        'log',
        line('user_id', 'item_id', 'timestamp') + clean.map(({ user, item }) => line(user, item, '1')).join(''),
      );
      const items = await put(
        folder,
        'items',
        line('query', 'item_id') + listed.map((item) => line(queries.get(item) as string, item)).join(''),
      );
      await importInteractions({ file, items, constructSearches: 'query', out, overwrite: true });
      const data = await loadDataset(out);
      check(data, stories);
      assert.deepEqual(data.items.ids.slice(2), [...listed, ...all.filter((item) => !listed.includes(item))]);
    }),
    { numRuns: RUNS },
  );
});
