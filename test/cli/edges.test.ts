import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sesrec, sesrecJson } from '../support/command-line.js';

interface Answer {
  readonly user: string | null;
  readonly source: string;
  readonly items: readonly {
    readonly item: string;
    readonly score: number;
    readonly rankBefore?: number;
    readonly attributes: Readonly<Record<string, string>>;
    readonly because?: readonly { readonly type: string; readonly query?: string; readonly side: string | null }[];
  }[];
}

const CATEGORIES = ['tea', 'lamps', 'boots', 'books', 'paint', 'plants'];
const categoryOf = (item: number): string => CATEGORIES[item % CATEGORIES.length] as string;

let folder: string;
let run: string;

/** People with one lasting interest each, and the odd ones out; or also somebody with 10,000 actions, a robot maybe. */
function log({ heavy }: { heavy: boolean }): string {
  const lines: unknown[] = Array.from({ length: 300 }, (_, item) => ({
    type: 'item',
    item: `i${item}`,
    fields: { category: categoryOf(item) },
  }));
  let time = Date.UTC(2026, 0, 1);
  const view = (user: string, item: number): void =>
    void lines.push({ type: 'view', user, item: `i${item}`, time: (time += 1000) });
  const search = (user: string, query: string, item: number): void => {
    const id = `s${(time += 1000)}`;
    lines.push({ type: 'search', id, user, query, time });
    lines.push({ type: 'click', user, item: `i${item}`, search: id, time: time + 1 });
  };
  for (let person = 0; person < 60; person++) {
    const interest = person % CATEGORIES.length;
    for (let step = 0; step < 12; step++) {
      const item = (interest + CATEGORIES.length * (person * 7 + step * 3)) % 300;
      if (step % 3 === 1) search(`u${person}`, categoryOf(item), item);
      view(`u${person}`, (item + CATEGORIES.length) % 300);
    }
  }
  for (let step = 0; step < 6; step++) view('no-search', 2 + 6 * step);
  for (let step = 0; step < 6; step++) search('no-feed', 'boots', 2 + 6 * step);
  view('one', 2);
  search('one-search', 'boots', 2);
  // half of the catalogue, again and again, all of it boots and books
  for (let step = 0; step < (heavy ? 10_000 : 0); step++) {
    if (step % 10 === 9) search('heavy', 'boots', 6 * ((step * 17) % 50) + 2);
    else view('heavy', 6 * ((step * 17) % 50) + 2 + (Math.floor(step / 50) % 2));
  }
  return lines.map((line) => JSON.stringify(line)).join('\n');
}

async function trained(name: string, lines: string, epochs: string): Promise<string> {
  const [events, data, made] = [`${name}.jsonl`, name, `${name} run`].map((part) => join(folder, part)) as [
    string,
    string,
    string,
  ];
  await writeFile(events, lines);
  const imported = await sesrec('import', 'events', events, '--out', data);
  assert.equal(imported.code, 0, imported.err);
  const { code, err } = await sesrec(
    'train',
    data,
    '--out',
    made,
    '--epochs',
    epochs,
    ...`--batch-size 128 --learning-rate 0.003 --item-attributes category --set negativeSampling=uniform
    --set alignmentNegatives=32 --set window={"feed":10,"search":5} --set hidden=[32,1]`.split(/\s+/),
  );
  assert.equal(code, 0, err);
  return made;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-edges-'));
  run = await trained('people', log({ heavy: false }), '25');
});
after(async () => rm(folder, { recursive: true, force: true }));

async function answer(...args: readonly string[]): Promise<Answer> {
  return answerOf(run, ...args);
}
async function answerOf(directory: string, ...args: readonly string[]): Promise<Answer> {
  const told = await sesrecJson<Answer>('recommend', directory, '--explain', ...args);
  assert.equal(told.items.length, 10);
  assert.equal(new Set(told.items.map(({ item }) => item)).size, 10);
  for (const { score } of told.items) assert.ok(Number.isFinite(score));
  return told;
}
/** How many of the ten are boots; a sixth of the catalogue is. */
const boots = ({ items }: Answer): number =>
  items.filter(({ attributes }) => attributes['category'] === 'boots').length;
const reasonsOf = ({ items }: Answer) => items.flatMap(({ because = [] }) => because);

test('a user without searches: what the feed says, on no side', async () => {
  const told = await answer('--user', 'no-search');
  assert.equal(told.source, 'sesrec');
  assert.ok(boots(told) >= 6, `${boots(told)} of 10`);
  for (const { type, side } of reasonsOf(told)) assert.deepEqual([type, side], ['feed', null]);
});

test('a user without a feed: finite scores from searches alone, on no side', async () => {
  const told = await answer('--user', 'no-feed');
  assert.equal(told.source, 'sesrec');
  for (const { type, side, query } of reasonsOf(told)) assert.deepEqual([type, side, query], ['search', null, 'boots']);
});

test('somebody of whom nothing is known: the most popular items, said so', async () => {
  const told = await answer();
  assert.deepEqual([told.user, told.source], [null, 'popularity']);
  const scores = told.items.map(({ score }) => score);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
  assert.deepEqual(reasonsOf(told), []);
  const { err } = await sesrec('recommend', run);
  assert.match(err, /^nothing is known of this user: these are the items with the most events in training\n$/);
});

test('a history of one, in the feed and in searches', async () => {
  const told = await answer('--user', 'one');
  assert.ok(boots(told) >= 3, `${boots(told)} of 10`);
  assert.equal((await answer('--user', 'one-search')).source, 'sesrec');
});

test('10,000 actions: trained on and answered, with nothing they have met', async () => {
  const withHeavy = await trained('with heavy', log({ heavy: true }), '2');
  const told = await answerOf(withHeavy, '--user', 'heavy');
  assert.equal(boots(told), 0, 'every pair of boots was met before');
  const seen = await answerOf(withHeavy, '--user', 'heavy', '--include-seen');
  assert.ok(boots(seen) + seen.items.filter(({ attributes }) => attributes['category'] === 'books').length >= 6);
});

test('one more search: somebody new gets an answer from it, and a known user sees what moved', async () => {
  const stranger = await answer('--search', 'Boots');
  assert.deepEqual([stranger.user, stranger.source], [null, 'sesrec']);
  assert.ok(reasonsOf(stranger).length > 0);
  for (const { query } of reasonsOf(stranger)) assert.equal(query, 'boots');
  const known = await answer('--user', 'u0', '--search', 'boots', '--reasons', '5');
  for (const { rankBefore } of known.items) assert.ok(Number.isSafeInteger(rankBefore) && (rankBefore as number) >= 1);
  assert.deepEqual((await answer('--user', 'u0')).items, (await answer('--user', 'u0')).items, 'nothing is stored');
});

test('an imagined search changes nothing but itself: the places before are those of the plain answer', async () => {
  const plain = (await answer('--user', 'u1')).items.map(({ item }) => item);
  const { items } = await answer('--user', 'u1', '--search', 'lamps');
  for (const { item, rankBefore } of items)
    if ((rankBefore as number) <= 10) assert.equal(plain[(rankBefore as number) - 1], item);
});

test('a search for something that training never saw says so', async () => {
  const { code, err } = await sesrec('recommend', run, '--user', 'u0', '--search', 'zeppelins');
  assert.equal(code, 0);
  assert.match(
    err,
    /"zeppelins" was not searched for in training, nor any of its words: the model sees an unknown query/,
  );
  const words = await sesrec('recommend', run, '--user', 'u0', '--search', 'Boots zeppelins');
  assert.match(words.err, /"Boots zeppelins" was not searched for in training: the model goes by its words "boots"/);
  const { items } = await answer('--user', 'u0', '--search', 'Zeppelins', '--explain', '--reasons', '20');
  const reasons = items.flatMap(({ because = [] }) => because.map(({ query }) => query));
  assert.ok(!reasons.includes('(a query that was not seen in training)'), 'its text is known: it was just said');
  assert.equal(
    (await sesrec('recommend', run, '--user', 'u0', '--reasons', '2')).code,
    2,
    '--reasons is for --explain',
  );
});

test('a model that cannot see searches: popularity for whom it sees nothing of, and no what-if', async () => {
  const blind = join(folder, 'blind');
  const args = ['--epochs', '1', '--set', 'useSearch=false', '--set', 'hidden=[8,1]'];
  assert.equal((await sesrec('train', join(folder, 'people'), '--out', blind, ...args)).code, 0);
  assert.equal((await answerOf(blind, '--user', 'no-feed')).source, 'popularity');
  assert.equal((await answerOf(blind, '--user', 'one')).source, 'sesrec');
  const { code, err } = await sesrec('recommend', blind, '--user', 'u0', '--search', 'boots');
  assert.equal(code, 1);
  assert.match(err, /^sesrec: the model of .* cannot see searches: --search would change nothing\n$/);
});
