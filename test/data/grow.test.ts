/** A data directory that grows: the same events as if all had come at once, the same indices as before, and a model that goes on. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import {
  type Dataset,
  UNKNOWN,
  asKnownBy,
  importEvents,
  importLog,
  importInteractions,
  loadDataset,
} from '../../src/data/index.js';
import { vocabularySizes } from '../../src/model/index.js';
import { jsonLines, put, scratchFolder } from './folders.js';

type Named = 'items' | 'queries' | 'words' | 'sources' | 'users';
const NAMES: readonly Named[] = ['items', 'queries', 'words', 'sources', 'users'];

/**
 * What every user did, in raw ids and in order. An ordinal is told as a place among those of all events that are kept: an item
 * clicked again in one search leaves a gap, which closes when the data grows.
 */
function stories(data: Dataset): Record<string, unknown[]> {
  const all: Record<string, unknown[]> = {};
  const ordinals = [...new Set([...data.feedOrdinal, ...data.searchOrdinal, ...data.clickOrdinal])].sort(
    (a, b) => a - b,
  );
  const places = new Map(ordinals.map((ordinal, place) => [ordinal, place]));
  const place = (ordinal: number | undefined): number => (ordinal === undefined ? -1 : (places.get(ordinal) as number));
  for (let user = 2; user < data.users.ids.length; user++) {
    const events: [number, unknown][] = [];
    for (let i = data.feedOffsets[user] as number; i < (data.feedOffsets[user + 1] as number); i++)
      events.push([
        place(data.feedOrdinal[i]),
        [
          data.items.ids[data.feedItem[i] as number],
          data.feedTime[i],
          place(data.searchOrdinal[data.feedSearch[i] as number]),
        ],
      ]);
    for (let s = data.searchOffsets[user] as number; s < (data.searchOffsets[user + 1] as number); s++) {
      const clicks = [];
      for (let c = data.clickOffsets[s] as number; c < (data.clickOffsets[s + 1] as number); c++)
        clicks.push([data.items.ids[data.clickItem[c] as number], place(data.clickOrdinal[c]), data.clickTime[c]]);
      events.push([
        place(data.searchOrdinal[s]),
        [data.queries.ids[data.searchQuery[s] as number], data.searchTime[s], clicks],
      ]);
    }
    all[data.users.ids[user] as string] = events.sort((a, b) => a[0] - b[0]);
  }
  return all;
}

const assertGrown = (grown: Dataset, known: Dataset): void => {
  for (const name of NAMES)
    assert.deepEqual(grown[name].ids.slice(0, known[name].ids.length), known[name].ids, `${name} keep their indices`);
};

/** A search in whose results an item is clicked twice, then searches of another user, on both sides of the cut. */
const AGAIN: { kind: 'search' | 'view' | 'click'; user: string; item: string; query: string; time: number }[] = [
  ...(['search', 'click', 'click'] as const).map((kind) => ({ kind, user: 'b', item: 'j', query: 'tea', time: 0 })),
  ...Array.from({ length: 4 }, () => ({ kind: 'search' as const, user: 'a', item: 'i', query: 'tea', time: 0 })),
];

test('a log in two parts gives the events of the whole, whatever the times, and keeps every index', async (t) => {
  const folder = await scratchFolder(t);
  const event = fc.record({
    kind: fc.constantFrom<'search' | 'view' | 'click'>('search', 'view', 'view', 'click'),
    user: fc.constantFrom('a', 'b', 'c', 'd'),
    item: fc.constantFrom('i', 'j', 'k', 'l', 'm'),
    query: fc.constantFrom('tea', 'green tea', 'hat', 'red hat'),
    time: fc.integer({ min: 0, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 4, maxLength: 24 }),
      fc.integer({ min: 1, max: 3 }),
      async (events, cut) => {
        const started = new Map<string, { id: string; time: number; part: number }>();
        const half = Math.floor((events.length * cut) / 4);
        const lines = events.map(({ kind, user, item, query, time }, i) => {
          const part = i < half ? 0 : 1;
          if (kind === 'search') {
            started.set(user, { id: `s${i}`, time, part });
            return { type: 'search', id: `s${i}`, user, query, time };
          }
          const last = started.get(user);
          const led = last && last.part === part && last.time <= time && kind === 'click' ? { search: last.id } : {};
          return { type: kind, user, item, time, ...led };
        });
        const [first, second] = [lines.slice(0, half), lines.slice(half)];
        if (first.length === 0 || second.length === 0) return;
        const files = [
          await put(folder, 'first.jsonl', jsonLines(first)),
          await put(folder, 'second.jsonl', jsonLines(second)),
        ] as const;
        const [whole, base, out] = [join(folder, 'whole'), join(folder, 'base'), join(folder, 'out')];
        const overwrite = true;
        await importEvents({ files, out: whole, overwrite });
        await importEvents({ files: [files[0]], out: base, overwrite });
        const { manifest } = await importEvents({ files: [files[1]], append: base, out, overwrite });
        const [all, known, grown] = [await loadDataset(whole), await loadDataset(base), await loadDataset(out)];
        assertGrown(grown, known);
        assert.equal(manifest.grownFrom, known.manifest.hash);
        assert.deepEqual(
          manifest.source.files.map(({ name }) => name),
          ['first.jsonl', 'second.jsonl'],
        );
        // queries of the first part stay known, though they may have become held out since
        const heldOutBefore = (text: unknown): unknown => (all.queries.has(String(text)) ? text : '');
        const told = stories(grown);
        for (const [user, story] of Object.entries(stories(all)))
          assert.deepEqual(
            told[user]?.map((entry) =>
              JSON.stringify(entry, (_, value: unknown) =>
                typeof value === 'string' && grown.queries.has(value) ? heldOutBefore(value) : value,
              ),
            ),
            story.map((entry) => JSON.stringify(entry)),
            user,
          );
        const seen = asKnownBy(grown, known);
        assert.deepEqual(vocabularySizes(seen), vocabularySizes(known));
        for (const [column, size] of [
          [seen.feedItem, known.items.ids.length],
          [seen.clickItem, known.items.ids.length],
          [seen.searchQuery, known.queries.ids.length],
        ] as const)
          assert.ok(column.every((index) => index >= UNKNOWN && index < size));
      },
    ),
    { numRuns: 8, examples: [[AGAIN, 2]] },
  );
});

test('attributes of old and new; a value that is new is unknown to a model', async (t) => {
  const folder = await scratchFolder(t);
  const view = (item: string, time: number): object => ({ type: 'view', user: 'u', item, time });
  const about = (item: string, fields: object): object => ({ type: 'item', item, fields });
  const first = await put(
    folder,
    'a',
    jsonLines([about('x', { colour: 'red' }), about('y', { colour: 'blue' }), view('x', 1), view('z', 2)]),
  );
  const second = await put(
    folder,
    'b',
    jsonLines([about('y', { colour: 'green', size: 4 }), about('w', { colour: 'red' }), view('y', 3), view('w', 4)]),
  );
  await importEvents({ files: [first], out: join(folder, 'base') });
  await importEvents({ files: [second], append: join(folder, 'base'), out: join(folder, 'out') });
  const [known, grown] = [await loadDataset(join(folder, 'base')), await loadDataset(join(folder, 'out'))];
  assertGrown(grown, known);
  assert.deepEqual(grown.items.ids.slice(2), ['x', 'y', 'z', 'w']);
  assert.deepEqual([...grown.itemAttributes.keys()], ['colour', 'size']);
  const seen = asKnownBy(grown, known);
  const colour = seen.itemAttributes.get('colour');
  assert.deepEqual([...(colour?.index ?? [])], [0, 0, colour?.values.index('red'), UNKNOWN, 0]);
  assert.deepEqual([...seen.itemAttributes.keys()], ['colour']);
});

test('items that were new to a model keep what it knows of them, also when training has met them since', async (t) => {
  const folder = await scratchFolder(t);
  const view = (user: string, item: string, time: number): object => ({ type: 'view', user, item, time });
  const about = (item: string, colour: string): object => ({ type: 'item', item, fields: { colour } });
  const first = [
    about('z', 'blue'),
    about('y', 'red'),
    about('x', 'red'),
    view('u', 'x', 1),
    view('u', 'w', 2),
    view('u', 'y', 11),
    view('u', 'x', 21),
  ];
  const second = [view('v', 'z', 5), view('v', 'y', 12), view('v', 'y', 22)];
  const split = { strategy: 'global-time', validationFrom: 10, testFrom: 20, newItems: true } as const;
  const files = [await put(folder, 'a', jsonLines(first)), await put(folder, 'b', jsonLines(second))] as const;
  await importEvents({ files: [files[0]], out: join(folder, 'base'), split });
  await importEvents({ files: [files[1]], append: join(folder, 'base'), out: join(folder, 'out'), split });
  const [known, grown] = [await loadDataset(join(folder, 'base')), await loadDataset(join(folder, 'out'))];
  assert.deepEqual([known.items.ids.slice(2), known.trainedItems], [['x', 'w', 'z', 'y'], 4]);
  assert.deepEqual([grown.items.ids.slice(2), grown.trainedItems], [['x', 'w', 'z', 'y'], 5], 'z is trained by now');
  const seen = asKnownBy(grown, known);
  assert.deepEqual([seen.trainedItems, vocabularySizes(seen)], [4, vocabularySizes(known)]);
  assert.deepEqual(stories(seen), stories(grown));
  const colour = seen.itemAttributes.get('colour');
  const red = colour?.values.index('red');
  assert.deepEqual([...(colour?.index ?? [])], [0, 0, red, 0, UNKNOWN, red], 'blue it has never met');
});

test('under global time, users and items keep their indices also when what comes later is earlier', async (t) => {
  const folder = await scratchFolder(t);
  const views = (user: string, from: number): object[] =>
    Array.from({ length: 10 }, (_, i) => ({
      type: 'view',
      user: `${user}${i % 5}`,
      item: `${user}${i % 4}`,
      time: from + i,
    }));
  const later = await put(folder, 'february', jsonLines(views('f', 1000)));
  const earlier = await put(folder, 'january', jsonLines(views('j', 0)));
  const split = { strategy: 'global-time' } as const;
  for (const [name, options] of [
    ['as before', {}],
    ['newly', { split }],
  ] as const) {
    const [base, out] = [join(folder, `base ${name}`), join(folder, name)];
    await importEvents({ files: [later], out: base, ...(name === 'newly' ? {} : { split }) });
    const { manifest } = await importEvents({ files: [earlier], append: base, out, ...options });
    assert.equal(manifest.split.strategy, 'global-time');
    const [known, grown] = [await loadDataset(base), await loadDataset(out)];
    const trained = known.manifest.sizes;
    assert.deepEqual(grown.users.ids.slice(0, trained.users), known.users.ids.slice(0, trained.users));
    assert.ok(grown.manifest.sizes.users >= trained.users);
    assert.deepEqual(vocabularySizes(asKnownBy(grown, known)), vocabularySizes(known));
  }
});

test('a file that is in already is left out; filters, and data that did not grow from the same, are refused', async (t) => {
  const folder = await scratchFolder(t);
  const header = 'user_id\titem_id\ttimestamp\n';
  const [a, b] = [await put(folder, 'a.tsv', `${header}u\ti\t5\n`), await put(folder, 'b.tsv', `${header}u\tj\t1\n`)];
  const [base, out] = [join(folder, 'base'), join(folder, 'out')];
  await importInteractions({ file: a, out: base });
  await assert.rejects(importInteractions({ file: a, append: base, out }), /every file is in .* already/);
  await assert.rejects(importInteractions({ file: b, append: base, out, kCore: 2 }), /leave out --k-core/);
  const people = await put(folder, 'people.txt', '7\t456\t1.0\t-1\t889\tORD\t0_1\n');
  const named = importLog({ format: 'jdsearch', files: [people], append: base, out });
  await assert.rejects(named, /--append is not there for jdsearch: its users have no ids/);
  await importInteractions({ file: b, append: base, out });
  const grown = await loadDataset(out);
  assert.deepEqual(
    [...grown.feedItem].map((item) => grown.items.ids[item]),
    ['i', 'j'],
    'the order of files, not of times',
  );
  await importInteractions({ file: b, out: join(folder, 'other') });
  const other = await loadDataset(join(folder, 'other'));
  assert.throws(
    () => asKnownBy(other, grown),
    (error) => error instanceof UserError && /--append/.test(error.message),
  );
});

test('an event that came with the data before, or with those before them, is a duplicate; one that is new is not', async (t) => {
  const folder = await scratchFolder(t);
  const view = (id: string | undefined, time: number): object => ({ id, type: 'view', user: 'u', item: 'x', time });
  const search = { id: 's', type: 'search', user: 'u', query: 'tea', time: 2 };
  const click = { type: 'click', user: 'u', item: 'x', search: 's', time: 6 };
  const wrong = { id: 'w', type: 'view', user: 'u', item: 'x', search: 'nowhere', time: 3 };
  const grow = async (name: string, append: string | undefined, events: readonly object[]) =>
    importEvents({
      files: [await put(folder, `${name}.jsonl`, jsonLines(events))],
      out: join(folder, name),
      ...(append === undefined ? {} : { append: join(folder, append) }),
    });
  await grow('one', undefined, [view('a', 1), search, wrong]);
  await grow('two', 'one', [view('a', 1), view('b', 4)]);
  const { manifest, warnings } = await grow('three', 'two', [
    view('a', 1), // of the first
    view('b', 4), // of the second
    view('b', 9),
    search,
    click, // new, but its search is of the first
    view('c', 5),
    view(undefined, 1),
    { ...wrong, search: undefined }, // was rejected, so it has not come yet
  ]);
  const { accepted, duplicates, rejected } = manifest.read ?? {};
  assert.deepEqual([accepted, duplicates, rejected], [3, 4, 1]);
  assert.match(warnings.join('\n'), /the search "s", which came with the data that grow/);
  assert.match(warnings.join('\n'), /4 events left out: the id of an earlier line, or of an event that came before/);
  assert.deepEqual([...(await loadDataset(join(folder, 'three'))).feedTime], [1, 1, 3, 4, 5]);
  await assert.rejects(grow('four', 'three', [view('c', 5), view('a', 1)]), /nothing is new/);
  await writeFile(join(folder, 'two', 'event-ids.parquet'), 'x');
  await assert.rejects(grow('six', 'two', [view('d', 5)]), /event-ids\.parquet is damaged/);
  await rm(join(folder, 'three', 'event-ids.parquet'));
  const forgotten = await grow('five', 'three', [view('c', 5)]);
  assert.match(forgotten.warnings.join('\n'), /event-ids\.parquet is not there .* taken twice/);
});
